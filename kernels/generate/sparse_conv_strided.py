"""Sparse direct convolutions of other strides: forward of stride 2, data gradient of stride 1 or 2, and 1 × 1.

The code is that of sparse_conv: a wavefront owns one row p of outputs and 64·``columns`` filters, a non-zero costs one
register index. What differs is which taps and filter rows a pixel meets, and that the view is one of the engine's
im2col views of X, which brings pixels into the order that the accumulators want:

- ``sparse_convS_by2_W``: forward, stride 2 along the width. The view splits rows by parity: its row 2·c + f holds the
  pixels 2·j + f − pad_w of channel c, j = 0 … Q, so a tile is 8 channels × one image row. An even row (f = 0) meets the
  even taps, an odd one the odd taps: pixel j adds through tap 2·i + f to output j − i. A non-zero costs one register
  index for the taps that it really has, ceil(S / 2) or floor(S / 2) times ``columns`` multiply-adds.
- ``sparse_convS_any_W``: every row is a channel and meets all S taps, as in sparse_conv. With S = 1 it is a 1 × 1
  convolution of any stride over a view that leaves out what no output reads. With S = 3 it is the data gradient: the
  view of dY has zeros between its columns, so that pixel j adds to outputs j … j + S − 1.

Along the height, output row p meets image row (p·stride_h + r − pad_h) / 2**up_shift with filter row r, where that is
whole: stride_h is the forward pass's stride, 2**up_shift (1 or 2) the one that a data gradient goes against. Filter
rows that meet no image row cost nothing.

Arguments are those of sparse_conv and these two; pad_w is what the view has not taken into its columns already, channel
tiles are tiles of the view, height its rows of pixels. The sum of an output runs over tiles, within a tile over filter
rows, rows of the tile, taps.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from gcn3 import Kernel, module, s
from sparse_conv import SparseConvolution
from sparse_conv_registers import A_HEIGHT, A_PAD_H, A_R, A_SLICE_SHIFT, ARGUMENTS, R_LEFT, TILE_C, T

A_STRIDE, A_UP = A_SLICE_SHIFT + 1, T + 19


class AnyStride(SparseConvolution):
    """Rows of a tile are channels; any stride along the height."""

    arguments: ClassVar = [*ARGUMENTS, ("stride_h", "u32"), ("up_shift", "u32")]

    def _name(self) -> str:
        return f"sparse_conv{self.taps}_any_{self.width}x{64 * self.columns}"

    def _load_arguments(self) -> None:
        super()._load_arguments()
        self.k.load(A_STRIDE, "stride_h")
        self.k.load(A_UP, "up_shift")

    def _filter_rows(self, p: int, first: int, last: int) -> None:
        """Leave p · stride_h − pad_h in ``p``; the first filter row must reach a multiple of 2**up_shift."""
        k, scratch = self.k, T + 9
        k.comment("filter rows that meet the image: first, and how many, 2**up_shift apart")
        k(f"s_mul_i32 {s(p)}, {s(p)}, {s(A_STRIDE)}")
        k(f"s_sub_i32 {s(p)}, {s(p)}, {s(A_PAD_H)}")
        k(f"s_sub_i32 {s(first)}, 0, {s(p)}")
        k(f"s_max_i32 {s(first)}, {s(first)}, 0")
        k(f"s_bfm_b32 {s(scratch)}, {s(A_UP)}, 0")
        k(f"s_add_u32 {s(last)}, {s(p)}, {s(first)}")
        k(f"s_sub_u32 {s(last)}, 0, {s(last)}")
        k(f"s_and_b32 {s(last)}, {s(last)}, {s(scratch)}")
        k(f"s_add_u32 {s(first)}, {s(first)}, {s(last)}")
        k(f"s_sub_u32 {s(last)}, {s(A_HEIGHT)}, 1")
        k(f"s_lshl_b32 {s(last)}, {s(last)}, {s(A_UP)}")
        k(f"s_sub_i32 {s(last)}, {s(last)}, {s(p)}")
        k(f"s_add_u32 {s(last)}, {s(last)}, 1")
        k(f"s_min_i32 {s(last)}, {s(last)}, {s(A_R)}")
        k(f"s_sub_i32 {s(R_LEFT)}, {s(last)}, {s(first)}")
        k(f"s_add_i32 {s(R_LEFT)}, {s(R_LEFT)}, {s(scratch)}")
        k(f"s_ashr_i32 {s(R_LEFT)}, {s(R_LEFT)}, {s(A_UP)}")

    def _add_rows(self, first: int, count: int) -> None:
        k, scratch = self.k, T + 9
        k(f"s_lshl_b32 {s(scratch)}, {s(count)}, {s(A_UP)}")
        k(f"s_add_u32 {s(first)}, {s(first)}, {s(scratch)}")

    def _add_image_row(self, to: int, p: int, first: int) -> None:
        k = self.k
        k(f"s_add_u32 {s(first)}, {s(p)}, {s(first)}")
        k(f"s_lshr_b32 {s(first)}, {s(first)}, {s(A_UP)}")
        k(f"s_add_u32 {s(to)}, {s(to)}, {s(first)}")

    def _row_bytes(self, taps: int) -> None:
        self.k(f"s_lshl_b32 {s(taps)}, {s(taps)}, {s(A_UP)}")


class StrideTwo(AnyStride):
    """Rows of a tile are channels split by the parity of their pixels."""

    def _name(self) -> str:
        return f"sparse_conv{self.taps}_by2_{self.width}x{64 * self.columns}"

    def _row_taps(self) -> list[list[int]]:
        return [list(range(parity, self.taps, 2)) for parity in range(2)]

    @property
    def _channels(self) -> int:
        return TILE_C // 2

    def _next_channel(self, row: int) -> bool:
        return row % 2 == 1


def kernels() -> list[Kernel]:
    """All kernels of the module."""
    widths = {8: (1, 2), 15: (1, 2), 29: (1, 2), 57: (1,)}
    made: list[SparseConvolution] = [StrideTwo(3, width, c) for width, columns in widths.items() for c in columns]
    widths = {8: (1, 2), 14: (1, 2), 28: (1, 2), 56: (1,), 112: (1,)}
    made += [AnyStride(taps, width, c) for taps in (1, 3) for width, columns in widths.items() for c in columns]
    return [kernel.generate() for kernel in made]


def main() -> None:
    """Write sparse_conv_strided.s beside the OpenCL sources."""
    target = Path(__file__).parent.parent / "src" / "sparse_conv_strided.s"
    target.write_text(module(kernels(), "python3 generate/sparse_conv_strided.py"))


if __name__ == "__main__":
    main()
