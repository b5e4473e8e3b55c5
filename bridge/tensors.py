"""Matrices in device memory as units see them: watched tensors and compacted views."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.errors import ConfigurationError
from spartan_units.formats import FORMATS
from spartan_units.im2col import Im2col
from spartan_units.wire import common_pb2

if TYPE_CHECKING:
    from bridge.session import CoSimulation

__all__ = ["CompactedView", "Counts", "Im2colMatrix", "Matrix", "Tiled", "ViewTraffic", "WatchedTensor"]

_ELEMENT_TYPES = {
    np.dtype("<f4"): common_pb2.ELEMENT_TYPE_F32,
    np.dtype("<f2"): common_pb2.ELEMENT_TYPE_F16,
}


class Tiled:
    """What all tiled matrices share.

    Attributes:
        array: float32 or float16.
        rows, columns: extents.
        tile_rows, tile_columns: extents of a tile; tiles are numbered row-major over the grid of tiles.
    """

    array: DeviceArray
    rows: int
    columns: int
    tile_rows: int
    tile_columns: int

    @property
    def tile_grid(self) -> tuple[int, int]:
        """Tiles along rows and columns."""
        return -(-self.rows // self.tile_rows), -(-self.columns // self.tile_columns)

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        down, across = self.tile_grid
        return down * across

    def message(self) -> Any:
        """Return the wire's description, without an id and without what tells where elements lie."""
        return common_pb2.Tensor(
            name=self.array.name,
            address=self.array.address,
            element_type=_ELEMENT_TYPES[self.array.dtype],
            rows=self.rows,
            columns=self.columns,
            tile_rows=self.tile_rows,
            tile_columns=self.tile_columns,
        )

    def _check_type(self) -> None:
        if self.array.dtype not in _ELEMENT_TYPES:
            raise ConfigurationError(f"units see float32 and float16, array {self.array.name} is {self.array.dtype}")


