"""Sparse GEMM over ELLPACK-DIB tiles with indexed accumulators.

C[M×N] = A · B. The view holds Aᵀ (K × M) in tiles of 32 k × ``rows`` m (docs/formats.md): row k, column m. B
element (k, n) lies at k·ldb + n (elements). A wavefront owns the ``rows`` outputs m of a tile column and
64·``columns`` outputs n (lane = n), all in vector registers. For each k the row of B sits in ``columns`` vector
registers, loaded ahead; the row's non-zeros arrive in SGPRs as (value, m) pairs, 8 a line. A non-zero then costs
one scalar instruction, ``s_set_gpr_idx_idx``, which picks the accumulators of row m, and ``columns`` ``v_mad_f32``.
A row of n non-zeros enters the unrolled code for 16 at the n-th from the end (``s_setpc``), so padding costs
nothing.

Why this form and not B picked by index: the accumulators must be in registers either way, but here only a few rows
of B are, which leaves registers for three wavefronts a SIMD, and B flows while non-zeros are worked on.

C element (m, n): image i = m div pixels, pixel p = m mod pixels at p·c_row_stride + i·c_image_stride +
n·c_column_stride. bias (null: none) is added per n. K may be cut in slices of k_slice (a multiple of 32) for work-
groups z, whose partial results lie c_slice_stride apart; otherwise k_slice ≥ K. The wavefronts of a work-group
(waves) share the tiles and take adjacent blocks of n. Grid: (ceil(N / (64·columns) / waves) · 64·waves, ceil(M /
rows), ceil(K / k_slice)).

path (null: all 1): per tile 0 skip, 1 sparse, 2 dense: A's values come from ``dense``, element (k, m) at k·lda + m,
and the accumulators are named directly; tiles at the right edge of the view (fewer than ``rows`` m) are then taken
as sparse.

Per output the sum starts at the bias (or 0) and runs over ascending k, one rounding per product and one per sum.
The code must not straddle a 4 GiB boundary (computed jumps keep the upper half of the PC).
"""

from __future__ import annotations

from pathlib import Path

from common import buffer_resource, place_wave, split_column, wave_index
from gcn3 import Kernel, module, s, v

ARGUMENTS = [
    ("tiles", "buffer"),
    ("b", "buffer"),
    ("c", "buffer"),
    ("path", "buffer"),
    ("bias", "buffer"),
    ("dense", "buffer"),
    ("M", "u32"),
    ("N", "u32"),
    ("K", "u32"),
    ("ldb", "u32"),
    ("lda", "u32"),
    ("c_row_stride", "u32"),
    ("c_column_stride", "u32"),
    ("c_image_stride", "u32"),
    ("pixels", "u32"),
    ("k_slice", "u32"),
    ("c_slice_stride", "u32"),
    ("slot_bytes", "u32"),
    ("waves", "u32"),
    ("column_shift", "u32"),
    ("slice_shift", "u32"),
]

TILE_K = 32  # rows of a tile
GROUP = 8  # rows that the loop body unrolls
CHUNK = 16  # non-zeros of a row that one set of scalar registers holds
HEADER = 64 + TILE_K * 4  # bytes before a tile's first row

# Scalar registers in the loop.
COUNTS = (0, 96)  # counts of rows 0–3 and 4–7 of the group
JUMP = 4  # and 5, the upper half of the PC
ROWS_LOW, ROWS_HIGH, ROW_OFFSET, PITCH = 6, 8, 10, 11
B_RESOURCE = 12
SLOT, SLOT_STEP, K_LEFT = 16, 18, 19
PATH, PATH_STEP, NEXT_PATH = 20, 22, 23
B_OFFSET, B_BYTES, LDB, GROUPS = 24, 25, 26, 27
ENTRY = ("s28", "s29", "s30", "s31", "s100", "s101", "vcc_lo", "vcc_hi")  # where each row's unrolled code ends
PAIRS = (32, 64)  # two sets of 16 (value, index) pairs
# Lanes of the vector register that keeps scalars.
KEPT_FIRST_M, KEPT_SLICE, KEPT_K_END, KEPT_DENSE, KEPT_LDA, KEPT_FIRST_N = 0, 1, 2, 3, 5, 6
# Where the arguments lie while they are loaded as a block: before and after the loop.
A_M, A_N, A_K, A_LDB, A_LDA, A_C_ROW, A_C_COLUMN, A_C_IMAGE = range(32, 40)
A_PIXELS, A_K_SLICE, A_C_SLICE, A_SLOT_BYTES, A_WAVES = range(40, 45)
A_TILES, A_B, A_C, A_PATH, A_BIAS, A_DENSE = range(48, 60, 2)
SLICE = 60  # work-group id z, before the loop


