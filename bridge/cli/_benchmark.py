"""Runs a network for the commands `spartan dnnmark` and `spartan layer`, and prints a line for each primitive."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import typer

from bridge.config import gpu_assignments
from bridge.dnnmark.benchmark import Phases, Row, run_network
from bridge.dnnmark.network import Network
from bridge.dnnmark.resumable import run_one_layer, run_resumable
from bridge.errors import ConfigurationError, VerificationError
from bridge.layers.network import Draw
from bridge.metrics import write_metrics
from bridge.session import CoSimulation
from bridge.trace import run_timeline
from bridge.units import default_choices

__all__ = ["run_and_print"]


def run_and_print(
    network: Network,
    *,
    title: str,
    run: bool,
    iterations: int,
    warmup: int,
    phase: str,
    layer: str | None,
    draw: Draw,
    seed: int,
    json_file: Path | None,
    out: Path | None,
    gpu: str,
    gpu_set: Sequence[str],
    mode: str,
    backend: str,
    kernels: str,
    spartan: bool,
    cores: int,
    resume: Path | None = None,
    options: dict[str, object] | None = None,
) -> None:
    """Run a network (or with `run` false print its shapes), write the JSON file, and end with the outcome.

    With `resume` it runs layer by layer and keeps its state there, bound to the `options` that the result depends on.

    Raises:
        VerificationError: naming the primitives whose result differs.
        ConfigurationError: for wrong options.
    """
    phases = next((known for known in get_args(Phases) if known == phase), None)
    if phases is None:
        raise ConfigurationError(f"--phase is {', '.join(get_args(Phases))}, got {phase!r}")
    if not run:
        for node in network.nodes:
            extents = " → ".join("×".join(map(str, shape)) for shape in (node.input_shape, node.output_shape))
            typer.echo(f"{node.name}: {node.layer.section} {extents}")
        typer.echo("run_mode is none: nothing was run; standalone or composed runs the layers")
        return
    if json_file is not None and not json_file.parent.is_dir():
        raise ConfigurationError(f"--json: the folder {json_file.parent} does not exist")
    width = max(len("layer"), *(len(node.name) for node in network.nodes))
    units = list(default_choices().values()) if spartan and _has_sparse_layer(network) else []
    where = "" if backend == "embedded" else f" of {backend}"
    typer.echo(f"{title} on {gpu}{where}, {mode} mode, {iterations} iterations after {warmup} of warm-up")
    typer.echo(_line("primitive", "layer", "cycles", "ms", "density", "verified", _HEADINGS, width))

    def show(row: Row) -> None:
        typer.echo(_row(row, width))

    def open_session(wanted: str) -> CoSimulation:
        functional = wanted == "functional"
        return CoSimulation(
            gpu=gpu,
            gpu_set=gpu_assignments(gpu_set),
            mode=wanted or mode,
            backend="embedded" if functional else backend,
            kernels=kernels if backend == "embedded" else "portable",
            units=[] if functional else units,
            host_threads=cores,
        )

    if resume is not None:
        if layer is not None or out is not None or phases != "both":
            raise ConfigurationError(
                "--resume measures all layers in both phases, each in a session of its own: leave out --layer, --phase "
                "and --out"
            )
        job = {**(options or {}), "gpu": gpu, "gpu_set": list(gpu_set), "mode": mode, "spartan": spartan, "seed": seed}
        job |= {"iterations": iterations, "warmup": warmup}
        if (backend, kernels) != ("embedded", "best"):  # states of older versions stay valid
            job |= {"backend": backend, "kernels": kernels}
        rows = run_resumable(
            resume, network, open_session=open_session, options=job, iterations=iterations, warmup=warmup, seed=seed,
            draw=draw, on_row=show,
        )  # fmt: skip
    elif layer is not None and network.composed and out is None:
        rows = run_one_layer(
            network, layer, open_session=open_session, iterations=iterations, warmup=warmup, phases=phases, seed=seed,
            draw=draw, on_row=show,
        )  # fmt: skip
    else:
        with open_session("") as session:
            rows = run_network(
                session, network, iterations=iterations, warmup=warmup, phases=phases, only=layer, seed=seed, draw=draw,
                on_row=show,
            )  # fmt: skip
            if out is not None:
                write_metrics(out / "metrics.sqlite3", session.launches, parameters=session.parameters)
                run_timeline(session.launches, session.layers, session.unit_spans()).write(out / "trace.json")
    cycles = sum(row.cycles for row in rows)
    ms = sum(row.ms for row in rows)
    best = sum(row.cycles if row.spartan is None else row.spartan.cycles for row in rows)
    shown = (
        (f"{best:,.0f}", f"{cycles / best:.2f}×" if best else "–", "") if any(r.spartan for r in rows) else ("",) * 3
    )
    verified = "yes" if all(row.verified for row in rows) else "NO"
    typer.echo(_line("total", "", f"{cycles:,.0f}", f"{ms:.4f}", "", verified, shown, width))
    if mode == "timing":
        _print_layers(rows)
    if json_file is not None:
        json_file.write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n", encoding="utf-8")
    wrong = [row for row in rows if not row.verified]
    if wrong:
        names = ", ".join(f"{row.label} of {row.layer}" for row in wrong)
        raise VerificationError(f"results differ from their reference: {names}; {wrong[0].message}")


def _print_layers(rows: list[Row]) -> None:
    """Print the layers that Spartan applies to, all their passes together, where there are several of them."""
    layers: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row.spartan is not None:
            layers.setdefault(row.layer, []).append((row.cycles, row.spartan.cycles))
    if len(layers) < 2:
        return
    layers["all"] = [pair for pairs in layers.values() for pair in pairs]
    width = max(len("layer"), *map(len, layers))
    headings = ("dense", "Spartan", "speedup", "better of both", "speedup")
    typer.echo(f"\n{'layer':<{width}} {' '.join(f'{heading:>14}' for heading in headings)}")
    for name, pairs in layers.items():
        dense, spartan = (sum(column) for column in zip(*pairs, strict=True))
        better = sum(min(pair) for pair in pairs)
        figures = (
            f"{dense:,.0f}",
            f"{spartan:,.0f}",
            f"{dense / spartan:.2f}×",
            f"{better:,.0f}",
            f"{dense / better:.2f}×",
        )
        typer.echo(f"{name:<{width}} {' '.join(f'{figure:>14}' for figure in figures)}")


_HEADINGS = ("Spartan cycles", "speedup", "ideal")


def _has_sparse_layer(network: Network) -> bool:
    return any(node.layer.section in ("Convolution", "FullyConnected") for node in network.nodes)


def _row(row: Row, width: int) -> str:
    extra = ("–", "–", "–")
    if row.spartan is not None:
        speedup = "–" if row.spartan.speedup is None else f"{row.spartan.speedup:.2f}×"
        ideal = "–" if math.isinf(row.spartan.ideal_speedup) else f"{row.spartan.ideal_speedup:.2f}×"
        extra = (f"{row.spartan.cycles:,.0f}", speedup, ideal)
    verified = "yes" if row.verified else "NO"
    return _line(
        row.label, row.layer, f"{row.cycles:,.0f}", f"{row.ms:.4f}", f"{row.density:.3f}", verified, extra, width
    )


def _line(
    label: str, layer: str, cycles: str, ms: str, density: str, verified: str, extra: tuple[str, ...], width: int
) -> str:
    spartan, speedup, ideal = extra
    first = f"{label:<13} {layer:<{width}} {cycles:>13} {ms:>9} {density:>7} {verified:>8}"
    return f"{first} {spartan:>14} {speedup:>7} {ideal:>7}".rstrip()
