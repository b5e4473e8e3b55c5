"""Activations, dropout with its random numbers, and the optimiser's step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["activation_backward", "activation_forward", "dropout_keep", "dropout_threshold", "philox", "sgd_update"]

Array = NDArray[np.float64]
Floats = NDArray[Any]


def _softplus(x: Array) -> Array:
    y: Array = np.logaddexp(0, x)
    return y


def _sigmoid(x: Array) -> Array:
    y: Array = np.exp(-_softplus(-x))
    return y


def activation_forward(mode: str, x: Floats, ceiling: float = 6.0) -> Array:
    """Return relu, sigmoid, tanh, clipped_relu (at `ceiling`) or soft_relu, log(1 + e^x), of X."""
    x = x.astype(np.float64)
    if mode == "relu":
        return np.maximum(x, 0)
    if mode == "clipped_relu":
        clipped: Array = np.clip(x, 0, ceiling)
        return clipped
    if mode == "sigmoid":
        return _sigmoid(x)
    if mode == "tanh":
        squashed: Array = np.tanh(x)
        return squashed
    return _softplus(x)


def activation_backward(mode: str, x: Floats, dy: Floats, ceiling: float = 6.0) -> Array:
    """Return dX for the forward input X; at the corners of relu and clipped_relu the gradient is 0."""
    x, dy = x.astype(np.float64), dy.astype(np.float64)
    if mode == "relu":
        return np.where(x > 0, dy, 0)
    if mode == "clipped_relu":
        return np.where((x > 0) & (x < ceiling), dy, 0)
    if mode == "tanh":
        dx: Array = dy / np.cosh(x) ** 2
        return dx
    if mode == "sigmoid":
        return dy * _sigmoid(x) * _sigmoid(-x)
    return dy * _sigmoid(x)


def philox(counters: NDArray[np.uint32], key: tuple[int, int]) -> NDArray[np.uint32]:
    """Return Philox4x32-10 of n × 4 counter words (Salmon et al., SC 2011)."""
    c = [counters[:, i].astype(np.uint64) for i in range(4)]
    low_bits = np.uint64(0xFFFFFFFF)
    for step in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        keys = [np.uint64((key[i] + step * weyl) & 0xFFFFFFFF) for i, weyl in enumerate((0x9E3779B9, 0xBB67AE85))]
        shift = np.uint64(32)
        c = [(b >> shift) ^ c[1] ^ keys[0], b & low_bits, (a >> shift) ^ c[3] ^ keys[1], a & low_bits]
    return np.stack(c, axis=1).astype(np.uint32)


def dropout_threshold(probability: float) -> int:
    """Return the 32-bit word below which an element is dropped."""
    return min(round(probability * 2**32), 2**32 - 1)


def dropout_keep(n: int, probability: float, seed: int) -> NDArray[np.bool_]:
    """Return which of n elements dropout keeps: element i by word i mod 4 of counter i div 4."""
    counters = np.zeros((-(-n // 4), 4), np.uint32)
    counters[:, 0] = np.arange(len(counters))
    words = philox(counters, (seed & 0xFFFFFFFF, seed >> 32))
    keep: NDArray[np.bool_] = words.reshape(-1)[:n] >= dropout_threshold(probability)
    return keep


def sgd_update(
    w: Floats, gradient: Floats, velocity: Floats | None, rate: float, momentum: float, decay: float
) -> tuple[Array, Array]:
    """Return the new weights and velocity: v = momentum · v + gradient + decay · w, w − rate · v."""
    w64 = w.astype(np.float64)
    step = gradient.astype(np.float64) + decay * w64
    if velocity is not None:
        step = step + momentum * velocity.astype(np.float64)
    return w64 - rate * step, step
