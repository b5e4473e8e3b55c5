"""Tables of measured figures: networks, their layers, profiling, sweeps, and the paper's claims and our targets."""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Sequence
from typing import Any

from bridge.adaptive import AdaptiveController
from bridge.layers.conv.shape import PHASES
from bridge.worth.adaptive import break_even_against, fastest_dense, worst_excess
from bridge.worth.claims import Claim, geometric_mean, reached_at
from bridge.worth.collect import NetworkResult, Point
from bridge.worth.profiling import RATIOS
from bridge.worth.sides import SIDES
from bridge.worth.tables import Table, decimal, percent

__all__ = [
    "break_even_table",
    "case_table",
    "claims_table",
    "network_table",
    "profiling_layers",
    "profiling_table",
    "profiling_totals",
    "sampling_table",
    "where",
]

_NAMES = {"alexnet": "AlexNet", "vgg16": "VGG-16", "resnet18": "ResNet-18"}
_TREATMENTS = (("tensor by tensor", False), ("once an iteration", True))
_HEADINGS = {"software": "software ÷ hardware", "software_without_tail": "no tail", "fused": "fused ÷ hardware"}


def name_of(result: NetworkResult) -> str:
    """Return a network's usual name, and the layers and phases where not all are meant."""
    name = _NAMES.get(result.network.name, result.network.name)
    zeros = [] if result.selection.pattern == "zeros at random" else [result.selection.pattern]
    part = [*result.selection.layers, *zeros, *(phase.replace("_", " ") for phase in _fewer_phases(result))]
    return f"{name} ({', '.join(part)})" if part else name


def _fewer_phases(result: NetworkResult) -> tuple[str, ...]:
    phases = result.selection.phases
    return () if set(phases) == set(PHASES) else phases


def where(result: NetworkResult) -> str:
    """Return network, batch and preset."""
    return f"{name_of(result)}, N = {result.images}, {result.gpu}"


def network_table(results: Iterable[NetworkResult]) -> Table:
    """Return sums over whole networks at each density, beside their bounds."""
    results = list(results)
    summaries = [point.summary for result in results for point in result.points if point.summary is not None]
    beside = [name for name in SIDES if any(name in summary.beside for summary in summaries)]
    columns = (
        "network", "N", "preset", "at", "cases", "speedup", "no tails", "over fastest", "adaptive",
        "adaptive over fastest", *(SIDES[name].heading for name in beside),
        "ideal", "attainable", "useful density", "% peak", "% of bound",
        "bound by", "busy", "conversion µJ", "right",
    )  # fmt: skip
    table = Table("Whole networks", columns)
    for result in results:
        for point in result.points:
            summary = point.summary
            if summary is None:
                continue
            share = "" if summary.measured == summary.cases else f" ({percent(summary.macs_share)} of multiply-adds)"
            bound_by = collections.Counter(record["bounds"]["resource"] for _, record in point.measured)
            table.rows.append(
                (
                    name_of(result), str(result.images), result.gpu, label_of(point),
                    f"{summary.measured}/{summary.cases}{share}", decimal(summary.speedup),
                    decimal(summary.speedup_without_tails), decimal(summary.over_fastest),
                    decimal(summary.adaptive_over_dense), decimal(summary.adaptive),
                    *(decimal(summary.beside[name]) if name in summary.beside else "–" for name in beside),
                    decimal(summary.ideal),
                    decimal(summary.attainable), f"{summary.useful_density:.3f}", f"{100 * summary.peak_share:.0f}",
                    f"{100 * summary.attainable_share:.0f}",
                    ", ".join(f"{resource} {count}" for resource, count in bound_by.most_common()),
                    f"{100 * _busy(point):.0f}", f"{summary.energy_nj / 1000:.0f}",
                    "yes" if summary.verified else "NO",
                )
            )  # fmt: skip
    table.notes.append(
        "Sums of cycles over all convolutions and phases. Speedup: the implicit GEMM over Spartan, everywhere; over "
        "fastest: the faster of it and Winograd in each case over Spartan; adaptive: the implicit GEMM over the faster "
        "of it and Spartan in each case; adaptive over fastest: with Winograd on either side; other sides: the "
        "implicit GEMM over them, over the cases that have them. % peak and % of bound: geometric means over the "
        "cases, launch tails left out; busy: of the compute units with Spartan, in percent; conversion: "
        "energy of the engines."
    )
    return table


def _busy(point: Point) -> float:
    """Return the mean busy share of the compute units while Spartan runs, by cycles."""
    sides = [record["spartan"] for _, record in point.measured]
    busy: float = sum(side["busy_compute_units"] * side["cycles"] for side in sides)
    return busy / sum(int(side["cycles"]) for side in sides)


def label_of(point: Point) -> str:
    """Return the density or table of a point."""
    return f"density {point.label}" if point.density is not None else f"table {point.label}"


