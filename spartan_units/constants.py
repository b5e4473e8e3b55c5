"""Numbers of the Spartan model with unit, range and source, read from spartan.toml."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from importlib import resources
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Constant", "constant", "constants"]


@dataclass(frozen=True)
class Constant:
    """One number: `key` is dotted, `source` is "ours", "paper" or "measured"."""

    key: str
    value: float
    unit: str
    range: tuple[float, float]
    source: str
    note: str


@functools.cache
def constants() -> dict[str, Constant]:
    """Return all numbers by dotted key."""
    text = resources.files("spartan_units").joinpath("spartan.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    found: dict[str, Constant] = {}
    for unit, entries in table.items():
        for name, entry in entries.items():
            low, high = entry["range"]
            key = f"{unit}.{name}"
            found[key] = Constant(key, entry["value"], entry["unit"], (low, high), entry["source"], entry["note"])
    return found


def constant(key: str) -> Any:
    """Return the value of a number by its dotted key.

    Raises:
        KeyError: where spartan.toml has no such key.
    """
    return constants()[key].value
