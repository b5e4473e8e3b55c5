"""`spartan dnnmark`: benchmarks from DNNMark's files."""

from __future__ import annotations

from pathlib import Path

import typer

from bridge.cli._benchmark import run_and_print
from bridge.dnnmark import Network, parse_file
from bridge.dnnmark.data import INPUTS, data_source
from bridge.errors import ConfigurationError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("dnnmark")(dnnmark)


def dnnmark(
    file: Path = typer.Argument(help="A .dnnmark file, or a template with $N-style variables."),
    iterations: int = typer.Option(1, min=1, help="Measured passes over the network; cycles are their mean."),
    warmup: int = typer.Option(0, min=0, help="Passes before the measured ones."),
    phase: str = typer.Option("both", help="forward, backward or both."),
    layer: str | None = typer.Option(None, help="Measure this layer alone, with what it reads in its network."),
    n: int | None = typer.Option(None, min=1, help="Batch size; also the template's $N."),
    c: int | None = typer.Option(None, min=1, help="Input channels; also $C."),
    h: int | None = typer.Option(None, min=1, help="Input height; also $H."),
    w: int | None = typer.Option(None, min=1, help="Input width; also $W."),
    k: int | None = typer.Option(None, min=1, help="A template's $K: filters."),
    s: int | None = typer.Option(None, min=1, help="A template's $S: filter size."),
    u: int | None = typer.Option(None, min=1, help="A template's $U: stride."),
    p: int | None = typer.Option(None, min=0, help="A template's $P: padding."),
    set_: list[str] = typer.Option([], "--set", help="NAME=VALUE: any other variable of a template."),
    inputs: str = typer.Option("gaussian", help=f"Input data: {' or '.join(INPUTS)}."),
    seed: int = typer.Option(0, min=0, help="Of data and parameters."),
    json: Path | None = typer.Option(None, help="Write the results to this file."),
    out: Path | None = typer.Option(None, help="Folder for metrics.sqlite3 and trace.json."),
    resume: Path | None = typer.Option(
        None, help="Run a network layer by layer and keep the state in this folder; a second call goes on from there."
    ),
    gpu: str = typer.Option("r9nano", help="GPU preset."),
    gpu_set: list[str] = typer.Option([], help="KEY=VALUE: a GPU parameter that differs from the preset."),
    mode: str = typer.Option("timing", help="timing, or functional: verify without counting cycles."),
    backend: str = typer.Option("embedded", help="embedded or mgpusim."),
    kernels: str = typer.Option("best", help="best, or portable: only kernels that every back end executes."),
    spartan: bool = typer.Option(True, help="Run convolutions and fully connected layers with the three units, too."),
    cores: int = typer.Option(0, min=0, help="Host cores for the GPU model, 0 for all."),
) -> None:
    """Run the layers of a DNNMark file on the simulated GPU; every result is verified against numpy in float64."""
    extents = {"n": n, "c": c, "h": h, "w": w}
    variables = {
        key.upper(): str(value)
        for key, value in {**extents, "k": k, "s": s, "u": u, "p": p}.items()
        if value is not None
    }
    variables |= dict(_assignment(text) for text in set_)
    description = parse_file(file, variables)
    network = Network.from_description(description, {key: value for key, value in extents.items() if value is not None})
    run_and_print(
        network,
        title=file.name,
        run=description.run_mode != "none",
        iterations=iterations,
        warmup=warmup,
        phase=phase,
        layer=layer,
        draw=data_source(inputs, file.parent),
        seed=seed,
        json_file=json,
        out=out,
        gpu=gpu,
        gpu_set=gpu_set,
        mode=mode,
        backend=backend,
        kernels=kernels,
        spartan=spartan,
        cores=cores,
        resume=resume,
        options={"inputs": inputs},
    )


def _assignment(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise ConfigurationError(f"--set takes NAME=VALUE, got {text!r}")
    return name.removeprefix("$"), value
