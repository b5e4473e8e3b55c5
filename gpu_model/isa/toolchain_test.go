//go:build toolchain

package isa

import (
	"os"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa/internal/corpus"
)

// TestToolchainFreshCorpus compares the disassembler with LLVM on a corpus from another seed than the committed one, and on all the
// words that were tried on the way: every bit of four instructions of each kind flipped, and random words.
func TestToolchainFreshCorpus(t *testing.T) {
	x, err := corpus.Explore(20210)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, x.All())
}

// TestToolchainKnown checks that known.tsv is the list that LLVM gives.
func TestToolchainKnown(t *testing.T) {
	x, err := corpus.Explore(20211)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile("known.tsv")
	if err != nil {
		t.Fatal(err)
	}
	committed := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(content)), "\n") {
		if !strings.HasPrefix(line, "#") {
			committed[line] = true
		}
	}
	for _, f := range x.Forms {
		line := f.String()
		if !committed[line] {
			t.Errorf("LLVM knows %q, known.tsv does not", line)
		}
		delete(committed, line)
	}
	for line := range committed {
		t.Errorf("known.tsv has %q, which LLVM does not know", line)
	}
}
