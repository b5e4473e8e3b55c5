"""Recordings of a run's events and replies, and units driven from them; docs/recording.md specifies the files."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import zstandard
from google.protobuf.message import DecodeError

from bridge.errors import ConfigurationError, UnitFailedError
from spartan_units.base import Unit
from spartan_units.stream import UnitStream
from spartan_units.types import UnitKind
from spartan_units.wire import record_pb2, units_pb2

__all__ = ["Divergence", "RecordedSeat", "Recording", "Replayed", "replay"]

FORMAT = 1
_BLOCK_LIMIT = 64 << 20


@dataclass(frozen=True)
class RecordedSeat:
    """One unit's part of a recording."""

    folder: Path
    kind: UnitKind
    unit: str
    version: str
    shadow: bool
    complete: bool
    event_count: int
    events_file: str
    replies_file: str

    def events(self) -> Iterator[Any]:
        """Yield what the unit was sent, as RecordBlock messages in order."""
        return _blocks(self.folder / self.events_file, complete=self.complete)

    def replies(self) -> Iterator[Any]:
        """Yield what the unit answered, as RecordBlock messages in order."""
        return _blocks(self.folder / self.replies_file, complete=self.complete)


@dataclass(frozen=True)
class Recording:
    """A folder that `spartan run --record` or `CoSimulation(record=…)` has left."""

    folder: Path
    seats: tuple[RecordedSeat, ...]

    @classmethod
    def open(cls, folder: Path) -> Recording:
        """Read the index.

        Raises:
            ConfigurationError: where the folder holds no recording of a known format.
        """
        index = folder / "recording.json"
        try:
            found = json.loads(index.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ConfigurationError(f"{folder} holds no recording: {index.name} can't be read") from None
        if found.get("format") != FORMAT:
            raise ConfigurationError(
                f"expected a recording of format {FORMAT} in {folder}, got format {found.get('format')!r}"
            )
        seats = tuple(
            RecordedSeat(
                folder=folder,
                kind=UnitKind(seat["kind"]),
                unit=seat["unit"],
                version=seat["version"],
                shadow=seat["shadow"],
                complete=seat["complete"],
                event_count=seat["event_count"],
                events_file=Path(seat["events"]).name,
                replies_file=Path(seat["replies"]).name,
            )
            for seat in found["seats"]
        )
        return cls(folder, seats)

    def seat(self, kind: UnitKind) -> RecordedSeat:
        """Return the first seat of a kind.

        Raises:
            ConfigurationError: where there is none.
        """
        for seat in self.seats:
            if seat.kind is kind and not seat.shadow:
                return seat
        known = ", ".join(seat.kind.value for seat in self.seats) or "none"
        raise ConfigurationError(f"the recording in {self.folder} has no {kind.value}; it has: {known}")


def _blocks(path: Path, *, complete: bool) -> Iterator[Any]:
    last = ""
    try:
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            buffered = io.BufferedReader(_Raw(stream), 1 << 20)
            while (size := _varint(buffered)) is not None:
                if size > _BLOCK_LIMIT:
                    raise ConfigurationError(f"the recording {path} is damaged: a block has {size} bytes")
                data = buffered.read(size)
                if len(data) < size:
                    raise ConfigurationError(f"the recording {path} ends in the middle of a block")
                block = record_pb2.RecordBlock.FromString(data)
                last = block.WhichOneof("body") or ""
                yield block
    except (OSError, zstandard.ZstdError, DecodeError) as error:
        raise ConfigurationError(f"the recording {path} can't be read: {error}") from None
    if complete and last != "goodbye":
        raise ConfigurationError(f"the recording {path} ends before its last block")


class _Raw(io.RawIOBase):
    """A decompressor as what BufferedReader takes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return int(self._stream.readinto(buffer))


def _varint(stream: BinaryIO) -> int | None:
    value, shift = 0, 0
    while True:
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7


@dataclass(frozen=True)
class Divergence:
    """The first answer that differs from the recorded one."""

    event: str
    sequence: int
    time_ps: int
    field: str
    recorded: str
    answered: str

    def __str__(self) -> str:
        if self.event == "handshake":
            return f"the declarations differ in {self.field}: recorded is {self.recorded}, the unit has {self.answered}"
        return (
            f"first difference at {self.event} event {self.sequence}, virtual time {self.time_ps} ps, in {self.field}: "
            f"recorded is {self.recorded}, the unit answers {self.answered}"
        )


@dataclass(frozen=True)
class Replayed:
    """What came of a replay.

    Attributes:
        events: events that the unit handled.
        answers: answers compared.
        seconds: wall time, reading included; `unit_s` the part inside the unit's own code.
        divergence: the first difference, None where there is none.
        declaration: difference of the declarations, None where there is none.
    """

    events: int
    answers: int
    seconds: float
    unit_s: float
    divergence: Divergence | None
    declaration: Divergence | None


def replay(
    seat: RecordedSeat,
    unit: type[Unit],
    parameters: dict[str, Any] | None = None,
    *,
    to_the_end: bool = False,
) -> Replayed:
    """Drive a unit with the recorded events, as fast as it goes, and compare its answers with the recorded ones.

    Args:
        seat: the recording of a unit of the same kind.
        unit: class of the unit.
        parameters: the unit's own; None for those that were recorded.
        to_the_end: go on after the first difference.

    Raises:
        UnitFailedError: where the unit fails.
        ConfigurationError: where the recording can't be read.
    """
    return _Replay(seat, unit, parameters).run(to_the_end)


class _Replay:
    def __init__(self, seat: RecordedSeat, unit: type[Unit], parameters: dict[str, Any] | None) -> None:
        self._seat = seat
        self._stream = UnitStream(lambda _name, _kind, machine, given: unit(machine, given))
        self._parameters = parameters
        self._declared: Any = None
        self._batch: Any = None
        self._problem: ConfigurationError | None = None
        self._recorded = _recorded_answers(seat)
        self._events = self._answers = self._hook_ns = 0

    def run(self, to_the_end: bool) -> Replayed:
        begin = time.perf_counter()
        divergence = declaration = None
        said = self._stream.run(self._messages())
        for message in said:
            body = message.WhichOneof("body")
            if body == "failure":
                failure = message.failure
                raise UnitFailedError(
                    f"unit {self._seat.kind.value} failed at {failure.event}, virtual time {failure.time_ps} ps: "
                    f"{failure.message}"
                )
            if body == "hello":
                declaration = _declaration_difference(self._declared, message.hello)
            elif body == "acknowledge":
                self._hook_ns += message.acknowledge.hook_ns
            elif body == "replies":
                self._hook_ns += message.handled.hook_ns
                divergence = divergence or self._compare(message.replies)
                if divergence is not None and not to_the_end:
                    said.close()  # type: ignore[attr-defined]
                    break
        if self._problem is not None:
            raise self._problem
        seconds = time.perf_counter() - begin
        return Replayed(self._events, self._answers, seconds, self._hook_ns / 1e9, divergence, declaration)

    def _messages(self) -> Iterator[Any]:
        """Yield the model's messages; an unreadable recording ends them, and is no failure of the unit."""
        try:
            yield from self._recorded_messages()
        except ConfigurationError as error:
            self._problem = error

    def _recorded_messages(self) -> Iterator[Any]:
        hello: Any = None
        for block in self._seat.events():
            body = block.WhichOneof("body")
            if body == "model":
                hello = block.model
                hello.unit = ""
                if self._parameters is not None:
                    hello.parameters_json = json.dumps(self._parameters)
            elif body == "unit":
                self._declared = block.unit
                yield units_pb2.ModelMessage(hello=hello)
            elif body == "events":
                self._batch = block.events
                self._events += block.events.count
                yield units_pb2.ModelMessage(batch=block.events)
            elif body == "lifecycle":
                yield units_pb2.ModelMessage(lifecycle=block.lifecycle)
            elif body == "goodbye":
                yield units_pb2.ModelMessage(goodbye=block.goodbye)

    def _compare(self, replies: Any) -> Divergence | None:
        for sequence, fields in _answers(replies):
            recorded = next(self._recorded, None)
            if recorded is None or recorded[0] != sequence:
                was = "no answer" if recorded is None else f"an answer to event {recorded[0]}"
                return self._divergence(sequence, "its answer", was, f"an answer to event {sequence}")
            self._answers += 1
            for (name, was, decode), (_, now, _) in zip(recorded[1], fields, strict=False):
                if was != now:
                    return self._divergence(sequence, *decode(name, was, now))
        return None

    def _divergence(self, sequence: int, name: str, was: str, now: str) -> Divergence:
        place = sequence - self._batch.first_sequence
        time_ps = int(np.frombuffer(self._batch.time_ps, "<u8")[place])
        return Divergence(self._batch.WhichOneof("columns"), sequence, time_ps, name, was, now)


_Field = tuple[str, Any, Callable[[str, Any, Any], tuple[str, str, str]]]


def _recorded_answers(seat: RecordedSeat) -> Iterator[tuple[int, list[_Field]]]:
    for block in seat.replies():
        if block.WhichOneof("body") == "replies":
            yield from _answers(block.replies)


def _answers(replies: Any) -> Iterator[tuple[int, list[_Field]]]:
    """Yield (sequence number, fields) of every answer of a batch."""
    sequences = np.frombuffer(replies.sequence, "<u8").tolist()
    latencies = np.frombuffer(replies.latency_ps, "<u8").tolist()
    columns = replies.WhichOneof("columns")
    if columns == "compact_tile":
        ends = np.cumsum(np.frombuffer(replies.compact_tile.size, "<u4").astype(np.int64)).tolist()
        data = replies.compact_tile.encoded.inline
        for sequence, latency, start, end in zip(sequences, latencies, [0, *ends], ends, strict=False):
            yield sequence, [("latency_ps", latency, _plain), ("encoded", data[start:end], _words)]
        return
    answer = getattr(replies, columns)
    fields: list[_Field] = [("latency_ps", latencies[0], _plain)]
    for descriptor in answer.DESCRIPTOR.fields:
        value = getattr(answer, descriptor.name)
        fields.append((descriptor.name, value, _words if isinstance(value, bytes) else _plain))
    yield sequences[0], fields


def _plain(name: str, was: Any, now: Any) -> tuple[str, str, str]:
    return name, str(was), str(now)


def _words(name: str, was: bytes, now: bytes) -> tuple[str, str, str]:
    """Name the first 32-bit word that differs."""
    if len(was) != len(now):
        return f"the size of {name}", f"{len(was)} bytes", f"{len(now)} bytes"
    first, second = (np.frombuffer(value[: len(value) // 4 * 4], "<u4") for value in (was, now))
    word = int(np.flatnonzero(first != second)[0])
    return f"{name}[{word}]", f"0x{first[word]:x}", f"0x{second[word]:x}"


def _declaration_difference(recorded: Any, declared: Any) -> Divergence | None:
    for descriptor in recorded.DESCRIPTOR.fields:
        if descriptor.name in ("protocol", "name", "version", "parameters_json"):
            continue
        was, now = getattr(recorded, descriptor.name), getattr(declared, descriptor.name)
        if was != now:
            return Divergence("handshake", 0, 0, descriptor.name, str(was), str(now))
    return None
