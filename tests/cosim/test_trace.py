"""Units on the timeline, beside the kernels that they belong to: in virtual time, and as the host saw it."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from pathlib import Path

import pytest

from bridge import CoSimulation, UnitChoice
from bridge.trace import run_timeline
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind
from tests.cosim.jobs import run

UNITS = Path(__file__).parent / "units_for_tests.py"
Spans = dict[str, dict[str, list[dict]]]


def read(path: Path) -> Spans:
    """The spans of a trace by group and track, as a viewer shows them."""
    events = json.loads(path.read_text())["traceEvents"]
    groups = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    tracks = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    found: Spans = defaultdict(lambda: defaultdict(list))
    for event in events:
        if event["ph"] == "X":
            found[groups[event["pid"]]][tracks[event["pid"], event["tid"]]].append(event)
    return found


@pytest.fixture(scope="module")
def traced(tmp_path_factory) -> tuple[Spans, list]:
    """A job with a scheduler that is slow to answer."""
    specs = {**DEFAULT_UNITS, UnitKind.SCHEDULER: f"{UNITS}:PonderingScheduler"}
    with CoSimulation(units=[UnitChoice(kind, spec) for kind, spec in specs.items()]) as session:
        run(session)
        timeline = run_timeline(session.launches, session.layers, session.unit_spans())
        times = session.unit_times()
    return read(timeline.write(tmp_path_factory.mktemp("trace") / "trace.json")), times


def of_unit(group: dict[str, list[dict]], kind: UnitKind) -> list[dict]:
    return [span for track, spans in group.items() if track.startswith(f"{kind.value}:") for span in spans]


def test_every_batch_and_event_of_every_unit_is_there(traced):
    spans, times = traced
    for group in ("units", "wall time"):
        for unit in times:
            shown = of_unit(spans[group], unit.kind)
            for name, event in unit.events.items():
                mine = [span for span in shown if span["args"]["event"] == name]
                assert len(mine) == event.batches
                assert sum(span["args"]["events"] for span in mine) == event.events


def test_stores_and_tiles_lie_within_the_kernels_that_make_them(traced):
    spans, _ = traced
    kernels = [k for k in spans["GPU"]["kernels"] if k["args"].get("kernel") == "relu_forward"]
    assert len(kernels) == 1
    stores = [s for s in of_unit(spans["units"], UnitKind.MONITOR) if s["args"]["event"] == "store"]
    tiles = [s for s in of_unit(spans["units"], UnitKind.COMPACTION) if s["args"]["event"] == "compact_tile"]
    assert stores
    for store in stores:
        assert any(k["ts"] <= store["ts"] and store["ts"] + store["dur"] <= k["ts"] + k["dur"] + 1e-9 for k in kernels)
    (layer,) = [span for span in spans["GPU"]["layers"] if span["name"] == "conv forward"]
    assert tiles
    assert all(layer["ts"] <= tile["ts"] <= layer["ts"] + layer["dur"] for tile in tiles)


def test_spans_of_one_track_follow_one_another(traced):
    for group in ("units", "wall time"):
        for spans in traced[0][group].values():
            for before, after in itertools.pairwise(spans):
                assert before["ts"] + before["dur"] <= after["ts"] + 1e-6


def test_who_waits_for_whom_shows_in_wall_time(traced):
    spans, times = traced
    waits = spans["wall time"]["the model waits"]
    longest = max(waits, key=lambda span: span["dur"])
    assert longest["args"]["unit"] == "longest-first"
    assert longest["name"] == "for longest-first: schedule"
    assert longest["dur"] >= 200_000
    scheduler = next(unit for unit in times if unit.kind is UnitKind.SCHEDULER)
    assert longest["dur"] <= scheduler.events["schedule"].wait_s * 1e6 + 1
    (asked,) = [s for s in of_unit(spans["wall time"], UnitKind.SCHEDULER) if s["args"]["event"] == "schedule"]
    assert asked["args"]["wall µs in the unit"] >= 200_000
    assert asked["ts"] <= longest["ts"] + longest["dur"]
    assert any(k["ts"] <= longest["ts"] <= k["ts"] + k["dur"] for k in spans["wall time"]["launches"])
