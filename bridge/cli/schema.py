"""`spartan schema`: the JSON schema of results.json."""

from __future__ import annotations

import json

import typer

from bridge.results import Results

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("schema")(schema)


def schema() -> None:
    """Print the JSON schema of results.json."""
    typer.echo(json.dumps(Results.model_json_schema(by_alias=True), indent=2))
