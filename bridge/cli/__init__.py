"""The `spartan` command: each public module of this package adds the command of its name by `register(app)`."""

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


def make_app(asked: str = "") -> typer.Typer:
    """Return the command with the subcommand `asked` for, which loads in less time, or where there is none with all."""
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

    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    wanted = asked.replace("-", "_")
    for name in [wanted] if wanted in names else names:
        importlib.import_module(f"{__name__}.{name}").register(app)
    return app


def _end(sentence: str, status: int) -> None:
    print(f"spartan: {sentence}", file=sys.stderr)  # noqa: T201 - the one sentence
    sys.exit(status)


def main() -> None:
    """Run the command; a user's mistake ends in one sentence on standard error and the error's exit code."""
    _stop.install()
    try:
        make_app(*sys.argv[1:2])(prog_name="spartan")
    except SpartanError as error:
        _end(str(error), error.exit_code)
    except _stop.StoppedError as stopped:
        _stop.ignore()
        _end(str(stopped), stopped.exit_code)
    except BrokenPipeError:
        # The reader of our output is gone; what Python would flush at exit has no place to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
