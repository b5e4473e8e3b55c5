"""Convolution: forward, data gradient, filter gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["Geometry", "backward_data", "backward_filter", "forward"]

Array = NDArray[np.float64]
Floats = NDArray[Any]


@dataclass(frozen=True)
class Geometry:
    """How filters move over the input.

    Attributes:
        stride, pad, dilation: along height and width.
        groups: number of groups of channels.
        rotated: filters are rotated by 180° before they are applied (cuDNN's mode "convolution").
    """

    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    rotated: bool = False


def _taps(x: Floats, r: int, s: int, g: Geometry) -> Array:
    """Return N × C × P × Q × R × S: what each filter tap sees at each output."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (g.pad[0],) * 2, (g.pad[1],) * 2))
    window = (g.dilation[0] * (r - 1) + 1, g.dilation[1] * (s - 1) + 1)
    views: Array = sliding_window_view(padded, window, axis=(2, 3))
    return views[:, :, :: g.stride[0], :: g.stride[1], :: g.dilation[0], :: g.dilation[1]]


def _applied(w: Floats, g: Geometry) -> Array:
    filters: Array = w.astype(np.float64)
    return filters[:, :, ::-1, ::-1] if g.rotated else filters


def forward(x: Floats, w: Floats, g: Geometry) -> Array:
    """Return Y (N × F × P × Q) of X (N × C × H × W) and filters (F × C / groups × R × S)."""
    taps, filters = _taps(x, w.shape[2], w.shape[3], g), _applied(w, g)
    c, f = w.shape[1], w.shape[0] // g.groups
    parts = [
        np.tensordot(filters[i * f : (i + 1) * f], taps[:, i * c : (i + 1) * c], axes=([1, 2, 3], [1, 4, 5]))
        for i in range(g.groups)
    ]
    return np.concatenate(parts).transpose(1, 0, 2, 3)


def backward_filter(x: Floats, dy: Floats, r: int, s: int, g: Geometry) -> Array:
    """Return the filters' gradient (F × C / groups × R × S)."""
    taps, dy = _taps(x, r, s, g), dy.astype(np.float64)
    c, f = x.shape[1] // g.groups, dy.shape[1] // g.groups
    parts = [
        np.tensordot(dy[:, i * f : (i + 1) * f], taps[:, i * c : (i + 1) * c], axes=([0, 2, 3], [0, 2, 3]))
        for i in range(g.groups)
    ]
    dw = np.concatenate(parts)
    return dw[:, :, ::-1, ::-1] if g.rotated else dw


def backward_data(dy: Floats, w: Floats, height: int, width: int, g: Geometry) -> Array:
    """Return the input's gradient (N × C × height × width): every output scatters its gradient to the taps it read."""
    filters, dy = _applied(w, g), dy.astype(np.float64)
    n, _, p, q = dy.shape
    _, c, r, s = filters.shape
    f = w.shape[0] // g.groups
    dx = np.zeros((n, c * g.groups, height + 2 * g.pad[0], width + 2 * g.pad[1]))
    for i in range(g.groups):
        group = slice(i * c, (i + 1) * c)
        for a in range(r):
            for b in range(s):
                part = np.tensordot(dy[:, i * f : (i + 1) * f], filters[i * f : (i + 1) * f, :, a, b], axes=([1], [0]))
                top, left = a * g.dilation[0], b * g.dilation[1]
                rows = slice(top, top + g.stride[0] * (p - 1) + 1, g.stride[0])
                columns = slice(left, left + g.stride[1] * (q - 1) + 1, g.stride[1])
                dx[:, group, rows, columns] += part.transpose(0, 3, 1, 2)
    return dx[:, :, g.pad[0] : g.pad[0] + height, g.pad[1] : g.pad[1] + width]
