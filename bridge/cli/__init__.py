"""The `spartan` command: each public module of this package adds its commands by a function `register(app)`."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys

import typer

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


class _StoppedError(BaseException):
    """A signal asks for the end: raised in the main thread, so that sessions end their processes on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _stop(number: int, _: object) -> None:
    for other in (signal.SIGINT, signal.SIGTERM):  # what is left to do takes a few seconds at most
        signal.signal(other, signal.SIG_IGN)
    raise _StoppedError(number)


def _end(sentence: str, status: int) -> None:
    print(f"spartan: {sentence}", file=sys.stderr)  # noqa: T201 - the one sentence
    sys.exit(status)


def main() -> None:
    """Run the command; a user's mistake ends in one sentence on standard error and the error's exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        make_app()(prog_name="spartan")
    except SpartanError as error:
        _end(str(error), error.exit_code)
    except _StoppedError as stopped:
        word = "interrupted" if stopped.number == signal.SIGINT else "terminated"
        _end(f"{word}; results of what was under way are not kept", 128 + stopped.number)
    except BrokenPipeError:
        # The reader of our output is gone; what Python would flush at exit has no place to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
