"""Which unit sits in which seat, as a user says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.errors import ConfigurationError
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind

__all__ = ["UnitChoice", "default_choices", "parse_choice"]


@dataclass(frozen=True)
class UnitChoice:
    """The unit for one seat.

    Attributes:
        kind: the seat.
        spec: an installed unit's name, `package:Class` or `./file.py:Class`, served from a process of its own;
            `unix:/path` for a server that runs already; `none` to leave the seat empty.
        parameters: the unit's own parameters.
    """

    kind: UnitKind
    spec: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether the seat stays empty."""
        return self.spec == "none"


def default_choices() -> dict[UnitKind, UnitChoice]:
    """Return the three Spartan units with their default parameters."""
    return {kind: UnitChoice(kind, spec) for kind, spec in DEFAULT_UNITS.items()}


def parse_choice(text: str) -> UnitChoice:
    """Return the choice that `KIND=SPEC` stands for.

    Raises:
        ConfigurationError: for an unknown kind or a missing specification.
    """
    kind, separator, spec = text.partition("=")
    kinds = [known.value for known in UnitKind]
    if not separator or not spec or kind not in kinds:
        raise ConfigurationError(f"--unit takes KIND=SPEC with a kind of {', '.join(kinds)}, got {text!r}")
    return UnitChoice(UnitKind(kind), spec)
