"""Dense tiles: every element, row-major, zeros of either sign as +0.0.

For dense kernels that read an im2col matrix which nothing holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spartan_units.formats.tiles import (
    LINE_BYTES,
    EncodedTiles,
    bit_patterns,
    check_extent,
    nonzero_mask,
    padded_words,
    require,
    round_up,
)

__all__ = ["EncodedTiles", "decode", "encode", "slot_bytes", "tile_bytes"]


def slot_bytes(tile_rows: int, tile_columns: int) -> int:
    """Return the bytes of a tile."""
    return int(round_up(4 * tile_rows * tile_columns, LINE_BYTES))


def tile_bytes(row_counts: NDArray[Any], tile_columns: int) -> NDArray[np.int64]:
    """Return int64[n], the encoded bytes of tiles with `row_counts` [n, tile_rows] non-zeros, which do not matter."""
    count, rows = row_counts.shape
    return np.full(count, slot_bytes(rows, tile_columns), np.int64)


def encode(dense: NDArray[np.float32]) -> EncodedTiles:
    """Encode dense tiles.

    Args:
        dense: float32[n, tile_rows, tile_columns], zeros of either sign become +0.0, all else is kept bit for bit.

    Raises:
        UnitError: where `dense` has another rank or dtype.
    """
    bits = bit_patterns(dense, "dense")
    count, rows, columns = dense.shape
    size = slot_bytes(rows, columns)
    data = np.zeros((count, size // 4), "<u4")
    data[:, : rows * columns] = np.where(nonzero_mask(bits), bits, 0).reshape(count, rows * columns)
    return EncodedTiles(size=np.full(count, size, np.uint32), data=data.reshape(-1).view(np.uint8))


def decode(tiles: EncodedTiles, tile_rows: int, tile_columns: int) -> NDArray[np.float32]:
    """Return float32[n, tile_rows, tile_columns].

    Raises:
        UnitError: where a size is not that of a tile; the tile is named.
    """
    size = slot_bytes(tile_rows, tile_columns)
    check_extent(tiles, "dense", size)
    require(tiles.size == size, "dense", f"a tile has {size} bytes")
    words = padded_words(tiles.data).reshape(len(tiles.size), size // 4)[:, : tile_rows * tile_columns]
    return np.ascontiguousarray(words).view("<f4").reshape(-1, tile_rows, tile_columns)
