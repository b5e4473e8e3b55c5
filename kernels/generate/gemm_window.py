"""Dense convolution as an implicit GEMM that reads its input as it lies: no im2col matrix, no copy with a border.

C[M×N] = A · B as in gemm_scalar: A element (k, m) through the scalar unit, a wavefront owns ``rows`` m and
64·``columns`` n, lane = n. k runs over *units* of four channels of one tap, 16 bytes of ``units`` each: the byte offset
in B of the tap in the first channel, the number of the tap, the byte offset in A of the row of the first channel, and
that of the unit after the next one, for the prefetch. Within a unit B moves on by ``plane`` bytes, A by ``a_step``.

``columns`` holds three words for each n, ``column_bytes`` apart: the byte offset in B of the column's window, a bit for
each tap that lies in the padding, and the byte offset of the output in a row of C (all ones: none). A lane whose tap
is in the padding gets an offset beyond ``b_bytes``, which reads as 0: two vector instructions a unit and block of 64
columns.

Work-groups of four wavefronts take the blocks of ``work``, 32 bytes each: first n, first m, byte offset in ``units``,
number of units, place in ``partial`` (all ones: C itself), whether the bias is added, and the byte offset of the
group's next block (0: none). The four wavefronts share the units and add their sums in the LDS, in ascending order.
A partial result is a block of ``rows`` × 64·``columns``, row by row; sum_tiles adds those of a block.

Per output the sum starts at the bias (or 0) and runs over units, in a unit over channels, one rounding per product and
one per sum.
"""

from __future__ import annotations

from pathlib import Path

from common import buffer_resource, wave_index
from gcn3 import BUFFER_WORD3, Kernel, module, s, v

ARGUMENTS = [
    ("a", "buffer"),
    ("b", "buffer"),
    ("c", "buffer"),
    ("partial", "buffer"),
    ("bias", "buffer"),
    ("work", "buffer"),
    ("units", "buffer"),
    ("columns", "buffer"),
    ("b_bytes", "u32"),
    ("plane", "u32"),
    ("a_step", "u32"),
    ("c_row_bytes", "u32"),
    ("column_bytes", "u32"),
    ("a_bytes", "u32"),
]

RING = 4  # k steps that B is loaded ahead: the steps of a unit

# Scalar registers. 0–1 argument pointer (moved to POINTER), 2 work-group id.
UNITS, M0, N0, TEMP, NEXT, WAVE, A_LOW, A_HIGH = 0, 1, 2, 3, 4, 5, 6, 8
B_AT, A_AT, B_RESOURCE, ENTRY, TABLE, PLANE, A_STEP, A_RESOURCE = 10, 11, 12, 16, 20, 22, 23, 24
PLACE, WITH_BIAS, TEMP2 = 28, 29, 30
A_SET = 32  # two sets of 32 values
POINTER = 96
# Before and after the loop, in A_SET: the block's description, then the arguments in their order.
BLOCK, BUFFERS, WORDS = A_SET, A_SET + 16, A_SET + 32
A, B, C, PARTIAL, BIAS, WORK, UNIT_TABLE, COLUMNS = range(BUFFERS, BUFFERS + 16, 2)
B_BYTES, PLANE_BYTES, STEP_BYTES, C_ROW, COLUMN_BYTES, A_BYTES = range(WORDS, WORDS + 6)
C_RESOURCE = A_SET + 8

LDS_BYTES = 4096
"""A wavefront's part of the LDS where slices are added in the work-group."""


