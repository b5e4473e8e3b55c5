"""Bitmap: one bit an element and packed values, as SIGMA (HPCA 2020) keeps operands; layout in docs/formats.md."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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

_NAME = "bitmap"
_WORD_BITS = 32


def _row_words(tile_columns: int) -> int:
    return -(-tile_columns // _WORD_BITS)


def header_bytes(tile_rows: int, tile_columns: int) -> int:
    """Return the bytes of row starts and bitmap, where the values start."""
    starts = int(round_up(4 * (tile_rows + 1), LINE_BYTES))
    return starts + int(round_up(4 * tile_rows * _row_words(tile_columns), LINE_BYTES))


def slot_bytes(tile_rows: int, tile_columns: int) -> int:
    """Return the bytes of a tile without a zero, the worst case."""
    return header_bytes(tile_rows, tile_columns) + int(round_up(4 * tile_rows * tile_columns, LINE_BYTES))


def tile_bytes(row_counts: NDArray[Any], tile_columns: int) -> NDArray[np.int64]:
    """Return int64[n], the encoded bytes of tiles with `row_counts` [n, tile_rows] non-zeros."""
    nonzeros = row_counts.sum(axis=1, dtype=np.int64)
    return np.asarray(header_bytes(row_counts.shape[1], tile_columns) + round_up(4 * nonzeros, LINE_BYTES), np.int64)


def encode(dense: NDArray[np.float32]) -> EncodedTiles:
    """Encode dense tiles.

    Args:
        dense: float32[n, tile_rows, tile_columns]; zeros of either sign are dropped, all else is kept bit for bit.

    Raises:
        UnitError: where `dense` has another rank or dtype.
    """
    bits = bit_patterns(dense, _NAME)
    count, rows, columns = dense.shape
    mask = nonzero_mask(bits)
    row_words = _row_words(columns)
    padded = np.zeros((count * rows, row_words * _WORD_BITS), np.bool_)
    padded[:, :columns] = mask
    bitmap = np.packbits(padded, axis=1, bitorder="little").view("<u4").reshape(count, rows * row_words)
    per_tile = np.count_nonzero(mask, axis=1).reshape(count, rows) if columns else np.zeros((count, rows), np.int64)
    nonzeros = per_tile.sum(axis=1)
    size = tile_bytes(per_tile, columns)
    start = exclusive_sum(size)
    data = np.zeros(int(size.sum()), np.uint8)
    words = data.view("<u4")
    starts = np.zeros((count, rows + 1), np.int64)
    np.cumsum(per_tile, axis=1, out=starts[:, 1:])
    words[(start // 4)[:, None] + np.arange(rows + 1)] = starts
    bitmap_at = start // 4 + int(round_up(4 * (rows + 1), LINE_BYTES)) // 4
    words[bitmap_at[:, None] + np.arange(rows * row_words)] = bitmap
    values = (start + header_bytes(rows, columns)) // 4
    words[np.arange(int(nonzeros.sum())) + np.repeat(values - exclusive_sum(nonzeros), nonzeros)] = bits[mask]
    return EncodedTiles(size=size.astype(np.uint32), data=data)


def decode(tiles: EncodedTiles, tile_rows: int, tile_columns: int) -> NDArray[np.float32]:
    """Return float32[n, tile_rows, tile_columns]; missing elements are +0.0.

    Raises:
        UnitError: where sizes, row starts or the bitmap contradict each other; the tile is named.
    """
    header = header_bytes(tile_rows, tile_columns)
    check_extent(tiles, _NAME, header)
    count, start = len(tiles.size), tiles.starts()
    words = padded_words(tiles.data)
    row_words = _row_words(tile_columns)
    starts = words[(start // 4)[:, None] + np.arange(tile_rows + 1)].astype(np.int64)
    bitmap_at = start // 4 + int(round_up(4 * (tile_rows + 1), LINE_BYTES)) // 4
    bitmap = np.ascontiguousarray(words[bitmap_at[:, None] + np.arange(tile_rows * row_words)])
    unpacked = np.unpackbits(bitmap.view(np.uint8), axis=1, bitorder="little", count=None)
    padded = unpacked.reshape(count, tile_rows, row_words * _WORD_BITS).astype(np.bool_)
    mask = padded[:, :, :tile_columns]
    per_row = np.count_nonzero(mask, axis=2) if tile_columns else np.zeros((count, tile_rows), np.int64)
    nonzeros = per_row.sum(axis=1)
    right = (np.diff(starts, axis=1) == per_row).all(axis=1) & (starts[:, 0] == 0)
    right &= ~padded[:, :, tile_columns:].any(axis=(1, 2))
    right &= tiles.size.astype(np.int64) == header + round_up(4 * nonzeros, LINE_BYTES)
    require(right, _NAME, "size, row starts and bitmap contradict")
    values = (start + header) // 4
    dense = np.zeros((count, tile_rows, tile_columns), np.uint32)
    dense[mask] = words[np.arange(int(nonzeros.sum())) + np.repeat(values - exclusive_sum(nonzeros), nonzeros)]
    return dense.view("<f4")
