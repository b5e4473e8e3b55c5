"""ELLPACK-DIB for any width of value and index; docs/formats.md specifies the layout."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class DibLayout:
    """One member of the family.

    Attributes:
        name: in messages.
        dtype: of the dense elements.
        pair: dtype of a (value, index) pair; the value is its lower half.
    """

    name: str
    dtype: str
    pair: str

    @property
    def pair_bytes(self) -> int:
        """Bytes of a pair."""
        return np.dtype(self.pair).itemsize

    @property
    def pitch_pairs(self) -> int:
        """Row pitches are multiples of this many pairs, so that rows start on 64-byte lines."""
        return LINE_BYTES // self.pair_bytes

    def header_bytes(self, rows: int) -> int:
        """Return the bytes of header line and row counts."""
        return LINE_BYTES + int(round_up(4 * rows, LINE_BYTES))

    def slot_bytes(self, rows: int, columns: int) -> int:
        """Return the bytes of a tile without a zero."""
        return self.header_bytes(rows) + rows * int(round_up(columns, self.pitch_pairs)) * self.pair_bytes

    def tile_bytes(self, row_counts: NDArray[Any]) -> NDArray[np.int64]:
        """Return int64[n] for row counts [n, rows]."""
        pitch = round_up(row_counts.max(axis=1, initial=0).astype(np.int64), self.pitch_pairs)
        rows = row_counts.shape[1]
        return np.asarray(self.header_bytes(rows) + rows * pitch * self.pair_bytes, np.int64)

    def encode(self, dense: NDArray[Any]) -> EncodedTiles:
        """Encode [n, rows, columns]."""
        bits = bit_patterns(dense, self.name, self.dtype)
        count, rows, columns = dense.shape
        mask = nonzero_mask(bits)
        row_counts = np.count_nonzero(mask, axis=1) if columns else np.zeros(count * rows, np.int64)
        header = self.header_bytes(rows)
        per_tile = row_counts.reshape(count, rows)
        pitch = round_up(per_tile.max(axis=1, initial=0), self.pitch_pairs)
        size = header + rows * pitch * self.pair_bytes
        start = exclusive_sum(size)
        data = np.zeros(int(size.sum()), np.uint8)

        words = data.view("<u4")
        first_word = start // 4
        words[first_word] = pitch
        words[first_word + 1] = per_tile.sum(axis=1)
        words[(first_word[:, None] + LINE_BYTES // 4 + np.arange(rows)).reshape(-1)] = row_counts

        # The k-th non-zero of a row goes to pair k of that row; non-zeros come in row order, columns ascending.
        where = np.flatnonzero(mask)
        first_pair = ((start[:, None] + header) // self.pair_bytes + pitch[:, None] * np.arange(rows)).reshape(-1)
        pair = np.arange(len(where)) + np.repeat(first_pair - exclusive_sum(row_counts), row_counts)
        pair_type = np.dtype(self.pair).type
        index = np.arange(columns, dtype=self.pair) << pair_type(4 * self.pair_bytes)
        data.view(self.pair)[pair] = bits.reshape(-1)[where] | np.tile(index, count * rows)[where]
        return EncodedTiles(size=size.astype(np.uint32), data=data)

    def decode(self, tiles: EncodedTiles, rows: int, columns: int) -> NDArray[Any]:
        """Decode to [n, rows, columns]."""
        header = self.header_bytes(rows)
        check_extent(tiles, self.name, header)
        count, start, size = len(tiles.size), tiles.starts(), tiles.size.astype(np.int64)
        words = padded_words(tiles.data)
        pitch = words[start // 4].astype(np.int64)
        counts = words[(start // 4)[:, None] + LINE_BYTES // 4 + np.arange(rows)].astype(np.int64)
        right = (pitch % self.pitch_pairs == 0) & (size == header + rows * pitch * self.pair_bytes)
        right &= (counts <= np.minimum(pitch, columns)[:, None]).all(axis=1)
        require(right, self.name, "size, pitch and row counts contradict")
        flat = counts.reshape(-1)
        first_pair = ((start[:, None] + header) // self.pair_bytes + pitch[:, None] * np.arange(rows)).reshape(-1)
        pair = np.arange(int(flat.sum())) + np.repeat(first_pair - exclusive_sum(flat), flat)
        pairs = padded_words(tiles.data, self.pair)[pair]
        column = (pairs >> np.dtype(self.pair).type(4 * self.pair_bytes)).astype(np.int64)
        row = np.repeat(np.arange(count * rows), flat)
        if (column >= columns).any():
            tile = int(row[np.flatnonzero(column >= columns)[0]]) // rows
            raise UnitError(f"{self.name} tile {tile}: a column lies outside 0 … {columns - 1}")
        word = np.dtype(f"<u{self.pair_bytes // 2}")
        dense = np.zeros(count * rows * columns, word)
        dense[row * columns + column] = pairs.astype(word)
        return dense.view(self.dtype).reshape(count, rows, columns)
