"""Speed of the GPU model: wavefront instructions per second in functional and in timing mode (docs/performance.md)."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from harness import ROOT, Benchmark, BenchmarkError, Column

GPUSIM = ROOT / "bridge" / "_bin" / "gpusim"

Values = Mapping[str, Mapping[str, float]]


def measure(
    mode: str,
    threads: int,
    wall: str | None,
    processor: str | None,
    level: str | None = None,
    first: str | None = None,
    warm: bool = False,
) -> Values:
    """Run all workloads of a mode.

    Args:
        mode: ``functional`` or ``timing``.
        threads: Host threads of one simulation.
        wall: Column of 10⁶ instructions a second of wall time; None for none.
        processor: Column of 10⁶ instructions a second of processor time, which a busy host changes less.
        level: Vector instructions to be used (``SPARTAN_SIMD``); None for the best that the host has.
        first: Column of what ``wall`` is in the first run of a process; None for none.
        warm: Whether each workload runs three times on one simulated GPU, whose caches are cold each time, and the
            columns but ``first`` hold the later runs: in the first one, the host has not given out its memory yet.

    Returns:
        Values by column and workload.

    Raises:
        BenchmarkError: If the model fails or a result is wrong.
    """
    environment = dict(os.environ)
    if level is not None:
        environment["SPARTAN_SIMD"] = level
    command = [str(GPUSIM), "bench", mode, "--json", "--root", str(ROOT), "--threads", str(threads)]
    if warm:
        command += ["--repeat", "3"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    records = json.loads(done.stdout)
    names = list(dict.fromkeys(record["workload"] for record in records))

    def rates(rate: str, later: bool) -> dict[str, float]:
        return {
            name: statistics.median(r[rate] / 1e6 for r in records if r["workload"] == name and (r["run"] > 1) == later)
            for name in names
        }

    columns = (
        (wall, "instructions_per_s", warm),
        (processor, "instructions_per_cpu", warm),
        (first, "instructions_per_s", False),
    )
    return {column: rates(rate, later) for column, rate, later in columns if column is not None}


def speed(mode: str, title: str, mean_of: Sequence[str] = (), first: bool = False) -> Benchmark:
    """Return the benchmark of a mode: one core, two where there are, and plain Go in place of vector instructions.

    Args:
        mode: ``functional`` or ``timing``.
        title: The table's heading.
        mean_of: Workloads whose geometric mean is a row.
        first: Whether first runs in a process have columns of their own, and the others hold later runs.
    """
    columns = [Column(name="1 core"), Column(name="1 core, cpu")]
    names: list[str | None] = [None, None]
    if first:
        names = ["first run, 1 core", "first run, 2 cores"]
        columns.append(Column(name="first run, 1 core", against="1 core"))
    variants: list[Callable[[], Values]] = [
        partial(measure, mode, 1, "1 core", "1 core, cpu", first=names[0], warm=first)
    ]
    if (os.cpu_count() or 1) > 1:
        columns.append(Column(name="2 cores", against="1 core"))
        if first:
            columns.append(Column(name="first run, 2 cores", against="first run, 1 core"))
        variants.append(partial(measure, mode, 2, "2 cores", None, first=names[1], warm=first))
    columns.append(Column(name="plain Go, cpu", against="1 core, cpu"))
    variants.append(partial(measure, mode, 1, None, "plain Go, cpu", "go", warm=first))
    return Benchmark(name=mode, title=title, columns=columns, variants=variants, mean_of=mean_of)


BENCHMARKS = [
    speed("functional", "Functional mode, 10⁶ wavefront instructions a second (cpu: of processor time)"),
    speed(
        "timing",
        "Timing mode (r9nano, cold caches, all metrics), 10⁶ wavefront instructions a second (cpu: of processor time)",
        mean_of=("relu", "gemm", "conv", "sparse_gemm", "fir"),
        first=True,
    ),
]
