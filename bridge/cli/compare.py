"""`spartan compare`: several units on the same layers."""

from __future__ import annotations

import json
from pathlib import Path

import rich.box
import rich.console
import rich.table
import typer

from bridge.comparison import Variant, compare_units, plot
from bridge.config import load_config
from bridge.errors import ConfigurationError, VerificationError
from bridge.units import parse_choice

__all__ = ["register"]

_WIDTH = 150


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("compare")(compare)


def compare(
    config: Path = typer.Argument(help="Configuration file, TOML."),
    unit: list[str] = typer.Option(..., help="KIND=SPEC[,KIND=SPEC…]: one variant; give the option several times."),
    out: Path | None = typer.Option(None, help="Folder for table and plot; runs/NAME-compare by default."),
    gpu: str | None = typer.Option(None, help="GPU preset, instead of what the file says."),
    cores: int | None = typer.Option(None, min=0, help="Host cores for the GPU model, 0 for all; results are equal."),
) -> None:
    """Run a configuration with several units in turn, on the same layers and data: one table, one plot."""
    loaded = load_config(config).with_gpu(gpu, [])
    if cores is not None:
        loaded = loaded.model_copy(update={"host_threads": cores})
    variants = [(text, tuple(parse_choice(part) for part in text.split(","))) for text in unit]
    folder = out if out is not None else Path("runs") / f"{loaded.name}-compare"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log").write_bytes(b"")
    except OSError as error:
        raise ConfigurationError(f"the output folder {folder} can't be written: {error.strerror}") from None
    console = rich.console.Console(stderr=True)
    with console.status("starting") as status:
        done = compare_units(loaded, config.parent, variants, log=folder / "log", note=status.update)
    _print(done)
    plot(done, folder / "compare.png")
    figures = {variant.label: variant.results.model_dump(mode="json", by_alias=True) for variant in done}
    (folder / "compare.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    typer.echo(f"plot: {folder / 'compare.png'}; results: {folder / 'compare.json'}")
    wrong = [variant.label for variant in done if not variant.results.verified]
    if wrong:
        raise VerificationError(f"results differ from their reference with {', '.join(wrong)}")


def _print(variants: list[Variant]) -> None:
    console = rich.console.Console(highlight=False)
    if not console.is_terminal:
        console = rich.console.Console(highlight=False, width=_WIDTH)
    table = rich.table.Table("layer", "phase", "dense cycles", box=rich.box.SIMPLE_HEAD, title_justify="left")
    for column in table.columns[2:]:
        column.justify = "right"
    for variant in variants:
        table.add_column(variant.label, justify="right")
    first = variants[0].cycles()
    for index, layer in enumerate(variants[0].results.layers):
        cells = []
        for variant in variants:
            mine = variant.results.layers[index]
            base = first[layer.name, layer.phase]
            ratio = f" ({mine.spartan.cycles / base:.3f} ×)" if variant is not variants[0] and base else ""
            cells.append(f"{mine.spartan.cycles:,}{ratio}{'' if mine.verified else ' [bold red]WRONG[/]'}")
        table.add_row(layer.name, layer.phase.replace("_", " "), f"{layer.dense.cycles:,}", *cells)
    console.print(table)
