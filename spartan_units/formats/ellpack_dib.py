"""ELLPACK-DIB: value and column index side by side, rows padded to the tile's longest row.

The layout is specified in docs/formats.md; this module encodes and decodes whole batches of tiles at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spartan_units.errors import UnitError

__all__ = ["EncodedTiles", "decode", "encode", "header_bytes", "slot_bytes", "tile_bytes"]

LINE_BYTES = 64
PAIR_BYTES = 8
PITCH_PAIRS = 8
"""Row pitches are multiples of this many pairs, so that rows start on 64-byte lines."""

_MAGNITUDE = np.uint32(0x7FFFFFFF)


@dataclass(frozen=True)
class EncodedTiles:
    """Tiles one after the other.

    Attributes:
        size: uint32[n], bytes of each tile; all are multiples of 64.
        data: uint8[sum(size)].
    """

    size: NDArray[np.uint32]
    data: NDArray[np.uint8]


def _round_up(value: Any, multiple: int) -> Any:
    return -(-value // multiple) * multiple


def header_bytes(tile_rows: int) -> int:
    """Return the bytes of header line and row counts of a tile with `tile_rows` rows."""
    return LINE_BYTES + int(_round_up(4 * tile_rows, LINE_BYTES))


def slot_bytes(tile_rows: int, tile_columns: int) -> int:
    """Return the bytes of a tile without a zero, the worst case."""
    return header_bytes(tile_rows) + tile_rows * int(_round_up(tile_columns, PITCH_PAIRS)) * PAIR_BYTES


def tile_bytes(row_counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return int64[n], the encoded bytes of tiles with `row_counts` [n, tile_rows] non-zeros."""
    pitch = _round_up(row_counts.max(axis=1, initial=0).astype(np.int64), PITCH_PAIRS)
    sizes: NDArray[np.int64] = header_bytes(row_counts.shape[1]) + row_counts.shape[1] * pitch * PAIR_BYTES
    return sizes


def encode(dense: NDArray[np.float32]) -> EncodedTiles:
    """Encode dense tiles.

    Args:
        dense: float32[n, tile_rows, tile_columns]; zeros of either sign are dropped, all else is kept bit for bit.

    Raises:
        UnitError: where `dense` has another rank or dtype.
    """
    if dense.ndim != 3 or dense.dtype != np.dtype("<f4"):
        raise UnitError(f"ELLPACK-DIB encodes float32[n, rows, columns], got {dense.dtype}{list(dense.shape)}")
    count, rows, columns = dense.shape
    bits = np.ascontiguousarray(dense).view(np.uint32).reshape(count * rows, columns)
    mask = (bits & _MAGNITUDE) != 0
    row_counts = np.count_nonzero(mask, axis=1) if columns else np.zeros(count * rows, np.int64)
    header = header_bytes(rows)
    per_tile = row_counts.reshape(count, rows)
    pitch = _round_up(per_tile.max(axis=1, initial=0), PITCH_PAIRS)
    size = header + rows * pitch * PAIR_BYTES
    start = np.cumsum(size) - size
    data = np.zeros(int(size.sum()), np.uint8)

    words = data.view("<u4")
    first_word = start // 4
    words[first_word] = pitch
    words[first_word + 1] = per_tile.sum(axis=1)
    words[(first_word[:, None] + LINE_BYTES // 4 + np.arange(rows)).reshape(-1)] = row_counts

    # The k-th non-zero of a row goes to pair k of that row; non-zeros come in row order, columns ascending.
    where = np.flatnonzero(mask)
    first_pair = ((start[:, None] + header) // PAIR_BYTES + pitch[:, None] * np.arange(rows)).reshape(-1)
    before = np.cumsum(row_counts) - row_counts
    pair = np.arange(len(where)) + np.repeat(first_pair - before, row_counts)
    column = np.tile(np.arange(columns, dtype=np.uint64) << np.uint64(32), count * rows)[where]
    data.view("<u8")[pair] = bits.reshape(-1)[where] | column
    return EncodedTiles(size=size.astype(np.uint32), data=data)


def decode(tiles: EncodedTiles, tile_rows: int, tile_columns: int) -> NDArray[np.float32]:
    """Return float32[n, tile_rows, tile_columns]; padding and missing elements are +0.0.

    Raises:
        UnitError: where sizes, pitches, counts or columns contradict each other; the tile is named.
    """
    count = len(tiles.size)
    size = tiles.size.astype(np.int64)
    start = np.cumsum(size) - size
    header = header_bytes(tile_rows)
    if int(size.sum()) != len(tiles.data) or (count and int(size.min()) < header):
        raise UnitError(
            f"ELLPACK-DIB tiles of {tile_rows} rows have at least {header} bytes and fill their data, "
            f"got sizes from {size.min(initial=0)} that sum to {size.sum()} for {len(tiles.data)} bytes"
        )
    words = np.ascontiguousarray(tiles.data).view("<u4")
    pitch = words[start // 4].astype(np.int64)
    counts = words[(start // 4)[:, None] + LINE_BYTES // 4 + np.arange(tile_rows)].astype(np.int64)
    wrong = (pitch % PITCH_PAIRS != 0) | (size != header + tile_rows * pitch * PAIR_BYTES)
    wrong |= (counts > np.minimum(pitch, tile_columns)[:, None]).any(axis=1)
    if wrong.any():
        tile = int(np.flatnonzero(wrong)[0])
        raise UnitError(f"ELLPACK-DIB tile {tile}: size {size[tile]}, pitch {pitch[tile]} and row counts contradict")
    flat = counts.reshape(-1)
    first_pair = ((start[:, None] + header) // PAIR_BYTES + pitch[:, None] * np.arange(tile_rows)).reshape(-1)
    before = np.cumsum(flat) - flat
    pair = np.arange(int(flat.sum())) + np.repeat(first_pair - before, flat)
    pairs = np.ascontiguousarray(tiles.data).view("<u8")[pair]
    column = (pairs >> np.uint64(32)).astype(np.int64)
    row = np.repeat(np.arange(count * tile_rows), flat)
    if (column >= tile_columns).any():
        tile = int(row[np.flatnonzero(column >= tile_columns)[0]]) // tile_rows
        raise UnitError(f"ELLPACK-DIB tile {tile}: a column lies outside 0 … {tile_columns - 1}")
    dense = np.zeros(count * tile_rows * tile_columns, np.uint32)
    dense[row * tile_columns + column] = pairs.astype(np.uint32)
    return dense.view("<f4").reshape(count, tile_rows, tile_columns)
