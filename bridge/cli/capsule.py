"""`spartan capsule`: run, describe and record kernel launches as folders."""

from __future__ import annotations

import argparse
import runpy
import subprocess
import sys

import typer

from bridge._binary import gpusim
from bridge.capsule import EachKernelRecorder, LaunchRecorder
from bridge.errors import ConfigurationError
from bridge.session import CoSimulation

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    # The GPU model parses the arguments: one grammar for both programs.
    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    app.command("capsule", context_settings=settings)(capsule)


def capsule(context: typer.Context) -> None:
    """Run, describe or record one kernel launch as a folder: capsule run|show|record DIR (see capsule help)."""
    arguments = context.args or ["help"]
    if arguments[0] == "record" and any(a.split("=")[0] == "--script" for a in arguments):
        _record_script(arguments[1:])
        return
    result = subprocess.run([str(gpusim()), "capsule", *arguments], capture_output=True, text=True, check=False)
    sys.stdout.write(result.stdout.replace("gpusim capsule", "spartan capsule"))
    sys.stderr.write(result.stderr.replace("gpusim capsule:", "spartan:").replace("gpusim capsule", "spartan capsule"))
    raise typer.Exit(result.returncode if result.returncode >= 0 else 4)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise ConfigurationError(f"capsule record: {message}")


def _record_script(arguments: list[str]) -> None:
    """Run a driver script and record one of its launches."""
    parser = _Parser(prog="spartan capsule record", add_help=False)
    parser.add_argument("directory")
    parser.add_argument("--script", required=True)
    parser.add_argument("--kernel")
    parser.add_argument("--number", type=int, default=1)
    parser.add_argument("--each-kernel", action="store_true")
    parser.add_argument("rest", nargs="*")
    options = parser.parse_intermixed_args(arguments)
    recorder = (
        EachKernelRecorder(options.directory)
        if options.each_kernel
        else LaunchRecorder(options.directory, kernel=options.kernel, number=options.number)
    )
    CoSimulation.recorder = recorder
    sys.argv = [options.script, *options.rest]
    try:
        runpy.run_path(options.script, run_name="__main__")
    except OSError as error:
        if error.filename != options.script:
            raise
        raise ConfigurationError(f"the driver script {options.script} can't be read: {error.strerror}") from None
    finally:
        CoSimulation.recorder = None
    if not recorder.done:
        made = ", ".join(sorted(set(recorder.seen))) or "none"
        wanted = options.kernel or "any kernel"
        raise ConfigurationError(
            f"{options.script} ended before launch {options.number} of {wanted} (kernels it launched: {made})"
        )
