"""gemm_window in all blocks and ways to cut K: strides, padding, dilation, groups, bias, against float64 numpy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.layers import conv
from bridge.layers.conv import ConvolutionShape
from bridge.layers.conv.window import (
    WindowPlan,
    _pieces,
    _sizes,
    _tiles,
    takes_window,
    window_candidates,
    window_problem,
)
from bridge.layers.tuned import trying
from bridge.reference.convolution import compare, expected
from bridge.session import CoSimulation

SHAPES = {
    "padded": ConvolutionShape(1, 32, 11, 9, 48, 3, 3, pad_h=1, pad_w=1),
    "stride 2, two images": ConvolutionShape(2, 32, 14, 9, 48, 3, 3, 2, 2, 1, 1),
    "stride 2, one tap": ConvolutionShape(1, 16, 13, 13, 32, 1, 1, 2, 2),
    "5 x 5, no padding": ConvolutionShape(1, 16, 13, 12, 32, 5, 5),
    "groups": ConvolutionShape(1, 32, 9, 8, 64, 3, 3, 1, 1, 1, 1, groups=2),
    "other stride, padding and dilation on each axis": ConvolutionShape(1, 16, 15, 12, 16, 3, 3, 2, 1, 0, 2, 1, 2),
    "more padding than filter": ConvolutionShape(1, 16, 9, 8, 16, 1, 3, pad_h=2, pad_w=4),
}


@pytest.fixture(scope="module")
def session():
    with CoSimulation(gpu="r9nano", units=[]) as opened:
        yield opened


def check(session: CoSimulation, shape: ConvolutionShape, phase: str, plan: WindowPlan) -> tuple[str, ...]:
    """Run a phase with a plan, compare it with numpy, and return its kernels."""
    rng = np.random.default_rng(1)
    x, dy, w, bias = (
        rng.standard_normal(extents).astype(np.float32)
        for extents in (shape.input_shape, shape.output_shape, shape.filter_shape, (shape.filters,))
    )
    arrays = [session.array(value, name=name) for name, value in (("x", x), ("dy", dy), ("w", w), ("bias", bias))]
    layouts = conv.FilterLayouts(session, shape, arrays[2], "layer")
    with trying({window_problem(shape, phase): dataclasses.asdict(plan)}):
        operation = conv.dense(
            phase, session, "layer", shape, x=arrays[0], layouts=layouts, dy=arrays[1],
            bias=arrays[3] if phase == "forward" else None,
        )  # fmt: skip
    with operation:
        operation.output.write(np.full(operation.output.shape, np.nan, np.float32))
        measured = operation.run()
        found = operation.output.numpy()
    layouts.close()
    for array in arrays:
        array.free()
    wanted = expected(phase, shape, x=x, w=w, dy=dy, bias=bias if phase == "forward" else None)
    assert compare(found, wanted)[0], (shape, phase, plan)
    return tuple(launch.kernel for launch in measured.launches)


@pytest.mark.parametrize("phase", ["forward", "data_gradient"])
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("rows", "columns"), [(32, 128), (32, 64), (16, 128), (16, 64)])
def test_every_block_gives_the_convolution(session, name, phase, rows, columns):
    shape = SHAPES[name]
    assert takes_window(shape, phase)
    M, sizes = _sizes(shape, phase)
    rows = rows if M % rows == 0 else 16
    tiles = len(_tiles(M, sizes, WindowPlan(rows, columns, 2, 0, 1)))
    assert check(session, shape, phase, WindowPlan(rows, columns, 2, 0, tiles))[0] == f"gemm_window_{rows}x{columns}"
    kernels = check(session, shape, phase, WindowPlan(rows, columns, 2, 0, max(tiles * 5 // 3, tiles + 1)))
    assert set(kernels) <= {f"gemm_window_{rows}x{columns}", "sum_tiles"}


def test_blocks_are_whole_and_in_parts_by_turns(session):
    shape = ConvolutionShape(1, 16, 60, 60, 96, 3, 3, pad_h=1, pad_w=1)
    for plan in (WindowPlan(32, 64, 2, 1, 32), WindowPlan(32, 64, 2, 1, 0, 2), WindowPlan(32, 64, 2, 0, 0, 3)):
        assert check(session, shape, "forward", plan) == ("gemm_window_32x64", "sum_tiles")


def test_the_same_input_gives_the_same_bits(session):
    shape = SHAPES["stride 2, two images"]
    rng = np.random.default_rng(2)
    dy, w = (rng.standard_normal(e).astype(np.float32) for e in (shape.output_shape, shape.filter_shape))
    x = session.array(np.zeros(shape.input_shape, np.float32), name="x")
    layouts = conv.FilterLayouts(session, shape, session.array(w, name="w"), "layer")
    with conv.dense(
        "data_gradient", session, "layer", shape, x=x, layouts=layouts, dy=session.array(dy, name="dy")
    ) as operation:
        operation.run()
        once = operation.output.numpy().copy()
        operation.run()
        assert np.array_equal(once, operation.output.numpy())


@settings(max_examples=60, deadline=None)
@given(
    rows=st.sampled_from([16, 32, 64, 96, 512]),
    columns=st.integers(1, 3000),
    units=st.lists(st.integers(0, 700), min_size=1, max_size=4),
    data=st.data(),
)
def test_every_unit_of_every_block_is_computed_once(rows, columns, units, data):
    sizes = [(columns, each) for each in sorted(units, reverse=True)]
    block = data.draw(st.sampled_from([(rows_, c) for rows_ in (16, 32) if rows % rows_ == 0 for c in (64, 128)]))
    tiles = _tiles(rows, sizes, WindowPlan(*block, 2, 0, 1))
    whole = data.draw(st.integers(0, len(tiles) // 128)) if len(set(units)) == 1 else 0
    split, parts = data.draw(st.sampled_from([(1, 0), (64, 0), (100, 0), (128, 0), (0, 3), (0, 7)]))
    groups = _pieces(tiles, WindowPlan(*block, 2, whole, split, parts))
    assert len(groups) <= 128
    assert all(groups)
    covered = [np.zeros(tile.units, np.int64) for tile in tiles]
    met = np.zeros(len(tiles), np.int64)
    for pieces in groups:
        for piece in pieces:
            assert piece.first >= 0
            assert piece.first + piece.units <= tiles[piece.tile].units
            covered[piece.tile][piece.first : piece.first + piece.units] += 1
            met[piece.tile] += 1
    assert all((each == 1).all() for each in covered)
    assert (met > 0).all(), "a block without units is stored, too"


def test_what_the_kernel_does_not_take_goes_another_way():
    assert not takes_window(ConvolutionShape(1, 3, 32, 32, 64, 3, 3), "forward")  # channels in fours
    assert not takes_window(ConvolutionShape(1, 64, 32, 32, 24, 3, 3), "forward")  # rows in 16
    assert not takes_window(ConvolutionShape(1, 64, 32, 32, 64, 7, 7), "forward")  # bits of a mask
    assert not takes_window(ConvolutionShape(1, 64, 32, 2000, 64, 3, 3, pad_h=1), "forward")  # would begin below 0
    assert not takes_window(
        ConvolutionShape(1, 64, 8, 8, 64, 3, 3, pad_h=1, pad_w=1), "forward"
    )  # one block reads A once
    assert not takes_window(ConvolutionShape(1, 64, 32, 32, 64, 3, 3), "filter_gradient")


def test_the_rule_is_the_first_candidate():
    shape = SHAPES["padded"]
    plans = window_candidates(shape, "forward")
    assert len(plans) > 1
    assert len(set(plans)) == len(plans)
