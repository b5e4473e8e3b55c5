"""`spartan claims`: measured figures beside the paper's."""

from __future__ import annotations

import dataclasses
import json as json_module
import os
import platform
from pathlib import Path
from typing import Any

import pydantic
import rich.console
import typer

from bridge._version import __version__
from bridge.data import Pattern
from bridge.errors import ConfigurationError, VerificationError
from bridge.worth.claims import load_claims
from bridge.worth.collect import NetworkResult, collect, tasks
from bridge.worth.page import page, with_sums
from bridge.worth.plot import plot_sweep
from bridge.worth.report import (
    break_even_table,
    case_table,
    claims_table,
    network_table,
    profiling_layers,
    profiling_table,
    sampling_table,
    where,
)
from bridge.worth.run import Progress, missing, run_tasks
from bridge.worth.selection import NETWORKS, SWEEP, Selection, benchmarks_folder, load_selections
from bridge.worth.store import Store
from bridge.worth.tables import Table
from bridge.worth.targets import target_table

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("claims")(claims)


def claims(
    network: list[str] = typer.Option([], help="Networks; alexnet, resnet18 and vgg16 by default; repeatable."),
    layer: list[str] = typer.Option([], help="Only these layers; repeatable."),
    phase: list[str] = typer.Option([], help="Only these phases; repeatable."),
    density: list[float] = typer.Option([], help="One density for all layers but the image; repeatable."),
    sweep: bool = typer.Option(False, "--sweep", help="Densities 0.1 to 1.0, no tables, no profiling."),
    table: bool = typer.Option(True, help="Measure at the density tables of the network, too."),
    images: int = typer.Option(1, "--images", "--n", min=1, help="N."),
    gpu: str = typer.Option("r9nano", "--gpu", "--preset", help="GPU preset."),
    software: bool = typer.Option(
        False, "--software", help="Measure conversion by a kernel, and dense over the engine's im2col view, too."
    ),
    profiling: bool = typer.Option(True, help="Measure the overhead of profiling, too."),
    everything: bool = typer.Option(False, "--all", help="Everything that benchmarks/worth.toml lists, in its order."),
    part: list[int] = typer.Option([], help="Of --all only the entries of these numbers, from 1; repeatable."),
    stored: bool = typer.Option(False, "--stored", help="Measure nothing, print what earlier runs have left."),
    estimate: bool = typer.Option(False, "--estimate", help="Measure nothing, tell how long it would take."),
    row_imbalance: float = typer.Option(0.0, help="How unlike rows are in their density, 0: all alike."),
    row_cluster: float = typer.Option(0.0, help="Correlation of neighbours within a row, 0 to below 1."),
    channel_cluster: float = typer.Option(0.0, help="Correlation of neighbours along channels, 0 to below 1."),
    seed: int = typer.Option(1, min=0, help="Of the places of zeros."),
    store: Path = typer.Option(Path("runs/claims"), help="Folder of the records; a run that was stopped goes on."),
    json: Path | None = typer.Option(None, help="Write all figures to this file."),
    markdown: list[Path] = typer.Option(
        [], help="Write all tables to this file; in one with the marks of spartan claims the sums alone; repeatable."
    ),
    plot: Path | None = typer.Option(None, help="Draw speedups over density to this file, network by network."),
    cores: int = typer.Option(0, min=0, help="Cases measured at a time, each on one core of the host; 0: all cores."),
) -> None:
    """Measure convolutions in training, dense and with Spartan, and set the figures beside the paper's.

    Every case is kept as soon as it is measured, and a later run goes on from there. A sum over a network that is
    measured in part says so.
    """
    console = rich.console.Console(width=200, highlight=False)
    if everything:
        selections = _listed(part, network)
    else:
        chosen = _selection(network, layer, phase, density, sweep, table, images, gpu, software, profiling)
        selections = [_with_zeros(chosen, row_imbalance, row_cluster, channel_cluster, seed)]
    records = Store(store)
    needed = tasks(selections)
    if estimate:
        _estimate(console, records, selections, cores or os.cpu_count() or 1)
        return
    failed = [] if stored else run_tasks(records, needed, cores or os.cpu_count() or 1, _Reporter(console))
    results = collect(records, selections)
    found = _tables(results)
    for one in found:
        console.print(one.rich(), *one.notes, "", sep="\n")
    if not found:
        console.print("nothing is stored for these")
    figures = [] if plot is None else _plots(console, plot, results)
    if json is not None:
        json.write_text(json_module.dumps(_plain(results), indent=1) + "\n", encoding="utf-8")
    for path in markdown if found else ():  # a page is not emptied where nothing is stored
        _write_page(path, results, figures)
    if failed:
        for progress in failed:
            console.print(f"{progress.task.label}: {progress.error}")
        assert failed[0].error is not None
        raise failed[0].error
    _verify(results)


