"""Sparse direct filter gradients of stride 2, and of 1 × 1 filters of any stride: zeros of X skipped.

dW[f, c, r, s] = sum over image, p, q of dY[image, f, p, q] · X[image, c, p·stride_h + r − pad_h, q·stride_w + s −
pad_w]. The view is one of the engine's im2col views of X, as for sparse_conv_strided, in tiles of 16 rows × one image
row:

- ``sparse_filter_gradientS_by2_W``: stride 2 along the width. Row 2·c + f of the view holds the pixels 2·j + f − pad_w
  of channel c, j = 0 … Q, so a tile is 8 channels. Pixel j of an even row meets the even taps, of an odd row the odd
  ones: tap 2·i + f with column j − i of dY.
- ``sparse_filter_gradient1_any_W``: 1 × 1 filters; the view leaves out what no output reads, a tile is 16 channels.

A wavefront owns the channels of a tile, one filter row r and 64 filters (lane = f): an accumulator for each channel and
tap. For each row p of dY, that row sits in registers, one a column, with zeros on either side; the non-zeros of image
row p·stride_h + r − pad_h arrive in SGPRs, and each costs one ``s_set_gpr_idx_idx``, which picks the columns of dY, and
one ``v_mac_f32`` for each tap that it meets. Rows of the tile are unrolled, so accumulators are named.

dY comes with f contiguous: element (j, f) at j·F_stride + f, j = (image·P + p)·Q + q. The rows (image, p) are shared
out among ``total_slices`` wavefronts; each four of a work-group add their sums through the LDS (16,384 bytes a filter
row, dynamic). Where registers allow 12 wavefronts on a compute unit and R = 3, a work-group holds all three filter
rows, which read the same rows of dY at the same time: from L1V. Otherwise it holds one. Grid: x = work-group size ·
ceil(F / 64), y = channel_tiles (· R), z = total_slices / 4.

Sums leave with f contiguous, so that a store fills lines: element (f, c, r, s) at ((c·R + r)·S + s)·F + f; partial
results of the groups along z lie c_slice_stride apart. sum_slices_transposed makes dW of them.

Per sum rows ascend, columns within a row, one rounding per product and one per sum; slices are added in ascending
order.
"""

from __future__ import annotations

from pathlib import Path

from common import buffer_resource, wave_index
from gcn3 import Kernel, module, s, v

ARGUMENTS = [
    ("tiles", "buffer"),
    ("dy", "buffer"),
    ("sums", "buffer"),
    ("F", "u32"),
    ("F_stride", "u32"),
    ("height", "u32"),
    ("out_height", "u32"),
    ("out_width", "u32"),
    ("rows", "u32"),  # images · out_height
    ("pad_h", "u32"),
    ("filter_height", "u32"),
    ("image_tiles", "u32"),  # channels of an image / 16
    ("slot_bytes", "u32"),
    ("total_slices", "u32"),
    ("c_slice_stride", "u32"),
    ("stride_h", "u32"),
]

TILE_C, CHUNK = 16, 16
HEADER = 64 + TILE_C * 4

# Scalar registers: 0–15 counts in the loop; 32–63 and 64–95 two sets of 16 pairs.
JUMP, LOW, HIGH, ROW_OFFSET, PITCH, RESOURCE, SLOT, BASE = 16, 18, 20, 22, 23, 24, 28, 30
PAIRS = (32, 64)
OVER = 96
ROW, ROWS_END = "flat_scratch_lo", "flat_scratch_hi"
DY_OFFSET, DY_STEP = 100, 101
# Arguments while they are loaded as blocks.
A_TILES, A_DY, A_SUMS = 32, 34, 36
A_F, A_F_STRIDE, A_HEIGHT, A_P, A_Q, A_ROWS, A_PAD, A_R = range(40, 48)
A_IMAGE_TILES, A_SLOT, A_SLICES, A_C_SLICE, A_STRIDE = range(48, 53)
# Lanes of the vector register that keeps scalars.
K_ARGS, K_F0, K_TILE, K_R, K_Z, K_SLICE, K_P, K_H, K_Q, K_SHIFT, K_JT, K_SB = 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
K_TILES, K_STRIDE = 13, 15


