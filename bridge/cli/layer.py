"""`spartan layer`: a quick benchmark of one layer, without a file."""

from __future__ import annotations

from pathlib import Path

import typer

from bridge.cli._benchmark import run_and_print
from bridge.dnnmark import Network, parse_text
from bridge.dnnmark.data import data_source
from bridge.dnnmark.layers import LAYERS
from bridge.errors import ConfigurationError

__all__ = ["register"]

_KINDS = {
    "conv": "Convolution",
    "pool": "Pooling",
    "lrn": "LRN",
    "activation": "Activation",
    "fc": "FullyConnected",
    "softmax": "Softmax",
    "batchnorm": "BatchNorm",
    "dropout": "Dropout",
    "bypass": "Bypass",
    "add": "Add",
    "global-pool": "GlobalAveragePooling",
}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("layer")(layer)


def layer(
    kind: str = typer.Argument(help=", ".join(_KINDS)),
    n: int = typer.Option(1, min=1, help="Images."),
    c: int = typer.Option(64, min=1, help="Channels."),
    h: int = typer.Option(28, min=1, help="Height."),
    w: int | None = typer.Option(None, min=1, help="Width; the height by default."),
    k: int = typer.Option(64, min=1, help="conv: filters; fc: outputs."),
    s: int | None = typer.Option(None, min=1, help="conv, pool: size of filter or window, 3 by default."),
    u: int | None = typer.Option(None, min=1, help="conv, pool: stride."),
    p: int | None = typer.Option(
        None, min=0, help="conv, pool: padding; for conv what keeps the extents, (s − 1) / 2."
    ),
    density: float | None = typer.Option(None, min=0, max=1, help="Fraction of non-zeros of the input."),
    gradient_density: float | None = typer.Option(None, min=0, max=1, help="The same of the gradient that arrives."),
    set_: list[str] = typer.Option([], "--set", help="KEY=VALUE: any other key of the layer's section."),
    iterations: int = typer.Option(1, min=1, help="Measured passes; cycles are their mean."),
    warmup: int = typer.Option(0, min=0, help="Passes before the measured ones."),
    phase: str = typer.Option("both", help="forward, backward or both."),
    seed: int = typer.Option(0, min=0, help="Of data and parameters."),
    json: Path | None = typer.Option(None, help="Write the results to this file."),
    out: Path | None = typer.Option(None, help="Folder for metrics.sqlite3 and trace.json."),
    gpu: str = typer.Option("r9nano", help="GPU preset."),
    gpu_set: list[str] = typer.Option([], help="KEY=VALUE: a GPU parameter that differs from the preset."),
    mode: str = typer.Option("timing", help="timing, or functional: verify without counting cycles."),
    backend: str = typer.Option("embedded", help="embedded or mgpusim."),
    kernels: str = typer.Option("best", help="best, or portable: only kernels that every back end executes."),
    spartan: bool = typer.Option(True, help="Run a convolution or fully connected layer with the three units, too."),
    cores: int = typer.Option(0, min=0, help="Host cores for the GPU model, 0 for all."),
) -> None:
    """Run one layer on the simulated GPU, forward and backward, and verify it."""
    if kind not in _KINDS:
        raise ConfigurationError(f"there is no layer {kind!r}; known: {', '.join(_KINDS)}")
    section = _KINDS[kind]
    known = {*LAYERS[section].model_fields, *LAYERS[section].pairs}
    size = 3 if s is None else s
    convolution = section == "Convolution"
    values: dict[str, object] = {
        "num_output": k,
        "kernel_size": size,
        "stride": u if u is not None else 1 if convolution else None,
        "pad": p if p is not None else (size - 1) // 2 if convolution else None,
        "density": density,
        "gradient_density": gradient_density,
    }
    lines = [f"{key}={value}" for key, value in values.items() if value is not None and key in known]
    extents = f"n={n}\nc={c}\nh={h}\nw={h if w is None else w}"
    text = "\n".join(["[DNNMark]", "run_mode=standalone", f"[{section}]", f"name={kind}", extents, *lines, *set_])
    run_and_print(
        Network.from_description(parse_text(text, "--set")),
        title=f"{section} {n}×{c}×{h}×{h if w is None else w}",
        run=True,
        iterations=iterations,
        warmup=warmup,
        phase=phase,
        layer=None,
        draw=data_source("gaussian", Path()),
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
    )
