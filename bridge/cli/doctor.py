"""`spartan doctor`: what this installation has, and what a bug report needs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import typer

from bridge._binary import gpusim
from bridge._version import __version__
from bridge.backend import BRIDGE_VARIABLE, INSTALL_BRIDGE, find_bridge
from bridge.catalogue import catalogue, kernel_folder
from bridge.errors import ModelFailedError, SpartanError

__all__ = ["register"]

_PACKAGES = ("grpcio", "numpy", "protobuf", "pydantic", "typer")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("doctor")(doctor)


def doctor(as_json: bool = typer.Option(False, "--json", help="Print one JSON object.")) -> None:
    """Tell which GPU back ends are available and which command installs a missing one, and what a bug report needs."""
    report = examine()
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        for line in _lines(report):
            typer.echo(line)
    if not report["backends"]["embedded"]["available"]:
        raise ModelFailedError("the embedded GPU model does not work; install the distribution again")


def examine() -> dict[str, Any]:
    """Return the facts: versions, host, and for each back end whether it is available."""
    folder = kernel_folder()
    try:
        kernels: Any = len(catalogue())
    except SpartanError as error:
        kernels = str(error)
    return {
        "spartan": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "executable": sys.executable,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "kernels": {"folder": str(folder), "number": kernels},
        "backends": {"embedded": _embedded(), "mgpusim": _mgpusim()},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _embedded() -> dict[str, Any]:
    try:
        program = gpusim()
    except SpartanError as error:
        return {"available": False, "problem": str(error)}
    return _asked(program, "version")


def _mgpusim() -> dict[str, Any]:
    try:
        program = find_bridge()
    except SpartanError as error:
        return {"available": False, "problem": str(error), "install": INSTALL_BRIDGE}
    if program is None:
        return {
            "available": False,
            "problem": f"mgpusim-bridge is neither named by {BRIDGE_VARIABLE}, nor beside the GPU model, nor on PATH",
            "install": INSTALL_BRIDGE,
        }
    return _asked(program, "version")


def _asked(program: Path, *arguments: str) -> dict[str, Any]:
    """Return what a program says of its version."""
    found: dict[str, Any] = {"available": False, "program": str(program)}
    try:
        result = subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {**found, "problem": f"{program} can't be run: {error}"}
    if result.returncode != 0:
        return {**found, "problem": f"{program} ended with status {result.returncode}: {result.stderr.strip()}"}
    return {**found, "available": True, "version": result.stdout.strip()}


def _lines(report: dict[str, Any]) -> list[str]:
    packages = ", ".join(f"{name} {version or 'missing'}" for name, version in report["packages"].items())
    lines = [
        f"spartan-cosim {report['spartan']}, {report['python']} at {report['executable']}",
        f"host: {report['platform']}, {report['cores']} cores",
        f"packages: {packages}",
        f"kernels: {report['kernels']['number']} in {report['kernels']['folder']}",
    ]
    for name, backend in report["backends"].items():
        if backend["available"]:
            lines.append(f"back end {name}: available, {backend['version']} ({backend['program']})")
            continue
        lines.append(f"back end {name}: not available: {backend['problem']}")
        if "install" in backend:
            lines.append(f"  install it in a checkout with: {backend['install']} (docs/mgpusim.md)")
    return lines
