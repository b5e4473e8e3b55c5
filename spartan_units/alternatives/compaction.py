"""A compaction engine with another latency and rate."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from spartan_units.compaction import CompactionParameters, EllpackCompactionEngine
from spartan_units.types import CompactedTiles, TileBatch

__all__ = ["SerialCompactionEngine", "SerialParameters"]


class SerialParameters(CompactionParameters):
    """As the Spartan engine, with a narrow way out."""

    nonzeros_per_cycle: float = Field(default=2.0, gt=0, le=1024)


class SerialCompactionEngine(EllpackCompactionEngine):
    """Scans as fast as the Spartan engine, but writes only a few non-zeros a cycle: dense tiles take longer."""

    name = "serial"
    Parameters = SerialParameters
    parameters: SerialParameters

    def compact(self, batch: TileBatch) -> CompactedTiles:
        """Encode as the Spartan engine does, and take as long as the slower of scanning and writing."""
        tiles = super().compact(batch)
        nonzeros: Any = np.count_nonzero(batch.dense.reshape(len(batch), -1), axis=1)
        cycles = self.parameters.pipeline_cycles + np.ceil(nonzeros / self.parameters.nonzeros_per_cycle)
        writing = np.ceil(cycles * (1e12 / self.machine.clock_hz)).astype(np.uint64)
        return CompactedTiles(tiles.size, tiles.encoded, np.maximum(tiles.latency_ps, writing))
