package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/capsule"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/profile"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/server"
)

const capsuleUsage = `usage: gpusim capsule run [OPTIONS] DIR...
       gpusim capsule show [--json] DIR
       gpusim capsule record [OPTIONS] --object FILE --kernel NAME --grid X[,Y,Z] --workgroup X[,Y,Z] [--arg ARGUMENT]... DIR

A capsule is one kernel launch as a folder: code object, geometry, arguments, memory before and after.

options of run and record:
  --mode functional|timing  how the launch is executed (default: functional)
  --gpu PRESET              GPU of the timing mode (default: r9nano); --set KEY=VALUE changes a parameter
  --cores N                 host cores (default: all)
  --max-instructions N      wavefront instructions a launch may execute (default: 10000000000; 0: no limit)
options of run:
  --cycles-tolerance P      a launch whose cycles are more than P percent off the capsule's counts as different
  --profile                 add a profile of every instruction to the JSON object (needs --mode timing)
  --results DIR             write what the regions hold afterwards to DIR/CAPSULE/REGION.bin
  --json                    print one JSON object a capsule instead of a line
options of record:
  --global-offset X[,Y,Z]   global offset of the grid
  --arg ARGUMENT            an argument of the kernel, in order:
` + capsule.ArgumentSyntax + "\n"

// runCapsule is the capsule command.
func runCapsule(arguments []string) int {
	if len(arguments) == 0 {
		fmt.Fprint(os.Stderr, capsuleUsage)
		return 2
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	c := capsuleCommand{gpu: "r9nano"}
	switch arguments[0] {
	case "run":
		return c.run(ctx, arguments[1:])
	case "show":
		return c.show(arguments[1:])
	case "record":
		return c.record(ctx, arguments[1:])
	case "help", "-h", "--help":
		fmt.Print(capsuleUsage)
		return 0
	}
	fmt.Fprintf(os.Stderr, "gpusim capsule: there is no command %q\n\n%s", arguments[0], capsuleUsage)
	return 2
}

// capsuleCommand holds what the command line says.
type capsuleCommand struct {
	options   capsule.Options
	mode      string
	gpu       string
	set       []string
	tolerance float64
	results   string
	asJSON    bool
	recording capsule.Recording
}

func (c *capsuleCommand) modelFlags(f *flag.FlagSet) {
	f.StringVar(&c.mode, "mode", "functional", "")
	f.StringVar(&c.gpu, "gpu", "r9nano", "")
	f.IntVar(&c.options.Cores, "cores", 0, "")
	f.Uint64Var(&c.options.MaxInstructions, "max-instructions", 10_000_000_000, "")
	f.Func("set", "", func(text string) error {
		c.set = append(c.set, text)
		return nil
	})
}

// parseMixed parses flags that may stand before, between and after the other arguments, which it returns.
func parseMixed(f *flag.FlagSet, arguments []string) ([]string, error) {
	f.SetOutput(io.Discard)
	var rest []string
	for {
		if err := f.Parse(arguments); err != nil {
			return nil, err
		}
		if f.NArg() == 0 {
			return rest, nil
		}
		rest, arguments = append(rest, f.Arg(0)), f.Args()[1:]
	}
}

// usageError tells what is wrong with the command line.
func usageError(format string, arguments ...any) int {
	fmt.Fprintf(os.Stderr, "gpusim capsule: "+format+"\n", arguments...)
	return 2
}

// model completes the options of the model.
func (c *capsuleCommand) model() error {
	switch c.mode {
	case "functional":
	case "timing":
		c.options.Timing = true
	default:
		return fmt.Errorf("expected --mode functional or timing, got %q", c.mode)
	}
	if c.options.Cores < 0 {
		return fmt.Errorf("expected --cores of at least 1, or 0 for all, got %d", c.options.Cores)
	}
	spec, err := gpuconfig.Preset(c.gpu)
	if err != nil {
		return err
	}
	for _, text := range c.set {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return fmt.Errorf("expected --set KEY=VALUE, got %q", text)
		}
		if err := spec.Set(key, value); err != nil {
			return err
		}
	}
	c.options.GPU = spec
	return spec.Validate()
}

