"""Plans of the longest-first scheduler."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spartan_units.scheduler import LongestFirstScheduler
from spartan_units.types import Machine, ScheduleQuery, TilePath

MACHINE = Machine(model="test", clock_hz=10**9, compute_units=64, l2_banks=16)


def query_of(nonzeros, per_workgroup, elements=256):
    workgroups = -(-len(nonzeros) // per_workgroup) if nonzeros is not None else 7
    return ScheduleQuery(0, "k", workgroups, 64, per_workgroup, elements, nonzeros)


@given(hnp.arrays(np.uint32, st.integers(1, 60), elements=st.integers(0, 256)), st.integers(1, 5))
def test_every_workgroup_once_by_falling_work(nonzeros, per_workgroup):
    scheduler = LongestFirstScheduler(MACHINE)
    scheduler.start()
    query = query_of(nonzeros, per_workgroup)
    plan = scheduler.schedule(query)
    assert sorted(plan.order.tolist()) == list(range(query.workgroups))
    work = [int(nonzeros[i * per_workgroup : (i + 1) * per_workgroup].sum()) for i in plan.order]
    assert work == sorted(work, reverse=True)


def test_paths_follow_density():
    scheduler = LongestFirstScheduler(MACHINE, {"dense_above": 0.5})
    scheduler.start()
    plan = scheduler.schedule(query_of(np.array([0, 128, 129, 256], np.uint32), 1))
    assert plan.tile_path.tolist() == [TilePath.SKIP, TilePath.SPARSE, TilePath.DENSE, TilePath.DENSE]
    assert scheduler.counters()["tiles_skipped"] == 1


def test_launch_order_where_nothing_is_known():
    scheduler = LongestFirstScheduler(MACHINE)
    scheduler.start()
    plan = scheduler.schedule(query_of(None, 1))
    assert plan.order.tolist() == list(range(7))
    assert plan.tile_path is None
    assert plan.latency_ps == 64_000
