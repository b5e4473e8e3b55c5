"""The engine's im2col view: what it shows, what reads it costs, and that placements agree on it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import ConfigurationError, CoSimulation, Im2col, Im2colMatrix, Matrix, UnitChoice
from bridge.layers.conv import ConvolutionShape, FilterLayouts, dense_through_view
from bridge.reference.convolution import compare, expected
from spartan_units.formats import EncodedTiles, tile_format
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind


def windows(values: np.ndarray, g: Im2col) -> np.ndarray:
    """The im2col matrix of NCHW values, from numpy's own padding and windows."""
    n, c, h, w = values.shape
    spread = np.zeros((n, c, (h - 1) * g.input_dilation_h + 1, (w - 1) * g.input_dilation_w + 1), values.dtype)
    spread[:, :, :: g.input_dilation_h, :: g.input_dilation_w] = values
    reach_h, reach_w = (g.filter_height - 1) * g.dilation_h + 1, (g.filter_width - 1) * g.dilation_w + 1
    # Room on all sides for any padding, then cut where the first window begins.
    room = 64
    padded = np.pad(spread, ((0, 0), (0, 0), (room, room), (room, room)))[:, :, room - g.pad_h :, room - g.pad_w :]
    seen = np.lib.stride_tricks.sliding_window_view(padded, (reach_h, reach_w), (2, 3))
    seen = seen[:, :, :: g.stride_h, :: g.stride_w, :: g.dilation_h, :: g.dilation_w]
    seen = seen[:, :, : g.out_height, : g.out_width]
    if g.reversed:
        seen = seen[..., ::-1, ::-1]
    matrix = seen.transpose(1, 4, 5, 0, 2, 3).reshape(g.shape[::-1] if g.transposed else g.shape)
    return matrix.T if g.transposed else matrix


@st.composite
def geometries(draw) -> Im2col:
    small = st.integers(1, 3)
    height, width, channels = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(small)
    pads = st.integers(-2, 4)
    return Im2col(
        draw(small), channels, height, width, channels * height * width, height * width, draw(small), draw(small),
        draw(st.integers(1, 7)), draw(st.integers(1, 7)), draw(small), draw(small), draw(pads), draw(pads), draw(small),
        draw(small), draw(small), draw(small), draw(st.booleans()), draw(st.booleans()),
    )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(geometry=geometries(), seed=st.integers(0, 2**32 - 1))
def test_what_a_unit_gathers_is_what_numpy_gathers(geometry, seed):
    shape = (geometry.images, geometry.channels, geometry.height, geometry.width)
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    assert np.array_equal(geometry.gather(values.reshape(-1)), windows(values, geometry))