def _selection(
    network: list[str],
    layer: list[str],
    phase: list[str],
    density: list[float],
    sweep: bool,
    table: bool,
    images: int,
    gpu: str,
    software: bool,
    profiling: bool,
) -> Selection:
    chosen: dict[str, Any] = {"networks": tuple(network) or NETWORKS, "layers": tuple(layer), "images": images}
    chosen |= {"densities": tuple(dict.fromkeys((*density, *(SWEEP if sweep else ())))), "tables": table and not sweep}
    chosen |= {"gpu": gpu, "software": software, "profiling": profiling and not sweep}
    if phase:
        chosen["phases"] = tuple(phase)
    try:
        return Selection(**chosen)
    except pydantic.ValidationError as error:
        raise ConfigurationError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _with_zeros(selection: Selection, rows: float, row_cluster: float, channel_cluster: float, seed: int) -> Selection:
    zeros = Pattern(
        density=1.0, row_imbalance=rows, row_cluster=row_cluster, channel_cluster=channel_cluster, seed=seed
    )
    changed = dataclasses.asdict(zeros)
    del changed["density"]
    return selection.model_copy(update=changed)


def _listed(part: list[int], network: list[str]) -> list[Selection]:
    selections = load_selections(benchmarks_folder() / "worth.toml")
    for number in part:
        if not 1 <= number <= len(selections):
            raise ConfigurationError(f"--part: benchmarks/worth.toml has entries 1 to {len(selections)}, got {number}")
    chosen = [selection for number, selection in enumerate(selections, 1) if not part or number in part]
    if network:
        kept = [tuple(name for name in selection.networks if name in network) for selection in chosen]
        chosen = [
            selection.model_copy(update={"networks": names})
            for selection, names in zip(chosen, kept, strict=True)
            if names
        ]
    return chosen


def _estimate(console: rich.console.Console, records: Store, selections: list[Selection], cores: int) -> None:
    """Print what is left to measure, entry by entry; what an earlier entry measures counts there."""
    counted: set[Path] = set()
    for number, selection in enumerate(selections, 1):
        todo = [task for task in missing(records, tasks([selection])) if records.path(task.what) not in counted]
        counted |= {records.path(task.what) for task in todo}
        minutes = sum(task.work for task in todo) / cores / 60
        at = ", ".join(f"{value:g}" for value in selection.densities) + (", tables" if selection.tables else "")
        console.print(
            f"{number}: {', '.join(selection.networks)} at {at or 'no density'}, N = {selection.images}, "
            f"{selection.gpu}: {len(todo)} measurements, about {minutes:.0f} min on {cores} cores that are free"
        )


class _Reporter:
    """Prints a line for each task that has ended."""

    def __init__(self, console: rich.console.Console) -> None:
        self._console = console

    def __call__(self, progress: Progress) -> None:
        if progress.error is not None:
            outcome = f"FAILED: {progress.error}"
        elif progress.record is None or "costs" not in progress.record:
            outcome = "done"
        else:
            outcome = f"{progress.record['costs']['cycles']:,} cycles"
        minutes, seconds = divmod(round(progress.left_s), 60)
        self._console.print(
            f"{progress.done}/{progress.total}, {minutes}:{seconds:02} min left: {progress.task.label}: {outcome}, "
            f"{progress.seconds:.1f} s",
            style="dim",
            soft_wrap=True,
        )


def _tables(results: list[NetworkResult]) -> list[Table]:
    found = [case_table(result, point) for result in results for point in result.points if point.measured]
    for result in results:
        if result.profiled is not None:
            found += [profiling_layers(result, burst=burst) for burst in (False, True)]
    paper = load_claims(benchmarks_folder() / "claims.toml")
    found += [network_table(results), profiling_table(results), sampling_table(results), break_even_table(results)]
    return [one for one in [*found, claims_table(paper, results), target_table(results)] if one.rows]


def _plots(console: rich.console.Console, plot: Path, results: list[NetworkResult]) -> list[Path]:
    """Draw the sweeps; batch and preset stand in a file's name where they aren't the usual ones."""
    drawn = []
    for result in results:
        batch = "" if result.images == 1 else f"-n{result.images}"
        preset = "" if result.gpu == "r9nano" else f"-{result.gpu}"
        target = plot.with_name(f"{plot.stem}-{result.network.name}{batch}{preset}{plot.suffix}")
        points = {point.density: point.rows() for point in result.points if point.density is not None}
        if plot_sweep(target, where(result), points):
            drawn.append(target)
    if not drawn:
        console.print("a plot needs measured cases at two densities or more (--sweep)")
    return drawn


def _write_page(path: Path, results: list[NetworkResult], figures: list[Path]) -> None:
    paper = load_claims(benchmarks_folder() / "claims.toml")
    replaced = with_sums(path.read_text(encoding="utf-8"), results, paper) if path.exists() else None
    beside = [os.path.relpath(figure, path.parent) for figure in figures]
    path.write_text(page(results, paper, beside) if replaced is None else replaced, encoding="utf-8")


def _plain(results: list[NetworkResult]) -> dict[str, Any]:
    about = {"spartan-cosim": __version__, "python": platform.python_version()}
    return {**about, "results": [result.plain() for result in results]}


def _verify(results: list[NetworkResult]) -> None:
    wrong = [
        f"{result.network.name} {case.layer} {case.phase} at {point.label}"
        for result in results
        for point in result.points
        for case, record in point.measured
        if not record["verified"]
    ]
    wrong += [
        f"{result.network.name} profiling" for result in results if result.profiled and not result.profiled.verified
    ]
    if wrong:
        raise VerificationError(f"results differ from their reference: {', '.join(dict.fromkeys(wrong))}")
