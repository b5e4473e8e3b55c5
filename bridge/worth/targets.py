"""What the units were meant to show, and what is measured of it."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.worth.adaptive import break_even_against, worst_excess
from bridge.worth.collect import NetworkResult
from bridge.worth.report import label_of, profiling_table, profiling_totals, where
from bridge.worth.store import Record
from bridge.worth.tables import Table, percent

__all__ = ["target_table"]

_LARGE = 100_000_000
"""Multiply-adds from which a dense case counts."""


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


def _dense(table: Table, result: NetworkResult) -> None:
    cases = [pair for point in result.points for pair in point.measured]
    shares = [_dense_share(record) for case, record in cases if case.shape.macs >= _LARGE]
    if shares:
        measured = f"{percent(min(shares))} to {percent(max(shares))}"
        target = "dense, cases of 100 M multiply-adds and more, share of peak"
        _add(table, target, where(result), "≥ 70 %", measured, min(shares) >= 0.7)


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
