"""Every shipped unit keeps what the conformance suite asks for, and units that do not are found out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spartan_units.alternatives import PredictingMonitor, SamplingMonitor
from spartan_units.compaction import EllpackCompactionEngine
from spartan_units.monitor import LineCountingMonitor
from spartan_units.registry import available_units, load_unit
from spartan_units.scheduler import LongestFirstScheduler
from spartan_units.testing import CHECKS, check_unit
from spartan_units.types import CompactedTiles, SchedulePlan

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "units"


@pytest.mark.parametrize("name", sorted(available_units()))
def test_every_installed_unit_conforms(name):
    assert check_unit(load_unit(name)) == dict.fromkeys(CHECKS, "")


@pytest.mark.parametrize("spec", ["row_skipping_engine.py:RowSkippingEngine", "densest_last_scheduler.py:DensestLast"])
def test_every_example_conforms_and_is_short(spec):
    file = EXAMPLES / spec.partition(":")[0]
    assert len(file.read_text().splitlines()) <= 55
    assert check_unit(load_unit(f"{EXAMPLES / spec}")) == dict.fromkeys(CHECKS, "")


def test_the_sampling_monitors_do_leave_iterations_out():
    for monitor in (SamplingMonitor, PredictingMonitor):
        result = check_unit(monitor, {"tolerance": 1.0})
        assert result == dict.fromkeys(CHECKS, "")


class Early(EllpackCompactionEngine):
    def compact(self, batch):
        tiles = super().compact(batch)
        return CompactedTiles(tiles.size, tiles.encoded, tiles.latency_ps // 100)


class Forgetful(EllpackCompactionEngine):
    def compact(self, batch):
        dense = batch.dense.copy()
        dense[:, 0, 0] = 0
        tiles = super().compact(batch)
        changed = super().compact(type(batch)(**{**vars(batch), "dense": dense}))
        return changed if len(changed.encoded) else tiles


class Counting(EllpackCompactionEngine):
    """Calls itself stateless and is not."""

    def start(self):
        super().start()
        self._asked = 0

    def compact(self, batch):
        tiles = super().compact(batch)
        self._asked += len(batch)
        latency = tiles.latency_ps + np.arange(self._asked, self._asked + len(batch), dtype=np.uint64)
        return CompactedTiles(tiles.size, tiles.encoded, latency)


class Careless(LineCountingMonitor):
    def snapshot(self):
        self._lines = 0
        return super().snapshot()


class Skipping(LongestFirstScheduler):
    def schedule(self, query):
        plan = super().schedule(query)
        return SchedulePlan(plan.order[1:], None, plan.tile_path, plan.latency_ps)


class Moody(LongestFirstScheduler):
    def schedule(self, query):
        plan = super().schedule(query)
        order = np.random.default_rng().permutation(plan.order)
        return SchedulePlan(order, None, plan.tile_path, plan.latency_ps)


@pytest.mark.parametrize(
    ("unit", "check", "words"),
    [
        (Early, "lookahead", "below the declared lookahead"),
        (Forgetful, "contents", "decodes to other values"),
        (Counting, "stateless", "differs between two orders"),
        (Careless, "snapshot", "counters differ after a restore"),
        (Skipping, "contents", "is left out"),
        (Moody, "determinism", "differs between two runs"),
    ],
)
def test_a_unit_that_does_not_is_found_out(unit, check, words):
    assert words in check_unit(unit)[check]
