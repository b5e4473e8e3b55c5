"""Plans that were measured: the shipped table, and what a tuner tries in their place.

`spartan tune` writes tuned.json beside this file. A problem that is not in it gets the plan of a rule.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from bridge.errors import ConfigurationError

__all__ = ["TABLE", "looked_up", "read_table", "trying", "tuned"]

TABLE = Path(__file__).parent / "tuned.json"
"""The shipped table: problem to {"plan": {...}, "cycles": cycles measured, "rule_cycles": those of the rule's plan}."""

_trial: ContextVar[Mapping[str, Mapping[str, Any]] | None] = ContextVar("trial", default=None)
_seen: ContextVar[list[str] | None] = ContextVar("seen", default=None)


def read_table(path: Path) -> dict[str, Any]:
    """Return the entries of a table by problem.

    Raises:
        ConfigurationError: where the file is not such a table.
    """
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["plans"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: expected a table of tuned plans, {error}; write it with spartan tune"
        ) from None
    return table


@functools.cache
def _shipped() -> dict[str, Any]:
    return read_table(TABLE) if TABLE.exists() else {}


def tuned(problem: str) -> Mapping[str, Any] | None:
    """Return the plan to use for a problem: the one on trial, else the measured one, else None for the rule's."""
    seen = _seen.get()
    if seen is not None:
        seen.append(problem)
    trial = _trial.get()
    if trial is not None and problem in trial:
        return trial[problem] or None
    entry = _shipped().get(problem)
    return None if entry is None else entry["plan"]


@contextlib.contextmanager
def trying(plans: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Use other plans in this context; an empty plan stands for the rule's."""
    token = _trial.set(plans)
    try:
        yield
    finally:
        _trial.reset(token)


@contextlib.contextmanager
def looked_up() -> Iterator[list[str]]:
    """Collect the problems that are looked up in this context."""
    seen: list[str] = []
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)
