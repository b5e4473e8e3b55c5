package emu

import (
	"flag"
	"os"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// tested collects the memory instructions that a semantic test ran.
var tested = map[string]bool{}

// covers records that the calling test checks the semantics of an instruction.
func covers(name string) { tested[name] = true }

// TestMain checks, when the whole package ran, that no memory instruction lacks a semantic test.
func TestMain(m *testing.M) {
	code := m.Run()
	if whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == ""; code == 0 && whole {
		for _, o := range isa.Opcodes() {
			switch o.Format {
			case isa.SMEM, isa.DS, isa.FLAT, isa.MUBUF, isa.MTBUF:
				if !tested[o.Name] {
					os.Stderr.WriteString("no semantic test of " + o.Name + "\n")
					code = 1
				}
			}
		}
	}
	os.Exit(code)
}
