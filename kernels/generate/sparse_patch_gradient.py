"""Sparse filter gradient of few channels: zeros of dY skipped, the taps of a pixel's patch of X in the lanes.

dW[f, t] = sum over image, p, q of dY[image, f, p, q] · X[image, c, p·stride_h + r, q·stride_w + s], t = (c, r, s), X
with its border of zeros. The kernels of sparse_filter_gradient have channels of X in the lanes, of which a first layer
has three; here lane l of set i has tap (x·sets + i)·64 + l, whose offset in the patch stands in a table.

The view is of dY: pixels × (image, filter), tiles of ``rows`` pixels of one output row × 32 filters, gathered by the
engine from NCHW. A wavefront owns the 32 filters of a tile and ``sets`` sets of 64 taps, 32 · sets accumulators. For
each pixel its patch sits in ``sets`` vector registers, and its non-zeros arrive in SGPRs: each costs one
``s_set_gpr_idx_idx``, which picks the accumulators, and ``sets`` ``v_mad_f32``. Patches are loaded some pixels ahead,
one load a set for four pixels of stride 1 (``by1``), two of stride 2 (``by2``) or one (``any``): what a lane needs of
neighbouring pixels lies side by side.

The tiles (image, p, tile of the row) are shared out among slices: slice i takes share tiles, one more where i < extra.
A work-group is four slices, whose sums meet in the LDS (16,384 bytes, dynamic); partial results of the groups along z
lie slice_stride apart, element (f, t) at f·taps + t, for sum_slices_deep. Grid: x = 256 · ceil(taps / (64 · sets)), y =
filters / 32, z = slices / 4. A vector load that is awaited late touches the tile behind the next row's, so that the
engine converts it ahead.

Per sum pixels ascend within a slice, one rounding per product and one per sum; slices are added in ascending order.
"""

from __future__ import annotations

from pathlib import Path

from common import buffer_resource, wave_index
from gcn3 import BUFFER_WORD3, Kernel, module, s, v

ARGUMENTS = [
    ("tiles", "buffer"),
    ("x", "buffer"),
    ("offsets", "buffer"),
    ("sums", "buffer"),
    ("taps", "u32"),
    ("x_bytes", "u32"),
    ("row_tiles", "u32"),  # tiles of an output row
    ("image_rows", "u32"),  # output rows of an image
    ("tiles_across", "u32"),  # images · filters / 32
    ("filter_tiles", "u32"),  # filters / 32
    ("slot_bytes", "u32"),
    ("pixel_bytes", "u32"),  # of X, from a pixel's patch to the next one's
    ("row_bytes", "u32"),  # from an output row's patches to the next one's
    ("image_bytes", "u32"),
    ("tiles_total", "u32"),  # images · image_rows · row_tiles
    ("share", "u32"),
    ("extra", "u32"),
    ("slice_stride", "u32"),
]

FILTERS, CHUNK = 32, 16
HEADER = 64 + 64
BLOCK = 4  # rows whose counts are loaded together
MOST_AWAITED = 15  # what s_waitcnt counts of vector loads

COUNTS, TILES, PITCH, NEXT_PITCH, LOW, HIGH, JUMP, BASE, ROW_OFFSET, OVER = 0, 8, 12, 13, 14, 16, 18, 20, 21, 22
RESOURCE, X_AT, X_STEP, X_LEFT, ROW_TILES, X_WRAP, SLOT_AT, SLOT_STEP, NEXT_AT = 24, 28, 29, 30, 31, 96, 97, 98, 99
TILES_LEFT, TEMP = 100, 101
PAIRS = (32, 64)
COUNT = "vcc_lo"
# Arguments while they are loaded as blocks.
A_TILES, A_X, A_OFFSETS, A_SUMS = 32, 34, 36, 38
A_TAPS, A_BYTES, A_ROW_TILES, A_P, A_ACROSS, A_FILTER_TILES, A_SLOT, A_PIXEL = range(40, 48)
A_ROW, A_IMAGE, A_TOTAL, A_SHARE, A_EXTRA, A_SLICE = range(48, 54)
# Lanes of the vector register that keeps scalars.
K_ARGS, K_X, K_Y, K_Z, K_WAVE, K_NEXT, K_END = 0, 2, 3, 4, 5, 6, 7
LOADS = {"by1": (4, 4, 1), "by2": (2, 3, 2), "any": (1, 1, 1)}
"""Pixels of a load, its dwords, dwords from pixel to pixel."""


