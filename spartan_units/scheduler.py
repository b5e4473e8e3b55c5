"""Schedulers of sparse GEMM work-groups."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spartan_units.base import Costs, Parameters, TileScheduler
from spartan_units.constants import constant
from spartan_units.types import SchedulePlan, ScheduleQuery, TilePath

__all__ = ["LongestFirstScheduler", "SchedulerParameters", "tile_paths"]


class SchedulerParameters(Parameters):
    """Latency and code-path threshold; defaults and their sources stand in spartan.toml."""

    latency_cycles: int = Field(default=constant("scheduler.latency_cycles"), ge=1, le=1_000_000)
    dense_above: float = Field(default=constant("scheduler.dense_above"), ge=0, le=1)


def tile_paths(query: ScheduleQuery, dense_above: float) -> np.ndarray[tuple[int], np.dtype[np.uint32]] | None:
    """Return uint32[tiles] of `TilePath`: empty tiles are skipped, tiles denser than `dense_above` go dense.

    None where the monitor knows nothing, which stands for all sparse.
    """
    if query.tile_nonzeros is None:
        return None
    density = query.tile_nonzeros / max(query.tile_elements, 1)
    path = np.where(density > dense_above, np.uint32(TilePath.DENSE), np.uint32(TilePath.SPARSE))
    path[query.tile_nonzeros == 0] = TilePath.SKIP
    return np.asarray(path, np.uint32)


class LongestFirstScheduler(TileScheduler):
    """Longest processing time first: work-groups with most non-zeros start first, on any compute unit.

    Greedy list scheduling in this order ends at most 4/3 − 1/(3m) times later than the best schedule on m machines
    (Graham 1969).
    """

    name = "longest-first"
    Parameters = SchedulerParameters
    parameters: SchedulerParameters

    def start(self) -> None:
        """Begin with all counters at zero."""
        self._launches = 0
        self._tiles_skipped = 0

    def costs(self) -> Costs:
        """Return the planning latency."""
        return Costs(lookahead_ps=self.machine.cycles_to_ps(self.parameters.latency_cycles))

    def schedule(self, query: ScheduleQuery) -> SchedulePlan:
        """Sort by non-zeros, ties by number; in launch order where nothing is known."""
        self._launches += 1
        nonzeros = query.workgroup_nonzeros()
        if nonzeros is None:
            order = np.arange(query.workgroups, dtype=np.uint32)
        else:
            order = np.argsort(-nonzeros.astype(np.int64), kind="stable").astype(np.uint32)
        path = tile_paths(query, self.parameters.dense_above)
        if path is not None:
            self._tiles_skipped += int((path == TilePath.SKIP).sum())
        return SchedulePlan(
            order=order,
            placement=None,
            tile_path=path,
            latency_ps=self.machine.cycles_to_ps(self.parameters.latency_cycles),
        )

    def counters(self) -> dict[str, float]:
        """Return launches planned and tiles skipped."""
        return {"launches": float(self._launches), "tiles_skipped": float(self._tiles_skipped)}
