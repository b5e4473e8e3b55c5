"""Dense operations: implicit GEMMs that read the input through offset tables and never write the im2col matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.array import DeviceArray
from bridge.layers.conv.pieces import (
    FilterLayouts,
    bordered_input,
    bordered_input_channels_last,
    col2im,
    gradient_matrix,
    im2col,
    im2col_transposed,
    offset_table,
    pixel_offsets,
    tap_offsets,
)
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.conv.window import add_window, takes_window
from bridge.layers.gemm import Layout, Target, add_dense_gemm, plan_dense
from bridge.layers.operation import Operation
from bridge.session import CoSimulation

__all__ = ["dense"]

_LEAST_ROWS = 16
"""Rows of a gather kernel's smallest block."""

_LEAST_CHANNELS = 16
"""Channels of a group from which it pays to load channels, not taps: 64 taps of 3 × 3 filters lie in over 20 lines."""


def dense(
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
    """Return the dense operation of a phase; dY comes with the ReLU's mask applied."""
    operation = Operation(session, f"{name} {phase} dense")
    if phase == "forward":
        _forward(operation, shape, x, layouts, bias)
    elif phase == "data_gradient":
        assert dy is not None
        _data_gradient(operation, shape, dy, layouts)
    else:
        assert dy is not None
        _filter_gradient(operation, shape, x, dy)
    return operation


def _forward(
    operation: Operation, shape: ConvolutionShape, x: DeviceArray, layouts: FilterLayouts, bias: DeviceArray | None
) -> None:
    F, J, T = shape.group_filters, shape.outputs, shape.taps
    y = operation.output = operation.empty(shape.output_shape, "y")
    if F < _LEAST_ROWS or operation.session.portable:
        _narrow_forward(operation, shape, x, layouts, bias, y)
        return
    if takes_window(shape, "forward"):
        add_window(operation, shape, "forward", x, layouts, y, bias)
        return
    bordered = bordered_input(operation, x, shape.pad_h, shape.pad_w, "bordered x")
    k_offsets = offset_table(operation, tap_offsets(shape, bordered), "tap offsets")
    n_offsets = offset_table(operation, pixel_offsets(shape, bordered), "pixel offsets")
    plan = plan_dense(F, J, T, gather=True, groups=shape.groups)
    target = Target(operation, plan, T, y)
    plane = bordered.shape[2] * bordered.shape[3]
    for group in range(shape.groups):
        skipped = group * shape.group_channels * plane * 4
        b: dict[str, Any] = {"b": bordered.address + skipped, "b_bytes": bordered.nbytes - skipped}
        b |= {"k_offsets": k_offsets, "n_offsets": n_offsets}
        layout = Layout(shape.pixels, 1, shape.filters * shape.pixels, shape.pixels, group * F * shape.pixels)
        add_dense_gemm(
            operation, plan, (F, J, T), layouts.taps_first.address + group * T * F * 4, F, b, target, layout,
            None if bias is None else bias.address + group * F * 4,
        )  # fmt: skip
    target.finish()


def _narrow_forward(
    operation: Operation,
    shape: ConvolutionShape,
    x: DeviceArray,
    layouts: FilterLayouts,
    bias: DeviceArray | None,
    y: DeviceArray,
) -> None:
    """Forward pass with few filters: a GEMM without a least number of rows, then the epilogue that adds the bias."""
    F, J, T = shape.group_filters, shape.outputs, shape.taps
    for group in range(shape.groups):
        col = im2col(operation, shape, x, group)
        product = operation.empty((F, J), f"product {group}")
        args = {"a": layouts.taps_first.address + group * T * F * 4, "b": col, "c": product}
        operation.launch("gemm_tn", {**args, "M": F, "N": J, "K": T, "lda": F, "ldb": J, "ldc": J})
        args = {"gemm": product, "bias": bias, "y": y, "columns": J, "pixels": shape.pixels, "row_stride": J}
        args |= {"column_stride": 1, "filter0": group * F, "all_filters": shape.filters, "relu": 0}
        operation.launch("conv_epilogue", args, filters=F)


def _data_gradient(operation: Operation, shape: ConvolutionShape, dy: DeviceArray, layouts: FilterLayouts) -> None:
    if takes_window(shape, "data_gradient") and not operation.session.portable:
        dx = operation.output = operation.empty(shape.input_shape, "dx")
        add_window(operation, shape, "data_gradient", dy, layouts, dx)
        return
    border_h = shape.dilation_h * (shape.filter_height - 1) - shape.pad_h
    border_w = shape.dilation_w * (shape.filter_width - 1) - shape.pad_w
    strided = shape.stride_h > 1 or shape.stride_w > 1
    narrow = shape.group_channels < _LEAST_ROWS or operation.session.portable
    if strided or border_h < 0 or border_w < 0 or narrow:
        _data_gradient_by_col2im(operation, shape, dy, layouts)
        return
    C, F, K = shape.group_channels, shape.group_filters, shape.group_filters * shape.window
    pixels = shape.height * shape.width
    dx = operation.output = operation.empty(shape.input_shape, "dx")
    bordered = bordered_input(operation, dy, border_h, border_w, "bordered dy")
    _, _, height, width = bordered.shape
    # Element (h, w) of dX takes, through tap (r, s), the bordered dY at (h + (R−1−r)·dilation, w + (S−1−s)·dilation).
    f, r, s = np.ogrid[:F, : shape.filter_height, : shape.filter_width]
    down, right = (shape.filter_height - 1 - r) * shape.dilation_h, (shape.filter_width - 1 - s) * shape.dilation_w
    k_offsets = offset_table(operation, (f * height + down) * width + right, "tap offsets")
    n, h, w = np.ogrid[: shape.images, : shape.height, : shape.width]
    n_offsets = offset_table(operation, (n * shape.filters * height + h) * width + w, "pixel offsets")
    plan = plan_dense(C, shape.images * pixels, K, gather=True, groups=shape.groups)
    target = Target(operation, plan, K, dx)
    for group in range(shape.groups):
        skipped = group * F * height * width * 4
        b: dict[str, Any] = {"b": bordered.address + skipped, "b_bytes": bordered.nbytes - skipped}
        b |= {"k_offsets": k_offsets, "n_offsets": n_offsets}
        layout = Layout(pixels, 1, shape.channels * pixels, pixels, group * C * pixels)
        a = layouts.by_filter.address + group * K * C * 4
        add_dense_gemm(operation, plan, (C, shape.images * pixels, K), a, C, b, target, layout)
    target.finish()


def _data_gradient_by_col2im(
    operation: Operation, shape: ConvolutionShape, dy: DeviceArray, layouts: FilterLayouts
) -> None:
    F, J, T = shape.group_filters, shape.outputs, shape.taps
    dx = operation.output = operation.empty(shape.input_shape, "dx")
    for group in range(shape.groups):
        b = _gradient_rows(operation, shape, dy, group)
        dcol = operation.empty((T, J), f"dcol {group}")
        a = layouts.filters.address + group * F * T * 4
        if T >= 8 and not operation.session.portable:
            plan = plan_dense(T, J, F, gather=False)
            target = Target(operation, plan, F, dcol)
            add_dense_gemm(operation, plan, (T, J, F), a, T, {"b": b, "ldb": J}, target, Layout(J, 1, 0, J))
            target.finish()
        else:
            args = {"a": a, "b": b, "c": dcol, "M": T, "N": J, "K": F, "lda": T, "ldb": J, "ldc": J}
            operation.launch("gemm_tn", args)
        col2im(operation, shape, dcol, dx, group)


def _gradient_rows(operation: Operation, shape: ConvolutionShape, dy: DeviceArray, group: int) -> int:
    """Return the address of one group of dY as F × J: of dY itself where there is one image."""
    if shape.images == 1:
        return dy.address + group * shape.group_filters * shape.pixels * 4
    return gradient_matrix(operation, shape, dy, group, transposed=False).address


def _filter_gradient(operation: Operation, shape: ConvolutionShape, x: DeviceArray, dy: DeviceArray) -> None:
    F, J, T = shape.group_filters, shape.outputs, shape.taps
    dw = operation.output = operation.empty(shape.filter_shape, "dw")
    if F < 8 or operation.session.portable:
        _narrow_filter_gradient(operation, shape, x, dy, dw)
        return
    if F >= _LEAST_ROWS and shape.group_channels >= _LEAST_CHANNELS:
        _filter_gradient_channels_last(operation, shape, x, dy, dw)
        return
    gather = F >= _LEAST_ROWS
    plan = plan_dense(F, T, J, gather=gather, groups=shape.groups)
    target = Target(operation, plan, J, dw)
    if gather:
        bordered = bordered_input(operation, x, shape.pad_h, shape.pad_w, "bordered x")
        k_offsets = offset_table(operation, pixel_offsets(shape, bordered), "pixel offsets")
        n_offsets = offset_table(operation, tap_offsets(shape, bordered), "tap offsets")
        plane = bordered.shape[2] * bordered.shape[3]
    for group in range(shape.groups):
        a = gradient_matrix(operation, shape, dy, group, transposed=True)
        if gather:
            skipped = group * shape.group_channels * plane * 4
            b: dict[str, Any] = {"b": bordered.address + skipped, "b_bytes": bordered.nbytes - skipped}
            b |= {"k_offsets": k_offsets, "n_offsets": n_offsets}
        else:
            b = {"b": im2col_transposed(operation, shape, x, group), "ldb": T}
        add_dense_gemm(operation, plan, (F, T, J), a, F, b, target, Layout(T, 1, 0, T, group * F * T))
    target.finish()


def _filter_gradient_channels_last(
    operation: Operation, shape: ConvolutionShape, x: DeviceArray, dy: DeviceArray, dw: DeviceArray
) -> None:
    """Filter gradient over X with channels last: the lanes of a load are channels of a tap and lie side by side."""
    C, F, J, T = shape.group_channels, shape.group_filters, shape.outputs, shape.taps
    bordered = bordered_input_channels_last(operation, x, shape.pad_h, shape.pad_w, "bordered x, channels last")
    _, height, width, channels = bordered.shape
    n, p, q = np.ogrid[: shape.images, : shape.out_height, : shape.out_width]
    pixels = ((n * height + p * shape.stride_h) * width + q * shape.stride_w) * channels
    r, s, c = np.ogrid[: shape.filter_height, : shape.filter_width, :C]
    taps = (r * shape.dilation_h * width + s * shape.dilation_w) * channels + c
    k_offsets = offset_table(operation, pixels, "pixel offsets")
    n_offsets = offset_table(operation, taps, "tap offsets")
    plan = plan_dense(F, T, J, gather=True, groups=shape.groups)
    # Columns come as (r, s, c). Results are stored as (c, r, s), but partial ones of all rows as they come.
    exchange = plan.partial_results(J) > 1 and not plan.whole
    target = Target(operation, plan, J, dw)
    for group in range(shape.groups):
        a = gradient_matrix(operation, shape, dy, group, transposed=True)
        b: dict[str, Any] = {"b": bordered.address + group * C * 4, "b_bytes": bordered.nbytes - group * C * 4}
        b |= {"k_offsets": k_offsets, "n_offsets": n_offsets}
        first = group * F * T
        layout = Layout(T, 1, 0, T, first) if exchange else Layout(T, shape.window, 1, C, first)
        add_dense_gemm(operation, plan, (F, T, J), a, F, b, target, layout)
    if exchange:
        target.finish_exchanged(rows=shape.filters, outer=shape.window, inner=C)
    else:
        target.finish()


def _narrow_filter_gradient(
    operation: Operation, shape: ConvolutionShape, x: DeviceArray, dy: DeviceArray, dw: DeviceArray
) -> None:
    F, J, T = shape.group_filters, shape.outputs, shape.taps
    for group in range(shape.groups):
        a = gradient_matrix(operation, shape, dy, group, transposed=True)
        b = im2col_transposed(operation, shape, x, group)
        args = {"a": a, "b": b, "c": dw.address + group * F * T * 4}
        operation.launch("gemm_tn", {**args, "M": F, "N": T, "K": J, "lda": F, "ldb": T, "ldc": T})
