package emu

import (
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// scalarOp is what a scalar ALU instruction needs at run time.
type scalarOp struct {
	src [3]scalarSource
	dst int // first SGPR, −1 none
	imm uint32
}

// scalarSource is a register, or a constant where index is negative.
type scalarSource struct {
	value uint64
	index int32
	state isa.Reg // vccz, execz, scc; 0 none
}

// resolveScalar resolves sources and destination of a scalar instruction.
func resolveScalar(op *Op) error {
	in, row := &op.Inst, op.Inst.Op
	op.sd = scalarOp{dst: -1, imm: uint32(in.SImm16)}
	if in.Dst != isa.RegNone {
		if int(in.Dst)+int(max(row.DstWords, 1)) > 128 {
			return fmt.Errorf("destination code %d is no scalar register", in.Dst)
		}
		op.sd.dst = int(in.Dst)
	}
	for i, r := range in.Src {
		if r == isa.RegNone {
			continue
		}
		s := scalarSource{index: -1}
		shape := isa.Constant32
		if row.Slots[i].Words == 2 {
			shape = isa.Constant64
		}
		switch {
		case r < 128:
			s.index = int32(r)
		case r == isa.RegLiteral:
			s.value = uint64(in.Lit)
			if row.Slots[i].Words == 2 {
				s.value = literal64(row, in.Lit)
			}
		case r >= isa.RegVCCZ && r <= isa.RegSCC:
			s.state = r
		default:
			value, ok := inlineConstant(r, shape)
			if !ok {
				return fmt.Errorf("source code %d is not executed by this machine", r)
			}
			s.value = value
		}
		op.sd.src[i] = s
	}
	return nil
}

func (w *Wavefront) scalar32(s *scalarSource) uint32 {
	if s.index >= 0 {
		return w.S[s.index]
	}
	if s.state != 0 {
		return w.status(int(s.state))
	}
	return uint32(s.value)
}

func (w *Wavefront) scalar64(s *scalarSource) uint64 {
	if s.index >= 0 {
		return w.mask64(int(s.index))
	}
	if s.state != 0 {
		return uint64(w.status(int(s.state)))
	}
	return s.value
}

// sccRule says what a scalar instruction does to SCC.
type sccRule uint8

const (
	sccKeep    sccRule = iota
	sccNonzero         // set where the result is not zero
	sccFlag            // set by the second result of the function
)

// scalar32Instruction makes the executor of a 32-bit instruction; f also gets SCC.
func scalar32Instruction(rule sccRule, f func(a, b uint32, scc bool) (uint32, bool)) executor {
	return func(op *Op) error {
		if err := resolveScalar(op); err != nil {
			return err
		}
		op.Execute = func(w *Wavefront, op *Op) {
			w.PC = op.Next
			r, flag := f(w.scalar32(&op.sd.src[0]), w.scalar32(&op.sd.src[1]), w.SCC)
			if op.sd.dst >= 0 {
				w.S[op.sd.dst] = r
			}
			w.setSCC(rule, r != 0, flag)
		}
		return nil
	}
}

// scalar64Instruction makes the executor of an instruction with a 64-bit result; narrow sources are zero-extended.
func scalar64Instruction(rule sccRule, f func(a, b uint64, scc bool) (uint64, bool)) executor {
	return func(op *Op) error {
		if err := resolveScalar(op); err != nil {
			return err
		}
		a, b := op.sourceReader(0), op.sourceReader(1)
		narrow := op.Inst.Op.DstWords == 1
		op.Execute = func(w *Wavefront, op *Op) {
			w.PC = op.Next
			r, flag := f(a(w, &op.sd.src[0]), b(w, &op.sd.src[1]), w.SCC)
			switch {
			case op.sd.dst < 0:
			case narrow:
				w.S[op.sd.dst] = uint32(r)
			default:
				w.setMask64(op.sd.dst, r)
			}
			w.setSCC(rule, r != 0, flag)
		}
		return nil
	}
}

func (op *Op) sourceReader(slot int) func(w *Wavefront, s *scalarSource) uint64 {
	if op.Inst.Op.Slots[slot].Words == 2 {
		return (*Wavefront).scalar64
	}
	return func(w *Wavefront, s *scalarSource) uint64 { return uint64(w.scalar32(s)) }
}

func (w *Wavefront) setSCC(rule sccRule, nonzero, flag bool) {
	switch rule {
	case sccNonzero:
		w.SCC = nonzero
	case sccFlag:
		w.SCC = flag
	}
}
