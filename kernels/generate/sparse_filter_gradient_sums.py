"""What a wavefront of a sparse direct filter gradient does behind its loop: stores, most of them by way of the LDS."""

from __future__ import annotations

from common import buffer_resource
from gcn3 import Kernel, s, v
from sparse_filter_gradient_registers import A_CHANNELS, A_LANES, A_PARTIAL, A_SLICE, A_SUMS, A_SWAP, K_X, K_Z, RESOURCE


class GradientStores:
    """The end of a kernel; the class that takes it in loads the arguments.

    Attributes:
        k: the kernel.
        channels: of the sparse operand that a wavefront owns.
        area: taps of a filter, R · S.
        rows: accumulators, the first vector registers: channels · area.
        passes: parts in which the sums go through the LDS.
        lane, kept: vector registers of the lane's number, and of what the prologue keeps for the end.
    """

    k: Kernel
    channels: int
    area: int
    rows: int
    passes: int
    lane: int
    kept: int

    def _arguments(self) -> None:
        raise NotImplementedError

    def _kept(self, register: str, place: int) -> None:
        self.k(f"v_readlane_b32 {register}, {v(self.kept)}, {place}")

    def _finish(self) -> None:
        """Store the sums by way of the LDS."""
        k = self.k
        k.label("finish")
        for register, place in (("s2", K_X), ("s4", K_Z)):
            self._kept(register, place)
        k("s_nop 4")
        self._arguments()
        k(f"v_mbcnt_lo_u32_b32 {v(self.lane)}, -1, 0")
        k(f"v_mbcnt_hi_u32_b32 {v(self.lane)}, -1, {v(self.lane)}")
        k("s_mov_b32 m0, -1")
        k("s_lshl_b32 s2, s2, 6")
        k("s_waitcnt lgkmcnt(0)")
        k(f"s_mul_i32 s4, s4, {s(A_SLICE)}")
        k("s_lshl_b32 s4, s4, 2")
        k(f"s_add_u32 {s(A_SUMS)}, {s(A_SUMS)}, s4")
        k(f"s_addc_u32 {s(A_SUMS + 1)}, {s(A_SUMS + 1)}, 0")
        buffer_resource(k, RESOURCE, A_SUMS)
        k.comment("s8: lanes that store, s9: bytes from a wavefront's region of the LDS to the next, s10: its own")
        k(f"s_sub_u32 s8, {s(A_LANES)}, s2")
        k("s_min_u32 s8, s8, 64")
        k(f"s_mul_i32 s10, s5, {256 * self.rows // self.passes}")
        k(f"s_cmp_lg_u32 {s(A_PARTIAL)}, 0")
        k(f"s_cbranch_scc1 {k.local('partial')}")
        k(f"s_cmp_lg_u32 {s(A_SWAP)}, 0")
        k(f"s_cbranch_scc1 {k.local('swapped')}")
        self._store()
        k("s_endpgm")
        k.label("swapped")
        self._store_swapped()
        k("s_endpgm")
        k.label("partial")
        self._store_partial()
        k("s_endpgm")

    def _store_partial(self) -> None:
        """Channels × taps × lanes, with ``swap`` the taps turned by 180°: whole lines without the LDS."""
        k = self.k
        k("s_lshl_b32 s7, s3, 2")
        k("s_add_u32 s7, s7, s5")
        k(f"s_mul_i32 s7, s7, {self.rows}")
        k(f"s_cmp_lg_u32 {s(A_SWAP)}, 0")
        k(f"s_cselect_b32 s6, {self.area - 1}, 0")
        k("s_add_u32 s7, s7, s6")
        k(f"s_mul_i32 s7, s7, {s(A_LANES)}")
        k("s_add_u32 s7, s7, s2")
        k("s_lshl_b32 s7, s7, 2")
        k.comment("s6: bytes from tap to tap; s9: from the first tap behind a channel's to the next channel's first")
        k(f"s_lshl_b32 s6, {s(A_LANES)}, 2")
        k(f"s_mul_i32 s9, s6, {2 * self.area}")
        k(f"s_cmp_lg_u32 {s(A_SWAP)}, 0")
        k("s_cselect_b32 s9, s9, 0")
        k("s_sub_u32 s11, 0, s6")
        k(f"s_cmp_lg_u32 {s(A_SWAP)}, 0")
        k("s_cselect_b32 s6, s11, s6")
        k(f"v_cmp_gt_u32 vcc, s8, {v(self.lane)}")
        k("s_and_b64 exec, exec, vcc")
        k(f"v_lshlrev_b32 {v(self.lane)}, 2, {v(self.lane)}")
        for i in range(self.rows):
            if i and i % self.area == 0:
                k("s_add_u32 s7, s7, s9")
            k(f"buffer_store_dword {v(i)}, {v(self.lane)}, {s(RESOURCE, 4)}, s7 offen")
            k("s_add_u32 s7, s7, s6")

    @property
    def _temps(self) -> tuple[int, int, int, int, int, int]:
        """Registers of the finish: write address, read address, unit, quotient, another, and those for what is read."""
        first = self.rows
        return first, first + 1, first + 2, first + 3, first + 4, first + 5

    def _only(self, lanes: int) -> None:
        """Switch on the first lanes."""
        if lanes == 64:
            self.k("s_mov_b64 exec, -1")
        else:
            self.k(f"s_mov_b32 exec_lo, {(1 << lanes) - 1:#x}" if lanes < 32 else "s_mov_b32 exec_lo, -1")
            self.k("s_mov_b32 exec_hi, 0")

    def _read(self, units: int) -> list[int]:
        """Start to read 16-byte units of the LDS; return how many lanes take part in each read."""
        k = self.k
        _, read, *_, data = self._temps
        lanes = [min(64, units - first) for first in range(0, units, 64)]
        for i, count in enumerate(lanes):
            self._only(count) if count < 64 else None
            k(f"ds_read_b128 {v(data + 4 * i, 4)}, {v(read)} offset:{1024 * i}")
        return lanes

    def _write_unit(self, i: int, reads: int) -> None:
        k = self.k
        *_, unit, _, _, data = self._temps
        k(f"s_waitcnt lgkmcnt({reads - 1 - i})")
        k(f"buffer_store_dwordx4 {v(data + 4 * i, 4)}, {v(unit)}, {s(RESOURCE, 4)}, s7 offen")

    def _store(self) -> None:
        """Filters × channels: four wavefronts' channels of a filter lie side by side in the LDS and in dW."""
        k = self.k
        write, read, unit, filter_, other, _ = self._temps
        filters = 64 // self.passes
        segment = 4 * self.rows * 4
        units = segment // 16
        k.comment("s6: bytes from filter to filter; s7: where the first filter's channels go")
        k(f"s_mul_i32 s6, {s(A_CHANNELS)}, {self.area * 4}")
        k("s_mul_i32 s7, s2, s6")
        k(f"s_mul_i32 s11, s3, {segment}")
        k("s_add_u32 s7, s7, s11")
        k(f"v_and_b32 {v(write)}, {filters - 1}, {v(self.lane)}")
        k(f"v_mul_u32_u24 {v(write)}, {segment}, {v(write)}")
        k(f"s_mul_i32 s11, s5, {segment // 4}")
        k(f"v_add_u32 {v(write)}, vcc, s11, {v(write)}")
        k(f"v_lshlrev_b32 {v(read)}, 4, {v(self.lane)}")
        k(f"v_add_u32 {v(read)}, vcc, s10, {v(read)}")
        for part in range(self.passes):
            if part:
                k("s_barrier")
            if self.passes > 1:
                k(f"s_mov_b32 exec_lo, {-1 if part == 0 else 0}")
                k(f"s_mov_b32 exec_hi, {-1 if part == 1 else 0}")
            if self.rows % 4 == 0:
                for i in range(0, self.rows, 4):
                    k(f"ds_write_b128 {v(write)}, {v(i, 4)} offset:{4 * i}")
            else:
                k.comment("a wavefront's segments lie at multiples of 8 bytes")
                for i in range(0, self.rows - 2, 4):
                    k(f"ds_write2_b64 {v(write)}, {v(i, 2)}, {v(i + 2, 2)} offset0:{i // 2} offset1:{i // 2 + 1}")
                k(f"ds_write_b64 {v(write)}, {v(self.rows - 2, 2)} offset:{4 * (self.rows - 2)}")
            k("s_mov_b64 exec, -1")
            k("s_waitcnt lgkmcnt(0)")
            k("s_barrier")
            lanes = self._read(filters * units // 4)
            for i, count in enumerate(lanes):
                self._only(count)
                k(f"v_add_u32 {v(unit)}, vcc, {64 * i}, {v(self.lane)}")
                k(f"v_mul_u32_u24 {v(filter_)}, {65536 // units + 1}, {v(unit)}")
                k(f"v_lshrrev_b32 {v(filter_)}, 16, {v(filter_)}")
                k(f"v_mul_u32_u24 {v(other)}, {units}, {v(filter_)}")
                k(f"v_sub_u32 {v(unit)}, vcc, {v(unit)}, {v(other)}")
                k(f"s_lshl_b32 s11, s5, {(filters // 4).bit_length() - 1}")
                k(f"s_add_u32 s11, s11, {part * filters}") if part else None
                k(f"v_add_u32 {v(filter_)}, vcc, s11, {v(filter_)}")
                k(f"v_cmp_gt_u32 vcc, s8, {v(filter_)}")
                k("s_and_b64 exec, exec, vcc")
                k(f"v_mul_lo_u32 {v(filter_)}, {v(filter_)}, s6")
                k(f"v_lshlrev_b32 {v(unit)}, 4, {v(unit)}")
                k(f"v_add_u32 {v(unit)}, vcc, {v(unit)}, {v(filter_)}")
                self._write_unit(i, len(lanes))
            k("s_mov_b64 exec, -1")

    def _store_swapped(self) -> None:
        """Channels × filters, taps turned by 180°: a wavefront's filters of a channel lie side by side."""
        k = self.k
        write, read, unit, first, other, _ = self._temps
        together = self.channels // self.passes if self.channels == 4 else 2 // self.passes
        units = 16 * self.area
        k.comment("s6: bytes from channel to channel; s7: where the wavefront's first channel's filters go")
        k(f"s_mul_i32 s6, {s(A_LANES)}, {self.area * 4}")
        k("s_lshl_b32 s7, s3, 2")
        k("s_add_u32 s7, s7, s5")
        k(f"s_mul_i32 s7, s7, {self.channels}")
        k("s_mul_i32 s7, s7, s6")
        k(f"s_mul_i32 s11, s2, {self.area * 4}")
        k("s_add_u32 s7, s7, s11")
        k.comment("units of 16 bytes of a channel that are stored")
        k(f"s_mul_i32 s8, s8, {self.area}")
        k("s_lshr_b32 s8, s8, 2")
        k(f"v_mul_u32_u24 {v(write)}, {self.area * 4}, {v(self.lane)}")
        k(f"v_add_u32 {v(write)}, vcc, s10, {v(write)}")
        k(f"v_lshlrev_b32 {v(read)}, 4, {v(self.lane)}")
        k(f"v_add_u32 {v(read)}, vcc, s10, {v(read)}")
        for part in range(self.channels // together):
            for channel in range(together):
                for tap in range(self.area):
                    accumulator = (part * together + channel) * self.area + tap
                    at = 64 * 4 * self.area * channel + 4 * (self.area - 1 - tap)
                    k(f"ds_write_b32 {v(write)}, {v(accumulator)} offset:{at}")
            k("s_waitcnt lgkmcnt(0)")
            lanes = self._read(units * together)
            for i, count in enumerate(lanes):
                self._only(count)
                k(f"v_add_u32 {v(unit)}, vcc, {64 * i}, {v(self.lane)}")
                if together == 2:
                    k(f"v_mov_b32 {v(other)}, s6")
                    k(f"v_subrev_u32 {v(first)}, vcc, {units}, {v(unit)}")
                    k(f"v_cmp_le_u32 vcc, {units}, {v(unit)}")
                    k(f"v_cndmask_b32 {v(other)}, 0, {v(other)}, vcc")
                    k(f"v_cndmask_b32 {v(unit)}, {v(unit)}, {v(first)}, vcc")
                k(f"v_cmp_gt_u32 vcc, s8, {v(unit)}")
                k("s_and_b64 exec, exec, vcc")
                k(f"v_lshlrev_b32 {v(unit)}, 4, {v(unit)}")
                if together == 2:
                    k(f"v_add_u32 {v(unit)}, vcc, {v(unit)}, {v(other)}")
                self._write_unit(i, len(lanes))
            k("s_mov_b64 exec, -1")
            if together == 2:
                k("s_lshl_b32 s11, s6, 1")
                k("s_add_u32 s7, s7, s11")
            else:
                k("s_add_u32 s7, s7, s6")
