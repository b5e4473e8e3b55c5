"""Errors that units and their servers raise; each message is one sentence for the person at the terminal."""

from __future__ import annotations

__all__ = ["ParameterError", "UnitError", "UnitNotFoundError"]


class UnitError(Exception):
    """A unit can't do what it is asked to."""


class ParameterError(UnitError):
    """A unit's parameters do not fit its declaration."""


class UnitNotFoundError(UnitError):
    """A unit specification names nothing that can be loaded."""
