"""Dense GEMM with one operand through the scalar unit.

C[M×N] = A · B, A given transposed with m contiguous: A element (m, k) at k·lda + m, B element (k, n) at k·ldb + n
(elements). A wavefront owns ``rows`` m and 64·``columns`` n. Per k: scalar loads bring ``rows`` values of A, vector
loads bring ``columns`` registers of B (lane = n), then rows·columns ``v_mac_f32`` with the A value from an SGPR: no
LDS, no barrier, no vector instruction but multiply-adds in the loop.

Any N and K, M ≥ rows: the last block of rows is moved back so that it ends at M; rows computed twice give the same
bits. C element (m, n): image i = n div pixels, pixel p = n mod pixels at m·c_row_stride + i·c_image_stride +
p·c_column_stride. bias (null: none) is added per m. K may be cut in slices of k_slice for work-groups z, whose
partial results lie c_slice_stride apart; otherwise k_slice ≥ K. A work-group is any number (waves) of wavefronts,
which take adjacent blocks of rows and the same columns. Grid: (ceil(N / (64·columns)) · 64·waves, ceil(ceil(M /
rows) / waves), ceil(K / k_slice)).

Per output the sum starts at the bias (or 0) and runs over ascending k, one rounding per product and one per sum.
"""

from __future__ import annotations

from pathlib import Path

from common import buffer_resource, split_column, wave_index
from gcn3 import BUFFER_WORD3, Kernel, module, s, v

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
]

RING = 4  # k steps that B is loaded ahead

# Scalar registers. 0–1 argument pointer, 2–4 work-group ids.
A_LOW, A_HIGH, B_RESOURCE, C_RESOURCE, C_POINTER = 6, 8, 12, 16, 20
M, N, K, LDA, LDB, C_ROW, C_COLUMN, C_IMAGE = 24, 25, 26, 27, 28, 29, 30, 31
A_SET = 32  # two sets of 32 values
PIXELS, K_SLICE, C_SLICE, WAVES = 96, 97, 98, 99
A_OFFSET, A_LAST = 100, 101
BIAS = 22
B_OFFSET, STEPS, M0, WAVE, TEMP = 10, 0, 1, 5, 3


