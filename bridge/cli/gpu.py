"""`spartan gpu`: the GPU presets and their parameters."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import rich
import rich.table
import typer

from bridge._binary import gpusim
from bridge.errors import ConfigurationError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="GPU presets and their parameters.", no_args_is_help=True)
    group.command("list")(list_presets)
    group.command("show")(show)
    app.add_typer(group, name="gpu")


def list_presets() -> None:
    """List the presets."""
    for name in _query():
        rich.print(name)


def show(
    preset: str = typer.Argument(help="Name of a preset."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table."),
) -> None:
    """Show all parameters of a preset with value, unit, source and meaning."""
    rows = _query(preset)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = rich.table.Table("key", "value", "unit", "source", "meaning", title=preset)
    for row in rows:
        table.add_row(row["key"], row["value"], row["unit"], row["source"], row["description"])
    rich.print(table)


def _query(*arguments: str) -> Any:
    result = subprocess.run([str(gpusim()), "gpu", *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ConfigurationError(result.stderr.strip().removeprefix("gpusim gpu: "))
    return json.loads(result.stdout)
