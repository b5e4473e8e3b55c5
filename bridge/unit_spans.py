"""When each unit was sent what and when the model stood still for it, in virtual and in wall time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.statistics import event_name
from bridge.units import WIRE_KINDS
from spartan_units.types import UnitKind

__all__ = ["UnitBatch", "UnitSpans", "UnitWait", "unit_spans"]


@dataclass(frozen=True)
class UnitBatch:
    """A batch of events on its way to a unit and back.

    Attributes:
        event: kind of its events.
        events: how many.
        ahead: asked ahead of time, so that its times say when it was asked, not when the answers took effect.
        begin_ps, end_ps: virtual time of the first event, and of the last event or the latest answer.
        sent_ns: wall time, in ns since 1970.
        took_ns: wall time from then to the acknowledgement, 0 where it is under way.
        unit_ns: the part of it in the unit's process.
    """

    event: str
    events: int
    ahead: bool
    begin_ps: int
    end_ps: int
    sent_ns: int
    took_ns: int
    unit_ns: int


@dataclass(frozen=True)
class UnitWait:
    """A wait of the model: for what, at which virtual time, from when on (ns since 1970) and how long (ns)."""

    event: str
    time_ps: int
    from_ns: int
    took_ns: int


@dataclass(frozen=True)
class UnitSpans:
    """One unit's batches and the model's waits for it; `left_out` counts those beyond the first 32,768 of each."""

    kind: UnitKind
    name: str
    batches: tuple[UnitBatch, ...]
    waits: tuple[UnitWait, ...]
    left_out: int = 0


def unit_spans(seat: Any) -> UnitSpans:
    """Return what the wire's SeatTimeline says of a unit."""
    kinds, events = (_ints(column, "<u4") for column in (seat.event_kind, seat.events))
    times = (_ints(c, "<u8") for c in (seat.begin_ps, seat.end_ps, seat.sent_ns, seat.took_ns, seat.unit_ns))
    waits = (_ints(column, "<u8") for column in (seat.wait_ps, seat.wait_from_ns, seat.wait_ns))
    return UnitSpans(
        kind=next(kind for kind, number in WIRE_KINDS.items() if number == seat.kind),
        name=seat.name,
        batches=tuple(
            UnitBatch(event_name(kind), count, bool(ahead), *rest)
            for kind, count, ahead, *rest in zip(kinds, events, seat.ahead, *times, strict=True)
        ),
        waits=tuple(
            UnitWait(event_name(kind), *rest) for kind, *rest in zip(_ints(seat.wait_kind, "<u4"), *waits, strict=True)
        ),
        left_out=seat.left_out,
    )


def _ints(column: bytes, dtype: str) -> list[int]:
    values: NDArray[Any] = np.frombuffer(column, dtype)
    found: list[int] = values.tolist()
    return found
