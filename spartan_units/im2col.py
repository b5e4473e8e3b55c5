"""The im2col matrix of an NCHW tensor, as a view that nothing holds: the compaction engine gathers its tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Im2col"]


@dataclass(frozen=True)
class Im2col:
    """How rows and columns of a matrix follow from an NCHW tensor.

    Row (c · filter_height + r) · filter_width + s and column (n · out_height + p) · out_width + q hold the tensor's
    element (n, c, i, j) with i · input_dilation_h = p · stride_h − pad_h + r · dilation_h and the same for j along the
    width; zero where no element satisfies that.

    Attributes:
        images, channels, height, width: of the tensor, or of the part of it that the matrix is of.
        image_stride, channel_stride: elements from image to image and from channel to channel; rows of an image lie
            one behind the other.
        filter_height, filter_width, out_height, out_width: R, S, P, Q.
        stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w: of the window; padding may be negative.
        input_dilation_h, input_dilation_w: above 1, zeros lie between the tensor's elements, as in the data gradient
            of a strided convolution.
        reversed: r and s count from the filter's other end.
        transposed: rows and columns are exchanged.
    """

    images: int
    channels: int
    height: int
    width: int
    image_stride: int
    channel_stride: int
    filter_height: int
    filter_width: int
    out_height: int
    out_width: int
    stride_h: int = 1
    stride_w: int = 1
    pad_h: int = 0
    pad_w: int = 0
    dilation_h: int = 1
    dilation_w: int = 1
    input_dilation_h: int = 1
    input_dilation_w: int = 1
    reversed: bool = False
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        taps = self.channels * self.filter_height * self.filter_width
        outputs = self.images * self.out_height * self.out_width
        return (outputs, taps) if self.transposed else (taps, outputs)

    @property
    def extent(self) -> int:
        """Elements of memory from the tensor's first to behind its last."""
        lead = (self.images - 1) * self.image_stride + (self.channels - 1) * self.channel_stride
        return lead + self.height * self.width

    def gather(self, memory: NDArray[Any]) -> NDArray[Any]:
        """Return the matrix of a tensor whose elements lie in `memory`, a vector that begins at its first one."""
        r, s = np.arange(self.filter_height), np.arange(self.filter_width)
        if self.reversed:
            r, s = r[::-1], s[::-1]
        down = r[:, None] * self.dilation_h + np.arange(self.out_height) * self.stride_h - self.pad_h
        right = s[:, None] * self.dilation_w + np.arange(self.out_width) * self.stride_w - self.pad_w
        i, i_there = _coordinates(down, self.input_dilation_h, self.height)
        j, j_there = _coordinates(right, self.input_dilation_w, self.width)
        # Axes: c, r, s, n, p, q.
        c = (np.arange(self.channels) * self.channel_stride).reshape(-1, 1, 1, 1, 1, 1)
        n = (np.arange(self.images) * self.image_stride).reshape(1, 1, 1, -1, 1, 1)
        i, i_there = i[None, :, None, None, :, None], i_there[None, :, None, None, :, None]
        j, j_there = j[None, None, :, None, None, :], j_there[None, None, :, None, None, :]
        elements = np.where(i_there & j_there, memory[c + n + i * self.width + j], memory.dtype.type(0))
        matrix: NDArray[Any] = elements.reshape(self.channels * self.filter_height * self.filter_width, -1)
        return matrix.T if self.transposed else matrix


def _coordinates(place: NDArray[Any], dilation: int, extent: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return coordinates in the tensor, 0 where there is none, and where there is one."""
    there = (place >= 0) & (place % dilation == 0) & (place // dilation < extent)
    return np.where(there, place // dilation, 0), there
