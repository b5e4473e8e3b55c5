package isa

import (
	"os"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa/internal/corpus"
)

// compare reports every entry on which the disassembler and LLVM disagree.
func compare(t *testing.T, entries []corpus.Entry) {
	t.Helper()
	differences := 0
	for i := range entries {
		e := &entries[i]
		text, _, err := Disassemble(e.Bytes())
		if err != nil {
			text = ""
		}
		if text == e.Text {
			continue
		}
		if differences++; differences <= 20 {
			t.Errorf("%08x: LLVM says %q, we say %q (%v)", e.Words, e.Text, text, err)
		}
	}
	t.Logf("%d differences in %d entries", differences, len(entries))
}

// readCorpus reads the committed corpus.
func readCorpus(t testing.TB) []corpus.Entry {
	t.Helper()
	f, err := os.Open("testdata/corpus.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entries, err := corpus.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestCorpus compares the disassembler with LLVM's text of every opcode with random operands, modifiers and literals.
func TestCorpus(t *testing.T) {
	entries := readCorpus(t)
	valid := 0
	for i := range entries {
		if entries[i].Text != "" {
			valid++
		}
	}
	if valid < 50000 {
		t.Errorf("the corpus has %d instructions, 50000 are needed", valid)
	}
	compare(t, entries)
}
