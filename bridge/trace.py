"""Timelines in virtual time that Perfetto and chrome://tracing open (Trace Event Format, complete events)."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from bridge.kernel import LaunchResult
    from bridge.unit_spans import UnitBatch, UnitSpans

__all__ = ["LayerSpan", "Timeline", "run_timeline"]

_PS_PER_US = 1_000_000
_PS_PER_NS = 1_000


@dataclass(frozen=True)
class LayerSpan:
    """A layer's span of virtual time."""

    label: str
    begin_ps: int
    end_ps: int


@dataclass
class Timeline:
    """Spans on named tracks, in groups; `write` makes the file."""

    _events: list[dict[str, Any]] = field(default_factory=list)
    _tracks: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def add(
        self, group: str, track: str, name: str, begin_ps: int, end_ps: int, details: Mapping[str, Any] | None = None
    ) -> None:
        """Add a span; spans on one track must nest or follow one another."""
        process, thread = self._track(group, track)
        self._events.append(
            {
                "ph": "X",
                "pid": process,
                "tid": thread,
                "name": name,
                "ts": begin_ps / _PS_PER_US,
                "dur": (end_ps - begin_ps) / _PS_PER_US,
                "args": dict(details or {}),
            }
        )

    def _track(self, group: str, track: str) -> tuple[int, int]:
        found = self._tracks.get((group, track))
        if found is not None:
            return found
        groups = list(dict.fromkeys(name for name, _ in self._tracks))
        if group in groups:
            process = groups.index(group) + 1
        else:
            process = len(groups) + 1
            self._events.append({"ph": "M", "pid": process, "name": "process_name", "args": {"name": group}})
        thread = len(self._tracks) + 1
        self._tracks[group, track] = process, thread
        self._events.append({"ph": "M", "pid": process, "tid": thread, "name": "thread_name", "args": {"name": track}})
        return process, thread

    def write(self, path: Path) -> Path:
        """Write the file in one step and return its path.

        Raises:
            ConfigurationError: where it can't be written.
        """
        document = {"displayTimeUnit": "ns", "traceEvents": self._events}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".trace", suffix=".json")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file, separators=(",", ":"))
            Path(partial).chmod(0o644)
            Path(partial).replace(path)
        except OSError as error:
            raise ConfigurationError(f"the trace {path} can't be written: {error.strerror}") from None
        return path


def run_timeline(
    launches: Iterable[LaunchResult], layers: Iterable[LayerSpan], units: Iterable[UnitSpans] = ()
) -> Timeline:
    """Return a timeline of layers, kernels and units; the launch tail of a kernel is a span inside the kernel's.

    Groups "GPU" and "units" are in virtual time. Where there are units, the group "wall time" shows the same launches
    and batches as the host saw them, and the model's waits: who waits for whom. It begins at 0 with the first of these.
    """
    timeline, launches, units = Timeline(), list(launches), list(units)
    for layer in layers:
        timeline.add("GPU", "layers", layer.label, layer.begin_ps, layer.end_ps)
    for launch in launches:
        details = {
            "kernel": launch.kernel,
            "cycles": launch.cycles,
            "cycles without tail": launch.cycles_without_tail,
            "cold": launch.cold,
            "instructions": launch.instructions,
            "L2 bytes": launch.l2_bytes,
            "DRAM bytes": launch.dram_bytes,
        }
        timeline.add("GPU", "kernels", launch.label, launch.begin_ps, launch.end_ps, details)
        if launch.cycles:
            tail = round((launch.end_ps - launch.begin_ps) * launch.launch_tail_cycles / launch.cycles)
            timeline.add("GPU", "kernels", "launch tail", launch.end_ps - tail, launch.end_ps)
    if units:
        _add_units(timeline, units)
        _add_wall_time(timeline, launches, units)
    return timeline


def _add_units(timeline: Timeline, units: list[UnitSpans]) -> None:
    """Add the batches of every unit in virtual time."""
    for unit in units:
        lanes = _Lanes(timeline, "units", _track(unit))
        for batch in unit.batches:
            lanes.add(_name(batch), batch.begin_ps, batch.end_ps, _details(batch))


def _add_wall_time(timeline: Timeline, launches: list[LaunchResult], units: list[UnitSpans]) -> None:
    """Add launches, batches and waits in wall time."""
    begins = [launch.wall_begin_ns for launch in launches] + [b.sent_ns for unit in units for b in unit.batches]
    if not begins:
        return
    zero = min(begins + [wait.from_ns for unit in units for wait in unit.waits])

    def span(lanes: _Lanes, name: str, from_ns: int, took_ns: float, details: Mapping[str, Any]) -> None:
        begin = (from_ns - zero) * _PS_PER_NS
        lanes.add(name, begin, begin + round(took_ns * _PS_PER_NS), details)

    track = _Lanes(timeline, "wall time", "launches")
    for launch in launches:
        span(track, launch.label, launch.wall_begin_ns, launch.wall_s * 1e9, {"cycles": launch.cycles})
    track = _Lanes(timeline, "wall time", "the model waits")
    waits = sorted(((wait, unit) for unit in units for wait in unit.waits), key=lambda pair: pair[0].from_ns)
    for wait, unit in waits:
        details = {"unit": unit.name, "event": wait.event, "virtual time ps": wait.time_ps}
        span(track, f"for {unit.name}: {wait.event}", wait.from_ns, wait.took_ns, details)
    for unit in units:
        track = _Lanes(timeline, "wall time", _track(unit))
        for batch in unit.batches:
            span(track, _name(batch), batch.sent_ns, batch.took_ns, _details(batch))


def _track(unit: UnitSpans) -> str:
    left_out = f", {unit.left_out:,} more not shown" if unit.left_out else ""
    return f"{unit.kind.value}: {unit.name}{left_out}"


def _name(batch: UnitBatch) -> str:
    return f"{batch.events} × {batch.event}{', ahead of time' if batch.ahead else ''}"


def _details(batch: UnitBatch) -> dict[str, Any]:
    return {
        "event": batch.event,
        "events": batch.events,
        "virtual time ps": batch.begin_ps,
        "wall µs to acknowledgement": batch.took_ns / 1000,
        "wall µs in the unit": batch.unit_ns / 1000,
    }


class _Lanes:
    """Spans that may overlap: on as many tracks as that takes."""

    def __init__(self, timeline: Timeline, group: str, track: str) -> None:
        self._timeline, self._group, self._track = timeline, group, track
        self._ends: list[int] = []

    def add(self, name: str, begin_ps: int, end_ps: int, details: Mapping[str, Any]) -> None:
        """Add a span to the first track that is free then."""
        lane = next((lane for lane, end in enumerate(self._ends) if end <= begin_ps), None)
        if lane is None:
            lane = len(self._ends)
            self._ends.append(0)
        self._ends[lane] = end_ps
        track = self._track if lane == 0 else f"{self._track} ({lane + 1})"
        self._timeline.add(self._group, track, name, begin_ps, end_ps, details)
