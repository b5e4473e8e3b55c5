"""Dense GEMM with one operand through the scalar unit.

C[M×N] = A · B, A given transposed with m contiguous: A element (m, k) at k·lda + m, B element (k, n) at k·ldb + n
(elements). A wavefront owns ``rows`` m and 64·``columns`` n. Per k: scalar loads bring ``rows`` values of A, vector
loads bring ``columns`` registers of B (lane = n), then rows·columns ``v_mac_f32`` with the A value from an SGPR: no
LDS, no barrier, no vector instruction but multiply-adds in the loop.

Any N and K, M ≥ rows: the last block of rows is moved back so that it ends at M; rows computed twice give the same
bits. C element (m, n): image i = n div pixels, pixel p = n mod pixels at m·c_row_stride + i·c_image_stride +
p·c_column_stride. bias (null: none) is added per m. A work-group has ``waves`` wavefronts, of which 2**column_shift lie
side by side along n, times 2**slice_shift along K (adjacent slices; with shift 2 they are added in the LDS), the rest
along m. The hardware deals a group's wavefronts to the SIMDs in turn, so waves should be a multiple of 4.

K may be cut in slices of k_slice, whose results lie c_slice_stride apart in ``partial``, from the rows of work-groups
``whole_rows`` on; the rows before get all of K, in slices of ``whole_slice`` where those of a group are added. Grid: x
(times 64·waves) the groups along n; y ``whole_rows`` and ``split_rows`` times the groups of slices.

The gather variant takes B through two tables of byte offsets, which makes it an implicit-GEMM convolution: on a
copy of X with a border of zeros, the im2col element (tap, pixel) lies at the sum of an offset of the tap and one of
the pixel. k_offsets has 12 entries more than K, of any value below b_bytes.

Per output the sum starts at the bias (or 0) and runs over ascending k, one rounding per product and one per sum.
"""

from __future__ import annotations

from pathlib import Path

from common import buffer_resource, place_wave, split_column, wave_index
from gcn3 import Kernel, module, s, v

ARGUMENTS = [
    ("a", "buffer"),
    ("b", "buffer"),
    ("c", "buffer"),
    ("bias", "buffer"),
    ("M", "u32"),
    ("N", "u32"),
    ("K", "u32"),
    ("lda", "u32"),
    ("ldb", "u32"),
    ("c_row_stride", "u32"),
    ("c_column_stride", "u32"),
    ("c_image_stride", "u32"),
    ("pixels", "u32"),
    ("k_slice", "u32"),
    ("c_slice_stride", "u32"),
    ("waves", "u32"),
    ("column_shift", "u32"),
    ("slice_shift", "u32"),
    ("whole_rows", "u32"),
    ("split_rows", "u32"),
    ("whole_slice", "u32"),
    ("partial", "buffer"),
]

# B element (k, n) lies b_offset = k_offsets[k] + n_offsets[n] bytes into b, which has b_bytes.
GATHER_ARGUMENTS = [*ARGUMENTS[:4], ("k_offsets", "buffer"), ("n_offsets", "buffer"), *ARGUMENTS[4:]]
GATHER_ARGUMENTS[GATHER_ARGUMENTS.index(("ldb", "u32"))] = ("b_bytes", "u32")

RING = 4  # k steps that B is loaded ahead