class PatchGradient:
    """Generator of one kernel: pixels of a tile, sets of 64 taps, stride, loads of patches under way."""

    def __init__(self, rows: int, sets: int, kind: str, ring: int, touching: int) -> None:
        self.rows, self.sets, self.ring = rows, sets, ring
        self.pixels, self.dwords, self.step = LOADS[kind]
        self.touching = touching
        self.groups = rows // self.pixels
        self.blocks = -(-rows // BLOCK)
        self.unrolled = 1 if rows % 2 == 0 and self.blocks % 2 == 0 and self.groups % ring == 0 else 2
        """Tiles of the loop's body: registers of pairs, counts and patches alternate."""
        assert self.unrolled * self.groups % ring == 0
        assert ring <= self.groups
        self.sums = FILTERS * sets
        self.patches = self.sums
        self.offsets = self.patches + ring * sets * self.dwords
        self.touched = self.offsets + sets
        self.kept = self.touched + 1
        self.lane = self.kept + 1
        self.scratch = self.lane + 1
        self.k = Kernel(f"sparse_patch_gradient_{rows}x{sets}_{kind}", ARGUMENTS, sgprs=104, vgprs=self.scratch + 2)
        self.pair_bytes = 4 + 8 * sets

    def generate(self) -> Kernel:
        """The whole kernel."""
        k = self.k
        self._prologue()
        self._segment()
        for i in range(self.unrolled * self.rows):
            self._pixel(i)
        k(f"s_branch {k.local('loop')}")
        for i in range(self.unrolled * self.rows):
            self._overflow(i)
        self._finish()
        return k

    def _arguments(self) -> None:
        k = self.k
        k.load(A_TILES, "tiles", 16)
        k.load(A_ROW, "row_bytes", 4)
        k.load(A_EXTRA, "extra", 2)

    def _keep(self, register: str, place: int) -> None:
        self.k(f"v_writelane_b32 {v(self.kept)}, {register}, {place}")

    def _kept(self, register: str, place: int) -> None:
        self.k(f"v_readlane_b32 {register}, {v(self.kept)}, {place}")

    def _divide(self, quotient: str, dividend: str, divisor: str) -> None:
        """Whole quotient of scalars below 2**20."""
        k, a, b = self.k, v(self.scratch), v(self.scratch + 1)
        k(f"v_cvt_f32_u32 {a}, {divisor}")
        k(f"v_rcp_f32 {a}, {a}")
        k(f"v_cvt_f32_u32 {b}, {dividend}")
        k(f"v_add_f32 {b}, 0.5, {b}")
        k(f"v_mul_f32 {a}, {a}, {b}")
        k(f"v_cvt_u32_f32 {a}, {a}")
        k(f"v_readfirstlane_b32 {quotient}, {a}")

    def _prologue(self) -> None:
        k = self.k
        slice_, t = 64, 65
        self._arguments()
        wave_index(k, 5, self.lane)
        for register, place in (("s0", K_ARGS), ("s1", K_ARGS + 1), ("s2", K_X), ("s3", K_Y), ("s4", K_Z)):
            self._keep(register, place)
        self._keep("s5", K_WAVE)
        k("s_waitcnt lgkmcnt(0)")
        k.comment("where the lane's taps lie in a patch")
        buffer_resource(k, RESOURCE, A_OFFSETS)
        k(f"s_mul_i32 s2, s2, {256 * self.sets}")
        k(f"v_lshlrev_b32 {v(self.lane)}, 2, {v(self.lane)}")
        for i in range(self.sets):
            place = f"{s(RESOURCE, 4)}, s2 offen offset:{256 * i}"
            k(f"buffer_load_dword {v(self.offsets + i)}, {v(self.lane)}, {place}")
        for register in range(self.sums):
            k(f"v_mov_b32 {v(register)}, 0")
        k("s_lshl_b32 s4, s4, 2")
        k(f"s_add_u32 {s(slice_)}, s4, s5")
        k(f"s_mul_i32 {s(t)}, {s(slice_)}, {s(A_SHARE)}")
        k(f"s_min_u32 {s(t + 1)}, {s(slice_)}, {s(A_EXTRA)}")
        k(f"s_add_u32 {s(t)}, {s(t)}, {s(t + 1)}")
        self._keep(s(t), K_NEXT)
        k(f"s_cmp_lt_u32 {s(slice_)}, {s(A_EXTRA)}")
        k(f"s_addc_u32 {s(t)}, {s(t)}, {s(A_SHARE)}")
        k(f"s_min_u32 {s(t)}, {s(t)}, {s(A_TOTAL)}")
        self._keep(s(t), K_END)

    def _segment(self) -> None:
        """Go to the next tiles of one image; load the first one's header and first pixel, and patches."""
        k = self.k
        tile, end, image, row, t = 64, 65, 66, 67, 68
        k.label("segment")
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        k("s_set_gpr_idx_off")
        self._kept(s(tile), K_NEXT)
        self._kept(s(end), K_END)
        self._kept("s0", K_ARGS)
        self._kept("s1", K_ARGS + 1)
        self._kept("s3", K_Y)
        k(f"s_cmp_ge_u32 {s(tile)}, {s(end)}")
        k(f"s_cbranch_scc1 {k.local('finish')}")
        k("s_nop 1")
        self._arguments()
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_mov_b32 {s(ROW_TILES)}, {s(A_ROW_TILES)}")
        k.comment("image, and tile within it; the segment ends with either")
        k(f"s_mul_i32 {s(t)}, {s(A_P)}, {s(A_ROW_TILES)}")
        self._divide(s(image), s(tile), s(t))
        k(f"s_mul_i32 {s(row)}, {s(image)}, {s(t)}")
        k(f"s_sub_u32 {s(end)}, {s(end)}, {s(tile)}")
        k(f"s_sub_u32 {s(row)}, {s(tile)}, {s(row)}")
        k(f"s_sub_u32 {s(t)}, {s(t)}, {s(row)}")
        k(f"s_min_u32 {s(TILES_LEFT)}, {s(t)}, {s(end)}")
        k(f"s_add_u32 {s(tile)}, {s(tile)}, {s(TILES_LEFT)}")
        self._keep(s(tile), K_NEXT)
        k(f"s_mul_i32 {s(SLOT_STEP)}, {s(A_ACROSS)}, {s(A_SLOT)}")
        k(f"s_mul_i32 {s(SLOT_AT)}, {s(image)}, {s(A_FILTER_TILES)}")
        k(f"s_add_u32 {s(SLOT_AT)}, {s(SLOT_AT)}, s3")
        k(f"s_mul_i32 {s(SLOT_AT)}, {s(SLOT_AT)}, {s(A_SLOT)}")
        k(f"s_mul_i32 {s(t)}, {s(row)}, {s(SLOT_STEP)}")
        k(f"s_add_u32 {s(SLOT_AT)}, {s(SLOT_AT)}, {s(t)}")
        self._divide(s(t), s(row), s(ROW_TILES))
        k(f"s_mul_i32 {s(t + 1)}, {s(t)}, {s(ROW_TILES)}")
        k(f"s_sub_u32 {s(row)}, {s(row)}, {s(t + 1)}")
        k(f"s_sub_u32 {s(X_LEFT)}, {s(ROW_TILES)}, {s(row)}")
        k(f"s_mul_i32 {s(X_AT)}, {s(image)}, {s(A_IMAGE)}")
        k(f"s_mul_i32 {s(t)}, {s(t)}, {s(A_ROW)}")
        k(f"s_add_u32 {s(X_AT)}, {s(X_AT)}, {s(t)}")
        k(f"s_mul_i32 {s(t)}, {s(A_PIXEL)}, {self.rows}")
        k(f"s_mul_i32 {s(row)}, {s(row)}, {s(t)}")
        k(f"s_add_u32 {s(X_AT)}, {s(X_AT)}, {s(row)}")
        k(f"s_mul_i32 {s(X_WRAP)}, {s(t)}, {s(ROW_TILES)}")
        k(f"s_sub_u32 {s(X_WRAP)}, {s(A_ROW)}, {s(X_WRAP)}")
        k(f"s_mul_i32 {s(X_STEP)}, {s(A_PIXEL)}, {self.pixels}")
        buffer_resource(k, RESOURCE, A_X)
        k(f"s_mov_b32 {s(RESOURCE + 2)}, {s(A_BYTES)}")
        k.comment("the tiles' address is below 2**48, so that it is part of a resource as it is")
        k(f"s_mov_b64 {s(TILES, 2)}, {s(A_TILES, 2)}")
        k(f"s_mov_b32 {s(TILES + 2)}, -1")
        k(f"s_mov_b32 {s(TILES + 3)}, {BUFFER_WORD3:#x}")
        k(f"s_add_u32 {s(LOW)}, {s(TILES)}, {HEADER}")
        k(f"s_addc_u32 {s(LOW + 1)}, {s(TILES + 1)}, 0")
        k(f"s_add_u32 {s(HIGH)}, {s(TILES)}, {HEADER + 64}")
        k(f"s_addc_u32 {s(HIGH + 1)}, {s(TILES + 1)}, 0")
        k(f"s_mov_b32 {s(ROW_OFFSET)}, {s(SLOT_AT)}")
        self._header(SLOT_AT, 0)
        self._pairs_of(0)
        for group in range(self.ring):
            self._load_patches(group)
        k(f"s_getpc_b64 {s(JUMP, 2)}")
        k.label("base")
        k(f"s_mov_b32 {s(BASE)}, {s(JUMP)}")
        k(f"s_set_gpr_idx_on {s(JUMP)}, 0xc  ; the third source and the destination are relative to M0")
        k.label("loop")

    def _header(self, slot: int, counts: int) -> None:
        """Load pitch and first counts of a tile."""
        k = self.k
        k(f"s_load_dword {s(NEXT_PITCH)}, {s(TILES, 2)}, {s(slot)}")
        k(f"s_add_u32 {s(TEMP)}, {s(slot)}, 64")
        k(f"s_load_dwordx4 {s(COUNTS + BLOCK * counts, BLOCK)}, {s(TILES, 2)}, {s(TEMP)}")

    def _pairs_of(self, parity: int) -> None:
        k, pairs = self.k, PAIRS[parity]
        k(f"s_load_dwordx16 {s(pairs, 16)}, {s(LOW, 2)}, {s(ROW_OFFSET)}")
        k(f"s_load_dwordx16 {s(pairs + 16, 16)}, {s(HIGH, 2)}, {s(ROW_OFFSET)}")

    def _patch(self, group: int) -> int:
        """First register of a load, counted from the loop body's first."""
        return self.patches + group % self.ring * self.sets * self.dwords

    def _load_patches(self, group: int) -> None:
        k = self.k
        width = "" if self.dwords == 1 else f"x{self.dwords}"
        for i in range(self.sets):
            target = v(self._patch(group) + i * self.dwords, self.dwords)
            place = f"{v(self.offsets + i)}, {s(RESOURCE, 4)}, {s(X_AT)} offen"
            k(f"buffer_load_dword{width} {target}, {place}")
        k(f"s_add_u32 {s(X_AT)}, {s(X_AT)}, {s(X_STEP)}")
        if group % self.groups == self.groups - 1:
            k(f"s_sub_u32 {s(X_LEFT)}, {s(X_LEFT)}, 1")
            k(f"s_cmp_eq_u32 {s(X_LEFT)}, 0")
            k(f"s_cselect_b32 {s(TEMP)}, {s(X_WRAP)}, 0")
            k(f"s_cselect_b32 {s(X_LEFT)}, {s(ROW_TILES)}, {s(X_LEFT)}")
            k(f"s_add_u32 {s(X_AT)}, {s(X_AT)}, {s(TEMP)}")

    def _products(self, i: int, first: int, last: int) -> None:
        """Pairs ``first`` to ``last``, the last one first."""
        k = self.k
        tile, row = divmod(i, self.rows)
        patch = self._patch(tile * self.groups + row // self.pixels) + row % self.pixels * self.step
        for n in reversed(range(first, last + 1)):
            pair = PAIRS[i % 2] + 2 * n
            k(f"s_set_gpr_idx_idx {s(pair + 1)}")
            for place in range(self.sets):
                a = v(FILTERS * place)
                k(f"v_mad_f32 {a}, {s(pair)}, {v(patch + place * self.dwords)}, {a}")

    def _count(self, i: int) -> str:
        tile, row = divmod(i, self.rows)
        return s(COUNTS + BLOCK * ((tile * self.blocks + row // BLOCK) % 2) + row % BLOCK)

    def _pixel(self, i: int) -> None:
        """One pixel: wait, start what the next ones need, jump into the multiply-adds."""
        k = self.k
        tile, row = divmod(i, self.rows)
        group, last = row // self.pixels, row == self.rows - 1
        if row % self.pixels == 0:
            # Behind this patch's load went those of the ring's others, and the touch if it came in between.
            under_way = (self.ring - 1) * self.sets + (0 < group - self.touching // self.pixels < self.ring)
            k(f"s_waitcnt vmcnt({min(under_way, MOST_AWAITED)}) lgkmcnt(0)")
        else:
            k("s_waitcnt lgkmcnt(0)")
        if row == 0:
            k.comment("the next tile, or this one again when it is the last")
            k(f"s_lshl_b32 {s(PITCH)}, {s(NEXT_PITCH)}, 3")
            k(f"s_cmp_eq_u32 {s(TILES_LEFT)}, 1")
            k(f"s_cselect_b32 {s(NEXT_AT)}, 0, {s(SLOT_STEP)}")
            k(f"s_add_u32 {s(NEXT_AT)}, {s(NEXT_AT)}, {s(SLOT_AT)}")
        if last:
            k(f"s_mov_b32 {s(OVER)}, {s(ROW_OFFSET)}")
            k(f"s_mov_b32 {s(SLOT_AT)}, {s(NEXT_AT)}")
            k(f"s_mov_b32 {s(ROW_OFFSET)}, {s(NEXT_AT)}")
        else:
            k(f"s_add_u32 {s(ROW_OFFSET)}, {s(ROW_OFFSET)}, {s(PITCH)}")
        self._pairs_of(1 - i % 2)
        if row % BLOCK == 0:
            block = tile * self.blocks + row // BLOCK
            if row // BLOCK == self.blocks - 1:
                self._header(NEXT_AT, (block + 1) % 2)
            else:
                k(f"s_add_u32 {s(TEMP)}, {s(SLOT_AT)}, {64 + 4 * (row + BLOCK)}")
                target = s(COUNTS + BLOCK * ((block + 1) % 2), BLOCK)
                k(f"s_load_dwordx4 {target}, {s(TILES, 2)}, {s(TEMP)}")
        if row == self.touching:
            k(f"buffer_load_dword {v(self.touched)}, off, {s(TILES, 4)}, {s(NEXT_AT)}")
        k(f"s_min_u32 {s(JUMP)}, {self._count(i)}, {CHUNK + 1}")
        k(f"s_mul_i32 {s(JUMP)}, {s(JUMP)}, {self.pair_bytes}")
        k(f"s_sub_u32 {s(JUMP)}, {s(BASE)}, {s(JUMP)}")
        k(f"s_add_u32 {s(JUMP)}, {s(JUMP)}, {k.local(f'end{i}')}-{k.local('base')}")
        k(f"s_setpc_b64 {s(JUMP, 2)}")
        k(f"s_branch {k.local(f'more{i}')}")
        for _ in range(self.pair_bytes // 4 - 1):
            k("s_nop 0")
        self._products(i, 0, CHUNK - 1)
        k.label(f"end{i}")
        if row % self.pixels == self.pixels - 1:
            self._load_patches(tile * self.groups + group + self.ring)
        if last:
            k(f"s_sub_u32 {s(TILES_LEFT)}, {s(TILES_LEFT)}, 1")
            k(f"s_cmp_eq_u32 {s(TILES_LEFT)}, 0")
            k(f"s_cbranch_scc1 {k.local('segment')}")

    def _overflow(self, i: int) -> None:
        """A pixel of more than 16 non-zeros: the first 16, then the others, then back to the pixel's code."""
        k, pairs = self.k, PAIRS[i % 2]
        k.label(f"more{i}")
        if i % self.rows < self.rows - 1:
            k(f"s_sub_u32 {s(OVER)}, {s(ROW_OFFSET)}, {s(PITCH)}")
        k(f"s_sub_u32 {COUNT}, {self._count(i)}, {CHUNK}")
        self._products(i, 0, 7)
        k(f"s_add_u32 {s(OVER)}, {s(OVER)}, {CHUNK * 8}")
        k(f"s_load_dwordx16 {s(pairs, 16)}, {s(LOW, 2)}, {s(OVER)}")
        self._products(i, 8, 15)
        k(f"s_load_dwordx16 {s(pairs + 16, 16)}, {s(HIGH, 2)}, {s(OVER)}")
        k(f"s_mul_i32 {s(JUMP)}, {COUNT}, {self.pair_bytes}")
        k(f"s_sub_u32 {s(JUMP)}, {s(BASE)}, {s(JUMP)}")
        k(f"s_add_u32 {s(JUMP)}, {s(JUMP)}, {k.local(f'end{i}')}-{k.local('base')}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_setpc_b64 {s(JUMP, 2)}")

    def _finish(self) -> None:
        """Four slices: each writes 16 accumulators to the LDS, then adds and stores four of them for all."""
        k = self.k
        lane, write, read = self.lane, self.scratch, self.scratch + 1
        k.label("finish")
        for register, place in (("s2", K_X), ("s4", K_Z), ("s6", K_WAVE)):
            self._kept(register, place)
        k("s_nop 4")
        self._arguments()
        k(f"v_mbcnt_lo_u32_b32 {v(lane)}, -1, 0")
        k(f"v_mbcnt_hi_u32_b32 {v(lane)}, -1, {v(lane)}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_mul_i32 s4, s4, {s(A_SLICE)}")
        k("s_lshl_b32 s4, s4, 2")
        k(f"s_add_u32 {s(A_SUMS)}, {s(A_SUMS)}, s4")
        k(f"s_addc_u32 {s(A_SUMS + 1)}, {s(A_SUMS + 1)}, 0")
        buffer_resource(k, RESOURCE, A_SUMS)
        k("s_mov_b32 m0, -1")
        k(f"v_lshlrev_b32 {v(write)}, 4, {v(lane)}")
        k("s_lshl_b32 s7, s6, 10")
        k(f"v_add_u32 {v(read)}, vcc, s7, {v(write)}")
        k("s_lshl_b32 s7, s6, 12")
        k(f"v_add_u32 {v(write)}, vcc, s7, {v(write)}")
        k.comment("s7: bytes of a filter; s8: where the wavefront's first filter and set of taps lie")
        k(f"s_lshl_b32 s7, {s(A_TAPS)}, 2")
        k(f"s_mul_i32 s2, s2, {64 * self.sets}")
        k("s_lshl_b32 s8, s3, 5")
        k("s_lshl_b32 s9, s6, 2")
        k("s_add_u32 s8, s8, s9")
        k("s_mul_i32 s8, s8, s7")
        k("s_lshl_b32 s9, s2, 2")
        k("s_add_u32 s8, s8, s9")
        k("s_lshl_b32 s13, s7, 4")
        for first in range(0, self.sums, 16):
            if first:
                k("s_barrier")
            k("s_mov_b64 exec, -1")
            for quad in range(4):
                k(f"ds_write_b128 {v(write)}, {v(first + 4 * quad, 4)} offset:{1024 * quad}")
            k("s_waitcnt lgkmcnt(0)")
            k("s_barrier")
            for part in range(4):
                k(f"ds_read_b128 {v(first + 4 * part, 4)}, {v(read)} offset:{4096 * part}")
            if first % FILTERS == 0:
                k(f"v_add_u32 {v(self.touched)}, vcc, s2, {v(lane)}")
                k(f"v_cmp_gt_u32 vcc, {s(A_TAPS)}, {v(self.touched)}")
                k("s_mov_b64 s[10:11], vcc")
                k(f"v_lshlrev_b32 {v(self.touched)}, 2, {v(lane)}")
                k("s_mov_b32 s12, s8")
            for part in range(1, 4):
                k(f"s_waitcnt lgkmcnt({3 - part})")
                for i in range(4):
                    k(f"v_add_f32 {v(first + i)}, {v(first + i)}, {v(first + 4 * part + i)}")
            k("s_mov_b64 exec, s[10:11]")
            k("s_mov_b32 s9, s12")
            for i in range(4):
                k(f"buffer_store_dword {v(first + i)}, {v(self.touched)}, {s(RESOURCE, 4)}, s9 offen")
                if i < 3:
                    k("s_add_u32 s9, s9, s7")
            if first % FILTERS == 0:
                k("s_add_u32 s12, s12, s13")
            else:
                k("s_add_u32 s8, s8, 0x100")
                k("s_add_u32 s2, s2, 64")
        k("s_endpgm")


SHAPES = [(16, 1, "by1", 4, 8), (16, 3, "by2", 2, 9), (11, 2, "any", 11, 5)]


def main() -> None:
    """Write sparse_patch_gradient.s beside the OpenCL sources."""
    kernels = [PatchGradient(*shape).generate() for shape in SHAPES]
    target = Path(__file__).parent.parent / "src" / "sparse_patch_gradient.s"
    target.write_text(module(kernels, "python3 generate/sparse_patch_gradient.py"))


if __name__ == "__main__":
    main()
