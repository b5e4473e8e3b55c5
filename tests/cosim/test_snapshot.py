"""Snapshots of units in a session: a restored monitor counts on from there."""

from __future__ import annotations

import numpy as np
import pytest

from bridge import ConfigurationError, CoSimulation, UnitChoice
from bridge.tensors import Matrix
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind


@pytest.mark.parametrize("spec", ["builtin", DEFAULT_UNITS[UnitKind.MONITOR]])
def test_a_restored_monitor_counts_on_from_there(spec):
    random = np.random.default_rng(3)
    first, second = (random.standard_normal((64, 64)).astype(np.float32) for _ in range(2))
    with CoSimulation(units=[UnitChoice(UnitKind.MONITOR, spec)]) as session:
        x = session.array(first, name="x")
        y = session.array(np.zeros((64, 64), np.float32), name="y")
        with session.watch(Matrix(y, 64, 64, 64, 1)) as watched:
            session.launch("relu_forward", args={"x": x, "y": y, "n": y.size})
            taken = session.snapshot(UnitKind.MONITOR)
            y.write(second)  # a copy of the host is news to the monitor too
            assert watched.read_counts().zeros == 0
            x.write(second)
            session.launch("relu_forward", args={"x": x, "y": y, "n": y.size})
            assert watched.read_counts().zeros == np.count_nonzero(second <= 0)
            session.restore(UnitKind.MONITOR, taken)
            assert watched.read_counts().zeros == np.count_nonzero(first <= 0)


def test_an_empty_seat_has_no_state():
    with CoSimulation() as session, pytest.raises(ConfigurationError, match="no scheduler is attached"):
        session.snapshot(UnitKind.SCHEDULER)