func (c *capsuleCommand) run(ctx context.Context, arguments []string) int {
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	c.modelFlags(f)
	f.Float64Var(&c.tolerance, "cycles-tolerance", math.Inf(1), "")
	f.StringVar(&c.results, "results", "", "")
	f.BoolVar(&c.asJSON, "json", false, "")
	f.BoolVar(&c.options.Profile, "profile", false, "")
	directories, err := parseMixed(f, arguments)
	if err == nil && c.options.Profile && (c.mode != "timing" || !c.asJSON) {
		err = errors.New("--profile needs --mode timing and --json")
	}
	if err == nil && len(directories) == 0 {
		err = errors.New("expected the folder of a capsule")
	}
	if err == nil {
		err = c.model()
	}
	if err != nil {
		return usageError("%v", err)
	}
	status := 0
	for _, directory := range directories {
		r := c.runOne(ctx, directory)
		status = max(status, r.status)
		if c.asJSON {
			_ = json.NewEncoder(os.Stdout).Encode(r)
			continue
		}
		if r.Error != "" {
			fmt.Fprintf(os.Stderr, "gpusim capsule: %s\n", r.Error)
			continue
		}
		fmt.Print(r.text())
	}
	return status
}

// report is what running one capsule gave.
type report struct {
	Capsule        string                `json:"capsule"`
	Kernel         string                `json:"kernel,omitempty"`
	Outcome        string                `json:"outcome"` // same, differs, invalid or failed
	Error          string                `json:"error,omitempty"`
	Instructions   uint64                `json:"instructions"`
	Cycles         uint64                `json:"cycles,omitempty"`
	ExpectedCycles uint64                `json:"expected_cycles,omitempty"`
	WallSeconds    float64               `json:"wall_s"`
	Counters       map[string]any        `json:"counters,omitempty"`
	Differences    []*capsule.Difference `json:"differences"`
	Profile        *profile.Kernel       `json:"profile,omitempty"`

	status int
	notes  []string
}

func (c *capsuleCommand) runOne(ctx context.Context, directory string) (r *report) {
	r = &report{Capsule: directory, Outcome: "same", Differences: []*capsule.Difference{}}
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Fprintf(os.Stderr, "%s\n", debug.Stack())
			r.fail(4, fmt.Errorf("%s: the GPU model failed: %v", directory, problem))
		}
	}()
	p, err := capsule.Open(directory)
	if err != nil {
		return r.fail(2, err)
	}
	r.Kernel = p.Kernel
	options := c.options
	if c.results != "" {
		options.After = func(region *capsule.Region, contents []byte) error { return c.writeResult(directory, region, contents) }
	}
	outcome, err := p.Run(ctx, options)
	if outcome != nil {
		r.Instructions, r.Cycles, r.Profile, r.WallSeconds = outcome.Instructions, outcome.Cycles, outcome.Profile, outcome.WallSeconds
		r.Counters = outcome.Counters()
	}
	if err != nil {
		var format *capsule.FormatError
		if errors.As(err, &format) {
			return r.fail(2, err)
		}
		return r.fail(4, err)
	}
	r.Differences = append(r.Differences, outcome.Differences...)
	r.compareCounts(p.Expected, c)
	if len(r.Differences) > 0 {
		r.status, r.Outcome = 1, "differs"
	}
	return r
}

func (r *report) fail(status int, err error) *report {
	r.status, r.Error, r.Outcome = status, err.Error(), map[int]string{2: "invalid", 4: "failed"}[status]
	return r
}

// compareCounts compares cycles and instructions with the capsule's. Instructions tell of another path through the kernel; they are noted,
// since only memory is the result of a launch.
func (r *report) compareCounts(e *capsule.Expected, c *capsuleCommand) {
	if e == nil {
		return
	}
	if e.Instructions != 0 && e.Instructions != r.Instructions {
		r.notes = append(r.notes, fmt.Sprintf("expected %d wavefront instructions, got %d", e.Instructions, r.Instructions))
	}
	if e.Cycles == 0 || r.Cycles == 0 {
		return
	}
	r.ExpectedCycles = e.Cycles
	off := 100 * (float64(r.Cycles) - float64(e.Cycles)) / float64(e.Cycles)
	note := fmt.Sprintf("expected %d cycles, got %d (%+.2f %%)", e.Cycles, r.Cycles, off)
	r.notes = append(r.notes, note)
	if math.Abs(off) > c.tolerance {
		r.status, r.Outcome = 1, "differs"
	}
}

