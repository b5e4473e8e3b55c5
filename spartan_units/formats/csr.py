"""Compressed sparse rows within a tile: row pointers, values, 16-bit column indices; docs/formats.md has the layout."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spartan_units.errors import UnitError
from spartan_units.formats.tiles import (
    LINE_BYTES,
    EncodedTiles,
    bit_patterns,
    check_extent,
    exclusive_sum,
    nonzero_mask,
    padded_words,
    require,
    round_up,
)

__all__ = ["EncodedTiles", "decode", "encode", "header_bytes", "slot_bytes", "tile_bytes"]

_NAME = "CSR"
MAX_COLUMNS = 1 << 16


def header_bytes(tile_rows: int) -> int:
    """Return the bytes of the row pointers, where the values start."""
    return int(round_up(4 * (tile_rows + 1), LINE_BYTES))


def _sizes(tile_rows: int, nonzeros: Any) -> Any:
    return header_bytes(tile_rows) + round_up(4 * nonzeros, LINE_BYTES) + round_up(2 * nonzeros, LINE_BYTES)


def slot_bytes(tile_rows: int, tile_columns: int) -> int:
    """Return the bytes of a tile without a zero, the worst case."""
    return int(_sizes(tile_rows, tile_rows * tile_columns))


def tile_bytes(row_counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return int64[n], the encoded bytes of tiles with `row_counts` [n, tile_rows] non-zeros."""
    return np.asarray(_sizes(row_counts.shape[1], row_counts.sum(axis=1, dtype=np.int64)), np.int64)


def encode(dense: NDArray[np.float32]) -> EncodedTiles:
    """Encode dense tiles.

    Args:
        dense: float32[n, tile_rows, tile_columns]; zeros of either sign are dropped, all else is kept bit for bit.

    Raises:
        UnitError: where `dense` has another rank or dtype, or more columns than 16 bits can tell apart.
    """
    bits = bit_patterns(dense, _NAME)
    count, rows, columns = dense.shape
    if columns > MAX_COLUMNS:
        raise UnitError(f"{_NAME} has 16-bit indices: expected at most {MAX_COLUMNS} columns, got {columns}")
    mask = nonzero_mask(bits)
    per_tile = np.count_nonzero(mask, axis=1).reshape(count, rows) if columns else np.zeros((count, rows), np.int64)
    nonzeros = per_tile.sum(axis=1)
    size = tile_bytes(per_tile)
    start = exclusive_sum(size)
    data = np.zeros(int(size.sum()), np.uint8)
    words = data.view("<u4")
    pointers = np.zeros((count, rows + 1), np.int64)
    np.cumsum(per_tile, axis=1, out=pointers[:, 1:])
    words[(start // 4)[:, None] + np.arange(rows + 1)] = pointers
    where = np.flatnonzero(mask)
    in_tile = np.arange(len(where)) - np.repeat(exclusive_sum(nonzeros), nonzeros)
    values = start + header_bytes(rows)
    words[np.repeat(values // 4, nonzeros) + in_tile] = bits.reshape(-1)[where]
    indices = values + round_up(4 * nonzeros, LINE_BYTES)
    column = np.tile(np.arange(columns, dtype="<u2"), count * rows)[where]
    data.view("<u2")[np.repeat(indices // 2, nonzeros) + in_tile] = column
    return EncodedTiles(size=size.astype(np.uint32), data=data)


def decode(tiles: EncodedTiles, tile_rows: int, tile_columns: int) -> NDArray[np.float32]:
    """Return float32[n, tile_rows, tile_columns]; missing elements are +0.0.

    Raises:
        UnitError: where sizes, row pointers or columns contradict each other; the tile is named.
    """
    header = header_bytes(tile_rows)
    check_extent(tiles, _NAME, header)
    count, start = len(tiles.size), tiles.starts()
    words = padded_words(tiles.data)
    pointers = words[(start // 4)[:, None] + np.arange(tile_rows + 1)].astype(np.int64)
    counts = np.diff(pointers, axis=1)
    nonzeros = pointers[:, -1]
    right = (pointers[:, 0] == 0) & (counts >= 0).all(axis=1) & (counts <= tile_columns).all(axis=1)
    right &= tiles.size.astype(np.int64) == _sizes(tile_rows, nonzeros)
    require(right, _NAME, "size and row pointers contradict")
    in_tile = np.arange(int(nonzeros.sum())) - np.repeat(exclusive_sum(nonzeros), nonzeros)
    values = start + header
    value = words[np.repeat(values // 4, nonzeros) + in_tile]
    indices = values + round_up(4 * nonzeros, LINE_BYTES)
    column = padded_words(tiles.data, "<u2")[np.repeat(indices // 2, nonzeros) + in_tile].astype(np.int64)
    inside = np.ones(count, np.bool_)
    inside[np.repeat(np.arange(count), nonzeros)[column >= tile_columns]] = False
    require(inside, _NAME, f"a column lies outside 0 … {tile_columns - 1}")
    dense = np.zeros(count * tile_rows * tile_columns, np.uint32)
    dense[np.repeat(np.arange(count * tile_rows), counts.reshape(-1)) * tile_columns + column] = value
    return dense.view("<f4").reshape(count, tile_rows, tile_columns)
