"""Sparse direct filter gradient of stride 1: zeros of X, or of dY, skipped over ELLPACK-DIB tiles of the tensor itself.

One operand is sparse (u, with channels c and rows h), the other dense (v, with channels f in the lanes):

    g[f, c, r, s] = sum over image, h, w of v[image, f, h + pad_h − r, w + pad_w − s] · u[image, c, h, w]

With u = X and v = dY this is dW[f, c, r, s]; with u = dY, v = X and pad_h' = R − 1 − pad_h it is
dW[c, f, R − 1 − r, S − 1 − s], which ``swap`` stores. R = S, pad_w = (S − 1) / 2.

The view is that of sparse_conv: channels × pixels, tiles of 16 channels × one block of columns: an image row, or a
part of one of exactly ``width`` columns. A wavefront owns ``channels`` channels of u, 64 of v and all R·S taps: its
accumulators are named, because channels are unrolled. It walks down the rows of a block; the R rows of v that a row of
u meets lie in vector registers, one a column, and from row to row one of them is new. Their registers form a ring, and
the code is there once for each of its places. The non-zeros of u arrive in SGPRs, and each costs one
``s_set_gpr_idx_idx``, which picks the column of v, and R·S ``v_mac_f32``. With a ring of R + 1 rows the new row is
loaded one row ahead. Columns left and right of the image are registers that stay 0 or, where a row has several blocks,
zeros in memory; rows above and below are loads that the resource's size cuts off.

v comes in quads of columns, so that a load brings four: element (e, f, k, p) of row p at
((p·dense_quads + k)·lanes + f)·4 + e is column 4·k + e, 0 right of the image. Where a row has several blocks, each has
its width + S − 1 columns by itself, in quads of its own, from pad_w left of it on. row_quads writes that. The rows
(image, block, h) are shared out in slices of rows_per_slice. A work-group is four wavefronts with the same f and
successive channels; they read the same rows of v at the same time, from L1V.

The sums of a single slice go through the LDS (1,024 bytes an accumulator of a wavefront, half of it where there are
more than 18; dynamic), so that stores fill lines of dW as it lies. With ``partial`` they leave channels × taps × lanes,
(c·R·S + tap)·lanes + f, those of the slices slice_stride apart, and sum_slices_transposed makes dW of them. Grid: x =
ceil(lanes / 64) · 256, y = channels / (4 · channels of a wavefront), z = slices. ``swap`` needs a multiple of 4 lanes
unless ``partial``.

Per sum, blocks of columns ascend within an image, rows within a block, columns descend within at most 16 non-zeros; one
rounding per product and one per sum; slices are added in ascending order.
"""

from __future__ import annotations

from pathlib import Path

from common import buffer_resource, wave_index
from gcn3 import Kernel, module, s, v
from sparse_filter_gradient_registers import (
    A_BLOCKS,
    A_DENSE,
    A_HEIGHT,
    A_IMAGE_TILES,
    A_LANES,
    A_P,
    A_PAD,
    A_Q,
    A_ROWS,
    A_SHARE,
    A_SLOT,
    A_TILES,
    ARGUMENTS,
    BASE,
    CHUNK,
    COLUMN,
    COUNT,
    COUNT_OFFSET,
    COUNTS,
    DENSE,
    DENSE_HEIGHT,
    FIRST,
    HEADER,
    HIGH,
    JUMP,
    K_ARGS,
    K_END,
    K_NEXT,
    K_WAVE,
    K_X,
    K_Y,
    K_Z,
    LOW,
    NEXT,
    NEXT_COUNTS,
    NEXT_PITCH,
    OVER,
    PAIRS,
    PITCH,
    QUAD,
    RESOURCE,
    ROW,
    ROW_AT,
    ROW_BYTES,
    ROW_END,
    ROW_OFFSET,
    ROWS_LEFT,
    SLOT,
    SLOT_STEP,
    STEP,
)
from sparse_filter_gradient_sums import GradientStores


