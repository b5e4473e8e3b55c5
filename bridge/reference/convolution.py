"""Convolution in float64, with the sum of magnitudes that bounds the rounding error, and multiply-adds counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.layers.conv.shape import ConvolutionShape

__all__ = ["Expected", "compare", "expected", "useful_macs"]

F64 = NDArray[np.float64]

EPSILON = 2.0**-23
"""Distance from 1 to the next float32."""

_SMALLEST_NORMAL = 2.0**-126


@dataclass(frozen=True)
class Expected:
    """A reference result.

    Attributes:
        value: float64.
        magnitude: float64, the sum of |a·b| over the products of each element.
        products: number of products of an element.
    """

    value: F64
    magnitude: F64
    products: int

    @property
    def tolerance(self) -> F64:
        """Largest error that float32 arithmetic in any order may leave: c·ε·Σ|a·b| with c = (products + 2) / 2.

        Every product and every sum rounds once, by at most ε/2 relatively; two more roundings are the bias and the
        last of the partial sums. Denormal results are flushed, which leaves at most the smallest normal number each.
        """
        bound: F64 = (self.products + 2) / 2 * EPSILON * self.magnitude + self.products * _SMALLEST_NORMAL
        return bound


def compare(result: NDArray[Any], reference: Expected) -> tuple[bool, float]:
    """Return whether all elements lie within the tolerance, and the largest absolute error."""
    error = np.abs(result.astype(np.float64) - reference.value)
    within = bool(np.all(error <= reference.tolerance))  # a NaN is not
    return within, float(error.max(initial=0.0))


def _columns(x: F64, shape: ConvolutionShape, group: int) -> F64:
    """Return [T, N, P, Q]: the taps of every output pixel."""
    channels = slice(group * shape.group_channels, (group + 1) * shape.group_channels)
    padded = np.pad(x[:, channels], ((0, 0), (0, 0), (shape.pad_h,) * 2, (shape.pad_w,) * 2))
    reach_h = (shape.filter_height - 1) * shape.dilation_h + 1
    reach_w = (shape.filter_width - 1) * shape.dilation_w + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (reach_h, reach_w), axis=(2, 3))
    taken = windows[:, :, :: shape.stride_h, :: shape.stride_w, :: shape.dilation_h, :: shape.dilation_w]
    taken = taken[:, :, : shape.out_height, : shape.out_width]
    return np.ascontiguousarray(taken.transpose(1, 4, 5, 0, 2, 3)).reshape(
        shape.taps, shape.images, shape.out_height, shape.out_width
    )


def _scatter(columns: F64, shape: ConvolutionShape) -> F64:
    """Return the adjoint of `_columns`: [N, C/groups, H, W]."""
    padded = np.zeros(
        (shape.images, shape.group_channels, shape.height + 2 * shape.pad_h, shape.width + 2 * shape.pad_w)
    )
    taps = columns.reshape(
        shape.group_channels, shape.filter_height, shape.filter_width, shape.images, shape.out_height, shape.out_width
    )
    for r in range(shape.filter_height):
        for s in range(shape.filter_width):
            top, left = r * shape.dilation_h, s * shape.dilation_w
            bottom = top + (shape.out_height - 1) * shape.stride_h + 1
            right = left + (shape.out_width - 1) * shape.stride_w + 1
            target = padded[:, :, top : bottom : shape.stride_h, left : right : shape.stride_w]
            target += taps[:, r, s].transpose(1, 0, 2, 3)
    return padded[:, :, shape.pad_h : shape.pad_h + shape.height, shape.pad_w : shape.pad_w + shape.width]


def _apply(phase: str, shape: ConvolutionShape, x: F64, w: F64, dy: F64) -> F64:
    """Return the result of a phase from float64 operands, image by image: a batch has too many taps for that."""
    single = replace(shape, images=1)
    results = (_apply_to_image(phase, single, x[i : i + 1], w, dy[i : i + 1]) for i in range(shape.images))
    if phase != "filter_gradient":
        return np.concatenate(list(results))
    total = np.zeros(shape.filter_shape)
    for result in results:
        total += result
    return total


def _apply_to_image(phase: str, shape: ConvolutionShape, x: F64, w: F64, dy: F64) -> F64:
    """Return the result of a phase from float64 operands."""
    F = shape.group_filters
    parts = []
    for group in range(shape.groups):
        filters = w[group * F : (group + 1) * F].reshape(F, shape.taps)
        gradient = dy[:, group * F : (group + 1) * F]
        if phase == "forward":
            parts.append(np.tensordot(filters, _columns(x, shape, group), 1).transpose(1, 0, 2, 3))
        elif phase == "data_gradient":
            parts.append(_scatter(np.tensordot(filters, gradient, ([0], [1])), shape))
        else:
            flat = gradient.transpose(1, 0, 2, 3).reshape(F, -1)
            columns = _columns(x, shape, group).reshape(shape.taps, -1)
            parts.append((flat @ columns.T).reshape(F, *shape.filter_shape[1:]))
    return np.concatenate(parts, axis=0 if phase == "filter_gradient" else 1)


def expected(
    phase: str,
    shape: ConvolutionShape,
    *,
    x: NDArray[Any],
    w: NDArray[Any],
    dy: NDArray[Any] | None = None,
    bias: NDArray[Any] | None = None,
) -> Expected:
    """Return the float64 result of a phase; x and dY are NCHW, w is FCRS, bias [F]."""
    x64, w64 = x.astype(np.float64), w.astype(np.float64)
    dy64 = np.zeros(shape.output_shape) if dy is None else dy.astype(np.float64)
    value = _apply(phase, shape, x64, w64, dy64)
    magnitude = _apply(phase, shape, np.abs(x64), np.abs(w64), np.abs(dy64))
    products = {
        "forward": shape.taps,
        "data_gradient": shape.group_filters * shape.window,
        "filter_gradient": shape.outputs,
    }[phase]
    if phase == "forward" and bias is not None:
        value += bias.astype(np.float64)[None, :, None, None]
        magnitude += np.abs(bias.astype(np.float64))[None, :, None, None]
    return Expected(value, magnitude, products)


def useful_macs(
    shape: ConvolutionShape,
    operand: str,
    *,
    x: NDArray[Any],
    dy: NDArray[Any] | None = None,
) -> tuple[int, int]:
    """Return (dense, useful) multiply-adds of any phase when zeros of `operand`, "x" or "dy", are skipped.

    With "both" those of the filter gradient are useful of which no factor is zero. Taps that lie in the padding are no
    multiply-adds on either side.
    """
    rows = _taps_inside(
        shape.height, shape.out_height, shape.filter_height, shape.stride_h, shape.pad_h, shape.dilation_h
    )
    columns = _taps_inside(
        shape.width, shape.out_width, shape.filter_width, shape.stride_w, shape.pad_w, shape.dilation_w
    )
    pairs = shape.images * shape.filters * shape.group_channels
    dense = pairs * int(rows.sum()) * int(columns.sum())
    if operand == "x":
        uses = np.outer(rows.sum(axis=0), columns.sum(axis=0))  # of an input pixel, by the filters of its group each
        return dense, int(((x != 0).sum(axis=(0, 1)) * uses).sum()) * shape.group_filters
    assert dy is not None
    if operand == "both":
        patterns = (x != 0).astype(np.float64), (dy != 0).astype(np.float64)
        products = _apply("filter_gradient", shape, patterns[0], np.zeros(shape.filter_shape), patterns[1])
        return dense, round(float(products.sum()))
    uses = np.outer(
        rows.sum(axis=1), columns.sum(axis=1)
    )  # of an output pixel's gradient, by its group's channels each
    return dense, int(((dy != 0).sum(axis=(0, 1)) * uses).sum()) * shape.group_channels


def _taps_inside(extent: int, outputs: int, taps: int, stride: int, pad: int, dilation: int) -> NDArray[np.int64]:
    """Return int64[outputs, extent]: 1 where an output reads an input along one axis."""
    output, tap = np.ogrid[:outputs, :taps]
    place = output * stride + tap * dilation - pad
    inside = np.zeros((outputs, extent), np.int64)
    rows, valid = np.broadcast_to(output, place.shape), (place >= 0) & (place < extent)
    inside[rows[valid], place[valid]] = 1
    return inside
