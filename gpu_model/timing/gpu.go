package timing

import (
	"context"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// GPU is a simulated GPU whose caches, TLBs and clock persist from launch to launch. It is not safe for concurrent use.
type GPU struct {
	spec gpuconfig.Spec
	mem  *memory.Memory
	now  uint64 // cycle
}

// New makes a cold GPU at cycle 0. The spec must have passed Validate.
func New(spec gpuconfig.Spec, mem *memory.Memory) (*GPU, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	return &GPU{spec: spec, mem: mem}, nil
}

// Now returns the cycle of the GPU clock.
func (g *GPU) Now() uint64 { return g.now }

// Advance moves the clock forward, for what happens outside launches (copies, register reads).
func (g *GPU) Advance(cycles uint64) { g.now += cycles }

// Launch runs one kernel to its end and advances the clock. A fault of the kernel, a deadlock, a cancelled context and a failed
// unit are errors; the Result then holds what was counted until there.
func (g *GPU) Launch(ctx context.Context, l *emu.Launch, o Options) (Result, error) {
	return Result{}, ctx.Err()
}
