//go:build toolchain

package isa

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa/internal/corpus"
)

// fresh asks LLVM about another seed's words than the committed corpus has.
var fresh = sync.OnceValues(func() (*corpus.Exploration, error) { return corpus.Explore(20210) })

// TestToolchainFreshCorpus compares the disassembler with LLVM on a corpus from another seed than the committed one, and on all the
// words that were tried on the way: every bit of four instructions of each kind flipped, and random words.
func TestToolchainFreshCorpus(t *testing.T) {
	x, err := fresh()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, x.All())
}

// TestToolchainCommittedCorpus checks that the committed corpus is what its seed gives.
func TestToolchainCommittedCorpus(t *testing.T) {
	x, err := corpus.Explore(803)
	if err != nil {
		t.Fatal(err)
	}
	made, committed := x.Corpus(), readCorpus(t)
	if len(made) != len(committed) {
		t.Fatalf("the committed corpus has %d entries, makecorpus -seed 803 makes %d", len(committed), len(made))
	}
	for i := range made {
		if !reflect.DeepEqual(made[i], committed[i]) {
			t.Fatalf("entry %d: the committed corpus has %08x %q, makecorpus -seed 803 makes %08x %q", i, committed[i].Words, committed[i].Text,
				made[i].Words, made[i].Text)
		}
	}
}

// TestToolchainKnown checks that known.tsv is the list that LLVM gives, and its examples too.
func TestToolchainKnown(t *testing.T) {
	x, err := fresh()
	if err != nil {
		t.Fatal(err)
	}
	list := KnownInstructions()
	committed := map[string]bool{}
	examples := make([][]uint32, len(list))
	for i, k := range list {
		committed[fmt.Sprintf("%s %d %s", k.Encoding, k.Code, k.Name)] = true
		for code := k.Example; len(code) > 0; code = code[4:] {
			examples[i] = append(examples[i], binary.LittleEndian.Uint32(code))
		}
	}
	for _, f := range x.Forms {
		place := fmt.Sprintf("%s %d %s", f.Encoding, f.Code, f.Name)
		if !committed[place] {
			t.Errorf("LLVM knows %s, known.tsv does not", place)
		}
		delete(committed, place)
	}
	for place := range committed {
		t.Errorf("known.tsv has %s, which LLVM does not know", place)
	}
	texts, err := corpus.Disassemble(examples)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range list {
		if name, _, _ := strings.Cut(texts[i], " "); name != k.Name {
			t.Errorf("the example %08x of %s is %q", examples[i], k.Name, texts[i])
		}
	}
}
