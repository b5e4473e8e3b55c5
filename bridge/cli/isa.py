"""`spartan isa`: the GPU model's instruction set: disassembler, list, coverage."""

from __future__ import annotations

import signal
import subprocess
import sys

import typer

from bridge._binary import gpusim

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    # The GPU model parses the arguments: one grammar for both programs.
    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    app.command("isa", context_settings=settings)(isa)


def isa(context: typer.Context) -> None:
    """Disassemble words or a code object, list the instructions, count coverage: isa disasm|dump|list|--json."""
    arguments = context.args or ["help"]
    # Standard input and output are the GPU model's own: it is fed line by line or with millions of lines.
    shown = subprocess.PIPE if arguments == ["help"] else None
    result = subprocess.run(
        [str(gpusim()), "isa", *arguments], stdout=shown, stderr=subprocess.PIPE, text=True, check=False
    )
    if result.stdout:
        sys.stdout.write(result.stdout.replace("gpusim isa", "spartan isa"))
    message = result.stderr
    for prefix in ("gpusim isa disasm:", "gpusim isa dump:"):
        message = message.replace(prefix, "spartan:")
    sys.stderr.write(message.replace("gpusim isa", "spartan isa"))
    if result.returncode == -signal.SIGPIPE:  # the reader of the output has gone
        raise typer.Exit(1)
    raise typer.Exit(result.returncode if result.returncode >= 0 else 4)
