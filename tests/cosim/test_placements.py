"""One unit, one result: wherever it runs, however events are cut, however slow it is."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from bridge import CoSimulation, UnitChoice
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind
from tests.cosim.jobs import Outcome, run
from tests.cosim.tls import Files, security, server_options, serving

HERE = Path(__file__).parent / "units_for_tests.py"
SLOW = {
    UnitKind.MONITOR: f"{HERE}:SlowMonitor",
    UnitKind.COMPACTION: f"{HERE}:SlowEngine",
    UnitKind.SCHEDULER: f"{HERE}:SlowScheduler",
}


def choices(specs: dict[UnitKind, str], batch: int) -> list[UnitChoice]:
    return [UnitChoice(kind, spec, max_batch_events=batch) for kind, spec in specs.items()]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> tuple[Outcome, Path]:
    """The job with Python units in processes of their own, recorded."""
    folder = tmp_path_factory.mktemp("recording") / "events"
    with CoSimulation(units=choices(DEFAULT_UNITS, 0), record=folder) as session:
        return run(session), folder


@pytest.mark.parametrize("kind", list(UnitKind))
def test_the_built_in_units_declare_what_the_python_ones_do(kind):
    declared = []
    for spec in ("builtin", DEFAULT_UNITS[kind]):
        with CoSimulation(units=[UnitChoice(kind, spec)]) as session:
            unit = session.units[kind]
            declared.append((unit.name, unit.version, list(unit.parameters.items())))
    assert declared[0] == declared[1]


def everywhere(spec: str) -> dict[UnitKind, str]:
    return {kind: spec.replace("*", DEFAULT_UNITS[kind]) for kind in UnitKind}


@pytest.mark.parametrize("batch", [1, 64, 4096])
@pytest.mark.parametrize("place", ["builtin", "thread:*", "*", "slow", "slow thread"])
def test_every_placement_and_batch_size_gives_the_same(recorded, place, batch):
    specs = everywhere(place)
    if place.startswith("slow"):
        specs = {kind: f"thread:{spec}" for kind, spec in SLOW.items()} if "thread" in place else SLOW
    with CoSimulation(units=choices(specs, batch)) as session:
        assert run(session) == recorded[0]


@pytest.mark.parametrize("how", ["mutual", "token", "bare"])
@pytest.mark.parametrize("batch", [1, 64, 4096])
def test_tcp_gives_the_same_for_every_batch_size_and_any_speed(recorded, tmp_path, batch, how):
    files = Files(tmp_path)
    with contextlib.ExitStack() as stack:
        units = [
            UnitChoice(
                kind,
                stack.enter_context(serving(kind, tmp_path / "log", *server_options(files, how), spec=SLOW[kind])),
                max_batch_events=batch,
                security=security(files, how),
            )
            for kind in UnitKind
        ]
        with CoSimulation(units=units) as session:
            assert {unit.placement for unit in session.units.values()} == {"tcp"}
            assert run(session) == recorded[0]


def test_being_asked_ahead_of_time_changes_nothing(recorded):
    specs = {**DEFAULT_UNITS, UnitKind.COMPACTION: f"{HERE}:CautiousEngine"}
    with CoSimulation(units=choices(specs, 0)) as session:
        assert run(session) == recorded[0]


@pytest.mark.parametrize("batch", [1, 64, 4096])
def test_a_recording_stands_in_for_its_units(recorded, batch):
    with CoSimulation(units=choices(everywhere(f"replay:{recorded[1]}"), batch)) as session:
        assert run(session) == recorded[0]
