"""The `spartan` command: each public module of this package adds its commands by a function `register(app)`."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

import typer

from bridge import _stop
from bridge._version import __version__
from bridge.errors import SpartanError

__all__ = ["main", "make_app"]


def make_app() -> typer.Typer:
    """Return the command with all its subcommands."""
    app = typer.Typer(
        name="spartan",
        help="Co-simulation of sparsity hardware in Python with a cycle-level AMD GCN3 GPU model.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback(invoke_without_command=True)
    def options(version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True)) -> None:
        if version:
            print(__version__)  # noqa: T201 - the command's output
            raise typer.Exit

    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        if not module.name.startswith("_"):
            importlib.import_module(f"{__name__}.{module.name}").register(app)
    return app


def _end(sentence: str, status: int) -> None:
    print(f"spartan: {sentence}", file=sys.stderr)  # noqa: T201 - the one sentence
    sys.exit(status)


def main() -> None:
    """Run the command; a user's mistake ends in one sentence on standard error and the error's exit code."""
    _stop.install()
    try:
        make_app()(prog_name="spartan")
    except SpartanError as error:
        _end(str(error), error.exit_code)
    except _stop.StoppedError as stopped:
        _end(str(stopped), stopped.exit_code)
    except BrokenPipeError:
        # The reader of our output is gone; what Python would flush at exit has no place to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
