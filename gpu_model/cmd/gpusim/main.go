// Command gpusim is the GPU model: a gRPC server for co-simulation, and tools on the instruction set.
package main

import (
	"fmt"
	"os"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/server"
)

const usage = `usage: gpusim COMMAND [ARGUMENTS]

  serve --socket PATH   serve the GPU model on a Unix socket until standard input closes
  bench reference       compare with figures measured on upstream MGPUSim
  bench bridge          measure the way to units and back, for spartan bench bridge
  bench functional|timing
                        measure wavefront instructions per second
  capsule run|show|record DIR
                        execute, describe or make a recorded kernel launch
  gpu [PRESET]          print the GPU presets, or the parameters of one, as JSON
  isa disasm|dump FILE|list|--json
                        disassemble words or a code object, list the instructions, count the instruction set's coverage
  version               print the version

Every command exits with 0 when done, 1 when a result differs, 2 on wrong usage, 4 when the model failed.
`

// commands maps a command to its function, which returns the exit status.
var commands = map[string]func(arguments []string) int{
	"serve":   func(arguments []string) int { return server.Serve("gpusim", nil, arguments) },
	"bench":   bench,
	"capsule": runCapsule,
	"gpu":     printPreset,
	"isa":     runISA,
	"version": func([]string) int {
		fmt.Println(server.Version)
		return 0
	},
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	command, ok := commands[os.Args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "gpusim: there is no command %q\n\n%s", os.Args[1], usage)
		os.Exit(2)
	}
	os.Exit(command(os.Args[2:]))
}
