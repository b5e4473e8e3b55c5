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

Work-groups have four wavefronts, which take channels in turn and add their sums through the LDS (4,096 bytes each,
dynamic), 16 accumulators at a time. The n work-groups of a block of outputs deal its channels out one by one: wavefront
w of work-group i takes 4·i + w and every 4·n-th after it. So all blocks, whatever their n, are at about one channel
at the same time, and its filters come from DRAM once for all of them.

What each group does stands in a table, 8 dwords a group: first row of outputs, first filter, the tile and the channel
that its first wavefront begins with, how many channels this one takes, number of the group's partial result, channels
from one to the next, how many wavefronts take as many as the first (the others take one less). A second line has what
comes behind the loop: number of the block's first partial result, how many it has, number of the block, first output as
an element of y, rows of outputs that there are, filters that there are, 0, 0. Grid: groups · 256.

A partial result is [accumulators / 4][64 lanes][4]. Work-groups store theirs, then count in the block's counter: who
finds all others there adds the block's partial results, in ascending order and from memory, its own too, so which one
it is changes no bit; ``buffer_atomic_inc`` starts the counter anew for the next launch. The sums are turned over in
the LDS, filters apart and outputs side by side, and go into y.

Per output the sum runs over a wavefront's channels ascending, filter rows ascending, pixels of a row from right to
left, with one rounding per product and one per sum; wavefronts are added in ascending order, then work-groups to the
bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from common import buffer_resource, wave_index
from gcn3 import Kernel, module, s, v

ARGUMENTS = [
    ("tiles", "buffer"),
    ("b", "buffer"),
    ("partial", "buffer"),
    ("work", "buffer"),
    ("y", "buffer"),
    ("bias", "buffer"),  # may be null
    ("counters", "buffer"),  # one a block, 0 before the first launch
    ("F", "u32"),  # filters of the group, elements from tap to tap of b
    ("channels", "u32"),  # of the group
    ("height", "u32"),
    ("pad_h", "u32"),
    ("slot_bytes", "u32"),
    ("flip", "u32"),
    ("out_width", "u32"),
    ("out_plane", "u32"),  # elements from filter to filter of y
    ("shift", "u32"),  # accumulators of a row before the first output: 2 - pad_w
    ("reciprocal", "u32"),  # 65536 / out_width, rounded up
]

