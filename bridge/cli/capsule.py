"""`spartan capsule`: run, describe and record kernel launches as folders."""

from __future__ import annotations

import subprocess
import sys

import typer

from bridge._binary import gpusim

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    # The GPU model parses the arguments: one grammar for both programs.
    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    app.command("capsule", context_settings=settings)(capsule)


def capsule(context: typer.Context) -> None:
    """Run, describe or record one kernel launch as a folder: capsule run|show|record DIR (see capsule help)."""
    arguments = context.args or ["help"]
    result = subprocess.run([str(gpusim()), "capsule", *arguments], capture_output=True, text=True, check=False)
    sys.stdout.write(result.stdout.replace("gpusim capsule", "spartan capsule"))
    sys.stderr.write(result.stderr.replace("gpusim capsule:", "spartan:").replace("gpusim capsule", "spartan capsule"))
    raise typer.Exit(result.returncode if result.returncode >= 0 else 4)
