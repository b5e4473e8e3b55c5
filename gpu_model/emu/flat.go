package emu

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
)

// bindFlat resolves FLAT loads, stores and atomics (source: GCN3 ISA manual, Flat Memory Instructions).
func bindFlat(op *Op, m *memOp) (err error) {
	in, name := &op.Inst, op.Inst.Op.Name
	if m.address, err = m.vector("vaddr", in.Mem.Addr, 2); err != nil {
		return err
	}
	op.Execute, op.Address = issue, flatAddress
	switch rest := strings.TrimPrefix(name, "flat_"); {
	case strings.HasPrefix(rest, "load_"):
		m.kind, op.Perform = AccessLoad, performLoad
		err = m.setShape(rest[len("load_"):])
	case strings.HasPrefix(rest, "store_"):
		m.kind, op.Perform = AccessStore, performStore
		err = m.setShape(rest[len("store_"):])
	case strings.HasPrefix(rest, "atomic_") && m.bindAtomic(rest[len("atomic_"):]):
		op.Perform = performAtomic
	default:
		return fmt.Errorf("%s is not a flat instruction of this machine", name)
	}
	if err != nil {
		return err
	}
	return m.bindData(op)
}

// bindData resolves the registers of data and result that the access moves.
func (m *memOp) bindData(op *Op) (err error) {
	in, extra := &op.Inst, 0
	if m.tfe {
		extra = 1
	}
	result := func(r int) error {
		m.dst, err = m.vector("vdst", in.Dst, r+extra)
		return err
	}
	switch m.kind {
	case AccessLoad:
		if !in.Dst.IsVGPR() {
			in.Dst = dataRegister(in)
		}
		return result(int(m.dwords))
	case AccessStore:
		m.data, err = m.vector("vdata", dataRegister(in), int(m.dwords))
	case AccessAtomic, AccessAtomicReturn:
		if m.data, err = m.vector("vdata", dataRegister(in), int(m.dwords*m.atomic.operands)); err != nil {
			return err
		}
		if m.kind == AccessAtomicReturn {
			if !in.Dst.IsVGPR() {
				in.Dst = dataRegister(in) // buffer atomics return into their data
			}
			return result(int(m.dwords))
		}
	}
	return err
}

// flatAddress fills the access with 64-bit addresses. Lanes in the private aperture get the device address of their scratch; lanes in the local
// aperture are set apart in LocalMask, with offsets into the LDS.
func flatAddress(w *Wavefront, op *Op) {
	m, a := op.mem, &w.Access
	exec := w.Exec()
	a.Kind, a.Bytes, a.Glc, a.Slc, a.ScalarBytes = m.kind, m.bytes, m.glc, m.slc, 0
	a.Mask, a.LocalMask, a.ZeroMask, a.ElementMask, a.ElementBytes, a.registers = exec, 0, 0, 0, 0, 0
	low, high := w.Lanes(m.address), w.Lanes(m.address+1)
	apertures := uint64(0)
	if join := w.Program.memory.Join; join != nil {
		apertures = join(&a.Addr[0], &low[0], &high[0], localApertureHigh)
	} else {
		for lane := range low {
			h := high[lane]
			a.Addr[lane] = uint64(low[lane]) | uint64(h)<<32
			if h&^1 == localApertureHigh {
				apertures = 1
			}
		}
	}
	if apertures != 0 {
		a.splitApertures(w, op)
	}
	if m.kind != AccessLoad {
		takeData(w, a, m.data, m.dataRegisters())
	}
}

// dataRegisters returns how many registers of data a lane of a store or atomic brings.
func (m *memOp) dataRegisters() int {
	if m.atomic != nil {
		return int(m.dwords * m.atomic.operands)
	}
	return int(m.dwords)
}

func (a *MemoryAccess) splitApertures(w *Wavefront, op *Op) {
	for mask := a.Mask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		offset := uint64(uint32(a.Addr[lane]))
		switch a.Addr[lane] >> 32 {
		case localApertureHigh:
			a.Mask &^= 1 << lane
			a.LocalMask |= 1 << lane
			a.Addr[lane] = offset
		case privateApertureHigh:
			// FLAT_SCRATCH: low is the size of a work-item's memory, high the wavefront's offset in units of 256 bytes
			// (source: LLVM, AMDGPU user guide, Flat Scratch).
			size, wave := uint64(w.S[102]), uint64(w.S[103])<<8
			if n := uint64(a.Bytes); offset >= size || n > size-offset || offset%4+min(n, 4) > 4 {
				w.FailLane(op, lane, a.Addr[lane], "%d bytes at offset 0x%x leave the work-item's private memory of %d bytes or are misaligned",
					n, offset, size)
				a.Mask = 0
				return
			}
			a.Addr[lane] = w.Launch.scratch.base + wave + offset/4*256 + uint64(lane)*4 + offset%4
			if a.Bytes > 4 {
				a.ElementMask |= 1 << lane
				a.ElementBytes, a.ElementStride = 4, 256
			}
		}
	}
}

// local returns the LDS bytes of one lane of a flat access, or faults.
func (a *MemoryAccess) local(w *Wavefront, op *Op, lane int) []byte {
	lds, n := w.Group.LDS, uint64(op.mem.bytes)
	at := a.Addr[lane]
	if at >= uint64(len(lds)) || n > uint64(len(lds))-at {
		w.FailLane(op, lane, at, "%d bytes at local address 0x%x leave the work-group's local memory of %d bytes", n, at, len(lds))
		return nil
	}
	return lds[at : at+n]
}

func loadLocal(w *Wavefront, op *Op, a *MemoryAccess) {
	for mask := a.LocalMask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		if b := a.local(w, op, lane); b != nil {
			setLane(w, op.mem, lane, b)
		}
	}
}

func storeLocal(w *Wavefront, op *Op, a *MemoryAccess) {
	for mask := a.LocalMask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		if b := a.local(w, op, lane); b != nil {
			var buffer [16]byte
			for i, x := range a.lane(lane) {
				binary.LittleEndian.PutUint32(buffer[4*i:], x)
			}
			copy(b, buffer[:])
		}
	}
}

func atomicLocal(w *Wavefront, op *Op, a *MemoryAccess) {
	for mask := a.LocalMask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		if b := a.local(w, op, lane); b != nil {
			op.mem.modify(w, a, lane, b)
		}
	}
}
