"""`spartan replay`: drive units from a recording, without the GPU model."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from bridge.errors import ConfigurationError, VerificationError
from bridge.recording import Recording, replay
from bridge.units import parse_choice
from spartan_units.errors import UnitError
from spartan_units.registry import load_unit

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("replay")(replay_units)


def replay_units(
    folder: Path = typer.Argument(help="Folder of a recording (spartan run --record)."),
    unit: list[str] = typer.Option(..., help="KIND=SPEC: an installed name, package:Class or ./file.py:Class."),
    parameters: str = typer.Option("", help="The unit's parameters, a JSON object; those recorded by default."),
    to_the_end: bool = typer.Option(False, help="Go on after the first difference."),
) -> None:
    """Drive units with recorded events at full speed and report the first answer that differs from the recorded one."""
    recording = Recording.open(folder)
    differences = []
    for text in unit:
        choice = parse_choice(text)
        try:
            found = load_unit(choice.spec, choice.kind)
        except UnitError as error:
            raise ConfigurationError(str(error)) from None
        seat = recording.seat(choice.kind)
        given = _object(parameters) if parameters else None
        result = replay(seat, found, given, to_the_end=to_the_end)
        rate = result.events / result.seconds if result.seconds else 0.0
        typer.echo(
            f"{choice.kind.value} {found.name} on the recording of {seat.unit}: {result.events:,} events, "
            f"{result.answers:,} answers compared, {result.seconds:.2f} s ({rate:,.0f} events/s), "
            f"of which {result.unit_s:.2f} s in the unit"
        )
        for difference in (result.declaration, result.divergence):
            if difference is not None:
                typer.echo(f"  {difference}")
        if result.divergence is not None:
            differences.append(f"{choice.kind.value}: {result.divergence}")
        elif result.declaration is not None:
            differences.append(f"{choice.kind.value}: {result.declaration}")
    if differences:
        raise VerificationError("; ".join(differences))


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"--parameters takes a JSON object: {error}") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f"--parameters takes a JSON object, got {text}")
    return found
