// Command makecorpus rebuilds, with Debian's llvm-16, what the isa package compares itself with:
//
//	go run ./isa/internal/makecorpus -seed 803 -corpus isa/testdata/corpus.txt.gz -known isa/known.tsv
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa/internal/corpus"
)

func main() {
	seed := flag.Uint64("seed", 803, "seed of the random operands")
	path := flag.String("corpus", "", "file for the corpus: words and text, compressed")
	known := flag.String("known", "", "file for the list of LLVM's instructions")
	flag.Parse()
	if err := run(*seed, *path, *known); err != nil {
		fmt.Fprintf(os.Stderr, "makecorpus: %v\n", err)
		os.Exit(1)
	}
}

func run(seed uint64, path, known string) error {
	exploration, err := corpus.Explore(seed)
	if err != nil {
		return err
	}
	entries, forms := exploration.Corpus(), exploration.Forms
	if path != "" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		if err := corpus.Write(f, entries); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	if known != "" {
		text := "# Every instruction that LLVM 16 knows for gfx803: encoding, opcode number, mnemonic.\n" +
			"# Made by: go run ./isa/internal/makecorpus -known isa/known.tsv\n"
		for _, f := range forms {
			text += f.String() + "\n"
		}
		if err := os.WriteFile(known, []byte(text), 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("%d entries, %d instructions\n", len(entries), len(forms))
	return nil
}
