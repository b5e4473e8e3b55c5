"""What sparse_block_conv does behind its loop: sums of wavefronts and work-groups, and where they go."""

from __future__ import annotations

from common import buffer_resource
from gcn3 import Kernel, s, v
from sparse_block_registers import (
    A_F,
    A_POINTERS,
    A_Y_FILTER,
    A_Y_ROW,
    E_AT,
    E_BLOCK,
    E_COUNTERS,
    E_EXEC,
    E_FILTER,
    E_FIRST,
    E_INSIDE,
    E_LINE,
    E_NUMBER,
    E_OUT,
    E_ROWS,
    KEPT_ARGUMENTS,
    KEPT_FILTER,
    KEPT_LINE,
    KEPT_PLACE,
    KEPT_ROWS,
    KEPT_WAVE,
    RESOURCE,
    WAVES,
)


class BlockSums:
    """The end of a kernel.

    Attributes:
        k: the kernel.
        taps, width, rows, pitch: of the filters and of a block of outputs; accumulators from row to row.
        accumulators: how many, the first vector registers.
        weights, lane, kept: vector registers that the loop needs no more, and the one that keeps scalars for the end.
    """

    k: Kernel
    taps: int
    width: int
    rows: int
    pitch: int
    accumulators: int
    weights: int
    lane: int
    kept: int

    def _finish(self) -> None:
        """Each wavefront adds and stores every fourth quad of accumulators, for all four."""
        k, kept = self.k, v(self.kept)
        write, read, address, wave = self.lane, self.lane + 1, self.lane + 2, 5
        k("s_waitcnt vmcnt(0) lgkmcnt(0)")
        k("s_set_gpr_idx_off")
        for i in range(2):
            k(f"v_readlane_b32 s{i}, {kept}, {KEPT_ARGUMENTS + i}")
            k(f"v_readlane_b32 {s(E_LINE + i)}, {kept}, {KEPT_LINE + i}")
        k(f"v_readlane_b32 s{wave}, {kept}, {KEPT_WAVE}")
        k(f"v_readlane_b32 s8, {kept}, {KEPT_PLACE}")
        k(f"v_readlane_b32 s9, {kept}, {KEPT_ROWS}")
        k(f"v_readlane_b32 s10, {kept}, {KEPT_FILTER}")
        k("s_nop 4")
        k.load(A_POINTERS, "tiles", 8)
        k.load(A_POINTERS + 8, "y", 4)
        k.load(A_F, "F", 8)
        k.load(E_COUNTERS, "counters", 2)
        k(f"s_load_dwordx8 {s(E_FIRST, 8)}, {s(E_LINE, 2)}, 0x20")
        k("s_waitcnt lgkmcnt(0)")
        k(f"v_mbcnt_lo_u32_b32 {v(write)}, -1, 0")
        k(f"v_mbcnt_hi_u32_b32 {v(write)}, -1, {v(write)}")
        k("s_mov_b32 m0, -1")
        k.comment("lanes behind the last filter have nothing to add or store")
        k(f"s_mov_b32 {s(E_FILTER)}, s10")
        k(f"s_sub_u32 s10, {s(A_F)}, s10")
        k(f"v_cmp_gt_u32 vcc, s10, {v(write)}")
        k(f"v_lshlrev_b32 {v(address)}, 4, {v(write)}")
        k(f"v_mul_lo_u32 {v(self.kept)}, {v(write)}, {s(A_Y_FILTER)}")
        k(f"s_lshl_b32 s6, s{wave}, 10")
        k(f"v_add_u32 {v(read)}, s[12:13], s6, {v(address)}")
        k(f"s_lshl_b32 s7, s{wave}, 12")
        k(f"v_add_u32 {v(write)}, s[12:13], s7, {v(address)}")
        k("s_mov_b64 exec, vcc")
        k("s_cmp_eq_u32 s9, 0")
        k(f"s_cbranch_scc0 {k.local('whole')}")
        k.comment("the group's partial result")
        k(f"s_mul_i32 s8, s8, {self.accumulators * 256}")
        k("s_add_u32 s8, s8, s6")
        buffer_resource(k, RESOURCE, A_POINTERS + 4)
        self._sums("part", write, read, address)
        k.label("whole")
        self._resource(A_POINTERS + 8)
        self._sums("whole", write, read, self.kept)

    def _resource(self, pointer: int) -> None:
        """Make a resource of what lies s8 bytes behind a pointer."""
        k = self.k
        k(f"s_add_u32 {s(pointer)}, {s(pointer)}, s8")
        k(f"s_addc_u32 {s(pointer + 1)}, {s(pointer + 1)}, 0")
        buffer_resource(k, RESOURCE, pointer)

    def _sums(self, form: str, write: int, read: int, address: int) -> None:
        k, wave = self.k, 5
        for own in range(1, WAVES):
            k(f"s_cmp_eq_u32 s{wave}, {own}")
            k(f"s_cbranch_scc1 {k.local(f'{form}{own}')}")
        for own in range(WAVES):
            k.label(f"{form}{own}")
            for first in range(0, self.accumulators, 4 * WAVES):
                self._add(form, first, own, write, read, address)
            if form == "part":
                self._share(own, address)
            k("s_endpgm")

    def _add(self, form: str, first: int, own: int, write: int, read: int, address: int) -> None:
        """Exchange a chunk of accumulators: four of all wavefronts come to one, which keeps its own; add and store."""
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
        total = into[0]
        for part in range(1, WAVES):
            left = sum(other > part for other in others)
            if part != own or part == 1:
                k(f"s_waitcnt lgkmcnt({left})")
            for i in range(4):
                k(f"v_add_f32 {v(total + i)}, {v(total + i)}, {v(into[part] + i)}")
        if form == "part":
            k(f"buffer_store_dwordx4 {v(total, 4)}, {v(address)}, {s(RESOURCE, 4)}, s8 offen")
            k(f"s_add_u32 s8, s8, {4 * 1024}")
        else:
            self._store(first + 4 * own, total, f"{own}_{first}")

    def _share(self, own: int, address: int) -> None:
        """Count the work-group; in the block's last one, add partial results of a wavefront's quads, and store."""
        k, counter, size = self.k, self.weights, self.accumulators * 256
        flag = counter + 1
        k("s_waitcnt vmcnt(0)")
        k("s_barrier")
        k(f"s_sub_u32 {s(E_INSIDE)}, {s(E_NUMBER)}, 1")
        k(f"v_mov_b32 {v(flag)}, 0")
        if own == 0:
            buffer_resource(k, RESOURCE, E_COUNTERS)
            k(f"s_lshl_b32 {s(E_AT)}, {s(E_BLOCK)}, 2")
            k(f"s_mov_b64 {s(E_EXEC, 2)}, exec")
            k("s_mov_b64 exec, 1")
            k(f"v_mov_b32 {v(counter)}, {s(E_INSIDE)}")
            k(f"buffer_atomic_inc {v(counter)}, off, {s(RESOURCE, 4)}, {s(E_AT)} glc")
            k("s_waitcnt vmcnt(0)")
            k(f"ds_write_b32 {v(flag)}, {v(counter)}")
            k(f"s_mov_b64 exec, {s(E_EXEC, 2)}")
            k("s_waitcnt lgkmcnt(0)")
        k("s_barrier")
        k(f"ds_read_b32 {v(counter)}, {v(flag)}")
        k("s_waitcnt lgkmcnt(0)")
        k(f"v_readfirstlane_b32 {s(E_AT)}, {v(counter)}")
        k(f"s_cmp_lg_u32 {s(E_AT)}, {s(E_INSIDE)}")
        k(f"s_cbranch_scc1 {k.local(f'counted{own}')}")
        k("buffer_wbinvl1_vol")
        sums = list(range(4 * own, self.accumulators, 4 * WAVES))
        k(f"v_mov_b32 {v(flag)}, 0")
        k(f"s_cmp_eq_u64 {s(A_POINTERS + 10, 2)}, 0")
        k(f"s_cbranch_scc1 {k.local(f'no_bias{own}')}")
        buffer_resource(k, RESOURCE, A_POINTERS + 10)
        k(f"s_lshl_b32 {s(E_AT)}, {s(E_FILTER)}, 2")
        k(f"v_lshrrev_b32 {v(flag)}, 2, {v(address)}")
        k(f"buffer_load_dword {v(flag)}, {v(flag)}, {s(RESOURCE, 4)}, {s(E_AT)} offen")
        k("s_waitcnt vmcnt(0)")
        k.label(f"no_bias{own}")
        for first in sums:
            for i in range(first, first + 4):
                k(f"v_mov_b32 {v(i)}, {v(flag)}")
        k.comment("several partial results under way at a time; loads behind the last one give 0")
        buffer_resource(k, RESOURCE, A_POINTERS + 4)
        k(f"s_add_u32 {s(RESOURCE + 2)}, {s(E_FIRST)}, {s(E_NUMBER)}")
        k(f"s_mul_i32 {s(RESOURCE + 2)}, {s(RESOURCE + 2)}, {size}")
        k(f"s_mul_i32 s8, {s(E_FIRST)}, {size}")
        k("s_add_u32 s8, s8, s6")
        room = [i for i in range(0, self.accumulators, 4) if i not in sums]
        ahead = len(room) // len(sums)
        places = [room[part * len(sums) : (part + 1) * len(sums)] for part in range(ahead)]
        k.label(f"partials{own}")
        for part in range(ahead):
            for number, place in enumerate(places[part]):
                k(f"s_add_u32 {s(E_AT)}, s8, {size * part + 1024 * WAVES * number}")
                k(f"buffer_load_dwordx4 {v(place, 4)}, {v(address)}, {s(RESOURCE, 4)}, {s(E_AT)} offen")
        left = ahead * len(sums)
        for part in range(ahead):
            for first, place in zip(sums, places[part], strict=True):
                left -= 1
                k(f"s_waitcnt vmcnt({left})")
                for i in range(4):
                    k(f"v_add_f32 {v(first + i)}, {v(first + i)}, {v(place + i)}")
        k(f"s_add_u32 s8, s8, {size * ahead}")
        k(f"s_cmp_lt_u32 s8, {s(RESOURCE + 2)}")
        k(f"s_cbranch_scc1 {k.local(f'partials{own}')}")
        k(f"s_mov_b32 s8, {s(E_OUT)}")
        k(f"s_mov_b32 s9, {s(E_ROWS)}")
        self._resource(A_POINTERS + 8)
        for first in sums:
            self._store(first, first, f"sum{own}_{first}")
        k.label(f"counted{own}")

    def _store(self, accumulator: int, register: int, label: str) -> None:
        """Store the sums of four accumulators, as far as they are outputs."""
        k = self.k
        outputs = [divmod(accumulator + i - (self.taps - 1), self.pitch) for i in range(4)]
        outputs = [(p, q) if 0 <= p < self.rows and q < self.width else (-1, 0) for p, q in outputs]
        for row in sorted({p for p, _ in outputs if p >= 0}):
            inside = [i for i in range(4) if outputs[i][0] == row]
            if row:
                k(f"s_cmp_gt_u32 s9, {row}")
                k(f"s_cbranch_scc0 {k.local(f'stored{label}_{row}')}")
                k(f"s_mul_i32 s11, {s(A_Y_ROW)}, {row}")
            soffset = "s11" if row else "0"
            q = outputs[inside[0]][1]
            if len(inside) == 4:
                k(
                    f"buffer_store_dwordx4 {v(register, 4)}, {v(self.kept)}, {s(RESOURCE, 4)}, {soffset} offen"
                    f" offset:{4 * q}"
                )
            else:
                for i in inside:
                    k(
                        f"buffer_store_dword {v(register + i)}, {v(self.kept)}, {s(RESOURCE, 4)}, {soffset} offen"
                        f" offset:{4 * outputs[i][1]}"
                    )
            if row:
                k.label(f"stored{label}_{row}")
