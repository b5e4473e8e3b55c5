"""ELLPACK-DIB against a tile walked word by word as docs/formats.md tells, and round trips."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spartan_units.errors import UnitError
from spartan_units.formats import ellpack_dib

SPECIAL = [0.0, -0.0, 1.0, -1.5, 1e-42, -1e-45, float("inf"), float("-inf"), float("nan")]
TILES = hnp.arrays(
    np.dtype("<f4"),
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=20),
    elements=st.one_of(st.just(0.0), st.sampled_from(SPECIAL), st.floats(width=32, allow_nan=True)),
)


def spelled_out(tile):
    """One tile by the letter of the specification."""
    columns = tile.shape[1]
    found = [
        [
            (value, c)
            for c, value in enumerate(row)
            if struct.unpack("<I", struct.pack("<f", value))[0] << 1 & 0xFFFFFFFF
        ]
        for row in tile
    ]
    longest = max(len(row) for row in found)
    pitch = (longest + 7) // 8 * 8
    out = struct.pack("<2I", pitch, sum(len(row) for row in found)) + bytes(56)
    counts = b"".join(struct.pack("<I", len(row)) for row in found)
    out += counts + bytes(-len(counts) % 64)
    for row in found:
        out += b"".join(struct.pack("<fI", value, c) for value, c in row) + bytes(8 * (pitch - len(row)))
    assert columns >= longest
    return out


@settings(max_examples=150, deadline=None)
@given(TILES)
def test_bytes_are_those_of_the_specification(dense):
    dense[np.isnan(dense)] = np.float32("nan")  # struct.pack keeps only the quiet NaN
    encoded = ellpack_dib.encode(dense)
    expected = [spelled_out(tile) for tile in dense]
    assert encoded.size.tolist() == [len(tile) for tile in expected]
    assert encoded.data.tobytes() == b"".join(expected)


@settings(max_examples=150, deadline=None)
@given(TILES)
def test_round_trip_keeps_every_bit_but_the_sign_of_zero(dense):
    _, rows, columns = dense.shape
    encoded = ellpack_dib.encode(dense)
    back = ellpack_dib.decode(encoded, rows, columns)
    assert back.view(np.uint32).tolist() == np.where(dense == 0, np.float32(0), dense).view(np.uint32).tolist()
    assert (encoded.size <= ellpack_dib.slot_bytes(rows, columns)).all()


@pytest.mark.parametrize(
    ("rows", "columns", "header", "slot"), [(16, 16, 128, 2176), (32, 32, 192, 8384), (64, 32, 320, 16704)]
)
def test_sizes_of_the_table(rows, columns, header, slot):
    assert ellpack_dib.header_bytes(rows) == header
    assert ellpack_dib.slot_bytes(rows, columns) == slot
    full = ellpack_dib.encode(np.ones((2, rows, columns), np.float32))
    assert full.size.tolist() == [slot, slot]
    empty = ellpack_dib.encode(np.zeros((1, rows, columns), np.float32))
    assert empty.size.tolist() == [header]


def test_a_broken_tile_is_named():
    encoded = ellpack_dib.encode(np.ones((3, 4, 4), np.float32))
    data = encoded.data.copy()
    data[int(encoded.size[0]) + ellpack_dib.header_bytes(4) + 4] = 9
    with pytest.raises(UnitError, match="tile 1: a column lies outside 0 … 3"):
        ellpack_dib.decode(ellpack_dib.EncodedTiles(encoded.size, data), 4, 4)


def test_another_dtype_is_refused():
    with pytest.raises(UnitError, match=r"encodes float32\[n, rows, columns\], got float64\[2, 2\]"):
        ellpack_dib.encode(np.zeros((2, 2)))
