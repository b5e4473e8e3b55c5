"""What all tile formats share: a batch of encoded tiles, and the arithmetic of packing non-zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spartan_units.errors import UnitError

__all__ = ["LINE_BYTES", "EncodedTiles", "round_up"]

LINE_BYTES = 64
"""A cache line; tiles and their sections are multiples of it."""


@dataclass(frozen=True)
class EncodedTiles:
    """Tiles one after the other.

    Attributes:
        size: uint32[n], bytes of each tile; all are multiples of 64.
        data: uint8[sum(size)].
    """

    size: NDArray[np.uint32]
    data: NDArray[np.uint8]

    def starts(self) -> NDArray[np.int64]:
        """Return int64[n], the byte at which each tile starts in `data`."""
        size = self.size.astype(np.int64)
        return np.asarray(np.cumsum(size) - size, np.int64)


def round_up(value: Any, multiple: int) -> Any:
    """Return `value` (a number or an array of integers) rounded up to a multiple."""
    return -(-value // multiple) * multiple


def bit_patterns(dense: NDArray[Any], name: str, dtype: str = "<f4") -> NDArray[Any]:
    """Return the elements of dense tiles [n, rows, columns] as unsigned integers [n · rows, columns].

    Raises:
        UnitError: where `dense` has another rank or dtype; `name` is the format's.
    """
    expected = np.dtype(dtype)
    if dense.ndim != 3 or dense.dtype != expected:
        raise UnitError(f"{name} encodes {expected.name}[n, rows, columns], got {dense.dtype}{list(dense.shape)}")
    count, rows, columns = dense.shape
    words: NDArray[Any] = np.ascontiguousarray(dense).view(f"<u{expected.itemsize}").reshape(count * rows, columns)
    return words


def nonzero_mask(bits: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which bit patterns have a magnitude: zeros of either sign are zero, denormals and NaN are not."""
    magnitude = 0x7FFFFFFF if bits.dtype.itemsize == 4 else 0x7FFF
    return np.asarray((bits & bits.dtype.type(magnitude)) != 0)


def exclusive_sum(counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return int64[n]: the sum of all counts before each, along the last axis."""
    return np.asarray(np.cumsum(counts, axis=-1, dtype=np.int64) - counts, np.int64)


def check_extent(tiles: EncodedTiles, name: str, least: int) -> None:
    """Check that sizes are at least `least` bytes, multiples of a line, and fill the data.

    Raises:
        UnitError: where they don't.
    """
    size = tiles.size.astype(np.int64)
    if int(size.sum()) != len(tiles.data) or (len(size) and (int(size.min()) < least or (size % LINE_BYTES).any())):
        raise UnitError(
            f"{name} tiles of this shape have at least {least} bytes, in multiples of {LINE_BYTES}, and fill their "
            f"data; got sizes from {size.min(initial=0)} that sum to {size.sum()} for {len(tiles.data)} bytes"
        )


def require(right: NDArray[np.bool_], name: str, what: str) -> None:
    """Check bool[n], one a tile.

    Raises:
        UnitError: names the first tile for which it is False.
    """
    if not right.all():
        raise UnitError(f"{name} tile {int(np.flatnonzero(~right)[0])}: {what}")


def padded_words(data: NDArray[np.uint8], dtype: str = "<u4") -> NDArray[Any]:
    """Return the bytes as little-endian words."""
    return np.ascontiguousarray(data).view(np.dtype(dtype))
