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
	"path/filepath"
	"syscall"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/capsule"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/platform"
)

// report is what running one capsule gave. Its keys are those of gpusim capsule run --json, and upstream's counts.
type report struct {
	Capsule      string                `json:"capsule"`
	Kernel       string                `json:"kernel,omitempty"`
	Outcome      string                `json:"outcome"` // same, differs, invalid or failed
	Error        string                `json:"error,omitempty"`
	Instructions uint64                `json:"instructions"`
	Cycles       uint64                `json:"cycles,omitempty"`
	WallSeconds  float64               `json:"wall_s"` // of the launch, upstream's construction left out
	Counters     map[string]any        `json:"counters,omitempty"`
	Differences  []*capsule.Difference `json:"differences"`

	status int
}

func runCapsule(arguments []string) int {
	if len(arguments) == 0 || arguments[0] != "run" {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	asJSON := f.Bool("json", false, "")
	results := f.String("results", "", "")
	stuck := f.Float64("stuck", platform.DefaultStuck.Seconds(), "")
	options := platform.Options{Log: func(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }}
	f.BoolVar(&options.Verify, "verify", false, "")
	f.BoolVar(&options.AllowAll, "all", false, "")
	if err := f.Parse(arguments[1:]); err != nil || f.NArg() == 0 {
		if err == nil {
			err = errors.New("expected the folder of a capsule")
		}
		fmt.Fprintf(os.Stderr, "mgpusim-bridge capsule: %v\n", err)
		return 2
	}
	options.Stuck = time.Duration(*stuck * float64(time.Second))
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	status := 0
	for _, directory := range f.Args() {
		r := runOne(ctx, directory, *results, options)
		status = max(status, r.status)
		switch {
		case *asJSON:
			_ = json.NewEncoder(os.Stdout).Encode(r)
		case r.Error != "":
			fmt.Fprintf(os.Stderr, "mgpusim-bridge capsule: %s\n", r.Error)
		default:
			verdict := map[bool]string{true: "memory as expected", false: "memory differs"}[len(r.Differences) == 0]
			fmt.Printf("%s: kernel %s: %s, %d wavefront instructions, %d cycles, %.2f s\n", directory, r.Kernel, verdict, r.Instructions, r.Cycles, r.WallSeconds)
			for _, d := range r.Differences {
				fmt.Printf("  %s\n", d)
			}
		}
	}
	return status
}

func runOne(ctx context.Context, directory, results string, options platform.Options) *report {
	r := &report{Capsule: directory, Outcome: "same", Differences: []*capsule.Difference{}}
	p, err := capsule.Open(directory)
	if err != nil {
		return r.fail(2, err)
	}
	r.Kernel = p.Kernel
	o := capsule.Options{Execute: func(ctx context.Context, l *emu.Launch) (*capsule.Outcome, error) {
		g, err := platform.New(l.Memory, options)
		if err != nil {
			return nil, err
		}
		begin := time.Now()
		result, err := g.Execute(ctx, l)
		r.WallSeconds = time.Since(begin).Seconds()
		if err != nil {
			return nil, err
		}
		return &capsule.Outcome{Instructions: result.Instructions.Total, Wavefronts: result.Wavefronts, Cycles: result.Cycles, Result: &result}, nil
	}}
	if results != "" {
		o.After = func(region *capsule.Region, contents []byte) error {
			if region.After == "" && !region.Ignore { // as gpusim does: it is compared in place
				return nil
			}
			to := filepath.Join(results, filepath.Base(filepath.Clean(directory)))
			if err := os.MkdirAll(to, 0o777); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(to, filepath.Base(region.Name)+".bin"), contents, 0o666)
		}
	}
	outcome, err := p.Run(ctx, o)
	if err != nil {
		if errors.As(err, new(*capsule.FormatError)) {
			return r.fail(2, err)
		}
		return r.fail(4, err)
	}
	r.Instructions, r.Cycles, r.Counters = outcome.Instructions, outcome.Cycles, outcome.Counters()
	r.Differences = append(r.Differences, outcome.Differences...)
	if len(r.Differences) > 0 {
		r.status, r.Outcome = 1, "differs"
	}
	return r
}

func (r *report) fail(status int, err error) *report {
	r.status, r.Error, r.Outcome = status, err.Error(), map[int]string{2: "invalid", 4: "failed"}[status]
	return r
}
