"""A scheduler that starts the work-groups with the fewest non-zeros first.

spartan units check examples/units/densest_last_scheduler.py:DensestLast
spartan run benchmarks/photo_conv.toml --unit scheduler=examples/units/densest_last_scheduler.py:DensestLast
"""

import numpy as np

from spartan_units.base import Costs, TileScheduler
from spartan_units.scheduler import tile_paths
from spartan_units.types import SchedulePlan, ScheduleQuery


class DensestLast(TileScheduler):
    """The opposite of longest processing time first, to see what the order is worth."""

    name = "densest-last"

    def costs(self) -> Costs:
        """Declare the costs."""
        return Costs(lookahead_ps=self.machine.cycles_to_ps(64))

    def schedule(self, query: ScheduleQuery) -> SchedulePlan:
        """Order the work-groups."""
        work = query.workgroup_nonzeros()
        order = np.arange(query.workgroups) if work is None else np.argsort(work, kind="stable")
        return SchedulePlan(
            order=order.astype(np.uint32),
            placement=None,
            tile_path=tile_paths(query, dense_above=1.0),
            latency_ps=self.costs().lookahead_ps,
        )