class SparseGemm:
    """Generator of one kernel: ``rows`` of m and 64·``columns`` of n per wavefront."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.ring_rows = 8 if columns <= 2 else 4
        self.accumulators = 0
        self.ring = rows * columns
        self.column = self.ring + self.ring_rows * columns  # byte offset of the lane's n in a row of B
        self.kept = self.column + 1  # scalars that the loop does not need, one a lane: KEPT_…
        self.k = Kernel(f"sparse_gemm_{rows}x{64 * columns}", ARGUMENTS, sgprs=106, vgprs=self.kept + 1)
        self.pair_bytes = 4 + 8 * columns  # code bytes per non-zero
        self.widths = [width for width in (8, 16, 32) if width <= rows]  # code for tiles up to this wide

    def generate(self) -> Kernel:
        """The whole kernel."""
        k = self.k
        self._prologue()
        self._tile()
        for width in self.widths:
            self._sparse_tile(width)
        self._next_tile()
        self._dense_tile()
        k.label("store")
        self._store()
        k.label("done")
        k("s_endpgm")
        return k

    def _load_arguments(self) -> None:
        k = self.k
        k.load(A_M, "M", 8)
        k.load(A_PIXELS, "pixels", 4)
        k.load(A_WAVES, "waves")
        k.load(A_TILES, "tiles", 8)
        k.load(A_BIAS, "bias", 4)

    def _prologue(self) -> None:
        k, temp = self.k, JUMP
        self._load_arguments()
        k("s_mov_b64 flat_scratch, s[0:1]")
        lane = self.column
        wave_index(k, 5, lane)
        k("s_waitcnt lgkmcnt(0)")
        place_wave(k, 5, A_WAVES, (A_WAVES + 2, A_WAVES + 3))
        k(f"s_mov_b32 {s(SLICE)}, s4")
        k.comment("first column of the wavefront: nothing to do beyond N")
        k(f"s_mul_i32 s2, s2, {64 * self.columns}")
        k(f"s_cmp_ge_u32 s2, {s(A_N)}")
        k(f"s_cbranch_scc1 {k.local('done')}")
        k(f"s_mul_i32 {s(temp)}, s3, {self.rows}")
        k(f"s_cmp_ge_u32 {s(temp)}, {s(A_M)}")
        k(f"s_cbranch_scc1 {k.local('done')}")
        k.comment("slice of K, in tiles")
        k(f"s_mul_i32 {s(temp)}, {s(SLICE)}, {s(A_K_SLICE)}")
        k(f"s_cmp_ge_u32 {s(temp)}, {s(A_K)}")
        k(f"s_cbranch_scc1 {k.local('done')}")
        k(f"s_sub_u32 {s(K_LEFT)}, {s(A_K)}, {s(temp)}")
        k(f"s_min_u32 {s(K_LEFT)}, {s(K_LEFT)}, {s(A_K_SLICE)}")
        k(f"s_lshl_b32 {s(LDB)}, {s(A_LDB)}, 2")
        k(f"s_mul_i32 {s(B_OFFSET)}, {s(temp)}, {s(LDB)}")
        k.comment("bytes of B: rows that are loaded ahead beyond K read as 0")
        k(f"s_sub_u32 {s(B_BYTES)}, {s(A_K)}, 1")
        k(f"s_mul_i32 {s(B_BYTES)}, {s(B_BYTES)}, {s(LDB)}")
        k(f"s_lshl_b32 {s(JUMP + 1)}, {s(A_N)}, 2")
        k(f"s_add_u32 {s(B_BYTES)}, {s(B_BYTES)}, {s(JUMP + 1)}")
        k.comment("tile of (first k, group y): tiles lie row-major, tiles_across to a row")
        k(f"s_add_u32 {s(PATH_STEP)}, {s(A_M)}, {self.rows - 1}")
        k(f"s_lshr_b32 {s(PATH_STEP)}, {s(PATH_STEP)}, {self.rows.bit_length() - 1}")
        k(f"s_lshr_b32 {s(temp)}, {s(temp)}, 5")
        k(f"s_mul_i32 {s(temp)}, {s(temp)}, {s(PATH_STEP)}")
        k(f"s_add_u32 {s(temp)}, {s(temp)}, s3")
        k(f"s_lshl_b32 {s(JUMP + 1)}, {s(temp)}, 2")
        k(f"s_add_u32 {s(PATH)}, {s(A_PATH)}, {s(JUMP + 1)}")
        k(f"s_addc_u32 {s(PATH + 1)}, {s(A_PATH + 1)}, 0")
        k(f"s_cmp_eq_u64 {s(A_PATH, 2)}, 0")
        k(f"s_cselect_b32 {s(PATH)}, 0, {s(PATH)}")
        k(f"s_cselect_b32 {s(PATH + 1)}, 0, {s(PATH + 1)}")
        k(f"s_mul_i32 {s(SLOT_STEP)}, {s(PATH_STEP)}, {s(A_SLOT_BYTES)}")
        k(f"s_lshl_b32 {s(PATH_STEP)}, {s(PATH_STEP)}, 2")
        k.comment("the byte offset of a tile may pass 32 bits")
        k(f"s_mul_i32 {s(SLOT)}, {s(temp)}, {s(A_SLOT_BYTES)}")
        k(f"v_mov_b32 {v(self.ring)}, {s(temp)}")
        k(f"v_mul_hi_u32 {v(self.ring)}, {v(self.ring)}, {s(A_SLOT_BYTES)}")
        k(f"v_readfirstlane_b32 {s(SLOT + 1)}, {v(self.ring)}")
        k(f"s_add_u32 {s(SLOT)}, {s(SLOT)}, {s(A_TILES)}")
        k(f"s_addc_u32 {s(SLOT + 1)}, {s(SLOT + 1)}, {s(A_TILES + 1)}")
        k.comment("lanes beyond N read on into the next row, and 0 behind the last; they store nothing")
        k(f"v_add_u32 {v(self.column)}, vcc, s2, {v(lane)}")
        k(f"v_lshlrev_b32 {v(self.column)}, 2, {v(self.column)}")
        k(f"s_mul_i32 s3, s3, {self.rows}")
        self._keep()
        self._start_accumulators()
        buffer_resource(k, B_RESOURCE, A_B)
        k(f"s_mov_b32 {s(B_RESOURCE + 2)}, {s(B_BYTES)}")
        for row in range(self.ring_rows):
            self._load_b(row)
        k(f"s_set_gpr_idx_on {s(JUMP)}, 0xc  ; the third source and the destination are relative to M0")
        k(f"s_mov_b32 {s(NEXT_PATH)}, 1")
        k(f"s_cmp_eq_u64 {s(PATH, 2)}, 0")
        k(f"s_cbranch_scc1 {k.local('tile')}")
        k(f"s_load_dword {s(NEXT_PATH)}, {s(PATH, 2)}, 0x0")
        k("s_waitcnt lgkmcnt(0)")

    def _keep(self) -> None:
        """Keep what the store and the dense path need (whole tiles only); s3 is the first m, s2 the first n."""
        k, temp = self.k, JUMP + 1
        k(f"v_writelane_b32 {v(self.kept)}, s3, {KEPT_FIRST_M}")
        k(f"v_writelane_b32 {v(self.kept)}, s2, {KEPT_FIRST_N}")
        k(f"v_writelane_b32 {v(self.kept)}, {s(SLICE)}, {KEPT_SLICE}")
        k(f"s_mul_i32 {s(temp)}, {s(SLICE)}, {s(A_K_SLICE)}")
        k(f"s_add_u32 {s(temp)}, {s(temp)}, {s(K_LEFT)}")
        k(f"v_writelane_b32 {v(self.kept)}, {s(temp)}, {KEPT_K_END}")
        k(f"s_lshl_b32 {s(temp)}, {s(A_LDA)}, 2")
        k(f"v_writelane_b32 {v(self.kept)}, {s(temp)}, {KEPT_LDA}")
        k(f"s_lshl_b32 {s(temp)}, s3, 2")
        k(f"s_add_u32 {s(A_DENSE)}, {s(A_DENSE)}, {s(temp)}")
        k(f"s_addc_u32 {s(A_DENSE + 1)}, {s(A_DENSE + 1)}, 0")
        k(f"s_add_u32 {s(temp)}, s3, {self.rows}")
        k(f"s_cmp_gt_u32 {s(temp)}, {s(A_M)}")
        k(f"s_cselect_b32 {s(A_DENSE)}, 0, {s(A_DENSE)}")
        k(f"s_cselect_b32 {s(A_DENSE + 1)}, 0, {s(A_DENSE + 1)}")
        k(f"v_writelane_b32 {v(self.kept)}, {s(A_DENSE)}, {KEPT_DENSE}")
        k(f"v_writelane_b32 {v(self.kept)}, {s(A_DENSE + 1)}, {KEPT_DENSE + 1}")

    def _start_accumulators(self) -> None:
        """Accumulators begin at the bias of their column, in the first slice of K."""
        k = self.k
        for c in range(self.columns):
            k(f"v_mov_b32 {v(self.ring + c)}, 0")
        k(f"s_cmp_eq_u64 {s(A_BIAS, 2)}, 0")
        k(f"s_cbranch_scc1 {k.local('no_bias')}")
        k(f"s_cmp_eq_u32 {s(SLICE)}, 0")
        k(f"s_cbranch_scc0 {k.local('no_bias')}")
        buffer_resource(k, B_RESOURCE, A_BIAS)
        k(f"s_lshl_b32 {s(B_RESOURCE + 2)}, {s(A_N)}, 2")
        for c in range(self.columns):
            k(f"buffer_load_dword {v(self.ring + c)}, {v(self.column)}, {s(B_RESOURCE, 4)}, 0 offen offset:{256 * c}")
        k("s_waitcnt vmcnt(0)")
        k.label("no_bias")
        for c in range(self.columns):
            for m in range(self.rows):
                k(f"v_mov_b32 {v(self.accumulators + c * self.rows + m)}, {v(self.ring + c)}")

    def _load_b(self, slot: int) -> None:
        """Load the next row of B into a slot of the ring and move on."""
        k = self.k
        for c in range(self.columns):
            k(
                f"buffer_load_dword {v(self.ring + slot * self.columns + c)}, {v(self.column)},"
                f" {s(B_RESOURCE, 4)}, {s(B_OFFSET)} offen offset:{256 * c}"
            )
        k(f"s_add_u32 {s(B_OFFSET)}, {s(B_OFFSET)}, {s(LDB)}")

    def _tile(self) -> None:
        """Start a tile: its path, then header, first counts and first row in one go."""
        k = self.k
        k.label("tile")
        k(f"s_cmp_lt_u32 {s(NEXT_PATH)}, 1")
        k(f"s_cbranch_scc1 {k.local('skip')}")
        k(f"s_cmp_gt_u32 {s(NEXT_PATH)}, 1")
        k(f"s_cbranch_scc1 {k.local('dense')}")
        k.label("sparse")
        k(f"s_load_dword {s(PITCH)}, {s(SLOT, 2)}, 0x0")
        k(f"s_load_dwordx4 {s(COUNTS[0], 4)}, {s(SLOT, 2)}, 0x40")
        k(f"s_load_dwordx16 {s(PAIRS[0], 16)}, {s(SLOT, 2)}, {HEADER:#x}")
        k(f"s_load_dwordx16 {s(PAIRS[0] + 16, 16)}, {s(SLOT, 2)}, {HEADER + 64:#x}")
        k(f"s_add_u32 {s(ROWS_LOW)}, {s(SLOT)}, {HEADER}")
        k(f"s_addc_u32 {s(ROWS_LOW + 1)}, {s(SLOT + 1)}, 0")
        k(f"s_add_u32 {s(ROWS_HIGH)}, {s(ROWS_LOW)}, 64")
        k(f"s_addc_u32 {s(ROWS_HIGH + 1)}, {s(ROWS_LOW + 1)}, 0")
        self._load_next_path("sparse")
        k.comment("groups of 8 rows in this tile")
        k(f"s_add_u32 {s(GROUPS)}, {s(K_LEFT)}, {GROUP - 1}")
        k(f"s_lshr_b32 {s(GROUPS)}, {s(GROUPS)}, 3")
        k(f"s_min_u32 {s(GROUPS)}, {s(GROUPS)}, {TILE_K // GROUP}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_lshl_b32 {s(PITCH)}, {s(PITCH)}, 3")
        k(f"s_cbranch_scc0 {k.local('skip_loaded')}")
        k(f"s_mov_b32 {s(ROW_OFFSET)}, {s(PITCH)}")
        for width in reversed(self.widths[1:]):
            k(f"s_cmp_gt_u32 {s(PITCH)}, {8 * (width // 2)}")
            k(f"s_cbranch_scc1 {k.local(f'width{width}')}")

    def _sparse_tile(self, width: int) -> None:
        """The rows of a tile that is at most ``width`` pairs wide, 8 at a time."""
        k = self.k
        k.label(f"width{width}")
        k.comment("ends of the unrolled code, row by row")
        k(f"s_getpc_b64 {s(JUMP, 2)}")
        k.label(f"here{width}")
        for row, register in enumerate(ENTRY):
            end, here = k.local(f"end{width}_{row}"), k.local(f"here{width}")
            k(f"s_add_u32 {register}, {s(JUMP)}, {end}-{here}")
        k(".p2align 6")
        k.label(f"group{width}")
        for row in range(GROUP):
            self._row(row, width)
        k(f"s_add_u32 {s(SLOT)}, {s(SLOT)}, {GROUP * 4}")
        k(f"s_addc_u32 {s(SLOT + 1)}, {s(SLOT + 1)}, 0")
        k(f"s_sub_u32 {s(GROUPS)}, {s(GROUPS)}, 1")
        k(f"s_cmp_lg_u32 {s(GROUPS)}, 0")
        k(f"s_cbranch_scc1 {k.local(f'group{width}')}")
        k(f"s_branch {k.local('next_tile')}")
        if width > CHUNK:
            for row in range(GROUP):
                self._overflow(row)

    def _load_next_path(self, kind: str) -> None:
        """Fetch the path of the tile after this one, when there is a table and a next tile."""
        k, label = self.k, f"no_path_{kind}"
        k(f"s_cmp_eq_u64 {s(PATH, 2)}, 0")
        k(f"s_cbranch_scc1 {k.local(label)}")
        k(f"s_cmp_le_u32 {s(K_LEFT)}, {TILE_K}")
        k(f"s_cbranch_scc1 {k.local(label)}")
        k(f"s_add_u32 {s(PATH)}, {s(PATH)}, {s(PATH_STEP)}")
        k(f"s_addc_u32 {s(PATH + 1)}, {s(PATH + 1)}, 0")
        k(f"s_load_dword {s(NEXT_PATH)}, {s(PATH, 2)}, 0x0")
        k.label(label)

    def _count(self, row: int) -> str:
        return s(COUNTS[row // 4] + row % 4)

    def _pairs(self, row: int, first: int, last: int) -> None:
        """Multiply-adds of pairs ``first`` to ``last``, the last one first, so that a jump skips missing ones."""
        k = self.k
        b = self.ring + row % self.ring_rows * self.columns
        for i in reversed(range(first, last + 1)):
            pair = PAIRS[row % 2] + 2 * i
            k(f"s_set_gpr_idx_idx {s(pair + 1)}")
            for c in range(self.columns):
                accumulator = v(self.accumulators + c * self.rows)
                k(f"v_mad_f32 {accumulator}, {s(pair)}, {v(b + c)}, {accumulator}")

    def _prefetch(self, pairs: int, width: int, offset: int) -> None:
        k = self.k
        k(f"s_load_dwordx16 {s(pairs, 16)}, {s(ROWS_LOW, 2)}, {s(offset)}")
        if width > 8:
            k(f"s_load_dwordx16 {s(pairs + 16, 16)}, {s(ROWS_HIGH, 2)}, {s(offset)}")

    def _row(self, row: int, width: int) -> None:
        """One k: wait, start the next row's loads, jump into the multiply-adds, refill the ring.

        Branches are dear (the instruction buffer is filled again), so there is one a row, taken or not: the jump. A row
        of more than 16 enters one place before the first pair, where a branch leads on.
        """
        k = self.k
        other = PAIRS[1 - row % 2]
        k("s_waitcnt lgkmcnt(0)")
        if row == 0:
            k(f"s_load_dwordx4 {s(COUNTS[1], 4)}, {s(SLOT, 2)}, 0x50")
        if row == 4:
            k(f"s_load_dwordx4 {s(COUNTS[0], 4)}, {s(SLOT, 2)}, 0x60")
        if row == GROUP - 1:
            k.comment("no row follows the tile's last one: read the first again, which is in the cache")
            k(f"s_cmp_eq_u32 {s(GROUPS)}, 1")
            k(f"s_cselect_b32 {s(JUMP)}, 0, {s(ROW_OFFSET)}")
            self._prefetch(other, width, JUMP)
        else:
            self._prefetch(other, width, ROW_OFFSET)
        k(f"s_add_u32 {s(ROW_OFFSET)}, {s(ROW_OFFSET)}, {s(PITCH)}")
        count = self._count(row)
        if width > CHUNK:
            k(f"s_min_u32 {s(JUMP)}, {count}, {CHUNK + 1}")
            count = s(JUMP)
        k(f"s_mul_i32 {s(JUMP)}, {count}, {self.pair_bytes}")
        k(f"s_sub_u32 {s(JUMP)}, {ENTRY[row]}, {s(JUMP)}")
        k(f"s_waitcnt vmcnt({(self.ring_rows - 1) * self.columns})")
        k(f"s_setpc_b64 {s(JUMP, 2)}")
        if width > CHUNK:
            k(f"s_branch {k.local(f'more{row}')}")
            for _ in range(self.pair_bytes // 4 - 1):
                k("s_nop 0")
        self._pairs(row, 0, min(width, CHUNK) - 1)
        k.label(f"end{width}_{row}")
        self._load_b(row % self.ring_rows)

    def _overflow(self, row: int) -> None:
        """The first 16 non-zeros of a longer row; the rest take their registers and go the ordinary way."""
        k = self.k
        pairs, count = PAIRS[row % 2], self._count(row)
        k.label(f"more{row}")
        self._pairs(row, 0, 7)
        k.comment("the row offset is two rows ahead by now")
        k(f"s_sub_u32 {s(JUMP)}, {s(ROW_OFFSET)}, {s(PITCH)}")
        k(f"s_sub_u32 {s(JUMP)}, {s(JUMP)}, {s(PITCH)}")
        k(f"s_add_u32 {s(JUMP)}, {s(JUMP)}, {CHUNK * 8}")
        k(f"s_load_dwordx16 {s(pairs, 16)}, {s(ROWS_LOW, 2)}, {s(JUMP)}")
        self._pairs(row, 8, 15)
        k(f"s_sub_u32 {count}, {count}, {CHUNK}")
        k(f"s_cmp_gt_u32 {count}, 8")
        k(f"s_cbranch_scc0 {k.local(f'half{row}')}")
        k(f"s_load_dwordx16 {s(pairs + 16, 16)}, {s(ROWS_HIGH, 2)}, {s(JUMP)}")
        k.label(f"half{row}")
        k(f"s_mul_i32 {count}, {count}, {self.pair_bytes}")
        k(f"s_sub_u32 {s(JUMP)}, {ENTRY[row]}, {count}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_setpc_b64 {s(JUMP, 2)}")

    def _next_tile(self) -> None:
        k = self.k
        k.label("next_tile")
        k(f"s_sub_u32 {s(SLOT)}, {s(SLOT)}, {TILE_K * 4}")
        k(f"s_subb_u32 {s(SLOT + 1)}, {s(SLOT + 1)}, 0")
        self._advance_tile()
        k(f"s_branch {k.local('tile')}")
        k.comment("a skipped tile: B moves on by its rows, and the ring is filled again")
        k.label("skip")
        self._load_next_path("skip")
        k.label("skip_loaded")
        k(f"s_mul_i32 {s(JUMP)}, {s(LDB)}, {TILE_K - self.ring_rows}")
        k(f"s_add_u32 {s(B_OFFSET)}, {s(B_OFFSET)}, {s(JUMP)}")
        self._advance_tile()
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        for row in range(self.ring_rows):
            self._load_b(row)
        k(f"s_branch {k.local('tile')}")

    def _advance_tile(self) -> None:
        k = self.k
        k(f"s_add_u32 {s(SLOT)}, {s(SLOT)}, {s(SLOT_STEP)}")
        k(f"s_addc_u32 {s(SLOT + 1)}, {s(SLOT + 1)}, 0")
        k(f"s_cmp_le_u32 {s(K_LEFT)}, {TILE_K}")
        k(f"s_cbranch_scc1 {k.local('store')}")
        k(f"s_sub_u32 {s(K_LEFT)}, {s(K_LEFT)}, {TILE_K}")

    def _dense_tile(self) -> None:
        """A tile that is read from the dense operand: no index, accumulators named directly. Whole tiles only."""
        k = self.k
        pointer, high, row_bytes, k_end = ROWS_LOW, ROWS_HIGH, PITCH, COUNTS[0]
        k.label("dense")
        k(f"s_cmp_lt_u32 {s(K_LEFT)}, {TILE_K}")
        k(f"s_cbranch_scc1 {k.local('sparse')}")
        k("s_set_gpr_idx_off")
        k(f"v_readlane_b32 {s(pointer)}, {v(self.kept)}, {KEPT_DENSE}")
        k(f"v_readlane_b32 {s(pointer + 1)}, {v(self.kept)}, {KEPT_DENSE + 1}")
        k(f"v_readlane_b32 {s(row_bytes)}, {v(self.kept)}, {KEPT_LDA}")
        k(f"v_readlane_b32 {s(k_end)}, {v(self.kept)}, {KEPT_K_END}")
        k(f"s_set_gpr_idx_on {s(JUMP)}, 0xc")
        k(f"s_cmp_eq_u64 {s(pointer, 2)}, 0")
        k(f"s_cbranch_scc1 {k.local('sparse')}")
        k("s_set_gpr_idx_off")
        self._load_next_path("dense")
        k(f"s_sub_u32 {s(k_end)}, {s(k_end)}, {s(K_LEFT)}")
        k(f"s_mul_i32 {s(ROW_OFFSET)}, {s(k_end)}, {s(row_bytes)}")
        k(f"s_add_u32 {s(high)}, {s(pointer)}, 64")
        k(f"s_addc_u32 {s(high + 1)}, {s(pointer + 1)}, 0")
        k(f"s_mov_b32 {s(GROUPS)}, {TILE_K // self.ring_rows}")
        self._dense_values(PAIRS[0])
        k(".p2align 6")
        k.label("dense_group")
        for row in range(self.ring_rows):
            values = PAIRS[row % 2]
            k("s_waitcnt lgkmcnt(0)")
            if row == self.ring_rows - 1:
                k(f"s_cmp_eq_u32 {s(GROUPS)}, 1")
                k(f"s_cbranch_scc1 {k.local('dense_last')}")
            self._dense_values(PAIRS[1 - row % 2])
            if row == self.ring_rows - 1:
                k.label("dense_last")
            k(f"s_waitcnt vmcnt({(self.ring_rows - 1) * self.columns})")
            for c in range(self.columns):
                for m in range(self.rows):
                    accumulator = v(self.accumulators + c * self.rows + m)
                    k(f"v_mac_f32 {accumulator}, {s(values + m)}, {v(self.ring + row * self.columns + c)}")
            self._load_b(row)
        k(f"s_sub_u32 {s(GROUPS)}, {s(GROUPS)}, 1")
        k(f"s_cmp_lg_u32 {s(GROUPS)}, 0")
        k(f"s_cbranch_scc1 {k.local('dense_group')}")
        k(f"s_set_gpr_idx_on {s(JUMP)}, 0xc")
        k("s_waitcnt lgkmcnt(0)")
        self._advance_tile()
        k(f"s_branch {k.local('tile')}")

    def _dense_values(self, values: int) -> None:
        """Load the values of A of the next k."""
        k = self.k
        k(f"s_load_dwordx16 {s(values, 16)}, {s(ROWS_LOW, 2)}, {s(ROW_OFFSET)}")
        if self.rows == 32:
            k(f"s_load_dwordx16 {s(values + 16, 16)}, {s(ROWS_HIGH, 2)}, {s(ROW_OFFSET)}")
        k(f"s_add_u32 {s(ROW_OFFSET)}, {s(ROW_OFFSET)}, {s(PITCH)}")

    def _store(self) -> None:
        k = self.k
        quotient, a, b, column = (self.ring + i for i in range(4))
        first, pixel, at, saved = 0, 1, 2, 6  # SGPRs
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        k("s_set_gpr_idx_off")
        k("s_mov_b64 s[0:1], flat_scratch")
        self._load_arguments()
        k(f"v_readlane_b32 s{first + 8}, {v(self.kept)}, {KEPT_FIRST_M}")
        k(f"v_readlane_b32 s3, {v(self.kept)}, {KEPT_SLICE}")
        k(f"v_readlane_b32 s20, {v(self.kept)}, {KEPT_FIRST_N}")
        k(f"v_mbcnt_lo_u32_b32 {v(self.column)}, -1, 0")
        k(f"v_mbcnt_hi_u32_b32 {v(self.column)}, -1, {v(self.column)}")
        k(f"v_add_u32 {v(self.column)}, vcc, s20, {v(self.column)}")
        k("s_waitcnt lgkmcnt(0)")
        k.comment("the slice's place in C")
        k(f"s_mul_i32 s3, s3, {s(A_C_SLICE)}")
        k("s_lshl_b32 s3, s3, 2")
        k(f"s_add_u32 {s(A_C)}, {s(A_C)}, s3")
        k(f"s_addc_u32 {s(A_C + 1)}, {s(A_C + 1)}, 0")
        buffer_resource(k, B_RESOURCE, A_C)
        k(f"s_mov_b32 s{first}, s8")
        split_column(k, self.kept, quotient, (a, b), A_PIXELS, "first row")
        k(f"v_readfirstlane_b32 s{pixel}, {v(self.kept)}")
        k(f"v_readfirstlane_b32 s3, {v(quotient)}")
        k(f"s_mul_i32 s3, s3, {s(A_C_IMAGE)}")
        k(f"s_mul_i32 s{at}, s{pixel}, {s(A_C_ROW)}")
        k(f"s_add_u32 s{at}, s{at}, s3")
        k(f"s_lshl_b32 s{at}, s{at}, 2  ; byte offset of the first row")
        k(f"s_lshl_b32 s9, {s(A_C_ROW)}, 2  ; bytes from row to row")
        k.comment("bytes from the last pixel of an image to the first of the next")
        k(f"s_sub_u32 s10, {s(A_PIXELS)}, 1")
        k(f"s_mul_i32 s10, s10, {s(A_C_ROW)}")
        k(f"s_sub_u32 s10, {s(A_C_IMAGE)}, s10")
        k("s_lshl_b32 s10, s10, 2")
        k.comment("whole tile in one image, rows adjacent: 16 bytes a lane and store")
        k(f"s_add_u32 s11, s{first}, {self.rows}")
        k(f"s_cmp_gt_u32 s11, {s(A_M)}")
        k(f"s_cbranch_scc1 {k.local('general')}")
        k(f"s_add_u32 s11, s{pixel}, {self.rows}")
        k(f"s_cmp_gt_u32 s11, {s(A_PIXELS)}")
        k(f"s_cbranch_scc1 {k.local('general')}")
        k(f"s_cmp_eq_u32 {s(A_C_ROW)}, 1")
        k(f"s_cbranch_scc0 {k.local('general')}")
        for c in range(self.columns):
            self._column_address(c, column, saved)
            for m in range(0, self.rows, 4):
                k(
                    f"buffer_store_dwordx4 {v(self.accumulators + c * self.rows + m, 4)}, {v(column)},"
                    f" {s(B_RESOURCE, 4)}, s{at} offen offset:{4 * m}"
                )
        k("s_endpgm")
        k.label("general")
        for c in range(self.columns):
            self._column_address(c, column, saved)
            k(f"s_mov_b32 s16, s{first}")
            k(f"s_mov_b32 s17, s{pixel}")
            k(f"s_mov_b32 s18, s{at}")
            for m in range(self.rows):
                k(f"s_cmp_ge_u32 s16, {s(A_M)}")
                k(f"s_cbranch_scc1 {k.local(f'column{c}')}")
                k(
                    f"buffer_store_dword {v(self.accumulators + c * self.rows + m)}, {v(column)},"
                    f" {s(B_RESOURCE, 4)}, s18 offen"
                )
                k("s_add_u32 s16, s16, 1")
                k("s_add_u32 s17, s17, 1")
                k(f"s_cmp_ge_u32 s17, {s(A_PIXELS)}")
                k("s_cselect_b32 s19, s10, s9")
                k("s_cselect_b32 s17, 0, s17")
                k("s_add_u32 s18, s18, s19")
            k.label(f"column{c}")

    def _column_address(self, block: int, column: int, saved: int) -> None:
        """Byte offset in C of the lane's column of a block; lanes beyond N are switched off, and none left ends."""
        k = self.k
        k("s_mov_b64 exec, -1")
        k(f"v_add_u32 {v(column)}, vcc, {64 * block}, {v(self.column)}")
        k(f"v_cmp_gt_u32 vcc, {s(A_N)}, {v(column)}")
        k(f"s_and_saveexec_b64 {s(saved, 2)}, vcc")
        k(f"s_cbranch_execz {k.local('done')}")
        k(f"v_mul_lo_u32 {v(column)}, {v(column)}, {s(A_C_COLUMN)}")
        k(f"v_lshlrev_b32 {v(column)}, 2, {v(column)}")


SHAPES = [(32, 2), (32, 1), (16, 4), (16, 2)]


def main() -> None:
    """Write sparse_gemm_idx.s beside the OpenCL sources."""
    kernels = [SparseGemm(rows, columns).generate() for rows, columns in SHAPES]
    target = Path(__file__).parent.parent / "src" / "sparse_gemm_idx.s"
    target.write_text(module(kernels, "python3 generate/sparse_gemm_idx.py"))


if __name__ == "__main__":
    main()
