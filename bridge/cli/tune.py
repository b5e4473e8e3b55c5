"""`spartan tune`: find the fastest plan of each convolution's kernels by measurement."""

from __future__ import annotations

from pathlib import Path

import typer

from bridge.data import load_network
from bridge.layers.tuned import TABLE, read_table
from bridge.worth.cases import cases_of
from bridge.worth.selection import benchmarks_folder
from bridge.worth.tune import tune_case, write_table

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("tune")(tune)


def tune(
    network: str = typer.Option("resnet18", help="Network whose convolutions are tuned."),
    layer: list[str] = typer.Option([], help="Only these layers; repeatable."),
    phase: list[str] = typer.Option([], help="Only these phases; repeatable."),
    images: int = typer.Option(1, min=1, help="N."),
    density: float = typer.Option(0.4, min=0, max=1, help="Density that sparse kernels are tuned at."),
    gpu: str = typer.Option("r9nano", help="GPU preset."),
    table: Path = typer.Option(TABLE, help="Table to extend; the shipped one by default."),
    cores: int = typer.Option(0, min=0, help="Host cores for the GPU model, 0 for all."),
) -> None:
    """Measure candidate plans and keep the fastest; problems that the table has are left alone."""
    found = load_network(benchmarks_folder() / "networks" / f"{network}.toml")
    phases = tuple(phase) or ("forward", "data_gradient", "filter_gradient")
    for case in cases_of(found, density, images=images, layers=layer, phases=phases):
        done = read_table(table) if table.exists() else {}
        entries = tune_case(
            case, gpu, done, host_threads=cores, on_trial=lambda what, cycles: typer.echo(f"{cycles:>12,}  {what}")
        )
        if entries:
            write_table(table, entries, gpu)
