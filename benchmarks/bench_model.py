"""Speed of the GPU model: wavefront instructions per second in functional and in timing mode (docs/performance.md)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from harness import ROOT, Benchmark, BenchmarkError, Column

GPUSIM = ROOT / "bridge" / "_bin" / "gpusim"

Values = Mapping[str, Mapping[str, float]]


def measure(mode: str, threads: int, wall: str | None, processor: str | None, level: str | None = None) -> Values:
    """Run all workloads of a mode once.

    Args:
        mode: ``functional`` or ``timing``.
        threads: Host threads of one simulation.
        wall: Column of 10⁶ instructions a second of wall time; None for none.
        processor: Column of 10⁶ instructions a second of processor time, which a busy host changes less.
        level: Vector instructions to be used (``SPARTAN_SIMD``); None for the best that the host has.

    Returns:
        Values by column and workload.

    Raises:
        BenchmarkError: If the model fails or a result is wrong.
    """
    environment = dict(os.environ)
    if level is not None:
        environment["SPARTAN_SIMD"] = level
    command = [str(GPUSIM), "bench", mode, "--json", "--root", str(ROOT), "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    records = json.loads(done.stdout)
    fields = {wall: "instructions_per_s", processor: "instructions_per_cpu"}
    return {
        column: {record["workload"]: record[field] / 1e6 for record in records}
        for column, field in fields.items()
        if column is not None
    }


def speed(mode: str, title: str, mean_of: Sequence[str] = ()) -> Benchmark:
    """Return the benchmark of a mode: one core, two where there are, and plain Go in place of vector instructions."""
    columns = [Column(name="1 core"), Column(name="1 core, cpu")]
    variants: list[Callable[[], Values]] = [partial(measure, mode, 1, "1 core", "1 core, cpu")]
    if (os.cpu_count() or 1) > 1:
        columns.append(Column(name="2 cores", against="1 core"))
        variants.append(partial(measure, mode, 2, "2 cores", None))
    columns.append(Column(name="plain Go, cpu", against="1 core, cpu"))
    variants.append(partial(measure, mode, 1, None, "plain Go, cpu", "go"))
    return Benchmark(name=mode, title=title, columns=columns, variants=variants, mean_of=mean_of)


BENCHMARKS = [
    speed("functional", "Functional mode, 10⁶ wavefront instructions a second (cpu: of processor time)"),
    speed(
        "timing",
        "Timing mode (r9nano, cold caches, all metrics), 10⁶ wavefront instructions a second (cpu: of processor time)",
        mean_of=("relu", "gemm", "conv", "sparse_gemm", "fir"),
    ),
]
