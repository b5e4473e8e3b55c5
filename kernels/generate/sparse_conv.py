"""Sparse direct convolution of stride 1 over ELLPACK-DIB tiles of the input itself: no im2col, no padding taps.

y[image, f, p, q] = sum over c, r, s of x[image, c, p + r − pad_h, q + s − pad_w] · w[(c·R + r)·S + s][f]. The view is
of X as a matrix of channels (images · channels rows) × pixels (height · width columns) in tiles of 16 channels × one
image row of ``width`` pixels, so tile (i, h) holds row h of 16 channels. A wavefront owns one row p of outputs and
64·``columns`` filters (lane = filter): ``width`` + S − 1 accumulators per 64 filters. For each channel c and filter
row r the S·``columns`` weight registers are loaded ahead, the non-zeros of the row arrive in SGPRs as (value, column)
pairs, and a non-zero costs one scalar instruction, ``s_set_gpr_idx_idx``, for S·``columns`` ``v_mac_f32``: tap s adds
to the accumulator S − 1 − s behind the pixel's column. Compared with a GEMM over im2col, a non-zero is converted once
instead of R·S times, and a scalar instruction serves S times as many multiply-adds.

It computes a data gradient as well: dY in place of X, filters by (f, r, s) × c, ``flip`` = 1 (taps are read last to
first), pad R − 1 − pad.

Rows of more than 16 non-zeros go through shared code for 16 at a time, then enter the row's unrolled code at the n-th
from the end, as in sparse_gemm. Channels per image are a multiple of 16; width ≤ the kernel's; any P, Q with pad_h <
R and pad_w < S. Filter rows that fall outside the image are left out.

The pairs (channel tile, filter row) of an output row may be shared out among ``total_slices`` wavefronts. A group has
``waves`` wavefronts. slice_shift = 2: each four of them work on adjacent slices and add their sums through the LDS
(4,096 bytes each, dynamic); else slice_shift = 0, and all take adjacent rows p, which share weights in L1V.
Partial results of the groups along z lie c_slice_stride apart. Grid: x the blocks of filters (times 64·waves), y
images · P rows / (waves >> slice_shift), z total_slices >> slice_shift.

Per output the sum starts at the bias (or 0), runs over c in blocks of 16, within a block over r, c, s ascending, with
one rounding per product and one per sum; slices are added in ascending order.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from common import buffer_resource, wave_index
from gcn3 import Kernel, module, s, v
from sparse_conv_registers import (
    A_F,
    A_FLIP,
    A_HEIGHT,
    A_IMAGE_TILES,
    A_LDB,
    A_P,
    A_PAD_H,
    A_POINTERS,
    A_R,
    A_ROWS,
    A_SLICE_SHIFT,
    A_SLICES,
    A_SLOT,
    A_TILES,
    A_WAVES,
    ARGUMENTS,
    B_OFFSET,
    B_R_ADJUST,
    B_RESOURCE,
    B_STEP,
    B_T_ADJUST,
    CHUNK,
    COUNTS,
    ENTRY,
    GROUP,
    GROUPS,
    HEADER,
    HIGH,
    JUMP,
    KEPT_ARGUMENTS,
    KEPT_F0,
    KEPT_IMAGE,
    KEPT_ROW,
    KEPT_SLICE,
    KEPT_WAVE,
    KEPT_Z,
    LOW,
    NEXT,
    NEXT_COUNTS,
    NEXT_PITCH,
    OVER,
    PAIRS,
    PITCH,
    R_LEFT,
    R_STEP,
    R_TOTAL,
    RETURN,
    ROW_OFFSET,
    SLOT,
    T_STEP,
    TILE_C,
    TILES_LEFT,
    T,
)
from sparse_conv_sums import SliceSums


class SparseConvolution(SliceSums):
    """Generator of one kernel: S taps along the width, rows of up to ``width`` pixels, 64·``columns`` filters."""

    arguments: ClassVar = ARGUMENTS

    def __init__(self, taps: int, width: int, columns: int) -> None:
        self.taps, self.columns = taps, columns
        self.width = width
        self.row_taps = self._row_taps()
        self.reach = max(len(row) for row in self.row_taps)  # outputs that a pixel adds to
        self.accumulators = max(16, (width + self.reach - 1 + 3) // 4 * 4)
        self.weights = self.accumulators * columns  # two rows of taps · columns registers
        self.per_row = [len(row) * columns for row in self.row_taps]
        self.lane = self.weights + sum(self.per_row)  # byte offset of the lane's filter at each tap
        self.kept = self.lane + max(taps, 3)  # the end of the kernel takes three registers there
        self.k = Kernel(self._name(), self.arguments, sgprs=104, vgprs=max(self.kept + 1, self.weights + 8))
        self.pair_bytes = [4 + 4 * registers for registers in self.per_row]

    def _name(self) -> str:
        return f"sparse_conv{self.taps}_{self.width}x{64 * self.columns}"

    def _row_taps(self) -> list[list[int]]:
        """Taps of even and of odd rows of a tile, by falling accumulator: here every row is a channel."""
        return [list(range(self.taps))] * 2

    @property
    def _channels(self) -> int:
        """Channels of a tile."""
        return TILE_C

    def _next_channel(self, row: int) -> bool:
        """Whether the row behind this one is of another channel."""
        return True

    def generate(self) -> Kernel:
        """The whole kernel."""
        k = self.k
        self._prologue()
        k.label("tile")
        k(f"s_lshl_b32 {s(PITCH)}, {s(NEXT_PITCH)}, 3")
        k(f"s_mov_b32 {s(ROW_OFFSET)}, {s(PITCH)}")
        k(f"s_mov_b32 {s(GROUPS)}, {TILE_C // GROUP - 1}")
        self._entries(False)
        k(".p2align 6")
        k.label("group")
        for row in range(GROUP):
            self._row(row, False)
        k(f"s_sub_u32 {s(GROUPS)}, {s(GROUPS)}, 1")
        k(f"s_cmp_lg_u32 {s(GROUPS)}, 0")
        k(f"s_cbranch_scc1 {k.local('group')}")
        self._entries(True)
        for row in range(GROUP):
            self._row(row, True)
        self._next_tile()
        for parity in range(2):
            self._overflow(parity)
        for last in (False, True):
            for row in range(GROUP):
                self._stub(row, last)
        k.label("summed")
        self._finish()
        k.label("done")
        k("s_endpgm")
        return k

    # Before the loop.

    def _load_arguments(self) -> None:
        k = self.k
        k.load(A_POINTERS, "tiles", 8)
        k.load(A_F, "F", 8)
        k.load(A_R, "filter_height", 8)
        k.load(A_FLIP, "flip", 2)
        k.load(A_SLICE_SHIFT, "slice_shift")

    def _prologue(self) -> None:
        k = self.k
        self._load_arguments()
        kept = v(self.kept)
        wave_index(k, 5, self.lane)
        k("s_waitcnt lgkmcnt(0)")
        slices, slice_, row, image, p, first, last = (T + i for i in range(7))
        k(f"v_writelane_b32 {kept}, s0, {KEPT_ARGUMENTS}")
        k(f"v_writelane_b32 {kept}, s1, {KEPT_ARGUMENTS + 1}")
        k(f"v_writelane_b32 {kept}, s5, {KEPT_WAVE}")
        k(f"s_bfm_b32 {s(slices)}, {s(A_SLICE_SHIFT)}, 0")
        k(f"s_and_b32 {s(slice_)}, s5, {s(slices)}")
        k(f"v_writelane_b32 {kept}, {s(slice_)}, {KEPT_SLICE}")
        k(f"v_writelane_b32 {kept}, s4, {KEPT_Z}")
        k.comment("slice of this wavefront among all, and row of outputs")
        k(f"s_lshl_b32 s4, s4, {s(A_SLICE_SHIFT)}")
        k(f"s_add_u32 {s(slice_)}, {s(slice_)}, s4")
        k(f"s_lshr_b32 s5, s5, {s(A_SLICE_SHIFT)}")
        k(f"s_lshr_b32 {s(row)}, {s(A_WAVES)}, {s(A_SLICE_SHIFT)}")
        k(f"s_mul_i32 {s(row)}, {s(row)}, s3")
        k(f"s_add_u32 {s(row)}, {s(row)}, s5")
        k(f"s_cmp_ge_u32 {s(row)}, {s(A_ROWS)}")
        k(f"s_cbranch_scc1 {k.local('done')}")
        k.comment("image and row in it")
        self._divide(image, row, A_P)
        k(f"s_mul_i32 {s(p)}, {s(image)}, {s(A_P)}")
        k(f"s_sub_u32 {s(p)}, {s(row)}, {s(p)}")
        k(f"s_mul_i32 s2, s2, {64 * self.columns}")
        k(f"s_cmp_ge_u32 s2, {s(A_F)}")
        k(f"s_cbranch_scc1 {k.local('done')}")
        for register, place in ((s(p), KEPT_ROW), (s(image), KEPT_IMAGE), ("s2", KEPT_F0)):
            k(f"v_writelane_b32 {kept}, {register}, {place}")
        self._start_accumulators(slice_)
        self._filter_rows(p, first, last)
        k(f"s_cmp_le_i32 {s(R_LEFT)}, 0")
        k(f"s_cbranch_scc1 {k.local('summed')}")
        k(f"s_mov_b32 {R_TOTAL}, {s(R_LEFT)}")
        k.comment("the slice's share of the row's pairs (channel tile, filter row)")
        tile, total, share = T + 7, T + 8, T + 9
        k(f"s_mul_i32 {s(total)}, {s(A_TILES)}, {s(R_LEFT)}")
        k(f"s_add_u32 {s(tile)}, {s(total)}, {s(A_SLICES)}")
        k(f"s_sub_u32 {s(tile)}, {s(tile)}, 1")
        self._divide(share, tile, A_SLICES)
        k(f"s_mul_i32 {s(slice_)}, {s(slice_)}, {s(share)}")
        k(f"s_cmp_ge_u32 {s(slice_)}, {s(total)}")
        k(f"s_cbranch_scc1 {k.local('summed')}")
        k(f"s_sub_u32 {s(TILES_LEFT)}, {s(total)}, {s(slice_)}")
        k(f"s_min_u32 {s(TILES_LEFT)}, {s(TILES_LEFT)}, {s(share)}")
        self._divide(tile, slice_, R_LEFT)
        k(f"s_mul_i32 {s(total)}, {s(tile)}, {s(R_LEFT)}")
        k(f"s_sub_u32 {s(total)}, {s(slice_)}, {s(total)}")
        self._add_rows(first, total)
        self._first_weights(tile, first)
        k.comment("first tile: (image · image_tiles + tile) · height + p + first − pad_h")
        k(f"s_mul_i32 {s(T + 9)}, {s(image)}, {s(A_IMAGE_TILES)}")
        k(f"s_add_u32 {s(T + 9)}, {s(T + 9)}, {s(tile)}")
        k(f"s_mul_i32 {s(T + 9)}, {s(T + 9)}, {s(A_HEIGHT)}")
        self._add_image_row(T + 9, p, first)
        k(f"s_mul_i32 {s(SLOT)}, {s(T + 9)}, {s(A_SLOT)}")
        k(f"v_mov_b32 {v(self.kept - 1 - self.taps)}, {s(T + 9)}")
        k(f"v_mul_hi_u32 {v(self.kept - 1 - self.taps)}, {v(self.kept - 1 - self.taps)}, {s(A_SLOT)}")
        k(f"v_readfirstlane_b32 {s(SLOT + 1)}, {v(self.kept - 1 - self.taps)}")
        k(f"s_add_u32 {s(SLOT)}, {s(SLOT)}, {s(A_POINTERS)}")
        k(f"s_addc_u32 {s(SLOT + 1)}, {s(SLOT + 1)}, {s(A_POINTERS + 1)}")
        k(f"s_mov_b32 {s(R_STEP)}, {s(A_SLOT)}")
        k(f"s_sub_u32 {s(T + 9)}, {s(A_HEIGHT)}, {s(R_LEFT)}")
        k(f"s_add_u32 {s(T + 9)}, {s(T + 9)}, 1")
        k(f"s_mul_i32 {s(T_STEP)}, {s(T + 9)}, {s(A_SLOT)}")
        k(f"s_sub_u32 {s(R_LEFT)}, {s(R_LEFT)}, {s(total)}")
        k.comment("weights of the first two channels; the first tile")
        for row in range(2):
            self._load_weights(row)
        self._point_at(SLOT)
        k(f"s_mov_b32 {s(ROW_OFFSET)}, 0")
        k(f"s_load_dword {s(NEXT_PITCH)}, {s(SLOT, 2)}, 0x0")
        k(f"s_load_dwordx4 {s(COUNTS, 4)}, {s(SLOT, 2)}, 0x40")
        self._load_pairs(PAIRS[0])
        k(f"s_set_gpr_idx_on {s(JUMP)}, 0xc  ; what v_mac adds to, as its third source and as its destination")
        k("s_waitcnt lgkmcnt(0)")

    def _filter_rows(self, p: int, first: int, last: int) -> None:
        """Set ``first`` to the first filter row that meets the image, R_LEFT to how many do; ``p``: the output row."""
        k = self.k
        k.comment("filter rows that meet the image: first … last")
        k(f"s_sub_i32 {s(first)}, {s(A_PAD_H)}, {s(p)}")
        k(f"s_max_i32 {s(first)}, {s(first)}, 0")
        k(f"s_add_u32 {s(last)}, {s(A_HEIGHT)}, {s(A_PAD_H)}")
        k(f"s_sub_u32 {s(last)}, {s(last)}, {s(p)}")
        k(f"s_min_i32 {s(last)}, {s(last)}, {s(A_R)}")
        k(f"s_sub_i32 {s(R_LEFT)}, {s(last)}, {s(first)}")

    def _add_rows(self, first: int, count: int) -> None:
        """Move ``first`` on by ``count`` of the filter rows that meet the image."""
        self.k(f"s_add_u32 {s(first)}, {s(first)}, {s(count)}")

    def _add_image_row(self, to: int, p: int, first: int) -> None:
        """Add the image row that filter row ``first`` reads."""
        k = self.k
        k(f"s_add_u32 {s(to)}, {s(to)}, {s(p)}")
        k(f"s_add_u32 {s(to)}, {s(to)}, {s(first)}")
        k(f"s_sub_u32 {s(to)}, {s(to)}, {s(A_PAD_H)}")

    def _row_bytes(self, taps: int) -> None:
        """Turn the bytes of a filter row into those from one that meets the image to the next."""

    def _divide(self, quotient: int, dividend: int, divisor: int) -> None:
        """Whole quotient of scalars below 2**20; exact, since half a unit keeps it away from whole numbers."""
        k, a, b = self.k, v(self.weights), v(self.weights + 1)
        k(f"v_cvt_f32_u32 {a}, {s(divisor)}")
        k(f"v_rcp_f32 {a}, {a}")
        k(f"v_cvt_f32_u32 {b}, {s(dividend)}")
        k(f"v_add_f32 {b}, 0.5, {b}")
        k(f"v_mul_f32 {a}, {a}, {b}")
        k(f"v_cvt_u32_f32 {a}, {a}")
        k(f"v_readfirstlane_b32 {s(quotient)}, {a}")

    def _start_accumulators(self, slice_: int) -> None:
        """Byte offsets of the lane's filter, and accumulators that begin at the bias in the first slice."""
        k, lane = self.k, v(self.lane)
        k(f"v_add_u32 {lane}, vcc, s2, {lane}")
        k(f"v_lshlrev_b32 {lane}, 2, {lane}")
        for c in range(self.columns):
            k(f"v_mov_b32 {v(self.weights + c)}, 0")
        k(f"s_cmp_eq_u64 {s(A_POINTERS + 6, 2)}, 0")
        k(f"s_cbranch_scc1 {k.local('no_bias')}")
        k(f"s_cmp_eq_u32 {s(slice_)}, 0")
        k(f"s_cbranch_scc0 {k.local('no_bias')}")
        buffer_resource(k, B_RESOURCE, A_POINTERS + 6)
        k(f"s_lshl_b32 {s(B_RESOURCE + 2)}, {s(A_F)}, 2")
        for c in range(self.columns):
            k(f"buffer_load_dword {v(self.weights + c)}, {lane}, {s(B_RESOURCE, 4)}, 0 offen offset:{256 * c}")
        k("s_waitcnt vmcnt(0)")
        k.label("no_bias")
        for c in range(self.columns):
            for i in range(self.accumulators):
                k(f"v_mov_b32 {v(c * self.accumulators + i)}, {v(self.weights + c)}")

    def _first_weights(self, tile: int, first: int) -> None:
        """B's resource, the lane's offset at each tap, the first channel's offset, and how it moves on."""
        k, scratch = self.k, T + 9
        line, taps, start = T + 10, T + 11, T + 12
        k(f"s_lshl_b32 {s(line)}, {s(A_LDB)}, 2")
        k(f"s_mul_i32 {s(taps)}, {s(line)}, {self.taps}")  # bytes of a filter row
        k(f"s_mul_i32 {s(B_STEP)}, {s(taps)}, {s(A_R)}")
        buffer_resource(k, B_RESOURCE, A_POINTERS + 2)
        k.comment("bytes of B: rows that are loaded ahead beyond its end read as 0")
        k(f"s_mul_i32 {s(scratch)}, {s(B_STEP)}, {s(A_TILES)}")
        k(f"s_lshl_b32 {s(scratch)}, {s(scratch)}, {self._channels.bit_length() - 1}")
        k(f"s_sub_u32 {s(scratch)}, {s(scratch)}, {s(line)}")
        k(f"s_lshl_b32 {s(start)}, {s(A_F)}, 2")
        k(f"s_add_u32 {s(B_RESOURCE + 2)}, {s(scratch)}, {s(start)}")
        k.comment("tap s lies s lines on, or S − 1 − s when flipped")
        k(f"s_cmp_lg_u32 {s(A_FLIP)}, 0")
        k(f"s_cselect_b32 {s(scratch)}, {s(line)}, 0")
        k(f"s_mul_i32 {s(scratch)}, {s(scratch)}, {self.taps - 1}")
        k(f"v_add_u32 {v(self.lane)}, vcc, {s(scratch)}, {v(self.lane)}")
        k(f"s_sub_u32 {s(scratch)}, 0, {s(line)}")
        k(f"s_cmp_lg_u32 {s(A_FLIP)}, 0")
        k(f"s_cselect_b32 {s(line)}, {s(scratch)}, {s(line)}")
        for tap in range(1, self.taps):
            k(f"v_add_u32 {v(self.lane + tap)}, vcc, {s(line)}, {v(self.lane + tap - 1)}")
        k.comment("first filter row, and bytes from one to the next")
        k(f"s_sub_u32 {s(start)}, {s(A_R)}, 1")
        k(f"s_sub_u32 {s(start)}, {s(start)}, {s(first)}")
        k(f"s_cmp_lg_u32 {s(A_FLIP)}, 0")
        k(f"s_cselect_b32 {s(start)}, {s(start)}, {s(first)}")
        k(f"s_mul_i32 {s(B_OFFSET)}, {s(start)}, {s(taps)}")
        k(f"s_lshl_b32 {s(scratch)}, {s(tile)}, {self._channels.bit_length() - 1}")
        k(f"s_mul_i32 {s(scratch)}, {s(scratch)}, {s(B_STEP)}")
        k(f"s_add_u32 {s(B_OFFSET)}, {s(B_OFFSET)}, {s(scratch)}")
        k(f"s_sub_u32 {s(scratch)}, 0, {s(taps)}")
        k(f"s_cmp_lg_u32 {s(A_FLIP)}, 0")
        k(f"s_cselect_b32 {s(taps)}, {s(scratch)}, {s(taps)}")
        self._row_bytes(taps)
        k.comment("behind the 16th channel: back to the first, then a filter row on; or to the next tile's first row")
        k(f"s_lshl_b32 {s(scratch)}, {s(B_STEP)}, {self._channels.bit_length() - 1}")
        k(f"s_sub_u32 {s(B_R_ADJUST)}, {s(taps)}, {s(scratch)}")
        k(f"s_sub_u32 {s(scratch)}, 1, {s(R_LEFT)}")
        k(f"s_mul_i32 {s(B_T_ADJUST)}, {s(scratch)}, {s(taps)}")

    # The loop.

    def _entries(self, last: bool) -> None:
        """Where each row's unrolled code ends."""
        k, which = self.k, "last" if last else "first"
        k(f"s_getpc_b64 {s(JUMP, 2)}")
        k.label(f"here_{which}")
        for row, register in enumerate(ENTRY):
            k(f"s_add_u32 {register}, {s(JUMP)}, {k.local(f'end_{which}{row}')}-{k.local(f'here_{which}')}")

    def _point_at(self, slot: int) -> None:
        """Let LOW and HIGH point at the first row of a tile, and 64 bytes on."""
        k = self.k
        k(f"s_add_u32 {s(LOW)}, {s(slot)}, {HEADER}")
        k(f"s_addc_u32 {s(LOW + 1)}, {s(slot + 1)}, 0")
        k(f"s_add_u32 {s(HIGH)}, {s(LOW)}, 64")
        k(f"s_addc_u32 {s(HIGH + 1)}, {s(LOW + 1)}, 0")

    def _load_pairs(self, pairs: int) -> None:
        k = self.k
        k(f"s_load_dwordx16 {s(pairs, 16)}, {s(LOW, 2)}, {s(ROW_OFFSET)}")
        if self.width > 8:
            k(f"s_load_dwordx16 {s(pairs + 16, 16)}, {s(HIGH, 2)}, {s(ROW_OFFSET)}")

    def _load_weights(self, row: int) -> None:
        """Load the weights of a channel into one of two places and move on."""
        k = self.k
        for place, tap in enumerate(self.row_taps[row % 2]):
            for c in range(self.columns):
                target = v(self.weights + row % 2 * self.per_row[0] + place * self.columns + c)
                k(
                    f"buffer_load_dword {target}, {v(self.lane + tap)}, {s(B_RESOURCE, 4)}, {s(B_OFFSET)}"
                    f" offen offset:{256 * c}"
                )
        if self._next_channel(row):
            k(f"s_add_u32 {s(B_OFFSET)}, {s(B_OFFSET)}, {s(B_STEP)}")

    def _pairs(self, parity: int, first: int, last: int) -> None:
        """Multiply-adds of pairs ``first`` to ``last``, the last one first."""
        k = self.k
        for i in reversed(range(first, last + 1)):
            pair = PAIRS[parity] + 2 * i
            k(f"s_set_gpr_idx_idx {s(pair + 1)}")
            for place in range(len(self.row_taps[parity])):
                for c in range(self.columns):
                    accumulator = v(c * self.accumulators + self.reach - 1 - place)
                    weight = v(self.weights + parity * self.per_row[0] + place * self.columns + c)
                    k(f"v_mac_f32 {accumulator}, {s(pair)}, {weight}")

    @property
    def _chunk(self) -> int:
        return min(CHUNK, (self.width + 7) // 8 * 8)

    def _row(self, row: int, last: bool) -> None:
        """One channel: wait, start the next one's loads, jump into the multiply-adds, refill the weights."""
        k, which, count = self.k, "last" if last else "first", s(COUNTS + row)
        k(f"s_waitcnt vmcnt({self.per_row[1 - row % 2]}) lgkmcnt(0)")
        if row == 0:
            if last:
                self._prepare_next_tile()
            else:
                k(f"s_sub_u32 {s(OVER)}, {TILE_C // GROUP}, {s(GROUPS)}")
                k(f"s_lshl_b32 {s(OVER)}, {s(OVER)}, 4")
                k(f"s_add_u32 {s(OVER)}, {s(OVER)}, 0x40")
                k(f"s_load_dwordx4 {s(NEXT_COUNTS, 4)}, {s(SLOT, 2)}, {s(OVER)}")
        if last and row == GROUP - 1:
            k.comment("the row that follows is the next tile's first; RETURN keeps this row's offset")
            k(f"s_sub_u32 {RETURN}, {s(ROW_OFFSET)}, {s(PITCH)}")
            self._point_at(NEXT)
            k(f"s_mov_b32 {s(ROW_OFFSET)}, 0")
        self._load_pairs(PAIRS[1 - row % 2])
        if not (last and row == GROUP - 1):
            k(f"s_add_u32 {s(ROW_OFFSET)}, {s(ROW_OFFSET)}, {s(PITCH)}")
        if self.width > CHUNK:
            k(f"s_min_u32 {s(JUMP)}, {count}, {CHUNK + 1}")
            count = s(JUMP)
        k(f"s_mul_i32 {s(JUMP)}, {count}, {self.pair_bytes[row % 2]}")
        k(f"s_sub_u32 {s(JUMP)}, {ENTRY[row]}, {s(JUMP)}")
        k(f"s_setpc_b64 {s(JUMP, 2)}")
        if self.width > CHUNK:
            k(f"s_branch {k.local(f'more_{which}{row}')}")
            for _ in range(self.pair_bytes[row % 2] // 4 - 1):
                k("s_nop 0")
        self._pairs(row % 2, 0, self._chunk - 1)
        k.label(f"end_{which}{row}")
        self._load_weights(row)
        if last and row == 1:
            k.comment("the channels that are loaded from here on are the next tile's")
            k(f"s_cmp_eq_u32 {s(R_LEFT)}, {R_TOTAL}")
            k(f"s_cselect_b32 {s(JUMP)}, {s(B_T_ADJUST)}, {s(B_R_ADJUST)}")
            k(f"s_add_u32 {s(B_OFFSET)}, {s(B_OFFSET)}, {s(JUMP)}")
        if row == GROUP - 1:
            k("s_waitcnt lgkmcnt(0)")
            k(f"s_mov_b64 {s(COUNTS, 2)}, {s(NEXT_COUNTS, 2)}")
            k(f"s_mov_b64 {s(COUNTS + 2, 2)}, {s(NEXT_COUNTS + 2, 2)}")

    def _prepare_next_tile(self) -> None:
        """Find the tile after this one, or this one again when it is the last, and load its header."""
        k = self.k
        k(f"s_sub_u32 {s(R_LEFT)}, {s(R_LEFT)}, 1")
        k(f"s_cmp_eq_u32 {s(R_LEFT)}, 0")
        k(f"s_cselect_b32 {s(R_LEFT)}, {R_TOTAL}, {s(R_LEFT)}")
        k(f"s_cselect_b32 {s(OVER)}, {s(T_STEP)}, {s(R_STEP)}")
        k(f"s_cmp_eq_u32 {s(TILES_LEFT)}, 1")
        k(f"s_cselect_b32 {s(OVER)}, 0, {s(OVER)}")
        k(f"s_add_u32 {s(NEXT)}, {s(SLOT)}, {s(OVER)}")
        k(f"s_addc_u32 {s(NEXT + 1)}, {s(SLOT + 1)}, 0")
        k(f"s_load_dword {s(NEXT_PITCH)}, {s(NEXT, 2)}, 0x0")
        k(f"s_load_dwordx4 {s(NEXT_COUNTS, 4)}, {s(NEXT, 2)}, 0x40")

    def _next_tile(self) -> None:
        k = self.k
        k(f"s_mov_b64 {s(SLOT, 2)}, {s(NEXT, 2)}")
        k(f"s_sub_u32 {s(TILES_LEFT)}, {s(TILES_LEFT)}, 1")
        k(f"s_cmp_lg_u32 {s(TILES_LEFT)}, 0")
        k(f"s_cbranch_scc1 {k.local('tile')}")
        k(f"s_branch {k.local('summed')}")

    def _stub(self, row: int, last: bool) -> None:
        """A row of more than 16: where its pairs lie, then the shared code, which comes back to the row's end."""
        if self.width <= CHUNK:
            return
        k, which = self.k, "last" if last else "first"
        k.label(f"more_{which}{row}")
        if not (last and row == GROUP - 1):
            k(f"s_sub_u32 {RETURN}, {s(ROW_OFFSET)}, {s(PITCH)}")
            k(f"s_sub_u32 {RETURN}, {RETURN}, {s(PITCH)}")
        k(f"s_add_u32 {s(OVER)}, {s(SLOT)}, {RETURN}")
        k(f"s_addc_u32 {s(OVER + 1)}, {s(SLOT + 1)}, 0")
        k(f"s_mov_b32 {RETURN}, {ENTRY[row]}")
        k(f"s_mov_b32 {s(COUNTS)}, {s(COUNTS + row)}") if row else None
        k(f"s_branch {k.local(f'overflow{row % 2}')}")

    def _overflow(self, parity: int) -> None:
        """16 pairs at a time, while the next ones are loaded, until 16 or fewer are left."""
        if self.width <= CHUNK:
            return
        k, pairs = self.k, PAIRS[parity]
        k.label(f"overflow{parity}")
        self._pairs(parity, 0, 7)
        k(f"s_add_u32 {s(OVER)}, {s(OVER)}, {CHUNK * 8}")
        k(f"s_addc_u32 {s(OVER + 1)}, {s(OVER + 1)}, 0")
        k(f"s_load_dwordx16 {s(pairs, 16)}, {s(OVER, 2)}, {HEADER:#x}")
        self._pairs(parity, 8, 15)
        k(f"s_sub_u32 {s(COUNTS)}, {s(COUNTS)}, {CHUNK}")
        k(f"s_cmp_gt_u32 {s(COUNTS)}, 8")
        k(f"s_cbranch_scc0 {k.local(f'half{parity}')}")
        k(f"s_load_dwordx16 {s(pairs + 16, 16)}, {s(OVER, 2)}, {HEADER + 64:#x}")
        k(f"s_cmp_gt_u32 {s(COUNTS)}, {CHUNK}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_cbranch_scc1 {k.local(f'overflow{parity}')}")
        k.label(f"half{parity}")
        k(f"s_mul_i32 {s(JUMP)}, {s(COUNTS)}, {self.pair_bytes[parity]}")
        k(f"s_sub_u32 {s(JUMP)}, {RETURN}, {s(JUMP)}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_setpc_b64 {s(JUMP, 2)}")


SHAPES = [
    *((3, 8, 1), (3, 8, 2), (3, 14, 1), (3, 14, 2), (3, 28, 1), (3, 28, 2)),
    *((3, 56, 1), (3, 112, 1), (3, 224, 1), (5, 28, 1)),
]


def main() -> None:
    """Write sparse_conv.s beside the OpenCL sources."""
    kernels = [SparseConvolution(*shape).generate() for shape in SHAPES]
    target = Path(__file__).parent.parent / "src" / "sparse_conv.s"
    target.write_text(module(kernels, "python3 generate/sparse_conv.py"))


if __name__ == "__main__":
    main()