class FilterGradient:
    """Generator of one kernel.

    S taps, rows of the view of up to ``width`` pixels, ``by2`` with channels split by the parity of their pixels, one
    or all filter rows a work-group.
    """

    def __init__(self, taps: int, width: int, by2: bool, all_rows: bool) -> None:
        self.taps, self.width, self.all_rows = taps, width, all_rows
        # Taps of even and of odd rows of a tile, by falling column of dY.
        self.row_taps = [list(range(parity, taps, 2)) for parity in range(2)] if by2 else [list(range(taps))] * 2
        self.reach = max(len(row) for row in self.row_taps)  # columns of dY that a pixel meets
        self.guard = self.reach - 1  # columns of zeros before dY's first
        self.rows_of_channel = 2 if by2 else 1
        self.channels = TILE_C // self.rows_of_channel
        self.sums = self.channels * taps
        self.dy = (self.sums + 15) // 16 * 16
        self.columns = width + self.reach - 1
        self.lane = self.dy + self.columns
        self.kept = self.lane + 1
        self.temp = self.kept + 1
        name = f"sparse_filter_gradient{taps}_{'by2' if by2 else 'any'}_{width}"
        self.k = Kernel(name, ARGUMENTS, sgprs=104, vgprs=self.temp + 4)
        self.pair_bytes = [4 + 4 * len(row) for row in self.row_taps]

    def generate(self) -> Kernel:
        """The whole kernel."""
        k = self.k
        self._prologue()
        self._tile()
        for row in range(TILE_C):
            self._row(row)
        k(f"s_branch {k.local('next')}")
        self._overflows()
        k.label("summed")
        self._finish()
        k.label("done")
        k("s_endpgm")
        return k

    def _arguments(self) -> None:
        k = self.k
        k.load(A_TILES, "tiles", 4)
        k.load(A_SUMS, "sums", 2)
        k.load(A_F, "F", 8)
        k.load(A_IMAGE_TILES, "image_tiles", 4)
        k.load(A_STRIDE, "stride_h")

    def _keep(self, register: str, place: int) -> None:
        self.k(f"v_writelane_b32 {v(self.kept)}, {register}, {place}")

    def _kept(self, register: str, place: int) -> None:
        self.k(f"v_readlane_b32 {register}, {v(self.kept)}, {place}")

    def _divide(self, quotient: int, dividend: str, divisor: str) -> None:
        """Whole quotient of scalars below 2**20."""
        k, a, b = self.k, v(self.temp), v(self.temp + 1)
        k(f"v_cvt_f32_u32 {a}, {divisor}")
        k(f"v_rcp_f32 {a}, {a}")
        k(f"v_cvt_f32_u32 {b}, {dividend}")
        k(f"v_add_f32 {b}, 0.5, {b}")
        k(f"v_mul_f32 {a}, {a}, {b}")
        k(f"v_cvt_u32_f32 {a}, {a}")
        k(f"v_readfirstlane_b32 {s(quotient)}, {a}")

    def _prologue(self) -> None:
        k = self.k
        slice_, tile, r, t = 64, 65, 66, 67
        self._arguments()
        wave_index(k, 5, self.lane)
        self._keep("s0", K_ARGS)
        self._keep("s1", K_ARGS + 1)
        self._keep("s4", K_Z)
        k("s_waitcnt lgkmcnt(0)")
        for register in range(self.dy + self.columns):
            k(f"v_mov_b32 {v(register)}, 0")
        k("s_lshl_b32 s2, s2, 6")
        self._keep("s2", K_F0)
        if self.all_rows:
            k(f"s_mov_b32 {s(tile)}, s3")
            k(f"s_lshr_b32 {s(r)}, s5, 2")
            k("s_and_b32 s5, s5, 3")
        else:
            self._divide(tile, "s3", s(A_R))
            k(f"s_mul_i32 {s(r)}, {s(tile)}, {s(A_R)}")
            k(f"s_sub_u32 {s(r)}, s3, {s(r)}")
        self._keep("s5", K_SLICE)
        self._keep(s(tile), K_TILE)
        self._keep(s(r), K_R)
        k.comment("rows of outputs of this slice")
        k("s_lshl_b32 s4, s4, 2")
        k(f"s_add_u32 {s(slice_)}, s4, s5")
        k(f"s_add_u32 {s(t)}, {s(A_ROWS)}, {s(A_SLICES)}")
        k(f"s_sub_u32 {s(t)}, {s(t)}, 1")
        self._divide(t, s(t), s(A_SLICES))
        k(f"s_mul_i32 {ROW}, {s(slice_)}, {s(t)}")
        k(f"s_add_u32 {ROWS_END}, {ROW}, {s(t)}")
        k(f"s_min_u32 {ROWS_END}, {ROWS_END}, {s(A_ROWS)}")
        k(f"s_sub_u32 {s(r)}, {s(r)}, {s(A_PAD)}")
        for register, place in (
            (A_P, K_P),
            (A_HEIGHT, K_H),
            (A_Q, K_Q),
            (r, K_SHIFT),
            (A_IMAGE_TILES, K_JT),
            (A_SLOT, K_SB),
        ):
            self._keep(s(register), place)
        self._keep(s(A_STRIDE), K_STRIDE)
        self._keep(s(A_TILES), K_TILES)
        self._keep(s(A_TILES + 1), K_TILES + 1)
        k.comment("dY: lanes beyond F read on into the next element, and 0 behind the last; they store nothing")
        buffer_resource(k, RESOURCE, A_DY)
        k(f"s_lshl_b32 {s(DY_STEP)}, {s(A_F_STRIDE)}, 2")
        k(f"s_mul_i32 {s(t)}, {s(A_ROWS)}, {s(A_Q)}")
        k(f"s_mul_i32 {s(RESOURCE + 2)}, {s(t)}, {s(DY_STEP)}")
        k(f"v_add_u32 {v(self.lane)}, vcc, s2, {v(self.lane)}")
        k(f"v_lshlrev_b32 {v(self.lane)}, 2, {v(self.lane)}")
        k(f"s_sub_u32 {ROW}, {ROW}, 1")

    def _tile(self) -> None:
        """Go to the next row of outputs whose row of X exists; load its tile's header, first row, and row of dY."""
        k = self.k
        image, p, h, t = 64, 65, 66, 67
        k.label("next")
        k("s_waitcnt lgkmcnt(0)")
        k("s_set_gpr_idx_off")
        k.label("skip")
        k(f"s_add_u32 {ROW}, {ROW}, 1")
        k(f"s_cmp_ge_u32 {ROW}, {ROWS_END}")
        k(f"s_cbranch_scc1 {k.local('summed')}")
        self._kept(s(68), K_P)
        self._divide(image, ROW, s(68))
        k(f"s_mul_i32 {s(p)}, {s(image)}, {s(68)}")
        k(f"s_sub_u32 {s(p)}, {ROW}, {s(p)}")
        self._kept(s(76), K_STRIDE)
        k(f"s_mul_i32 {s(p)}, {s(p)}, {s(76)}")
        self._kept(s(h), K_SHIFT)
        k(f"s_add_u32 {s(h)}, {s(h)}, {s(p)}")
        self._kept(s(69), K_H)
        k(f"s_cmp_ge_u32 {s(h)}, {s(69)}  ; below 0 it is beyond, too")
        k(f"s_cbranch_scc1 {k.local('skip')}")
        self._kept(s(70), K_JT)
        self._kept(s(71), K_TILE)
        self._kept(s(72), K_SB)
        self._kept(s(73), K_Q)
        self._kept(s(74), K_TILES)
        self._kept(s(75), K_TILES + 1)
        k(f"s_mul_i32 {s(t)}, {s(image)}, {s(70)}")
        k(f"s_add_u32 {s(t)}, {s(t)}, {s(71)}")
        k(f"s_mul_i32 {s(t)}, {s(t)}, {s(69)}")
        k(f"s_add_u32 {s(t)}, {s(t)}, {s(h)}")
        k(f"v_mov_b32 {v(self.temp)}, {s(t)}")
        k(f"v_mul_hi_u32 {v(self.temp)}, {v(self.temp)}, {s(72)}")
        k(f"v_readfirstlane_b32 {s(SLOT + 1)}, {v(self.temp)}")
        k(f"s_mul_i32 {s(SLOT)}, {s(t)}, {s(72)}")
        k(f"s_add_u32 {s(SLOT)}, {s(SLOT)}, {s(74)}")
        k(f"s_addc_u32 {s(SLOT + 1)}, {s(SLOT + 1)}, {s(75)}")
        k(f"s_load_dword {s(PITCH)}, {s(SLOT, 2)}, 0x0")
        k(f"s_load_dwordx16 {s(0, 16)}, {s(SLOT, 2)}, 0x40")
        k(f"s_add_u32 {s(LOW)}, {s(SLOT)}, {HEADER}")
        k(f"s_addc_u32 {s(LOW + 1)}, {s(SLOT + 1)}, 0")
        k(f"s_add_u32 {s(HIGH)}, {s(LOW)}, 64")
        k(f"s_addc_u32 {s(HIGH + 1)}, {s(LOW + 1)}, 0")
        k(f"s_mov_b32 {s(ROW_OFFSET)}, 0")
        self._pairs_of(0)
        k.comment("the row of dY, last column first: the code is entered at its width")
        k(f"s_mul_i32 {s(DY_OFFSET)}, {ROW}, {s(73)}")
        k(f"s_add_u32 {s(DY_OFFSET)}, {s(DY_OFFSET)}, {s(73)}")
        k(f"s_sub_u32 {s(DY_OFFSET)}, {s(DY_OFFSET)}, 1")
        k(f"s_mul_i32 {s(DY_OFFSET)}, {s(DY_OFFSET)}, {s(DY_STEP)}")
        k(f"s_getpc_b64 {s(JUMP, 2)}")
        k.label("dy_here")
        k(f"s_mul_i32 {s(73)}, {s(73)}, 12")
        k(f"s_add_u32 {s(JUMP)}, {s(JUMP)}, {k.local('dy_end')}-{k.local('dy_here')}")
        k(f"s_sub_u32 {s(JUMP)}, {s(JUMP)}, {s(73)}")
        k(f"s_setpc_b64 {s(JUMP, 2)}")
        for column in reversed(range(self.width)):
            target = v(self.dy + self.guard + column)
            k(f"buffer_load_dword {target}, {v(self.lane)}, {s(RESOURCE, 4)}, {s(DY_OFFSET)} offen")
            k(f"s_sub_u32 {s(DY_OFFSET)}, {s(DY_OFFSET)}, {s(DY_STEP)}")
        k.label("dy_end")
        k(f"s_getpc_b64 {s(JUMP, 2)}")
        k.label("base")
        k(f"s_mov_b32 {s(BASE)}, {s(JUMP)}")
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        k(f"s_lshl_b32 {s(PITCH)}, {s(PITCH)}, 3")
        k(f"s_mov_b32 {s(ROW_OFFSET)}, {s(PITCH)}")
        k(f"s_set_gpr_idx_on {s(JUMP)}, 0x2  ; the second source is relative to M0")

    def _pairs_of(self, parity: int) -> None:
        k, pairs = self.k, PAIRS[parity]
        k(f"s_load_dwordx16 {s(pairs, 16)}, {s(LOW, 2)}, {s(ROW_OFFSET)}")
        if self.width > 8:
            k(f"s_load_dwordx16 {s(pairs + 16, 16)}, {s(HIGH, 2)}, {s(ROW_OFFSET)}")

    def _products(self, row: int, first: int, last: int) -> None:
        """Pairs ``first`` to ``last``, the last one first."""
        k = self.k
        for i in reversed(range(first, last + 1)):
            pair = PAIRS[row % 2] + 2 * i
            k(f"s_set_gpr_idx_idx {s(pair + 1)}")
            for place, tap in enumerate(self.row_taps[row % 2]):
                target = v(row // self.rows_of_channel * self.taps + tap)
                k(f"v_mac_f32 {target}, {s(pair)}, {v(self.dy + self.reach - 1 - place)}")

    def _row(self, row: int) -> None:
        """One channel: wait, start the next one's loads, jump into the multiply-adds."""
        k, count = self.k, s(row)
        chunk = min(CHUNK, (self.width + 7) // 8 * 8)
        if row:
            k("s_waitcnt lgkmcnt(0)")
        if row < TILE_C - 1:
            self._pairs_of(1 - row % 2)
            k(f"s_add_u32 {s(ROW_OFFSET)}, {s(ROW_OFFSET)}, {s(PITCH)}")
        if self.width > CHUNK:
            k(f"s_min_u32 {s(JUMP)}, {count}, {CHUNK + 1}")
            count = s(JUMP)
        k(f"s_mul_i32 {s(JUMP)}, {count}, {self.pair_bytes[row % 2]}")
        k(f"s_sub_u32 {s(JUMP)}, {s(BASE)}, {s(JUMP)}")
        k(f"s_add_u32 {s(JUMP)}, {s(JUMP)}, {k.local(f'end{row}')}-{k.local('base')}")
        k(f"s_setpc_b64 {s(JUMP, 2)}")
        if self.width > CHUNK:
            k(f"s_branch {k.local(f'more{row}')}")
            for _ in range(self.pair_bytes[row % 2] // 4 - 1):
                k("s_nop 0")
        self._products(row, 0, chunk - 1)
        k.label(f"end{row}")

    def _overflows(self) -> None:
        """Rows of more than 16: 16 pairs at a time, then back to the row's code."""
        if self.width <= CHUNK:
            return
        k = self.k
        for row in range(TILE_C):
            pairs = PAIRS[row % 2]
            k.label(f"more{row}")
            k(f"s_sub_u32 {s(OVER)}, {s(ROW_OFFSET)}, {s(PITCH)}")
            if row < TILE_C - 1:
                k(f"s_sub_u32 {s(OVER)}, {s(OVER)}, {s(PITCH)}")
            k(f"s_add_u32 {s(OVER)}, {s(OVER)}, {s(SLOT)}")
            k(f"s_addc_u32 {s(OVER + 1)}, {s(SLOT + 1)}, 0")
            k.label(f"chunk{row}")
            self._products(row, 0, 7)
            k(f"s_add_u32 {s(OVER)}, {s(OVER)}, {CHUNK * 8}")
            k(f"s_addc_u32 {s(OVER + 1)}, {s(OVER + 1)}, 0")
            k(f"s_load_dwordx16 {s(pairs, 16)}, {s(OVER, 2)}, {HEADER:#x}")
            self._products(row, 8, 15)
            k(f"s_sub_u32 {s(row)}, {s(row)}, {CHUNK}")
            k(f"s_cmp_gt_u32 {s(row)}, 8")
            k(f"s_cbranch_scc0 {k.local(f'half{row}')}")
            k(f"s_load_dwordx16 {s(pairs + 16, 16)}, {s(OVER, 2)}, {HEADER + 64:#x}")
            k(f"s_cmp_gt_u32 {s(row)}, {CHUNK}")
            k("s_waitcnt lgkmcnt(0)")
            k(f"s_cbranch_scc1 {k.local(f'chunk{row}')}")
            k.label(f"half{row}")
            k(f"s_mul_i32 {s(JUMP)}, {s(row)}, {self.pair_bytes[row % 2]}")
            k(f"s_sub_u32 {s(JUMP)}, {s(BASE)}, {s(JUMP)}")
            k(f"s_add_u32 {s(JUMP)}, {s(JUMP)}, {k.local(f'end{row}')}-{k.local('base')}")
            k("s_waitcnt lgkmcnt(0)")
            k(f"s_setpc_b64 {s(JUMP, 2)}")

    def _finish(self) -> None:
        """Four slices: each writes 16 accumulators to the LDS, then adds and stores four of them for all."""
        k, write, read = self.k, self.temp, self.temp + 1
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        for register, place in (("s0", K_ARGS), ("s1", K_ARGS + 1), ("s2", K_F0), ("s3", K_TILE), ("s4", K_R)):
            self._kept(register, place)
        self._kept("s5", K_Z)
        self._kept("s6", K_SLICE)
        k("s_nop 4")
        self._arguments()
        k(f"v_mbcnt_lo_u32_b32 {v(self.lane)}, -1, 0")
        k(f"v_mbcnt_hi_u32_b32 {v(self.lane)}, -1, {v(self.lane)}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_mul_i32 s5, s5, {s(A_C_SLICE)}")
        k("s_lshl_b32 s5, s5, 2")
        k(f"s_add_u32 {s(A_SUMS)}, {s(A_SUMS)}, s5")
        k(f"s_addc_u32 {s(A_SUMS + 1)}, {s(A_SUMS + 1)}, 0")
        buffer_resource(k, RESOURCE, A_SUMS)
        k.comment("s7: element (c, r, 0) of the tile's first channel; s8: elements from channel to channel")
        k(f"s_mul_i32 s8, {s(A_R)}, {self.taps}")
        k(f"s_lshl_b32 s3, s3, {self.channels.bit_length() - 1}")
        k("s_mul_i32 s7, s3, s8")
        k(f"s_mul_i32 s9, s4, {self.taps}")
        k("s_add_u32 s7, s7, s9")
        k(f"s_lshl_b32 s14, {s(A_F)}, 2  ; bytes from tap to tap")
        k("s_mov_b32 m0, -1")
        k(f"v_lshlrev_b32 {v(write)}, 4, {v(self.lane)}")
        if self.all_rows:
            k("s_lshl_b32 s9, s4, 14")
            k(f"v_add_u32 {v(write)}, vcc, s9, {v(write)}")
        k("s_lshl_b32 s9, s6, 10")
        k(f"v_add_u32 {v(read)}, vcc, s9, {v(write)}")
        k("s_lshl_b32 s9, s6, 12")
        k(f"v_add_u32 {v(write)}, vcc, s9, {v(write)}")
        address = self.temp + 2
        k(f"v_add_u32 {v(address)}, vcc, s2, {v(self.lane)}")
        k(f"v_cmp_gt_u32 vcc, {s(A_F)}, {v(address)}")
        k("s_mov_b64 s[10:11], vcc")
        k(f"v_lshlrev_b32 {v(address)}, 2, {v(address)}")
        for first in range(0, self.dy, 16):
            if first:
                k("s_barrier")
            k("s_mov_b64 exec, -1")
            for quad in range(4):
                k(f"ds_write_b128 {v(write)}, {v(first + 4 * quad, 4)} offset:{1024 * quad}")
            k("s_waitcnt lgkmcnt(0)")
            k("s_barrier")
            for part in range(4):
                k(f"ds_read_b128 {v(first + 4 * part, 4)}, {v(read)} offset:{4096 * part}")
            for part in range(1, 4):
                k(f"s_waitcnt lgkmcnt({3 - part})")
                for i in range(4):
                    k(f"v_add_f32 {v(first + i)}, {v(first + i)}, {v(first + 4 * part + i)}")
            k("s_mov_b64 exec, s[10:11]")
            k("s_lshl_b32 s9, s6, 2")
            k(f"s_add_u32 s9, s9, {first}")
            if first + 16 > self.sums:
                k(f"s_cmp_ge_u32 s9, {self.sums}")
                k(f"s_cbranch_scc1 {k.local('stored')}")
            for i in range(4):
                k.comment("accumulator s9 is channel s9 div S, tap s9 mod S")
                k(f"s_mul_i32 s12, s9, {(1 << 12) // self.taps + 1}")
                k("s_lshr_b32 s12, s12, 12")
                k(f"s_mul_i32 s13, s12, {self.taps}")
                k("s_sub_u32 s13, s9, s13")
                k("s_mul_i32 s12, s12, s8")
                k("s_add_u32 s12, s12, s13")
                k("s_add_u32 s12, s12, s7")
                k("s_mul_i32 s12, s12, s14")
                k(f"buffer_store_dword {v(first + i)}, {v(address)}, {s(RESOURCE, 4)}, s12 offen")
                k("s_add_u32 s9, s9, 1")
        if self.dy > self.sums:
            k.label("stored")


SHAPES = [
    *((3, 8, True, True), (3, 15, True, True), (3, 29, True, True), (3, 57, True, False)),
    *((1, 8, False, False), (1, 14, False, False), (1, 28, False, False), (1, 56, False, False)),
    (1, 112, False, False),
]


def main() -> None:
    """Write sparse_filter_gradient_strided.s beside the OpenCL sources."""
    kernels = [FilterGradient(*shape).generate() for shape in SHAPES]
    target = Path(__file__).parent.parent / "src" / "sparse_filter_gradient_strided.s"
    target.write_text(module(kernels, "python3 generate/sparse_filter_gradient_strided.py"))


if __name__ == "__main__":
    main()
