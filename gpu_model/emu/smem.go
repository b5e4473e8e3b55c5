package emu

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// bindScalarMemory resolves SMEM instructions (source: GCN3 ISA manual, Scalar Memory Operations).
func bindScalarMemory(op *Op, m *memOp) (err error) {
	name := op.Inst.Op.Name
	op.Execute = issue
	rest, buffer := strings.CutPrefix(strings.TrimPrefix(name, "s_"), "buffer_")
	switch {
	case strings.HasPrefix(rest, "load_"):
		m.kind, op.Perform = AccessScalarLoad, performScalarLoad
		err = m.setShape(rest[len("load_"):])
	case strings.HasPrefix(rest, "store_"):
		m.kind, op.Perform = AccessScalarStore, performScalarStore
		err = m.setShape(rest[len("store_"):])
	case rest == "memtime", rest == "memrealtime":
		m.kind, m.dwords = AccessScalarLoad, 2
		if m.dst, err = scalar("sdst", scalarData(&op.Inst), 2); err != nil {
			return err
		}
		op.Address, op.Perform = addressClock, performClock
		if rest == "memrealtime" {
			op.Perform = performRealClock
		}
		return nil
	case strings.HasPrefix(rest, "dcache_"):
		m.kind = AccessCacheControl
		op.Address, op.Perform = addressCacheControl, performNothing
		return nil
	case strings.HasPrefix(rest, "atc_probe"):
		// A probe asks the translation cache about an address and returns nothing.
		op.Address, op.Perform = addressCacheControl, performNothing
		m.kind = AccessCacheControl
		return nil
	default:
		return fmt.Errorf("%s is not a scalar memory instruction of this machine", name)
	}
	if err != nil {
		return err
	}
	return bindScalarAddress(op, m, buffer)
}

// scalarData returns the register of a scalar load's result or a scalar store's data.
func scalarData(in *isa.Inst) isa.Reg {
	if in.Dst < 128 {
		return in.Dst
	}
	return in.Mem.Data
}

func bindScalarAddress(op *Op, m *memOp, buffer bool) (err error) {
	in := &op.Inst
	baseRegisters := 2
	op.Address = addressScalar
	if buffer {
		baseRegisters, op.Address = 4, addressScalarBuffer
		if m.kind == AccessScalarLoad {
			op.Perform = performScalarBufferLoad
		}
	}
	if m.base, err = scalar("sbase", in.Mem.Base, baseRegisters); err != nil {
		return err
	}
	if in.Mem.OffsetImm {
		m.offset = in.Mem.Offset
	} else if m.offsetReg, err = scalar("soffset", in.Mem.SOff, 1); err != nil {
		return err
	}
	if m.kind == AccessScalarLoad {
		m.dst, err = scalar("sdst", scalarData(in), int(m.dwords))
	} else {
		m.data, err = scalar("sdata", scalarData(in), int(m.dwords))
	}
	return err
}

// scalarOffset returns the byte offset of a scalar access.
func (m *memOp) scalarOffset(w *Wavefront) uint64 {
	if m.offsetReg >= 0 {
		return uint64(w.S[m.offsetReg])
	}
	return uint64(m.offset)
}

// begin fills the fields that all scalar accesses share.
func (m *memOp) begin(a *MemoryAccess) {
	a.registers = 0
	a.Kind, a.Mask, a.LocalMask, a.ZeroMask, a.ElementMask = m.kind, 1, 0, 0, 0
	a.Bytes, a.ElementBytes, a.ScalarBytes, a.Glc, a.Slc = 0, 0, uint16(m.bytes), m.glc, m.slc
}

// takeScalars copies a scalar store's data: at most four dwords.
func (m *memOp) takeScalars(w *Wavefront, a *MemoryAccess) {
	if m.kind == AccessScalarStore {
		a.registers = uint8(len(a.Data))
		for i, x := range w.S[m.data : m.data+int(m.dwords)] {
			a.Data[i][0] = x
		}
	}
}

