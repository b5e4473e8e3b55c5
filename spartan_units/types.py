"""What units see: the machine, tensors, views, and batches of events as numpy arrays.

Virtual time is in integer picoseconds everywhere.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spartan_units.im2col import Im2col

__all__ = [
    "NO_TILE",
    "AppliedTiles",
    "CompactedTiles",
    "Machine",
    "Mark",
    "MarkKind",
    "SchedulePlan",
    "ScheduleQuery",
    "StoreBatch",
    "TensorInfo",
    "TileBatch",
    "TileCounts",
    "TilePath",
    "UnitKind",
    "ViewInfo",
]

NO_TILE = 0xFFFFFFFF
"""Stands in `ScheduleQuery.workgroup_tiles` where a work-group has fewer tiles than others."""

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]


class UnitKind(str, enum.Enum):
    """The seats of a co-simulation that a unit can fill."""

    MONITOR = "monitor"
    COMPACTION = "compaction"
    SCHEDULER = "scheduler"


class MarkKind(enum.IntEnum):
    """What a mark in virtual time stands for; the numbers are the wire's."""

    KERNEL_BEGIN = 1
    KERNEL_END = 2
    LAYER_BEGIN = 3
    LAYER_END = 4


class TilePath(enum.IntEnum):
    """The code path of a sparse GEMM for one tile, as its kernel reads it from the path table."""

    SKIP = 0
    SPARSE = 1
    DENSE = 2


@dataclass(frozen=True)
class Machine:
    """The GPU that a unit sits in."""

    model: str
    clock_hz: int
    compute_units: int
    l2_banks: int

    def cycles_to_ps(self, cycles: float) -> int:
        """Return the picoseconds that `cycles` of the GPU clock take, rounded up to a whole picosecond."""
        return int(np.ceil(cycles * 1e12 / self.clock_hz))


@dataclass(frozen=True)
class TensorInfo:
    """A rank-2 view of a tensor in device memory.

    Element (r, c) lies at `address + r * row_stride + c * column_stride`; strides are in bytes. Tiles are
    `tile_rows × tile_columns` elements, numbered row-major over the tile grid; tiles at the edge may be smaller.
    Where `im2col` is given, the matrix is the im2col matrix of an NCHW tensor at `address` and has no strides.
    """

    id: int
    name: str
    address: int
    dtype: np.dtype[Any]
    rows: int
    columns: int
    row_stride: int
    column_stride: int
    tile_rows: int
    tile_columns: int
    im2col: Im2col | None = None

    @property
    def tile_grid(self) -> tuple[int, int]:
        """Number of tiles along rows and columns."""
        return -(-self.rows // self.tile_rows), -(-self.columns // self.tile_columns)

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        grid = self.tile_grid
        return grid[0] * grid[1]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return self.rows * self.columns


@dataclass(frozen=True)
class ViewInfo:
    """A compacted view: tile t of `tensor` appears at `address + t * slot_bytes` in device memory."""

    id: int
    address: int
    tensor: TensorInfo
    format: str
    slot_bytes: int


@dataclass(frozen=True)
class StoreBatch:
    """Lines written into watched tensors, in the order in which they took effect at L2.

    Attributes:
        time_ps: uint64[n], when the line was written.
        tensor: uint32[n], tensor id.
        address: uint64[n], device address of the 64-byte line.
        mask: uint64[n], bit i is set where byte i of the line was written.
        old: uint8[n, 64], the line before.
        new: uint8[n, 64], the line after.
    """

    time_ps: U64
    tensor: U32
    address: U64
    mask: U64
    old: NDArray[np.uint8]
    new: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.time_ps)


@dataclass(frozen=True)
class Mark:
    """A kernel or layer begins or ends."""

    time_ps: int
    kind: MarkKind
    label: str


@dataclass(frozen=True)
class TileCounts:
    """A monitor's answer about one tensor.

    Attributes:
        elements: elements of the tensor.
        zeros: elements that are zero (+0.0 or −0.0).
        tile_nonzeros: uint32[tiles], non-zeros of every tile, row-major over the tile grid.
        sampled: False where this iteration was not counted and the figures are older or predicted.
    """

    elements: int
    zeros: int
    tile_nonzeros: U32
    sampled: bool = True

    @property
    def density(self) -> float:
        """Fraction of non-zeros; 0 for an empty tensor."""
        return 1.0 - self.zeros / self.elements if self.elements else 0.0


