"""Metrics of launches under MGPUSim's names: typed, and as the table `mgpusim_metrics` in SQLite (docs/metrics.md)."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from bridge.kernel import LaunchResult

__all__ = [
    "CacheCounts",
    "DramCounts",
    "InstructionCounts",
    "LaunchMetrics",
    "Metric",
    "MetricNames",
    "TlbCounts",
    "total_metrics",
    "write_metrics",
]


@dataclass(frozen=True)
class Metric:
    """One row of the table: where, what, how much, in which unit."""

    location: str
    what: str
    value: float
    unit: str


@dataclass(frozen=True)
class InstructionCounts:
    """Wavefront instructions by the unit that they issue to."""

    total: int
    valu: int
    scalar: int
    vmem: int
    lds: int
    branch: int
    special: int


@dataclass(frozen=True)
class CacheCounts:
    """Requests of all caches of a kind by outcome; a request that meets a miss under way is an MSHR hit.

    Attributes:
        average_latency_s: mean time of a request in the cache.
    """

    read_hit: int
    read_miss: int
    read_mshr_hit: int
    write_hit: int
    write_miss: int
    write_mshr_hit: int
    average_latency_s: float

    @property
    def hit_rate(self) -> float:
        """Share of the requests that hit, 0 to 1; 0 without requests. MSHR hits are none."""
        hits = self.read_hit + self.write_hit
        misses = self.read_miss + self.read_mshr_hit + self.write_miss + self.write_mshr_hit
        return hits / (hits + misses) if hits + misses else 0.0


@dataclass(frozen=True)
class TlbCounts:
    """Translations of all TLBs of a kind by outcome, and their mean time."""

    hit: int
    miss: int
    mshr_hit: int
    average_latency_s: float

    @property
    def hit_rate(self) -> float:
        """Share of the translations that hit, 0 to 1; 0 without any."""
        total = self.hit + self.miss + self.mshr_hit
        return self.hit / total if total else 0.0


@dataclass(frozen=True)
class DramCounts:
    """Transactions of all memory controllers, their bytes and mean times; rows are counted for banked DRAM only."""

    read_transactions: int
    write_transactions: int
    read_bytes: int
    write_bytes: int
    read_latency_s: float
    write_latency_s: float
    row_hits: int
    row_misses: int
    row_conflicts: int
    refreshes: int


class MetricNames:
    """Numbers the names (location, what, unit) that occur in a session, so that launches share them."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str, str], int] = {}
        self.names: list[tuple[str, str, str]] = []

    def number(self, location: str, what: str, unit: str) -> int:
        """Return the number of a name, which is new or known."""
        name = (location, what, unit)
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self.names)
            self.names.append(name)
        return found

    def find(self, location: str, what: str, unit: str) -> int | None:
        """Return the number of a name, or None for an unknown one."""
        return self._numbers.get((location, what, unit))