TAPS = 3
WAVES = 4
JUMP, CUR, HIGH, NEXT, RESOURCE = 16, 18, 20, 22, 24
OFFSET, LEFT = 28, 31
PITCH = (29, 30)
PAIRS = 32
B_OFFSET, B_STEP, SLOT, COUNTS_OFFSET, HEADER = "s96", "s97", "s98", "s99", "vcc_hi"
LINE_BYTES = 64  # of the table, for a group
KEPT_ARGUMENTS, KEPT_LINE, KEPT_WAVE = 0, 2, 4  # lanes of the register that keeps scalars for the end
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
W_ROW, W_FILTER, W_TILE, W_CHANNEL, W_COUNT, W_SLOT, W_STEP, W_FULL = range(48, 56)
T = 64
# The same at the end, when the loop's registers are free; the second line of the table from E_FIRST on.
E_ARGUMENTS, E_LINE, E_WAVE, E_COUNTER = 0, 2, 5, 8
E_SLOT, E_FILTER, E_WIDTH, E_PLANE, E_SHIFT, E_RECIPROCAL, E_PARTIAL = 32, 33, 36, 37, 38, 39, 44
E_Y, E_BIAS, E_COUNTERS = 40, 42, 46
E_FIRST, E_NUMBER, E_BLOCK, E_OUT, E_ROWS, E_FILTERS = range(48, 54)
E_STORED, E_AT, E_INSIDE = 68, 69, 70


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
        self._place_scalars()
        self.k = Kernel(f"sparse_plane_conv3_{width}x{rows}", ARGUMENTS, sgprs=104, vgprs=self.kept + 1)

    def _place_scalars(self) -> None:
        """Registers of the counts of two channels, of the row that each visit reads, and of where its code ends."""
        free = list(range(16)) if self.loads > 1 else [*range(64, 96), *range(16)]
        self.count_loads = [4] if self.visits <= 4 else [8] if self.visits <= 8 else [8, 1]
        room = (sum(self.count_loads) + 3) // 4 * 4
        self.counts = [free[0], free[room]]
        others = [*map(s, free[2 * room :]), "s100", "s101", "flat_scratch_lo", "flat_scratch_hi", "vcc_lo"]
        self.image_rows = [others.pop() for _ in range(self.visits)]  # times 8
        self.entries = [others.pop() for _ in range(2 * self.visits)]

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
        k.label("summed")
        self._finish()
        return k

    def _prologue(self) -> None:
        k, kept, lane = self.k, v(self.kept), v(self.lane)
        k.load(A_TILES, "tiles", 8)
        k.load(A_F, "F", 4)
        k.load(A_SLOT, "slot_bytes", 2)
        wave_index(k, 5, self.lane)
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_mul_i32 s6, s2, {LINE_BYTES}")
        k(f"s_load_dwordx8 {s(W_ROW, 8)}, {s(A_WORK, 2)}, s6")
        k(f"s_add_u32 {s(A_WORK)}, {s(A_WORK)}, s6")
        k(f"s_addc_u32 {s(A_WORK + 1)}, {s(A_WORK + 1)}, 0")
        for i in range(self.accumulators):
            k(f"v_mov_b32 {v(i)}, 0")
        k(f"v_writelane_b32 {kept}, s5, {KEPT_WAVE}")
        for i in range(2):
            k(f"v_writelane_b32 {kept}, s{i}, {KEPT_ARGUMENTS + i}")
            k(f"v_writelane_b32 {kept}, {s(A_WORK + i)}, {KEPT_LINE + i}")
        k(f"s_mul_i32 {B_STEP}, {s(A_F)}, {4 * self.window}")
        buffer_resource(k, RESOURCE, A_B)
        k.comment("bytes of the filters: lanes beyond the last filter read 0")
        k(f"s_mul_i32 {s(RESOURCE + 2)}, {B_STEP}, {s(A_CHANNELS)}")
        k(f"s_mov_b32 {SLOT}, {s(A_SLOT)}")
        k("s_waitcnt lgkmcnt(0)")
        k.comment("the wavefront's share of the channels: how many come after its first")
        k(f"s_cmp_ge_u32 s5, {s(W_FULL)}")
        k(f"s_subb_u32 {s(LEFT)}, {s(W_COUNT)}, 1")
        k(f"s_cbranch_scc1 {k.local('summed')}")
        k(f"s_add_u32 {s(W_TILE)}, {s(W_TILE)}, s5")
        k(f"s_mul_i32 {s(W_TILE)}, {s(W_TILE)}, {SLOT}")
        k(f"s_mul_i32 {SLOT}, {SLOT}, {s(W_STEP)}")
        k(f"s_add_u32 {s(NEXT)}, {s(A_TILES)}, {s(W_TILE)}")
        k(f"s_addc_u32 {s(NEXT + 1)}, {s(A_TILES + 1)}, 0")
        k.comment("filters: the first channel's place, and the lane's at each tap, last tap first when flipped")
        k(f"s_add_u32 {s(W_CHANNEL)}, {s(W_CHANNEL)}, s5")
        k(f"s_mul_i32 {B_OFFSET}, {s(W_CHANNEL)}, {B_STEP}")
        k(f"s_mul_i32 {B_STEP}, {B_STEP}, {s(W_STEP)}")
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
        self._start_rows()
        self._load_header(0)
        self._load_weights(0)
        k("s_waitcnt lgkmcnt(0)")
        self._point_at_next(0)
        self._load_pairs(0)
        k(f"s_getpc_b64 {s(JUMP, 2)}")
        k.label("here")
        ends = [f"end{parity}_{visit}" for parity in range(2) for visit in range(self.visits)]
        for entry, end in zip(self.entries, ends, strict=True):
            k(f"s_add_u32 {entry}, {s(JUMP)}, {k.local(end)}-{k.local('here')}")
        k(f"s_set_gpr_idx_on {s(LEFT)}, 0xc  ; the third source and the destination are relative to M0")

    def _start_rows(self) -> None:
        """Rows of the image that are visited, bytes before a tile's rows, and from a tile to the first row's count."""
        k, row, last, inside = self.k, s(JUMP), s(JUMP + 1), s(OFFSET)
        k(f"s_add_u32 {HEADER}, {s(A_HEIGHT)}, 31")
        k(f"s_lshr_b32 {HEADER}, {HEADER}, 4")
        k(f"s_lshl_b32 {HEADER}, {HEADER}, 6")
        k(f"s_sub_i32 {row}, {s(W_ROW)}, {s(A_PAD)}")
        k(f"s_sub_u32 {last}, {s(A_HEIGHT)}, 1")
        k(f"s_lshl_b32 {COUNTS_OFFSET}, {row}, 2")
        k(f"s_add_u32 {COUNTS_OFFSET}, {COUNTS_OFFSET}, 64")
        k.comment("a visit of a row outside the image finds no non-zeros, but loads pairs of some row")
        for place in self.image_rows:
            k(f"s_max_i32 {inside}, {row}, 0")
            k(f"s_min_i32 {inside}, {inside}, {last}")
            k(f"s_lshl_b32 {place}, {inside}, 3")
            k(f"s_add_i32 {row}, {row}, 1")

    def _load_header(self, parity: int) -> None:
        k, at = self.k, self.counts[parity]
        k(f"s_load_dword {s(PITCH[parity])}, {s(NEXT, 2)}, 0x0")
        offset = COUNTS_OFFSET
        for number, width in enumerate(self.count_loads):
            if number:  # the counts behind those loaded before
                k(f"s_add_u32 {s(JUMP)}, {COUNTS_OFFSET}, {4 * sum(self.count_loads[:number])}")
                offset = s(JUMP)
            k(f"s_load_dword{'' if width == 1 else f'x{width}'} {s(at, width)}, {s(NEXT, 2)}, {offset}")
            at += width

    def _load_weights(self, parity: int) -> None:
        for tap in range(self.window):
            target = v(self.weights + parity * self.window + tap)
            self.k(f"buffer_load_dword {target}, {v(self.lane + tap)}, {s(RESOURCE, 4)}, {B_OFFSET} offen")

    def _load_pairs(self, parity: int) -> None:
        k = self.k
        k(f"s_load_dwordx16 {s(self.pairs[parity], 16)}, {s(CUR, 2)}, {s(OFFSET)}")
        if self.loads > 1:
            k(f"s_load_dwordx16 {s(self.pairs[parity] + 16, 16)}, {s(HIGH, 2)}, {s(OFFSET)}")

    def _point_at_next(self, parity: int) -> None:
        """From here on rows are those of the next channel's tile; its first visited row."""
        k = self.k
        k(f"s_add_u32 {s(CUR)}, {s(NEXT)}, {HEADER}")
        k(f"s_addc_u32 {s(CUR + 1)}, {s(NEXT + 1)}, 0")
        if self.loads > 1:
            k(f"s_add_u32 {s(HIGH)}, {s(CUR)}, 64")
            k(f"s_addc_u32 {s(HIGH + 1)}, {s(CUR + 1)}, 0")
        k(f"s_mul_i32 {s(OFFSET)}, {self.image_rows[0]}, {s(PITCH[parity])}")

    def _visit(self, parity: int, visit: int) -> None:
        """One row of the image: wait for its pairs, load the next row's, jump into the multiply-adds."""
        k, number = self.k, parity * self.visits + visit
        place = number % 2
        k("s_waitcnt vmcnt(0) lgkmcnt(0)" if visit == 0 else "s_waitcnt lgkmcnt(0)")
        if visit < self.visits - 1:
            k(f"s_mul_i32 {s(OFFSET)}, {self.image_rows[visit + 1]}, {s(PITCH[parity])}")
        else:
            self._point_at_next(1 - parity)
        self._load_pairs(1 - place)
        if visit == 0:
            k.comment("the channel after this one, or this one again when it is the last")
            k(f"s_cmp_lg_u32 {s(LEFT)}, 0")
            k(f"s_cselect_b32 {s(JUMP)}, {SLOT}, 0")
            k(f"s_add_u32 {s(NEXT)}, {s(NEXT)}, {s(JUMP)}")
            k(f"s_addc_u32 {s(NEXT + 1)}, {s(NEXT + 1)}, 0")
            k(f"s_add_u32 {B_OFFSET}, {B_OFFSET}, {B_STEP}")
            self._load_header(1 - parity)
            self._load_weights(1 - parity)
        taps = [r for r in range(TAPS) if 0 <= visit - r < self.rows]
        k(f"s_mul_i32 {s(JUMP)}, {s(self.counts[parity] + visit)}, {4 + 8 * TAPS * len(taps)}")
        k(f"s_sub_u32 {s(JUMP)}, {self.entries[number]}, {s(JUMP)}")
        k(f"s_setpc_b64 {s(JUMP, 2)}")
        for i in reversed(range(self.width)):
            pair = self.pairs[place] + 2 * i
            k(f"s_set_gpr_idx_idx {s(pair + 1)}")
            for r in taps:
                for tap in range(TAPS):
                    accumulator = v((visit - r) * self.pitch + TAPS - 1 - tap)
                    weight = v(self.weights + parity * self.window + r * TAPS + tap)
                    k(f"v_mad_f32 {accumulator}, {s(pair)}, {weight}, {accumulator}")
        k.label(f"end{parity}_{visit}")

    def _finish(self) -> None:
        """Each wavefront adds and stores every fourth quad of accumulators, for all four; the last one adds up all."""
        k, kept = self.k, v(self.kept)
        write, read, wave = self.lane, self.lane + 1, E_WAVE
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        k("s_set_gpr_idx_off")
        for first, lane, count in ((E_ARGUMENTS, KEPT_ARGUMENTS, 2), (E_LINE, KEPT_LINE, 2), (E_WAVE, KEPT_WAVE, 1)):
            for i in range(count):
                k(f"v_readlane_b32 {s(first + i)}, {kept}, {lane + i}")
        k.load(E_PARTIAL, "partial", 2)
        k.load(E_Y, "y", 4)
        k.load(E_COUNTERS, "counters", 2)
        k.load(E_WIDTH, "out_width", 4)
        k(f"s_load_dwordx8 {s(E_FIRST, 8)}, {s(E_LINE, 2)}, 0x20")
        k(f"s_load_dword {s(E_SLOT)}, {s(E_LINE, 2)}, {4 * (W_SLOT - W_ROW):#x}")
        k(f"s_load_dword {s(E_FILTER)}, {s(E_LINE, 2)}, {4 * (W_FILTER - W_ROW):#x}")
        k(f"v_mbcnt_lo_u32_b32 {v(write)}, -1, 0")
        k(f"v_mbcnt_hi_u32_b32 {v(write)}, -1, {v(write)}")
        k("s_mov_b32 m0, -1")
        k(f"v_lshlrev_b32 {v(self.lane + 2)}, 4, {v(write)}")
        k(f"s_lshl_b32 s6, s{wave}, 10")
        k(f"v_add_u32 {v(read)}, vcc, s6, {v(self.lane + 2)}")
        k(f"s_lshl_b32 s7, s{wave}, 12")
        k(f"v_add_u32 {v(write)}, vcc, s7, {v(self.lane + 2)}")
        for own in range(1, WAVES):
            k(f"s_cmp_eq_u32 s{wave}, {own}")
            k(f"s_cbranch_scc1 {k.local(f'add{own}')}")
        for own in range(WAVES):
            k.label(f"add{own}")
            for first in range(0, self.accumulators, 4 * WAVES):
                self._add(first, own, write, read)
            if own < WAVES - 1:
                k(f"s_branch {k.local('added')}")
        k.label("added")
        self._share(read)
        self._put_out()

    def _add(self, first: int, own: int, write: int, read: int) -> None:
        """Exchange a chunk of accumulators: four of all wavefronts come to one, which keeps its own; add them."""
        k = self.k
        quads = min(WAVES, (self.accumulators - first) // 4)
        if first:
            k("s_barrier")
        for quad in range(quads):
            if quad != own:
                k(f"ds_write_b128 {v(write)}, {v(first + 4 * quad, 4)} offset:{1024 * quad}")
        k("s_waitcnt lgkmcnt(0)")
        k("s_barrier")
        if own >= quads:
            return
        # Into registers that have been given away, of this chunk or the one before.
        into = [first + 4 * part if part < quads else first + 4 * (part - WAVES) for part in range(WAVES)]
        others = [part for part in range(WAVES) if part != own]
        for part in others:
            k(f"ds_read_b128 {v(into[part], 4)}, {v(read)} offset:{4096 * part}")
        for part in range(1, WAVES):
            left = sum(other > part for other in others)
            if part != own or part == 1:
                k(f"s_waitcnt lgkmcnt({left})")
            for i in range(4):
                k(f"v_add_f32 {v(into[0] + i)}, {v(into[0] + i)}, {v(into[part] + i)}")

    def _share(self, scratch: int) -> None:
        """Store the work-group's sums; in the block's last one, leave those of the block in their place."""
        k, lane, counter = self.k, self.lane + 2, self.lane + 3  # bytes of a quad's lane
        flag = 4 * self.accumulators  # a place in the LDS that the sums leave free
        k(f"v_lshrrev_b32 {v(scratch)}, 4, {v(lane)}")
        k(f"s_cmp_eq_u32 {s(E_NUMBER)}, 1")
        k(f"s_cbranch_scc1 {k.local('alone')}")
        buffer_resource(k, RESOURCE, E_PARTIAL)
        k(f"s_mul_i32 {s(E_AT)}, {s(E_SLOT)}, {self.accumulators * 256}")
        k(f"s_add_u32 {s(E_AT)}, {s(E_AT)}, s6")
        for first in self._own_quads("stored"):
            k(f"buffer_store_dwordx4 {v(first, 4)}, {v(lane)}, {s(RESOURCE, 4)}, {s(E_AT)} offen")
            k(f"s_add_u32 {s(E_AT)}, {s(E_AT)}, {1024 * WAVES}")
        k("s_waitcnt vmcnt(0)")
        k("s_barrier")
        k.comment("one wavefront counts; whoever finds all others counted belongs to the last work-group")
        k(f"s_sub_u32 {s(E_INSIDE)}, {s(E_NUMBER)}, 1")
        k(f"v_mov_b32 {v(counter + 1)}, 0")
        k(f"s_cmp_lg_u32 {s(E_WAVE)}, 0")
        k(f"s_cbranch_scc1 {k.local('counted')}")
        buffer_resource(k, RESOURCE, E_COUNTERS)
        k(f"s_lshl_b32 {s(E_AT)}, {s(E_BLOCK)}, 2")
        k(f"v_mov_b32 {v(counter)}, {s(E_INSIDE)}")
        k("s_mov_b64 exec, 1")
        k(f"buffer_atomic_inc {v(counter)}, off, {s(RESOURCE, 4)}, {s(E_AT)} glc")
        k("s_waitcnt vmcnt(0)")
        k(f"ds_write_b32 {v(counter + 1)}, {v(counter)} offset:{flag}")
        k("s_mov_b64 exec, -1")
        k("s_waitcnt lgkmcnt(0)")
        k.label("counted")
        k("s_barrier")
        k(f"ds_read_b32 {v(counter)}, {v(counter + 1)} offset:{flag}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"v_readfirstlane_b32 {s(E_COUNTER)}, {v(counter)}")
        k(f"s_cmp_lg_u32 {s(E_COUNTER)}, {s(E_INSIDE)}")
        k(f"s_cbranch_scc1 {k.local('done')}")
        k("buffer_wbinvl1_vol")
        self._bias(scratch, alone=False)
        self._add_partials(lane)
        k(f"s_branch {k.local('complete')}")
        k.label("alone")
        self._bias(scratch, alone=True)
        k("s_barrier")
        k.label("complete")

    def _own_quads(self, name: str) -> Iterator[int]:
        """The registers of the wavefront's quads; around the code for one that only some have is a jump."""
        k = self.k
        for first in range(0, self.accumulators, 4 * WAVES):
            quads = (self.accumulators - first) // 4
            if quads < WAVES:
                k(f"s_cmp_ge_u32 {s(E_WAVE)}, {quads}")
                k(f"s_cbranch_scc1 {k.local(name)}")
            yield first
            if quads < WAVES:
                k.label(name)

    def _bias(self, scratch: int, *, alone: bool) -> None:
        """Add the bias to the sums, or begin them with it."""
        k, value, name = self.k, self.lane + 4, f"bias_{'alone' if alone else 'summed'}"
        k(f"v_mov_b32 {v(value)}, 0")
        k(f"s_or_b32 {s(E_AT)}, {s(E_BIAS)}, {s(E_BIAS + 1)}")
        k(f"s_cmp_eq_u32 {s(E_AT)}, 0")
        k(f"s_cbranch_scc1 {k.local(name)}")
        buffer_resource(k, RESOURCE, E_BIAS)
        k(f"s_add_u32 {s(RESOURCE + 2)}, {s(E_FILTER)}, {s(E_FILTERS)}")
        k(f"s_lshl_b32 {s(RESOURCE + 2)}, {s(RESOURCE + 2)}, 2")
        k(f"v_lshlrev_b32 {v(value)}, 2, {v(scratch)}")
        k(f"s_lshl_b32 {s(E_AT)}, {s(E_FILTER)}, 2")
        k(f"buffer_load_dword {v(value)}, {v(value)}, {s(RESOURCE, 4)}, {s(E_AT)} offen")
        k("s_waitcnt vmcnt(0)")
        k.label(name)
        for first in range(0, self.accumulators, 4 * WAVES):
            for i in range(first, first + 4):
                k(f"v_add_f32 {v(i)}, {v(i)}, {v(value)}" if alone else f"v_mov_b32 {v(i)}, {v(value)}")

    def _add_partials(self, lane: int) -> None:
        """Add the block's partial results, several under way at a time; beyond the last one loads give 0."""
        k, size = self.k, self.accumulators * 256
        sums = list(range(0, self.accumulators, 4 * WAVES))
        taken = {i for first in sums for i in range(first, first + 4)}
        room = [i for i in range(0, self.lane - 3, 4) if i not in taken]
        ahead = len(room) // len(sums)
        buffer_resource(k, RESOURCE, E_PARTIAL)
        k(f"s_mul_i32 {s(E_STORED)}, {s(E_FIRST)}, {size}")
        k(f"s_add_u32 {s(RESOURCE + 2)}, {s(E_FIRST)}, {s(E_NUMBER)}")
        k(f"s_mul_i32 {s(RESOURCE + 2)}, {s(RESOURCE + 2)}, {size}")
        k(f"s_add_u32 {s(E_STORED)}, {s(E_STORED)}, s6")
        k.label("partials")
        places = [[room[part * len(sums) + number] for number in range(len(sums))] for part in range(ahead)]
        for part in range(ahead):
            for number, place in enumerate(places[part]):
                k(f"s_add_u32 {s(E_AT)}, {s(E_STORED)}, {size * part + 1024 * WAVES * number}")
                k(f"buffer_load_dwordx4 {v(place, 4)}, {v(lane)}, {s(RESOURCE, 4)}, {s(E_AT)} offen")
        left = ahead * len(sums)
        for part in range(ahead):
            for first, place in zip(sums, places[part], strict=True):
                left -= 1
                k(f"s_waitcnt vmcnt({left})")
                for i in range(4):
                    k(f"v_add_f32 {v(first + i)}, {v(first + i)}, {v(place + i)}")
        k(f"s_add_u32 {s(E_STORED)}, {s(E_STORED)}, {size * ahead}")
        k(f"s_cmp_lt_u32 {s(E_STORED)}, {s(RESOURCE + 2)}")
        k(f"s_cbranch_scc1 {k.local('partials')}")

    def _put_out(self) -> None:
        """Turn the sums over in the LDS and store them: each wavefront 16 filters, 16 lanes a filter."""
        k, pitch = self.k, 4 * self.accumulators + 16  # bytes from filter to filter in the LDS
        lane, write = self.lane + 2, self.lane
        k(f"v_lshrrev_b32 {v(write)}, 4, {v(lane)}")
        k(f"v_mul_u32_u24 {v(self.lane + 1)}, {pitch}, {v(write)}")
        k(f"s_lshl_b32 s7, s{E_WAVE}, 4")
        k(f"v_add_u32 {v(self.lane + 1)}, vcc, s7, {v(self.lane + 1)}")
        for first in self._own_quads("turned"):
            k(f"ds_write_b128 {v(self.lane + 1)}, {v(first, 4)} offset:{4 * first}")
        buffer_resource(k, RESOURCE, E_Y)
        output, filter_, inside, offset, place, local = range(6)
        k(f"v_and_b32 {v(output)}, 15, {v(write)}")
        k(f"v_lshrrev_b32 {v(filter_)}, 4, {v(write)}")
        k(f"v_add_u32 {v(filter_)}, vcc, s7, {v(filter_)}")
        k(f"s_lshl_b32 {s(E_PLANE)}, {s(E_PLANE)}, 2")
        k(f"v_mul_lo_u32 {v(offset)}, {v(filter_)}, {s(E_PLANE)}")
        k(f"v_mul_u32_u24 {v(local)}, {pitch}, {v(filter_)}")
        k(f"v_lshlrev_b32 {v(place)}, 2, {v(output)}")
        k(f"v_add_u32 {v(offset)}, vcc, {v(offset)}, {v(place)}")
        k(f"s_mul_i32 {s(E_ROWS)}, {s(E_ROWS)}, {s(E_WIDTH)}  ; outputs of the block")
        k(f"s_sub_u32 {s(E_WIDTH)}, {self.pitch}, {s(E_WIDTH)}  ; accumulators between its rows")
        k(f"s_lshl_b32 {s(E_OUT)}, {s(E_OUT)}, 2")
        k(f"s_lshl_b32 {s(E_PLANE)}, {s(E_PLANE)}, 2")
        k("s_mov_b32 s7, 0")
        k("s_waitcnt lgkmcnt(0)")
        k("s_barrier")
        k.label("outputs")
        k(f"v_mul_u32_u24 {v(place)}, {s(E_RECIPROCAL)}, {v(output)}")
        k(f"v_lshrrev_b32 {v(place)}, 16, {v(place)}")
        k(f"v_mul_u32_u24 {v(place)}, {s(E_WIDTH)}, {v(place)}")
        k(f"v_add_u32 {v(place)}, vcc, {v(place)}, {v(output)}")
        k(f"v_add_u32 {v(place)}, vcc, {s(E_SHIFT)}, {v(place)}")
        k(f"v_lshlrev_b32 {v(place)}, 2, {v(place)}")
        k(f"v_add_u32 {v(place)}, vcc, {v(local)}, {v(place)}")
        k(f"v_cmp_gt_u32 {s(E_STORED + 4, 2)}, {s(E_ROWS)}, {v(output)}")
        k(f"s_mov_b64 exec, {s(E_STORED + 4, 2)}")
        values = range(8, 12)
        for i, value in enumerate(values):
            k(f"ds_read_b32 {v(value)}, {v(place)} offset:{4 * pitch * i}")
        k(f"v_add_u32 {v(output)}, vcc, 16, {v(output)}")
        k(f"v_mov_b32 {v(inside)}, {v(filter_)}")
        k(f"s_mov_b32 {s(E_AT)}, {s(E_OUT)}")
        for i, value in enumerate(values):
            k(f"v_cmp_gt_u32 vcc, {s(E_FILTERS)}, {v(inside)}")
            k("s_and_b64 exec, exec, vcc")
            k(f"s_waitcnt lgkmcnt({len(values) - 1 - i})")
            k(f"buffer_store_dword {v(value)}, {v(offset)}, {s(RESOURCE, 4)}, {s(E_AT)} offen")
            k(f"v_add_u32 {v(inside)}, vcc, 4, {v(inside)}")
            k(f"s_add_u32 {s(E_AT)}, {s(E_AT)}, {s(E_PLANE)}")
        k("s_mov_b64 exec, -1")
        k(f"s_add_u32 {s(E_OUT)}, {s(E_OUT)}, 64")
        k("s_add_u32 s7, s7, 16")
        k(f"s_cmp_lt_u32 s7, {s(E_ROWS)}")
        k(f"s_cbranch_scc1 {k.local('outputs')}")
        k.label("done")
        k("s_endpgm")


SHAPES = [(7, 4), (7, 7), (8, 4), (14, 2)]


def main() -> None:
    """Write sparse_plane_conv.s beside the OpenCL sources."""
    kernels = [PlaneConvolution(*shape).generate() for shape in SHAPES]
    target = Path(__file__).parent.parent / "src" / "sparse_plane_conv.s"
    target.write_text(module(kernels, "python3 generate/sparse_plane_conv.py"))


if __name__ == "__main__":
    main()
