"""ELLPACK-DIB: value and column index side by side, rows padded to the tile's longest row.

fp32 value and 32-bit index, 8 bytes a non-zero: an encoded tile exceeds the dense one from density 0.5 on. The
layout is specified in docs/formats.md; this module encodes and decodes whole batches of tiles at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spartan_units.formats._dib import DibLayout
from spartan_units.formats.tiles import EncodedTiles

__all__ = ["EncodedTiles", "decode", "encode", "header_bytes", "slot_bytes", "tile_bytes"]

_LAYOUT = DibLayout("ELLPACK-DIB", "<f4", "<u8")
PAIR_BYTES = _LAYOUT.pair_bytes
PITCH_PAIRS = _LAYOUT.pitch_pairs
"""Row pitches are multiples of this many pairs, so that rows start on 64-byte lines."""


def header_bytes(tile_rows: int) -> int:
    """Return the bytes of header line and row counts of a tile with `tile_rows` rows."""
    return _LAYOUT.header_bytes(tile_rows)


def slot_bytes(tile_rows: int, tile_columns: int) -> int:
    """Return the bytes of a tile without a zero, the worst case."""
    return _LAYOUT.slot_bytes(tile_rows, tile_columns)


def tile_bytes(row_counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return int64[n], the encoded bytes of tiles with `row_counts` [n, tile_rows] non-zeros."""
    return _LAYOUT.tile_bytes(row_counts)


def encode(dense: NDArray[np.float32]) -> EncodedTiles:
    """Encode dense tiles.

    Args:
        dense: float32[n, tile_rows, tile_columns]; zeros of either sign are dropped, all else is kept bit for bit.

    Raises:
        UnitError: where `dense` has another rank or dtype.
    """
    return _LAYOUT.encode(dense)


def decode(tiles: EncodedTiles, tile_rows: int, tile_columns: int) -> NDArray[np.float32]:
    """Return float32[n, tile_rows, tile_columns]; padding and missing elements are +0.0.

    Raises:
        UnitError: where sizes, pitches, counts or columns contradict each other; the tile is named.
    """
    return _LAYOUT.decode(tiles, tile_rows, tile_columns)