@dataclass(frozen=True)
class Matrix(Tiled):
    """A tiled rank-2 view of a device array; element (r, c) is array element `r * row_stride + c * column_stride`.

    Attributes:
        array: float32 or float16.
        rows, columns: extents.
        row_stride, column_stride: in elements.
        tile_rows, tile_columns: extents of a tile; tiles are numbered row-major over the grid of tiles.
    """

    array: DeviceArray
    rows: int
    columns: int
    row_stride: int
    column_stride: int
    tile_rows: int = 32
    tile_columns: int = 32

    def __post_init__(self) -> None:
        last = (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride
        if self.rows < 1 or self.columns < 1 or last >= self.array.size:
            raise ConfigurationError(
                f"a matrix of {self.rows} × {self.columns} with strides {self.row_stride} and {self.column_stride} "
                f"does not lie inside array {self.array.name} of {self.array.size} elements"
            )
        self._check_type()

    def message(self) -> Any:
        """Return the wire's description, without an id."""
        message, width = super().message(), self.array.dtype.itemsize
        message.row_stride, message.column_stride = self.row_stride * width, self.column_stride * width
        return message


@dataclass(frozen=True)
class Im2colMatrix(Tiled):
    """The im2col matrix of an NCHW array, for views alone: nothing holds it, the engine gathers its tiles.

    Attributes:
        array: float32 or float16.
        im2col: how rows and columns follow from the array.
        offset: of the array's first element that the matrix is of, in elements: of a group's first channel.
        tile_rows, tile_columns: extents of a tile; tiles are numbered row-major over the grid of tiles.
    """

    array: DeviceArray
    im2col: Im2col
    offset: int = 0
    tile_rows: int = 32
    tile_columns: int = 32

    def __post_init__(self) -> None:
        if self.offset < 0 or self.offset + self.im2col.extent > self.array.size:
            raise ConfigurationError(
                f"an im2col matrix of {self.im2col.extent} elements from element {self.offset} on does not lie inside "
                f"array {self.array.name} of {self.array.size} elements"
            )
        self._check_type()

    @property
    def rows(self) -> int:  # type: ignore[override] # a frozen value on either side
        """Rows of the matrix."""
        return self.im2col.shape[0]

    @property
    def columns(self) -> int:  # type: ignore[override] # a frozen value on either side
        """Columns of the matrix."""
        return self.im2col.shape[1]

    def message(self) -> Any:
        """Return the wire's description, without an id."""
        message, width = super().message(), self.array.dtype.itemsize
        message.address += self.offset * width
        values = dataclasses.asdict(self.im2col)
        values |= {name: values[name] * width for name in ("image_stride", "channel_stride")}
        message.im2col.CopyFrom(common_pb2.Im2col(**values))
        return message


@dataclass(frozen=True)
class Counts:
    """What the monitor says of a tensor.

    Attributes:
        elements, zeros: of the whole tensor.
        tile_nonzeros: uint32[tiles].
        sampled: False where the figures are older or predicted.
        cycles: what reading them cost; of a burst, what the whole burst cost.
    """

    elements: int
    zeros: int
    tile_nonzeros: NDArray[np.uint32]
    sampled: bool
    cycles: int

    @property
    def density(self) -> float:
        """Fraction of non-zeros."""
        return 1.0 - self.zeros / self.elements if self.elements else 0.0

    @classmethod
    def of_message(cls, message: Any, cycles: int) -> Counts:
        """Return the counts that a reply of the model carries."""
        tiles = np.frombuffer(message.tile_nonzeros, "<u4")
        return cls(message.elements, message.zeros, tiles, message.sampled, cycles)


class WatchedTensor:
    """A tensor whose stores the monitor sees, from `CoSimulation.watch` to `close`."""

    def __init__(self, session: CoSimulation, matrix: Matrix, number: int) -> None:
        """Describe what the session has registered."""
        self._session = session
        self.matrix = matrix
        self.id = number
        self._closed = False

    def __repr__(self) -> str:
        return f"<WatchedTensor {self.matrix.array.name} {self.matrix.rows}×{self.matrix.columns}>"

    def __enter__(self) -> WatchedTensor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read_counts(self, *, on_chip: bool = False) -> Counts:
        """Read the monitor's registers; the read's latency passes in virtual time.

        Args:
            on_chip: another unit of the GPU reads, so that nothing goes over the host link.
        """
        return self._session.read_counts([self], on_chip=on_chip)[0]

    def close(self) -> None:
        """Stop watching; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._session._unwatch(self.id)


@dataclass(frozen=True)
class ViewTraffic:
    """What went through a compacted view in its life: tiles converted, and bytes on either side."""

    conversions: int
    dense_bytes: int
    encoded_bytes: int


class CompactedView:
    """A compacted view of a matrix, from `CoSimulation.view` to `close`.

    Attributes:
        address: device address of tile 0; tile t lies at `address + t * slot_bytes`.
        slot_bytes: bytes between tiles.
        traffic: after `close`.
    """

    def __init__(self, session: CoSimulation, matrix: Tiled, number: int, address: int, slot_bytes: int) -> None:
        """Describe what the session has mapped."""
        self._session = session
        self.matrix = matrix
        self.id = number
        self.address = address
        self.slot_bytes = slot_bytes
        self.traffic: ViewTraffic | None = None

    def __repr__(self) -> str:
        return f"<CompactedView {self.matrix.array.name} at {self.address:#x}, {self.matrix.tiles} tiles>"

    def __enter__(self) -> CompactedView:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> ViewTraffic:
        """Unmap the view; return what went through it."""
        if self.traffic is None:
            self.traffic = self._session._destroy_view(self.id)
        return self.traffic


def slot_bytes(format_name: str, tile_rows: int, tile_columns: int) -> int:
    """Return the bytes of a slot of a format.

    Raises:
        ConfigurationError: for an unknown format.
    """
    if format_name not in FORMATS:
        raise ConfigurationError(f"a compacted view has a format of {', '.join(FORMATS)}, got {format_name!r}")
    return int(FORMATS[format_name].slot_bytes(tile_rows, tile_columns))
