"""Drives a unit through a scenario, message by message, and keeps what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spartan_units.base import Unit
from spartan_units.stream import PROTOCOL_MAJOR, PROTOCOL_MINOR, UnitStream
from spartan_units.testing.scenarios import Scenario
from spartan_units.types import UnitKind
from spartan_units.wire import common_pb2, units_pb2

__all__ = ["MACHINE", "Answer", "Transcript", "drive", "model_hello"]

MACHINE: dict[str, int] = {"clock_hz": 1_000_000_000, "compute_units": 64, "l2_banks": 16}
"""The GPU of all scenarios: that of the preset r9nano."""

_WIRE_KINDS = {
    UnitKind.MONITOR: common_pb2.UNIT_KIND_MONITOR,
    UnitKind.COMPACTION: common_pb2.UNIT_KIND_COMPACTION,
    UnitKind.SCHEDULER: common_pb2.UNIT_KIND_SCHEDULER,
}


@dataclass(frozen=True)
class Answer:
    """The answer to one request: its latency and its contents as comparable values."""

    latency_ps: int
    contents: Any


@dataclass
class Transcript:
    """What a unit said.

    Attributes:
        hello: its declaration.
        answers: by sequence number of the request.
        acknowledged: sequence numbers behind the acknowledged batches, in order.
        failure: its failure, None where it had none.
        counters: as it told them at the end.
        snapshot: its state where the drive was to stop, b"" where it ran through.
    """

    hello: Any = None
    answers: dict[int, Answer] = field(default_factory=dict)
    acknowledged: list[int] = field(default_factory=list)
    failure: Any = None
    counters: dict[str, float] = field(default_factory=dict)
    snapshot: bytes = b""


def model_hello(kind: UnitKind, parameters: dict[str, Any] | None = None, **changes: Any) -> Any:
    """Return the model's first message."""
    fields: dict[str, Any] = {
        "protocol": common_pb2.Version(major=PROTOCOL_MAJOR, minor=PROTOCOL_MINOR),
        "model": "conformance",
        "kind": _WIRE_KINDS[kind],
        "parameters_json": json.dumps(parameters or {}),
        "credit_window": 4,
        "max_batch_events": 4096,
        **MACHINE,
        **changes,
    }
    return units_pb2.ModelMessage(hello=units_pb2.ModelHello(**fields))


def drive(
    unit: type[Unit],
    scene: Scenario,
    *,
    batch: int = 4096,
    parameters: dict[str, Any] | None = None,
    snapshot_at: int | None = None,
    restore: bytes = b"",
    skip: int = 0,
) -> Transcript:
    """Return what a fresh instance of `unit` says to a scenario.

    Args:
        unit: class of the unit.
        scene: the events.
        batch: events a batch at most.
        parameters: the unit's own.
        snapshot_at: take a snapshot after so many messages, and stop there.
        restore: a snapshot to start from; tensors and views are registered before.
        skip: leave out so many messages at the start, those that register tensors and views excepted.
    """
    said = Transcript()

    def messages() -> Iterator[Any]:
        yield model_hello(unit.kind, parameters)
        for place, message in enumerate(scene.messages(batch)):
            if place == snapshot_at:
                yield _lifecycle(units_pb2.Lifecycle.PHASE_SNAPSHOT)
                return
            if place == skip and restore:
                yield _lifecycle(units_pb2.Lifecycle.PHASE_RESTORE, snapshot=restore)
            if place >= skip or _registers(message):
                yield message
        yield _lifecycle(units_pb2.Lifecycle.PHASE_COUNTERS)
        yield units_pb2.ModelMessage(goodbye=units_pb2.Goodbye(reason="done"))

    stream = UnitStream(lambda _name, _kind, machine, given: unit(machine, given))
    for message in stream.run(messages()):
        _take(said, message)
    return said


def _lifecycle(phase: Any, **fields: Any) -> Any:
    return units_pb2.ModelMessage(lifecycle=units_pb2.Lifecycle(phase=phase, token=1, **fields))


def _registers(message: Any) -> bool:
    phases = (units_pb2.Lifecycle.PHASE_TENSOR_ADDED, units_pb2.Lifecycle.PHASE_VIEW_ADDED)
    return message.WhichOneof("body") == "lifecycle" and message.lifecycle.phase in phases


def _take(said: Transcript, message: Any) -> None:
    body = message.WhichOneof("body")
    if body == "hello":
        said.hello = message.hello
    elif body == "failure":
        said.failure = message.failure
    elif body == "acknowledge":
        said.acknowledged.append(message.acknowledge.through_sequence)
    elif body == "lifecycle":
        said.snapshot = message.lifecycle.snapshot
        said.counters = json.loads(message.lifecycle.counters_json or "{}")
    elif body == "replies":
        if message.HasField("handled"):
            said.acknowledged.append(message.handled.through_sequence)
        said.answers.update(answers_of(message.replies))


def answers_of(replies: Any) -> dict[int, Answer]:
    """Return the answers of a batch by sequence number."""
    sequences = np.frombuffer(replies.sequence, "<u8").tolist()
    latencies = np.frombuffer(replies.latency_ps, "<u8").tolist()
    columns = replies.WhichOneof("columns")
    if columns == "compact_tile":
        sizes = np.frombuffer(replies.compact_tile.size, "<u4").astype(np.int64)
        ends = np.cumsum(sizes)
        data = replies.compact_tile.encoded.inline
        contents = [data[end - size : end] for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)]
    else:
        contents = [getattr(replies, columns).SerializeToString(deterministic=True)]
    return {
        sequence: Answer(latency, content)
        for sequence, latency, content in zip(sequences, latencies, contents, strict=True)
    }
