"""Sparse direct filter gradient: zeros of X skipped by a kernel that reads tiles of X itself, without im2col."""

from __future__ import annotations

import functools

import numpy as np

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.conv.pieces import gradient_matrix
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.operation import Operation
from bridge.schedule import Schedule
from bridge.tensors import Matrix, WatchedTensor, slot_bytes
from spartan_units.types import NO_TILE, UnitKind

__all__ = ["add_direct_gradient", "takes_direct_gradient"]

_TILE_CHANNELS = 16
_WIDTHS = {3: (8, 14, 28, 56, 112), 5: (28,)}
_ALL_ROWS_WIDTH = 28
"""Greatest width of the kernels whose work-group holds all three filter rows."""

_SLICES = 4
"""Slices of a work-group."""

_LDS_BYTES = 16384
"""Of the slices of a filter row."""

_WAVES = 768
"""Wavefronts to aim for, three a SIMD."""

_UNITS = 64
_FIXED = 3000
_BYTES_PER_CYCLE = 700
"""What a slice costs beside its rows, in cycles, and how fast partial results are summed: set by hand from runs."""


def takes_direct_gradient(shape: ConvolutionShape) -> bool:
    """Return whether a kernel computes the filter gradient of this shape."""
    widths = _WIDTHS.get(shape.filter_width, ())
    least = 1 if 8 in widths else 9
    return (
        (shape.stride_h, shape.stride_w, shape.dilation_h, shape.dilation_w) == (1, 1, 1, 1)
        and shape.group_channels % _TILE_CHANNELS == 0
        and any(least <= shape.width <= width for width in widths)
        and 2 * shape.pad_w == shape.filter_width - 1
        and (shape.filter_height == 3 or not _all_rows(shape))
    )


def _all_rows(shape: ConvolutionShape) -> bool:
    return shape.filter_width == 3 and shape.width <= _ALL_ROWS_WIDTH


def _slices(shape: ConvolutionShape) -> int:
    """Return the slices of the rows of outputs: by estimate where a work-group fills a compute unit, else for waves."""
    blocks = shape.group_channels // _TILE_CHANNELS * -(-shape.group_filters // 64)
    rows = shape.images * shape.out_height
    if not _all_rows(shape):
        wanted = min(max(1, round(_WAVES / (blocks * shape.filter_height) / 4)), max(rows // 4, 1))
        share = -(-rows // (_SLICES * wanted))
        return _SLICES * -(-rows // (_SLICES * share))
    outputs = shape.group_filters * shape.taps
    row_cycles = shape.filter_height * _TILE_CHANNELS * shape.width * shape.filter_width * 4 * 0.4

    def estimate(groups_z: int) -> float:
        share = -(-rows // (_SLICES * groups_z))
        rounds = -(-blocks * groups_z // _UNITS)
        return rounds * (share * row_cycles + _FIXED) + 4 * outputs * (groups_z + 1) / _BYTES_PER_CYCLE

    return _SLICES * min(range(1, max(rows // _SLICES, 1) + 1), key=estimate)


def add_direct_gradient(operation: Operation, shape: ConvolutionShape, x: DeviceArray, dy: DeviceArray) -> None:
    """Add the steps: dY with filters contiguous, one launch a group, the sum of partial results into the output."""
    session, output = operation.session, operation.output
    rows, pixels = shape.images * shape.channels, shape.height * shape.width
    matrix = Matrix(x, rows, pixels, pixels, 1, _TILE_CHANNELS, shape.width)
    slot = slot_bytes("ellpack_dib", _TILE_CHANNELS, shape.width)
    slices = _slices(shape)
    written = operation.empty((slices // _SLICES, output.size), "sums")
    watched = operation.watch(matrix) if UnitKind.MONITOR in session.units else None
    if UnitKind.COMPACTION not in session.units:
        tiles = operation.empty(matrix.tiles * slot // 4, "tiles", np.uint32)
        args = {"x": x, "tiles": tiles, "rows": rows, "columns": pixels, "row_stride": pixels, "column_stride": 1}
        args |= {"tile_rows": _TILE_CHANNELS, "tile_columns": shape.width}
        args |= {"tiles_across": matrix.tile_grid[1], "slot_bytes": slot}
        operation.launch("dense_to_ellpack_dib", args, tiles=matrix.tiles)
    width = min(width for width in _WIDTHS[shape.filter_width] if shape.width <= width)
    kernel = f"sparse_filter_gradient{shape.filter_width}_{width}"
    F, channel_tiles = shape.group_filters, shape.group_channels // _TILE_CHANNELS
    constant = {
        "F": F,
        "F_stride": F,
        "height": shape.height,
        "out_height": shape.out_height,
        "out_width": shape.out_width,
        "rows": shape.images * shape.out_height,
        "pad_h": shape.pad_h,
        "filter_height": shape.filter_height,
        "image_tiles": shape.channels // _TILE_CHANNELS,
        "slot_bytes": slot,
        "total_slices": slices,
        "c_slice_stride": output.size,
    }

    def launch(base: int, gradient: DeviceArray, group: int) -> LaunchResult:
        return session.launch(
            kernel,
            args={
                **constant,
                "tiles": base + group * channel_tiles * shape.height * slot,
                "dy": gradient,
                "sums": written.address + group * F * shape.taps * 4,
            },
            sizes={"channel_tiles": channel_tiles},
            schedule=_schedule(operation, shape, slices, watched, group),
            dynamic_lds_bytes=_LDS_BYTES * (shape.filter_height if _all_rows(shape) else 1),
            label=f"{operation.name}: {kernel}",
        )

    def through_view(gradient: DeviceArray, group: int) -> LaunchResult:
        with session.view(matrix) as view:
            return launch(view.address, gradient, group)

    for group in range(shape.groups):
        gradient = gradient_matrix(operation, shape, dy, group, transposed=True)
        if UnitKind.COMPACTION in session.units:
            operation.add(functools.partial(through_view, gradient, group))
        else:
            operation.add(functools.partial(launch, tiles.address, gradient, group))
    for group in range(shape.groups):
        skipped = group * F * shape.taps * 4
        args = {"x": written.address + skipped, "y": output.address + skipped, "rows": shape.taps, "columns": F}
        operation.launch("sum_slices_transposed", {**args, "slices": slices // _SLICES, "stride": output.size})


def _schedule(
    operation: Operation, shape: ConvolutionShape, slices: int, watched: WatchedTensor | None, group: int
) -> Schedule | None:
    if UnitKind.SCHEDULER not in operation.session.units:
        return None
    nonzeros = None if watched is None else operation.read_counts(watched).tile_nonzeros
    channel_tiles, image_tiles = shape.group_channels // _TILE_CHANNELS, shape.channels // _TILE_CHANNELS
    rows = shape.images * shape.out_height
    share = -(-rows // slices)
    z, tile, r, i = np.ogrid[: slices // 4, :channel_tiles, : shape.filter_height, : 4 * share]
    row = z * 4 * share + i
    image, p = row // shape.out_height, row % shape.out_height
    h = p + r - shape.pad_h
    number = (image * image_tiles + group * channel_tiles + tile) * shape.height + h
    listed = np.where((row < rows) & (h >= 0) & (h < shape.height), number, NO_TILE).astype(np.uint32)
    in_grid = channel_tiles if _all_rows(shape) else channel_tiles * shape.filter_height
    flat = listed.reshape(slices // 4 * in_grid, -1)
    return Schedule(nonzeros, _TILE_CHANNELS * shape.width, np.repeat(flat, -(-shape.group_filters // 64), axis=0))
