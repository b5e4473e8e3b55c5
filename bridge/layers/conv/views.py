"""Im2col matrices of a convolution's operands as the compaction engine shows them: gathered, never written."""

from __future__ import annotations

from bridge.array import DeviceArray
from bridge.layers.conv.shape import ConvolutionShape
from bridge.tensors import Im2colMatrix
from spartan_units.im2col import Im2col

__all__ = ["gradient_window_view", "window_view"]


def window_view(
    shape: ConvolutionShape,
    x: DeviceArray,
    group: int,
    *,
    transposed: bool = False,
    tile_rows: int = 32,
    tile_columns: int = 32,
) -> Im2colMatrix:
    """Return the im2col matrix of a group of X: T × J, or J × T."""
    plane = shape.height * shape.width
    geometry = Im2col(
        shape.images, shape.group_channels, shape.height, shape.width, shape.channels * plane, plane,
        shape.filter_height, shape.filter_width, shape.out_height, shape.out_width, shape.stride_h, shape.stride_w,
        shape.pad_h, shape.pad_w, shape.dilation_h, shape.dilation_w, transposed=transposed,
    )  # fmt: skip
    return Im2colMatrix(x, geometry, group * shape.group_channels * plane, tile_rows, tile_columns)


def gradient_window_view(
    shape: ConvolutionShape, dy: DeviceArray, group: int, *, tile_rows: int = 32, tile_columns: int = 32
) -> Im2colMatrix:
    """Return the im2col matrix of a group of dY that the data gradient multiplies the filters with.

    F·R·S rows, N·H·W columns: row (f, r, s), column (n, h, w) is the gradient of the output that element (n, h, w) of X
    meets with tap (r, s), zero where there is none. A stride spreads dY out.
    """
    plane = shape.pixels
    geometry = Im2col(
        shape.images, shape.group_filters, shape.out_height, shape.out_width, shape.filters * plane, plane,
        shape.filter_height, shape.filter_width, shape.height, shape.width,
        pad_h=shape.dilation_h * (shape.filter_height - 1) - shape.pad_h,
        pad_w=shape.dilation_w * (shape.filter_width - 1) - shape.pad_w,
        dilation_h=shape.dilation_h, dilation_w=shape.dilation_w, input_dilation_h=shape.stride_h,
        input_dilation_w=shape.stride_w, reversed=True,
    )  # fmt: skip
    return Im2colMatrix(dy, geometry, group * shape.group_filters * plane, tile_rows, tile_columns)
