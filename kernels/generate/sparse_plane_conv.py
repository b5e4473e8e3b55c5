"""Sparse direct convolution of small images: a wavefront owns several rows of outputs, a tile is one channel's image.

y[image, f, p, q] = sum over c, r, s of x[image, c, p + r − pad_h, q + s − pad_w] · w[(c·R + r)·S + s][f], R = S = 3,
stride 1. The view is of X as a matrix of image rows (images · channels · height rows) × ``width`` pixels in tiles of
height × width: tile i is channel i's image. A wavefront owns ``rows`` rows of outputs and 64 filters (lane = filter)
over some channels: ``rows`` · (``width`` + 2) accumulators. It visits the ``rows`` + 2 image rows around them; a pixel
that is not zero adds to up to three rows of outputs and three columns around it: one ``s_set_gpr_idx_idx`` for up to
nine ``v_mad_f32``. Compared with sparse_conv, which owns one row, filters are loaded once for ``rows`` rows of outputs,
and what a visit costs beside its multiply-adds (a wait, a load of pairs ahead, a computed jump) serves up to three
times as many.

The data gradient is the same on dY, filters by (f, r, s) × c, with ``flip`` = 1 and pad 2 − pad.

A visit of a row of n non-zeros enters unrolled code at the n-th pair from the end. Rows above the image and below it
have the counts of the words around the tile's row counts, which are 0: pad_h is at most 1, and height is not within
``rows`` of the next multiple of 16.

Work-groups have four wavefronts, which share out the group's channels evenly and add their sums through the LDS (4,096
bytes each, dynamic), 16 accumulators at a time. What each group does stands in a table, 8 dwords a group: first row of
outputs, first filter, its first tile, first channel, number of channels, number of its partial result. A partial result
is [accumulators / 4][64 lanes][4]; sum_plane_slices adds those of an output and puts them into place. Grid: groups ·
256.

Per output the sum runs over channels ascending, filter rows ascending, pixels of a row from right to left, with one
rounding per product and one per sum; wavefronts are added in ascending order.
"""

from __future__ import annotations

from pathlib import Path

from common import buffer_resource, wave_index
from gcn3 import Kernel, module, s, v

ARGUMENTS = [
    ("tiles", "buffer"),
    ("b", "buffer"),
    ("partial", "buffer"),
    ("work", "buffer"),
    ("F", "u32"),  # filters of the group, elements from tap to tap of b
    ("channels", "u32"),  # of the group
    ("height", "u32"),
    ("pad_h", "u32"),
    ("slot_bytes", "u32"),
    ("flip", "u32"),
]

TAPS = 3
JUMP, CUR, HIGH, NEXT, RESOURCE = 16, 18, 20, 22, 24
OFFSET, PITCH, NEXT_PITCH, LEFT = 28, 29, 30, 31
PAIRS = 32
B_OFFSET, B_STEP, SLOT, COUNTS_OFFSET, ROW_0, ROW_1 = 96, 97, 98, 99, 100, 101
LAST_ROW, BASE, LIMIT = "flat_scratch_lo", "flat_scratch_hi", "vcc_lo"
KEPT_OUT, KEPT_WAVE = 0, 2  # lanes of the register that keeps scalars for the end
# Arguments and the group's line of the table, in the prologue.
A_TILES, A_B, A_PARTIAL, A_WORK, A_F, A_CHANNELS, A_HEIGHT, A_PAD, A_SLOT, A_FLIP = (
    32,
    34,
    36,
    38,
    40,
    41,
    42,
    43,
    44,
    45,
)
W_ROW, W_FILTER, W_TILE, W_CHANNEL, W_COUNT, W_SLOT = range(48, 54)
T = 64


