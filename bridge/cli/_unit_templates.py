"""What `spartan units new` writes: a working unit of each kind, and its test."""

from __future__ import annotations

from spartan_units.types import UnitKind

__all__ = ["TEMPLATES", "TEST_TEMPLATE"]

_MONITOR = '''"""A sparsity monitor."""

from pydantic import Field

from spartan_units.base import Costs, Parameters
from spartan_units.monitor import LineCountingMonitor
from spartan_units.types import StoreBatch, TensorInfo, TileCounts


class UNIT_CLASSParameters(Parameters):
    write_stall_cycles: float = Field(default=0.0, ge=0, le=1000)
    read_latency_ns: float = Field(default=500.0, ge=1, le=1e6)


class UNIT_CLASS(LineCountingMonitor):
    """Counts as the Spartan monitor does, without holding up the write path."""

    name = "UNIT_NAME"
    version = "0.1"
    Parameters = UNIT_CLASSParameters

    def costs(self) -> Costs:
        """Say what the unit costs: asked once, before the first event."""
        read_ps = round(self.parameters.read_latency_ns * 1000)
        stall = self.parameters.write_stall_cycles
        return Costs(lookahead_ps=read_ps, read_latency_ps=read_ps, write_stall_cycles=stall)

    def stores(self, batch: StoreBatch) -> None:
        """Take note of lines written: columns batch.address, .mask, .old, .new, one row a line."""
        super().stores(batch)

    def read_counts(self, tensor: TensorInfo, time_ps: int) -> TileCounts:
        """Answer a register read; sampled=False where the counts are older or predicted."""
        return super().read_counts(tensor, time_ps)
'''

_COMPACTION = '''"""A compaction engine."""

import numpy as np
from pydantic import Field

from spartan_units.base import CompactionEngine, Costs, Parameters
from spartan_units.formats import ellpack_dib
from spartan_units.types import AppliedTiles, CompactedTiles, TileBatch


class UNIT_CLASSParameters(Parameters):
    latency_cycles: int = Field(default=40, ge=1, le=10_000)
    elements_per_cycle: float = Field(default=32.0, gt=0, le=1024)


class UNIT_CLASS(CompactionEngine):
    """Converts a tile in a fixed time, whatever is in it."""

    name = "UNIT_NAME"
    version = "0.1"
    stateless = True  # answers follow from the tile alone: the model may ask ahead of time
    Parameters = UNIT_CLASSParameters

    def start(self) -> None:
        """Begin a run."""
        self._tiles = 0

    def costs(self) -> Costs:
        """Say what the unit costs: asked once, before the first event."""
        lookahead = self.machine.cycles_to_ps(self.parameters.latency_cycles)
        rate = self.parameters.elements_per_cycle
        return Costs(lookahead_ps=lookahead, elements_per_cycle=rate, buffers_per_instance=64)

    def compact(self, batch: TileBatch) -> CompactedTiles:
        """Encode batch.dense[n, tile_rows, tile_columns] and say how long each tile takes."""
        tiles = ellpack_dib.encode(batch.dense)
        latency = np.full(len(batch), self.costs().lookahead_ps, np.uint64)
        return CompactedTiles(size=tiles.size, encoded=tiles.data, latency_ps=latency)

    def applied(self, tiles: AppliedTiles) -> None:
        """Count the tiles that took effect."""
        self._tiles += len(tiles)

    def counters(self) -> dict[str, float]:
        """Return what goes into the results."""
        return {"tiles": float(self._tiles)}
'''

_SCHEDULER = '''"""A scheduler of sparse work-groups."""

import numpy as np
from pydantic import Field

from spartan_units.base import Costs, Parameters, TileScheduler
from spartan_units.scheduler import tile_paths
from spartan_units.types import SchedulePlan, ScheduleQuery


class UNIT_CLASSParameters(Parameters):
    latency_cycles: int = Field(default=64, ge=1, le=1_000_000)


class UNIT_CLASS(TileScheduler):
    """Starts the work-groups with the fewest non-zeros first."""

    name = "UNIT_NAME"
    version = "0.1"
    Parameters = UNIT_CLASSParameters

    def costs(self) -> Costs:
        """Say what the unit costs: asked once, before the first event."""
        return Costs(lookahead_ps=self.machine.cycles_to_ps(self.parameters.latency_cycles))

    def schedule(self, query: ScheduleQuery) -> SchedulePlan:
        """Order the work-groups of a launch, from the non-zeros of their tiles where these are known."""
        work = query.workgroup_nonzeros()
        order = np.arange(query.workgroups) if work is None else np.argsort(work, kind="stable")
        return SchedulePlan(
            order=order.astype(np.uint32),
            placement=None,
            tile_path=tile_paths(query, dense_above=1.0),
            latency_ps=self.costs().lookahead_ps,
        )
'''

TEMPLATES = {UnitKind.MONITOR: _MONITOR, UnitKind.COMPACTION: _COMPACTION, UnitKind.SCHEDULER: _SCHEDULER}

TEST_TEMPLATE = '''"""The conformance suite on UNIT_CLASS, and what it alone promises."""

from UNIT_MODULE import UNIT_CLASS
from spartan_units.testing import Conformance


class TestUNIT_CLASS(Conformance):
    unit = UNIT_CLASS
'''