# Scalar registers. 0–1 argument pointer, 2–4 work-group ids.
A_LOW, A_HIGH, B_RESOURCE, C_RESOURCE, C_POINTER = 6, 8, 12, 16, 20
M, N, K, LDA, LDB, C_ROW, C_COLUMN, C_IMAGE = 24, 25, 26, 27, 28, 29, 30, 31
A_SET = 32  # two sets of 32 values
PIXELS, K_SLICE, C_SLICE, WAVES = 96, 97, 98, 99
A_OFFSET, A_LAST = 100, 101
BIAS = 22
K_TABLE, ROW_OFFSETS, B_BYTES = C_POINTER, 16, LDB  # of the gather variant
B_OFFSET, STEPS, M0, WAVE, TEMP = 10, 0, 1, 5, 3
SPLIT = 11  # whether the work-group has a part of K alone
WHOLE_ROWS, SPLIT_ROWS, WHOLE_SLICE, PRODUCT = A_SET + 10, A_SET + 11, A_SET + 12, A_SET + 13
PARTIAL = 42  # of the epilogue
A_RESOURCE = PIXELS  # in the loop; what lies there otherwise is loaded again for the epilogue
COLUMN_SHIFT, SLICE_SHIFT = 40, 41  # of the epilogue, like ARGUMENT_POINTER
ARGUMENT_POINTER = 38

AHEAD = 8
"""k steps between the prefetch of a line of A into L2 and its scalar load, at least."""

LDS_BYTES = 4096
"""A wavefront's part of the LDS where slices are added in the work-group."""


