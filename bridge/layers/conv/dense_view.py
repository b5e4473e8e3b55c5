"""Dense operations over the engine's im2col view: what its free im2col is worth without its compaction."""

from __future__ import annotations

from bridge.array import DeviceArray
from bridge.errors import ConfigurationError
from bridge.layers.conv.pieces import FilterLayouts, gradient_matrix
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.conv.views import gradient_window_view, window_view
from bridge.layers.gemm import Layout, Target, add_dense_gemm, plan_dense
from bridge.layers.operation import Operation
from bridge.session import CoSimulation
from spartan_units.types import UnitKind

__all__ = ["dense_through_view", "takes_dense_through_view"]

_TILE_COLUMNS = 1024
"""Columns of a tile of one row, 4 KiB: what a dense tile of 32 × 32 has. Tiles side by side make a row-major matrix."""

_LEAST_ROWS = 8
"""Rows of the dense kernel's smallest block."""


def takes_dense_through_view(shape: ConvolutionShape, phase: str) -> bool:
    """Return whether a kernel computes a phase this way."""
    return (shape.group_channels if phase == "data_gradient" else shape.group_filters) >= _LEAST_ROWS


def dense_through_view(
    phase: str,
    session: CoSimulation,
    name: str,
    shape: ConvolutionShape,
    *,
    x: DeviceArray,
    layouts: FilterLayouts,
    dy: DeviceArray | None = None,
    bias: DeviceArray | None = None,
) -> Operation:
    """Return the dense GEMM of a phase whose second operand is a `dense` view of an im2col matrix.

    Raises:
        ConfigurationError: without a compaction engine, or with fewer than 8 filters (data gradient: channels) a group.
    """
    if UnitKind.COMPACTION not in session.units or not takes_dense_through_view(shape, phase):
        raise ConfigurationError(
            f"{name} {phase}: dense through the im2col view needs a compaction engine and 8 rows of outputs a group"
        )
    operation = Operation(session, f"{name} {phase} dense through the view")
    C, F, J, T = shape.group_channels, shape.group_filters, shape.outputs, shape.taps
    pixels, plane = shape.pixels, shape.height * shape.width
    if phase == "forward":
        size, output = (F, J, T), operation.empty(shape.output_shape, "y")
    elif phase == "data_gradient":
        size, output = (C, shape.images * plane, F * shape.window), operation.empty(shape.input_shape, "dx")
    else:
        size, output = (F, T, J), operation.empty(shape.filter_shape, "dw")
    operation.output = output
    M, N, K = size
    plan = plan_dense(M, N, K, gather=False, groups=shape.groups)
    target = Target(operation, plan, K, output)
    columns = min(_TILE_COLUMNS, -(-N // 16) * 16)
    for group in range(shape.groups):
        added: int | None = None
        if phase == "forward":
            matrix = window_view(shape, x, group, tile_rows=1, tile_columns=columns)
            a: int | DeviceArray = layouts.taps_first.address + group * T * F * 4
            layout = Layout(pixels, 1, shape.filters * pixels, pixels, group * F * pixels)
            added = None if bias is None else bias.address + group * F * 4
        elif phase == "data_gradient":
            assert dy is not None
            matrix = gradient_window_view(shape, dy, group, tile_rows=1, tile_columns=columns)
            a = layouts.by_filter.address + group * K * C * 4
            layout = Layout(plane, 1, shape.channels * plane, plane, group * C * plane)
        else:
            assert dy is not None
            matrix = window_view(shape, x, group, transposed=True, tile_rows=1, tile_columns=columns)
            a = gradient_matrix(operation, shape, dy, group, transposed=True)
            layout = Layout(T, 1, 0, T, group * F * T)
        held = operation.view_place(matrix, "dense")
        b = {"ldb": matrix.tile_grid[1] * columns}
        add_dense_gemm(operation, plan, size, a, M, b, target, layout, added, held)
    target.finish()
    return operation
