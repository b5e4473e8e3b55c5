"""The compiled GPU model, `gpusim`, that ships inside the package."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bridge.errors import ModelFailedError

__all__ = ["exec_gpusim", "gpusim"]


def gpusim() -> Path:
    """Return the path of the `gpusim` program.

    Raises:
        ModelFailedError: where the installation lacks it.
    """
    path = Path(__file__).parent / "_bin" / "gpusim"
    if not os.access(path, os.X_OK):
        raise ModelFailedError(
            f"the GPU model is not installed: expected a program at {path}; run 'make build' in a checkout, "
            "or install the distribution again"
        )
    return path


def exec_gpusim(*arguments: str) -> int:
    """Run `gpusim` on the caller's standard streams and return its exit status."""
    return subprocess.run([str(gpusim()), *arguments], check=False).returncode