// addressScalar computes SGPR base + offset; the two lowest bits count as 0.
func addressScalar(w *Wavefront, op *Op) {
	m, a := op.mem, &w.Access
	m.begin(a)
	base := uint64(w.S[m.base]) | uint64(w.S[m.base+1])<<32
	a.Addr[0] = (base + m.scalarOffset(w)) &^ 3
	m.takeScalars(w, a)
}

// addressScalarBuffer computes an address from a buffer descriptor. What lies beyond the buffer reads as 0 and is not written:
// ScalarBytes then is less than the instruction asks for.
func addressScalarBuffer(w *Wavefront, op *Op) {
	m, a := op.mem, &w.Access
	m.begin(a)
	d := w.S[m.base : m.base+4]
	base := uint64(d[0]) | uint64(d[1]&0xffff)<<32
	stride, records := uint64(d[1]>>16&0x3fff), uint64(d[2])
	size := records
	if stride != 0 {
		size *= stride
	}
	offset := m.scalarOffset(w) &^ 3
	a.Addr[0] = base&^3 + offset
	if offset >= size {
		a.ScalarBytes = 0
	} else {
		a.ScalarBytes = uint16(min(uint64(m.bytes), (size-offset)&^3))
	}
	m.takeScalars(w, a)
}

func performScalarLoad(w *Wavefront, op *Op, a *MemoryAccess) {
	m := op.mem
	b := w.Launch.Memory.Loadable(a.Addr[0], uint64(m.bytes))
	if b == nil {
		b = w.bytes[:m.bytes]
		if err := w.Launch.Memory.Load(w.Now, a.Addr[0], b); err != nil {
			w.failAt(op, -1, a.Addr[0], true, err.Error())
			return
		}
	}
	for i := range w.S[m.dst : m.dst+int(m.dwords)] {
		w.S[m.dst+i] = binary.LittleEndian.Uint32(b[4*i:])
	}
}

func performScalarBufferLoad(w *Wavefront, op *Op, a *MemoryAccess) {
	m := op.mem
	b := w.bytes[:m.bytes]
	clear(b)
	if err := w.Launch.Memory.Load(w.Now, a.Addr[0], b[:a.ScalarBytes]); err != nil {
		w.failAt(op, -1, a.Addr[0], true, err.Error())
		return
	}
	for i := range int(m.dwords) {
		w.S[m.dst+i] = binary.LittleEndian.Uint32(b[4*i:])
	}
}

func performScalarStore(w *Wavefront, op *Op, a *MemoryAccess) {
	b := w.bytes[:0]
	for i := range op.mem.dwords {
		b = binary.LittleEndian.AppendUint32(b, a.Data[i][0])
	}
	if err := w.Launch.Memory.Store(w.Now, a.Addr[0], b[:a.ScalarBytes]); err != nil {
		w.failAt(op, -1, a.Addr[0], true, err.Error())
	}
}

// addressClock and addressCacheControl describe accesses that move no memory.
func addressClock(w *Wavefront, op *Op) { op.mem.begin(&w.Access) }

func addressCacheControl(w *Wavefront, op *Op) {
	op.mem.begin(&w.Access)
	w.Access.Mask = 0
}

func performNothing(*Wavefront, *Op, *MemoryAccess) {}

func (m *memOp) setPair(w *Wavefront, x uint64) {
	w.S[m.dst], w.S[m.dst+1] = uint32(x), uint32(x>>32)
}

// performClock is s_memtime: a 64-bit counter of GPU cycles.
func performClock(w *Wavefront, op *Op, _ *MemoryAccess) { op.mem.setPair(w, w.Launch.clock(w)) }

// performRealClock is s_memrealtime: a counter of constant rate, 100 MHz here.
func performRealClock(w *Wavefront, op *Op, _ *MemoryAccess) { op.mem.setPair(w, w.Launch.clock(w)/10) }
