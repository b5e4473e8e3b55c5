package emu

import (
	"strings"
	"unsafe"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/simd"
)

// Loads and stores of 64 lanes on the host's vector instructions: the LDS as a whole, and device memory where the lanes' addresses lie
// in a range that may be accessed directly. Everything else, faults included, is left to the general forms.

// localForm is what an LDS instruction needs at run time in its fast form.
type localForm struct {
	general func(w *Wavefront, op *Op)
	parts   []localPart
	bytes   uint32 // of an element
}

// localPart is one dword (or, for the 128-bit forms, all four) of an LDS instruction.
type localPart struct {
	register uintptr // byte offset in V
	offset   uint32  // added to the lanes' addresses
	word     uint32  // byte offset from there, after the check of range and alignment
}

// accelerateLocal gives an LDS instruction its fast form where there is one.
func (op *Op) accelerateLocal(memory simd.Memory) {
	m := op.mem
	kind, width, _ := strings.Cut(strings.TrimPrefix(op.Inst.Op.Name, "ds_"), "_")
	words, ok := map[string]uint32{"b32": 1, "b64": 2, "b128": 4}[width]
	if !ok || memory.Gather == nil || op.Inst.Mem.Gds {
		return
	}
	f := &localForm{general: op.Execute, bytes: 4 * words}
	// add lists the dwords of one element; the register that holds the addresses must be loaded last.
	add := func(first int, offset uint32) {
		for k := range words {
			part := localPart{register: uintptr(first+int(k)) * 256, offset: offset, word: 4 * k}
			f.parts = append(f.parts, part)
		}
	}
	execute := localGather
	switch kind {
	case "read":
		if words == 4 {
			f.parts, execute = []localPart{{register: uintptr(m.dst) * 256, offset: m.offset}}, localGather128
			break
		}
		add(m.dst, m.offset)
	case "read2", "read2st64":
		add(m.dst, m.offset)
		add(m.dst+int(words), m.offset1)
	case "write":
		execute = localScatter
		if words == 4 {
			f.parts, execute = []localPart{{register: uintptr(m.data) * 256, offset: m.offset}}, localScatter128
			break
		}
		add(m.data, m.offset)
	default: // the order of write2's lanes and elements can show
		return
	}
	for i := range f.parts[:len(f.parts)-1] {
		if last := len(f.parts) - 1; f.parts[i].register == uintptr(m.address)*256 {
			f.parts[i], f.parts[last] = f.parts[last], f.parts[i]
		}
	}
	m.local, op.Execute = f, execute
}

// local prepares a fast access: it returns the lanes' addresses, the LDS and the last valid byte address of an element, or ok false when the general
// form must do it.
func (f *localForm) local(w *Wavefront, op *Op) (addr *uint32, base unsafe.Pointer, last uint32, ok bool) {
	lds := w.Group.LDS
	if w.Exec() != allLanes || len(lds) < int(f.bytes) {
		return nil, nil, 0, false
	}
	return &w.Lanes(op.mem.address)[0], unsafe.Pointer(unsafe.SliceData(lds)), uint32(len(lds)) - f.bytes, true
}

func (p *localPart) at(w *Wavefront) *uint32 {
	return (*uint32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(w.V)), p.register))
}

// localGather is ds_read_b32 and _b64, ds_read2_* and ds_read2st64_*.
func localGather(w *Wavefront, op *Op) {
	f := op.mem.local
	addr, base, last, ok := f.local(w, op)
	if !ok {
		f.general(w, op)
		return
	}
	gather := w.Program.memory.Gather
	for i := range f.parts {
		p := &f.parts[i]
		if gather(p.at(w), addr, (*byte)(unsafe.Add(base, p.word)), p.offset, last, f.bytes-1) != 0 {
			f.general(w, op)
			return
		}
	}
	w.PC = op.Next
}

// localGather128 is ds_read_b128.
func localGather128(w *Wavefront, op *Op) {
	f := op.mem.local
	addr, base, last, ok := f.local(w, op)
	if p := &f.parts[0]; !ok || w.Program.memory.Gather128(p.at(w), addr, (*byte)(base), p.offset, last, 15) != 0 {
		f.general(w, op)
		return
	}
	w.PC = op.Next
}

// localScatter is ds_write_b32 and _b64.
func localScatter(w *Wavefront, op *Op) {
	f := op.mem.local
	addr, base, last, ok := f.local(w, op)
	if !ok {
		f.general(w, op)
		return
	}
	scatter := w.Program.memory.Scatter
	for i := range f.parts {
		p := &f.parts[i]
		if scatter(p.at(w), addr, (*byte)(unsafe.Add(base, p.word)), p.offset, last, f.bytes-1) != 0 {
			f.general(w, op)
			return
		}
	}
	w.PC = op.Next
}

