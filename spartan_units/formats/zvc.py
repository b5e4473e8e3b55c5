"""Zero-value compression: a mask and its non-zeros for every 32 elements, as cDMA (HPCA 2018) moves activations.

A stream, made for transfers: an element can be found only by walking the masks before it. The layout
stands in docs/formats.md.
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
    exclusive_sum,
    nonzero_mask,
    padded_words,
    require,
    round_up,
)

__all__ = ["EncodedTiles", "decode", "encode", "slot_bytes", "tile_bytes"]

_NAME = "ZVC"
_WINDOW = 32


def _windows(elements: int) -> int:
    return -(-elements // _WINDOW)


def slot_bytes(tile_rows: int, tile_columns: int) -> int:
    """Return the bytes of a tile without a zero, the worst case."""
    elements = tile_rows * tile_columns
    return int(round_up(4 * (_windows(elements) + elements), LINE_BYTES))


def tile_bytes(row_counts: NDArray[Any], tile_columns: int) -> NDArray[np.int64]:
    """Return int64[n], the encoded bytes of tiles with `row_counts` [n, tile_rows] non-zeros."""
    windows = _windows(row_counts.shape[1] * tile_columns)
    return np.asarray(round_up(4 * (windows + row_counts.sum(axis=1, dtype=np.int64)), LINE_BYTES), np.int64)


def encode(dense: NDArray[np.float32]) -> EncodedTiles:
    """Encode dense tiles.

    Args:
        dense: float32[n, tile_rows, tile_columns]; zeros of either sign are dropped, all else is kept bit for bit.

    Raises:
        UnitError: where `dense` has another rank or dtype.
    """
    bits = bit_patterns(dense, _NAME)
    count, rows, columns = dense.shape
    elements = rows * columns
    windows = _windows(elements)
    mask = np.zeros((count, windows * _WINDOW), np.bool_)
    mask[:, :elements] = nonzero_mask(bits).reshape(count, elements)
    masks = np.packbits(mask, axis=1, bitorder="little").view("<u4")
    per_window = np.count_nonzero(mask.reshape(count, windows, _WINDOW), axis=2)
    size = round_up(4 * (windows + per_window.sum(axis=1)), LINE_BYTES)
    start = exclusive_sum(size)
    data = np.zeros(int(size.sum()), np.uint8)
    words = data.view("<u4")
    # A window's mask lies behind the masks and values of all windows before it in the tile.
    mask_at = (start // 4)[:, None] + np.arange(windows) + exclusive_sum(per_window)
    words[mask_at] = masks
    flat = per_window.reshape(-1)
    at = np.arange(int(flat.sum())) + np.repeat(mask_at.reshape(-1) + 1 - exclusive_sum(flat), flat)
    words[at] = bits.reshape(count, elements)[mask[:, :elements]]
    return EncodedTiles(size=size.astype(np.uint32), data=data)


def decode(tiles: EncodedTiles, tile_rows: int, tile_columns: int) -> NDArray[np.float32]:
    """Return float32[n, tile_rows, tile_columns]; missing elements are +0.0.

    Raises:
        UnitError: where sizes and masks contradict each other; the tile is named.
    """
    elements = tile_rows * tile_columns
    windows = _windows(elements)
    check_extent(tiles, _NAME, int(round_up(4 * windows, LINE_BYTES)))
    count, end = len(tiles.size), (tiles.starts() + tiles.size) // 4
    words = padded_words(tiles.data)
    # Masks are found one after the other, over all tiles at once.
    at = tiles.starts() // 4
    mask_at = np.zeros((count, windows), np.int64)
    inside: NDArray[np.bool_] = np.ones(count, np.bool_)
    for window in range(windows):
        inside &= at < end
        mask_at[:, window] = np.where(inside, at, 0)
        at = mask_at[:, window] + 1 + _population(words[mask_at[:, window]])
    fits = tiles.size.astype(np.int64) == round_up(4 * (at - tiles.starts() // 4), LINE_BYTES)
    whole: NDArray[np.bool_] = np.asarray(inside & (at <= end) & fits, np.bool_)
    require(whole, _NAME, "size and masks contradict")
    bits = np.unpackbits(np.ascontiguousarray(words[mask_at]).view(np.uint8), axis=1, bitorder="little")
    mask = bits.reshape(count, windows * _WINDOW).astype(np.bool_)
    behind: NDArray[np.bool_] = np.asarray(mask[:, elements:].any(axis=1), np.bool_)
    require(~behind, _NAME, f"a mask names an element behind the last, {elements - 1}")
    per_window = np.count_nonzero(mask.reshape(-1, _WINDOW), axis=1)
    value_at = np.arange(int(per_window.sum())) + np.repeat(
        mask_at.reshape(-1) + 1 - exclusive_sum(per_window), per_window
    )
    dense = np.zeros((count, elements), np.uint32)
    dense[mask[:, :elements]] = words[value_at]
    return dense.view("<f4").reshape(count, tile_rows, tile_columns)


def _population(words: NDArray[Any]) -> NDArray[np.int64]:
    """Return int64[n], the bits set in uint32[n]."""
    as_bytes = np.ascontiguousarray(words).view(np.uint8).reshape(-1, 4)
    return np.asarray(np.unpackbits(as_bytes, axis=1).sum(axis=1), np.int64)
