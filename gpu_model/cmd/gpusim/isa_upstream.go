package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/upstream"
)

// checkUpstream tells which kernels of code objects upstream MGPUSim executes properly. The status is 1 where it does not execute some.
func checkUpstream(arguments []string) int {
	flags := flag.NewFlagSet("upstream", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, isaUsage) }
	asJSON := flags.Bool("json", false, "")
	if flags.Parse(arguments) != nil {
		return 2
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "gpusim isa upstream: expected a code object")
		return 2
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	status := 0
	for _, file := range flags.Args() {
		object, err := codeobject.Open(file)
		if err != nil {
			fmt.Fprintf(os.Stderr, "gpusim isa upstream: %v\n", err)
			return 2
		}
		for _, k := range object.Kernels {
			found := upstream.Problems(k, 0)
			if len(found) > 0 {
				status = 1
			}
			if *asJSON {
				_ = json.NewEncoder(out).Encode(map[string]any{"file": file, "kernel": k.Name, "problems": append([]*upstream.Problem{}, found...)})
				continue
			}
			if len(found) == 0 {
				fmt.Fprintf(out, "%s: kernel %q: upstream MGPUSim %s executes all its instructions\n", file, k.Name, upstream.Version)
			}
			for _, p := range found {
				fmt.Fprintf(out, "%s: %v\n", file, p)
			}
		}
	}
	return status
}
