// Command mgpusim-bridge puts the co-simulation protocol on upstream MGPUSim v4.2.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/server"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/attach"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/platform"
)

const usage = `usage: mgpusim-bridge COMMAND [ARGUMENTS]

  serve --socket PATH        serve upstream's GPU on a Unix socket until standard input closes
  capsule run [--json] [--results DIR] [--verify] [--stuck SECONDS] [--all] DIR...
                             execute recorded kernel launches on upstream
  capture --out DIR [--most N] -- PROGRAM [ARGUMENTS]
                             run an MGPUSim program that calls attach.Open, and write its launches as capsules
  opcodes [--name PART]      measure which instructions upstream executes as the ISA documentation says
  version [--json]           print the versions

Environment: SPARTAN_MGPUSIM_STUCK_S is the wall time in seconds without a completed instruction after which serve gives a launch up
(default: 60).

Every command exits with 0 when done, 1 when a result differs, 2 on wrong usage, 4 when the model failed.
`

var commands = map[string]func(arguments []string) int{
	"serve":   serve,
	"capsule": runCapsule,
	"capture": capture,
	"opcodes": opcodes,
	"version": version,
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	command, ok := commands[os.Args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "mgpusim-bridge: there is no command %q\n\n%s", os.Args[1], usage)
		os.Exit(2)
	}
	os.Exit(command(os.Args[2:]))
}

func serve(arguments []string) int {
	options := platform.Options{Stuck: platform.DefaultStuck, Log: func(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }}
	if text := os.Getenv("SPARTAN_MGPUSIM_STUCK_S"); text != "" {
		d, err := time.ParseDuration(text + "s")
		if err != nil || d <= 0 {
			fmt.Fprintf(os.Stderr, "mgpusim-bridge serve: expected a number of seconds in SPARTAN_MGPUSIM_STUCK_S, got %q\n", text)
			return 2
		}
		options.Stuck = d
	}
	return server.Serve("mgpusim-bridge", &platform.Model{Options: options}, arguments)
}

func version(arguments []string) int {
	if len(arguments) == 1 && arguments[0] == "--json" {
		_ = json.NewEncoder(os.Stdout).Encode(map[string]string{"bridge": server.Version, "mgpusim": attach.UpstreamVersion, "akita": attach.AkitaVersion,
			"protocol": fmt.Sprintf("%d.%d", cosim.ProtocolMajor, cosim.ProtocolMinor)})
		return 0
	}
	fmt.Printf("mgpusim-bridge %s on MGPUSim %s, akita %s, protocol %d.%d\n", server.Version, attach.UpstreamVersion, attach.AkitaVersion, cosim.ProtocolMajor, cosim.ProtocolMinor)
	return 0
}