class PlaneConvolution:
    """Generator of one kernel: rows of up to ``width`` pixels, ``rows`` rows of outputs a wavefront."""

    def __init__(self, width: int, rows: int) -> None:
        self.width, self.rows, self.visits = width, rows, rows + TAPS - 1
        self.pitch = width + TAPS - 1
        self.accumulators = (rows * self.pitch + 3) // 4 * 4
        self.window = TAPS * TAPS
        self.weights = self.accumulators  # two channels of 9
        self.lane = self.weights + 2 * self.window  # byte offset of the lane's filter at each tap
        self.kept = self.lane + self.window
        self.loads = 1 if width <= 8 else 2
        self.pairs = [PAIRS, PAIRS + 16 * self.loads]
        self.counts = [0, 8] if self.visits <= 8 else [64, 80]
        self.k = Kernel(f"sparse_plane_conv3_{width}x{rows}", ARGUMENTS, sgprs=104, vgprs=self.kept + 1)

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
            k(f"s_cmp_eq_u32 {s(LEFT)}, 0")
            k(f"s_cbranch_scc1 {k.local('summed')}")
        k(f"s_branch {k.local('channel')}")
        k.label("summed")
        self._finish()
        k("s_endpgm")
        return k

    def _prologue(self) -> None:
        k, kept, lane = self.k, v(self.kept), v(self.lane)
        k.load(A_TILES, "tiles", 8)
        k.load(A_F, "F", 4)
        k.load(A_SLOT, "slot_bytes", 2)
        wave_index(k, 5, self.lane)
        k("s_waitcnt lgkmcnt(0)")
        k("s_lshl_b32 s6, s2, 5")
        k(f"s_load_dwordx8 {s(W_ROW, 8)}, {s(A_WORK, 2)}, s6")
        for i in range(self.accumulators):
            k(f"v_mov_b32 {v(i)}, 0")
        k(f"v_writelane_b32 {kept}, s5, {KEPT_WAVE}")
        k(f"s_mul_i32 {s(B_STEP)}, {s(A_F)}, {4 * self.window}")
        buffer_resource(k, RESOURCE, A_B)
        k.comment("bytes of the filters: lanes beyond the last filter read 0")
        k(f"s_mul_i32 {s(RESOURCE + 2)}, {s(B_STEP)}, {s(A_CHANNELS)}")
        k(f"s_mov_b32 {s(SLOT)}, {s(A_SLOT)}")
        k("s_waitcnt lgkmcnt(0)")
        k.comment("the group's partial result")
        k(f"s_mul_i32 {s(T)}, {s(W_SLOT)}, {self.accumulators * 256}")
        k(f"s_add_u32 {s(A_PARTIAL)}, {s(A_PARTIAL)}, {s(T)}")
        k(f"s_addc_u32 {s(A_PARTIAL + 1)}, {s(A_PARTIAL + 1)}, 0")
        for i in range(2):
            k(f"v_writelane_b32 {kept}, {s(A_PARTIAL + i)}, {KEPT_OUT + i}")
        k.comment("the wavefront's share of the channels")
        k(f"s_mul_i32 {s(T)}, {s(W_COUNT)}, s5")
        k(f"s_add_u32 {s(T + 1)}, {s(T)}, {s(W_COUNT)}")
        k(f"s_lshr_b32 {s(T)}, {s(T)}, 2")
        k(f"s_lshr_b32 {s(T + 1)}, {s(T + 1)}, 2")
        k(f"s_sub_u32 {s(LEFT)}, {s(T + 1)}, {s(T)}")
        k(f"s_cmp_eq_u32 {s(LEFT)}, 0")
        k(f"s_cbranch_scc1 {k.local('summed')}")
        k(f"s_add_u32 {s(W_TILE)}, {s(W_TILE)}, {s(T)}")
        k(f"s_mul_i32 {s(W_TILE)}, {s(W_TILE)}, {s(SLOT)}")
        k(f"s_add_u32 {s(NEXT)}, {s(A_TILES)}, {s(W_TILE)}")
        k(f"s_addc_u32 {s(NEXT + 1)}, {s(A_TILES + 1)}, 0")
        k.comment("rows of the image: the first visited is −1 at least")
        k(f"s_sub_i32 {s(T + 1)}, {s(W_ROW)}, {s(A_PAD)}")
        k(f"s_lshl_b32 {s(COUNTS_OFFSET)}, {s(T + 1)}, 2")
        k(f"s_add_u32 {s(COUNTS_OFFSET)}, {s(COUNTS_OFFSET)}, 64")
        k(f"s_max_i32 {s(ROW_0)}, {s(T + 1)}, 0")
        k(f"s_add_i32 {s(ROW_1)}, {s(T + 1)}, 1")
        k(f"s_sub_u32 {LAST_ROW}, {s(A_HEIGHT)}, 1")
        k.comment("filters: the first channel's place, and the lane's at each tap, last tap first when flipped")
        k(f"s_add_u32 {s(W_CHANNEL)}, {s(W_CHANNEL)}, {s(T)}")
        k(f"s_mul_i32 {s(B_OFFSET)}, {s(W_CHANNEL)}, {s(B_STEP)}")
        k(f"s_lshl_b32 {s(T + 2)}, {s(A_F)}, 2")
        k(f"s_mul_i32 {s(T + 3)}, {s(T + 2)}, {self.window - 1}")
        k(f"s_sub_u32 {s(T + 4)}, 0, {s(T + 2)}")
        k(f"s_cmp_lg_u32 {s(A_FLIP)}, 0")
        k(f"s_cselect_b32 {s(T + 3)}, {s(T + 3)}, 0")
        k(f"s_cselect_b32 {s(T + 2)}, {s(T + 4)}, {s(T + 2)}")
        k(f"v_add_u32 {lane}, vcc, {s(W_FILTER)}, {lane}")
        k(f"v_lshlrev_b32 {lane}, 2, {lane}")
        k(f"v_add_u32 {lane}, vcc, {s(T + 3)}, {lane}")
        for tap in range(1, self.window):
            k(f"v_add_u32 {v(self.lane + tap)}, vcc, {s(T + 2)}, {v(self.lane + tap - 1)}")
        k.comment("bytes before a tile's rows, for the pointers")
        k(f"s_add_u32 {s(T)}, {s(A_HEIGHT)}, 31")
        k(f"s_lshr_b32 {s(T)}, {s(T)}, 4")
        k(f"s_lshl_b32 {s(T)}, {s(T)}, 6")
        k(f"s_mov_b32 vcc_hi, {s(T)}")
        self._load_header(0)
        self._load_weights(0)
        k("s_waitcnt lgkmcnt(0)")
        self._point_at_next()
        self._load_pairs(0)
        k(f"s_getpc_b64 {s(JUMP, 2)}")
        k.label("here")
        k(f"s_mov_b32 {BASE}, {s(JUMP)}")
        k(f"s_set_gpr_idx_on {s(LEFT)}, 0xc  ; the third source and the destination are relative to M0")

    def _load_header(self, parity: int) -> None:
        k = self.k
        k(f"s_load_dword {s(NEXT_PITCH)}, {s(NEXT, 2)}, 0x0")
        width = 8 if self.visits <= 8 else 16
        k(f"s_load_dwordx{width} {s(self.counts[parity], width)}, {s(NEXT, 2)}, {s(COUNTS_OFFSET)}")

    def _load_weights(self, parity: int) -> None:
        for tap in range(self.window):
            target = v(self.weights + parity * self.window + tap)
            self.k(f"buffer_load_dword {target}, {v(self.lane + tap)}, {s(RESOURCE, 4)}, {s(B_OFFSET)} offen")

    def _load_pairs(self, parity: int) -> None:
        k = self.k
        k(f"s_load_dwordx16 {s(self.pairs[parity], 16)}, {s(CUR, 2)}, {s(OFFSET)}")
        if self.loads > 1:
            k(f"s_load_dwordx16 {s(self.pairs[parity] + 16, 16)}, {s(HIGH, 2)}, {s(OFFSET)}")

    def _point_at_next(self) -> None:
        """From here on rows are those of the next channel's tile; its first visited row."""
        k = self.k
        k(f"s_lshl_b32 {s(PITCH)}, {s(NEXT_PITCH)}, 3")
        k(f"s_add_u32 {s(CUR)}, {s(NEXT)}, vcc_hi")
        k(f"s_addc_u32 {s(CUR + 1)}, {s(NEXT + 1)}, 0")
        if self.loads > 1:
            k(f"s_add_u32 {s(HIGH)}, {s(CUR)}, 64")
            k(f"s_addc_u32 {s(HIGH + 1)}, {s(CUR + 1)}, 0")
        k(f"s_mul_i32 {s(OFFSET)}, {s(ROW_0)}, {s(PITCH)}")

    def _visit(self, parity: int, visit: int) -> None:
        """One row of the image: wait for its pairs, load the next row's, jump into the multiply-adds."""
        k = self.k
        place = (parity * self.visits + visit) % 2
        k("s_waitcnt vmcnt(0) lgkmcnt(0)" if visit == 0 else "s_waitcnt lgkmcnt(0)")
        if visit == 0:
            k.comment("the channel after this one, or this one again when it is the last")
            k(f"s_cmp_lg_u32 {s(LEFT)}, 1")
            k(f"s_cselect_b32 {s(JUMP)}, {s(SLOT)}, 0")
            k(f"s_cselect_b32 {s(OFFSET)}, {s(B_STEP)}, 0")
            k(f"s_add_u32 {s(NEXT)}, {s(NEXT)}, {s(JUMP)}")
            k(f"s_addc_u32 {s(NEXT + 1)}, {s(NEXT + 1)}, 0")
            k(f"s_add_u32 {s(B_OFFSET)}, {s(B_OFFSET)}, {s(OFFSET)}")
            k(f"s_mul_i32 {s(OFFSET)}, {s(ROW_1)}, {s(PITCH)}")
            self._load_pairs(1 - place)
            self._load_header(1 - parity)
            self._load_weights(1 - parity)
            k(f"s_mul_i32 {LIMIT}, {LAST_ROW}, {s(PITCH)}")
        elif visit < self.visits - 1:
            k(f"s_add_u32 {s(OFFSET)}, {s(OFFSET)}, {s(PITCH)}")
            k(f"s_min_u32 {s(OFFSET)}, {s(OFFSET)}, {LIMIT}")
            self._load_pairs(1 - place)
        else:
            self._point_at_next()
            self._load_pairs(1 - place)
        taps = [r for r in range(TAPS) if 0 <= visit - r < self.rows]
        end = f"end{parity}_{visit}"
        k(f"s_mul_i32 {s(JUMP)}, {s(self.counts[parity] + visit)}, {-(4 + 8 * TAPS * len(taps))}")
        k(f"s_add_u32 {s(JUMP)}, {s(JUMP)}, {BASE}")
        k(f"s_add_u32 {s(JUMP)}, {s(JUMP)}, {k.local(end)}-{k.local('here')}")
        k(f"s_setpc_b64 {s(JUMP, 2)}")
        for i in reversed(range(self.width)):
            pair = self.pairs[place] + 2 * i
            k(f"s_set_gpr_idx_idx {s(pair + 1)}")
            for r in taps:
                for tap in range(TAPS):
                    accumulator = v((visit - r) * self.pitch + TAPS - 1 - tap)
                    weight = v(self.weights + parity * self.window + r * TAPS + tap)
                    k(f"v_mad_f32 {accumulator}, {s(pair)}, {weight}, {accumulator}")
        k.label(end)

    def _finish(self) -> None:
        """Each wavefront writes 16 accumulators, then adds and stores four of them for all; and so on."""
        k, kept = self.k, v(self.kept)
        write, read, wave = self.lane, self.lane + 1, 5
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        k("s_set_gpr_idx_off")
        for i in range(2):
            k(f"v_readlane_b32 {s(T + i)}, {kept}, {KEPT_OUT + i}")
        k(f"v_readlane_b32 s{wave}, {kept}, {KEPT_WAVE}")
        k(f"v_mbcnt_lo_u32_b32 {v(write)}, -1, 0")
        k(f"v_mbcnt_hi_u32_b32 {v(write)}, -1, {v(write)}")
        buffer_resource(k, RESOURCE, T)
        k("s_mov_b32 m0, -1")
        address = self.lane + 2
        k(f"v_lshlrev_b32 {v(address)}, 4, {v(write)}")
        k(f"s_lshl_b32 s6, s{wave}, 10")
        k(f"v_add_u32 {v(read)}, vcc, s6, {v(address)}")
        k(f"s_lshl_b32 s7, s{wave}, 12")
        k(f"v_add_u32 {v(write)}, vcc, s7, {v(address)}")
        for first in range(0, self.accumulators, 16):
            quads = min(4, (self.accumulators - first) // 4)
            if first:
                k("s_barrier")
            for quad in range(quads):
                k(f"ds_write_b128 {v(write)}, {v(first + 4 * quad, 4)} offset:{1024 * quad}")
            k("s_waitcnt lgkmcnt(0)")
            k("s_barrier")
            if quads < 4:
                k(f"s_cmp_ge_u32 s{wave}, {quads}")
                k(f"s_cbranch_scc1 {k.local('stored')}")
            # Sums of this chunk are stored from registers that it has given to the LDS.
            into = first if quads == 4 else first - 16
            if quads < 4:
                k("s_waitcnt vmcnt(0)")
            for part in range(4):
                k(f"ds_read_b128 {v(into + 4 * part, 4)}, {v(read)} offset:{4096 * part}")
            for part in range(1, 4):
                k(f"s_waitcnt lgkmcnt({3 - part})")
                for i in range(4):
                    k(f"v_add_f32 {v(into + i)}, {v(into + i)}, {v(into + 4 * part + i)}")
            k(f"buffer_store_dwordx4 {v(into, 4)}, {v(address)}, {s(RESOURCE, 4)}, s6 offen")
            k(f"s_add_u32 s6, s6, {4 * 1024}")
        k.label("stored")


SHAPES = [(7, 4), (7, 7), (8, 4), (14, 2), (14, 4)]


def main() -> None:
    """Write sparse_plane_conv.s beside the OpenCL sources."""
    kernels = [PlaneConvolution(*shape).generate() for shape in SHAPES]
    target = Path(__file__).parent.parent / "src" / "sparse_plane_conv.s"
    target.write_text(module(kernels, "python3 generate/sparse_plane_conv.py"))


if __name__ == "__main__":
    main()