def generate(rows: int, columns: int) -> Kernel:
    """The kernel for one block shape: ``rows`` of m, 64·``columns`` of n per wavefront."""
    accumulators, ring = 0, rows * columns
    offsets = ring + RING * columns  # byte offset of the lane's column in B, one register a block of 64
    lane = offsets + columns
    temps = lane + 1
    k = Kernel(f"gemm_scalar_{rows}x{64 * columns}", ARGUMENTS, sgprs=102, vgprs=temps + 4)
    steps_per_set = 32 // rows
    unroll = max(RING, 2 * steps_per_set)  # both sets of A registers, whole turns of the B ring

    k.load(M, "M", 8)
    k.load(PIXELS, "pixels", 4)
    k.load(12, "a", 8)  # a, b, c, bias into 12..19
    wave_index(k, WAVE, lane)
    k("s_waitcnt lgkmcnt(0)")
    k(f"s_mov_b64 {s(C_POINTER, 2)}, {s(16, 2)}")
    k(f"s_mov_b64 {s(BIAS, 2)}, {s(18, 2)}")
    k(f"s_mov_b64 {s(A_LOW, 2)}, {s(12, 2)}")
    k.comment("block of rows: moved back at the edge")
    k(f"s_mul_i32 {s(M0)}, s3, {s(WAVES)}")
    k(f"s_add_u32 {s(M0)}, {s(M0)}, {s(WAVE)}")
    k(f"s_mul_i32 {s(M0)}, {s(M0)}, {rows}")
    k(f"s_cmp_ge_u32 {s(M0)}, {s(M)}")
    k(f"s_cbranch_scc1 {k.local('done')}")
    k(f"s_sub_u32 {s(TEMP)}, {s(M)}, {rows}")
    k(f"s_min_u32 {s(M0)}, {s(M0)}, {s(TEMP)}")
    k.comment("slice of K: s4 is the slice, STEPS its length")
    k(f"s_mul_i32 {s(TEMP)}, s4, {s(K_SLICE)}")
    k(f"s_sub_u32 {s(STEPS)}, {s(K)}, {s(TEMP)}")
    k(f"s_min_u32 {s(STEPS)}, {s(STEPS)}, {s(K_SLICE)}")
    k(f"s_lshl_b32 {s(LDA)}, {s(LDA)}, 2")
    k(f"s_lshl_b32 {s(LDB)}, {s(LDB)}, 2")
    k(f"s_mul_i32 {s(A_OFFSET)}, {s(TEMP)}, {s(LDA)}")
    k(f"s_mul_i32 {s(B_OFFSET)}, {s(TEMP)}, {s(LDB)}")
    k(f"s_add_u32 {s(TEMP)}, {s(TEMP)}, {s(STEPS)}")
    k(f"s_sub_u32 {s(TEMP)}, {s(TEMP)}, 1")
    k(f"s_mul_i32 {s(A_LAST)}, {s(TEMP)}, {s(LDA)}")
    k.comment("A: base of the block's rows, and 64 bytes on")
    k(f"s_lshl_b32 {s(TEMP)}, {s(M0)}, 2")
    k(f"s_add_u32 {s(A_LOW)}, {s(A_LOW)}, {s(TEMP)}")
    k(f"s_addc_u32 {s(A_LOW + 1)}, {s(A_LOW + 1)}, 0")
    k(f"s_add_u32 {s(A_HIGH)}, {s(A_LOW)}, 64")
    k(f"s_addc_u32 {s(A_HIGH + 1)}, {s(A_LOW + 1)}, 0")
    _load_a(k, rows, 0)
    k(f"s_and_b32 {s(B_RESOURCE + 3)}, {s(15)}, 0xffff")
    k(f"s_mov_b32 {s(B_RESOURCE)}, {s(14)}")
    k(f"s_mov_b32 {s(B_RESOURCE + 1)}, {s(B_RESOURCE + 3)}")
    k.comment("bytes of B: rows that are loaded ahead beyond K read as 0")
    k(f"s_sub_u32 {s(TEMP)}, {s(K)}, 1")
    k(f"s_mul_i32 {s(B_RESOURCE + 2)}, {s(TEMP)}, {s(LDB)}")
    k(f"s_lshl_b32 {s(TEMP)}, {s(N)}, 2")
    k(f"s_add_u32 {s(B_RESOURCE + 2)}, {s(B_RESOURCE + 2)}, {s(TEMP)}")
    k(f"s_mov_b32 {s(B_RESOURCE + 3)}, {BUFFER_WORD3:#x}")
    k(f"s_mul_i32 s2, s2, {64 * columns}")
    k(f"s_sub_u32 {s(TEMP)}, {s(N)}, 1")
    for c in range(columns):
        k(f"v_add_u32 {v(temps)}, vcc, s2, {v(lane)}")
        if c:
            k(f"v_add_u32 {v(temps)}, vcc, {64 * c}, {v(temps)}")
        k(f"v_min_u32 {v(temps)}, {s(TEMP)}, {v(temps)}")
        k(f"v_lshlrev_b32 {v(offsets + c)}, 2, {v(temps)}")
    for step in range(RING):
        _load_b(k, ring, offsets, columns, step)
    _start(k, rows, columns, accumulators)

    k(f"s_sub_u32 {s(STEPS)}, {s(STEPS)}, {unroll}")
    k(f"s_cbranch_scc1 {k.local('tail')}")
    k(".p2align 6")
    k.label("loop")
    for step in range(unroll):
        _step(k, rows, columns, steps_per_set, step, accumulators, ring, offsets)
    k(f"s_sub_u32 {s(STEPS)}, {s(STEPS)}, {unroll}")
    k(f"s_cbranch_scc0 {k.local('loop')}")
    k.label("tail")
    k(f"s_add_u32 {s(STEPS)}, {s(STEPS)}, {unroll}")
    for step in range(unroll - 1):
        k(f"s_sub_u32 {s(STEPS)}, {s(STEPS)}, 1")
        k(f"s_cbranch_scc1 {k.local('store')}")
        _step(k, rows, columns, steps_per_set, step, accumulators, ring, offsets)
    k.label("store")
    k.comment("no load may land in a register that the epilogue uses")
    k("s_waitcnt vmcnt(0) lgkmcnt(0)")
    _store(k, rows, columns, accumulators, lane, temps)
    k.label("done")
    k("s_endpgm")
    return k


