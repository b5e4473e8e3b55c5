"""Steps that several convolution operations share: layouts of filters, bordered inputs, im2col and dY as a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.operation import Operation
from bridge.session import CoSimulation
from bridge.tensors import Matrix, slot_bytes

__all__ = [
    "FilterLayouts",
    "bordered_input",
    "bordered_input_channels_last",
    "col2im",
    "ellpack_tiles",
    "gradient_matrix",
    "gradient_view",
    "im2col",
    "im2col_transposed",
    "offset_table",
    "pixel_offsets",
    "tap_offsets",
]

_SPARE_OFFSETS = 12
"""Entries that the gather kernels read beyond K."""


class FilterLayouts:
    """The filters of a layer in the layouts of the GEMMs, for one weight update.

    Attributes:
        filters: FCRS, as given.
        taps_first: per group T × F, for the forward pass.
        by_filter: per group F × (R·S) × C, for the dense data gradient.
    """

    def __init__(self, session: CoSimulation, shape: ConvolutionShape, filters: DeviceArray, name: str) -> None:
        """Allocate and fill the layouts."""
        self.filters = filters
        self.shape = shape
        self._operation = Operation(session, f"{name} filter layouts")
        size = (shape.groups, shape.taps * shape.group_filters)
        self.taps_first = self._operation.empty(size, "taps first")
        self.by_filter = self._operation.empty(size, "by filter")
        for group in range(shape.groups):
            step = group * size[1] * 4
            source = filters.address + step
            rows, columns = shape.group_filters, shape.taps
            args: dict[str, Any] = {
                "x": source,
                "rows": rows,
                "columns": columns,
                "x_stride": columns,
                "y_stride": rows,
            }
            self._operation.launch("transpose", {**args, "y": self.taps_first.address + step})
            # Filters stand in for images and channels for filters: a gather of C × (R·S) matrices with c contiguous.
            args = {"dy": source, "mask": None, "columns": rows * shape.window, "pixels": shape.window}
            args |= {"row_stride": 1, "column_stride": shape.group_channels}
            args |= {"filter0": 0, "all_filters": shape.group_channels}
            self._operation.launch(
                "gradient_matrix", {**args, "out": self.by_filter.address + step}, filters=shape.group_channels
            )
        self.update()

    def update(self) -> None:
        """Fill the layouts again after the filters have changed."""
        self._operation.run()

    def close(self) -> None:
        """Free the layouts."""
        self._operation.close()


def gradient_view(shape: ConvolutionShape, dy: DeviceArray) -> Matrix:
    """Return dY of a single image as the F × J matrix that the data gradient's sparse GEMM reads."""
    return Matrix(dy, shape.filters, shape.pixels, shape.pixels, 1)


def _window_arguments(shape: ConvolutionShape) -> dict[str, int]:
    return {
        "channels": shape.channels,
        "height": shape.height,
        "width": shape.width,
        "out_height": shape.out_height,
        "out_width": shape.out_width,
        "filter_height": shape.filter_height,
        "filter_width": shape.filter_width,
        "stride_h": shape.stride_h,
        "stride_w": shape.stride_w,
        "pad_h": shape.pad_h,
        "pad_w": shape.pad_w,
        "dilation_h": shape.dilation_h,
        "dilation_w": shape.dilation_w,
    }


def bordered_input(operation: Operation, x: DeviceArray, pad_h: int, pad_w: int, name: str) -> DeviceArray:
    """Return NCHW `x` with a border of zeros, or `x` itself where it needs none."""
    images, channels, height, width = x.shape
    if pad_h == 0 and pad_w == 0:
        return x
    bordered = operation.empty((images, channels, height + 2 * pad_h, width + 2 * pad_w), name)
    args = {"x": x, "out": bordered, "channels": channels, "height": height, "width": width}
    args |= {"out_height": bordered.shape[2], "out_width": bordered.shape[3], "pad_h": pad_h, "pad_w": pad_w}
    operation.launch("pad_border", args, images=images)
    return bordered


def bordered_input_channels_last(
    operation: Operation, x: DeviceArray, pad_h: int, pad_w: int, name: str
) -> DeviceArray:
    """Return NCHW `x` as NHWC with a border of zeros."""
    images, channels, height, width = x.shape
    bordered = operation.empty((images, height + 2 * pad_h, width + 2 * pad_w, channels), name)
    args = {"x": x, "y": bordered, "channels": channels, "height": height, "width": width}
    args |= {"out_height": bordered.shape[1], "out_width": bordered.shape[2], "pad_h": pad_h, "pad_w": pad_w}
    operation.launch("pad_border_channels_last", args, images=images)
    return bordered


