"""Code that the dense and the sparse GEMM share: who am I, and where do my outputs go."""

from __future__ import annotations

from gcn3 import BUFFER_WORD3, Kernel, s, v


def wave_index(k: Kernel, wave: int, lane: int) -> None:
    """Split work-item id x (v0) into the wavefront's number in its group (SGPR) and the lane (VGPR)."""
    k(f"v_lshrrev_b32 {v(lane)}, 6, v0")
    k(f"v_readfirstlane_b32 {s(wave)}, {v(lane)}")
    k(f"v_and_b32 {v(lane)}, 63, v0")


def place_wave(k: Kernel, wave: int, waves: int, temps: tuple[int, int]) -> None:
    """Turn the work-group ids s2, s3, s4 into the wavefront's block of n, block of m, and slice of K.

    Of the ``waves`` wavefronts of a group, 2**column_shift lie side by side along n, 2**slice_shift times that many
    along K, and the rest along m. column_shift and slice_shift are loaded here into ``temps`` (an even pair).
    """
    columns, slices = temps
    k.load(columns, "column_shift", 2)
    k("s_waitcnt lgkmcnt(0)")
    k(f"s_lshl_b32 s2, s2, {s(columns)}")
    k(f"s_lshl_b32 s4, s4, {s(slices)}")
    k(f"s_lshr_b32 {s(waves)}, {s(waves)}, {s(columns)}")
    k(f"s_lshr_b32 {s(waves)}, {s(waves)}, {s(slices)}")
    k(f"s_mul_i32 s3, s3, {s(waves)}")
    k(f"s_bfm_b32 {s(waves)}, {s(columns)}, 0")
    k(f"s_and_b32 {s(waves)}, {s(wave)}, {s(waves)}")
    k(f"s_add_u32 s2, s2, {s(waves)}")
    k(f"s_lshr_b32 {s(wave)}, {s(wave)}, {s(columns)}")
    k(f"s_bfm_b32 {s(waves)}, {s(slices)}, 0")
    k(f"s_and_b32 {s(waves)}, {s(wave)}, {s(waves)}")
    k(f"s_add_u32 s4, s4, {s(waves)}")
    k(f"s_lshr_b32 {s(wave)}, {s(wave)}, {s(slices)}")
    k(f"s_add_u32 s3, s3, {s(wave)}")


def buffer_resource(k: Kernel, resource: int, pointer: int) -> None:
    """Make a raw buffer resource of the whole address space from a 64-bit pointer; the kernel keeps its own bounds."""
    k(f"s_mov_b32 {s(resource)}, {s(pointer)}")
    k(f"s_and_b32 {s(resource + 1)}, {s(pointer + 1)}, 0xffff")
    k(f"s_mov_b32 {s(resource + 2)}, 0xffffffff")
    k(f"s_mov_b32 {s(resource + 3)}, {BUFFER_WORD3:#x}")


def split_column(k: Kernel, column: int, quotient: int, scratch: tuple[int, int], pixels: int, prefix: str) -> None:
    """Turn column into (quotient, column mod pixels); ``pixels`` is an SGPR; columns are below 2**24.

    The float reciprocal is off by at most one, which two conditional steps put right.
    """
    a, b = scratch
    k.comment(f"{prefix}: image and pixel of the lane's column")
    k(f"v_cvt_f32_u32 {v(a)}, {s(pixels)}")
    k(f"v_rcp_f32 {v(a)}, {v(a)}")
    k(f"v_cvt_f32_u32 {v(b)}, {v(column)}")
    k(f"v_mul_f32 {v(a)}, {v(a)}, {v(b)}")
    k(f"v_cvt_u32_f32 {v(quotient)}, {v(a)}")
    k(f"v_mul_lo_u32 {v(a)}, {v(quotient)}, {s(pixels)}")
    k(f"v_sub_u32 {v(column)}, vcc, {v(column)}, {v(a)}")
    k(f"v_mov_b32 {v(b)}, {s(pixels)}")
    k(f"v_cmp_gt_i32 vcc, 0, {v(column)}")
    k(f"v_cndmask_b32 {v(a)}, 0, {v(b)}, vcc")
    k(f"v_subbrev_u32 {v(quotient)}, vcc, 0, {v(quotient)}, vcc")
    k(f"v_add_u32 {v(column)}, vcc, {v(column)}, {v(a)}")
    k(f"v_cmp_ge_i32 vcc, {v(column)}, {v(b)}")
    k(f"v_cndmask_b32 {v(a)}, 0, {v(b)}, vcc")
    k(f"v_addc_u32 {v(quotient)}, vcc, 0, {v(quotient)}, vcc")
    k(f"v_sub_u32 {v(column)}, vcc, {v(column)}, {v(a)}")
