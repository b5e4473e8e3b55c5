package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/upstream"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/attach"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/probe"
)

// opcodesHead explains gpu_model/upstream/opcodes.tsv.
const opcodesHead = `# What upstream MGPUSim %s makes of each instruction, in each of its encodings and with each modifier: mnemonic, encoding, what is added to the
# plain instruction, verdict. "exact": the results of 128 random lanes are those of our executor, bit by bit; "approximate": floating-point
# results within 2^-19 of ours. Inputs are ordinary numbers where the instruction computes with floating point, shift amounts below 32, and 24-bit operands in
# 24 bits. A row
# "scc" tells of an instruction whose SCC alone is wrong. What is not listed was not tried.
# Made by: mgpusim-bridge opcodes > gpu_model/upstream/opcodes.tsv
`

// always are instructions that a probe can't judge and that every kernel of the tests has.
var always = []string{"s_endpgm", "s_waitcnt", "s_barrier"}

func opcodes(arguments []string) int {
	f := flag.NewFlagSet("opcodes", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	part := f.String("name", "", "")
	if err := f.Parse(arguments); err != nil || f.NArg() > 0 {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintf(out, opcodesHead, attach.UpstreamVersion)
	for _, name := range always {
		fmt.Fprintf(out, "%s\t\t\t%s\n", name, upstream.Exact)
	}
	err := probe.Measure(*part, func(r upstream.Row) {
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", r.Name, r.Form, r.Feature, r.Verdict)
		_ = out.Flush()
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "mgpusim-bridge opcodes: %v\n", err)
		return 4
	}
	return 0
}