// localScatter128 is ds_write_b128.
func localScatter128(w *Wavefront, op *Op) {
	f := op.mem.local
	addr, base, last, ok := f.local(w, op)
	if p := &f.parts[0]; !ok || w.Program.memory.Scatter128(p.at(w), addr, (*byte)(base), p.offset, last, 15) != 0 {
		f.general(w, op)
		return
	}
	w.PC = op.Next
}

// spanLimit bounds the range of addresses of an instruction that is checked as a whole rather than lane by lane.
const spanLimit = 256 << 10

// strides has the byte offsets of 64 adjacent elements of 4, 8, 12 and 16 bytes.
var strides = func() (table [5]lanes) {
	for dwords := range table {
		for lane := range table[dwords] {
			table[dwords][lane] = uint32(4 * dwords * lane)
		}
	}
	return table
}()

// direct finds the memory behind an access of whole dwords as one range, load telling which kind: the bytes, and every lane's offset in
// them; nil when lanes must be looked at one by one.
func (a *MemoryAccess) direct(w *Wavefront, m *memOp, load bool) (b []byte, offsets *uint32, adjacent bool) {
	memory := &w.Program.memory
	n := uint64(m.bytes)
	if memory.Gather == nil || n < 4 || a.Mask == 0 {
		return nil, nil, false
	}
	least, greatest := a.Addr[0], a.Addr[63]
	if a.Mask == allLanes && greatest-least == 63*n && memory.Adjacent(&a.Addr[0], n) == 0 {
		offsets, adjacent = &strides[m.dwords][0], true
	} else {
		offsets = &w.temp[8][0]
		if least, greatest = memory.Span(offsets, &a.Addr[0], a.Mask); greatest-least > spanLimit {
			return nil, nil, false
		}
	}
	if load {
		return w.Launch.Memory.Loadable(least, greatest-least+n), offsets, adjacent
	}
	return w.Launch.Memory.Plain(least, greatest-least+n), offsets, adjacent
}

// loadDirect loads from one range; false when it can't.
func loadDirect(w *Wavefront, m *memOp, a *MemoryAccess) bool {
	b, offsets, adjacent := a.direct(w, m, true)
	if b == nil {
		return false
	}
	d := (*[4]lanes)(unsafe.Pointer(&w.temp)) // without a copy where all lanes load
	if a.Mask == allLanes {
		d = (*[4]lanes)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(w.V)), uintptr(m.dst)*256))
	}
	memory, last := &w.Program.memory, uint32(len(b))-uint32(m.bytes)
	switch {
	case m.dwords == 1 && adjacent:
		copy((*[256]byte)(unsafe.Pointer(d))[:], b)
	case m.dwords == 4:
		memory.Gather128(&d[0][0], offsets, &b[0], 0, last, 0)
	default:
		for i := range int(m.dwords) {
			memory.Gather(&d[i][0], offsets, &b[4*i], 0, last, 0)
		}
	}
	if a.Mask != allLanes {
		for i := range int(m.dwords) {
			r := &w.Lanes(m.dst + i)[0]
			w.Program.choose(r, r, &d[i][0], nil, a.Mask)
		}
	}
	if m.tfe {
		clearStatus(w, m.dst+int(m.dwords), a.Mask)
	}
	return true
}

// storeDirect stores into one range; false when it can't.
func storeDirect(w *Wavefront, m *memOp, a *MemoryAccess) bool {
	if a.Mask != allLanes {
		return false
	}
	b, offsets, adjacent := a.direct(w, m, false)
	if b == nil {
		return false
	}
	memory, last := &w.Program.memory, uint32(len(b))-uint32(m.bytes)
	switch {
	case m.dwords == 1 && adjacent:
		copy(b, (*[256]byte)(unsafe.Pointer(&a.Data[0]))[:])
	case m.dwords == 1:
		memory.Scatter(&a.Data[0][0], offsets, &b[0], 0, last, 0)
	case m.dwords == 4:
		memory.Scatter128(&a.Data[0][0], offsets, &b[0], 0, last, 0)
	case adjacent:
		for i := range int(m.dwords) {
			memory.Scatter(&a.Data[i][0], offsets, &b[4*i], 0, last, 0)
		}
	default: // lanes may overlap in part
		return false
	}
	return true
}

// bindFastMemory gives the memory instructions of a program their fast forms.
func (p *Program) bindFastMemory(level *simd.Level) {
	p.memory = level.Memory()
	for i := range p.Ops {
		if op := &p.Ops[i]; op.refusal == "" && op.mem != nil && op.Inst.Format == isa.DS {
			op.accelerateLocal(p.memory)
		}
	}
}
