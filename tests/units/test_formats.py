"""Tile formats: round trips, sizes, and a tile walked word by word as docs/formats.md tells."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spartan_units.errors import UnitError
from spartan_units.formats import FORMATS, EncodedTiles, tile_format

NAMES = sorted(FORMATS)
SPECIAL = [0.0, -0.0, 1.0, -1.5, float("inf"), float("-inf"), float("nan")]
DENORMALS = {"<f4": [1e-42, -1e-45], "<f2": [6e-8, -6e-8]}


def dtype_of(name):
    return "<f2" if name == "ellpack_dib16" else "<f4"


@st.composite
def tiles_for(draw, name):
    """Random shapes and densities from 0 to 1, whole rows of zeros, and the values that formats get wrong."""
    dtype = dtype_of(name)
    shape = draw(hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=70))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dense = rng.standard_normal(shape).astype(dtype)
    dense[rng.random(shape) >= draw(st.floats(0, 1))] = 0
    dense[rng.random(shape[:2]) < draw(st.sampled_from([0.0, 0.3]))] = 0
    for value in draw(st.lists(st.sampled_from(SPECIAL + DENORMALS[dtype]), max_size=8)):
        dense.reshape(-1)[rng.integers(dense.size)] = value
    return dense


def unsigned(values):
    return values.view(f"<u{values.dtype.itemsize}")


def magnitude(dense):
    return unsigned(dense) << 1 & (0xFFFF if dense.dtype.itemsize == 2 else 0xFFFFFFFF)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_round_trip_keeps_every_bit_but_the_sign_of_zero(name, data):
    dense = data.draw(tiles_for(name))
    _, rows, columns = dense.shape
    module = FORMATS[name]
    encoded = module.encode(dense)
    expected = np.where(magnitude(dense) == 0, 0, unsigned(dense))
    assert np.array_equal(unsigned(module.decode(encoded, rows, columns)), expected)
    assert (encoded.size % 64 == 0).all()
    assert (encoded.size <= module.slot_bytes(rows, columns)).all()
    row_counts = (magnitude(dense) != 0).sum(axis=2)
    arguments = (columns,) if name in ("bitmap", "zvc", "dense") else ()
    assert encoded.size.tolist() == module.tile_bytes(row_counts, *arguments).tolist()


def up(content):
    return content + bytes(-len(content) % 64)


def spelled_out(name, tile):
    """One tile by the letter of the specification, element by element."""
    rows = [[(c, value) for c, value in enumerate(row.tolist()) if value != 0] for row in tile]
    flat = [pair for row in rows for pair in row]
    starts = [sum(len(row) for row in rows[:r]) for r in range(len(rows) + 1)]
    values = b"".join(struct.pack("<f", value) for _, value in flat)
    if name == "dense":
        return up(struct.pack(f"<{tile.size}f", *(value + 0.0 for value in tile.reshape(-1).tolist())))
    if name == "csr":
        columns = b"".join(struct.pack("<H", c) for c, _ in flat)
        return up(struct.pack(f"<{len(starts)}I", *starts)) + up(values) + up(columns)
    if name == "bitmap":
        words = b""
        for row in rows:
            bits = sum(1 << c for c, _ in row)
            words += bits.to_bytes(-(-tile.shape[1] // 32) * 4, "little")
        return up(struct.pack(f"<{len(starts)}I", *starts)) + up(words) + up(values)
    if name == "zvc":
        stream, out = [value for row in tile.tolist() for value in row], b""
        for first in range(0, len(stream), 32):
            window = stream[first : first + 32]
            out += struct.pack("<I", sum(1 << i for i, value in enumerate(window) if value != 0))
            out += b"".join(struct.pack("<f", value) for value in window if value != 0)
        return up(out)
    pitch = -(-max(len(row) for row in rows) // 16) * 16
    out = up(struct.pack("<2I", pitch, len(flat))) + up(struct.pack(f"<{len(rows)}I", *[len(row) for row in rows]))
    for row in rows:
        out += b"".join(struct.pack("<eH", value, c) for c, value in row) + bytes(4 * (pitch - len(row)))
    return out


@pytest.mark.parametrize("name", [n for n in NAMES if n != "ellpack_dib"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_bytes_are_those_of_the_specification(name, data):
    dense = data.draw(tiles_for(name))
    dense[~np.isfinite(dense)] = 2  # struct.pack keeps only the quiet NaN
    encoded = FORMATS[name].encode(dense)
    expected = [spelled_out(name, tile) for tile in dense]
    assert encoded.size.tolist() == [len(tile) for tile in expected]
    assert encoded.data.tobytes() == b"".join(expected)


@pytest.mark.parametrize("name", NAMES)
def test_no_tile_and_empty_tiles(name):
    module = FORMATS[name]
    none = module.encode(np.zeros((0, 4, 4), dtype_of(name)))
    assert len(none.data) == 0
    assert module.decode(none, 4, 4).shape == (0, 4, 4)
    empty = module.encode(np.zeros((2, 3, 40), dtype_of(name)))
    assert not module.decode(empty, 3, 40).any()


BROKEN = [(name, change) for name in NAMES for change in ("word", "size", "data")]


@pytest.mark.parametrize(("name", "change"), [case for case in BROKEN if case != ("dense", "word")])
def test_a_broken_tile_is_refused(name, change):
    module = FORMATS[name]
    encoded = module.encode(np.ones((3, 4, 4), dtype_of(name)))
    data, size = encoded.data.copy(), encoded.size.copy()
    if change == "word":
        data[int(encoded.size[0]) : int(encoded.size[0]) + 4] = 0xFF
    elif change == "size":
        size[1] += 64
    else:
        data = data[:-64]
    with pytest.raises(UnitError, match=r"tile 1|fill their data"):
        module.decode(EncodedTiles(size, data), 4, 4)


@pytest.mark.parametrize("name", NAMES)
def test_another_dtype_is_refused(name):
    with pytest.raises(UnitError, match=r"encodes float\d\d\[n, rows, columns\], got float64\[2, 2\]"):
        FORMATS[name].encode(np.zeros((2, 2)))


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(UnitError, match="unknown tile format 'coo': expected one of ellpack_dib, ellpack_dib16, csr"):
        tile_format("coo")
