"""Sparse direct convolution of wide images: a wavefront owns a block of several rows and ``width`` columns of outputs.

y[image, f, p, q] = sum over c, r, s of x[image, c, p + r − pad_h, q + s − pad_w] · w[(c·R + r)·S + s][f], R = S,
stride 1. A wavefront owns ``rows`` rows × ``width`` columns of outputs and 64 filters (lane = filter) over some
channels. It visits the ``rows`` + S − 1 rows of pixels around them; a pixel that is not zero adds to up to S rows and S
columns of outputs: one ``s_set_gpr_idx_idx`` for up to S·S ``v_mac_f32``.

The view is an im2col view of X (bridge/layers/conv/block.py): a tile is a band of rows of one channel, padding
included; its rows are (row of the band, strip of columns), the strip running faster. A strip has the ``width`` + S − 1
columns that a block's outputs meet. So each visit is one row of a tile, and no tap has to be looked at for padding.

The data gradient is the same on dY, filters by (f, r, s) × c, with ``flip`` = 1 and pad S − 1 − pad.

A visit of a row of n ≤ 16 non-zeros enters unrolled code at the n-th pair from the end. Of longer rows the first 16
go through a copy of that code while the others are loaded. The weights of filter row r are last used in visit
r + ``rows`` − 1, and are replaced behind it by those of the next channel. A vector load that nobody waits for touches
the tile after next, so that an engine has converted it when scalar loads, which are waited for one and all, come to it.

Work-groups have four wavefronts, which share out the group's channels evenly and add their sums through the LDS (4,096
bytes each, dynamic), 16 accumulators at a time. What each group does stands in a table, 16 dwords a group: its first
row in a tile, first filter, its first tile, first channel, number of channels, number of its partial result, or of
outputs (bytes from y), rows of outputs that are stored (0: a partial result), 0; then of a block that several groups
share: its first partial result, how many it has, its counter, outputs (bytes from y), rows of outputs. Grid: groups ·
256.

A partial result is [accumulators / 4][64 lanes][4]. Work-groups store theirs, then count in the block's counter; who
finds all others there adds the block's partial results, in ascending order and from memory, its own too, so that which
one it is changes no bit. ``buffer_atomic_inc`` starts the counter anew for the next launch.

Per output the sum starts at the bias where a work-group has all channels, else at 0, runs over channels ascending,
filter rows ascending, pixels of a row in an order that its number of non-zeros fixes, with one rounding per product and
one per sum; wavefronts are added in ascending order, work-groups to the bias.
"""

from __future__ import annotations

from pathlib import Path

from common import buffer_resource, wave_index
from gcn3 import Kernel, module, s, v
from sparse_block_registers import (
    A_CHANNEL_TILES,
    A_CHANNELS,
    A_F,
    A_FLIP,
    A_HEADER,
    A_POINTERS,
    A_SLOT,
    A_STRIPS,
    ARGUMENTS,
    B_BACK,
    B_OFFSET,
    B_ROW,
    BASE,
    CHANNEL,
    CHUNK,
    COUNTS_OFFSET,
    CUR,
    HEADER,
    HIGH,
    JUMP,
    KEPT_ARGUMENTS,
    KEPT_FILTER,
    KEPT_LINE,
    KEPT_PLACE,
    KEPT_ROWS,
    KEPT_WAVE,
    LEFT,
    LINE_BYTES,
    NEXT,
    OFFSET,
    PAIRS,
    PITCH,
    RESOURCE,
    ROW8,
    ROW_STEP,
    STRIPS4,
    TOUCH,
    W_CHANNEL,
    W_COUNT,
    W_FILTER,
    W_PLACE,
    W_ROW,
    W_ROWS,
    W_TILE,
    T,
)
from sparse_block_sums import BlockSums


