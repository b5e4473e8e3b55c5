"""Schedulers to weigh longest-processing-time-first against."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spartan_units.scheduler import LongestFirstScheduler, SchedulerParameters, tile_paths
from spartan_units.types import SchedulePlan, ScheduleQuery

__all__ = ["RandomParameters", "RandomScheduler", "StaticScheduler"]


class StaticScheduler(LongestFirstScheduler):
    """Work-group i runs on compute unit i mod n, in launch order, whatever its work is."""

    name = "static"

    def schedule(self, query: ScheduleQuery) -> SchedulePlan:
        """Deal the work-groups out like cards."""
        plan = super().schedule(query)
        order = np.arange(query.workgroups, dtype=np.uint32)
        placement = (order % np.uint32(max(query.compute_units, 1))).astype(np.int32)
        return SchedulePlan(order=order, placement=placement, tile_path=plan.tile_path, latency_ps=plan.latency_ps)


class RandomParameters(SchedulerParameters):
    """As the Spartan scheduler, with the seed of the order."""

    seed: int = Field(default=1, ge=0)


class RandomScheduler(LongestFirstScheduler):
    """Another random order for every launch; the seed and the number of the launch decide it."""

    name = "random"
    Parameters = RandomParameters
    parameters: RandomParameters

    def schedule(self, query: ScheduleQuery) -> SchedulePlan:
        """Shuffle the work-groups."""
        self._launches += 1
        order = np.random.default_rng([self.parameters.seed, self._launches]).permutation(query.workgroups)
        return SchedulePlan(
            order=order.astype(np.uint32),
            placement=None,
            tile_path=tile_paths(query, self.parameters.dense_above),
            latency_ps=self.machine.cycles_to_ps(self.parameters.latency_cycles),
        )
