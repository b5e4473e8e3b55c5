"""Sparse direct filter gradients of stride 2 and of 1 × 1 filters: zeros of X skipped, over the engine's views."""

from __future__ import annotations

import functools

import numpy as np

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.conv.pieces import gradient_matrix
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.conv.strided import StridedProblem, strided_forward_problem
from bridge.layers.operation import Operation
from bridge.schedule import Schedule
from bridge.tensors import WatchedTensor, slot_bytes
from spartan_units.types import NO_TILE, UnitKind

__all__ = ["add_strided_gradient", "pays_off", "strided_gradient_view"]

_TILE_ROWS = 16
_ALL_ROWS_WIDTH = 29
"""Greatest width of a tile's rows whose kernels' work-groups hold all three filter rows."""

_SLICES = 4
"""Slices of a work-group."""

_LDS_BYTES = 16384
"""Of the slices of a filter row."""

_WAVES = 768
"""Wavefronts to aim for, three a SIMD."""

_LEAST_ROWS = 8
_UNITS = 64
_FIXED = 3000
_BYTES_PER_CYCLE = 700
"""What a slice costs beside its rows, in cycles, and how fast partial results are summed: set by hand from runs."""


def strided_gradient_view(shape: ConvolutionShape) -> StridedProblem | None:
    """Return the forward pass whose view of X a filter gradient's kernel reads, None where no kernel computes it."""
    problem = strided_forward_problem(shape)
    return None if problem is None or (_all_rows(problem) and shape.filter_height != 3) else problem


def pays_off(shape: ConvolutionShape) -> bool:
    """Return whether the kernel is the faster way: with few rows of outputs the sums of partial results outweigh it.

    Measured on ResNet-18 conv5_1a, 7 rows of outputs: 66,400 cycles, a sparse GEMM over the im2col view 42,800.
    """
    return shape.window == 1 or shape.images * shape.out_height >= _LEAST_ROWS


def _all_rows(problem: StridedProblem) -> bool:
    return problem.kind == "by2" and problem.width <= _ALL_ROWS_WIDTH


def _slices(shape: ConvolutionShape, problem: StridedProblem) -> int:
    """Return the slices of the rows of outputs: by estimate where a work-group fills a compute unit, else for waves."""
    blocks = problem.channel_tiles * -(-shape.group_filters // 64)
    rows = shape.images * shape.out_height
    if not _all_rows(problem):
        wanted = min(max(1, round(_WAVES / (blocks * shape.filter_height) / 4)), max(rows // 4, 1))
        share = -(-rows // (_SLICES * wanted))
        return _SLICES * -(-rows // (_SLICES * share))
    outputs = shape.group_filters * shape.taps
    row_cycles = shape.filter_height * _TILE_ROWS * problem.width * problem.taps_of_a_pixel * 4 * 0.4

    def estimate(groups_z: int) -> float:
        share = -(-rows // (_SLICES * groups_z))
        rounds = -(-blocks * groups_z // _UNITS)
        return rounds * (share * row_cycles + _FIXED) + 4 * outputs * (groups_z + 1) / _BYTES_PER_CYCLE

    return _SLICES * min(range(1, max(rows // _SLICES, 1) + 1), key=estimate)


def add_strided_gradient(
    operation: Operation, shape: ConvolutionShape, problem: StridedProblem, x: DeviceArray, dy: DeviceArray
) -> None:
    """Add the steps: dY with filters contiguous, one launch a group, the sum of partial results into the output."""
    session, output = operation.session, operation.output
    matrix = problem.view(x)
    slot = slot_bytes("ellpack_dib", _TILE_ROWS, problem.width)
    slices = _slices(shape, problem)
    written = operation.empty((slices // _SLICES, output.size), "sums")
    watched = operation.watch(problem.watched(x)) if UnitKind.MONITOR in session.units else None
    place = operation.view_place(matrix)
    kernel = f"sparse_filter_gradient{shape.filter_width}_{problem.kind}_{problem.kernel_width}"
    F, channel_tiles = shape.group_filters, problem.channel_tiles
    constant = {
        "F": F,
        "F_stride": F,
        "height": problem.height,
        "out_height": shape.out_height,
        "out_width": shape.out_width,
        "rows": shape.images * shape.out_height,
        "pad_h": problem.pad_h,
        "filter_height": shape.filter_height,
        "image_tiles": shape.groups * channel_tiles,
        "slot_bytes": slot,
        "total_slices": slices,
        "c_slice_stride": output.size,
        "stride_h": problem.stride_h,
    }

    def through_view(gradient: DeviceArray, group: int) -> LaunchResult:
        schedule = _schedule(operation, shape, problem, slices, watched, group)
        with place.open() as view:
            return session.launch(
                kernel,
                args={
                    **constant,
                    "tiles": view.address + group * channel_tiles * problem.height * slot,
                    "dy": gradient,
                    "sums": written.address + group * F * shape.taps * 4,
                },
                sizes={"channel_tiles": channel_tiles},
                schedule=schedule,
                dynamic_lds_bytes=_LDS_BYTES * (shape.filter_height if _all_rows(problem) else 1),
                label=f"{operation.name}: {kernel}",
            )

    for group in range(shape.groups):
        gradient = gradient_matrix(operation, shape, dy, group, transposed=True)
        operation.add(functools.partial(through_view, gradient, group))
    args = {"x": written, "y": output, "rows": shape.taps, "columns": F}
    operation.launch(
        "sum_slices_transposed",
        {**args, "slices": slices // _SLICES, "stride": output.size},
        batches=shape.groups,
    )


def _schedule(
    operation: Operation,
    shape: ConvolutionShape,
    problem: StridedProblem,
    slices: int,
    watched: WatchedTensor | None,
    group: int,
) -> Schedule | None:
    if UnitKind.SCHEDULER not in operation.session.units:
        return None
    nonzeros = None if watched is None else problem.tile_nonzeros(operation.read_counts(watched).tile_nonzeros)
    channel_tiles, image_tiles = problem.channel_tiles, shape.groups * problem.channel_tiles
    rows = shape.images * shape.out_height
    share = -(-rows // slices)
    z, tile, r, i = np.ogrid[: slices // 4, :channel_tiles, : shape.filter_height, : 4 * share]
    row = z * 4 * share + i
    image, p = row // shape.out_height, row % shape.out_height
    h = p * problem.stride_h + r - problem.pad_h
    number = (image * image_tiles + group * channel_tiles + tile) * problem.height + h
    listed = np.where((row < rows) & (h >= 0) & (h < problem.height), number, NO_TILE).astype(np.uint32)
    in_grid = channel_tiles if _all_rows(problem) else channel_tiles * shape.filter_height
    flat = listed.reshape(slices // 4 * in_grid, -1)
    return Schedule(nonzeros, _TILE_ROWS * problem.width, np.repeat(flat, -(-shape.group_filters // 64), axis=0))
