package upstream

import (
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// SCC is the feature of an instruction whose SCC is read after it.
const SCC = "scc"

// Use is one thing that an instruction asks of a simulator: the instruction in one of its encodings, or a modifier of it.
type Use struct {
	Name    string // mnemonic
	Form    string // "e32", "e64", "sdwa", "dpp", or "" for formats with one encoding
	Feature string // "" for the instruction itself, else what is added to it: "literal", "neg", …
}

// Uses lists what an instruction asks for: itself first.
func Uses(in *isa.Inst) []Use {
	name, form := in.Op.Name, formOf(in)
	uses := []Use{{name, form, ""}}
	add := func(feature string, has bool) {
		if has {
			uses = append(uses, Use{name, form, feature})
		}
	}
	for i := range in.Src {
		switch r := in.Src[i]; {
		case r == isa.RegNone, in.Op.Slots[i].Words == 0:
		case r == isa.RegLiteral:
			add("literal", true)
		case r >= 240 && r <= 248:
			add("float constant", true)
		case r >= isa.RegConstZero && r <= 208:
			add("integer constant", true)
		case !r.IsVGPR() && in.Op.Unit == isa.UnitVALU && in.Op.Slots[i].VGPR:
			add("scalar source", true)
		}
	}
	add("abs", in.Abs != 0 && form == "e64")
	add("neg", in.Neg != 0 && form == "e64")
	add("clamp", in.Clamp)
	add("omod", in.OMod != 0)
	switch in.Format {
	case isa.DS:
		add("offset", in.Mem.Offset&0xff != 0 || in.Mem.Offset>>8 != 0)
		add("gds", in.Mem.Gds)
	case isa.FLAT:
		add("glc", in.Mem.Glc)
	case isa.SMEM:
		add("register offset", !in.Mem.OffsetImm)
		add("glc", in.Mem.Glc)
	}
	return unique(uses)
}

func unique(uses []Use) []Use {
	kept := uses[:0]
	for i, u := range uses {
		seen := false
		for _, other := range uses[:i] {
			seen = seen || other == u
		}
		if !seen {
			kept = append(kept, u)
		}
	}
	return kept
}

func formOf(in *isa.Inst) string {
	switch {
	case in.SDWA != nil:
		return "sdwa"
	case in.DPP != nil:
		return "dpp"
	}
	switch in.Format {
	case isa.VOP1, isa.VOP2, isa.VOPC:
		return "e32"
	case isa.VOP3A, isa.VOP3B:
		return "e64"
	}
	return ""
}
