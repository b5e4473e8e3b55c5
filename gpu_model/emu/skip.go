package emu

import "github.com/spartan-cosim/spartan-cosim/gpu_model/isa"

// modeSkip is the bit of MODE under which vector instructions are skipped: VOP*, DS, FLAT, buffer, image, export and
// interpolation instructions change nothing then (source: GCN3 ISA manual, MODE register and S_SETVSKIP; CLRX GcnInstrsSopc).
const modeSkip Mode = 1 << 28

// setSkip is the effect of s_setvskip.
func (w *Wavefront) setSkip(on bool) {
	if w.Mode &^= modeSkip; on {
		w.Mode |= modeSkip
	}
}

// bindSkip makes the vector instructions of a program look at MODE's skip bit, if the program has an instruction that can set it: others pay
// nothing. It comes after everything that gives instructions their functions.
func (p *Program) bindSkip() {
	skips := false
	for i := range p.Ops {
		skips = skips || p.Ops[i].setsSkip()
	}
	if !skips {
		return
	}
	for i := range p.Ops {
		if op := &p.Ops[i]; op.Inst.Op != nil && op.skippable() {
			op.makeSkippable()
		}
	}
}

// setsSkip tells that the instruction can turn the skipping of vector instructions on.
func (op *Op) setsSkip() bool {
	if op.refusal != "" {
		return false
	}
	switch op.Inst.Op.Name {
	case "s_setvskip":
		return true
	case "s_setreg_b32", "s_setreg_imm32_b32":
		id, offset, size := registerField(op.sd.imm)
		return id == hardwareMode && modeSkip>>offset != 0 && uint64(modeSkip) < 1<<(offset+size)
	}
	return false
}

// skippable tells that the instruction is a vector instruction in the sense of s_setvskip.
func (op *Op) skippable() bool {
	switch op.Inst.Format {
	case isa.SOP1, isa.SOP2, isa.SOPK, isa.SOPC, isa.SOPP, isa.SMEM:
		return false
	}
	return true
}

// makeSkippable lets the instruction pass without effect under MODE's skip bit. A memory instruction asks for nothing then, as under an EXEC of zero.
func (op *Op) makeSkippable() {
	execute, address := op.Execute, op.Address
	op.Execute = func(w *Wavefront, op *Op) {
		if w.Mode&modeSkip != 0 {
			w.PC = op.Next
			return
		}
		execute(w, op)
	}
	if address == nil {
		return
	}
	op.Address = func(w *Wavefront, op *Op) {
		if w.Mode&modeSkip != 0 {
			a := &w.Access
			op.mem.begin(a)
			a.Bytes, a.ScalarBytes, a.Mask = op.mem.bytes, 0, 0
			return
		}
		address(w, op)
	}
}
