"""Local response normalisation and batch normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BatchStatistics",
    "batchnorm_backward",
    "batchnorm_forward",
    "lrn_backward",
    "lrn_forward",
]

Array = NDArray[np.float64]
Floats = NDArray[Any]


def _window_sums(values: Array, size: int, *, within: bool, adjoint: bool) -> Array:
    """Sum each element's neighbours: (size − 1) div 2 before, size div 2 after; the adjoint exchanges the two."""
    before, after = (size - 1) // 2, size // 2
    if adjoint:
        before, after = after, before
    for axis in (2, 3) if within else (1,):
        extent = values.shape[axis]
        sums = np.zeros_like(values)
        for shift in range(-before, after + 1):
            here = slice(max(0, -shift), min(extent, extent - shift))
            there = slice(max(0, shift), min(extent, extent + shift))
            if here.start < here.stop:
                at = [slice(None)] * 4
                source = list(at)
                at[axis], source[axis] = here, there
                sums[tuple(at)] += values[tuple(source)]
        values = sums
    return values


def lrn_forward(x: Floats, size: int, alpha: float, beta: float, k: float, *, within: bool) -> tuple[Array, Array]:
    """Return Y and the scale k + alpha / window elements · (sum of squares), which the backward pass needs.

    Args:
        x: N × C × H × W.
        size: extent of the window, of channels, or with `within` of rows and columns of the plane.
        alpha: weight of the squares.
        beta: exponent.
        k: constant part of the scale.
        within: normalise within each channel's plane.
    """
    x = x.astype(np.float64)
    elements = size * size if within else size
    scale = k + alpha / elements * _window_sums(x * x, size, within=within, adjoint=False)
    return x * scale**-beta, scale


def lrn_backward(x: Floats, dy: Floats, size: int, alpha: float, beta: float, k: float, *, within: bool) -> Array:
    """Return dX; arguments as `lrn_forward`."""
    y, scale = lrn_forward(x, size, alpha, beta, k, within=within)
    dy = dy.astype(np.float64)
    elements = size * size if within else size
    through = _window_sums(dy * y / scale, size, within=within, adjoint=True)
    return dy * scale**-beta - 2 * beta * alpha / elements * x.astype(np.float64) * through


@dataclass(frozen=True)
class BatchStatistics:
    """Statistics of a batch: per channel (C) or per activation (C × H × W).

    Attributes:
        mean, variance: of the batch, the variance divided by the number of elements m.
        inverse_deviation: 1 / sqrt(variance + epsilon).
        unbiased_variance: variance · m / (m − 1), for running statistics.
    """

    mean: Array
    variance: Array
    inverse_deviation: Array
    unbiased_variance: Array


def _axes(spatial: bool) -> tuple[int, ...]:
    return (0, 2, 3) if spatial else (0,)


def batchnorm_forward(
    x: Floats, gain: Floats, bias: Floats, epsilon: float, *, spatial: bool
) -> tuple[Array, BatchStatistics]:
    """Return Y and the batch's statistics; `gain` and `bias` have the statistics' shape, C or C × H × W."""
    x = x.astype(np.float64)
    axes = _axes(spatial)
    mean = x.mean(axis=axes, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt(variance + epsilon)
    shape = mean.shape
    y = (x - mean) * inverse * gain.astype(np.float64).reshape(shape) + bias.astype(np.float64).reshape(shape)
    m = x.size // mean.size
    flat = gain.shape
    return y, BatchStatistics(
        mean.reshape(flat),
        variance.reshape(flat),
        inverse.reshape(flat),
        variance.reshape(flat) * (m / (m - 1) if m > 1 else 1),
    )


def batchnorm_backward(
    x: Floats, dy: Floats, gain: Floats, epsilon: float, *, spatial: bool
) -> tuple[Array, Array, Array]:
    """Return dX and the gradients of gain and bias."""
    x, dy = x.astype(np.float64), dy.astype(np.float64)
    axes = _axes(spatial)
    mean = x.mean(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt(((x - mean) ** 2).mean(axis=axes, keepdims=True) + epsilon)
    normal = (x - mean) * inverse
    dbias = dy.sum(axis=axes, keepdims=True)
    dgain = (dy * normal).sum(axis=axes, keepdims=True)
    m = x.size // mean.size
    dx = gain.astype(np.float64).reshape(mean.shape) * inverse * (dy - (dbias + normal * dgain) / m)
    return dx, dgain.reshape(gain.shape), dbias.reshape(gain.shape)
