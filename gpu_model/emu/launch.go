package emu

import "github.com/spartan-cosim/spartan-cosim/gpu_model/memory"

// Launch is one kernel launch: geometry, arguments and the memory it runs on.
type Launch struct {
	Program                       *Program
	Memory                        *memory.Memory
	Grid                          [3]uint32 // work-items
	GroupSize                     [3]uint32 // work-items of a full work-group
	GlobalOffset                  [3]uint64
	KernargAddress, PacketAddress uint64
	DynamicLDS                    uint32

	// Now is the virtual time in picoseconds at which the access being performed takes effect; observers read it.
	Now uint64
	// MaxInstructions is the wavefront-instruction budget of the launch; 0 means none.
	MaxInstructions uint64
}
