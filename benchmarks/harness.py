"""What the benchmarks share: runs of several variants in turn, medians, and tables of them.

Timings on a shared host vary by a factor; ratios between variants that take turns within one run vary by percents. A
benchmark therefore lists its variants, the harness runs each once a round, and a table shows the median of the rounds
beside its ratio to another column's.

A file `bench_*.py` in this folder adds benchmarks: it defines ``BENCHMARKS``, a list of `Benchmark`.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class BenchmarkError(Exception):
    """A variant failed: one sentence that names it and says what came."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its heading.
        against: The column that its ratio is taken to; None for no ratio.
    """

    name: str
    against: str | None = None


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A table to be measured.

    Attributes:
        name: What ``--only`` matches.
        title: The table's heading, with the unit of its values.
        columns: The columns, in order.
        variants: Functions that take turns. Each runs everything once and returns values by column and row.
        mean_of: Rows whose geometric mean is a row of its own; empty for none.
    """

    name: str
    title: str
    columns: Sequence[Column]
    variants: Sequence[Callable[[], Mapping[str, Mapping[str, float]]]]
    mean_of: Sequence[str] = ()


@dataclass
class Table:
    """The values that rounds have given: ``values[row][column]`` is a list with one value a round."""

    benchmark: Benchmark
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def round(self) -> None:
        """Run every variant once, in turn."""
        for variant in self.benchmark.variants:
            for column, rows in variant().items():
                for row, value in rows.items():
                    self.values.setdefault(row, {}).setdefault(column, []).append(value)

    def medians(self) -> dict[str, dict[str, float]]:
        """Return the median of every row and column, and the geometric means that the benchmark asks for."""
        result = {row: {c: statistics.median(x) for c, x in columns.items()} for row, columns in self.values.items()}
        rows = self.benchmark.mean_of
        if rows and all(row in result for row in rows):
            names = [c.name for c in self.benchmark.columns if all(c.name in result[row] for row in rows)]
            result["geometric mean"] = {
                name: statistics.geometric_mean([result[row][name] for row in rows]) for name in names
            }
        return result

    def text(self) -> str:
        """Return the table: a line a row, medians, and ratios where a column asks for them."""
        head = [""]
        for column in self.benchmark.columns:
            head += [column.name] if column.against is None else [column.name, "ratio"]
        lines = [head]
        for row, values in self.medians().items():
            line = [row]
            for column in self.benchmark.columns:
                value = values.get(column.name)
                line.append(number(value))
                if column.against is not None:
                    base = values.get(column.against)
                    line.append(f"{value / base:.2f}" if value is not None and base else "–")
            lines.append(line)
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        return f"{self.benchmark.title}\n" + "\n".join(
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )


def number(value: float | None) -> str:
    """Return a value with three significant digits."""
    return "–" if value is None else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def host() -> dict[str, object]:
    """Return what the numbers depend on: when and where they were measured, and how busy the host was."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {"date": now, "processor": model, "cores": os.cpu_count(), "load": load}