func (r *report) text() string {
	var b strings.Builder
	verdict := "memory as expected"
	if len(r.Differences) > 0 {
		verdict = "memory differs"
	}
	fmt.Fprintf(&b, "%s: kernel %s: %s, %d wavefront instructions", r.Capsule, r.Kernel, verdict, r.Instructions)
	if r.Cycles != 0 {
		fmt.Fprintf(&b, ", %d cycles", r.Cycles)
	}
	fmt.Fprintln(&b)
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "  %s\n", d)
	}
	for _, note := range r.notes {
		fmt.Fprintf(&b, "  %s\n", note)
	}
	return b.String()
}

// writeResult keeps the contents of a region that the capsule does not say to be unchanged.
func (c *capsuleCommand) writeResult(directory string, r *capsule.Region, contents []byte) error {
	if r.After == "" && !r.Ignore {
		return nil
	}
	absolute, err := filepath.Abs(directory)
	if err != nil {
		return err
	}
	to := filepath.Join(c.results, filepath.Base(absolute))
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, filepath.Base(r.Name)+".bin"), contents, 0o666)
}

func (c *capsuleCommand) show(arguments []string) int {
	f := flag.NewFlagSet("show", flag.ContinueOnError)
	f.BoolVar(&c.asJSON, "json", false, "")
	directories, err := parseMixed(f, arguments)
	if err == nil && len(directories) != 1 {
		err = fmt.Errorf("expected the folder of one capsule, got %d", len(directories))
	}
	if err != nil {
		return usageError("%v", err)
	}
	p, err := capsule.Open(directories[0])
	if err != nil {
		return usageError("%v", err)
	}
	if c.asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(&p.Manifest)
		return 0
	}
	if err := p.Show(os.Stdout); err != nil {
		return usageError("%v", err)
	}
	return 0
}

func (c *capsuleCommand) record(ctx context.Context, arguments []string) int {
	f := flag.NewFlagSet("record", flag.ContinueOnError)
	c.modelFlags(f)
	r := &c.recording
	f.StringVar(&r.ObjectFile, "object", "", "")
	f.StringVar(&r.Kernel, "kernel", "", "")
	f.Func("grid", "", sizes(&r.Grid))
	f.Func("workgroup", "", sizes(&r.Workgroup))
	f.Func("global-offset", "", func(text string) error {
		var offsets []uint32
		err := sizes(&offsets)(text)
		for _, x := range offsets {
			r.GlobalOffset = append(r.GlobalOffset, uint64(x))
		}
		return err
	})
	f.Func("arg", "", func(text string) error {
		a, err := capsule.ParseArgument(text)
		r.Arguments = append(r.Arguments, a)
		return err
	})
	directories, err := parseMixed(f, arguments)
	switch {
	case err != nil:
	case len(directories) != 1:
		err = fmt.Errorf("expected one folder to record into, got %d", len(directories))
	case r.ObjectFile == "" || r.Kernel == "" || len(r.Grid) == 0 || len(r.Workgroup) == 0:
		err = errors.New("record needs --object, --kernel, --grid and --workgroup")
	default:
		err = c.model()
	}
	if err != nil {
		return usageError("%v", err)
	}
	r.GPU, r.Origin = c.gpu, fmt.Sprintf("spartan gpusim %s, %s mode", server.Version, c.mode)
	outcome, err := capsule.Record(ctx, directories[0], r, c.options)
	if err != nil {
		fmt.Fprintf(os.Stderr, "gpusim capsule: %v\n", err)
		if outcome != nil {
			return 4
		}
		return 2
	}
	fmt.Printf("%s: kernel %s recorded, %d wavefront instructions", directories[0], r.Kernel, outcome.Instructions)
	if outcome.Cycles != 0 {
		fmt.Printf(", %d cycles", outcome.Cycles)
	}
	fmt.Println()
	return 0
}

// sizes parses "64", "64,4" or "64x4x2".
func sizes(to *[]uint32) func(string) error {
	return func(text string) error {
		*to = nil
		for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == 'x' }) {
			n, err := strconv.ParseUint(part, 0, 32)
			if err != nil {
				return fmt.Errorf("expected 1 to 3 numbers such as 640 or 64,4,1")
			}
			*to = append(*to, uint32(n))
		}
		if len(*to) < 1 || len(*to) > 3 {
			return fmt.Errorf("expected 1 to 3 numbers such as 640 or 64,4,1")
		}
		return nil
	}
}
