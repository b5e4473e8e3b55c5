package server

import (
	"context"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// Model makes the GPU that a Server serves. The server keeps the protocol, the memory's addresses, the units' session and the order of
// calls to itself; a model only executes.
type Model interface {
	// Open makes the GPU that a driver asks for; mode, protocol and private directory have been checked. An error without a status
	// code counts as INVALID_ARGUMENT.
	Open(r *wire.HandshakeRequest) (GPU, error)
}

// GPU executes launches. Its calls come one at a time.
type GPU interface {
	// Machine says what units learn of the GPU.
	Machine() cosim.Machine

	// Memory holds the device's contents as the host and the units see them, before and after every launch, and, where units watch,
	// in the middle of one.
	Memory() *memory.Memory

	// Parameters lists what the GPU was made with.
	Parameters() []*wire.GpuParameter

	// Now returns the GPU's clock in cycles; Advance lets time pass between launches.
	Now() uint64
	Advance(cycles uint64)

	// Load makes a kernel ready to run. Launch executes it; the launch holds its arguments, in Memory.
	Load(k *codeobject.Kernel) (*emu.Program, error)
	Launch(ctx context.Context, l *emu.Launch, o LaunchOptions) (*wire.LaunchResult, error)

	// HostWrote tells that the host has copied bytes into Memory.
	HostWrote(address, bytes uint64)

	// Close gives back what the GPU holds, its memory included.
	Close()
}

// LaunchOptions is what a launch may add to the kernel itself.
type LaunchOptions struct {
	Order     []uint32     // work-groups in the order of dispatch; nil: grid order
	Placement []int32      // compute unit of each, −1 for any; nil: any
	Units     timing.Units // nil where none are attached
	Progress  func(timing.Progress)
	Cold      bool // drop the contents of caches and TLBs first
	Profile   bool // report LaunchResult.profile
}
