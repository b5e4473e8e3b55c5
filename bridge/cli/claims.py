"""`spartan claims`: measured figures beside the paper's."""

from __future__ import annotations

import dataclasses
import json as json_module
import math
import platform
from pathlib import Path
from typing import Any

import rich.console
import rich.table
import typer

from bridge._version import __version__
from bridge.data import DensityTable, Network, load_densities, load_network
from bridge.errors import ConfigurationError, VerificationError
from bridge.worth.adaptive import break_evens, sweep_of, worst_excess
from bridge.worth.cases import Case, cases_of, shape_of
from bridge.worth.claims import Claim, Summary, geometric_mean, load_claims, reached_at, summarise
from bridge.worth.measure import Store, measure
from bridge.worth.plot import plot_sweep
from bridge.worth.profiling import RATIOS, measure_profiling, measure_read_back, overheads

__all__ = ["benchmarks_folder", "register"]

_PEAK = 4096.0
_NETWORKS = ("alexnet", "vgg16", "resnet18")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("claims")(claims)


def benchmarks_folder() -> Path:
    """Return the folder of network shapes, densities and claims: of the checkout, or of the working directory."""
    for folder in (Path("benchmarks"), Path(__file__).parents[2] / "benchmarks"):
        if (folder / "claims.toml").exists():
            return folder
    raise ConfigurationError("benchmarks/claims.toml is not here: run spartan claims in a checkout")


def claims(
    network: list[str] = typer.Option([], help="Networks; alexnet, vgg16 and resnet18 by default; repeatable."),
    layer: list[str] = typer.Option([], help="Only these layers; repeatable."),
    phase: list[str] = typer.Option([], help="Only these phases; repeatable."),
    density: list[float] = typer.Option([], help="One density for all layers but the image; repeatable."),
    table: bool = typer.Option(True, help="Measure at the density tables of the network, too."),
    images: int = typer.Option(1, min=1, help="N."),
    gpu: str = typer.Option("r9nano", help="GPU preset."),
    software: bool = typer.Option(False, "--software", help="Measure conversion by a kernel, without the engine, too."),
    profiling: bool = typer.Option(True, help="Measure the overhead of profiling, too."),
    stored: bool = typer.Option(False, "--stored", help="Measure nothing, print what earlier runs have left."),
    store: Path = typer.Option(Path("runs/claims"), help="Folder of the records; a run that was stopped goes on."),
    json: Path | None = typer.Option(None, help="Write all figures to this file."),
    plot: Path | None = typer.Option(None, help="Draw speedups over density to this file, network by network."),
    cores: int = typer.Option(0, min=0, help="Host cores for the GPU model, 0 for all."),
) -> None:
    """Measure convolutions in training, dense and with Spartan, and set the figures beside the paper's.

    Whole networks take hours; every case is kept as soon as it is measured, and a later run goes on from there. A sum
    over a network that is measured in part says so.
    """
    folder = benchmarks_folder()
    names = network or list(_NETWORKS)
    records = Store(store, only_stored=stored)
    console = rich.console.Console(width=150, highlight=False)
    phases = tuple(phase) or ("forward", "data_gradient", "filter_gradient")
    unknown = set(phases) - {"forward", "data_gradient", "filter_gradient"}
    if unknown:
        raise ConfigurationError(f"a phase is forward, data_gradient or filter_gradient, got {unknown.pop()!r}")
    output: dict[str, Any] = {
        "spartan-cosim": __version__,
        "python": platform.python_version(),
        "gpu": gpu,
        "images": images,
        "networks": {},
    }
    wrong: list[str] = []
    for name in names:
        net = load_network(folder / "networks" / f"{name}.toml")
        points: list[tuple[str, DensityTable | float]] = [(f"{value:g}", value) for value in density]
        if table:
            tables = [
                load_densities(path) for path in sorted((folder / "densities").glob("*_*.toml")) if _is_table(path)
            ]
            points += [(found.name, found) for found in tables if found.network == name]
        entry: dict[str, Any] = {"points": {}}
        output["networks"][name] = entry
        for label, densities in points:
            cases = cases_of(net, densities, images=images, layers=layer, phases=phases)
            rows: list[tuple[Case, dict[str, Any] | None]] = []
            for case in cases:
                if not stored:
                    console.print(f"{name} {case.layer} {case.phase} at {label}", style="dim")
                rows.append((case, measure(records, gpu, case, host_threads=cores, software=software)))
            wrong += [f"{name} {case.layer} {case.phase}" for case, record in rows if record and not record["verified"]]
            summary = summarise([case.shape.macs for case in cases], [record for _, record in rows], _PEAK)
            entry["points"][label] = _point(rows, summary, densities)
            _print_point(console, name, label, rows, summary)
        sweep = sweep_of({value: entry["points"][f"{value:g}"]["cases"] for value in density})
        if len(density) > 2 and sweep:
            entry["break_evens"], entry["adaptive_excess"] = break_evens(sweep, 0.0), worst_excess(sweep)
            console.print(
                f"{name}: an adaptive run, break-evens from the other densities of the sweep, is at most "
                f"{entry['adaptive_excess']:+.1%} slower than the fastest dense side (negative: faster)\n"
            )
        if plot is not None:
            target = plot.with_name(f"{plot.stem}-{name}{plot.suffix}")
            if not plot_sweep(target, name, {value: entry["points"][f"{value:g}"]["cases"] for value in density}):
                console.print(f"{name}: a plot needs measured cases at two densities or more (--density, repeatable)")
        if profiling:
            entry["profiling"] = _profiling(console, records, gpu, net, images, layer, cores, wrong)
    _print_claims(console, folder, output)
    if json is not None:
        json.write_text(json_module.dumps(output, indent=1) + "\n", encoding="utf-8")
    if wrong:
        raise VerificationError(f"results differ from their reference: {', '.join(dict.fromkeys(wrong))}")


