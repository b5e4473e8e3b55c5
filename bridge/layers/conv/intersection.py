"""Filter gradient that skips zeros of X and of dY alike, by a kernel that intersects the index lists of both.

It computes only products whose two factors are not zero, at dozens of instructions each, where the kernels that skip
the zeros of one operand spend one instruction on 64 products: the fewest multiply-adds, and far slower
(docs/kernels.md).
"""

from __future__ import annotations

import contextlib
import functools

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.conv.pieces import ellpack_tiles
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.operation import Operation
from bridge.tensors import Matrix, slot_bytes
from spartan_units.types import UnitKind

__all__ = ["add_intersection", "takes_intersection"]

_TILE_CHANNELS = 16
_GREATEST_WIDTH = 64
_GREATEST_FILTER = 5
"""What the kernel's LDS and registers hold."""


def takes_intersection(shape: ConvolutionShape) -> bool:
    """Return whether the kernel computes the filter gradient of this shape."""
    return (
        (shape.stride_h, shape.stride_w, shape.dilation_h, shape.dilation_w) == (1, 1, 1, 1)
        and shape.group_channels % _TILE_CHANNELS == 0
        and shape.group_filters % _TILE_CHANNELS == 0
        and max(shape.width, shape.out_width) <= _GREATEST_WIDTH
        and shape.filter_width <= _GREATEST_FILTER
    )


def add_intersection(operation: Operation, shape: ConvolutionShape, x: DeviceArray, dy: DeviceArray) -> None:
    """Add the steps: conversion of both where no engine does it, one launch a group."""
    session, output = operation.session, operation.output
    matrices = []
    for tensor, channels, height, width in (
        (x, shape.channels, shape.height, shape.width),
        (dy, shape.filters, shape.out_height, shape.out_width),
    ):
        rows, pixels = shape.images * channels, height * width
        matrices.append(Matrix(tensor, rows, pixels, pixels, 1, _TILE_CHANNELS, width))
    slots = [slot_bytes("ellpack_dib", _TILE_CHANNELS, matrix.tile_columns) for matrix in matrices]
    constant = {
        "channels": shape.group_channels,
        "images": shape.images,
        "height": shape.height,
        "out_height": shape.out_height,
        "pad_h": shape.pad_h,
        "pad_w": shape.pad_w,
        "filter_height": shape.filter_height,
        "filter_width": shape.filter_width,
        "x_image_tiles": shape.channels // _TILE_CHANNELS,
        "dy_image_tiles": shape.filters // _TILE_CHANNELS,
        "x_slot_bytes": slots[0],
        "dy_slot_bytes": slots[1],
    }
    channel_tiles, filter_tiles = shape.group_channels // _TILE_CHANNELS, shape.group_filters // _TILE_CHANNELS

    def launch(x_base: int, dy_base: int, group: int) -> LaunchResult:
        return session.launch(
            "sparse_filter_gradient_both",
            args={
                **constant,
                "x_tiles": x_base + group * channel_tiles * shape.height * slots[0],
                "dy_tiles": dy_base + group * filter_tiles * shape.out_height * slots[1],
                "dw": output.address + group * shape.group_filters * shape.taps * 4,
            },
            sizes={"filter_tiles": filter_tiles},
            label=f"{operation.name}: sparse_filter_gradient_both",
        )

    def through_views(group: int) -> LaunchResult:
        with contextlib.ExitStack() as stack:
            x_base, dy_base = (stack.enter_context(session.view(matrix)).address for matrix in matrices)
            return launch(x_base, dy_base, group)

    if UnitKind.COMPACTION in session.units:
        for group in range(shape.groups):
            operation.add(functools.partial(through_views, group))
        return
    bases = [ellpack_tiles(operation, matrix).address for matrix in matrices]
    for group in range(shape.groups):
        operation.add(functools.partial(launch, bases[0], bases[1], group))
