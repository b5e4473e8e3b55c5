package upstream

import (
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// Problem is an instruction of a kernel that upstream does not execute properly.
type Problem struct {
	Kernel  string
	PC      uint64 // address of the instruction, counted from the kernel's first one where the kernel has not been placed
	Text    string // the instruction
	Use     Use
	Verdict string // "" where it was not tried
}

// Error returns the sentence.
func (p *Problem) Error() string {
	what := p.Use.Name
	if p.Use.Feature != "" {
		what += " with " + p.Use.Feature
	}
	if p.Use.Form == "sdwa" || p.Use.Form == "dpp" {
		what += " in its " + p.Use.Form + " form"
	}
	why := p.Verdict
	if why == "" {
		why = "not known to be executed"
	}
	return fmt.Sprintf("kernel %q: %s at PC 0x%x: upstream MGPUSim %s does not execute %s properly (%s); choose a kernel without it, or the embedded back end",
		p.Kernel, p.Text, p.PC, Version, what, why)
}

// Problems lists the instructions of a kernel that upstream does not execute properly, each use once. base is the address of its first
// instruction.
func Problems(k *codeobject.Kernel, base uint64) []*Problem {
	var found []*Problem
	seen := map[Use]bool{}
	code := k.Code()
	for at := 0; at+4 <= len(code); {
		in, err := isa.Decode(code[at:])
		if err != nil {
			at += 4 // data behind the instructions
			continue
		}
		uses := Uses(&in)
		if u := (Use{uses[0].Name, uses[0].Form, SCC}); Verdict(u) != "" && sccRead(code, at+int(in.Size)) {
			uses = append(uses, u)
		}
		for i, u := range uses {
			if i == 0 && measuredWithSource(uses) {
				continue
			}
			if seen[u] || Supported(u) {
				continue
			}
			seen[u] = true
			text, _, _ := isa.Disassemble(code[at:])
			found = append(found, &Problem{Kernel: k.Name, PC: base + uint64(at), Text: text, Use: u, Verdict: Verdict(u)})
		}
		at += int(in.Size)
	}
	return found
}

// measuredWithSource tells that an instruction was measured with the kind of source that it has here, so that it does not matter how it does
// with vector registers alone.
func measuredWithSource(uses []Use) bool {
	for _, u := range uses[1:] {
		switch u.Feature {
		case "literal", "float constant", "integer constant", "scalar source":
			return true
		}
	}
	return false
}

// Check refuses a kernel that upstream does not execute properly, by its first such instruction.
func Check(k *codeobject.Kernel, base uint64) error {
	if found := Problems(k, base); len(found) > 0 {
		return found[0]
	}
	return nil
}