def _is_table(path: Path) -> bool:
    return path.stem != "training_figures"


def _point(
    rows: list[tuple[Case, dict[str, Any] | None]], summary: Summary | None, densities: DensityTable | float
) -> dict[str, Any]:
    source = densities.source if isinstance(densities, DensityTable) else "synthetic, zeros at random"
    return {
        "source": source,
        "summary": None if summary is None else dataclasses.asdict(summary),
        "cases": [
            {
                "layer": case.layer,
                "phase": case.phase,
                "operand": case.operand,
                "density": case.density,
                **(record or {}),
            }
            for case, record in rows
        ],
    }


def _print_point(
    console: rich.console.Console,
    name: str,
    label: str,
    rows: list[tuple[Case, dict[str, Any] | None]],
    summary: Summary | None,
) -> None:
    found = [(case, record) for case, record in rows if record is not None]
    if not found or summary is None:
        console.print(f"{name} at {label}: nothing measured yet")
        return
    table = rich.table.Table(
        "layer", "phase", "of", "density", "dense", "% peak", "winograd", "software", "spartan", "% peak", "speedup",
        "no tail", "ideal", "bound", "by", "right", title=f"{name} at {label} (cycles)",
    )  # fmt: skip
    for case, record in found:
        net = {side: record[side]["cycles"] - record[side]["tail_cycles"] for side in ("dense", "spartan")}
        table.add_row(
            case.layer, case.phase, case.operand, f"{case.density:.3f}",
            f"{record['dense']['cycles']:,}", f"{100 * record['macs'] / net['dense'] / _PEAK:.0f}",
            *(f"{record[side]['cycles']:,}" if side in record else "–" for side in ("winograd", "software")),
            f"{record['spartan']['cycles']:,}", f"{100 * record['useful_macs'] / net['spartan'] / _PEAK:.0f}",
            f"{record['dense']['cycles'] / record['spartan']['cycles']:.2f}", f"{net['dense'] / net['spartan']:.2f}",
            f"{record['bounds']['ideal']:.2f}", f"{record['bounds']['attainable']:.2f}", record["bounds"]["resource"],
            "yes" if record["verified"] else "NO",
        )  # fmt: skip
    console.print(table)
    part = "" if summary.measured == summary.cases else f" ({summary.measured} of {summary.cases} cases measured)"
    console.print(
        f"{name} at {label}{part}: speedup {summary.speedup:.2f}, without launch tails "
        f"{summary.speedup_without_tails:.2f}; over the faster of dense and Winograd {summary.over_fastest:.2f}, with "
        f"the faster side chosen in each case {summary.adaptive:.2f}; ideal {summary.ideal:.2f}, attainable "
        f"{summary.attainable:.2f}; useful multiply-adds {summary.peak_share:.0%} of peak and "
        f"{summary.attainable_share:.0%} of the attainable bound (geometric means)\n"
    )


