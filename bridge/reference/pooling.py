"""Pooling: maximum, average, global average."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Window",
    "average_backward",
    "average_forward",
    "global_average_backward",
    "global_average_forward",
    "max_backward",
    "max_forward",
]

Array = NDArray[np.float64]
Floats = NDArray[Any]


@dataclass(frozen=True)
class Window:
    """Windows of `size` at `stride` from −`pad`; those that run past the input are cut off there."""

    size: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int] = (0, 0)

    def places(self, height: int, width: int, p: int, q: int) -> Iterator[tuple[int, int, slice, slice]]:
        """Yield (output row, output column, rows of the input, columns of the input)."""
        for i in range(p):
            top = i * self.stride[0] - self.pad[0]
            rows = slice(max(top, 0), min(top + self.size[0], height))
            for j in range(q):
                left = j * self.stride[1] - self.pad[1]
                yield i, j, rows, slice(max(left, 0), min(left + self.size[1], width))

    def divisor(self, i: int, j: int, height: int, width: int, *, padding: bool) -> int:
        """Return the elements of window (i, j) that lie in the input, or with `padding` in the padded input."""
        count = 1
        for k, (place, extent) in enumerate(((i, height), (j, width))):
            begin = place * self.stride[k] - self.pad[k]
            end = begin + self.size[k]
            low, high = (-self.pad[k], extent + self.pad[k]) if padding else (0, extent)
            count *= min(end, high) - max(begin, low)
        return count


def max_forward(x: Floats, window: Window, p: int, q: int) -> tuple[Array, NDArray[np.int64]]:
    """Return Y and the place h · W + w of each maximum in its plane: of equals, the first in row-major order."""
    n, c, height, width = x.shape
    y = np.empty((n, c, p, q))
    index = np.empty((n, c, p, q), np.int64)
    for i, j, rows, columns in window.places(height, width, p, q):
        flat = x[:, :, rows, columns].reshape(n, c, -1)
        place = flat.argmax(axis=2)
        span = columns.stop - columns.start
        y[:, :, i, j] = np.take_along_axis(flat, place[:, :, None], axis=2)[:, :, 0]
        index[:, :, i, j] = (rows.start + place // span) * width + columns.start + place % span
    return y, index


def max_backward(dy: Floats, index: NDArray[np.integer], height: int, width: int) -> Array:
    """Return dX: every output's gradient goes to the element it was taken from."""
    n, c = dy.shape[:2]
    dx = np.zeros((n * c, height * width))
    planes = np.broadcast_to(np.arange(n * c)[:, None], (n * c, dy[0, 0].size))
    np.add.at(dx, (planes, index.reshape(n * c, -1)), dy.reshape(n * c, -1).astype(np.float64))
    return dx.reshape(n, c, height, width)


def average_forward(x: Floats, window: Window, p: int, q: int, *, padding: bool) -> Array:
    """Return Y; with `padding` the zeros around the input count in the mean."""
    n, c, height, width = x.shape
    y = np.empty((n, c, p, q))
    for i, j, rows, columns in window.places(height, width, p, q):
        total = x[:, :, rows, columns].astype(np.float64).sum(axis=(2, 3))
        y[:, :, i, j] = total / window.divisor(i, j, height, width, padding=padding)
    return y


def average_backward(dy: Floats, window: Window, height: int, width: int, *, padding: bool) -> Array:
    """Return dX: every output's gradient is spread evenly over its window."""
    n, c, p, q = dy.shape
    dx = np.zeros((n, c, height, width))
    for i, j, rows, columns in window.places(height, width, p, q):
        share = dy[:, :, i, j].astype(np.float64) / window.divisor(i, j, height, width, padding=padding)
        dx[:, :, rows, columns] += share[:, :, None, None]
    return dx


def global_average_forward(x: Floats) -> Array:
    """Return N × C × 1 × 1."""
    y: Array = x.astype(np.float64).mean(axis=(2, 3), keepdims=True)
    return y


def global_average_backward(dy: Floats, height: int, width: int) -> Array:
    """Return dX."""
    share: Array = dy.astype(np.float64) / (height * width)
    return np.broadcast_to(share, (*dy.shape[:2], height, width)).copy()
