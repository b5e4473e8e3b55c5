package main

import (
	"fmt"
	"os"
)

// benches maps a benchmark to its function.
var benches = map[string]func(arguments []string) int{
	"bridge":     benchBridge,
	"functional": benchFunctional,
	"reference":  benchReference,
	"timing":     benchTiming,
}

// bench runs one of the benchmarks.
func bench(arguments []string) int {
	if len(arguments) == 0 {
		fmt.Fprintln(os.Stderr, "gpusim bench: expected a benchmark: bridge, functional, reference or timing")
		return 2
	}
	run, ok := benches[arguments[0]]
	if !ok {
		fmt.Fprintf(os.Stderr, "gpusim bench: there is no benchmark %q: expected bridge, functional, reference or timing\n", arguments[0])
		return 2
	}
	return run(arguments[1:])
}