def case_table(result: NetworkResult, point: Point) -> Table:
    """Return the cases of a point; layers of the same shape and densities are shown once."""
    beside = [name for name in SIDES if name not in ("dense", "spartan")]
    beside = [name for name in beside if any(name in record for _, record in point.measured)]
    columns = (
        "layer", "phase", "zeros of", "density", "dense", "% peak", *(SIDES[name].heading for name in beside),
        "Spartan", "% peak", "busy", "speedup", "no tails", "ideal", "attainable", "bound by", "% of bound", "right",
    )  # fmt: skip
    table = Table(f"{where(result)} at {label_of(point)} (cycles)", columns)
    seen = set()
    for case, record in point.measured:
        key = (case.shape, case.phase, case.x, case.dy)
        if key in seen:
            continue
        seen.add(key)
        net = {side: record[side]["cycles"] - record[side]["tail_cycles"] for side in ("dense", "spartan")}
        table.rows.append(
            (
                case.layer, case.phase.replace("_", " "), case.operand, f"{case.density:.3f}",
                f"{record['dense']['cycles']:,}", f"{100 * record['macs'] / net['dense'] / record['peak']:.0f}",
                *(f"{record[side]['cycles']:,}" if side in record else "–" for side in beside),
                f"{record['spartan']['cycles']:,}",
                f"{100 * record['useful_macs'] / net['spartan'] / record['peak']:.0f}",
                f"{100 * record['spartan']['busy_compute_units']:.0f}",
                decimal(record["dense"]["cycles"] / record["spartan"]["cycles"]),
                decimal(net["dense"] / net["spartan"]), decimal(record["bounds"]["ideal"]),
                decimal(record["bounds"]["attainable"]), record["bounds"]["resource"],
                f"{100 * record['bounds']['sparse_cycles'] / net['spartan']:.0f}",
                "yes" if record["verified"] else "NO",
            )
        )  # fmt: skip
    return table


def break_even_table(results: Iterable[NetworkResult]) -> Table:
    """Return the break-even density of every phase that a sweep has measured, and what adaptivity then loses."""
    table = Table(
        "Break-even densities",
        ("network", "N", "preset", "layer", "phase", "against dense", "against fastest", "adaptive at worst"),
        notes=[
            "The density at which Spartan takes as long as the implicit GEMM, and as the faster of it and Winograd; "
            "≥: Spartan is still faster at the greatest density measured. Adaptive at worst: how much slower than the "
            "fastest dense side an adaptive run is (negative: faster) at the densities measured, its break-even taken "
            "from the other densities, coming from either side of the hysteresis."
        ],
    )
    for result in results:
        for name, records in result.sweep.items():
            if len(records) < 3:
                continue
            layer, phase = name.rsplit(" ", 1)
            table.rows.append(
                (
                    name_of(result), str(result.images), result.gpu, layer, phase.replace("_", " "),
                    _even(records, lambda record: int(record["dense"]["cycles"])), _even(records, fastest_dense),
                    f"{100 * worst_excess({name: records}):+.1f} %",
                )
            )  # fmt: skip
    return table


def _even(records: Any, dense: Any) -> str:
    equal = break_even_against(records, dense)
    greatest = max(records)
    return f"≥ {greatest:g}" if equal >= greatest else "never faster" if equal <= 0 else decimal(equal)


def profiling_table(results: Sequence[NetworkResult]) -> Table:
    """Return the geometric means of the profiling ratios, by network and over all tensors."""
    table = Table("Profiling overhead", ("network", "N", "preset", "tensors", "read", *_HEADINGS.values()))
    profiled = [result for result in results if result.profiled is not None]
    for gpu, images in dict.fromkeys((result.gpu, result.images) for result in profiled):
        of_all = [result for result in profiled if (result.gpu, result.images) == (gpu, images)]
        for treatment, burst in _TREATMENTS:
            every: list[dict[str, float]] = []
            for result in of_all:
                assert result.profiled is not None
                ratios = [overhead.ratios for overhead in result.profiled.overheads(burst=burst)]
                every += ratios
                table.rows.append((name_of(result), str(images), gpu, str(len(ratios)), treatment, *_means(ratios)))
            if len(of_all) > 1:
                table.rows.append(("all", str(images), gpu, str(len(every)), treatment, *_means(every)))
    return table


def _means(ratios: Sequence[dict[str, float]]) -> list[str]:
    return [ratio(_mean([found[key] for found in ratios])) for key in RATIOS]


def _mean(values: Sequence[float]) -> float:
    return math.inf if math.inf in values else geometric_mean(values)


def ratio(value: float) -> str:
    """Return a ratio; one over nothing has no bound."""
    return "–" if math.isnan(value) else "unbounded" if math.isinf(value) else decimal(value)


def profiling_layers(result: NetworkResult, *, burst: bool) -> Table:
    """Return the overheads of a network's tensors in cycles."""
    assert result.profiled is not None
    treatment = "once an iteration" if burst else "tensor by tensor"
    table = Table(
        f"{where(result)}: profiling overhead (cycles), read {treatment}",
        ("layer", "elements", "stall", "declared", "hardware", "software", "fused", *_HEADINGS.values()),
    )
    for layer, record, overhead in zip(
        result.profiled.layers, result.profiled.records, result.profiled.overheads(burst=burst), strict=True
    ):
        hardware = record["hardware"]
        table.rows.append(
            (
                layer, f"{record['elements']:,}", f"{hardware['stall_cycles']:,}",
                f"{hardware['declared_stall_cycles']:,.1f}", f"{overhead.hardware:,.0f}", f"{overhead.software:,.0f}",
                f"{overhead.fused:,.0f}", *(ratio(overhead.ratios[key]) for key in RATIOS),
            )
        )  # fmt: skip
    return table


