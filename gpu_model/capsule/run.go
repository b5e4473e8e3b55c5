package capsule

import (
	"context"
	"fmt"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/profile"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// Options say how a capsule is run.
type Options struct {
	Timing          bool // under the timing model; otherwise functionally
	GPU             gpuconfig.Spec
	Cores           int    // host cores; 0: all
	MaxInstructions uint64 // wavefront instructions; 0: no limit
	Profile         bool   // ask for Outcome.Profile; needs Timing
	// Execute runs the launch on another model, with its memory in l.Memory before and afterwards; nil: on the embedded one.
	Execute func(ctx context.Context, l *emu.Launch) (*Outcome, error)
	// After sees the contents of every region when the launch has ended, in the manifest's order. The bytes are the device's own.
	After func(r *Region, contents []byte) error
}

// Outcome is what a run gave.
type Outcome struct {
	Instructions uint64 // wavefront instructions
	Wavefronts   uint64
	Cycles       uint64         // of the kernel; 0 in functional mode
	WallSeconds  float64        // of the launch alone
	Result       *timing.Result // what a timing model counted; nil in functional mode
	Profile      *profile.Kernel
	Differences  []*Difference
}

// Run loads the capsule's memory at its addresses, executes the launch and compares the memory. The error is a *FormatError
// where the capsule is wrong, and the model's where the kernel failed.
func (c *Capsule) Run(ctx context.Context, o Options) (*Outcome, error) {
	kernel, err := c.open()
	if err != nil {
		return nil, err
	}
	m, spans, err := c.place()
	if err != nil {
		return nil, err
	}
	defer m.Close()
	outcome, err := c.launch(ctx, m, kernel, &o)
	if err != nil {
		return outcome, fmt.Errorf("%s: %w", c.path(c.CodeObject), err)
	}
	for i := range c.Regions {
		r := &c.Regions[i]
		d, err := c.compare(m, r)
		if err != nil {
			return nil, err
		}
		outcome.add(d)
		if o.After != nil {
			b, err := m.Bytes(uint64(r.Address), r.Bytes)
			if err == nil {
				err = o.After(r, b)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	for i := range spans {
		d, err := spans[i].stray(m)
		if err != nil {
			return nil, err
		}
		outcome.add(d)
	}
	return outcome, nil
}

func (o *Outcome) add(d *Difference) {
	if d != nil {
		o.Differences = append(o.Differences, d)
	}
}

// open reads the code object and finds the kernel.
func (c *Capsule) open() (*codeobject.Kernel, error) {
	object, err := codeobject.Open(c.path(c.CodeObject))
	if err != nil {
		return nil, &FormatError{File: c.path(ManifestFile), Reason: err.Error()}
	}
	kernel, err := object.Kernel(c.Kernel)
	if err != nil {
		return nil, &FormatError{File: c.path(ManifestFile), Reason: err.Error()}
	}
	return kernel, nil
}

// launch executes the launch on a memory that holds the regions.
func (c *Capsule) launch(ctx context.Context, m *memory.Memory, kernel *codeobject.Kernel, o *Options) (*Outcome, error) {
	loader := emu.Loader{Memory: m}
	program, err := loader.Load(kernel)
	if err != nil {
		return nil, err
	}
	l, err := emu.NewLaunch(emu.LaunchSpec{Program: program, Kernel: kernel, Memory: m, Grid: c.Grid, GroupSize: c.Workgroup, GlobalOffset: c.GlobalOffset,
		Arguments: c.arguments, DynamicLDS: c.DynamicLDSBytes, DispatchID: c.DispatchID, MaxInstructions: o.MaxInstructions})
	if err != nil {
		return nil, c.wrong(ManifestFile, "%v", err)
	}
	defer l.Close()
	begin := time.Now()
	outcome, err := execute(ctx, l, program, o)
	if outcome != nil {
		outcome.WallSeconds = time.Since(begin).Seconds()
	}
	return outcome, err
}

// execute runs a launch on the model that the options ask for.
func execute(ctx context.Context, l *emu.Launch, program *emu.Program, o *Options) (*Outcome, error) {
	if o.Execute != nil {
		return o.Execute(ctx, l)
	}
	if !o.Timing {
		counts, err := emu.RunFunctional(ctx, l, o.Cores)
		return &Outcome{Instructions: counts.Instructions, Wavefronts: counts.Wavefronts}, err
	}
	gpu, err := timing.New(o.GPU, l.Memory)
	if err != nil {
		return nil, err
	}
	result, err := gpu.Launch(ctx, l, timing.Options{Threads: o.Cores, Profile: o.Profile})
	outcome := &Outcome{Instructions: result.Instructions.Total, Wavefronts: result.Wavefronts, Cycles: result.Cycles, Result: &result}
	if err == nil && o.Profile {
		outcome.Profile = profile.Of(program, &result)
	}
	return outcome, err
}
