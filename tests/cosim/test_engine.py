"""The compaction engine in virtual time: finite buffers, rate, line requests, prefetch; they change no content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge import ConfigurationError, CoSimulation, UnitChoice
from bridge.errors import SpartanError
from bridge.layers.conv import ConvolutionShape
from bridge.tensors import Matrix
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind
from tests.cosim.jobs import SHAPE, Outcome, run

MANY_TILES = ConvolutionShape(1, 64, 24, 24, 32, 5, 5, pad_h=2, pad_w=2, stride_h=2, stride_w=2)


def job(
    spec: str = "builtin", batch: int = 0, shape: ConvolutionShape = SHAPE, **parameters: float
) -> tuple[Outcome, int]:
    """Return the outcome and the tiles converted."""
    units = [UnitChoice(kind, "builtin") for kind in (UnitKind.MONITOR, UnitKind.SCHEDULER)]
    engine = UnitChoice(UnitKind.COMPACTION, spec, parameters, max_batch_events=batch)
    with CoSimulation(units=[engine, *units]) as session:
        outcome = run(session, shape=shape)
    return outcome, int(dict(dict(outcome.counters)["compaction"])["tiles"])


@pytest.fixture(scope="module")
def usual() -> tuple[Outcome, int]:
    return job()


def test_a_single_buffer_converts_tiles_again_and_takes_longer():
    """Of many tiles: of few, those that meet in a bank need not be in use at the same time."""
    usual, tiles_usual = job(shape=MANY_TILES)
    outcome, tiles = job(shape=MANY_TILES, buffers=1)
    assert outcome.memory == usual.memory
    assert tiles > 2 * tiles_usual
    assert outcome.cycles[1] > usual.cycles[1]


def test_a_slow_engine_takes_longer_by_what_its_rate_says(usual):
    outcome, tiles = job(elements_per_cycle=0.25)
    assert outcome.memory == usual[0].memory
    assert tiles == usual[1]
    # 1024 elements at a quarter a cycle: no tile is there before 4096 cycles, so the kernel takes at least as long.
    assert outcome.cycles[1] - usual[0].cycles[1] > 3500


def test_one_line_at_a_time_takes_longer(usual):
    outcome, _ = job(line_requests=1)
    assert outcome.memory == usual[0].memory
    assert outcome.cycles[1] > usual[0].cycles[1]


def test_prefetch_converts_tiles_sooner_and_changes_no_content(usual):
    outcome, tiles = job(prefetch_depth=8)
    assert outcome.memory == usual[0].memory
    assert tiles >= usual[1]
    assert outcome.cycles[1] < usual[0].cycles[1]


@pytest.mark.parametrize("batch", [1, 4096])
@pytest.mark.parametrize("parameters", [{"prefetch_depth": 8}, {"buffers": 1}, {"prefetch_depth": 4, "buffers": 2}])
def test_every_placement_agrees_on_it(batch, parameters):
    assert job(DEFAULT_UNITS[UnitKind.COMPACTION], batch, **parameters) == job(**parameters)


def test_a_store_to_a_tensor_behind_a_view_is_refused_with_kernel_and_pc():
    with CoSimulation(units=[UnitChoice(UnitKind.COMPACTION, "builtin")]) as session:
        x = session.array(np.ones((64, 64), np.float32), name="x")
        y = session.array(np.ones((64, 64), np.float32), name="y")
        refused = pytest.raises(SpartanError, match=r'kernel "relu_forward" at PC 0x\w+ .*"y".*, which is read-only')
        with session.view(Matrix(y, 64, 64, 64, 1)), refused:
            session.launch("relu_forward", args={"x": x, "y": y, "n": x.size})
        session.launch("relu_forward", args={"x": x, "y": y, "n": x.size})


def test_a_view_in_a_format_that_the_engine_does_not_have_is_refused():
    with CoSimulation(units=[UnitChoice(UnitKind.COMPACTION, "builtin")]) as session:
        x = session.array(np.ones((64, 64), np.float32), name="x")
        with pytest.raises(
            ConfigurationError, match='converts to ellpack_dib, ellpack_dib16, dense, the view asks for "csr"'
        ):
            session.view(Matrix(x, 64, 64, 64, 1), "csr")


def test_a_second_launch_sees_what_was_written_in_between():
    """The L1 caches hold lines of the view from the first launch; they are dropped with it."""
    with CoSimulation(units=[UnitChoice(kind, "builtin") for kind in UnitKind]) as session:
        first = run(session, seed=1)
    with CoSimulation(units=[UnitChoice(kind, "builtin") for kind in UnitKind]) as session:
        run(session, seed=2)
        for kind in UnitKind:
            session.attach(UnitChoice(kind, "builtin"))
        assert run(session, seed=1).memory == first.memory


def test_energy_per_operation_lands_in_the_counters():
    outcome, tiles = job(f"{Path(__file__).with_name('units_for_tests.py')}:MeteredEngine")
    counters = dict(dict(outcome.counters)["compaction"])
    assert tiles > 0
    assert counters["energy_pj"] == 2 * tiles + counters["encoded_bytes"] / 4