def _load_a(k: Kernel, rows: int, which: int) -> None:
    """Load the next set of A values (32 / rows steps) and move on, never beyond the last k."""
    base = A_SET + 32 * which
    for step in range(32 // rows):
        at = base + step * rows
        width = min(rows, 16)
        k(f"s_load_dwordx{width} {s(at, width)}, {s(A_LOW, 2)}, {s(A_OFFSET)}")
        if rows == 32:
            k(f"s_load_dwordx16 {s(at + 16, 16)}, {s(A_HIGH, 2)}, {s(A_OFFSET)}")
        k(f"s_add_u32 {s(A_OFFSET)}, {s(A_OFFSET)}, {s(LDA)}")
        k(f"s_min_u32 {s(A_OFFSET)}, {s(A_OFFSET)}, {s(A_LAST)}")


def _load_b(k: Kernel, ring: int, offsets: int, columns: int, step: int) -> None:
    """Load the next row of B into a slot of the ring and move on."""
    for c in range(columns):
        k(
            f"buffer_load_dword {v(ring + step * columns + c)}, {v(offsets + c)}, {s(B_RESOURCE, 4)},"
            f" {s(B_OFFSET)} offen"
        )
    k(f"s_add_u32 {s(B_OFFSET)}, {s(B_OFFSET)}, {s(LDB)}")


def _start(k: Kernel, rows: int, columns: int, accumulators: int) -> None:
    """Accumulators begin at the bias of their row, by way of the second set of A registers."""
    bias = A_SET + 32
    k(f"s_cmp_eq_u64 {s(BIAS, 2)}, 0")
    k(f"s_cbranch_scc1 {k.local('no_bias')}")
    k(f"s_lshl_b32 {s(TEMP)}, {s(M0)}, 2")
    k(f"s_add_u32 {s(BIAS)}, {s(BIAS)}, {s(TEMP)}")
    k(f"s_addc_u32 {s(BIAS + 1)}, {s(BIAS + 1)}, 0")
    k("s_cmp_eq_u32 s4, 0")
    k(f"s_cbranch_scc0 {k.local('no_bias')}")
    for first in range(0, rows, 16):
        width = min(rows, 16)
        k(f"s_load_dwordx{width} {s(bias + first, width)}, {s(BIAS, 2)}, {first * 4:#x}")
    k("s_waitcnt lgkmcnt(0)")
    for c in range(columns):
        for m in range(rows):
            k(f"v_mov_b32 {v(accumulators + c * rows + m)}, {s(bias + m)}")
    k(f"s_branch {k.local('started')}")
    k.label("no_bias")
    for register in range(accumulators, accumulators + rows * columns):
        k(f"v_mov_b32 {v(register)}, 0")
    k.label("started")


def _step(
    k: Kernel, rows: int, columns: int, steps_per_set: int, step: int, accumulators: int, ring: int, offsets: int
) -> None:
    """One k: wait for its operands, start the loads of later ones, multiply and add."""
    which = step // steps_per_set % 2
    if step % steps_per_set == 0:
        k("s_waitcnt lgkmcnt(0)")
        _load_a(k, rows, 1 - which)
    k(f"s_waitcnt vmcnt({(RING - 1) * columns})")
    values = A_SET + 32 * which + step % steps_per_set * rows
    for c in range(columns):
        for m in range(rows):
            k(f"v_mac_f32 {v(accumulators + c * rows + m)}, {s(values + m)}, {v(ring + step % RING * columns + c)}")
    _load_b(k, ring, offsets, columns, step % RING)


def _store(k: Kernel, rows: int, columns: int, accumulators: int, lane: int, temps: int) -> None:
    """Store the block; lanes beyond N store nothing."""
    column, quotient, a, b = temps, temps + 1, temps + 2, temps + 3
    k.comment("the slice's place in C")
    k(f"s_mul_i32 {s(TEMP)}, s4, {s(C_SLICE)}")
    k(f"s_lshl_b32 {s(TEMP)}, {s(TEMP)}, 2")
    k(f"s_add_u32 {s(C_POINTER)}, {s(C_POINTER)}, {s(TEMP)}")
    k(f"s_addc_u32 {s(C_POINTER + 1)}, {s(C_POINTER + 1)}, 0")
    buffer_resource(k, C_RESOURCE, C_POINTER)
    k(f"s_lshl_b32 {s(C_ROW)}, {s(C_ROW)}, 2")
    for c in range(columns):
        k("s_mov_b64 exec, -1")
        k(f"v_add_u32 {v(column)}, vcc, s2, {v(lane)}")
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
        for m in range(rows):
            k(f"buffer_store_dword {v(accumulators + c * rows + m)}, {v(column)}, {s(C_RESOURCE, 4)}, {s(TEMP)} offen")
            k(f"s_add_u32 {s(TEMP)}, {s(TEMP)}, {s(C_ROW)}")


SHAPES = [(32, 2), (32, 1), (16, 2), (16, 1), (8, 1)]


def main() -> None:
    """Write gemm_scalar.s beside the OpenCL sources."""
    kernels = [generate(rows, columns) for rows, columns in SHAPES]
    target = Path(__file__).parent.parent / "src" / "gemm_scalar.s"
    target.write_text(module(kernels, "python3 generate/gemm_scalar.py"))


if __name__ == "__main__":
    main()
