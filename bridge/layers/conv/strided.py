"""Sparse direct convolutions of stride 2 and of 1 × 1 filters: kernels over the engine's im2col views of X or dY."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.layers.conv.direct import TILE_CHANNELS, DirectPlan, DirectProblem
from bridge.layers.conv.shape import ConvolutionShape
from bridge.tensors import Im2colMatrix, Matrix
from spartan_units.im2col import Im2col

__all__ = ["StridedProblem", "strided_forward_problem", "strided_gradient_problem"]

_KERNELS: dict[tuple[int, str], dict[int, tuple[int, ...]]] = {
    (3, "by2"): {8: (64, 128), 15: (64, 128), 29: (64, 128), 57: (64,)},
    (1, "any"): {8: (64, 128), 14: (64, 128), 28: (64, 128), 56: (64,), 112: (64,)},
    (3, "any"): {8: (64, 128), 14: (64, 128), 28: (64, 128), 56: (64,), 112: (64,)},
}
"""Filter width and kind → greatest width of a row of tiles → filters of a wavefront: the kernels that ship."""


_SLICES = 4
"""Slices that a work-group sums in the LDS."""

_FULL = 900
"""Blocks of rows × filters that fill the GPU without slices."""

_WAVES = {"by2": 672, "any": 448}
"""Wavefronts to aim for."""

_WIDE = 512
"""Filters from which a wavefront of 128 pays."""


@dataclass(frozen=True)
class StridedProblem(DirectProblem):
    """A direct convolution over an im2col view; extents are those of the view.

    Attributes:
        kind: "by2", rows of the view are channels split by the parity of their columns; "any", they are channels.
        stride_h: rows of the input from output row to output row.
        up_shift: output row p meets input row (p · stride_h + r − pad_h) / 2^up_shift, where that is whole.
        rows_out, columns_out: of the output.
        source_height, source_width: of the tensor behind the view.
        source_stride_h, source_stride_w, source_pad_w: every how many of its rows and columns the view shows, and how
            many zeros before the first.
        spread_w: columns of the view from element to element of a row.
    """

    kind: str
    stride_h: int
    up_shift: int
    rows_out: int
    columns_out: int
    source_height: int
    source_width: int
    source_stride_h: int = 1
    source_stride_w: int = 1
    source_pad_w: int = 0
    spread_w: int = 1

    @property
    def out_height(self) -> int:
        """Rows of outputs."""
        return self.rows_out

    @property
    def out_width(self) -> int:
        """Columns of outputs."""
        return self.columns_out

    @property
    def key(self) -> str:
        """The problem as the table of tuned plans names it."""
        return (
            f"sparse_conv {self.images}x{self.channels}x{self.source_height}x{self.source_width} to {self.filters}x"
            f"{self.rows_out}x{self.columns_out} by {self.filter_height}x{self.filter_width} {self.kind}"
        )

    @property
    def _phases(self) -> int:
        return 2 if self.kind == "by2" else 1

    @property
    def channel_tiles(self) -> int:
        """Tiles along the channels of a group."""
        return self.channels * self._phases // TILE_CHANNELS

    @property
    def taps_of_a_pixel(self) -> float:
        """Taps of a filter row that share a register index, on average over the pixels of a row."""
        return self.filter_width / self._phases

    @property
    def units(self) -> int:
        """Pairs of channel tile and filter row of an output row, at most."""
        return self.channel_tiles * -(-self.filter_height >> self.up_shift)

    @property
    def kernel_width(self) -> int:
        """Greatest width of the kernel."""
        return min(width for width in _KERNELS[self.filter_width, self.kind] if self.width <= width)

    @property
    def kernel_columns(self) -> tuple[int, ...]:
        """Filters of a wavefront: the kernels that ship for this width."""
        return _KERNELS[self.filter_width, self.kind][self.kernel_width]

    def kernel(self, plan: DirectPlan) -> str:
        """Return the name of the kernel."""
        return f"sparse_conv{self.filter_width}_{self.kind}_{self.kernel_width}x{plan.columns}"

    def rule(self) -> DirectPlan:
        """Choose a plan that nobody has measured, as ResNet-18's layers of stride 2 liked it at density 0.5, N = 1."""
        blocks = self.images * self.out_height * -(-self.filters // 64)
        if self.units < _SLICES or blocks >= _FULL:
            return DirectPlan(64, 4, 0, 1)
        if self.filter_width == 1:  # so short that a launch that sums partial results costs more than it brings
            return DirectPlan(64, 4, 2, _SLICES)
        slices = max(_SLICES, round(_WAVES[self.kind] / blocks / _SLICES) * _SLICES)
        columns = 64
        if self.kind == "by2" and self.filters >= _WIDE and 128 in self.kernel_columns:  # bound by weights
            columns, slices = 128, 16
        slices = min(slices, self.units // _SLICES * _SLICES)
        share = -(-self.units // slices)
        slices = min(slices, -(-self.units // share // _SLICES) * _SLICES)  # none that has nothing to do
        shared = self.kind == "any" and slices > _SLICES and self.units >= 32
        return DirectPlan(columns, 8 if shared and self.width <= 112 else 4, 2, slices)

    @property
    def arguments(self) -> dict[str, int]:
        """Arguments of the kernel beside those of stride 1."""
        return {"stride_h": self.stride_h, "up_shift": self.up_shift}

    @property
    def fits(self) -> bool:
        """Whether a kernel ships that computes it."""
        return (
            self.channels * self._phases % TILE_CHANNELS == 0
            and (self.filter_width, self.kind) in _KERNELS
            and any(self.width <= width for width in _KERNELS[self.filter_width, self.kind])
            and 0 <= self.pad_h < self.filter_height
            and 0 <= self.pad_w < self.filter_width
        )

    def view(self, x: DeviceArray) -> Im2colMatrix:
        """Return the tiles that the kernel reads: images count as channels, so that a tile is rows of one image."""
        plane = self.source_height * self.source_width
        channels = self.images * self.groups * self.channels
        geometry = Im2col(
            1, channels, self.source_height, self.source_width, channels * plane, plane, 1, self._phases, self.height,
            self.width, self.source_stride_h, self.source_stride_w, 0, self.source_pad_w,
            input_dilation_w=self.spread_w,
        )  # fmt: skip
        return Im2colMatrix(x, geometry, 0, TILE_CHANNELS, self.width)

    def watched(self, x: DeviceArray) -> Matrix:
        """Return what the monitor counts for the scheduler: whole rows of the tensor."""
        rows, pixels = self.images * self.groups * self.channels, self.source_height * self.source_width
        return Matrix(x, rows, pixels, pixels, 1, TILE_CHANNELS // self._phases, self.source_width)

    def tile_nonzeros(self, counts: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return the counts of the rows that tiles show; columns that they leave out are counted with them."""
        rows = counts.reshape(-1, self.source_height)[:, :: self.source_stride_h]
        return np.ascontiguousarray(rows[:, : self.height]).reshape(-1)

    def met_rows(self, p: int) -> tuple[int, int]:
        """Return the first row of tiles that output row p meets, and how many it meets."""
        at, step = p * self.stride_h - self.pad_h, 1 << self.up_shift
        first = max(0, -at)
        first += -(at + first) % step
        last = min(self.filter_height, (self.height - 1) * step + 1 - at)
        return (at + first) // step, -(-(last - first) // step)


def _dilated(shape: ConvolutionShape) -> bool:
    return (shape.dilation_h, shape.dilation_w) != (1, 1)


def strided_forward_problem(shape: ConvolutionShape) -> StridedProblem | None:
    """Return the forward pass as a direct convolution over an im2col view, None where no kernel computes it.

    1 × 1 filters of any stride without padding, and filters 3 wide of stride 2 along the width.
    """
    common = (shape.images, shape.groups, shape.group_channels)
    out, source = (shape.out_height, shape.out_width), (shape.height, shape.width)
    if _dilated(shape):
        return None
    if (shape.filter_height, shape.filter_width, shape.pad_h, shape.pad_w) == (1, 1, 0, 0):
        problem = StridedProblem(
            *common, *out, shape.group_filters, 1, 1, 0, 0, False, "any", 1, 0, *out, *source, shape.stride_h,
            shape.stride_w,
        )  # fmt: skip
    elif (shape.filter_width, shape.stride_w) == (3, 2):
        problem = StridedProblem(
            *common, shape.height, shape.out_width + 1, shape.group_filters, shape.filter_height, 3, shape.pad_h, 0,
            False, "by2", shape.stride_h, 0, *out, *source, 1, 2, shape.pad_w,
        )  # fmt: skip
    else:
        return None
    return problem if problem.fits else None


def strided_gradient_problem(shape: ConvolutionShape) -> StridedProblem | None:
    """Return the data gradient as a direct convolution over a view of dY, None where no kernel computes it.

    Filters 1 or 3 wide; the stride is 1 or 2 along the height, and any along the width.
    """
    pad_h, pad_w = shape.filter_height - 1 - shape.pad_h, shape.filter_width - 1 - shape.pad_w
    if _dilated(shape) or shape.stride_h not in (1, 2):
        return None
    problem = StridedProblem(
        shape.images, shape.groups, shape.group_filters, shape.out_height, shape.width + shape.filter_width - 1
        - 2 * pad_w, shape.group_channels, shape.filter_height, shape.filter_width, pad_h, pad_w, True, "any", 1,
        shape.stride_h - 1, shape.height, shape.width, shape.out_height, shape.out_width, spread_w=shape.stride_w,
    )  # fmt: skip
    return problem if problem.width > 0 and problem.fits else None