class FilterGradient(GradientStores):
    """Generator of one kernel.

    ``width`` is the number of columns of a tile, ``channels`` that of a wavefront's channels, ``ring`` that of rows
    of v in registers. With ``several`` a row has several blocks of exactly ``width`` columns, else one of at most that.
    """

    def __init__(self, taps: int, width: int, channels: int, ring: int, several: bool = False) -> None:
        self.touching = several
        self.taps, self.width, self.channels, self.ring, self.several = taps, width, channels, ring, several
        self.area = taps * taps
        self.rows = channels * self.area
        self.passes = 1 if self.rows <= 18 else 2
        """Parts in which the sums go through the LDS."""
        self.row_stride = width + taps - 1 if several else width + (taps - 1) // 2
        columns = ring * self.row_stride + (0 if several else (taps - 1) // 2)
        self.lane = self.rows + columns
        self.scratch = self.rows + (taps - 1) // 2
        """Two columns that are loaded with every row."""
        self.kept = self.lane + 1
        name = f"sparse_filter_gradient{taps}_{'n' if several else ''}{width}x{channels}"
        self.k = Kernel(name, ARGUMENTS, sgprs=104, vgprs=self.kept + 1)
        self.pair_bytes = 4 + 4 * self.area

    def generate(self) -> Kernel:
        """The whole kernel."""
        k = self.k
        self._prologue()
        self._segment()
        for phase in range(self.ring):
            self._row(phase)
        k(f"s_branch {k.local('row0')}")
        self._overflows()
        self._finish()
        return k

    def _arguments(self) -> None:
        k = self.k
        k.load(A_TILES, "tiles", 16)
        k.load(A_SLOT, "slot_bytes", 4)

    def _keep(self, register: str, place: int) -> None:
        self.k(f"v_writelane_b32 {v(self.kept)}, {register}, {place}")

    def _divide(self, quotient: str, dividend: str, divisor: str) -> None:
        """Whole quotient of scalars below 2**20, by way of two columns' registers."""
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
        t = 64
        self._arguments()
        wave_index(k, 5, self.lane)
        for register, place in (("s0", K_ARGS), ("s1", K_ARGS + 1), ("s2", K_X), ("s3", K_Y), ("s4", K_Z)):
            self._keep(register, place)
        self._keep("s5", K_WAVE)
        k.comment("sums, and columns beside the image")
        beside = [] if self.several else [self.row_stride * place for place in range(self.ring + 1)]
        guards = [self.rows + first + i for first in beside for i in range((self.taps - 1) // 2)]
        for register in [*range(self.rows), *guards]:
            k(f"v_mov_b32 {v(register)}, 0")
        k("s_lshl_b32 s2, s2, 6")
        k(f"v_add_u32 {v(self.lane)}, vcc, s2, {v(self.lane)}")
        k(f"v_lshlrev_b32 {v(self.lane)}, 4, {v(self.lane)}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_mul_i32 {s(t)}, s4, {s(A_SHARE)}")
        self._keep(s(t), K_NEXT)
        k(f"s_add_u32 {s(t)}, {s(t)}, {s(A_SHARE)}")
        k(f"s_min_u32 {s(t)}, {s(t)}, {s(A_ROWS)}")
        self._keep(s(t), K_END)

    def _segment(self) -> None:
        """Go to the next rows of one block of one image; load a tile's header and first channel, and rows of v."""
        k = self.k
        row, end, block, image, tile, t = 64, 65, 66, 67, 68, 69
        k.label("segment")
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        k("s_set_gpr_idx_off")
        self._kept(s(row), K_NEXT)
        self._kept(s(end), K_END)
        self._kept("s0", K_ARGS)
        self._kept("s1", K_ARGS + 1)
        self._kept("s3", K_Y)
        self._kept("s5", K_WAVE)
        k(f"s_cmp_ge_u32 {s(row)}, {s(end)}")
        k(f"s_cbranch_scc1 {k.local('finish')}")
        k("s_nop 1")
        self._arguments()
        k.comment("the wavefront's channels: from FIRST on in the tile")
        k(f"s_lshl_b32 {s(FIRST)}, s3, 2")
        k(f"s_add_u32 {s(FIRST)}, {s(FIRST)}, s5")
        k(f"s_mul_i32 {s(FIRST)}, {s(FIRST)}, {self.channels}")
        k(f"s_lshr_b32 {s(tile)}, {s(FIRST)}, 4")
        k(f"s_and_b32 {s(FIRST)}, {s(FIRST)}, 15")
        k(f"s_lshl_b32 {COUNT_OFFSET}, {s(FIRST)}, 2")
        k(f"s_add_u32 {COUNT_OFFSET}, {COUNT_OFFSET}, 64")
        k("s_waitcnt lgkmcnt(0)")
        h = ROW
        self._divide(s(block), s(row), s(A_HEIGHT))
        k(f"s_mul_i32 {s(h)}, {s(block)}, {s(A_HEIGHT)}")
        k(f"s_sub_u32 {s(h)}, {s(row)}, {s(h)}")
        self._divide(s(image), s(block), s(A_BLOCKS))
        k(f"s_mul_i32 {s(t)}, {s(image)}, {s(A_BLOCKS)}")
        k(f"s_sub_u32 {s(block)}, {s(block)}, {s(t)}")
        k(f"s_sub_u32 {s(ROWS_LEFT)}, {s(A_HEIGHT)}, {s(h)}")
        k(f"s_sub_u32 {s(t)}, {s(end)}, {s(row)}")
        k(f"s_min_u32 {s(ROWS_LEFT)}, {s(ROWS_LEFT)}, {s(t)}")
        k(f"s_add_u32 {s(row)}, {s(row)}, {s(ROWS_LEFT)}")
        self._keep(s(row), K_NEXT)
        k(f"s_mul_i32 {s(t)}, {s(image)}, {s(A_IMAGE_TILES)}")
        k(f"s_add_u32 {s(t)}, {s(t)}, {s(tile)}")
        k(f"s_mul_i32 {s(t)}, {s(t)}, {s(A_HEIGHT)}")
        k(f"s_add_u32 {s(t)}, {s(t)}, {s(h)}")
        k(f"s_mul_i32 {s(t)}, {s(t)}, {s(A_BLOCKS)}")
        k(f"s_add_u32 {s(t)}, {s(t)}, {s(block)}")
        k(f"v_mov_b32 {v(self.scratch)}, {s(t)}")
        k(f"v_mul_hi_u32 {v(self.scratch)}, {v(self.scratch)}, {s(A_SLOT)}")
        k(f"v_readfirstlane_b32 {s(SLOT + 1)}, {v(self.scratch)}")
        k(f"s_mul_i32 {s(SLOT)}, {s(t)}, {s(A_SLOT)}")
        k(f"s_add_u32 {s(SLOT)}, {s(SLOT)}, {s(A_TILES)}")
        k(f"s_addc_u32 {s(SLOT + 1)}, {s(SLOT + 1)}, {s(A_TILES + 1)}")
        k(f"s_mul_i32 {s(SLOT_STEP)}, {s(A_BLOCKS)}, {s(A_SLOT)}")
        k(f"s_load_dword {s(NEXT_PITCH)}, {s(SLOT, 2)}, 0x0")
        k(f"s_load_dwordx{self.channels} {s(COUNTS, self.channels)}, {s(SLOT, 2)}, {COUNT_OFFSET}")
        k.comment("rows of v from h + pad_h - (R - 1) on, columns from the block's first less pad_w on")
        buffer_resource(k, RESOURCE, A_DENSE)
        if self.touching:
            k(f"s_mov_b32 {DENSE[0]}, {s(RESOURCE)}")
            k(f"s_mov_b32 {DENSE[1]}, {s(RESOURCE + 1)}")
        k(f"s_mov_b32 {s(DENSE_HEIGHT)}, {s(A_P)}")
        k(f"s_lshl_b32 {s(STEP)}, {s(A_LANES)}, 4")
        k(f"s_mul_i32 {s(ROW_BYTES)}, {s(A_Q)}, {s(STEP)}")
        k(f"s_add_u32 {s(ROW)}, {s(h)}, {s(A_PAD)}")
        k(f"s_sub_u32 {s(ROW)}, {s(ROW)}, {self.taps - 1}")
        k(f"s_mul_i32 {s(ROW_AT)}, {s(image)}, {s(A_P)}")
        k(f"s_add_u32 {s(ROW_AT)}, {s(ROW_AT)}, {s(ROW)}")
        k(f"s_mul_i32 {s(ROW_AT)}, {s(ROW_AT)}, {s(ROW_BYTES)}")
        k(f"s_add_u32 {s(ROW_END)}, {s(ROW_AT)}, {s(ROW_BYTES)}")
        if self.several:
            k(f"s_mul_i32 {s(t)}, {s(block)}, {-(-(self.width + self.taps - 1) // QUAD)}")
            k(f"s_mul_i32 {s(t)}, {s(t)}, {s(STEP)}")
            k(f"s_add_u32 {s(ROW_AT)}, {s(ROW_AT)}, {s(t)}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_mov_b64 {s(NEXT, 2)}, {s(SLOT, 2)}")
        self._point_at_next()
        self._pairs_of(0)
        for place in range(self.taps):
            self._load_row(place)
        self._touch(1)
        k(f"s_getpc_b64 {s(JUMP, 2)}")
        k.label("base")
        k(f"s_mov_b32 {s(BASE)}, {s(JUMP)}")
        k(f"s_set_gpr_idx_on {s(JUMP)}, 0x2  ; the second source is relative to M0")

    def _point_at_next(self) -> None:
        """Let the addresses be those of the next tile's first channel."""
        k = self.k
        k(f"s_lshl_b32 {s(PITCH)}, {s(NEXT_PITCH)}, 3")
        k(f"s_mov_b64 {s(SLOT, 2)}, {s(NEXT, 2)}")
        k(f"s_mul_i32 {s(ROW_OFFSET)}, {s(PITCH)}, {s(FIRST)}")
        k(f"s_add_u32 {s(LOW)}, {s(SLOT)}, {HEADER}")
        k(f"s_addc_u32 {s(LOW + 1)}, {s(SLOT + 1)}, 0")
        if self.width > 8:
            k(f"s_add_u32 {s(HIGH)}, {s(LOW)}, 64")
            k(f"s_addc_u32 {s(HIGH + 1)}, {s(LOW + 1)}, 0")

    def _pairs_of(self, parity: int) -> None:
        k, pairs = self.k, PAIRS[parity]
        k(f"s_load_dwordx16 {s(pairs, 16)}, {s(LOW, 2)}, {s(ROW_OFFSET)}")
        if self.width > 8:
            k(f"s_load_dwordx16 {s(pairs + 16, 16)}, {s(HIGH, 2)}, {s(ROW_OFFSET)}")

    def _load_row(self, place: int) -> None:
        """Load the next row of v into a place of the ring; it is 0 above and below the image."""
        k, guard = self.k, (self.taps - 1) // 2
        first = self.rows + place * self.row_stride
        k(f"s_cmp_lt_u32 {s(ROW)}, {s(DENSE_HEIGHT)}")
        k(f"s_cselect_b32 {s(RESOURCE + 2)}, {s(ROW_END)}, 0")
        k(f"s_mov_b32 {s(COLUMN)}, {s(ROW_AT)}")
        first, columns = (first, self.width + 2 * guard) if self.several else (first + guard, self.width)
        for column in range(0, columns, QUAD):
            count = min(QUAD, columns - column)
            width = "" if count == 1 else f"x{count}"
            target = v(first + column, count)
            k(f"buffer_load_dword{width} {target}, {v(self.lane)}, {s(RESOURCE, 4)}, {s(COLUMN)} offen")
            if column + QUAD < columns:
                k(f"s_add_u32 {s(COLUMN)}, {s(COLUMN)}, {s(STEP)}")
        k(f"s_add_u32 {s(ROW)}, {s(ROW)}, 1")
        k(f"s_add_u32 {s(ROW_AT)}, {s(ROW_AT)}, {s(ROW_BYTES)}")
        k(f"s_add_u32 {s(ROW_END)}, {s(ROW_END)}, {s(ROW_BYTES)}")

    def _touch(self, ahead: int) -> None:
        """Load a word of the tile behind NEXT's, so that the engine converts it; it is awaited a row later.

        ``ahead``: the tiles that must be left, from that of ROWS_LEFT on, for there to be one.
        """
        if not self.touching:
            return
        k = self.k
        k(f"s_cmp_gt_u32 {s(ROWS_LEFT)}, {ahead}")
        k(f"s_cselect_b32 {s(OVER)}, {s(SLOT_STEP)}, 0")
        k(f"s_add_u32 {s(RESOURCE)}, {s(NEXT)}, {s(OVER)}")
        k(f"s_addc_u32 {s(RESOURCE + 1)}, {s(NEXT + 1)}, 0")
        k(f"s_mov_b32 {s(RESOURCE + 2)}, 64")
        k.comment("lanes of the register of kept scalars that keep none")
        k("s_mov_b32 exec_lo, 0")
        k(f"buffer_load_dword {v(self.kept)}, off, {s(RESOURCE, 4)}, 0")
        k("s_mov_b32 exec_lo, -1")
        k(f"s_mov_b32 {s(RESOURCE)}, {DENSE[0]}")
        k(f"s_mov_b32 {s(RESOURCE + 1)}, {DENSE[1]}")

    def _products(self, phase: int, channel: int, first: int, last: int) -> None:
        """Pairs ``first`` to ``last``, the last one first."""
        k = self.k
        for i in reversed(range(first, last + 1)):
            pair = PAIRS[channel % 2] + 2 * i
            k(f"s_set_gpr_idx_idx {s(pair + 1)}")
            for r in range(self.taps):
                place = (phase + self.taps - 1 - r) % self.ring
                for tap in range(self.taps):
                    accumulator = channel * self.area + r * self.taps + tap
                    column = self.rows + place * self.row_stride + self.taps - 1 - tap
                    k(f"v_mac_f32 {v(accumulator)}, {s(pair)}, {v(column)}")

    def _row(self, phase: int) -> None:
        """One row of u: its channels; then the row of v that the next one needs."""
        k = self.k
        k.label(f"row{phase}")
        for channel in range(self.channels):
            self._channel(phase, channel)
        k(f"s_sub_u32 {s(ROWS_LEFT)}, {s(ROWS_LEFT)}, 1")
        k(f"s_cmp_eq_u32 {s(ROWS_LEFT)}, 0")
        k(f"s_cbranch_scc1 {k.local('segment')}")
        if self.ring == self.taps:
            self._load_row(phase)
            self._touch(1)

    def _channel(self, phase: int, channel: int) -> None:
        """One channel: wait, start the next one's loads, jump into the multiply-adds."""
        k, count, last = self.k, s(COUNTS + channel), channel == self.channels - 1
        name = f"{phase}_{channel}"
        chunk = min(CHUNK, self.width)
        rows = f"vmcnt({int(self.touching)}) "
        k(f"s_waitcnt {'' if channel else rows}lgkmcnt(0)")
        if channel == 0:
            k.comment("the next tile, or this one again when it is the last")
            k(f"s_cmp_eq_u32 {s(ROWS_LEFT)}, 1")
            k(f"s_cselect_b32 {s(OVER)}, 0, {s(SLOT_STEP)}")
            k(f"s_add_u32 {s(NEXT)}, {s(SLOT)}, {s(OVER)}")
            k(f"s_addc_u32 {s(NEXT + 1)}, {s(SLOT + 1)}, 0")
            k(f"s_load_dword {s(NEXT_PITCH)}, {s(NEXT, 2)}, 0x0")
            k(f"s_load_dwordx{self.channels} {s(NEXT_COUNTS, self.channels)}, {s(NEXT, 2)}, {COUNT_OFFSET}")
        if last:
            if self.width > CHUNK:
                k(f"s_add_u32 {s(OVER)}, {s(LOW)}, {s(ROW_OFFSET)}")
                k(f"s_addc_u32 {s(OVER + 1)}, {s(LOW + 1)}, 0")
            self._point_at_next()
        else:
            k(f"s_add_u32 {s(ROW_OFFSET)}, {s(ROW_OFFSET)}, {s(PITCH)}")
        self._pairs_of(1 - channel % 2)
        if channel == 0 and self.ring > self.taps:
            self._load_row((phase + self.taps) % self.ring)
            self._touch(2)
        if self.width > CHUNK:
            k(f"s_mov_b32 {COUNT}, {count}") if last else None
            k(f"s_min_u32 {s(JUMP)}, {count}, {CHUNK + 1}")
            count = s(JUMP)
        k(f"s_mul_i32 {s(JUMP)}, {count}, {self.pair_bytes}")
        if last:
            for i in range(0, self.channels, 2):
                k(f"s_mov_b64 {s(COUNTS + i, 2)}, {s(NEXT_COUNTS + i, 2)}")
        k(f"s_sub_u32 {s(JUMP)}, {s(BASE)}, {s(JUMP)}")
        k(f"s_add_u32 {s(JUMP)}, {s(JUMP)}, {k.local(f'end{name}')}-{k.local('base')}")
        k(f"s_setpc_b64 {s(JUMP, 2)}")
        if self.width > CHUNK:
            k(f"s_branch {k.local(f'more{name}')}")
            for _ in range(self.pair_bytes // 4 - 1):
                k("s_nop 0")
        self._products(phase, channel, 0, chunk - 1)
        k.label(f"end{name}")

    def _overflows(self) -> None:
        """Rows of more than 16: 16 pairs at a time, then back to the row's code."""
        if self.width <= CHUNK:
            return
        for phase in range(self.ring):
            for channel in range(self.channels):
                self._overflow(phase, channel)

    def _overflow(self, phase: int, channel: int) -> None:
        k, pairs, name = self.k, PAIRS[channel % 2], f"{phase}_{channel}"
        k.label(f"more{name}")
        if channel < self.channels - 1:
            k(f"s_mov_b32 {COUNT}, {s(COUNTS + channel)}")
            k(f"s_sub_u32 {s(OVER)}, {s(ROW_OFFSET)}, {s(PITCH)}")
            k(f"s_add_u32 {s(OVER)}, {s(OVER)}, {s(LOW)}")
            k(f"s_addc_u32 {s(OVER + 1)}, {s(LOW + 1)}, 0")
        k.label(f"chunk{name}")
        self._products(phase, channel, 0, 7)
        k(f"s_add_u32 {s(OVER)}, {s(OVER)}, {CHUNK * 8}")
        k(f"s_addc_u32 {s(OVER + 1)}, {s(OVER + 1)}, 0")
        k(f"s_load_dwordx16 {s(pairs, 16)}, {s(OVER, 2)}, 0x0")
        self._products(phase, channel, 8, 15)
        k(f"s_sub_u32 {COUNT}, {COUNT}, {CHUNK}")
        k(f"s_cmp_gt_u32 {COUNT}, 8")
        k(f"s_cbranch_scc0 {k.local(f'half{name}')}")
        k(f"s_load_dwordx16 {s(pairs + 16, 16)}, {s(OVER, 2)}, 0x40")
        if self.width > 2 * CHUNK:
            k(f"s_cmp_gt_u32 {COUNT}, {CHUNK}")
            k("s_waitcnt lgkmcnt(0)")
            k(f"s_cbranch_scc1 {k.local(f'chunk{name}')}")
        k.label(f"half{name}")
        k(f"s_mul_i32 {s(JUMP)}, {COUNT}, {self.pair_bytes}")
        k(f"s_sub_u32 {s(JUMP)}, {s(BASE)}, {s(JUMP)}")
        k(f"s_add_u32 {s(JUMP)}, {s(JUMP)}, {k.local(f'end{name}')}-{k.local('base')}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_setpc_b64 {s(JUMP, 2)}")


SHAPES = [
    *((3, 8, 4, 4), (3, 8, 2, 4), (3, 14, 4, 3), (3, 14, 2, 4), (3, 28, 4, 3), (3, 28, 2, 3)),
    *((3, 56, 2, 4), (3, 14, 2, 3, True), (3, 16, 2, 3, True), (3, 28, 4, 3, True), (3, 28, 2, 3, True)),
    *((5, 8, 2, 5), (5, 14, 2, 5), (5, 7, 2, 5, True), (5, 9, 2, 5, True)),
]


def main() -> None:
    """Write sparse_filter_gradient.s beside the OpenCL sources."""
    kernels = [FilterGradient(*shape).generate() for shape in SHAPES]
    target = Path(__file__).parent.parent / "src" / "sparse_filter_gradient.s"
    target.write_text(module(kernels, "python3 generate/sparse_filter_gradient.py"))


if __name__ == "__main__":
    main()
