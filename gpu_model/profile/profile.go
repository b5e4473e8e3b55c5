// Package profile lists what each instruction of a launch did: how often it was issued, and what the cycles went to that are
// charged to it.
package profile

import (
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// Kernel is the profile of one launch. All cycles are means over the compute units of the GPU: those of the instructions and
// Elsewhere together add up to Cycles (docs/metrics.md).
type Kernel struct {
	Kernel       string        `json:"kernel"`
	Cycles       uint64        `json:"cycles"` // with the launch tail
	TailCycles   uint64        `json:"launch_tail_cycles"`
	Cold         bool          `json:"cold"`
	Wavefronts   uint64        `json:"wavefronts"`
	ComputeUnits int           `json:"compute_units"`
	Causes       []string      `json:"causes"`
	Elsewhere    []float64     `json:"elsewhere"` // by cause: cycles without a wavefront
	Instructions []Instruction `json:"instructions"`
}

// Instruction is one instruction in the order of addresses.
type Instruction struct {
	Offset uint32    `json:"offset"` // bytes from the start of the code; a kernel that shares its image need not begin at 0
	Text   string    `json:"text"`
	Issues uint64    `json:"issues"` // over all wavefronts
	Cycles []float64 `json:"cycles"` // by cause
}

// Of returns the profile of a launch of a program that was asked for one.
func Of(p *emu.Program, r *timing.Result) *Kernel {
	k := &Kernel{Kernel: p.Name, Cycles: r.Cycles, TailCycles: r.TailCycles, Cold: r.Cold, Wavefronts: r.Wavefronts, ComputeUnits: len(r.ComputeUnits)}
	units := float64(len(r.ComputeUnits))
	for c := range timing.Causes {
		k.Causes = append(k.Causes, c.String())
	}
	elsewhere := r.Stack
	first, last := reach(r.Profile, p.Entry)
	for pc := first; pc <= last; {
		op := &p.Ops[pc]
		stack := &r.Profile.Stacks[pc]
		x := Instruction{Offset: 4 * pc, Issues: r.Profile.Issues[pc], Cycles: make([]float64, timing.Causes), Text: text(op)}
		for c := range timing.Causes {
			x.Cycles[c] = stack.Cycles(c) / units
			elsewhere[c] -= stack[c]
		}
		k.Instructions = append(k.Instructions, x)
		pc += max(1, uint32(op.Inst.Size)/4)
	}
	for c := range timing.Causes {
		k.Elsewhere = append(k.Elsewhere, elsewhere.Cycles(c)/units)
	}
	return k
}

// reach returns the first and the last dword that was issued or waited for, the entry included.
func reach(p *timing.Profile, entry uint32) (first, last uint32) {
	first, last = entry, entry
	for pc := range p.Issues {
		if p.Issues[pc] != 0 || p.Stacks[pc] != (timing.Stack{}) {
			first, last = min(first, uint32(pc)), max(last, uint32(pc))
		}
	}
	return first, last
}

// text returns the instruction as it is listed, a direct branch with the offset of its target.
func text(op *emu.Op) string {
	if op.Inst.Op == nil {
		return "(no instruction)"
	}
	t := op.Inst.Text()
	if op.Unit == isa.UnitBranch && op.Inst.Format == isa.SOPP {
		t += fmt.Sprintf("  // to 0x%04x", 4*op.Target)
	}
	return t
}
