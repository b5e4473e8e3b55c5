package emu

import "github.com/spartan-cosim/spartan-cosim/gpu_model/isa"

// Op is an instruction with everything resolved that can be resolved before it runs: a kernel is decoded once
// into a flat array of Ops (one entry a dword, so that PC is an index), and every wavefront executes from it.
//
// What every execution needs comes first, in a cache line of the host's, then what a vector instruction needs, then the rest.
type Op struct {
	// Execute carries the instruction out, all but its effect on memory behind the LDS, and leaves
	// w.PC at the next instruction. Memory instructions (Unit VMem, and SMEM loads) leave PC advanced and
	// nothing else done: their effect is Address, then Perform.
	Execute func(w *Wavefront, op *Op)

	// Address fills w.Access with the addresses of every active lane. Nil for other instructions.
	Address func(w *Wavefront, op *Op)
	// Perform moves the data of a (copy of a) MemoryAccess between memory and registers. It runs when the access
	// takes effect: at once in functional mode, at the time the timing model gives it otherwise.
	Perform func(w *Wavefront, op *Op, a *MemoryAccess)

	Next   uint32 // PC of the following instruction, in dwords
	Target uint32 // PC of a direct branch's target, in dwords
	plain  uint16 // instructions from this one on that only compute; see RunAhead
	Cycles uint8  // SIMD occupancy class: 4 for ordinary vector instructions, 8 for f64 (source: r9nano figures)
	Unit   isa.Unit
	Flat   bool   // FLAT format
	Waits  bool   // s_waitcnt
	Imm    uint16 // of a scalar format without sources

	mem *memOp  // memory instructions: what Address and Perform need
	vec *vector // vector ALU instructions: operands and lane functions
	_   [8]byte

	fast    fastVector
	sd      scalarOp
	refusal string // why the machine refuses the instruction; "" where it does not
	Inst    isa.Inst
}

// AccessKind says what a memory access does.
type AccessKind uint8

// The kinds of memory access.
const (
	AccessNone AccessKind = iota
	AccessLoad
	AccessStore
	AccessAtomic       // read-modify-write, no value returned
	AccessAtomicReturn // read-modify-write, old value returned
	AccessScalarLoad
	AccessScalarStore
	AccessCacheControl // invalidate and write-back instructions
)

// MemoryAccess is one memory instruction of one wavefront, as the memory system sees it.
type MemoryAccess struct {
	Kind  AccessKind
	Bytes uint8  // contiguous bytes per lane (1, 2, 4, 8, 12, 16); for scalar accesses see ScalarBytes
	Mask  uint64 // lanes that take part (scalar: 1)
	Glc   bool
	Slc   bool

	// LocalMask has the lanes of a FLAT access that go to the LDS: their Addr is an offset into it.
	LocalMask uint64
	// ZeroMask has the lanes of a buffer load that are out of the buffer's range: they read 0 and access nothing.
	ZeroMask uint64
	// Format is the descriptor's format word of a typed buffer access.
	Format uint32
	// ElementMask has the lanes whose bytes are not contiguous (swizzled buffers, scratch): every ElementBytes of them lie
	// ElementStride bytes from the ones before. See DwordAddress.
	ElementMask   uint64
	ElementBytes  uint8
	ElementStride uint32

	ScalarBytes uint16
	Addr        [64]uint64    // byte address per lane; Addr[0] for scalar accesses
	registers   uint8         // rows of Data that are filled
	Data        [4][64]uint32 // store and atomic operands by register and lane, as they were when the instruction issued
}

// CopyTo makes b the same access. What of Data is not filled is left alone.
func (a *MemoryAccess) CopyTo(b *MemoryAccess) {
	b.Kind, b.Bytes, b.Mask, b.Glc, b.Slc = a.Kind, a.Bytes, a.Mask, a.Glc, a.Slc
	b.LocalMask, b.ZeroMask, b.Format = a.LocalMask, a.ZeroMask, a.Format
	b.ElementMask, b.ElementBytes, b.ElementStride = a.ElementMask, a.ElementBytes, a.ElementStride
	b.ScalarBytes, b.registers = a.ScalarBytes, a.registers
	if a.ScalarBytes != 0 {
		b.Addr[0] = a.Addr[0]
	} else {
		b.Addr = a.Addr
	}
	copy(b.Data[:a.registers], a.Data[:])
}

// lane returns the data of one lane.
func (a *MemoryAccess) lane(l int) [4]uint32 {
	return [4]uint32{a.Data[0][l], a.Data[1][l], a.Data[2][l], a.Data[3][l]}
}