def read(session: CoSimulation, view, format_name: str) -> np.ndarray:
    """The matrix of a view, read by a kernel."""
    matrix = view.matrix
    content = session.array(np.zeros(matrix.tiles * view.slot_bytes // 4, np.float32), name="content")
    session.launch("copy", args={"x": view.address, "y": content, "n": content.size})
    slots = content.numpy().view(np.uint8).reshape(matrix.tiles, view.slot_bytes)
    module, extent = tile_format(format_name), (matrix.tile_rows, matrix.tile_columns)
    sizes = np.full(matrix.tiles, view.slot_bytes, np.uint32)
    if format_name == "ellpack_dib":
        pitch = slots[:, :4].copy().view("<u4")[:, 0]
        sizes = module.header_bytes(extent[0]) + pitch * 8 * extent[0]
    encoded = np.concatenate([slot[:size] for slot, size in zip(slots, sizes, strict=True)])
    tiles = module.decode(EncodedTiles(sizes, encoded), *extent)
    down, across = matrix.tile_grid
    whole = tiles.reshape(down, across, *extent).transpose(0, 2, 1, 3).reshape(down * extent[0], across * extent[1])
    return whole[: matrix.rows, : matrix.columns]


GEOMETRIES = [
    Im2col(2, 3, 7, 9, 3 * 63, 63, 3, 3, 4, 5, stride_h=2, stride_w=2, pad_h=1, pad_w=1),
    Im2col(1, 5, 11, 6, 5 * 66, 66, 4, 2, 5, 6, stride_h=2, pad_h=2, dilation_h=2, transposed=True),
    Im2col(2, 4, 4, 5, 80, 20, 3, 3, 8, 9, pad_h=1, pad_w=1, input_dilation_h=2, input_dilation_w=2, reversed=True),
    Im2col(1, 2, 8, 8, 4 * 64, 64, 1, 1, 4, 4, stride_h=2, stride_w=2),
]


@pytest.mark.parametrize("format_name", ["ellpack_dib", "dense"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("spec", ["builtin", DEFAULT_UNITS[UnitKind.COMPACTION]])
def test_kernels_see_the_im2col_matrix(spec, geometry, format_name):
    values = np.random.default_rng(3).standard_normal((2, 5, geometry.height, geometry.width)).astype(np.float32)
    values[values < 0] = 0
    with CoSimulation(units=[UnitChoice(UnitKind.COMPACTION, spec)]) as session:
        x = session.array(values, name="x")
        with session.view(Im2colMatrix(x, geometry, tile_rows=16, tile_columns=24), format_name) as view:
            found = read(session, view, format_name)
    at = (
        np.arange(geometry.images)[:, None] * geometry.image_stride
        + np.arange(geometry.channels) * geometry.channel_stride
    )
    plane = geometry.height * geometry.width
    used = values.reshape(-1)[at[..., None] + np.arange(plane)]
    expected = windows(used.reshape(*at.shape, geometry.height, geometry.width), geometry)
    assert np.array_equal(found, expected)


def outcome(spec: str, geometry: Im2col, **parameters: int) -> tuple[int, str, bytes, int]:
    values = np.random.default_rng(4).standard_normal((2, 5, geometry.height, geometry.width)).astype(np.float32)
    with CoSimulation(units=[UnitChoice(UnitKind.COMPACTION, spec, parameters=parameters)]) as session:
        x = session.array(np.maximum(values, 0), name="x")
        with session.view(Im2colMatrix(x, geometry, tile_rows=16, tile_columns=24)) as view:
            content = session.array(np.zeros(view.matrix.tiles * view.slot_bytes // 4, np.float32), name="content")
            cycles = session.launch("copy", args={"x": view.address, "y": content, "n": content.size}).cycles
        statistics = session.statistics()
        return cycles, statistics.trace_hash, content.numpy().tobytes(), view.close().dense_bytes


@pytest.mark.parametrize("geometry", GEOMETRIES[:3])
@pytest.mark.parametrize("spec", ["thread:*", "*"])
def test_placements_agree(spec, geometry):
    default = DEFAULT_UNITS[UnitKind.COMPACTION]
    assert outcome(spec.replace("*", default), geometry) == outcome("builtin", geometry)


def test_the_engine_reads_each_dense_line_once_a_tile_however_often_its_elements_appear():
    """One tile of 9 taps of a plane of 16 lines costs the line reads of one tap, and the conversion of nine."""
    plane = Im2col(1, 1, 16, 16, 256, 256, 3, 3, 16, 16, pad_h=1, pad_w=1)
    lines = {}
    for name, matrix in {
        "im2col": lambda x: Im2colMatrix(x, plane, tile_rows=9, tile_columns=256),
        "itself": lambda x: Matrix(x, 1, 256, 256, 1, 1, 256),
    }.items():
        with CoSimulation(units=[UnitChoice(UnitKind.COMPACTION, "builtin")]) as session:
            x = session.array(np.ones((1, 1, 16, 16), np.float32), name="x")
            with session.view(matrix(x)) as view:
                out = session.array(np.zeros(16, np.float32), name="out")
                launch = session.launch("copy", args={"x": view.address, "y": out, "n": 16}, cold=True)
            lines[name] = launch.dram_bytes
    assert lines["im2col"] == lines["itself"]


def test_what_can_not_be_is_refused():
    geometry = GEOMETRIES[0]
    with CoSimulation(units=[UnitChoice(kind, "builtin") for kind in UnitKind]) as session:
        x = session.array(np.zeros((1, 3, 7, 9), np.float32), name="x")
        with pytest.raises(
            ConfigurationError, match=r"378 elements from element 0 on does not lie inside array x of 189"
        ):
            Im2colMatrix(x, geometry)
        whole = Im2colMatrix(session.array(np.zeros((2, 3, 7, 9), np.float32), name="x"), geometry)
        with pytest.raises(ConfigurationError, match="watch the tensor, not its im2col matrix"):
            session.watch(whole)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(1, 16, 36, 36, 32, 1, 1), (1, 16, 14, 14, 32, 3, 3, 1, 1, 1, 1)])
def test_a_dense_kernel_that_loads_ahead_reads_the_view_right_under_timing(shape):
    """Its loads beyond K touch no memory, but count as outstanding for the waits before the last rows of the view."""
    extents = ConvolutionShape(*shape)
    rng = np.random.default_rng(2)
    x = rng.standard_normal(extents.input_shape).astype(np.float32)
    w = rng.standard_normal(extents.filter_shape).astype(np.float32)
    with CoSimulation(units=[UnitChoice(UnitKind.COMPACTION, "builtin")]) as session:
        layouts = FilterLayouts(session, extents, session.array(w, name="w"), "layer")
        x_there = session.array(x, name="x")
        with dense_through_view("forward", session, "layer", extents, x=x_there, layouts=layouts) as operation:
            operation.run()
            within, error = compare(operation.output.numpy(), expected("forward", extents, x=x, w=w))
    assert within, error


def test_dense_through_the_view_needs_an_engine():
    extents = ConvolutionShape(1, 16, 6, 6, 32, 3, 3)
    with CoSimulation(mode="functional") as session:
        x, w = (session.empty(s, name=n) for n, s in (("x", extents.input_shape), ("w", extents.filter_shape)))
        layouts = FilterLayouts(session, extents, w, "layer")
        with pytest.raises(ConfigurationError, match="needs a compaction engine and 8 rows of outputs a group"):
            dense_through_view("forward", session, "layer", extents, x=x, layouts=layouts)