class DenseGemm:
    """Generator of one kernel: ``rows`` of m and 64·``columns`` of n per wavefront."""

    def __init__(self, rows: int, columns: int, gather: bool) -> None:
        self.rows, self.columns, self.gather = rows, columns, gather
        self.steps_per_set = 32 // rows
        self.unroll = max(RING, 2 * self.steps_per_set)  # both sets of A registers, whole turns of the B ring
        self.ring = rows * columns  # accumulators are registers 0 … rows·columns − 1, block by block
        self.offsets = self.ring + RING * columns  # byte offset of the lane's column in B, one register a block of 64
        self.lane = self.offsets + columns
        self.temps = self.lane + 1
        self.fetched, self.ahead = self.temps, self.temps + 1  # prefetch of A: what nobody reads, and its offset
        name = f"gemm_{'gather' if gather else 'scalar'}_{rows}x{64 * columns}"
        self.k = Kernel(name, GATHER_ARGUMENTS if gather else ARGUMENTS, sgprs=104, vgprs=self.temps + 4)

    def generate(self) -> Kernel:
        """The whole kernel."""
        k = self.k
        self._prologue()
        self._start_accumulators()
        k(f"s_sub_u32 {s(STEPS)}, {s(STEPS)}, {self.unroll}")
        k(f"s_cbranch_scc1 {k.local('tail')}")
        k(".p2align 6")
        k.label("loop")
        for step in range(self.unroll):
            self._step(step, prefetch=True)
        k(f"s_sub_u32 {s(STEPS)}, {s(STEPS)}, {self.unroll}")
        k(f"s_cbranch_scc0 {k.local('loop')}")
        k.label("tail")
        k(f"s_add_u32 {s(STEPS)}, {s(STEPS)}, {self.unroll}")
        for step in range(self.unroll - 1):
            k(f"s_sub_u32 {s(STEPS)}, {s(STEPS)}, 1")
            k(f"s_cbranch_scc1 {k.local('store')}")
            self._step(step)
        k.label("store")
        k.comment("no load may land in a register that the epilogue uses")
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        self._arguments_again()
        if self.rows >= 16:
            k(f"s_cmp_lg_u32 {s(SLICE_SHIFT)}, 0")
            k(f"s_cbranch_scc1 {k.local('reduce')}")
        self._store([(c, m, c * self.rows + m) for c in range(self.columns) for m in range(self.rows)])
        if self.rows >= 16:
            k("s_endpgm")
            self._reduce()
        k.label("done")
        k("s_endpgm")
        return k

    def _prologue(self) -> None:
        k = self.k
        k.load(M, "M", 8)
        k.load(PIXELS, "pixels", 4)
        k.load(12, "a", 8)  # a, b, c, bias into 12..19
        if self.gather:
            k.load(A_SET, "k_offsets", 4)
        k.load(WHOLE_ROWS, "whole_rows", 2)
        k.load(WHOLE_SLICE, "whole_slice")
        k("s_mov_b64 flat_scratch, s[0:1]")
        wave_index(k, WAVE, self.lane)
        k("s_waitcnt lgkmcnt(0)")
        self._part_of_k()
        place_wave(k, WAVE, WAVES, (A_SET + 8, A_SET + 9))
        k(f"s_mov_b64 {s(BIAS, 2)}, {s(18, 2)}")
        k(f"s_mov_b64 {s(A_LOW, 2)}, {s(12, 2)}")
        k.comment("block of rows: moved back at the edge")
        k(f"s_mul_i32 {s(M0)}, s3, {self.rows}")
        k(f"s_cmp_ge_u32 {s(M0)}, {s(M)}")
        k(f"s_cbranch_scc1 {k.local('done')}")
        k(f"s_mul_i32 s2, s2, {64 * self.columns}")
        k(f"s_cmp_ge_u32 s2, {s(N)}")
        k(f"s_cbranch_scc1 {k.local('done')}")
        k(f"s_sub_u32 {s(TEMP)}, {s(M)}, {self.rows}")
        k(f"s_min_u32 {s(M0)}, {s(M0)}, {s(TEMP)}")
        k.comment("slice of K: s4 is the slice, WAVE its first k, STEPS its length, which is 0 beyond K")
        k(f"s_mul_i32 {s(WAVE)}, s4, {s(K_SLICE)}")
        k(f"s_min_u32 {s(WAVE)}, {s(WAVE)}, {s(K)}")
        k(f"s_sub_u32 {s(STEPS)}, {s(K)}, {s(WAVE)}")
        k(f"s_min_u32 {s(STEPS)}, {s(STEPS)}, {s(K_SLICE)}")
        k(f"s_sub_u32 {s(TEMP)}, {s(K)}, 1")
        k(f"s_min_u32 {s(K_SLICE)}, {s(WAVE)}, {s(TEMP)}")
        k(f"s_lshl_b32 {s(LDA)}, {s(LDA)}, 2")
        k(f"s_mul_i32 {s(A_OFFSET)}, {s(K_SLICE)}, {s(LDA)}")
        self._b_columns()
        self._b_rows()
        k(f"s_add_u32 {s(TEMP)}, {s(K_SLICE)}, {s(STEPS)}")
        k(f"s_sub_u32 {s(TEMP)}, {s(TEMP)}, 1")
        k(f"s_max_u32 {s(TEMP)}, {s(TEMP)}, {s(K_SLICE)}")
        k(f"s_mul_i32 {s(A_LAST)}, {s(TEMP)}, {s(LDA)}")
        k.comment("A: base of the block's rows, and 64 bytes on")
        k(f"s_lshl_b32 {s(TEMP)}, {s(M0)}, 2")
        k(f"s_add_u32 {s(A_LOW)}, {s(A_LOW)}, {s(TEMP)}")
        k(f"s_addc_u32 {s(A_LOW + 1)}, {s(A_LOW + 1)}, 0")
        k(f"s_add_u32 {s(A_HIGH)}, {s(A_LOW)}, 64")
        k(f"s_addc_u32 {s(A_HIGH + 1)}, {s(A_LOW + 1)}, 0")
        self._prefetch_offset()
        self._load_a(0)

    def _part_of_k(self) -> None:
        """Turn the group's y into its row of groups (s3) and its group of slices (s4).

        y counts the rows of groups that have all of K, then the others once for each group of slices.
        """
        k, quotient, divisor = self.k, v(self.temps), v(self.temps + 1)
        k(f"s_cmp_lt_u32 s3, {s(WHOLE_ROWS)}")
        k(f"s_cselect_b32 {s(SPLIT)}, 0, 1")
        k(f"s_cselect_b32 {s(K_SLICE)}, {s(WHOLE_SLICE)}, {s(K_SLICE)}")
        k(f"s_cbranch_scc1 {k.local('placed')}")
        k(f"s_sub_u32 s3, s3, {s(WHOLE_ROWS)}")
        k.comment("the quotient lies half a step off the integers: the reciprocal's error does no harm")
        k(f"v_cvt_f32_u32 {quotient}, s3")
        k(f"v_cvt_f32_u32 {divisor}, {s(SPLIT_ROWS)}")
        k(f"v_add_f32 {quotient}, 0.5, {quotient}")
        k(f"v_rcp_f32 {divisor}, {divisor}")
        k(f"v_mul_f32 {quotient}, {quotient}, {divisor}")
        k(f"v_cvt_u32_f32 {quotient}, {quotient}")
        k(f"v_readfirstlane_b32 s4, {quotient}")
        k(f"s_mul_i32 {s(PRODUCT)}, s4, {s(SPLIT_ROWS)}")
        k(f"s_sub_u32 s3, s3, {s(PRODUCT)}")
        k(f"s_add_u32 s3, s3, {s(WHOLE_ROWS)}")
        k.label("placed")

    def _prefetch_offset(self) -> None:
        """A's buffer resource up to the slice's last row, and offsets of the lanes: four rows of 16, AHEAD rows on."""
        k, offset = self.k, v(self.ahead)
        buffer_resource(k, A_RESOURCE, A_LOW)
        k(f"s_add_u32 {s(A_RESOURCE + 2)}, {s(A_LAST)}, {4 * self.rows}")
        k(f"v_and_b32 {offset}, 15, {v(self.lane)}")
        k(f"v_lshlrev_b32 {offset}, {2 + max(self.rows // 16 - 1, 0)}, {offset}")
        k(f"v_lshrrev_b32 {v(self.fetched)}, 4, {v(self.lane)}")
        k(f"v_add_u32 {v(self.fetched)}, vcc, {AHEAD}, {v(self.fetched)}")
        k(f"v_mul_lo_u32 {v(self.fetched)}, {v(self.fetched)}, {s(LDA)}")
        k(f"v_add_u32 {offset}, vcc, {offset}, {v(self.fetched)}")

    def _prefetch(self) -> None:
        """Bring lines of A that four later steps need into L2: the scalar cache has few misses under way."""
        self.k(f"buffer_load_dword {v(self.fetched)}, {v(self.ahead)}, {s(A_RESOURCE, 4)}, {s(A_OFFSET)} offen")

    def _b_columns(self) -> None:
        """B's buffer resource, and the byte offset of the lane's column in each block; beyond N the last column's."""
        k = self.k
        if not self.gather:
            k.comment("bytes of B: rows that are loaded ahead beyond K read as 0")
            k(f"s_lshl_b32 {s(LDB)}, {s(LDB)}, 2")
            k(f"s_sub_u32 {s(WAVE)}, {s(K)}, 1")
            k(f"s_mul_i32 {s(WAVE)}, {s(WAVE)}, {s(LDB)}")
            k(f"s_lshl_b32 {s(B_OFFSET)}, {s(N)}, 2")
            k(f"s_add_u32 {s(WAVE)}, {s(WAVE)}, {s(B_OFFSET)}")
        k(f"s_mov_b64 {s(A_SET + 4, 2)}, {s(14, 2)}")
        buffer_resource(k, B_RESOURCE, A_SET + 4)
        k(f"s_mov_b32 {s(B_RESOURCE + 2)}, {s(B_BYTES if self.gather else WAVE)}")
        k(f"s_sub_u32 {s(WAVE)}, {s(N)}, 1")
        if self.gather:
            buffer_resource(k, A_SET + 8, A_SET + 2)
        for c in range(self.columns):
            offset = v(self.offsets + c)
            k(f"v_add_u32 {offset}, vcc, s2, {v(self.lane)}")
            if c:
                k(f"v_add_u32 {offset}, vcc, {64 * c}, {offset}")
            k(f"v_min_u32 {offset}, {s(WAVE)}, {offset}")
            k(f"v_lshlrev_b32 {offset}, 2, {offset}")
            if self.gather:
                k(f"buffer_load_dword {offset}, {offset}, {s(A_SET + 8, 4)}, 0 offen")

    def _b_rows(self) -> None:
        """Start the ring of B; K_SLICE is the first k."""
        k = self.k
        if self.gather:
            k.comment("table of row offsets: four for the ring, then two loads of two in every four steps")
            k(f"s_lshl_b32 {s(TEMP)}, {s(K_SLICE)}, 2")
            k(f"s_add_u32 {s(K_TABLE)}, {s(A_SET)}, {s(TEMP)}")
            k(f"s_addc_u32 {s(K_TABLE + 1)}, {s(A_SET + 1)}, 0")
            k(f"s_load_dwordx4 {s(ROW_OFFSETS, 4)}, {s(K_TABLE, 2)}, 0x0")
            k("s_waitcnt vmcnt(0) lgkmcnt(0)")
            for step in range(RING):
                self._load_b(step)
            k(f"s_load_dwordx2 {s(ROW_OFFSETS, 2)}, {s(K_TABLE, 2)}, 0x10")
        else:
            k(f"s_mul_i32 {s(B_OFFSET)}, {s(K_SLICE)}, {s(LDB)}")
            for step in range(RING):
                self._load_b(step)

    def _load_a(self, which: int) -> None:
        """Load the next set of A values (32 / rows steps) and move on, never beyond the last k."""
        k = self.k
        base = A_SET + 32 * which
        for step in range(self.steps_per_set):
            at = base + step * self.rows
            width = min(self.rows, 16)
            k(f"s_load_dwordx{width} {s(at, width)}, {s(A_LOW, 2)}, {s(A_OFFSET)}")
            if self.rows == 32:
                k(f"s_load_dwordx16 {s(at + 16, 16)}, {s(A_HIGH, 2)}, {s(A_OFFSET)}")
            k(f"s_add_u32 {s(A_OFFSET)}, {s(A_OFFSET)}, {s(LDA)}")
            k(f"s_min_u32 {s(A_OFFSET)}, {s(A_OFFSET)}, {s(A_LAST)}")

    def _load_b(self, step: int) -> None:
        """Load the next row of B into a slot of the ring and move on."""
        k = self.k
        at = ROW_OFFSETS + step if self.gather else B_OFFSET
        for c in range(self.columns):
            target, lane = v(self.ring + step * self.columns + c), v(self.offsets + c)
            k(f"buffer_load_dword {target}, {lane}, {s(B_RESOURCE, 4)}, {s(at)} offen")
        if not self.gather:
            k(f"s_add_u32 {s(B_OFFSET)}, {s(B_OFFSET)}, {s(LDB)}")

    def _start_accumulators(self) -> None:
        """Accumulators begin at the bias of their row, by way of the second set of A registers."""
        k, bias = self.k, A_SET + 32
        k(f"s_cmp_eq_u64 {s(BIAS, 2)}, 0")
        k(f"s_cbranch_scc1 {k.local('no_bias')}")
        k(f"s_lshl_b32 {s(TEMP)}, {s(M0)}, 2")
        k(f"s_add_u32 {s(BIAS)}, {s(BIAS)}, {s(TEMP)}")
        k(f"s_addc_u32 {s(BIAS + 1)}, {s(BIAS + 1)}, 0")
        k("s_cmp_eq_u32 s4, 0")
        k(f"s_cbranch_scc0 {k.local('no_bias')}")
        for first in range(0, self.rows, 16):
            width = min(self.rows, 16)
            k(f"s_load_dwordx{width} {s(bias + first, width)}, {s(BIAS, 2)}, {first * 4:#x}")
        k("s_waitcnt lgkmcnt(0)")
        for c in range(self.columns):
            for m in range(self.rows):
                k(f"v_mov_b32 {v(c * self.rows + m)}, {s(bias + m)}")
        k(f"s_branch {k.local('started')}")
        k.label("no_bias")
        for register in range(self.rows * self.columns):
            k(f"v_mov_b32 {v(register)}, 0")
        k.label("started")

    def _step(self, step: int, prefetch: bool = False) -> None:
        """One k: wait for its operands, start the loads of later ones, multiply and add."""
        k = self.k
        which = step // self.steps_per_set % 2
        if step % self.steps_per_set == 0:
            k("s_waitcnt lgkmcnt(0)")
            self._load_a(1 - which)
        if self.gather and step == 0:
            k(f"s_load_dwordx2 {s(ROW_OFFSETS + 2, 2)}, {s(K_TABLE, 2)}, 0x18")
        if self.gather and step == 2:
            k(f"s_load_dwordx2 {s(ROW_OFFSETS, 2)}, {s(K_TABLE, 2)}, 0x20")
            k(f"s_add_u32 {s(K_TABLE)}, {s(K_TABLE)}, 16")
            k(f"s_addc_u32 {s(K_TABLE + 1)}, {s(K_TABLE + 1)}, 0")
        if prefetch and step % 4 == 0:
            self._prefetch()
        k(f"s_waitcnt vmcnt({(RING - 1) * self.columns})")
        values = A_SET + 32 * which + step % self.steps_per_set * self.rows
        slot = step % RING
        for c in range(self.columns):
            b = v(self.ring + slot * self.columns + c)
            for m in range(self.rows):
                k(f"v_mac_f32 {v(c * self.rows + m)}, {s(values + m)}, {b}")
        self._load_b(slot)

    def _arguments_again(self) -> None:
        """Load what the epilogue needs of the arguments."""
        k = self.k
        k(f"s_mov_b64 {s(ARGUMENT_POINTER, 2)}, flat_scratch")
        for register, name, count in [
            (M, "M", 8), (PIXELS, "pixels", 4), (C_POINTER, "c", 2), (COLUMN_SHIFT, "column_shift", 2),
            (PARTIAL, "partial", 2),
        ]:  # fmt: skip
            k(f"s_load_dwordx{count} {s(register, count)}, {s(ARGUMENT_POINTER, 2)}, {k.offset(name):#x}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_cmp_lg_u32 {s(SPLIT)}, 0")
        k(f"s_cselect_b64 {s(C_POINTER, 2)}, {s(PARTIAL, 2)}, {s(C_POINTER, 2)}")
        k.comment("the partial result's place")
        k(f"s_lshr_b32 {s(TEMP)}, s4, {s(SLICE_SHIFT)}")
        k(f"s_mul_i32 {s(TEMP)}, {s(TEMP)}, {s(C_SLICE)}")
        k(f"s_lshl_b32 {s(TEMP)}, {s(TEMP)}, 2")
        k(f"s_add_u32 {s(C_POINTER)}, {s(C_POINTER)}, {s(TEMP)}")
        k(f"s_addc_u32 {s(C_POINTER + 1)}, {s(C_POINTER + 1)}, 0")
        buffer_resource(k, C_RESOURCE, C_POINTER)
        k(f"s_lshl_b32 {s(C_ROW)}, {s(C_ROW)}, 2")

    def _reduce(self) -> None:
        """Add four slices in ascending order: of 16 accumulators each wavefront adds and keeps four for all slices."""
        k, write, read = self.k, v(self.ring), v(self.ring + 1)
        k.label("reduce")
        k("s_mov_b32 m0, -1")
        k(f"s_and_b32 {s(WAVE)}, s4, 3")
        k(f"v_lshlrev_b32 {write}, 4, {v(self.lane)}")
        k(f"s_lshl_b32 {s(TEMP)}, {s(WAVE)}, 10")
        k(f"v_add_u32 {read}, vcc, {s(TEMP)}, {write}")
        k(f"s_lshl_b32 {s(TEMP)}, {s(WAVE)}, 12")
        k(f"v_add_u32 {write}, vcc, {s(TEMP)}, {write}")
        for first in range(0, self.rows * self.columns, 16):
            if first:
                k("s_barrier")
            for quad in range(4):
                k(f"ds_write_b128 {write}, {v(first + 4 * quad, 4)} offset:{1024 * quad}")
            k("s_waitcnt lgkmcnt(0)")
            k("s_barrier")
            for part in range(4):
                k(f"ds_read_b128 {v(first + 4 * part, 4)}, {read} offset:{LDS_BYTES * part}")
            for part in range(1, 4):
                k(f"s_waitcnt lgkmcnt({3 - part})")
                for i in range(4):
                    k(f"v_add_f32 {v(first + i)}, {v(first + i)}, {v(first + 4 * part + i)}")
        k(f"s_lshl_b32 {s(TEMP)}, {s(WAVE)}, 2")
        k(f"s_add_u32 {s(M0)}, {s(M0)}, {s(TEMP)}")
        self._store(
            [
                (c, m + i, c * self.rows + m + i)
                for c in range(self.columns)
                for m in range(0, self.rows, 16)
                for i in range(4)
            ]
        )

    def _store(self, kept: list[tuple[int, int, int]]) -> None:
        """Store accumulators, given as block of columns, row, register; lanes beyond N store nothing."""
        k = self.k
        column, quotient, a, b = range(self.temps, self.temps + 4)
        for c in range(self.columns):
            k("s_mov_b64 exec, -1")
            k(f"v_add_u32 {v(column)}, vcc, s2, {v(self.lane)}")
            if c:
                k(f"v_add_u32 {v(column)}, vcc, {64 * c}, {v(column)}")
            k(f"v_cmp_gt_u32 vcc, {s(N)}, {v(column)}")
            k("s_and_saveexec_b64 s[32:33], vcc")
            k(f"s_cbranch_execz {k.local('done')}")
            split_column(k, column, quotient, (a, b), PIXELS, f"columns {64 * c} on")
            k(f"v_mul_lo_u32 {v(column)}, {v(column)}, {s(C_COLUMN)}")
            k(f"v_mul_lo_u32 {v(quotient)}, {v(quotient)}, {s(C_IMAGE)}")
            k(f"v_add_u32 {v(column)}, vcc, {v(column)}, {v(quotient)}")
            k(f"v_lshlrev_b32 {v(column)}, 2, {v(column)}")
            k(f"s_mul_i32 {s(TEMP)}, {s(M0)}, {s(C_ROW)}")
            at = 0
            for block, m, register in kept:
                if block != c:
                    continue
                if m - at > 1:  # on to the next 16 rows
                    k(f"s_mul_i32 {s(WAVE)}, {s(C_ROW)}, {m - at - 1}")
                    k(f"s_add_u32 {s(TEMP)}, {s(TEMP)}, {s(WAVE)}")
                if m:
                    k(f"s_add_u32 {s(TEMP)}, {s(TEMP)}, {s(C_ROW)}")
                at = m
                k(f"buffer_store_dword {v(register)}, {v(column)}, {s(C_RESOURCE, 4)}, {s(TEMP)} offen")


SHAPES = [(32, 2), (32, 1), (16, 2), (16, 1), (8, 1)]


def main() -> None:
    """Write gemm_scalar.s beside the OpenCL sources."""
    kernels = [DenseGemm(rows, columns, False).generate() for rows, columns in SHAPES]
    kernels += [DenseGemm(rows, columns, True).generate() for rows, columns in SHAPES if rows > 8]
    target = Path(__file__).parent.parent / "src" / "gemm_scalar.s"
    target.write_text(module(kernels, "python3 generate/gemm_scalar.py"))


if __name__ == "__main__":
    main()