def _profiling(
    console: rich.console.Console,
    records: Store,
    gpu: str,
    net: Network,
    images: int,
    layers: list[str],
    cores: int,
    wrong: list[str],
) -> dict[str, Any]:
    chosen = [layer for layer in net.layers if not layers or layer.name in layers]
    shapes = [shape_of(layer, images).output_shape for layer in chosen]
    measured = [measure_profiling(records, gpu, shape, host_threads=cores) for shape in shapes]
    read_back = measure_read_back(records, gpu, shapes, host_threads=cores)
    means: dict[str, dict[str, float | str | None]] = {}
    rows: list[dict[str, Any]] = []
    if read_back is None or None in measured:
        return {"layers": rows, "geometric_means": means}
    if not read_back["verified"]:
        wrong.append(f"{net.name} profiling, all tensors")
    for treatment, burst in (("read tensor by tensor", None), ("read once an iteration", read_back)):
        table = rich.table.Table(
            "layer", "elements", "stall", "declared", "hardware", "software", "fused", "software ÷ hardware", "no tail",
            "fused ÷ hardware", title=f"{net.name}: profiling overhead (cycles), {treatment}",
        )  # fmt: skip
        ratios: dict[str, list[float]] = {name: [] for name in RATIOS}
        for layer, record in zip(chosen, measured, strict=True):
            assert record is not None
            if not record["verified"]:
                wrong.append(f"{net.name} {layer.name} profiling")
            overhead = overheads(record, burst)
            for key, value in overhead.ratios.items():
                ratios[key].append(value)
            rows.append(
                {"layer": layer.name, "treatment": treatment, **record, **dataclasses.asdict(overhead)}
                | {"ratios": {key: _number(value) for key, value in overhead.ratios.items()}}
            )
            table.add_row(
                layer.name, f"{record['elements']:,}", f"{record['hardware']['stall_cycles']:,}",
                f"{record['hardware']['declared_stall_cycles']:,.1f}", f"{overhead.hardware:,.0f}",
                f"{overhead.software:,.0f}", f"{overhead.fused:,.0f}",
                *(_ratio(overhead.ratios[key]) for key in RATIOS),
            )  # fmt: skip
        console.print(table)
        found = {key: geometric_mean(values) for key, values in ratios.items()}
        means[treatment] = {key: _number(value) for key, value in found.items()}
        console.print(
            f"{net.name}, {treatment}: geometric means {', '.join(f'{k} {_ratio(v)}' for k, v in found.items())}\n"
        )
    return {"layers": rows, "read_back": read_back, "geometric_means": means}


def _number(value: float) -> float | str | None:
    return None if math.isnan(value) else "unbounded" if math.isinf(value) else value


def _ratio(value: float) -> str:
    return "–" if math.isnan(value) else "unbounded" if math.isinf(value) else f"{value:.2f}"


def _print_claims(console: rich.console.Console, folder: Path, output: dict[str, Any]) -> None:
    table = rich.table.Table(
        "claim", "paper", "measured", "at", "ideal", "needs useful density", "comparable", title="claims"
    )
    for claim in load_claims(folder / "claims.toml"):
        if not set(claim.networks) & set(output["networks"]):
            continue
        if claim.measured_as == "profiling":
            _add_profiling(table, claim, output)
            continue
        points = output["networks"][claim.networks[0]]["points"]
        whole = {label: point["summary"] for label, point in points.items() if point["summary"]}
        for label, summary in whole.items():
            part = (
                "" if summary["measured"] == summary["cases"] else f", {summary['measured']}/{summary['cases']} cases"
            )
            table.add_row(
                claim.id, f"{claim.value}", f"{summary['speedup']:.2f}", label + part, f"{summary['ideal']:.2f}",
                f"{1 / claim.value:.3f}", claim.comparable,
            )  # fmt: skip
        sweep = {float(label): s["speedup"] for label, s in whole.items() if _is_number(label)}
        if len(sweep) > 1:
            at = reached_at(list(sweep), list(sweep.values()), claim.value)
            even = reached_at(list(sweep), list(sweep.values()), 1.0)
            table.add_row(
                claim.id, f"{claim.value}", "reached at density " + ("none measured" if at is None else f"{at:.2f}"),
                "sweep", "–", f"{1 / claim.value:.3f}", "break-even " + ("–" if even is None else f"{even:.2f}"),
            )  # fmt: skip
    console.print(table)


def _add_profiling(table: rich.table.Table, claim: Claim, output: dict[str, Any]) -> None:
    """One line a treatment: the geometric mean over all tensors, and beside it those of the stronger comparisons."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for name in claim.networks:
        for row in output["networks"].get(name, {}).get("profiling", {}).get("layers", []):
            rows.setdefault(row["treatment"], []).append(row["ratios"])
    for treatment, ratios in rows.items():
        means = [_mean_ratio([row[key] for row in ratios]) for key in RATIOS]
        table.add_row(
            claim.id, f"{claim.value}", means[0], f"{len(ratios)} tensors, {treatment}", "–", "–",
            f"without tails {means[1]}, over fused {means[2]}; {claim.comparable}",
        )  # fmt: skip


def _mean_ratio(ratios: list[Any]) -> str:
    return "unbounded" if "unbounded" in ratios else _ratio(geometric_mean(ratios))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
