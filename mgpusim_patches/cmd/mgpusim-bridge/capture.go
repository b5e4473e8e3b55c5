package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/capsule"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/attach"
)

// capture runs a program whose launches become capsules. Its status is the program's, or 1 where that wrote none.
func capture(arguments []string) int {
	f := flag.NewFlagSet("capture", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	out := f.String("out", "", "")
	most := f.Int("most", 0, "")
	err := f.Parse(arguments)
	if err == nil && (*out == "" || f.NArg() == 0 || *most < 0) {
		err = errors.New("expected --out DIR, and the program to run")
	}
	var directory string
	if err == nil {
		directory, err = filepath.Abs(*out)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "mgpusim-bridge capture: %v\n", err)
		return 2
	}
	program := exec.Command(f.Arg(0), f.Args()[1:]...)
	program.Stdin, program.Stdout, program.Stderr = os.Stdin, os.Stdout, os.Stderr
	program.Env = append(os.Environ(), attach.CaptureVariable+"="+directory, attach.CaptureMostVariable+"="+strconv.Itoa(*most))
	if err := program.Run(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			fmt.Fprintf(os.Stderr, "mgpusim-bridge capture: %v\n", err)
			return 2
		}
		fmt.Fprintf(os.Stderr, "mgpusim-bridge capture: %s ended with %v\n", f.Arg(0), ended)
		return 4
	}
	made, _ := filepath.Glob(filepath.Join(directory, "*", capsule.ManifestFile))
	fmt.Printf("%d capsules in %s\n", len(made), *out)
	if len(made) == 0 {
		fmt.Fprintf(os.Stderr, "mgpusim-bridge capture: %s launched no kernel after attach.Open, or does not call it\n", f.Arg(0))
		return 1
	}
	return 0
}
