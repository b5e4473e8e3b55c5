"""Run the benchmarks and print a table for each: medians of interleaved rounds, and ratios.

usage: python benchmarks/run.py [--rounds N] [--only PATTERN] [--json FILE] [--list]

Exits with 0 when done, 1 when a result was wrong, 2 on wrong usage.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Benchmark, BenchmarkError, Table, host


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of all ``bench_*.py`` beside this file, in the order of the files' names."""
    found: list[Benchmark] = []
    for path in sorted(Path(__file__).resolve().parent.glob("bench_*.py")):
        found += importlib.import_module(path.stem).BENCHMARKS
    return found


def main(arguments: list[str]) -> int:
    """Measure what the arguments ask for and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.py", description="Run the benchmarks; ratios are what to look at."
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often every variant runs (default: %(default)s)")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="run the benchmarks whose name matches")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all values to this file")
    parser.add_argument("--list", action="store_true", help="list the benchmarks and their columns")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"expected --rounds of at least 1, got {options.rounds}")
    selected = [b for b in benchmarks() if fnmatch.fnmatch(b.name, options.only)]
    if not selected:
        parser.error(f"no benchmark matches {options.only!r}; there are {', '.join(b.name for b in benchmarks())}")
    if options.list:
        for benchmark in selected:
            print(f"{benchmark.name}: {benchmark.title}: {', '.join(c.name for c in benchmark.columns)}")
        return 0
    where = host()
    print("  ".join(f"{key} {value}" for key, value in where.items()), flush=True)
    tables = []
    try:
        for benchmark in selected:
            table = Table(benchmark)
            for _ in range(options.rounds):
                table.round()
            tables.append(table)
            print(f"\n{table.text()}", flush=True)
    except BenchmarkError as error:
        print(f"benchmarks/run.py: {error}", file=sys.stderr)
        return 1
    if options.json is not None:
        document = {"host": where, "benchmarks": {t.benchmark.name: t.values for t in tables}}
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