class BlockConvolution(BlockSums):
    """Generator of one kernel: ``taps`` × ``taps`` filters, blocks of ``rows`` × ``width`` outputs."""

    def __init__(self, taps: int, width: int, rows: int) -> None:
        self.taps, self.rows = taps, rows
        self.visits = rows + taps - 1
        self.width, self.pitch = width, width + taps - 1
        self.accumulators = (rows * self.pitch + taps - 1 + 3) // 4 * 4
        self.weights = self.accumulators
        self.lane = self.weights + taps * taps  # byte offset of the lane's filter at each tap of a row
        self.kept = self.lane + taps
        self.touched = self.kept + 1
        self.counts = [0, self.visits]
        assert 2 * self.visits <= 10, "counts of two channels have ten registers"
        self.k = Kernel(f"sparse_block_conv{taps}_{width}x{rows}", ARGUMENTS, sgprs=104, vgprs=self.touched + 1)

    def generate(self) -> Kernel:
        """The whole kernel."""
        k = self.k
        self._prologue()
        k(".p2align 6")
        k.label("channel")
        for parity in range(2):
            for visit in range(self.visits):
                self._visit(parity, visit)
            k(f"s_sub_u32 {s(LEFT)}, {s(LEFT)}, 1")
            k(f"s_cbranch_scc1 {k.local('summed')}")
        k(f"s_branch {k.local('channel')}")
        for parity in range(2):
            for visit in range(self.visits):
                self._more(parity, visit)
        k.label("summed")
        self._finish()
        return k

    # Before the loop.

    def _prologue(self) -> None:
        k, kept, lane = self.k, v(self.kept), v(self.lane)
        k.load(A_POINTERS, "tiles", 8)
        k.load(A_POINTERS + 8, "y", 4)
        k.load(A_F, "F", 8)
        k.load(A_FLIP, "flip")
        wave_index(k, 5, self.lane)
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_mul_i32 s6, s2, {LINE_BYTES}")
        k(f"s_load_dwordx8 {s(W_ROW, 8)}, {s(A_POINTERS + 6, 2)}, s6")
        k(f"s_add_u32 {s(A_POINTERS + 6)}, {s(A_POINTERS + 6)}, s6")
        k(f"s_addc_u32 {s(A_POINTERS + 7)}, {s(A_POINTERS + 7)}, 0")
        k(f"v_writelane_b32 {kept}, s5, {KEPT_WAVE}")
        for i in range(2):
            k(f"v_writelane_b32 {kept}, s{i}, {KEPT_ARGUMENTS + i}")
            k(f"v_writelane_b32 {kept}, {s(A_POINTERS + 6 + i)}, {KEPT_LINE + i}")
        line, window = s(T + 2), self.taps * self.taps
        k(f"s_lshl_b32 {line}, {s(A_F)}, 2")
        k(f"s_mul_i32 {s(T + 5)}, {line}, {window}")  # bytes of a channel's filters
        buffer_resource(k, RESOURCE, A_POINTERS + 2)
        k.comment("bytes of the filters: channels behind the last one read 0")
        k(f"s_mul_i32 {s(RESOURCE + 2)}, {s(T + 5)}, {s(A_CHANNELS)}")
        k(f"s_mul_i32 {CHANNEL}, {s(A_SLOT)}, {s(A_CHANNEL_TILES)}")
        k(f"s_mov_b32 {HEADER}, {s(A_HEADER)}")
        k(f"s_lshl_b32 {STRIPS4}, {s(A_STRIPS)}, 2")
        k("s_waitcnt lgkmcnt(0)")
        k.comment("what the end needs")
        for register, place in ((s(W_PLACE), KEPT_PLACE), (s(W_ROWS), KEPT_ROWS), (s(W_FILTER), KEPT_FILTER)):
            k(f"v_writelane_b32 {kept}, {register}, {place}")
        self._start_accumulators()
        k.comment("the wavefront's share of the channels")
        k(f"s_mul_i32 {s(T)}, {s(W_COUNT)}, s5")
        k(f"s_add_u32 {s(T + 1)}, {s(T)}, {s(W_COUNT)}")
        k(f"s_lshr_b32 {s(T)}, {s(T)}, 2")
        k(f"s_lshr_b32 {s(T + 1)}, {s(T + 1)}, 2")
        k(f"s_sub_u32 {s(LEFT)}, {s(T + 1)}, {s(T)}")
        k(f"s_sub_u32 {s(LEFT)}, {s(LEFT)}, 1")
        k(f"s_cbranch_scc1 {k.local('summed')}")
        k(f"s_mul_i32 {s(T + 1)}, {s(T)}, {s(A_CHANNEL_TILES)}")
        k(f"s_add_u32 {s(W_TILE)}, {s(W_TILE)}, {s(T + 1)}")
        k(f"s_mul_i32 {s(W_TILE)}, {s(W_TILE)}, {s(A_SLOT)}")
        k(f"s_add_u32 {s(NEXT)}, {s(A_POINTERS)}, {s(W_TILE)}")
        k(f"s_addc_u32 {s(NEXT + 1)}, {s(A_POINTERS + 1)}, 0")
        k(f"s_lshl_b32 {ROW8}, {s(W_ROW)}, 3")
        k(f"s_lshl_b32 {COUNTS_OFFSET}, {s(W_ROW)}, 2")
        k(f"s_add_u32 {COUNTS_OFFSET}, {COUNTS_OFFSET}, 64")
        self._load_header(0)
        k.comment("touch the second channel's tile")
        k(f"s_cmp_lg_u32 {s(LEFT)}, 0")
        k(f"s_cselect_b32 {s(T + 1)}, {CHANNEL}, 0")
        buffer_resource(k, TOUCH, NEXT)
        self._touch(s(T + 1))
        k.comment("the first channel's filters, and the lane's at each tap of a row, last tap first when flipped")
        k(f"s_add_u32 {s(W_CHANNEL)}, {s(W_CHANNEL)}, {s(T)}")
        k(f"s_mul_i32 {B_OFFSET}, {s(W_CHANNEL)}, {s(T + 5)}")
        k(f"s_mul_i32 {B_ROW}, {line}, {self.taps}")
        k(f"s_sub_u32 {s(T + 3)}, {s(T + 5)}, {B_ROW}")
        k(f"s_sub_u32 {s(T + 4)}, 0, {line}")
        k(f"s_mul_i32 {s(T + 6)}, {line}, {self.taps - 1}")
        k(f"s_sub_u32 {s(T + 7)}, 0, {B_ROW}")
        k(f"s_lshl_b32 {s(T + 8)}, {s(T + 5)}, 1")
        k(f"s_cmp_lg_u32 {s(A_FLIP)}, 0")
        k(f"s_cselect_b32 {s(T + 3)}, {s(T + 3)}, 0")  # the first row
        k(f"s_cselect_b32 {s(T + 6)}, {s(T + 6)}, 0")  # the first tap in it
        k(f"s_cselect_b32 {line}, {s(T + 4)}, {line}")
        k(f"s_cselect_b32 {B_ROW}, {s(T + 7)}, {B_ROW}")
        k(f"s_cselect_b32 {B_BACK}, {s(T + 8)}, 0")  # behind a channel's last row
        k(f"s_add_u32 {B_OFFSET}, {B_OFFSET}, {s(T + 3)}")
        k(f"v_add_u32 {lane}, vcc, {s(W_FILTER)}, {lane}")
        k(f"v_lshlrev_b32 {lane}, 2, {lane}")
        k(f"v_add_u32 {lane}, vcc, {s(T + 6)}, {lane}")
        for tap in range(1, self.taps):
            k(f"v_add_u32 {v(self.lane + tap)}, vcc, {line}, {v(self.lane + tap - 1)}")
        for row in range(self.taps):
            self._load_weights(row)
        k(f"s_getpc_b64 {s(JUMP, 2)}")
        k.label("here")
        k(f"s_mov_b32 {BASE}, {s(JUMP)}")
        k("s_waitcnt lgkmcnt(0)")
        self._point_at_next(0)
        self._load_pairs(0)
        k(f"s_set_gpr_idx_on {s(LEFT)}, 0xc  ; what v_mac adds to, as its third source and as its destination")

    def _start_accumulators(self) -> None:
        """Begin with the bias in the first wavefront of a work-group that has all channels, else with 0."""
        k, start, address = self.k, v(self.weights), v(self.weights + 1)
        k(f"v_mov_b32 {start}, 0")
        k(f"s_cmp_eq_u64 {s(A_POINTERS + 10, 2)}, 0")
        k(f"s_cbranch_scc1 {k.local('no_bias')}")
        k(f"s_cmp_eq_u32 {s(W_ROWS)}, 0")
        k(f"s_cbranch_scc1 {k.local('no_bias')}")
        k("s_cmp_lg_u32 s5, 0")
        k(f"s_cbranch_scc1 {k.local('no_bias')}")
        buffer_resource(k, T + 12, A_POINTERS + 10)
        k(f"s_lshl_b32 {s(T + 14)}, {s(A_F)}, 2")
        k(f"v_add_u32 {address}, vcc, {s(W_FILTER)}, {v(self.lane)}")
        k(f"v_lshlrev_b32 {address}, 2, {address}")
        k(f"buffer_load_dword {start}, {address}, {s(T + 12, 4)}, 0 offen")
        k("s_waitcnt vmcnt(0)")
        k.label("no_bias")
        for i in range(self.accumulators):
            k(f"v_mov_b32 {v(i)}, {start}")

    # The loop.

    def _load_header(self, parity: int) -> None:
        """Load a tile's pitch and the counts of the rows that are visited, which lie ``strips`` apart."""
        k, offset = self.k, s(JUMP)
        k(f"s_load_dword {s(PITCH[parity])}, {s(NEXT, 2)}, 0x0")
        k(f"s_load_dword {s(self.counts[parity])}, {s(NEXT, 2)}, {COUNTS_OFFSET}")
        for visit in range(1, self.visits):
            k(f"s_add_u32 {offset}, {COUNTS_OFFSET if visit == 1 else offset}, {STRIPS4}")
            k(f"s_load_dword {s(self.counts[parity] + visit)}, {s(NEXT, 2)}, {offset}")

    def _touch(self, step: str) -> None:
        """Move on to a tile and let its engine convert it before a scalar load has to wait for that."""
        k = self.k
        k(f"s_add_u32 {s(TOUCH)}, {s(TOUCH)}, {step}")
        k(f"s_addc_u32 {s(TOUCH + 1)}, {s(TOUCH + 1)}, 0")
        k(f"buffer_load_dword {v(self.touched)}, off, {s(TOUCH, 4)}, 0")

    def _load_weights(self, row: int) -> None:
        k = self.k
        for tap in range(self.taps):
            target = v(self.weights + row * self.taps + tap)
            k(f"buffer_load_dword {target}, {v(self.lane + tap)}, {s(RESOURCE, 4)}, {B_OFFSET} offen")
        k(f"s_add_u32 {B_OFFSET}, {B_OFFSET}, {B_ROW}")
        if row == self.taps - 1:
            k(f"s_add_u32 {B_OFFSET}, {B_OFFSET}, {B_BACK}")

    def _load_pairs(self, place: int) -> None:
        k, pairs = self.k, PAIRS[place]
        k(f"s_load_dwordx16 {s(pairs, 16)}, {s(CUR, 2)}, {s(OFFSET)}")
        k(f"s_load_dwordx16 {s(pairs + 16, 16)}, {s(HIGH, 2)}, {s(OFFSET)}")

    def _point_at_next(self, parity: int) -> None:
        """From here on rows are those of the next channel's tile; its first visited row."""
        k = self.k
        k(f"s_add_u32 {s(CUR)}, {s(NEXT)}, {HEADER}")
        k(f"s_addc_u32 {s(CUR + 1)}, {s(NEXT + 1)}, 0")
        k(f"s_add_u32 {s(HIGH)}, {s(CUR)}, 64")
        k(f"s_addc_u32 {s(HIGH + 1)}, {s(CUR + 1)}, 0")
        k(f"s_mul_i32 {s(OFFSET)}, {ROW8}, {s(PITCH[parity])}")
        k(f"s_mul_i32 {ROW_STEP}, {STRIPS4}, {s(PITCH[parity])}")
        k(f"s_lshl_b32 {ROW_STEP}, {ROW_STEP}, 1")

    def _taps(self, visit: int) -> list[int]:
        """Filter rows through which a visited row meets rows of outputs."""
        return [r for r in range(self.taps) if 0 <= visit - r < self.rows]

    def _pair_bytes(self, visit: int) -> int:
        return 4 + 4 * self.taps * len(self._taps(visit))

    def _pairs(self, place: int, visit: int, first: int, last: int) -> None:
        """Multiply-adds of pairs ``first`` to ``last``, the last one first."""
        k = self.k
        for i in reversed(range(first, last + 1)):
            pair = PAIRS[place] + 2 * i
            k(f"s_set_gpr_idx_idx {s(pair + 1)}")
            for r in self._taps(visit):
                for tap in range(self.taps):
                    accumulator = v((visit - r) * self.pitch + self.taps - 1 - tap)
                    k(f"v_mac_f32 {accumulator}, {s(pair)}, {v(self.weights + r * self.taps + tap)}")

    def _jump(self, parity: int, visit: int, count: str) -> None:
        k = self.k
        k(f"s_mul_i32 {s(JUMP)}, {count}, {self._pair_bytes(visit)}")
        k(f"s_sub_u32 {s(JUMP)}, {BASE}, {s(JUMP)}")
        k(f"s_add_u32 {s(JUMP)}, {s(JUMP)}, {k.local(f'end{parity}_{visit}')}-{k.local('here')}")

    def _visit(self, parity: int, visit: int) -> None:
        """One row of a tile: wait for its pairs, load the next row's, jump into the multiply-adds."""
        k, place = self.k, (parity * self.visits + visit) % 2
        waits = "lgkmcnt(0)"
        if visit < self.taps:  # this filter row's weights; later ones, the next channel's and a touch may still come
            later = self.taps - 1 - visit + max(0, visit - self.rows + 1)
            waits = f"vmcnt({self.taps * later + (visit > 0)}) {waits}"
        k(f"s_waitcnt {waits}")
        if visit < self.visits - 1:
            k(f"s_add_u32 {s(OFFSET)}, {s(OFFSET)}, {ROW_STEP}")
        else:
            self._point_at_next(1 - parity)
        self._load_pairs(1 - place)
        if visit == 0:
            k.comment("the channel after this one, or this one again when it is the last")
            k(f"s_cmp_lg_u32 {s(LEFT)}, 0")
            k(f"s_cselect_b32 {s(JUMP)}, {CHANNEL}, 0")
            k(f"s_add_u32 {s(NEXT)}, {s(NEXT)}, {s(JUMP)}")
            k(f"s_addc_u32 {s(NEXT + 1)}, {s(NEXT + 1)}, 0")
            self._load_header(1 - parity)
            k(f"s_cmp_gt_u32 {s(LEFT)}, 1")
            k(f"s_cselect_b32 {s(JUMP)}, {CHANNEL}, 0")
            self._touch(s(JUMP))
        k(f"s_min_u32 {s(JUMP)}, {s(self.counts[parity] + visit)}, {CHUNK + 1}")
        self._jump(parity, visit, s(JUMP))
        k(f"s_setpc_b64 {s(JUMP, 2)}")
        k(f"s_branch {k.local(f'more{parity}_{visit}')}")
        for _ in range(self._pair_bytes(visit) // 4 - 1):
            k("s_nop 0")
        self._pairs(place, visit, 0, CHUNK - 1)
        k.label(f"end{parity}_{visit}")
        if visit >= self.rows - 1:
            self._load_weights(visit - self.rows + 1)

    def _more(self, parity: int, visit: int) -> None:
        """A row of more than 16: the first 16 here, while the others are loaded; then back into the visit's code."""
        k, place = self.k, (parity * self.visits + visit) % 2
        pairs, over, count = PAIRS[place], "vcc_lo", s(self.counts[parity] + visit)
        k.label(f"more{parity}_{visit}")
        if visit < self.visits - 1:
            k(f"s_sub_u32 {over}, {s(OFFSET)}, {ROW_STEP}")
            k(f"s_add_u32 {over}, {over}, {CHUNK * 8}")
            k(f"s_add_u32 {over}, {over}, {s(CUR)}")
            k(f"s_addc_u32 vcc_hi, {s(CUR + 1)}, 0")
        else:
            k.comment("CUR is the next tile's, which is this one behind the last channel")
            k(f"s_mul_i32 {over}, {STRIPS4}, {2 * (self.visits - 1)}")
            k(f"s_add_u32 {over}, {over}, {ROW8}")
            k(f"s_mul_i32 {over}, {over}, {s(PITCH[parity])}")
            k(f"s_add_u32 {over}, {over}, {CHUNK * 8}")
            k(f"s_cmp_lg_u32 {s(LEFT)}, 0")
            k(f"s_cselect_b32 {s(JUMP)}, {CHANNEL}, 0")
            k(f"s_sub_u32 {s(JUMP)}, {s(CUR)}, {s(JUMP)}")
            k(f"s_subb_u32 vcc_hi, {s(CUR + 1)}, 0")
            k(f"s_add_u32 {over}, {over}, {s(JUMP)}")
            k("s_addc_u32 vcc_hi, vcc_hi, 0")
        self._pairs(place, visit, 0, 7)
        k(f"s_load_dwordx16 {s(pairs, 16)}, vcc, 0x0")
        self._pairs(place, visit, 8, CHUNK - 1)
        k(f"s_load_dwordx16 {s(pairs + 16, 16)}, vcc, 0x40")
        k(f"s_sub_u32 {s(JUMP)}, {count}, {CHUNK}")
        self._jump(parity, visit, s(JUMP))
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_setpc_b64 {s(JUMP, 2)}")


SHAPES = [(3, 28, 2)]


def main() -> None:
    """Write sparse_block_conv.s beside the OpenCL sources."""
    kernels = [BlockConvolution(*shape).generate() for shape in SHAPES]
    target = Path(__file__).parent.parent / "src" / "sparse_block_conv.s"
    target.write_text(module(kernels, "python3 generate/sparse_block_conv.py"))


if __name__ == "__main__":
    main()
