"""`spartan gpu`: the GPU presets and their parameters."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import rich
import rich.console
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


def list_presets(as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table.")) -> None:
    """List the presets."""
    rows = _query()
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = rich.table.Table("preset", "what it is")
    for row in rows:
        table.add_row(row["name"], row["description"])
    rich.print(table)


def show(
    preset: str | None = typer.Argument(None, help="Name of a preset; r9nano by default."),
    file: Path | None = typer.Option(None, help="TOML file of parameters, which may name the preset to begin from."),
    gpu_set: list[str] = typer.Option([], help="KEY=VALUE: a parameter that differs."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table."),
) -> None:
    """Show all parameters of a GPU with value, unit, source and meaning, after checking the rules between them."""
    arguments = [f"--set={text}" for text in gpu_set]
    if file is not None:
        arguments.append(f"--file={file}")
    if preset is not None or not arguments:
        arguments.append(preset or "r9nano")
    rows = _query(*arguments)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = rich.table.Table("key", "value", "unit", "source", "meaning", title=preset or str(file or "r9nano"))
    for column in table.columns[:2]:
        column.no_wrap, column.overflow = True, "fold"
    for row in rows:
        table.add_row(row["key"], row["value"], row["unit"], row["source"], row["description"])
    console = rich.console.Console()
    if not console.is_terminal:
        console = rich.console.Console(width=160)
    console.print(table)


def _query(*arguments: str) -> Any:
    result = subprocess.run([str(gpusim()), "gpu", *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ConfigurationError(result.stderr.strip().removeprefix("gpusim gpu: "))
    return json.loads(result.stdout)
