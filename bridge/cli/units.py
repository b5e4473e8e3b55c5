"""`spartan units`: find, describe, write, check and serve units."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

import rich
import rich.box
import rich.table
import typer

from bridge.cli._unit_templates import TEMPLATES, TEST_TEMPLATE
from bridge.errors import ConfigurationError, VerificationError
from spartan_units.base import Unit
from spartan_units.constants import constants
from spartan_units.errors import UnitError
from spartan_units.registry import DEFAULT_UNITS, available_units, load_unit
from spartan_units.testing import check_unit, measure_throughput
from spartan_units.testing.drive import MACHINE
from spartan_units.types import Machine, UnitKind

__all__ = ["register"]

_SPEC = typer.Argument(help="An installed unit's name, package:Class or ./file.py:Class.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="Hardware units: find, describe, write, check and serve them.", no_args_is_help=True)
    for command in (describe, new, check, serve):
        group.command(command.__name__)(command)
    group.command("list")(list_units)
    app.add_typer(group, name="units")


def list_units(as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table.")) -> None:
    """List the installed units: those of this distribution and of all that have the entry-point group spartan_units."""
    rows = []
    for name, target in available_units().items():
        unit = _load(name)
        default = DEFAULT_UNITS[unit.kind] == target
        rows.append(
            {"name": name, "kind": unit.kind.value, "class": target, "default": default, "what": _first_line(unit)}
        )
    rows.sort(key=lambda row: (row["kind"], not row["default"], row["name"]))
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = rich.table.Table("name", "kind", "what it does", box=rich.box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(f"{row['name']}{' (default)' if row['default'] else ''}", str(row["kind"]), str(row["what"]))
    rich.print(table)


def describe(
    spec: str = typer.Argument(
        "", help="An installed unit's name, package:Class or ./file.py:Class; none: all numbers."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table."),
) -> None:
    """Describe a unit: its costs with default parameters on the r9nano, and its parameters.

    Without a unit: every number that the Spartan units are modelled with, its unit, range and source.
    """
    if not spec:
        _print_constants(as_json)
        return
    unit = _load(spec)
    try:
        costs = vars(unit(Machine(model="embedded", **MACHINE)).costs())
    except UnitError as error:
        raise ConfigurationError(str(error)) from None
    schema = unit.Parameters.model_json_schema().get("properties", {})
    if as_json:
        described = {
            "name": unit.name,
            "version": unit.version,
            "kind": unit.kind.value,
            "class": f"{unit.__module__}:{unit.__qualname__}",
            "costs": costs,
            "parameters": schema,
            "energy_pj": dict(unit.energy_pj),
        }
        typer.echo(json.dumps(described, indent=2))
        return
    rich.print(f"[bold]{unit.name}[/] {unit.version}, {unit.kind.value}, {unit.__module__}:{unit.__qualname__}")
    rich.print(inspect.getdoc(unit) or "")
    table = rich.table.Table("parameter", "type", "default", "range", box=rich.box.SIMPLE_HEAD)
    for name, about in schema.items():
        table.add_row(name, str(about.get("type", "")), str(about.get("default", "required")), _range(about))
    rich.print(table)
    table = rich.table.Table("declared", "value", box=rich.box.SIMPLE_HEAD)
    for name, value in costs.items():
        table.add_row(name, "–" if value is None else f"{value:,}")
    rich.print(table)


def _print_constants(as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({key: dataclasses.asdict(number) for key, number in constants().items()}, indent=2))
        return
    for key, number in constants().items():
        low, high = number.range
        typer.echo(f"{key} = {number.value:g} {number.unit} ({low:g} … {high:g}; source: {number.source})")
        typer.echo(f"    {number.note}")


def new(
    kind: UnitKind = typer.Argument(help="The seat it is to fill."),
    path: Path = typer.Argument(help="File to write, NAME.py; its test goes beside it as test_NAME.py."),
) -> None:
    """Write a working unit and its test."""
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise ConfigurationError(f"expected a file NAME.py with a NAME that Python can import, got {path}")
    test = path.with_name(f"test_{path.name}")
    name = "".join(part.capitalize() for part in path.stem.split("_"))
    for file, text in ((path, TEMPLATES[kind]), (test, TEST_TEMPLATE)):
        filled = text.replace("UNIT_CLASS", name).replace("UNIT_NAME", path.stem.replace("_", "-"))
        try:
            with file.open("x", encoding="utf-8") as handle:
                handle.write(filled.replace("UNIT_MODULE", path.stem))
        except OSError as error:
            raise ConfigurationError(f"{file} can't be written: {error.strerror}") from None
    typer.echo(f"wrote {path} and {test}; next: spartan units check {_relative(path)}:{name}")


def check(
    spec: str = _SPEC,
    parameters: str = typer.Option("{}", help="The unit's parameters, a JSON object."),
) -> None:
    """Check a unit: protocol, lookahead, determinism, contents, snapshots; and measure its throughput."""
    unit = _load(spec)
    given = _object(parameters)
    table = rich.table.Table("check", "result", box=rich.box.SIMPLE_HEAD)
    found = check_unit(unit, given)
    for name, problem in found.items():
        table.add_row(name.replace("_", " "), f"[red]{problem}[/]" if problem else "passed")
    failed = [name for name, problem in found.items() if problem]
    if not failed:
        table.add_row("throughput", f"{measure_throughput(unit, given):,.0f} events/s in batches of 4,096")
    rich.print(table)
    if failed:
        raise VerificationError(f"unit {unit.name} fails {len(failed)} of {len(found)} checks: {', '.join(failed)}")


def serve(
    spec: str = _SPEC,
    listen: str = typer.Option(..., help="unix:/path in a directory of your own, or tcp://host:port."),
    tls_certificate: Path | None = typer.Option(None, help="PEM: the server's certificate chain."),
    tls_key: Path | None = typer.Option(None, help="PEM: its private key."),
    tls_client_ca: Path | None = typer.Option(None, help="PEM: the authority of client certificates (mutual TLS)."),
    token_file: Path | None = typer.Option(None, help="File with the token that clients present over TLS."),
    insecure_loopback: bool = typer.Option(False, help="Bare TCP, on a loopback address only."),
) -> None:
    """Serve a unit for models that run elsewhere, until standard input closes or a signal comes."""
    arguments = ["-m", "spartan_units.serve", "--unit", spec, "--listen", listen]
    files = {
        "--tls-certificate": tls_certificate,
        "--tls-key": tls_key,
        "--tls-client-ca": tls_client_ca,
        "--token-file": token_file,
    }
    for option, path in files.items():
        arguments += [] if path is None else [option, str(path)]
    arguments += ["--insecure-loopback"] if insecure_loopback else []
    os.execv(sys.executable, [sys.executable, *arguments])


def _load(spec: str) -> type[Unit]:
    try:
        return load_unit(spec)
    except UnitError as error:
        raise ConfigurationError(str(error)) from None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"the parameters must be a JSON object: {error}") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f"the parameters must be a JSON object, got {text}")
    return found


def _first_line(unit: type[Unit]) -> str:
    return (inspect.getdoc(unit) or "").partition("\n")[0]


def _range(about: dict[str, Any]) -> str:
    low, high = about.get("minimum", about.get("exclusiveMinimum")), about.get("maximum")
    return "" if low is None and high is None else f"{'' if low is None else low} … {'' if high is None else high}"


def _relative(path: Path) -> str:
    return str(path) if path.is_absolute() or str(path).startswith(".") else f"./{path}"
