"""GPU back ends: the model of this distribution, and upstream MGPUSim through a program installed separately."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bridge._binary import gpusim
from bridge.errors import ConfigurationError

__all__ = ["BACKENDS", "BRIDGE_VARIABLE", "INSTALL_BRIDGE", "find_bridge", "model_program"]

BACKENDS = ("embedded", "mgpusim")
"""Names of the back ends; the first is the default."""

BRIDGE_VARIABLE = "SPARTAN_MGPUSIM_BRIDGE"
"""Environment variable with the path of mgpusim-bridge."""

INSTALL_BRIDGE = "cd mgpusim_patches && go build -mod=mod -o ../bridge/_bin/mgpusim-bridge ./cmd/mgpusim-bridge"
"""Command that builds and installs the bridge in a checkout (docs/mgpusim.md)."""


def find_bridge() -> Path | None:
    """Return mgpusim-bridge: what SPARTAN_MGPUSIM_BRIDGE names, else beside the GPU model, else on PATH; None: nowhere.

    Raises:
        ConfigurationError: where the variable names no program.
    """
    named = os.environ.get(BRIDGE_VARIABLE)
    if named:
        if not os.access(named, os.X_OK) or Path(named).is_dir():
            raise ConfigurationError(f"{BRIDGE_VARIABLE} names {named}, which is no program; correct or unset it")
        return Path(named)
    beside = Path(__file__).parent / "_bin" / "mgpusim-bridge"
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which("mgpusim-bridge")
    return None if found is None else Path(found)


def model_program(backend: str) -> Path:
    """Return the program that serves a back end.

    Raises:
        ConfigurationError: for an unknown back end, or where its program is not installed.
        ModelFailedError: where the installation lacks the embedded model.
    """
    if backend not in BACKENDS:
        raise ConfigurationError(f"the back end is {' or '.join(BACKENDS)}, got {backend!r}")
    if backend == "embedded":
        return gpusim()
    program = find_bridge()
    if program is None:
        raise ConfigurationError(
            "the back end mgpusim needs the program mgpusim-bridge, which is not installed (looked at "
            f"{BRIDGE_VARIABLE}, beside the GPU model and on PATH); in a checkout: {INSTALL_BRIDGE}"
        )
    return program
