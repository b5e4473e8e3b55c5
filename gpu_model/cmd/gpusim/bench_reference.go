package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/comparison"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/reference"
)

// benchReference runs the cases measured on upstream MGPUSim and reports cycles, instruction counts and counters beside upstream's. It
// exits with 1 when an output or an instruction count differs.
func benchReference(arguments []string) int {
	flags := flag.NewFlagSet("gpusim bench reference", flag.ContinueOnError)
	directory := flags.String("reference", "", "folder with reference.json and kernels/ (required)")
	glob := flags.String("case", "*", "run the cases whose name matches this pattern")
	file := flags.String("json", "", "also write a list of one record per launch to this file")
	cores := flags.Int("cores", runtime.NumCPU(), "cases to run at a time; results do not depend on it")
	brief := flags.Bool("brief", false, "print one line per launch, without the counters that differ")
	switch err := flags.Parse(arguments); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	usage := func(format string, values ...any) int {
		fmt.Fprintf(os.Stderr, "gpusim bench reference: "+format+"\n", values...)
		return 2
	}
	if flags.NArg() != 0 {
		return usage("unexpected argument %q", flags.Arg(0))
	}
	if *directory == "" {
		return usage("expected --reference with the folder that holds reference.json")
	}
	if *cores < 1 {
		return usage("expected --cores of at least 1, got %d", *cores)
	}
	cases, err := reference.Load(*directory)
	if err != nil {
		return usage("cannot read the reference: %v", err)
	}
	selected := cases[:0]
	for _, c := range cases {
		match, err := path.Match(*glob, c.Name)
		if err != nil {
			return usage("--case %q is not a pattern like %q", *glob, "gemm*")
		}
		if match {
			selected = append(selected, c)
		}
	}
	if len(selected) == 0 {
		return usage("no case matches %q; names look like %q", *glob, cases[0].Name)
	}
	spec, err := gpuconfig.Preset("r9nano")
	if err != nil {
		return usage("%v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	runner := comparison.Runner{Directory: *directory, Spec: spec, Threads: 1}
	start := time.Now()
	results := runCases(ctx, &runner, selected, *cores)
	elapsed := time.Since(start)

	status := 0
	records := []comparison.Record{}
	for i := range results {
		records = append(records, results[i].records...)
		for j := range results[i].records {
			r := &results[i].records[j]
			printRecord(os.Stdout, r, !*brief)
			if r.Instructions != r.ReferenceInstructions {
				status = max(status, 1)
			}
		}
		var mismatch *comparison.MismatchError
		switch err := results[i].err; {
		case errors.As(err, &mismatch):
			fmt.Fprintf(os.Stderr, "gpusim bench reference: %v\n", err)
			status = max(status, 1)
		case err != nil:
			fmt.Fprintf(os.Stderr, "gpusim bench reference: %v\n", err)
			status = 4
		}
	}
	printSummary(os.Stdout, records, elapsed)
	if *file != "" {
		text, err := json.MarshalIndent(records, "", " ")
		if err == nil {
			err = os.WriteFile(*file, append(text, '\n'), 0o644)
		}
		if err != nil {
			return usage("cannot write the records: %v", err)
		}
	}
	return status
}

type caseResult struct {
	records []comparison.Record
	err     error
}

// runCases runs the cases, so many at a time, and returns their results in order.
func runCases(ctx context.Context, runner *comparison.Runner, cases []reference.Case, cores int) []caseResult {
	results := make([]caseResult, len(cases))
	next := make(chan int)
	var group sync.WaitGroup
	for range cores {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range next {
				results[i].records, results[i].err = runner.Run(ctx, &cases[i])
			}
		}()
	}
	for i := range cases {
		next <- i
	}
	close(next)
	group.Wait()
	return results
}

func printRecord(w io.Writer, r *comparison.Record, counters bool) {
	name := r.Case
	if r.Group == "C" {
		name = fmt.Sprintf("%s, launch %d", name, r.Launch+1)
	}
	mark := "equal"
	if r.Instructions != r.ReferenceInstructions {
		mark = fmt.Sprintf("upstream %d", r.ReferenceInstructions)
	}
	fmt.Fprintf(w, "%-36s %s %9d cycles, upstream %9d, %+6.2f %% (without tail %+6.2f %%), %d instructions (%s)\n", name, r.Group, r.Cycles,
		r.ReferenceCycles, 100*r.Error(true), 100*r.Error(false), r.Instructions, mark)
	if !counters {
		return
	}
	for _, x := range r.Rows() {
		if x.Ours != 0 || x.Reference != 0 {
			fmt.Fprintf(w, "    %-26s %12d  %12d%s\n", x.Name, x.Ours, x.Reference, difference(x))
		}
	}
}

func difference(x comparison.Row) string {
	switch {
	case x.Ours == x.Reference:
		return ""
	case x.Reference == 0:
		return "  new"
	}
	return fmt.Sprintf("  %+.2f %%", 100*(float64(x.Ours)/float64(x.Reference)-1))
}

func printSummary(w io.Writer, records []comparison.Record, elapsed time.Duration) {
	instructions := uint64(0)
	equal := 0
	for i := range records {
		instructions += records[i].Instructions
		if records[i].Instructions == records[i].ReferenceInstructions {
			equal++
		}
	}
	fmt.Fprintf(w, "\n%d launches, %d instructions in %.1f s; instruction counts equal in %d of %d\n", len(records), instructions,
		elapsed.Seconds(), equal, len(records))
	fmt.Fprintln(w, "absolute error of the kernel cycles    launches     mean   median      max")
	for _, g := range [][2]string{{"A", "micro-benchmarks"}, {"B", "DNN kernels"}, {"C", "two launches"}} {
		for _, tail := range []bool{true, false} {
			s := comparison.Summarize(records, g[0], tail)
			if s.Count == 0 {
				continue
			}
			with := "without tail"
			if tail {
				with = "with tail"
			}
			fmt.Fprintf(w, "%s %-18s %-14s   %8d  %6.2f %% %6.2f %% %6.2f %%  (%s)\n", g[0], g[1], with, s.Count, 100*s.Mean, 100*s.Median,
				100*s.Max, s.Worst)
		}
	}
}
