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

__all__ = ["LayerSpan", "Timeline", "run_timeline"]

_PS_PER_US = 1_000_000


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


def run_timeline(launches: Iterable[LaunchResult], layers: Iterable[LayerSpan]) -> Timeline:
    """Return a timeline of layers and kernels; the launch tail of a kernel is a span inside the kernel's."""
    timeline = Timeline()
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
    return timeline
