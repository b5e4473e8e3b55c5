"""Fully connected layers, softmax and cross-entropy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["backward_data", "backward_filter", "cross_entropy", "forward", "softmax_backward", "softmax_forward"]

Array = NDArray[np.float64]
Floats = NDArray[Any]


def forward(x: Floats, w: Floats, bias: Floats | None = None) -> Array:
    """Return Y (N × outputs) of X (N × inputs, or N × C × H × W) and weights (outputs × inputs)."""
    y: Array = x.reshape(len(x), -1).astype(np.float64) @ w.astype(np.float64).T
    return y if bias is None else y + bias.astype(np.float64)


def backward_data(dy: Floats, w: Floats) -> Array:
    """Return dX (N × inputs) for dY (N × outputs)."""
    dx: Array = dy.reshape(len(dy), -1).astype(np.float64) @ w.astype(np.float64)
    return dx


def backward_filter(x: Floats, dy: Floats) -> Array:
    """Return the weights' gradient (outputs × inputs)."""
    dw: Array = dy.reshape(len(dy), -1).astype(np.float64).T @ x.reshape(len(x), -1).astype(np.float64)
    return dw


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
