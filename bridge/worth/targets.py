"""What the units were meant to show, and what is measured of it."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.layers.conv.shape import ConvolutionShape
from bridge.worth.adaptive import break_even_against, worst_excess
from bridge.worth.collect import NetworkResult
from bridge.worth.report import label_of, profiling_table, profiling_totals, where
from bridge.worth.store import Record
from bridge.worth.tables import Table, percent

__all__ = ["fills_gpu", "target_table"]

_LARGE = 100_000_000
"""Multiply-adds from which a dense case counts."""

_DENSE_SHARE = 0.7

_ENOUGH_SUMS = 64 * 4 * 64 * 16
"""Compute units × SIMDs × lanes × accumulators: 262,144."""

_SLICE = 256
"""Products of a slice of a filter gradient's sum, at least."""


def target_table(results: Sequence[NetworkResult]) -> Table:
    """Return every target with what it was measured on, and whether it is met."""
    table = Table("Targets", ("target", "where", "wanted", "measured", "met"))
    for result in results:
        _dense(table, result)
        _sparse(table, result)
        _sweep(table, result)
    _profiling(table, results)
    records = [record for result in results for point in result.points for _, record in point.measured]
    if records:
        right = sum(record["verified"] for record in records)
        measured = f"{right} of {len(records)} cases"
        _add(table, "outputs equal to numpy's within the error bound", "all", "all", measured, right == len(records))
    return table


def _add(table: Table, target: str, place: str, wanted: str, measured: str, met: bool) -> None:
    table.rows.append((target, place, wanted, measured, "yes" if met else "no"))


def fills_gpu(shape: ConvolutionShape, phase: str) -> bool:
    """Return whether a phase has enough sums for the GPU, whatever the plan: 16 for each lane of each SIMD.

    A forward pass and a data gradient have as many as outputs. A filter gradient has few outputs, or short sums; long
    ones are cut into slices, so each slice of at least 256 products counts as a sum of its own.
    """
    if phase == "forward":
        sums = shape.images * shape.filters * shape.pixels
    elif phase == "data_gradient":
        sums = shape.images * shape.channels * shape.height * shape.width
    else:
        sums = shape.filters * shape.taps * max(1, shape.outputs // _SLICE)
    return sums >= _ENOUGH_SUMS


def _dense(table: Table, result: NetworkResult) -> None:
    # What dense takes does not depend on values: each phase of a layer counts once, at whatever density it stands.
    cases = {(case.layer, case.phase): (case, record) for point in result.points for case, record in point.measured}
    large = [(case, _dense_share(record)) for case, record in cases.values() if case.shape.macs >= _LARGE]
    filling = [share for case, share in large if fills_gpu(case.shape, case.phase)]
    for target, shares in [
        ("dense, 100 M multiply-adds and more that fill the GPU, share of peak", filling),
        ("dense, 100 M multiply-adds and more, all, share of peak", [share for _, share in large]),
    ]:
        if shares:
            reached = sum(share >= _DENSE_SHARE for share in shares)
            measured = f"{percent(min(shares))} to {percent(max(shares))}, {reached} of {len(shares)} phases"
            _add(table, target, where(result), "≥ 70 %", measured, reached == len(shares))


def _dense_share(record: Record) -> float:
    net = record["dense"]["cycles"] - record["dense"]["tail_cycles"]
    return float(record["macs"] / net / record["peak"])


def _sparse(table: Table, result: NetworkResult) -> None:
    for point in result.points:
        if point.summary is None or point.density is None:
            continue
        place = f"{where(result)} at {label_of(point)}"
        if 0.3 <= point.density <= 0.5:
            share = point.summary.peak_share
            _add(table, "useful multiply-adds, share of peak", place, "≥ 56 %", percent(share), share >= 0.56)
        elif point.density < 0.3:
            share = point.summary.attainable_share
            _add(table, "share of the attainable bound", place, "≥ 80 %", percent(share), share >= 0.8)


def _sweep(table: Table, result: NetworkResult) -> None:
    sweep = {name: records for name, records in result.sweep.items() if len(records) > 2}
    if not sweep:
        return
    evens = [break_even_against(records, lambda record: int(record["dense"]["cycles"])) for records in sweep.values()]
    enough, greatest = sum(even >= 0.75 for even in evens), max(max(records) for records in sweep.values())
    if greatest >= 0.75:
        target = "break-even density against the implicit GEMM"
        _add(table, target, where(result), "≥ 0.75", f"{enough} of {len(evens)} phases", enough == len(evens))
    excess = worst_excess(sweep)
    target = "adaptive run over the fastest dense side, at worst"
    _add(table, target, where(result), "≤ +2 %", f"{100 * excess:+.1f} %", excess <= 0.02)


def _profiling(table: Table, results: Sequence[NetworkResult]) -> None:
    profiled = [result for result in results if result.profiled is not None]
    for _, images, gpu, tensors, treatment, ratio, *_ in profiling_totals(profiling_table(profiled), len(profiled)):
        met = ratio not in ("unbounded", "–") and float(ratio) >= 52.5
        target = f"profiling in software over hardware, read {treatment}"
        _add(table, target, f"{tensors} tensors, N = {images}, {gpu}", "≥ 52.5", ratio, met)