@dataclass(frozen=True)
class TileBatch:
    """Tiles of one view to be compacted, with their dense contents as they were when first asked for.

    Attributes:
        view: the view that all tiles of the batch belong to.
        time_ps: uint64[n], when the tile's dense lines are complete in the engine.
        tile: uint64[n], tile numbers.
        rows: uint32[n], rows of the tile inside the tensor.
        columns: uint32[n], columns of the tile inside the tensor.
        dense: [n, tile_rows, tile_columns] of the view's dtype, zero beyond the tensor's edge.
        speculative: asked ahead of time on the host (stateless units only): the tile may never take effect.
    """

    view: ViewInfo
    time_ps: U64
    tile: U64
    rows: U32
    columns: U32
    dense: NDArray[Any]
    speculative: bool = False

    def __len__(self) -> int:
        return len(self.time_ps)


@dataclass(frozen=True)
class AppliedTiles:
    """Tiles of one view whose answers the model has applied: from here on kernels can see them.

    Attributes:
        view: the view that all tiles belong to.
        time_ps: uint64[n], when the tile's dense lines were complete in the engine.
        tile: uint64[n], tile numbers.
        rows: uint32[n], rows of the tile inside the tensor.
        columns: uint32[n], columns of the tile inside the tensor.
        size: uint32[n], bytes of each encoded tile.
    """

    view: ViewInfo
    time_ps: U64
    tile: U64
    rows: U32
    columns: U32
    size: U32

    def __len__(self) -> int:
        return len(self.time_ps)


@dataclass(frozen=True)
class CompactedTiles:
    """A compaction engine's answer to a `TileBatch`.

    Attributes:
        size: uint32[n], bytes of each encoded tile, at most the view's slot.
        encoded: uint8[sum(size)], the tiles one after the other.
        latency_ps: uint64[n], from `time_ps` of the tile to the moment it can be read, at least the lookahead.
    """

    size: U32
    encoded: NDArray[np.uint8]
    latency_ps: U64


@dataclass(frozen=True)
class ScheduleQuery:
    """A launch whose work-groups work on tiles of a sparse operand.

    Attributes:
        time_ps: virtual time of the launch.
        kernel: kernel name.
        workgroups: number of work-groups, in linear order.
        compute_units: compute units of the GPU.
        tiles_per_workgroup: k: work-group i works on tiles [i·k, (i+1)·k), unless `workgroup_tiles` is given.
        tile_elements: elements of a full tile.
        tile_nonzeros: uint32[tiles] from the monitor, or None where nothing is known.
        workgroup_tiles: uint32[workgroups, k], tiles that each work-group works on, `NO_TILE` for none; or None.
    """

    time_ps: int
    kernel: str
    workgroups: int
    compute_units: int
    tiles_per_workgroup: int
    tile_elements: int
    tile_nonzeros: U32 | None
    workgroup_tiles: U32 | None = None

    def workgroup_nonzeros(self) -> U64 | None:
        """Return uint64[workgroups], the non-zeros of every work-group's tiles, or None where nothing is known."""
        if self.tile_nonzeros is None:
            return None
        if self.workgroup_tiles is not None:
            known = np.append(self.tile_nonzeros, np.uint32(0)).astype(np.uint64)  # the last one is NO_TILE's
            tiles = np.minimum(self.workgroup_tiles, len(self.tile_nonzeros))
            summed: U64 = known[tiles].sum(axis=1, dtype=np.uint64)
            return summed
        padded = np.zeros(self.workgroups * self.tiles_per_workgroup, np.uint64)
        count = min(len(padded), len(self.tile_nonzeros))
        padded[:count] = self.tile_nonzeros[:count]
        total: U64 = padded.reshape(self.workgroups, self.tiles_per_workgroup).sum(axis=1, dtype=np.uint64)
        return total


@dataclass(frozen=True)
class SchedulePlan:
    """A scheduler's answer.

    Attributes:
        order: uint32[n], work-groups in dispatch order; those left out are skipped.
        placement: int32[n], compute unit of each, −1 for any; None stands for all −1.
        tile_path: uint32[tiles] of `TilePath`; None stands for all sparse.
        latency_ps: from the launch to the moment the plan is in force, at least the lookahead.
    """

    order: U32
    placement: NDArray[np.int32] | None
    tile_path: U32 | None
    latency_ps: int
