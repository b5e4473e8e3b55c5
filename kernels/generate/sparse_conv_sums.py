"""What a wavefront of a sparse direct convolution does behind its loop: sums of slices through the LDS, and stores."""

from __future__ import annotations

from common import buffer_resource
from gcn3 import Kernel, s, v
from sparse_conv_registers import (
    A_C_FILTER,
    A_C_IMAGE,
    A_C_SLICE,
    A_F,
    A_PAD_W,
    A_POINTERS,
    A_Q,
    A_SLICE_SHIFT,
    B_RESOURCE,
    KEPT_ARGUMENTS,
    KEPT_F0,
    KEPT_IMAGE,
    KEPT_ROW,
    KEPT_SLICE,
    KEPT_WAVE,
    KEPT_Z,
)


class SliceSums:
    """The end of a kernel; the class that takes it in places the registers and loads the arguments.

    Attributes:
        k: the kernel.
        taps, columns: S, and blocks of 64 filters.
        accumulators: of a block of filters, the first vector registers.
        lane, kept: vector registers of the lane's byte offset, and of what the prologue keeps for the end.
    """

    k: Kernel
    taps: int
    columns: int
    accumulators: int
    lane: int
    kept: int

    def _load_arguments(self) -> None:
        raise NotImplementedError

    def _finish(self) -> None:
        """Add the sums of the slices through the LDS, where there are several, and store."""
        k, kept = self.k, v(self.kept)
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        k("s_set_gpr_idx_off")
        k(f"v_readlane_b32 s0, {kept}, {KEPT_ARGUMENTS}")
        k(f"v_readlane_b32 s1, {kept}, {KEPT_ARGUMENTS + 1}")
        k("s_nop 4")
        self._load_arguments()
        f0, p, image, z, wave, slice_ = 2, 3, 4, 5, 6, 7
        for register, place in (
            (f0, KEPT_F0),
            (p, KEPT_ROW),
            (image, KEPT_IMAGE),
            (z, KEPT_Z),
            (wave, KEPT_WAVE),
            (slice_, KEPT_SLICE),
        ):
            k(f"v_readlane_b32 {s(register)}, {kept}, {place}")
        lane = self.lane
        k(f"v_mbcnt_lo_u32_b32 {v(lane)}, -1, 0")
        k(f"v_mbcnt_hi_u32_b32 {v(lane)}, -1, {v(lane)}")
        k("s_waitcnt lgkmcnt(0)")
        base = 8  # byte offset of (image, p) from C
        k(f"s_mul_i32 s{base}, s{image}, {s(A_C_IMAGE)}")
        k(f"s_mul_i32 s{p}, s{p}, {s(A_Q)}")
        k(f"s_add_u32 s{base}, s{base}, s{p}")
        k(f"s_lshl_b32 s{base}, s{base}, 2")
        k(f"s_mul_i32 s{z}, s{z}, {s(A_C_SLICE)}")
        k(f"s_lshl_b32 s{z}, s{z}, 2")
        k(f"s_add_u32 {s(A_POINTERS + 4)}, {s(A_POINTERS + 4)}, s{z}")
        k(f"s_addc_u32 {s(A_POINTERS + 5)}, {s(A_POINTERS + 5)}, 0")
        buffer_resource(k, B_RESOURCE, A_POINTERS + 4)
        k.comment("accumulator of output 0")
        k(f"s_sub_u32 s9, {self.reach - 1}, {s(A_PAD_W)}")
        k(f"s_lshl_b32 {s(A_C_FILTER)}, {s(A_C_FILTER)}, 2")
        k(f"s_cmp_eq_u32 {s(A_SLICE_SHIFT)}, 0")
        k(f"s_cbranch_scc0 {k.local('reduce')}")
        for c in range(self.columns):
            self._filter_address(c, f0)
            for quad in range(self.accumulators // 4):
                k(f"s_sub_i32 s10, {4 * quad}, s9")
                self._store_quad(c * self.accumulators + 4 * quad, f"{c}_{quad}")
        k("s_endpgm")
        k.label("reduce")
        self._reduce(f0, wave, slice_)

    def _filter_address(self, c: int, f0: int) -> None:
        """Byte offset in C of the lane's filter of a block; lanes beyond F are switched off."""
        k, address = self.k, self.lane + 1
        k("s_mov_b64 exec, -1")
        k(f"v_add_u32 {v(address)}, vcc, s{f0}, {v(self.lane)}")
        if c:
            k(f"v_add_u32 {v(address)}, vcc, {64 * c}, {v(address)}")
        k(f"v_cmp_gt_u32 vcc, {s(A_F)}, {v(address)}")
        k(f"v_mul_lo_u32 {v(address)}, {v(address)}, {s(A_C_FILTER)}")
        k("s_mov_b64 exec, vcc")

    def _store_quad(self, register: int, label: str) -> None:
        """Store four accumulators, outputs s10 … s10 + 3 of the row, as far as they are outputs."""
        k, address, resource = self.k, v(self.lane + 1), s(B_RESOURCE, 4)
        k("s_lshl_b32 s11, s10, 2")
        k("s_add_u32 s11, s11, s8")
        k("s_add_u32 s16, s10, 4")
        k("s_cmp_lt_i32 s10, 0")
        k(f"s_cbranch_scc1 {k.local(f'parts{label}')}")
        k(f"s_cmp_gt_i32 s16, {s(A_Q)}")
        k(f"s_cbranch_scc1 {k.local(f'parts{label}')}")
        k(f"buffer_store_dwordx4 {v(register, 4)}, {address}, {resource}, s11 offen")
        k(f"s_branch {k.local(f'stored{label}')}")
        k.label(f"parts{label}")
        for i in range(4):
            k(f"s_cmp_lt_u32 s10, {s(A_Q)}")
            k(f"s_cbranch_scc0 {k.local(f'skip{label}_{i}')}")
            k(f"buffer_store_dword {v(register + i)}, {address}, {resource}, s11 offen")
            k.label(f"skip{label}_{i}")
            if i < 3:
                k("s_add_u32 s10, s10, 1")
                k("s_add_u32 s11, s11, 4")
        k.label(f"stored{label}")

    def _reduce(self, f0: int, wave: int, slice_: int) -> None:
        """Four slices: each writes 16 accumulators, then adds and stores four of them for all slices."""
        k = self.k
        write, read = self.lane + 2, self.kept
        k("s_mov_b32 m0, -1")
        k(f"v_lshlrev_b32 {v(write)}, 4, {v(self.lane)}")
        k(f"s_and_b32 s17, s{wave}, -4")
        k("s_lshl_b32 s17, s17, 12")
        k(f"s_lshl_b32 s18, s{slice_}, 10")
        k("s_add_u32 s18, s18, s17")
        k(f"v_add_u32 {v(read)}, vcc, s18, {v(write)}")
        k(f"s_lshl_b32 s17, s{wave}, 12")
        k(f"v_add_u32 {v(write)}, vcc, s17, {v(write)}")
        for first in range(0, self.accumulators * self.columns, 16):
            quads = min(4, (self.accumulators * self.columns - first) // 4)
            if first:
                k("s_barrier")
            k("s_mov_b64 exec, -1")
            for quad in range(quads):
                k(f"ds_write_b128 {v(write)}, {v(first + 4 * quad, 4)} offset:{1024 * quad}")
            k("s_waitcnt lgkmcnt(0)")
            k("s_barrier")
            if quads < 4:
                k(f"s_cmp_ge_u32 s{slice_}, {quads}")
                k(f"s_cbranch_scc1 {k.local(f'chunk{first}')}")
            # Sums of this chunk are stored from registers that it has given to the LDS.
            into = first if quads == 4 else first - 16
            for part in range(4):
                k(f"ds_read_b128 {v(into + 4 * part, 4)}, {v(read)} offset:{4096 * part}")
            for part in range(1, 4):
                k(f"s_waitcnt lgkmcnt({3 - part})")
                for i in range(4):
                    k(f"v_add_f32 {v(into + i)}, {v(into + i)}, {v(into + 4 * part + i)}")
            self._filter_address(first // self.accumulators, f0)
            k(f"s_lshl_b32 s10, s{slice_}, 2")
            k(f"s_add_u32 s10, s10, {first % self.accumulators}")
            k("s_sub_u32 s10, s10, s9")
            self._store_quad(into, f"r{first}")
            k.label(f"chunk{first}")
