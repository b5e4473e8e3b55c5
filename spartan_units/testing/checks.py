"""The checks themselves, one function each; a failure is one sentence."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from spartan_units.base import CompactionEngine, Unit
from spartan_units.formats import EncodedTiles, tile_format
from spartan_units.stream import PROTOCOL_MAJOR, UnitStream
from spartan_units.testing.drive import Answer, Transcript, drive, model_hello
from spartan_units.testing.scenarios import Scenario, scenario
from spartan_units.types import UnitKind
from spartan_units.wire import units_pb2

__all__ = ["CHECKS", "Check", "ConformanceError", "check_unit", "measure_throughput"]

_SEED = 20210


class ConformanceError(AssertionError):
    """A unit does not keep what every unit must; the message is one sentence."""


@dataclass(frozen=True)
class Subject:
    """The unit under test with its parameters and a scenario for its kind."""

    unit: type[Unit]
    parameters: dict[str, Any]
    scene: Scenario

    def drive(self, **options: Any) -> Transcript:
        """Drive a fresh instance; its failure is ours."""
        said = drive(self.unit, self.scene, parameters=self.parameters, **options)
        if said.failure is not None:
            raise ConformanceError(f"the unit failed at {said.failure.event}: {said.failure.message}")
        return said


Check = Callable[[Subject], None]


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise ConformanceError(sentence)


def _requests(scene: Scenario) -> Iterator[tuple[int, Any]]:
    """Yield (sequence number, event) of all requests."""
    events = (event for event in scene.events if event.kind != "lifecycle")
    for sequence, event in enumerate(events):
        if event.kind in ("read_counts", "compact_tile", "schedule"):
            yield sequence, event


def handshake(subject: Subject) -> None:
    """The declaration is complete, and another protocol version is refused in one sentence."""
    hello = subject.drive().hello
    _require(bool(hello.name and hello.version), "the unit must have a name and a version")
    _require(hello.lookahead_ps > 0, "the lookahead must be positive: a unit can't answer before it is asked")
    json.loads(hello.parameters_json)
    stream = UnitStream(lambda _name, _kind, machine, given: subject.unit(machine, given))
    said = list(stream.run(iter([model_hello(subject.unit.kind, subject.parameters, protocol={"major": 99})])))
    refused = len(said) == 1 and f"protocol {PROTOCOL_MAJOR}" in said[0].failure.message
    _require(refused, "another protocol version must be refused")


def parameters(subject: Subject) -> None:
    """An unknown parameter is refused with its name."""
    given = {**subject.parameters, "no_such_parameter": 1}
    said = drive(subject.unit, subject.scene, parameters=given)
    refused = said.failure is not None and "no_such_parameter" in said.failure.message
    _require(refused, "an unknown parameter must be refused by name; derive the unit's Parameters from Parameters")


def answers(subject: Subject) -> None:
    """Every request is answered once, every batch acknowledged, in order."""
    said = subject.drive()
    asked = [sequence for sequence, _ in _requests(subject.scene)]
    _require(
        list(said.answers) == asked, f"expected answers to {len(asked)} requests in order, got {len(said.answers)}"
    )
    _require(said.acknowledged == sorted(set(said.acknowledged)), "acknowledgements must rise")


def lookahead(subject: Subject) -> None:
    """No answer comes before the lookahead that the unit declared."""
    said = subject.drive()
    for sequence, answer in said.answers.items():
        _require(
            answer.latency_ps >= said.hello.lookahead_ps,
            f"the answer to event {sequence} has a latency of {answer.latency_ps} ps, below the declared lookahead of "
            f"{said.hello.lookahead_ps} ps",
        )


def determinism(subject: Subject) -> None:
    """Two runs give the same answers and counters."""
    _same(subject.drive(), subject.drive(), "two runs of the same events")


def batch_size(subject: Subject) -> None:
    """How events are cut into batches does not show."""
    whole = subject.drive()
    for size in (1, 7):
        _same(whole, subject.drive(batch=size), f"batches of {size} and of 4096 events", acknowledgements=False)


def snapshot(subject: Subject) -> None:
    """A restored unit goes on as the one that the snapshot is of."""
    whole = subject.drive(batch=16)
    total = sum(1 for _ in subject.scene.messages(16))
    for place in (total // 3, total - 2):
        taken = subject.drive(batch=16, snapshot_at=place).snapshot
        rest = subject.drive(batch=16, restore=taken, skip=place)
        for sequence, answer in rest.answers.items():
            _same_answer(sequence, whole.answers[sequence], answer, "a run and its continuation from a snapshot")
        _require(rest.counters == whole.counters, f"counters differ after a restore: {whole.counters}, {rest.counters}")


def counters(subject: Subject) -> None:
    """Counters are finite numbers, and the energy table names counters."""
    for name, value in subject.drive().counters.items():
        number = isinstance(value, int | float) and math.isfinite(value)
        _require(number, f"counter {name} must be a finite number, got {value!r}")


def contents(subject: Subject) -> None:
    """Answers are right: tiles decode to what they were, counts and plans let no non-zero be skipped."""
    said = subject.drive()
    check = {UnitKind.MONITOR: _counts, UnitKind.COMPACTION: _tile, UnitKind.SCHEDULER: _plan}[subject.unit.kind]
    for sequence, event in _requests(subject.scene):
        check(subject.scene, event, said.answers[sequence])


def stateless(subject: Subject) -> None:
    """A unit that calls itself stateless answers the same in any order, asked ahead of time or not."""
    if not (issubclass(subject.unit, CompactionEngine) and subject.unit.stateless):
        return
    forward = subject.drive()
    scene = Scenario(subject.scene.kind, views=subject.scene.views)
    keep = [event for event in subject.scene.events if event.kind == "lifecycle"]
    tiles = [event for event in subject.scene.events if event.kind == "compact_tile"]
    scene.events = keep + tiles[::-1]
    for event in tiles:
        event.fields["speculative"] = True
    try:
        backward = Subject(subject.unit, subject.parameters, scene).drive()
    finally:
        for event in tiles:
            del event.fields["speculative"]
    known = {_name(event): forward.answers[sequence] for sequence, event in _requests(subject.scene)}
    for sequence, event in _requests(scene):
        _same_answer(sequence, known[_name(event)], backward.answers[sequence], "two orders of asking")


def _name(event: Any) -> tuple[Any, ...]:
    return event.fields["view"], event.fields["tile"], event.fields["dense"]


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        handshake, parameters, answers, lookahead, determinism, batch_size, snapshot, counters, contents, stateless
    )
}  # fmt: skip
"""All checks by name."""


def check_unit(unit: type[Unit], parameters: dict[str, Any] | None = None) -> dict[str, str]:
    """Run all checks; return name to "" where the check passed, else to what is wrong, in one sentence."""
    found = {}
    subject = subject_of(unit, parameters)
    for name, check in CHECKS.items():
        try:
            check(subject)
        except ConformanceError as failure:
            found[name] = str(failure)
        else:
            found[name] = ""
    return found


def subject_of(unit: type[Unit], parameters: dict[str, Any] | None = None) -> Subject:
    """Return a unit with the scenario of its kind."""
    formats = unit.formats if issubclass(unit, CompactionEngine) else ()
    return Subject(unit, parameters or {}, scenario(unit.kind, _SEED, formats or ("ellpack_dib",)))


def measure_throughput(unit: type[Unit], parameters: dict[str, Any] | None = None, seconds: float = 0.5) -> float:
    """Return events a second of wall time that the unit handles in batches of 4096, the translation included."""
    subject = subject_of(unit, parameters)
    events = sum(1 for event in subject.scene.events if event.kind != "lifecycle")
    begin, rounds = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        subject.drive()
        rounds += 1
    return rounds * events / (time.perf_counter() - begin)


def _same(first: Transcript, second: Transcript, what: str, *, acknowledgements: bool = True) -> None:
    _require(list(first.answers) == list(second.answers), f"{what} are answered in different places")
    for sequence, answer in first.answers.items():
        _same_answer(sequence, answer, second.answers[sequence], what)
    _require(first.counters == second.counters, f"counters differ between {what}: {first.counters}, {second.counters}")
    if acknowledgements:
        _require(first.acknowledged == second.acknowledged, f"{what} are acknowledged differently")


def _same_answer(sequence: int, first: Answer, second: Answer, what: str) -> None:
    _require(
        first.latency_ps == second.latency_ps,
        f"the latency of event {sequence} differs between {what}: {first.latency_ps} ps, {second.latency_ps} ps",
    )
    _require(first.contents == second.contents, f"the answer to event {sequence} differs between {what}")


def _counts(scene: Scenario, event: Any, answer: Answer) -> None:
    counts = units_pb2.CountsReply.FromString(answer.contents)
    tensor = scene.tensors[event.fields["tensor"]]
    told = np.frombuffer(counts.tile_nonzeros, "<u4")
    truth = next(value for place, value in scene.truth.items() if scene.events[place] is event)
    _require(counts.elements == tensor.rows * tensor.columns, f"tensor {tensor.name} has another number of elements")
    if counts.sampled:
        _require(np.array_equal(told, truth), f"counts of {tensor.name} called exact (sampled) are not")
        _require(counts.zeros == counts.elements - int(truth.sum()), f"zeros of {tensor.name} called exact are not")
    missed = bool(((told == 0) & (truth > 0)).any())
    _require(not missed, f"a tile of {tensor.name} with non-zeros is told to have none: it would be skipped")


def _tile(scene: Scenario, event: Any, answer: Answer) -> None:
    view = scene.views[event.fields["view"]]
    size = len(answer.contents)
    name = f"tile {event.fields['tile']} of format {view.format}"
    _require(0 < size <= view.slot_bytes, f"{name} has {size} bytes, its slot {view.slot_bytes}")
    tiles = EncodedTiles(np.array([size], np.uint32), np.frombuffer(answer.contents, np.uint8))
    tensor = view.tensor
    decoded = tile_format(view.format).decode(tiles, tensor.tile_rows, tensor.tile_columns)
    dense = np.frombuffer(event.fields["dense"], decoded.dtype).reshape(decoded.shape)
    _require(np.array_equal(decoded, dense), f"{name} decodes to other values than it was made from")


def _plan(_: Scenario, event: Any, answer: Answer) -> None:
    plan = units_pb2.ScheduleReply.FromString(answer.contents)
    request = event.fields["request"]
    order = np.frombuffer(plan.order, "<u4")
    placement = np.frombuffer(plan.placement, "<i4")
    unique = len(np.unique(order)) == len(order) and (order < request.workgroups).all()
    _require(bool(unique), "the order must name each work-group once at most")
    inside = ((placement >= -1) & (placement < request.compute_units)).all()
    _require(len(placement) == len(order) and bool(inside), "the placement must name compute units or -1")
    nonzeros = np.frombuffer(request.tile_nonzeros, "<u4")
    path = np.frombuffer(plan.tile_path, "<u4")
    _require(len(path) in (0, len(nonzeros)) and bool((path <= 2).all()), "the path must be 0, 1 or 2 for each tile")
    if len(path):
        _require(not bool(((path == 0) & (nonzeros > 0)).any()), "a tile with non-zeros must not be skipped")
    left_out = np.setdiff1d(np.arange(request.workgroups), order)
    _require(
        not len(left_out),
        f"work-group {left_out[0] if len(left_out) else 0} is left out: its outputs would keep what memory held before",
    )
