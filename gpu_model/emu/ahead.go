package emu

import (
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// findPlain counts, for every instruction, how many from it on do nothing but compute: their effects stay within the wavefront's registers, and
// whatever happens in between elsewhere does not change them.
func (p *Program) findPlain() {
	for pc := len(p.Ops) - 1; pc >= 0; pc-- {
		op := &p.Ops[pc]
		if op.refusal != "" || op.mem != nil || op.Unit != isa.UnitVALU && op.Unit != isa.UnitScalar {
			continue
		}
		op.plain = 1
		if next := int(op.Next); next < len(p.Ops) && next > pc && p.Ops[next].plain < 1<<15 {
			op.plain += p.Ops[next].plain
		}
	}
}

// usedRegisters returns how many vector registers, counted from v0, the program's instructions name; all where one goes by an index. The
// three that begin with work-item numbers count always.
func (p *Program) usedRegisters() int {
	used := 3
	for i := range p.Ops {
		op := &p.Ops[i]
		if op.refusal != "" {
			continue
		}
		if name := op.Inst.Op.Name; strings.HasPrefix(name, "s_set_gpr_idx") || strings.HasPrefix(name, "v_movrel") {
			return p.vgprs
		}
		used = max(used, op.registers())
	}
	return min(used, p.vgprs)
}

// RunAhead executes the instruction at PC and those behind it that only compute, and returns how many: at least one. A timing model that issues
// them later one by one touches the wavefront's registers once instead of once an instruction. It stops behind an instruction that
// faults.
func (w *Wavefront) RunAhead() (n int) {
	ops := w.Program.Ops
	op := &ops[w.PC]
	for left := max(op.plain, 1); ; {
		op.Execute(w, op)
		n++
		if left--; left == 0 || w.PC != op.Next || w.Fault != nil {
			return n
		}
		op = &ops[w.PC]
	}
}
