"""Fully connected layers, softmax and cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "backward_data",
    "backward_filter",
    "blocks",
    "cross_entropy",
    "forward",
    "softmax_backward",
    "softmax_forward",
]

_BLOCK = 1 << 22
"""Elements that are worked on at a time: VGG-16's first fully connected layer has a hundred million weights."""

Array = NDArray[np.float64]
Floats = NDArray[Any]


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Return the rows of a matrix in blocks that need little memory in float64."""
    step = max(1, _BLOCK // max(columns, 1))
    return (slice(first, min(first + step, rows)) for first in range(0, rows, step))


def forward(x: Floats, w: Floats, bias: Floats | None = None, *, magnitudes: bool = False) -> Array:
    """Return Y (N × outputs) of X (N × inputs, or N × C × H × W) and weights (outputs × inputs).

    With `magnitudes` it is the same of the absolute values, which bounds the rounding errors.
    """
    flat = x.reshape(len(x), -1)
    parts = [_of(flat, magnitudes) @ _of(w[rows], magnitudes).T for rows in blocks(*w.shape)]
    y: Array = np.concatenate(parts, axis=1)
    return y if bias is None else y + _of(bias, magnitudes)


def backward_data(dy: Floats, w: Floats, *, magnitudes: bool = False) -> Array:
    """Return dX (N × inputs) for dY (N × outputs); `magnitudes` as in `forward`."""
    flat = dy.reshape(len(dy), -1)
    dx: Array = np.zeros((len(dy), w.shape[1]))
    for rows in blocks(*w.shape):
        dx += _of(flat[:, rows], magnitudes) @ _of(w[rows], magnitudes)
    return dx


def backward_filter(x: Floats, dy: Floats) -> Array:
    """Return the weights' gradient (outputs × inputs)."""
    dw: Array = dy.reshape(len(dy), -1).astype(np.float64).T @ x.reshape(len(x), -1).astype(np.float64)
    return dw


def _of(values: Floats, magnitudes: bool) -> Array:
    return np.abs(values).astype(np.float64) if magnitudes else values.astype(np.float64)


def _rows(x: Floats, mode: str) -> Array:
    """Return X with what is normalised together along the last axis."""
    x = x.astype(np.float64)
    return x.reshape(len(x), -1) if mode == "instance" else np.moveaxis(x, 1, -1)


def _unrows(y: Array, shape: tuple[int, ...], mode: str) -> Array:
    return y.reshape(shape) if mode == "instance" else np.moveaxis(y, -1, 1)


def softmax_forward(x: Floats, algorithm: str, mode: str) -> Array:
    """Return softmax, or with algorithm "log" its logarithm; mode instance or channel; N × C × H × W."""
    rows = _rows(x, mode)
    shifted = rows - rows.max(axis=-1, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return _unrows(log if algorithm == "log" else np.exp(log), x.shape, mode)


def softmax_backward(x: Floats, dy: Floats, algorithm: str, mode: str) -> Array:
    """Return dX for the forward input X."""
    g = _rows(dy, mode)
    p = _rows(softmax_forward(x, "accurate", mode), mode)
    weighted = g if algorithm == "log" else p * g
    through = p * weighted.sum(axis=-1, keepdims=True)
    return _unrows(weighted - through, x.shape, mode)


def cross_entropy(logits: Floats, labels: NDArray[np.integer]) -> tuple[Array, Array]:
    """Return the loss of each row and the gradient of their mean with respect to the logits (N × classes)."""
    x = logits.astype(np.float64)
    shifted = x - x.max(axis=1, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(x))
    gradient = np.exp(log)
    gradient[rows, labels] -= 1
    return -log[rows, labels], gradient / len(x)
