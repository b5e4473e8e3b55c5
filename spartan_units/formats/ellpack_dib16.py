"""ELLPACK-DIB of half precision: fp16 value and 16-bit column index in one dword, 4 bytes a non-zero.

The layout is specified in docs/formats.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spartan_units.errors import UnitError
from spartan_units.formats._dib import DibLayout
from spartan_units.formats.tiles import EncodedTiles

__all__ = ["EncodedTiles", "decode", "encode", "header_bytes", "slot_bytes", "tile_bytes"]

_LAYOUT = DibLayout("ELLPACK-DIB-16", "<f2", "<u4")
MAX_COLUMNS = 1 << 16


def header_bytes(tile_rows: int) -> int:
    """Return the bytes of header line and row counts of a tile with `tile_rows` rows."""
    return _LAYOUT.header_bytes(tile_rows)


def slot_bytes(tile_rows: int, tile_columns: int) -> int:
    """Return the bytes of a tile without a zero, the worst case."""
    return _LAYOUT.slot_bytes(tile_rows, tile_columns)


def tile_bytes(row_counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return int64[n], the encoded bytes of tiles with `row_counts` [n, tile_rows] non-zeros."""
    return _LAYOUT.tile_bytes(row_counts)


def encode(dense: NDArray[np.float16]) -> EncodedTiles:
    """Encode dense tiles.

    Args:
        dense: float16[n, tile_rows, tile_columns]; zeros of either sign are dropped, all else is kept bit for bit.

    Raises:
        UnitError: where `dense` has another rank or dtype, or more columns than 16 bits can tell apart.
    """
    if dense.ndim == 3 and dense.shape[2] > MAX_COLUMNS:
        raise UnitError(
            f"ELLPACK-DIB-16 has 16-bit indices: expected at most {MAX_COLUMNS} columns, got {dense.shape[2]}"
        )
    return _LAYOUT.encode(dense)


def decode(tiles: EncodedTiles, tile_rows: int, tile_columns: int) -> NDArray[np.float16]:
    """Return float16[n, tile_rows, tile_columns]; padding and missing elements are +0.0.

    Raises:
        UnitError: where sizes, pitches, counts or columns contradict each other; the tile is named.
    """
    return _LAYOUT.decode(tiles, tile_rows, tile_columns)