def offset_table(operation: Operation, values: NDArray[np.int64], name: str) -> DeviceArray:
    """Return offsets in elements as the table of byte offsets that a gather kernel reads."""
    padded = np.append(values.reshape(-1), np.zeros(_SPARE_OFFSETS, np.int64))
    return operation.table((padded * 4).astype(np.uint32), name)


def tap_offsets(shape: ConvolutionShape, bordered: DeviceArray) -> NDArray[np.int64]:
    """Return int64[T], elements from a pixel's window origin to its taps (c, r, s) in the bordered input."""
    _, _, height, width = bordered.shape
    c, r, s = np.ogrid[: shape.group_channels, : shape.filter_height, : shape.filter_width]
    offsets: NDArray[np.int64] = (c * height + r * shape.dilation_h) * width + s * shape.dilation_w
    return offsets.reshape(-1)


def pixel_offsets(shape: ConvolutionShape, bordered: DeviceArray) -> NDArray[np.int64]:
    """Return int64[J], elements from the bordered input's start to the window origin of pixels (image, p, q)."""
    _, channels, height, width = bordered.shape
    n, p, q = np.ogrid[: shape.images, : shape.out_height, : shape.out_width]
    offsets: NDArray[np.int64] = (n * channels * height + p * shape.stride_h) * width + q * shape.stride_w
    return offsets.reshape(-1)


def gradient_matrix(
    operation: Operation, shape: ConvolutionShape, dy: DeviceArray, group: int, *, transposed: bool
) -> DeviceArray:
    """Return one group of dY as F × J, or J × F."""
    F, J = shape.group_filters, shape.outputs
    matrix = operation.empty((J, F) if transposed else (F, J), f"dY matrix {group}")
    if transposed:
        args: dict[str, Any] = {"x": dy.address + group * F * shape.pixels * 4, "y": matrix, "rows": F}
        args |= {"columns": shape.pixels, "x_stride": shape.pixels, "x_image": shape.filters * shape.pixels}
        operation.launch("transpose_images", {**args, "y_stride": F}, images=shape.images)
        return matrix
    args = {"dy": dy, "mask": None, "out": matrix, "columns": J, "pixels": shape.pixels}
    args |= {"row_stride": J, "column_stride": 1, "filter0": group * F, "all_filters": shape.filters}
    operation.launch("gradient_matrix", args, filters=F)
    return matrix


def ellpack_tiles(operation: Operation, matrix: Matrix) -> DeviceArray:
    """Return the tiles of a matrix in ELLPACK-DIB, made by the software conversion kernel."""
    slot = slot_bytes("ellpack_dib", matrix.tile_rows, matrix.tile_columns)
    tiles = operation.empty(matrix.tiles * slot // 4, "tiles", np.uint32)
    args: dict[str, Any] = {"x": matrix.array, "tiles": tiles, "rows": matrix.rows, "columns": matrix.columns}
    args |= {"row_stride": matrix.row_stride, "column_stride": matrix.column_stride, "slot_bytes": slot}
    args |= {"tile_rows": matrix.tile_rows, "tile_columns": matrix.tile_columns, "tiles_across": matrix.tile_grid[1]}
    operation.launch("dense_to_ellpack_dib", args, tiles=matrix.tiles)
    return tiles


def im2col(operation: Operation, shape: ConvolutionShape, x: DeviceArray, group: int) -> DeviceArray:
    """Return the T × J im2col matrix of a group."""
    col = operation.empty((shape.taps, shape.outputs), f"col {group}")
    args = {"x": x, "col": col, "columns": shape.outputs, "channel0": group * shape.group_channels}
    operation.launch("im2col", {**args, **_window_arguments(shape)}, group_channels=shape.group_channels)
    return col


def im2col_transposed(operation: Operation, shape: ConvolutionShape, x: DeviceArray, group: int) -> DeviceArray:
    """Return the J × T im2col matrix of a group."""
    col = operation.empty((shape.outputs, shape.taps), f"transposed col {group}")
    args = {"x": x, "col": col, "taps": shape.taps, "columns": shape.outputs}
    args |= {"channel0": group * shape.group_channels, **_window_arguments(shape)}
    operation.launch("im2col_transposed", args)
    return col


def col2im(operation: Operation, shape: ConvolutionShape, dcol: DeviceArray, dx: DeviceArray, group: int) -> None:
    """Add the step that sums the T × J gradient of the im2col matrix into a group's channels of dX."""
    args = {"dcol": dcol, "dx": dx, "pixels": shape.images * shape.height * shape.width}
    args |= {"row_stride": shape.outputs, "column_stride": 1, "channel0": group * shape.group_channels}
    operation.launch("col2im", {**args, **_window_arguments(shape)}, group_channels=shape.group_channels)
