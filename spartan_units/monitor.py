"""The sparsity monitor: exact zero counts per tile from the lines written at L2."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from spartan_units.base import Costs, Parameters, SparsityMonitor
from spartan_units.constants import constant
from spartan_units.types import StoreBatch, TensorInfo, TileCounts

__all__ = ["LineCountingMonitor", "MonitorParameters", "elements_written", "locate", "nonzero_elements", "tile_deltas"]

LINE_BYTES = 64


class MonitorParameters(Parameters):
    """Costs of the monitor; defaults and their sources stand in spartan.toml."""

    write_stall_cycles: float = Field(default=constant("monitor.write_stall_cycles"), ge=0, le=1000)
    full_line_stall_cycles: float = Field(default=constant("monitor.full_line_stall_cycles"), ge=0, le=1000)
    read_latency_ns: float = Field(default=constant("monitor.read_latency_ns"), ge=0, le=1e6)


def tile_deltas(tensor: TensorInfo, batch: StoreBatch, rows: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return (tile, change) of the non-zero counts for the lines `rows` (index array) of a batch.

    Only elements that lie inside the tensor and are written in full count; `change` is −1, 0 or +1 per element. An
    element is zero when it compares equal to 0.0, so −0.0 is a zero and NaN is not.
    """
    width = tensor.dtype.itemsize
    every = slice(None) if len(rows) == len(batch) else rows
    old, new, mask, address = batch.old[every], batch.new[every], batch.mask[every], batch.address[every]
    before, after = (nonzero_elements(lines, width) for lines in (old, new))
    changed = before != after
    if not (mask == _ALL_BYTES).all():
        changed &= elements_written(mask, width)
    # Few elements change between zero and non-zero: only those have to be found in the tensor.
    line, element = np.nonzero(changed)
    offset = (address.astype(np.int64) - tensor.address)[line] + element * width
    row, column, inside = locate(tensor, offset)
    tile = (row // tensor.tile_rows) * tensor.tile_grid[1] + column // tensor.tile_columns
    change = np.where(after[line, element], 1, -1)
    return (tile, change) if inside.all() else (tile[inside], change[inside])


_ALL_BYTES = np.uint64(0xFFFFFFFFFFFFFFFF)
_BITS: dict[int, np.dtype[Any]] = {2: np.dtype("<u2"), 4: np.dtype("<u4")}


def nonzero_elements(lines: np.ndarray[Any, np.dtype[np.uint8]], width: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return bool[n, 64 // width] of lines uint8[n, 64]: the element is not a zero of either sign."""
    bits = np.ascontiguousarray(lines).view(_BITS[width])
    return np.asarray((bits << 1) != 0)


def elements_written(mask: np.ndarray[Any, np.dtype[np.uint64]], width: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return bool[n, 64 // width]: all bytes of the element are in the byte mask."""
    bits = np.unpackbits(np.ascontiguousarray(mask).view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    return np.asarray(bits.reshape(len(mask), -1, width).all(axis=2))


def locate(tensor: TensorInfo, offset: Any) -> tuple[Any, Any, Any]:
    """Return (row, column, inside) of byte offsets into the tensor; the larger stride is divided out first.

    Strides are equal only where one dimension has extent 1; the other one is divided out then.
    """
    rows_outside = (tensor.row_stride, tensor.rows) > (tensor.column_stride, tensor.columns)
    if rows_outside:
        row, rest = np.divmod(offset, tensor.row_stride)
        column, remainder = np.divmod(rest, tensor.column_stride)
    else:
        column, rest = np.divmod(offset, tensor.column_stride)
        row, remainder = np.divmod(rest, tensor.row_stride)
    inside = (row >= 0) & (row < tensor.rows) & (column >= 0) & (column < tensor.columns) & (remainder == 0)
    return row, column, inside


class LineCountingMonitor(SparsityMonitor):
    """Counts zeros in the new bytes of a line less zeros in the bytes they replace, so repeated writes count once."""

    name = "line-counting"
    Parameters = MonitorParameters
    parameters: MonitorParameters

    def start(self) -> None:
        """Begin with no tensor."""
        self._nonzeros: dict[int, np.ndarray[Any, np.dtype[np.int64]]] = {}
        self._lines = 0
        self._reads = 0

    def costs(self) -> Costs:
        """Return the declared costs; a monitor's answer is as old as the register read takes."""
        read_ps = round(self.parameters.read_latency_ns * 1000)
        return Costs(
            lookahead_ps=read_ps,
            write_stall_cycles=self.parameters.write_stall_cycles,
            full_line_stall_cycles=self.parameters.full_line_stall_cycles,
            read_latency_ps=read_ps,
        )

    def tensor_added(self, tensor: TensorInfo, tile_nonzeros: np.ndarray[Any, np.dtype[np.uint32]]) -> None:
        """Start from the counts that the tensor has when it is registered."""
        super().tensor_added(tensor, tile_nonzeros)
        self._nonzeros[tensor.id] = tile_nonzeros.astype(np.int64)

    def tensor_removed(self, tensor: TensorInfo) -> None:
        """Forget the counts."""
        super().tensor_removed(tensor)
        self._nonzeros.pop(tensor.id, None)

    def stores(self, batch: StoreBatch) -> None:
        """Update the counters of every tile written."""
        self._lines += len(batch)
        for tensor_id in np.unique(batch.tensor):
            tensor = self._tensors.get(int(tensor_id))
            if tensor is None:
                continue
            tile, change = tile_deltas(tensor, batch, np.flatnonzero(batch.tensor == tensor_id))
            counts = self._nonzeros[tensor.id]
            counts += np.bincount(tile, change, len(counts)).astype(np.int64)

    def read_counts(self, tensor: TensorInfo, time_ps: int) -> TileCounts:
        """Return the exact counts."""
        self._reads += 1
        nonzeros = self._nonzeros[tensor.id]
        return TileCounts(
            elements=tensor.elements,
            zeros=tensor.elements - int(nonzeros.sum()),
            tile_nonzeros=nonzeros.astype(np.uint32),
        )

    def counters(self) -> dict[str, float]:
        """Return lines seen and register reads answered."""
        return {"lines": float(self._lines), "reads": float(self._reads)}
