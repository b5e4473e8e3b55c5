package upstream

import (
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// sccRead tells whether an instruction may read the SCC that the one before the offset has written.
func sccRead(code []byte, from int) bool {
	seen := map[int]bool{}
	pending := []int{from}
	for len(pending) > 0 {
		at := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		for at >= 0 && at+4 <= len(code) && !seen[at] {
			seen[at] = true
			in, err := isa.Decode(code[at:])
			if err != nil {
				break
			}
			if readsSCC(&in) {
				return true
			}
			if writesSCC(&in) {
				break
			}
			at += int(in.Size)
			name := in.Op.Name
			if in.Format == isa.SOPP && in.Op.Unit == isa.UnitBranch {
				target := at + 4*int(int16(in.SImm16))
				if name == "s_branch" {
					at = target
					continue
				}
				pending = append(pending, target)
			}
			if strings.HasPrefix(name, "s_endpgm") {
				break
			}
			if name == "s_setpc_b64" || name == "s_swappc_b64" {
				return true // where it goes is not known
			}
		}
	}
	return false
}

func readsSCC(in *isa.Inst) bool {
	name := in.Op.Name
	for _, prefix := range []string{"s_cselect", "s_addc_", "s_subb_", "s_cbranch_scc", "s_cmov"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	for _, r := range in.Src {
		if r == isa.RegSCC {
			return true
		}
	}
	return false
}

// writesSCC follows the SCC columns of the ISA documentation: scalar arithmetic and logic write it, moves, multiplications and bit searches
// don't.
func writesSCC(in *isa.Inst) bool {
	name := in.Op.Name
	silent := func(prefixes ...string) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(name, p) {
				return true
			}
		}
		return false
	}
	switch in.Format {
	case isa.SOPC:
		return !silent("s_setvskip", "s_set_gpr_idx")
	case isa.SOP2:
		return !silent("s_mul_", "s_bfm_", "s_cselect", "s_cbranch", "s_rfe")
	case isa.SOPK:
		return silent("s_cmpk", "s_addk")
	case isa.SOP1:
		return silent("s_not", "s_wqm", "s_bcnt", "s_quadmask", "s_abs") || strings.Contains(name, "saveexec")
	}
	return false
}
