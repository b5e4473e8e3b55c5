"""Direct convolutions of other strides: tiles that they read, counts for the scheduler, shapes that they take."""

from __future__ import annotations

import numpy as np
import pytest

from bridge import CoSimulation
from bridge.data import Pattern, sparse_tensor
from bridge.layers.conv import ConvolutionShape
from bridge.layers.conv.direct import DirectPlan, workgroup_tiles
from bridge.layers.conv.strided import strided_forward_problem, strided_gradient_problem
from spartan_units.types import NO_TILE


def shape_of(**extents):
    return ConvolutionShape(
        **{
            "images": 1, "channels": 32, "height": 8, "width": 8, "filters": 64, "filter_height": 3,
            "filter_width": 3, "pad_h": 1, "pad_w": 1, **extents,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    "problem",
    [
        strided_forward_problem(shape_of(images=2, height=9, width=11, stride_h=2, stride_w=2)),
        strided_forward_problem(shape_of(filter_height=1, filter_width=1, pad_h=0, pad_w=0, stride_h=3, stride_w=2)),
        strided_gradient_problem(shape_of(images=2, height=10, width=9, stride_h=2, stride_w=2)),
        strided_gradient_problem(shape_of(filters=64, pad_h=0, height=8, stride_h=2, stride_w=2, groups=2)),
        strided_gradient_problem(shape_of(filter_height=1, filter_width=1, pad_h=0, pad_w=0, stride_h=2)),
    ],
)
@pytest.mark.parametrize("plan", [DirectPlan(64, 4, 0, 1), DirectPlan(64, 8, 2, 4), DirectPlan(64, 4, 2, 8)])
def test_work_groups_cover_the_rows_that_a_stride_meets(problem, plan):
    step = 1 << problem.up_shift
    for group in range(problem.groups):
        listed = workgroup_tiles(problem, plan, group)
        used = set(listed[listed != NO_TILE].tolist())
        needed = set()
        for image, p, r in np.ndindex(problem.images, problem.out_height, problem.filter_height):
            h, beside = divmod(p * problem.stride_h + r - problem.pad_h, step)
            if beside == 0 and 0 <= h < problem.height:
                for tile in range(problem.channel_tiles):
                    channel = (image * problem.groups + group) * problem.channel_tiles + tile
                    needed.add(channel * problem.height + h)
        assert used == needed


def test_a_strides_tiles_are_never_told_as_emptier_than_they_are():
    """The monitor counts whole rows; a view that leaves columns out has at most as many non-zeros."""
    shapes = [
        shape_of(images=2, height=9, width=11, stride_h=2, stride_w=2),
        shape_of(filter_height=1, filter_width=1, pad_h=0, pad_w=0, stride_h=3, stride_w=2),
    ]
    with CoSimulation(mode="functional") as session:
        for shape in shapes:
            problem = strided_forward_problem(shape)
            values = sparse_tensor(shape.input_shape, Pattern(density=0.1, seed=3))
            x = session.array(values, name="x")
            watched, view = problem.watched(x), problem.view(x)
            matrix = values.reshape(watched.rows, watched.columns)
            counts = tile_counts(matrix, watched)
            told = problem.tile_nonzeros(counts)
            true = tile_counts(view.im2col.gather(values.reshape(-1)), view)
            assert told.shape == true.shape
            assert (told >= true).all()
            assert problem.kind == "any" or (told == true).all()


def tile_counts(matrix, tiled):
    down, across = tiled.tile_grid
    padded = np.zeros((down * tiled.tile_rows, across * tiled.tile_columns), np.bool_)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix != 0
    blocks = padded.reshape(down, tiled.tile_rows, across, tiled.tile_columns)
    return blocks.sum(axis=(1, 3)).reshape(-1).astype(np.uint32)


def test_strided_problems_are_those_with_a_kernel():
    assert strided_forward_problem(shape_of(stride_h=2, stride_w=2, channels=24)) is not None  # 8 channels a tile
    assert strided_forward_problem(shape_of(stride_h=2, stride_w=2, channels=20)) is None
    assert strided_forward_problem(shape_of(stride_h=2, stride_w=2, width=115)) is None
    assert strided_forward_problem(shape_of(stride_h=2, stride_w=3)) is None
    assert strided_forward_problem(shape_of(filter_height=1, filter_width=1)) is None  # has padding
    assert strided_gradient_problem(shape_of(stride_h=3, stride_w=3)) is None
    assert strided_gradient_problem(shape_of(stride_h=2, stride_w=2, filters=40)) is None
    assert strided_gradient_problem(shape_of(stride_h=2, stride_w=2, pad_h=3, pad_w=3)) is None
    assert strided_gradient_problem(shape_of(stride_h=2, stride_w=2, dilation_w=2)) is None
