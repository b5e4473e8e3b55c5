package emu

import (
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// memOp holds what a memory instruction needs at run time, resolved when the program is decoded.
type memOp struct {
	kind   AccessKind
	bytes  uint8 // contiguous bytes a lane moves
	dwords uint8 // registers a lane moves
	signed bool  // sub-dword loads extend the sign
	glc    bool
	slc    bool
	tfe    bool

	address int // first VGPR of the address
	data    int // first VGPR (SMEM: SGPR) of store or atomic data
	data1   int // DS data1
	dst     int // first VGPR (SMEM: SGPR) of the result

	base      int // SMEM sbase, buffer srsrc: first SGPR
	offset    uint32
	offset1   uint32 // second offset of DS pairs
	offsetReg int    // SGPR with an offset; −1 none

	atomic *atomicOp
	format *bufferFormat // MUBUF and MTBUF format conversions
	inst   *isa.MemFields
	toLDS  bool // buffer load into the LDS

	local *localForm // LDS instructions that have a fast form

	registers int // vector registers, counted from v0, that the instruction touches
}

// bindMemory resolves an instruction of a memory format into op's functions. An error says why this machine refuses it.
func bindMemory(op *Op) error {
	in := &op.Inst
	m := &memOp{glc: in.Mem.Glc, slc: in.Mem.Slc, tfe: in.Mem.Tfe, offsetReg: -1, inst: &in.Mem}
	op.mem = m
	switch in.Format {
	case isa.FLAT:
		return bindFlat(op, m)
	case isa.SMEM:
		return bindScalarMemory(op, m)
	case isa.DS:
		return bindDS(op, m)
	case isa.MUBUF, isa.MTBUF:
		return bindBuffer(op, m)
	}
	return fmt.Errorf("%s is not a memory instruction", in.Op.Name)
}

// issue is the Execute of instructions whose whole effect is Address and Perform.
func issue(w *Wavefront, op *Op) { w.PC = op.Next }

// vector checks that n VGPRs from r exist and returns the first one's number. what names the operand in the error.
func (m *memOp) vector(what string, r isa.Reg, n int) (int, error) {
	if !r.IsVGPR() || r.VGPR()+n > 256 {
		return 0, fmt.Errorf("operand %s must be %d vector registers, got operand code %d", what, n, r)
	}
	m.registers = max(m.registers, r.VGPR()+n)
	return r.VGPR(), nil
}

// scalar does for SGPRs what vector does for VGPRs.
func scalar(what string, r isa.Reg, n int) (int, error) {
	if int(r)+n > 128 {
		return 0, fmt.Errorf("operand %s must be %d scalar registers, got operand code %d", what, n, r)
	}
	return int(r), nil
}

// dataRegister returns the register of store data or of a load's result, whichever field the decoder filled.
func dataRegister(in *isa.Inst) isa.Reg {
	if in.Mem.Data.IsVGPR() {
		return in.Mem.Data
	}
	return in.Dst
}

// shape describes the data of a load or store by the end of its name.
type shape struct {
	bytes, dwords uint8
	signed        bool
}

var shapes = map[string]shape{
	"ubyte": {1, 1, false}, "sbyte": {1, 1, true}, "byte": {1, 1, false},
	"ushort": {2, 1, false}, "sshort": {2, 1, true}, "short": {2, 1, false},
	"dword": {4, 1, false}, "dwordx2": {8, 2, false}, "dwordx3": {12, 3, false}, "dwordx4": {16, 4, false},
	"dwordx8": {32, 8, false}, "dwordx16": {64, 16, false},
}

func (m *memOp) setShape(name string) error {
	s, ok := shapes[name]
	if !ok {
		return fmt.Errorf("no access of shape %q exists", name)
	}
	m.bytes, m.dwords, m.signed = s.bytes, s.dwords, s.signed
	return nil
}