def sampling_table(results: Sequence[NetworkResult]) -> Table:
    """Return what profiling an iteration costs where not every iteration is sampled."""
    table = Table(
        "What sampling gains",
        ("network", "N", "preset", "sampled", "hardware", "hardware counting always", "software", "fused"),
        notes=[
            "Cycles an iteration, all tensors, one read-back. Hardware, software and fused count in sampled iterations "
            "alone, so the ratios between them stay what they are; a monitor that counts always stalls writes in every "
            "iteration and is read in sampled ones. Adaptive: the readings that the adaptive framework makes of a "
            "steady density in its first 1,000 iterations."
        ],
    )
    for result in results:
        if result.profiled is None:
            continue
        overheads = result.profiled.overheads(burst=True)
        read = float(result.profiled.read_back["register_cycles"])
        hardware = sum(overhead.hardware for overhead in overheads)
        for label, share in _samples():
            row = [hardware * share, hardware - read + read * share]
            row += [sum(costs) * share for costs in zip(*((o.software, o.fused) for o in overheads), strict=True)]
            cells = (f"{value:,.1f}" for value in row)
            table.rows.append((name_of(result), str(result.images), result.gpu, label, *cells))
    return table


def _samples() -> list[tuple[str, float]]:
    """Return names and shares of sampled iterations."""
    controller, iterations = AdaptiveController(), 1000
    readings = 0
    for iteration in range(iterations):
        if controller.due("layer", "forward", iteration):
            controller.observe("layer", "forward", iteration, 0.5)
            readings += 1
    periods = [("every iteration", 1.0), ("every 8th", 1 / 8), ("every 64th", 1 / 64)]
    return [*periods, (f"adaptive: {readings} of {iterations}", readings / iterations)]


def claims_table(claims: Sequence[Claim], results: Sequence[NetworkResult]) -> Table:
    """Return each of the paper's numbers with what is measured here."""
    table = Table(
        "The paper's numbers",
        (
            "claim", "paper", "N", "preset", "measured", "at", "ideal", "needs density", "reached at", "adaptive",
            "comparable",
        ),
        notes=[
            "Reached at: the greatest density at which Spartan reaches the paper's number against the implicit GEMM, "
            "linear in time between measured densities, beside the density that an ideal engine needs; in the column "
            "adaptive the same with the faster of both in each case."
        ],
    )  # fmt: skip
    for claim in claims:
        if claim.measured_as == "profiling":
            chosen = [result for result in results if result.network.name in claim.networks]
            table.rows += [
                (claim.id, f"{claim.value}", row[1], row[2], row[5], f"{row[3]} tensors, read {row[4]}", "–", "–", "–",
                 f"no tail {row[6]}, fused {row[7]}", claim.comparable)
                for row in profiling_totals(profiling_table(chosen), len(chosen))
            ]  # fmt: skip
            continue
        for result in results:
            if result.network.name in claim.networks and result.whole:
                table.rows += _speedup_rows(claim, result)
    return table


def profiling_totals(table: Table, networks: int) -> list[Sequence[str]]:
    """Return the rows over all tensors."""
    return [row for row in table.rows if networks == 1 or row[0] == "all"]


def _speedup_rows(claim: Claim, result: NetworkResult) -> list[tuple[str, ...]]:
    first = (claim.id, f"{claim.value}", str(result.images), result.gpu)
    needed = f"{1 / claim.value:.3f}"
    rows: list[tuple[str, ...]] = []
    for point in result.points:
        summary = point.summary
        if summary is not None:
            part = "" if summary.measured == summary.cases else f", {summary.measured}/{summary.cases} cases"
            adaptive = decimal(summary.adaptive_over_dense)
            rows.append(
                (*first, decimal(summary.speedup), label_of(point) + part, decimal(summary.ideal), needed, "–",
                 adaptive, claim.comparable)
            )  # fmt: skip
    sweep = {point.density: point.summary for point in result.points if point.density is not None and point.summary}
    whole = {density: summary for density, summary in sweep.items() if summary.measured == summary.cases}
    if len(whole) > 1:
        spread = f"densities {min(whole):g} to {max(whole):g}"
        found = [
            reached(list(whole), [getattr(summary, key) for summary in whole.values()], claim.value)
            for key in ("speedup", "adaptive_over_dense")
        ]
        rows.append((*first, "–", spread, "–", needed, *found, "the density, not the speedup"))
    return rows


def reached(densities: Sequence[float], speedups: Sequence[float], wanted: float) -> str:
    """Return the density at which a speedup is reached, as text."""
    at = reached_at(densities, speedups, wanted)
    return "not reached" if at is None else f"≥ {at:g}" if at >= max(densities) else f"{at:.2f}"
