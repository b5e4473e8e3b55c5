"""A compaction engine that skips empty rows: a tile takes as long as the rows that have non-zeros.

spartan units check examples/units/row_skipping_engine.py:RowSkippingEngine
spartan run benchmarks/photo_conv.toml --unit compaction=examples/units/row_skipping_engine.py:RowSkippingEngine
"""

import numpy as np
from pydantic import Field

from spartan_units.base import CompactionEngine, Costs, Parameters
from spartan_units.formats import ellpack_dib
from spartan_units.types import AppliedTiles, CompactedTiles, TileBatch


class RowParameters(Parameters):
    """Cycles before the first row, and for each row that is not empty."""

    setup_cycles: int = Field(default=8, ge=1, le=10_000)
    cycles_per_row: int = Field(default=2, ge=1, le=10_000)


class RowSkippingEngine(CompactionEngine):
    """Converts one row after the other and passes over empty ones."""

    name = "row-skipping"
    stateless = True
    Parameters = RowParameters
    energy_pj = {"rows": 15.0}  # noqa: RUF012 - an example, not a measurement

    def start(self) -> None:
        """Begin a run."""
        self._rows = 0

    def costs(self) -> Costs:
        """Declare the costs."""
        return Costs(lookahead_ps=self.machine.cycles_to_ps(self.parameters.setup_cycles), buffers_per_instance=64)

    def compact(self, batch: TileBatch) -> CompactedTiles:
        """Convert tiles."""
        rows = (batch.dense != 0).any(axis=2).sum(axis=1)
        cycles = self.parameters.setup_cycles + rows * self.parameters.cycles_per_row
        tiles = ellpack_dib.encode(batch.dense)
        latency = np.ceil(cycles * (1e12 / self.machine.clock_hz)).astype(np.uint64)
        return CompactedTiles(size=tiles.size, encoded=tiles.data, latency_ps=latency)

    def applied(self, tiles: AppliedTiles) -> None:
        """Count tiles that took effect."""
        self._rows += int(tiles.rows.sum())

    def counters(self) -> dict[str, float]:
        """Report the rows."""
        return {"rows": float(self._rows)}
