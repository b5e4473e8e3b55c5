"""The compaction engine: dense tiles to ELLPACK-DIB, one engine per L2 bank."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from pydantic import Field

from spartan_units.base import CompactionEngine, Costs, Parameters
from spartan_units.constants import constant
from spartan_units.errors import UnitError
from spartan_units.formats import FORMATS, tile_format
from spartan_units.types import AppliedTiles, CompactedTiles, TileBatch

__all__ = ["AnyFormatCompactionEngine", "CompactionParameters", "EllpackCompactionEngine"]


class CompactionParameters(Parameters):
    """Rate, latency and storage of an engine; defaults and their sources stand in spartan.toml."""

    elements_per_cycle: float = Field(default=constant("compaction.elements_per_cycle"), ge=0.25, le=1024)
    pipeline_cycles: int = Field(default=constant("compaction.pipeline_cycles"), ge=1, le=10_000)
    buffers: int = Field(default=constant("compaction.buffers"), ge=1, le=65_536)
    prefetch_depth: int = Field(default=constant("compaction.prefetch_depth"), ge=0, le=4096)
    pj_per_element: float = Field(default=constant("compaction.pj_per_element"), ge=0, le=1000)
    pj_per_buffer_byte: float = Field(default=constant("compaction.pj_per_buffer_byte"), ge=0, le=1000)
    line_requests: int = Field(default=constant("compaction.line_requests"), ge=1, le=4096)


class EllpackCompactionEngine(CompactionEngine):
    """Encodes tiles as ELLPACK-DIB, or passes them dense as it gathered them.

    A tile takes the pipeline's depth plus its elements at the service rate, in either format.
    """

    name = "ellpack-dib"
    stateless = True
    formats: ClassVar[tuple[str, ...]] = ("ellpack_dib", "ellpack_dib16", "dense")
    Parameters = CompactionParameters
    parameters: CompactionParameters

    def start(self) -> None:
        """Begin with all counters at zero."""
        self._tiles = 0
        self._dense_bytes = 0
        self._encoded_bytes = 0
        self._elements = 0

    def costs(self) -> Costs:
        """Return rate, storage, and as lookahead the time of a tile with one element."""
        parameters = self.parameters
        return Costs(
            lookahead_ps=self.machine.cycles_to_ps(parameters.pipeline_cycles + 1),
            elements_per_cycle=parameters.elements_per_cycle,
            buffers_per_instance=parameters.buffers,
            prefetch_depth=parameters.prefetch_depth,
            line_requests_in_flight=parameters.line_requests,
        )

    def compact(self, batch: TileBatch) -> CompactedTiles:
        """Encode a batch of tiles at once."""
        if batch.view.format not in self.formats:
            raise UnitError(
                f"unit {self.name} converts to {', '.join(self.formats)}, the view asks for {batch.view.format}"
            )
        encoded = tile_format(batch.view.format).encode(batch.dense)
        elements = batch.rows.astype(np.int64) * batch.columns
        cycles = self.parameters.pipeline_cycles + np.ceil(elements / self.parameters.elements_per_cycle)
        latency = np.ceil(np.maximum(cycles, self.parameters.pipeline_cycles + 1) * (1e12 / self.machine.clock_hz))
        return CompactedTiles(size=encoded.size, encoded=encoded.data, latency_ps=latency.astype(np.uint64))

    def applied(self, tiles: AppliedTiles) -> None:
        """Count the tiles that took effect."""
        self._tiles += len(tiles)
        elements = int((tiles.rows.astype(np.int64) * tiles.columns).sum())
        self._elements += elements
        self._dense_bytes += elements * tiles.view.tensor.dtype.itemsize
        self._encoded_bytes += int(tiles.size.sum())

    def counters(self) -> dict[str, float]:
        """Return tiles converted, bytes on either side, and the energy of the conversions.

        The energy is that of elements on their way through the engine and of encoded bytes in its buffers; reads of L2
        are the cache's.
        """
        energy = self._elements * self.parameters.pj_per_element
        energy += self._encoded_bytes * self.parameters.pj_per_buffer_byte
        ratio = self._encoded_bytes / self._dense_bytes if self._dense_bytes else math.nan
        return {
            "tiles": float(self._tiles),
            "dense_bytes": float(self._dense_bytes),
            "encoded_bytes": float(self._encoded_bytes),
            "energy_nj": energy / 1000,
            **({} if math.isnan(ratio) else {"encoded_per_dense": ratio}),
        }


class AnyFormatCompactionEngine(EllpackCompactionEngine):
    """The same engine for all formats of `spartan_units.formats`, to weigh them against each other.

    Its rate and depth are those of the ELLPACK-DIB engine: zero detection and prefix sum are what all of them do.
    """

    name = "any-format"
    formats: ClassVar[tuple[str, ...]] = tuple(FORMATS)
