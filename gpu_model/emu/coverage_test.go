package emu

import (
	"flag"
	"fmt"
	"os"
	"sort"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// tested collects the instructions that a semantic test ran.
var tested = map[string]bool{}

// covers records that the calling test checks the semantics of an instruction.
func covers(name string) { tested[name] = true }

// TestMain checks, when the whole package ran, that every instruction that is executed has a semantic test which ran it, and that
// every instruction but those of the graphics formats is executed.
func TestMain(m *testing.M) {
	code := m.Run()
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" &&
		flag.Lookup("test.list").Value.String() == ""
	if code == 0 && whole {
		var missing []string
		for _, o := range isa.Opcodes() {
			switch {
			case o.Refused():
			case !Implements(o):
				missing = append(missing, "nothing executes "+o.Name)
			case !tested[o.Name]:
				missing = append(missing, "no semantic test of "+o.Name)
			}
		}
		sort.Strings(missing)
		for _, sentence := range missing {
			fmt.Fprintln(os.Stderr, sentence)
			code = 1
		}
	}
	os.Exit(code)
}
