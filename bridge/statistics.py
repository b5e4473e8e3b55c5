"""What a session and its units did, and where the wall time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.units import WIRE_KINDS
from spartan_units.types import UnitKind
from spartan_units.wire import common_pb2

__all__ = ["EventTimes", "SessionStatistics", "UnitTimes", "event_name", "session_statistics", "unit_times"]


@dataclass(frozen=True)
class EventTimes:
    """Where the wall time of one kind of event of one unit went, in seconds.

    Attributes:
        events, batches: how many.
        nbytes: of the messages sent.
        serialise_s: encoding, on a thread beside the simulation.
        transport_s: from sending to acknowledgement, less the time in the unit.
        unit_s: in the unit's process, translation included; `hook_s` the part inside the unit's own code.
        wait_s: the model stood still for it.
        round_trip_s: requests: from sending to answer, summed over batches.
    """

    events: int
    batches: int
    nbytes: int
    serialise_s: float
    transport_s: float
    unit_s: float
    hook_s: float
    wait_s: float
    round_trip_s: float


@dataclass(frozen=True)
class UnitTimes:
    """What one unit did and where the wall time went.

    Attributes:
        kind, name, placement: the unit, and where it runs as the model sees it: builtin, unix, tcp or replay.
        shadow: whether its answers are compared, not applied.
        events: by kind of event; "lifecycle" stands for all messages that are no events.
        compared, different, first_difference: of a shadow: answers compared, those that differ, and the first such.
    """

    kind: UnitKind
    name: str
    placement: str
    shadow: bool
    events: Mapping[str, EventTimes]
    compared: int = 0
    different: int = 0
    first_difference: str = ""


@dataclass(frozen=True)
class SessionStatistics:
    """What the session did so far.

    Attributes:
        posted, requests, batches: events to all units.
        trace_hash: hex, over all events and replies in virtual-time order.
        time_ps: virtual time.
        model_s: wall time inside launches, waiting for units left out.
        wait_s: wall time that the model waited for units.
        units_s: wall time inside units, as they report it.
        serialise_s: wall time spent on building messages in the model.
    """

    posted: int
    requests: int
    batches: int
    trace_hash: str
    time_ps: int
    model_s: float
    wait_s: float
    units_s: float
    serialise_s: float


def session_statistics(reply: Any) -> SessionStatistics:
    """Return what the wire's StatisticsReply says of the session."""
    return SessionStatistics(
        posted=reply.posted_events,
        requests=reply.requests,
        batches=reply.batches,
        trace_hash=reply.trace_hash,
        time_ps=reply.time_ps,
        model_s=reply.model_s,
        wait_s=reply.units_wait_s,
        units_s=reply.units_busy_s,
        serialise_s=reply.serialise_s,
    )


def unit_times(seat: Any) -> UnitTimes:
    """Return what the wire's SeatStatistics say of a unit."""
    return UnitTimes(
        kind=next(kind for kind, number in WIRE_KINDS.items() if number == seat.kind),
        name=seat.name,
        placement=seat.placement,
        shadow=seat.shadow,
        events={
            event_name(event.kind): EventTimes(
                events=event.events,
                batches=event.batches,
                nbytes=event.bytes,
                serialise_s=event.serialise_s,
                transport_s=event.transport_s,
                unit_s=event.unit_s,
                hook_s=event.hook_s,
                wait_s=event.wait_s,
                round_trip_s=event.round_trip_s,
            )
            for event in seat.events
        },
        compared=seat.shadow_compared,
        different=seat.shadow_different,
        first_difference=seat.shadow_first_difference,
    )


def event_name(kind: int) -> str:
    """Return the name of the wire's number of a kind of event; 0 stands for messages that are no events."""
    name: str = common_pb2.EventKind.Name(kind)
    return name.removeprefix("EVENT_KIND_").lower() if kind else "lifecycle"