class _Row(Protocol):
    @property
    def location(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def unit(self) -> str: ...


# Kinds of components, as they end a location.
_KINDS = {
    "cu": re.compile(r"\.CU\[\d+\]$"),
    "simd": re.compile(r"\.SIMD\[\d+\]$"),
    "l1v": re.compile(r"\.L1VCache\[\d+\]$"),
    "l1s": re.compile(r"\.L1SCache$"),
    "l1i": re.compile(r"\.L1ICache$"),
    "l2": re.compile(r"\.L2Cache\[\d+\]$"),
    "l1v_tlb": re.compile(r"\.L1VTLB\[\d+\]$"),
    "l1s_tlb": re.compile(r"\.L1STLB$"),
    "l1i_tlb": re.compile(r"\.L1ITLB$"),
    "l2_tlb": re.compile(r"\.L2TLB$"),
    "dram": re.compile(r"\.DRAM\[\d+\]$"),
}
_CAUSE = "cycles."
_PROCESSOR = "GPU[1].CommandProcessor"


class LaunchMetrics(Sequence[Metric]):
    """All metrics of one launch: a sequence of rows, and typed views of them. Empty in functional mode."""

    def __init__(self, rows: Iterable[_Row] = (), names: MetricNames | None = None) -> None:
        self._names = names if names is not None else MetricNames()
        rows = list(rows)
        number = self._names.number
        self.numbers: NDArray[np.int32] = np.array([number(r.location, r.what, r.unit) for r in rows], np.int32)
        self.values: NDArray[np.float64] = np.array([r.value for r in rows], np.float64)

    def __repr__(self) -> str:
        return f"<LaunchMetrics {len(self)} rows, {self.kernel_cycles} cycles>"

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        location, what, unit = self._names.names[self.numbers[index]]
        return Metric(location, what, float(self.values[index]), unit)

    def __iter__(self) -> Iterator[Metric]:
        for number, value in zip(self.numbers.tolist(), self.values.tolist(), strict=True):
            location, what, unit = self._names.names[number]
            yield Metric(location, what, value, unit)

    @property
    def names(self) -> MetricNames:
        """The names that the rows' numbers stand for."""
        return self._names

    def value(self, location: str, what: str) -> float | None:
        """Return the value of a row, or None where there is none."""
        for row in self:
            if row.location == location and row.what == what:
                return row.value
        return None

    def by_component(self, kind: str, what: str) -> dict[str, float]:
        """Return the values of a metric by location.

        Args:
            kind: cu, simd, l1v, l1s, l1i, l2, l1v_tlb, l1s_tlb, l1i_tlb, l2_tlb or dram.
            what: the metric, such as `read-hit`.
        """
        ending = _KINDS[kind]
        return {row.location: row.value for row in self if row.what == what and ending.search(row.location)}

    def _totals(self, kind: str) -> dict[str, float]:
        found: dict[str, float] = {}
        ending = _KINDS[kind]
        for row in self:
            if ending.search(row.location):
                found[row.what] = found.get(row.what, 0.0) + row.value
        return found

    def _mean(self, kind: str, what: str, weight: str) -> float:
        weights = self.by_component(kind, weight)
        values = self.by_component(kind, what)
        total = sum(weights.get(location, 0.0) for location in values)
        return sum(value * weights[location] for location, value in values.items()) / total if total else 0.0

    @property
    def kernel_cycles(self) -> int:
        """Cycles of the kernel with the constant launch tail."""
        return int(self.value(_PROCESSOR, "kernel_cycles") or 0)

    @property
    def launch_tail_cycles(self) -> int:
        """The constant part of the cycles, after the last work-group."""
        return int(self.value(_PROCESSOR, "launch_tail_cycles") or 0)

    @property
    def cold(self) -> bool:
        """Whether caches and TLBs were empty when the launch began."""
        return bool(self.value(_PROCESSOR, "cold_launches"))

    @property
    def kernel_time_s(self) -> float:
        """Time of the kernel."""
        return self.value("Driver", "kernel_time") or 0.0

    @property
    def instructions(self) -> InstructionCounts:
        """Wavefront instructions of all compute units."""
        totals = self._totals("cu")
        whats = ("cu", "simd", "scalar", "vmem", "lds", "branch", "special")
        return InstructionCounts(*(int(totals.get(f"{what}_inst_count", 0)) for what in whats))

    @property
    def cycles_by_cause(self) -> dict[str, float]:
        """What the cycles went to: the mean over the compute units, which adds up to `kernel_cycles`."""
        return {row.what.removeprefix(_CAUSE): row.value for row in self if row.what.startswith(_CAUSE)}

    def _cache(self, kind: str) -> CacheCounts:
        totals = self._totals(kind)
        whats = ("read-hit", "read-miss", "read-mshr-hit", "write-hit", "write-miss", "write-mshr-hit")
        hit, miss, merged, write_hit, write_miss, write_merged = (int(totals.get(what, 0)) for what in whats)
        latency = self._mean(kind, "req_average_latency", "req_count")
        return CacheCounts(hit, miss, merged, write_hit, write_miss, write_merged, latency)

    @property
    def l1v(self) -> CacheCounts:
        """Vector L1 caches, one a compute unit."""
        return self._cache("l1v")

    @property
    def l1s(self) -> CacheCounts:
        """Scalar L1 caches, one a shader array."""
        return self._cache("l1s")

    @property
    def l1i(self) -> CacheCounts:
        """Instruction caches, one a shader array."""
        return self._cache("l1i")

    @property
    def l2(self) -> CacheCounts:
        """L2 banks."""
        return self._cache("l2")

    def _tlb(self, kind: str) -> TlbCounts:
        totals = self._totals(kind)
        hit, miss, merged = (int(totals.get(what, 0)) for what in ("hit", "miss", "mshr-hit"))
        return TlbCounts(hit, miss, merged, self._mean(kind, "req_average_latency", "req_count"))

    @property
    def l1v_tlb(self) -> TlbCounts:
        """TLBs of the vector L1 caches."""
        return self._tlb("l1v_tlb")

    @property
    def l1s_tlb(self) -> TlbCounts:
        """TLBs of the scalar L1 caches."""
        return self._tlb("l1s_tlb")

    @property
    def l1i_tlb(self) -> TlbCounts:
        """TLBs of the instruction caches."""
        return self._tlb("l1i_tlb")

    @property
    def l2_tlb(self) -> TlbCounts:
        """The L2 TLB."""
        return self._tlb("l2_tlb")

    @property
    def dram(self) -> DramCounts:
        """Memory controllers."""
        totals = self._totals("dram")
        return DramCounts(
            read_transactions=int(totals.get("read_trans_count", 0)),
            write_transactions=int(totals.get("write_trans_count", 0)),
            read_bytes=int(totals.get("read_size", 0)),
            write_bytes=int(totals.get("write_size", 0)),
            read_latency_s=self._mean("dram", "read_avg_latency", "read_trans_count"),
            write_latency_s=self._mean("dram", "write_avg_latency", "write_trans_count"),
            row_hits=int(totals.get("row_hit_count", 0)),
            row_misses=int(totals.get("row_miss_count", 0)),
            row_conflicts=int(totals.get("row_conflict_count", 0)),
            refreshes=int(totals.get("refresh_count", 0)),
        )


# Metrics that are means: over launches they are weighted by another metric of the same location.
_WEIGHTS = {
    "req_average_latency": "req_count",
    "read_avg_latency": "read_trans_count",
    "write_avg_latency": "write_trans_count",
}
_STACK = "CPIStack."


def total_metrics(launches: Sequence[LaunchMetrics]) -> list[Metric]:
    """Return the metrics of launches together, as one simulation of all of them reports them.

    Counts, bytes, cycles and kernel times add up; `total_time` is the latest; latencies, hit rates and cycles per
    instruction are those of the sum. A compute unit that took no part in a launch was idle in it.
    """
    if not launches:
        return []
    names = launches[0].names
    dense = np.zeros((2, len(names.names)))  # sums, and the launch at hand
    weighted = np.zeros(len(names.names))
    maximum = np.zeros(len(names.names))
    count = names.find
    weight = np.full(len(names.names), -1)
    for number, (location, what, _) in enumerate(names.names):
        by = _WEIGHTS.get(what) or ("cu_inst_count" if what.startswith(_STACK) else None)
        if by is not None:
            weight[number] = -1 if (found := count(location, by, "count")) is None else found
    means = np.flatnonzero(weight >= 0)
    for launch in launches:
        if launch.names is not names:
            raise ValueError("metrics of different sessions have different names")
        values = dense[1]
        values[:] = 0
        values[launch.numbers] = launch.values
        dense[0] += values
        weighted[means] += values[means] * values[weight[means]]
        np.maximum(maximum, values, out=maximum)
    used = np.zeros(len(names.names), bool)
    for launch in launches:
        used[launch.numbers] = True
    return list(_totals(names, used, dense[0], weighted, maximum, weight))


def _totals(
    names: MetricNames,
    used: NDArray[np.bool_],
    sums: NDArray[np.float64],
    weighted: NDArray[np.float64],
    maximum: NDArray[np.float64],
    weight: NDArray[np.int_],
) -> Iterator[Metric]:
    def total(location: str, what: str, unit: str = "count") -> float:
        number = names.find(location, what, unit)
        return 0.0 if number is None else float(sums[number])

    cycles = total(_PROCESSOR, "kernel_cycles", "cycle")
    for number in np.flatnonzero(used):
        location, what, unit = names.names[number]
        value = float(sums[number])
        if what == "total_time":
            value = float(maximum[number])
        elif what == "hit_rate":
            value = total(location, "hit") / (
                total(location, "hit") + total(location, "miss") + total(location, "mshr-hit")
            )
        elif what in ("cu_CPI", "simd_CPI"):
            value = cycles / total(location, what.replace("CPI", "inst_count"))
        elif what.startswith(_STACK):
            instructions = total(location, "cu_inst_count")
            if what == _STACK + "total":
                value = cycles / instructions
            else:
                here = float(weighted[number])
                if what == _STACK + "Idle":
                    whole = names.find(location, _STACK + "total", unit)
                    here += cycles - (0.0 if whole is None else float(weighted[whole]))
                value = here / instructions
        elif weight[number] >= 0:
            value = float(weighted[number]) / float(sums[weight[number]]) if sums[weight[number]] else 0.0
        yield Metric(location, what, value, unit)


_SCHEMA = """
CREATE TABLE mgpusim_metrics (Location TEXT, What TEXT, Value REAL, Unit TEXT);
CREATE TABLE spartan_launches (
    Launch INTEGER PRIMARY KEY, Kernel TEXT, Label TEXT, Cycles INTEGER, CyclesWithoutTail INTEGER, Cold INTEGER,
    Instructions INTEGER, Workgroups INTEGER, L2Bytes INTEGER, DramBytes INTEGER, BeginPs INTEGER, EndPs INTEGER);
CREATE TABLE spartan_launch_metrics (Launch INTEGER, Location TEXT, What TEXT, Value REAL, Unit TEXT);
CREATE TABLE spartan_gpu (Key TEXT PRIMARY KEY, Value TEXT);
"""


def write_metrics(
    path: Path,
    launches: Sequence[LaunchResult],
    *,
    parameters: Mapping[str, str] | None = None,
    rows_per_launch: bool = False,
) -> Path:
    """Write a SQLite file with the table `mgpusim_metrics` over all launches, and `spartan_launches` with one row each.

    Args:
        path: the file; an existing one is replaced in one step.
        launches: of one session, in their order.
        parameters: of the GPU, for the table `spartan_gpu`.
        rows_per_launch: also keep every launch's own metrics, in `spartan_launch_metrics` (some 3,000 rows each).

    Raises:
        ConfigurationError: where the file can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".metrics", suffix=".sqlite3")
        os.close(descriptor)
    except OSError as error:
        raise ConfigurationError(f"the metrics file {path} can't be written: {error.strerror}") from None
    try:
        with contextlib.closing(sqlite3.connect(partial)) as database, database:
            database.executescript(_SCHEMA)
            database.executemany(
                "INSERT INTO mgpusim_metrics VALUES (?, ?, ?, ?)",
                (
                    (row.location, row.what, row.value, row.unit)
                    for row in total_metrics([launch.metrics for launch in launches])
                ),
            )
            database.executemany(
                "INSERT INTO spartan_launches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (_launch_row(number, launch) for number, launch in enumerate(launches)),
            )
            database.executemany("INSERT INTO spartan_gpu VALUES (?, ?)", (parameters or {}).items())
            if rows_per_launch:
                database.executemany(
                    "INSERT INTO spartan_launch_metrics VALUES (?, ?, ?, ?, ?)",
                    (
                        (number, row.location, row.what, row.value, row.unit)
                        for number, launch in enumerate(launches)
                        for row in launch.metrics
                    ),
                )
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except sqlite3.Error as error:
        raise ConfigurationError(f"the metrics file {path} can't be written: {error}") from None
    finally:
        Path(partial).unlink(missing_ok=True)
    return path


def _launch_row(number: int, launch: LaunchResult) -> tuple[Any, ...]:
    return (
        number,
        launch.kernel,
        launch.label,
        launch.cycles,
        launch.cycles_without_tail,
        int(launch.cold),
        launch.instructions,
        launch.workgroups,
        launch.l2_bytes,
        launch.dram_bytes,
        launch.begin_ps,
        launch.end_ps,
    )
