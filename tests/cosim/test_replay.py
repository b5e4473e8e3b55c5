"""Recordings: units driven from them answer as they did, and what answers otherwise is named."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridge import ConfigurationError, CoSimulation, UnitChoice, UnitFailedError
from bridge.recording import Recording, replay
from spartan_units.registry import DEFAULT_UNITS, load_unit
from spartan_units.types import UnitKind
from tests.cosim.jobs import run

HERE = Path(__file__).parent
SPARTAN = Path(sys.executable).with_name("spartan")


def record(folder: Path, batch: int = 0) -> Path:
    choices = [UnitChoice(kind, "builtin", max_batch_events=batch) for kind in UnitKind]
    with CoSimulation(units=choices, record=folder) as session:
        run(session)
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    return record(tmp_path_factory.mktemp("recording") / "events")


@pytest.mark.parametrize("kind", list(UnitKind))
def test_the_python_unit_answers_what_the_built_in_one_did(recorded, kind):
    seat = Recording.open(recorded).seat(kind)
    assert seat.complete
    result = replay(seat, load_unit(DEFAULT_UNITS[kind]))
    assert result.divergence is None
    assert result.declaration is None
    assert result.events == seat.event_count > 0
    assert result.answers > 0


def test_recordings_are_equal_byte_by_byte(recorded, tmp_path):
    again = record(tmp_path / "again")
    for path in recorded.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()


def test_a_recording_does_not_overwrite_another(recorded):
    with pytest.raises(ConfigurationError, match="needs a new or empty directory"), CoSimulation(record=recorded):
        pass


def test_the_first_difference_is_named(recorded):
    seat = Recording.open(recorded).seat(UnitKind.COMPACTION)
    result = replay(seat, load_unit(f"{HERE / 'faulty_units.py'}:TooEarly"))
    assert re.fullmatch(
        r"first difference at compact_tile event \d+, virtual time \d+ ps, in latency_ps: "
        r"recorded is \d+, the unit answers 1",
        str(result.divergence),
    )
    scheduler = replay(Recording.open(recorded).seat(UnitKind.SCHEDULER), load_unit("random"))
    assert scheduler.divergence is not None
    assert scheduler.divergence.field == "order[0]"


def test_a_unit_that_declares_other_costs_is_named(recorded):
    seat = Recording.open(recorded).seat(UnitKind.COMPACTION)
    result = replay(seat, load_unit("ellpack-dib"), {"pipeline_cycles": 20})
    assert str(result.declaration) == ("the declarations differ in lookahead_ps: recorded is 13000, the unit has 21000")


def test_a_unit_that_raises_is_named(recorded):
    seat = Recording.open(recorded).seat(UnitKind.COMPACTION)
    with pytest.raises(UnitFailedError, match=r"compaction failed at compact_tile event \d+, .*tiles by zero"):
        replay(seat, load_unit(f"{HERE / 'faulty_units.py'}:Raising"))


def test_a_run_that_differs_from_the_recording_is_told_where(recorded):
    choices = [UnitChoice(kind, f"replay:{recorded}") for kind in UnitKind]
    expected = r"the run differs from the recording at event \d+, virtual time \d+ ps, in new\[\d+\]: recorded is"
    with pytest.raises(UnitFailedError, match=expected), CoSimulation(units=choices) as session:
        run(session, seed=6)


def test_the_command(recorded):
    good = [
        str(SPARTAN),
        "replay",
        str(recorded),
        "--unit",
        "monitor=line-counting",
        "--unit",
        "scheduler=longest-first",
    ]
    result = subprocess.run(good, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "answers compared" in result.stdout
    result = subprocess.run([*good, "--unit", "scheduler=random"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "first difference at schedule event" in result.stderr
    nowhere = [str(SPARTAN), "replay", str(recorded.parent), "--unit", "monitor=sampling"]
    result = subprocess.run(nowhere, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "holds no recording" in result.stderr


def test_a_damaged_recording_is_told(recorded, tmp_path):
    for path in recorded.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    seat = Recording.open(tmp_path).seat(UnitKind.MONITOR)
    events = tmp_path / seat.events_file
    events.write_bytes(events.read_bytes()[:-100])
    with pytest.raises(
        ConfigurationError,
        match=r"the recording .* (can't be read|ends in the middle of a block|ends before its last block)",
    ):
        replay(seat, load_unit("line-counting"))