class WindowGemm:
    """Generator of one kernel: ``rows`` of m and 64·``columns`` of n per wavefront."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.steps_per_set = 32 // rows
        self.ring = rows * columns  # accumulators are registers 0 … rows·columns − 1, block by block
        self.offsets = self.ring + RING * columns
        self.masks = self.offsets + columns
        self.masked = self.masks + columns
        self.outputs = self.masked + columns
        self.lane = self.outputs + columns
        self.fetched, self.ahead = self.lane + 1, self.lane + 2  # prefetch of A: what nobody reads, and its offset
        self.k = Kernel(f"gemm_window_{rows}x{64 * columns}", ARGUMENTS, sgprs=104, vgprs=self.lane + 3)

    def generate(self) -> Kernel:
        """The whole kernel."""
        k = self.k
        k(f"s_mov_b64 {s(POINTER, 2)}, s[0:1]")
        wave_index(k, WAVE, self.lane)
        k("s_mov_b32 m0, -1")
        k(f"s_lshl_b32 {s(NEXT)}, s2, 5")
        k.label("block")
        self._place()
        self._start()
        self._start_accumulators()
        k(f"s_cmp_eq_u32 {s(UNITS)}, 0")
        k(f"s_cbranch_scc1 {k.local('sum')}")
        k(".p2align 6")
        k.label("loop")
        for step in range(RING):
            self._step(step)
        k(f"s_sub_u32 {s(UNITS)}, {s(UNITS)}, 1")
        k(f"s_cmp_lg_u32 {s(UNITS)}, 0")
        k(f"s_cbranch_scc1 {k.local('loop')}")
        k.label("sum")
        k.comment("no load may land in a register that the epilogue uses")
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        self._arguments()
        self._reduce()
        self._store()
        k(f"s_cmp_lg_u32 {s(NEXT)}, 0")
        k(f"s_cbranch_scc1 {k.local('block')}")
        k("s_endpgm")
        return k

    def _arguments(self) -> None:
        k = self.k
        k(f"s_load_dwordx16 {s(BUFFERS, 16)}, {s(POINTER, 2)}, 0x0")
        k(f"s_load_dwordx4 {s(WORDS, 4)}, {s(POINTER, 2)}, {k.offset('b_bytes'):#x}")
        k(f"s_load_dwordx2 {s(WORDS + 4, 2)}, {s(POINTER, 2)}, {k.offset('column_bytes'):#x}")

    def _place(self) -> None:
        """Read the block's description: operands, the wavefront's share of the units, tables of its columns."""
        k = self.k
        self._arguments()
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_load_dwordx8 {s(BLOCK, 8)}, {s(WORK, 2)}, {s(NEXT)}")
        k(f"s_mov_b32 {s(PLANE)}, {s(PLANE_BYTES)}")
        k(f"s_mov_b32 {s(A_STEP)}, {s(STEP_BYTES)}")
        buffer_resource(k, B_RESOURCE, B)
        k(f"s_mov_b32 {s(B_RESOURCE + 2)}, {s(B_BYTES)}")
        buffer_resource(k, C_RESOURCE, COLUMNS)
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_mov_b32 {s(N0)}, {s(BLOCK)}")
        k(f"s_mov_b32 {s(M0)}, {s(BLOCK + 1)}")
        k(f"s_mov_b64 {s(PLACE, 2)}, {s(BLOCK + 4, 2)}")
        k(f"s_mov_b32 {s(NEXT)}, {s(BLOCK + 6)}")
        for c in range(self.columns):
            k(f"v_add_u32 {v(self.masked + c)}, vcc, {s(N0)}, {v(self.lane)}")
            if c:
                k(f"v_add_u32 {v(self.masked + c)}, vcc, {64 * c}, {v(self.masked + c)}")
            k(f"v_lshlrev_b32 {v(self.masked + c)}, 2, {v(self.masked + c)}")
        k(f"s_lshl_b32 {s(TEMP2)}, {s(COLUMN_BYTES)}, 1")
        for first, at in [(self.offsets, "0"), (self.masks, s(COLUMN_BYTES)), (self.outputs, s(TEMP2))]:
            for c in range(self.columns):
                k(f"buffer_load_dword {v(first + c)}, {v(self.masked + c)}, {s(C_RESOURCE, 4)}, {at} offen")
        k.comment("the wavefront's units: a quarter, rounded up, of what is left")
        k(f"s_add_u32 {s(TEMP)}, {s(BLOCK + 3)}, 3")
        k(f"s_lshr_b32 {s(TEMP)}, {s(TEMP)}, 2")
        k(f"s_mul_i32 {s(TEMP2)}, {s(TEMP)}, {s(WAVE)}")
        k(f"s_min_u32 {s(TEMP2)}, {s(TEMP2)}, {s(BLOCK + 3)}")
        k(f"s_sub_u32 {s(UNITS)}, {s(BLOCK + 3)}, {s(TEMP2)}")
        k(f"s_min_u32 {s(UNITS)}, {s(UNITS)}, {s(TEMP)}")
        k(f"s_lshl_b32 {s(TEMP2)}, {s(TEMP2)}, 4")
        k(f"s_add_u32 {s(TEMP2)}, {s(TEMP2)}, {s(BLOCK + 2)}")
        k(f"s_add_u32 {s(TABLE)}, {s(UNIT_TABLE)}, {s(TEMP2)}")
        k(f"s_addc_u32 {s(TABLE + 1)}, {s(UNIT_TABLE + 1)}, 0")
        k(f"s_load_dwordx4 {s(ENTRY, 4)}, {s(TABLE, 2)}, 0x0")
        k.comment("A: base of the block's rows, and 64 bytes on; a buffer of it for the prefetch")
        k(f"s_lshl_b32 {s(TEMP)}, {s(M0)}, 2")
        k(f"s_add_u32 {s(A_LOW)}, {s(A)}, {s(TEMP)}")
        k(f"s_addc_u32 {s(A_LOW + 1)}, {s(A + 1)}, 0")
        k(f"s_add_u32 {s(A_HIGH)}, {s(A_LOW)}, 64")
        k(f"s_addc_u32 {s(A_HIGH + 1)}, {s(A_LOW + 1)}, 0")
        buffer_resource(k, A_RESOURCE, A_LOW)
        k(f"s_sub_u32 {s(A_RESOURCE + 2)}, {s(A_BYTES)}, {s(TEMP)}")
        k.comment("lanes of the prefetch: four channels of 16")
        k(f"v_and_b32 {v(self.ahead)}, 15, {v(self.lane)}")
        k(f"v_lshlrev_b32 {v(self.ahead)}, {1 + self.rows // 16}, {v(self.ahead)}")
        k(f"v_lshrrev_b32 {v(self.fetched)}, 4, {v(self.lane)}")
        k(f"v_mul_lo_u32 {v(self.fetched)}, {v(self.fetched)}, {s(A_STEP)}")
        k(f"v_add_u32 {v(self.ahead)}, vcc, {v(self.ahead)}, {v(self.fetched)}")

    def _start(self) -> None:
        """Start the loads of the first unit; BIAS is read after the sets of A are, so it moves away."""
        k = self.k
        k(f"s_mov_b64 vcc, {s(BIAS, 2)}")
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        self._unit()
        k(f"s_mov_b32 {s(A_AT)}, {s(ENTRY + 2)}")
        for step in range(RING):
            self._load_b(step)
        self._load_a(0)
        k(f"s_load_dwordx4 {s(ENTRY, 4)}, {s(TABLE, 2)}, 0x10")
        self._move(TABLE, 32)

    def _start_accumulators(self) -> None:
        """Accumulators begin at the bias of their row in the first wavefront, by way of the second set of A."""
        k, bias = self.k, A_SET + 32
        k(f"s_cmp_eq_u32 {s(WITH_BIAS)}, 0")
        k(f"s_cbranch_scc1 {k.local('no_bias')}")
        k(f"s_cmp_lg_u32 {s(WAVE)}, 0")
        k(f"s_cbranch_scc1 {k.local('no_bias')}")
        k("s_cmp_eq_u64 vcc, 0")
        k(f"s_cbranch_scc1 {k.local('no_bias')}")
        k(f"s_lshl_b32 {s(TEMP)}, {s(M0)}, 2")
        k(f"s_add_u32 vcc_lo, vcc_lo, {s(TEMP)}")
        k("s_addc_u32 vcc_hi, vcc_hi, 0")
        for first in range(0, self.rows, 16):
            k(f"s_load_dwordx16 {s(bias + first, 16)}, vcc, {first * 4:#x}")
        k("s_waitcnt lgkmcnt(0)")
        for c in range(self.columns):
            for m in range(self.rows):
                k(f"v_mov_b32 {v(c * self.rows + m)}, {s(bias + m)}")
        k(f"s_branch {k.local('started')}")
        k.label("no_bias")
        for register in range(self.rows * self.columns):
            k(f"v_mov_b32 {v(register)}, 0")
        k.label("started")

    def _move(self, pointer: int, by: int) -> None:
        self.k(f"s_add_u32 {s(pointer)}, {s(pointer)}, {by}")
        self.k(f"s_addc_u32 {s(pointer + 1)}, {s(pointer + 1)}, 0")

    def _unit(self) -> None:
        """Go on to the unit of ENTRY with the loads of B: its offset, and the lanes that have its tap."""
        k = self.k
        k(f"s_mov_b32 {s(B_AT)}, {s(ENTRY)}")
        for c in range(self.columns):
            k(f"v_bfe_i32 {v(self.masked + c)}, {v(self.masks + c)}, {s(ENTRY + 1)}, 1")
        for c in range(self.columns):
            k(f"v_or_b32 {v(self.masked + c)}, {v(self.offsets + c)}, {v(self.masked + c)}")

    def _load_a(self, which: int) -> None:
        """Load the next set of A values (32 / rows steps) and move on."""
        k = self.k
        for step in range(self.steps_per_set):
            at = A_SET + 32 * which + step * self.rows
            k(f"s_load_dwordx16 {s(at, 16)}, {s(A_LOW, 2)}, {s(A_AT)}")
            if self.rows == 32:
                k(f"s_load_dwordx16 {s(at + 16, 16)}, {s(A_HIGH, 2)}, {s(A_AT)}")
            k(f"s_add_u32 {s(A_AT)}, {s(A_AT)}, {s(A_STEP)}")

    def _load_b(self, slot: int) -> None:
        """Load the next channel of B into a slot of the ring and move on."""
        k = self.k
        for c in range(self.columns):
            target, lane = v(self.ring + slot * self.columns + c), v(self.masked + c)
            k(f"buffer_load_dword {target}, {lane}, {s(B_RESOURCE, 4)}, {s(B_AT)} offen")
        k(f"s_add_u32 {s(B_AT)}, {s(B_AT)}, {s(PLANE)}")

    def _step(self, step: int) -> None:
        """One channel: wait for its operands, start the loads of later ones, multiply and add.

        B is loaded a unit ahead, A a set. ENTRY holds the next unit from the first step on, until A's loads reach it.
        """
        k = self.k
        which = step // self.steps_per_set % 2
        if step % self.steps_per_set == 0:
            k("s_waitcnt lgkmcnt(0)")
            self._load_a(1 - which)
        if step == RING - 2 * self.steps_per_set:
            k(f"s_mov_b32 {s(A_AT)}, {s(ENTRY + 2)}")
        if step == 0:
            self._unit()
            k(f"buffer_load_dword {v(self.fetched)}, {v(self.ahead)}, {s(A_RESOURCE, 4)}, {s(ENTRY + 3)} offen")
        if step == RING - self.steps_per_set:
            k(f"s_load_dwordx4 {s(ENTRY, 4)}, {s(TABLE, 2)}, 0x0")
            self._move(TABLE, 16)
        k(f"s_waitcnt vmcnt({(RING - 1) * self.columns + 1})")
        values = A_SET + 32 * which + step % self.steps_per_set * self.rows
        for c in range(self.columns):
            b = v(self.ring + step * self.columns + c)
            for m in range(self.rows):
                k(f"v_mac_f32 {v(c * self.rows + m)}, {s(values + m)}, {b}")
        self._load_b(step)

    def _reduce(self) -> None:
        """Add the wavefronts' sums in ascending order: of 16 accumulators each wavefront adds and keeps four."""
        k, write, read = self.k, v(self.ring), v(self.ring + 1)
        k(f"v_lshlrev_b32 {write}, 4, {v(self.lane)}")
        k(f"s_lshl_b32 {s(TEMP)}, {s(WAVE)}, 10")
        k(f"v_add_u32 {read}, vcc, {s(TEMP)}, {write}")
        k(f"s_lshl_b32 {s(TEMP)}, {s(WAVE)}, 12")
        k(f"v_add_u32 {write}, vcc, {s(TEMP)}, {write}")
        for first in range(0, self.rows * self.columns, 16):
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

    def _store(self) -> None:
        """Store the wavefront's quarter: rows 4·WAVE … of each 16, to C or as a partial result."""
        k, base, row = self.k, C, C_ROW
        k(f"s_mul_i32 {s(TEMP2)}, {s(M0)}, {s(C_ROW)}")
        k(f"s_cmp_eq_u32 {s(PLACE)}, -1")
        k(f"s_cbranch_scc1 {k.local('to_c')}")
        k(f"s_mul_i32 {s(TEMP)}, {s(PLACE)}, {self.rows * self.columns * 256}")
        k(f"s_add_u32 {s(base)}, {s(PARTIAL)}, {s(TEMP)}")
        k(f"s_addc_u32 {s(base + 1)}, {s(PARTIAL + 1)}, 0")
        k(f"s_movk_i32 {s(row)}, {self.columns * 256}")
        k(f"s_mov_b32 {s(TEMP2)}, 0")
        for c in range(self.columns):
            k(f"v_lshlrev_b32 {v(self.outputs + c)}, 2, {v(self.lane)}")
            if c:
                k(f"v_add_u32 {v(self.outputs + c)}, vcc, {256 * c}, {v(self.outputs + c)}")
        k.label("to_c")
        k.comment("a lane without an output lies beyond the buffer, and stores nothing")
        k(f"s_mov_b32 {s(C_RESOURCE)}, {s(base)}")
        k(f"s_and_b32 {s(C_RESOURCE + 1)}, {s(base + 1)}, 0xffff")
        k(f"s_brev_b32 {s(C_RESOURCE + 2)}, 1")
        k(f"s_mov_b32 {s(C_RESOURCE + 3)}, {BUFFER_WORD3:#x}")
        k(f"s_lshl_b32 {s(TEMP)}, {s(WAVE)}, 2")
        k(f"s_mul_i32 {s(TEMP)}, {s(TEMP)}, {s(row)}")
        k(f"s_add_u32 {s(TEMP2)}, {s(TEMP2)}, {s(TEMP)}")
        k(f"s_mul_i32 {s(BLOCK)}, {s(row)}, 13")
        for m in range(0, self.rows, 16):
            for i in range(4):
                for c in range(self.columns):
                    register, lane = v(c * self.rows + m + i), v(self.outputs + c)
                    k(f"buffer_store_dword {register}, {lane}, {s(C_RESOURCE, 4)}, {s(TEMP2)} offen")
                if i < 3 or m + 16 < self.rows:
                    k(f"s_add_u32 {s(TEMP2)}, {s(TEMP2)}, {s(row if i < 3 else BLOCK)}")


SHAPES = [(32, 2), (32, 1), (16, 2), (16, 1)]


def main() -> None:
    """Write gemm_window.s beside the OpenCL sources."""
    kernels = [WindowGemm(rows, columns).generate() for rows, columns in SHAPES]
    target = Path(__file__).parent.parent / "src" / "gemm_window.s"
    target.write_text(module(kernels, "python3 generate/gemm_window.py"))


if __name__ == "__main__":
    main()
