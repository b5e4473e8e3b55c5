package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/workload"
)

func benchFunctional(arguments []string) int { return benchSpeed("functional", arguments) }

func benchTiming(arguments []string) int { return benchSpeed("timing", arguments) }

// benchSpeed measures wavefront instructions per second of one mode. Every run's results are checked; it exits with 1 when one differs.
func benchSpeed(mode string, arguments []string) int {
	flags := flag.NewFlagSet("gpusim bench "+mode, flag.ContinueOnError)
	root := flags.String("root", ".", "the repository's folder, where kernels/ and benchmarks/kernels/ are")
	glob := flags.String("workload", "*", "run the workloads whose name matches this pattern")
	threads := flags.Int("threads", 1, "host threads of one simulation")
	repeat := flags.Int("repeat", 1, "runs of every workload")
	preset := flags.String("preset", "r9nano", "GPU preset of timing mode")
	asJSON := flags.Bool("json", false, "print a JSON list with one record a run")
	profile := flags.String("profile", "", "write a processor profile for `go tool pprof` to this file")
	switch err := flags.Parse(arguments); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	usage := func(format string, values ...any) int {
		fmt.Fprintf(os.Stderr, "gpusim bench "+mode+": "+format+"\n", values...)
		return 2
	}
	switch {
	case flags.NArg() != 0:
		return usage("unexpected argument %q", flags.Arg(0))
	case *threads < 1:
		return usage("expected --threads of at least 1, got %d", *threads)
	case *repeat < 1:
		return usage("expected --repeat of at least 1, got %d", *repeat)
	}
	if _, err := gpuconfig.Preset(*preset); err != nil {
		return usage("%v", err)
	}
	if _, err := os.Stat(filepath.Join(*root, "benchmarks", "kernels")); err != nil {
		return usage("expected --root with the repository's folder, which has benchmarks/kernels: %v", err)
	}
	workloads := workload.Functional
	if mode == "timing" {
		workloads = workload.Timing
	}
	if *profile != "" {
		file, err := os.Create(*profile)
		if err != nil {
			return usage("cannot write the profile: %v", err)
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return usage("cannot start the profile: %v", err)
		}
		defer pprof.StopCPUProfile()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	records, matched := []workload.Measurement{}, false
	for _, w := range workloads {
		match, err := path.Match(*glob, w.Name)
		if err != nil {
			return usage("--workload %q is not a pattern like %q", *glob, "gemm*")
		}
		if !match {
			continue
		}
		matched = true
		i, err := workload.Open(*root, w)
		if err != nil {
			return usage("%v", err)
		}
		for range *repeat {
			var m workload.Measurement
			if mode == "timing" {
				m, err = i.RunTiming(ctx, *preset, *threads)
			} else {
				m, err = i.RunFunctional(ctx, *threads)
			}
			if err != nil {
				i.Close()
				fmt.Fprintf(os.Stderr, "gpusim bench %s: %v\n", mode, err)
				if ctx.Err() != nil {
					return 4
				}
				return 1
			}
			records = append(records, m)
			if !*asJSON {
				fmt.Printf("%-12s %2d threads %10d instructions %8d cycles %8.2f M/s %8.2f M/s a core %8d allocations\n", m.Workload, m.Threads,
					m.Instructions, m.Cycles, m.Rate/1e6, m.ProcessorRate/1e6, m.Allocations)
			}
		}
		i.Close()
	}
	if !matched {
		return usage("no workload matches %q", *glob)
	}
	for _, first := range []bool{true, false} {
		runs := map[bool]string{true: "first", false: "later"}[first]
		if mean, ok := workload.CoreMean(records, first); ok && !*asJSON {
			fmt.Printf("geometric mean over %s, %s runs: %.2f M/s, %.2f M/s a core\n", strings.Join(workload.Core, ", "), runs, mean.Rate/1e6, mean.ProcessorRate/1e6)
		}
	}
	if *asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(records)
	}
	return 0
}
