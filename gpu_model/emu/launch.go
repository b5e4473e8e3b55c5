package emu

import (
	"fmt"
	"sync"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// Launch is one kernel launch: geometry, arguments and the memory it runs on. NewLaunch makes one.
type Launch struct {
	Program                       *Program
	Kernel                        *codeobject.Kernel
	Memory                        *memory.Memory
	Grid                          [3]uint32 // work-items
	GroupSize                     [3]uint32 // work-items of a full work-group
	GlobalOffset                  [3]uint64
	KernargAddress, PacketAddress uint64
	QueueAddress                  uint64 // the HSA queue structure; 0 when the kernel does not ask for it
	DynamicLDS                    uint32
	DispatchID                    uint64

	// Now is the virtual time in picoseconds at which the launch begins; see Wavefront.Now for the time of an access.
	Now uint64
	// Functional tells that no timing model keeps Now: s_memtime then counts the wavefront's own instructions.
	Functional bool
	// MaxInstructions is the wavefront-instruction budget of the launch; 0 means none.
	MaxInstructions uint64

	groupCount [3]uint32
	scratch    scratch
	gds        *globalDataShare
	parallel   bool // work-groups run on several goroutines at once

	mu   sync.Mutex // guards scratch and pools
	pool Pool       // of NewGroup
}

// LaunchSpec is what a caller says of a launch.
type LaunchSpec struct {
	Program      *Program
	Kernel       *codeobject.Kernel
	Memory       *memory.Memory
	Grid         []uint32 // work-items in 1 to 3 dimensions
	GroupSize    []uint32 // as many dimensions as Grid
	GlobalOffset []uint64 // empty or as many as Grid
	// Arguments is the raw kernel-argument segment from its start; hidden arguments are filled in here and need not be in it.
	Arguments       []byte
	DynamicLDS      uint32 // bytes of local memory beyond the kernel's static ones
	DispatchID      uint64
	MaxInstructions uint64
}

// Limits of the machine (source: r9nano figures; AMD GCN3 ISA manual).
const (
	MaxGroupWorkItems = 1024      // HSA's limit; the hardware's is 40 wavefronts of a compute unit
	MaxLDSBytes       = 64 << 10  // of a compute unit
	MaxSIMDVGPRs      = 256       // vector registers a lane and SIMD
	MaxCUSGPRs        = 3200      // scalar registers a compute unit
	SIMDsPerCU        = 4         //
	SlotsPerSIMD      = 10        // wavefronts
	MaxPrivateBytes   = 8191 << 4 // of a work-item: 13 bits of KiB a wavefront (COMPUTE_TMPRING_SIZE)
	maxGridWorkItems  = 1<<32 - 1 // a dimension
)

// NewLaunch checks a launch against the kernel and the machine, and puts its arguments and dispatch packet into device memory.
// Close gives those back.
func NewLaunch(s LaunchSpec) (*Launch, error) {
	l := &Launch{Program: s.Program, Kernel: s.Kernel, Memory: s.Memory, DynamicLDS: s.DynamicLDS, DispatchID: s.DispatchID,
		MaxInstructions: s.MaxInstructions}
	if err := l.setGeometry(&s); err != nil {
		return nil, fmt.Errorf("kernel %q: %w", s.Kernel.Name, err)
	}
	if err := l.checkResources(); err != nil {
		return nil, fmt.Errorf("kernel %q: %w", s.Kernel.Name, err)
	}
	if uint64(len(s.Arguments)) > uint64(s.Kernel.KernargBytes) {
		return nil, fmt.Errorf("kernel %q: expected at most %d bytes of arguments, got %d", s.Kernel.Name, s.Kernel.KernargBytes, len(s.Arguments))
	}
	if err := l.writeArguments(s.Arguments, len(s.Grid)); err != nil {
		l.Close()
		return nil, fmt.Errorf("kernel %q: %w", s.Kernel.Name, err)
	}
	return l, nil
}

// Close frees what the launch holds in device memory.
func (l *Launch) Close() {
	for _, address := range []uint64{l.KernargAddress, l.PacketAddress, l.scratch.base} {
		if address != 0 {
			_ = l.Memory.Free(address)
		}
	}
	l.KernargAddress, l.PacketAddress, l.scratch.base = 0, 0, 0
}

func (l *Launch) setGeometry(s *LaunchSpec) error {
	if n := len(s.Grid); n < 1 || n > 3 || len(s.GroupSize) != n || len(s.GlobalOffset) > n {
		return fmt.Errorf("expected a grid and a work-group of the same 1 to 3 dimensions, got %d and %d (global offset: %d)",
			len(s.Grid), len(s.GroupSize), len(s.GlobalOffset))
	}
	l.Grid, l.GroupSize = [3]uint32{1, 1, 1}, [3]uint32{1, 1, 1}
	copy(l.Grid[:], s.Grid)
	copy(l.GroupSize[:], s.GroupSize)
	copy(l.GlobalOffset[:], s.GlobalOffset)
	items, groups := uint64(1), uint64(1)
	for d := range 3 {
		if l.Grid[d] == 0 || l.GroupSize[d] == 0 {
			return fmt.Errorf("grid %v and work-group %v must have at least one work-item in every dimension", s.Grid, s.GroupSize)
		}
		if l.GroupSize[d] > 1<<16-1 {
			return fmt.Errorf("work-group %v: a dimension has at most %d work-items", s.GroupSize, 1<<16-1)
		}
		items *= uint64(l.GroupSize[d])
		l.groupCount[d] = uint32((uint64(l.Grid[d]) + uint64(l.GroupSize[d]) - 1) / uint64(l.GroupSize[d]))
		if groups *= uint64(l.groupCount[d]); groups > 1<<40 {
			return fmt.Errorf("grid %v has more than 2^40 work-groups", s.Grid)
		}
	}
	limit := uint64(MaxGroupWorkItems)
	if s.Kernel.MaxWorkgroup != 0 {
		limit = min(limit, uint64(s.Kernel.MaxWorkgroup))
	}
	if items > limit {
		return fmt.Errorf("work-group %v has %d work-items, and the kernel was compiled for at most %d", s.GroupSize, items, limit)
	}
	if r := s.Kernel.ReqdWorkgroup; r != [3]uint32{} && r != l.GroupSize {
		return fmt.Errorf("expected work-groups of %v work-items (reqd_work_group_size), got %v", r, s.GroupSize)
	}
	return nil
}

// checkResources refuses a work-group that no compute unit can hold.
func (l *Launch) checkResources() error {
	k := l.Kernel
	if lds := uint64(k.LDSBytes) + uint64(l.DynamicLDS); lds > MaxLDSBytes {
		return fmt.Errorf("a work-group needs %d bytes of local memory (%d static, %d dynamic); a compute unit has %d",
			lds, k.LDSBytes, l.DynamicLDS, MaxLDSBytes)
	}
	if k.PrivateBytes > MaxPrivateBytes {
		return fmt.Errorf("a work-item needs %d bytes of private memory; the hardware gives at most %d", k.PrivateBytes, MaxPrivateBytes)
	}
	waves := l.WavesPerGroup()
	if perSIMD := min(SlotsPerSIMD, MaxSIMDVGPRs/int(k.AllocatedVGPRs)); waves > perSIMD*SIMDsPerCU {
		return fmt.Errorf("a work-group of %d wavefronts with %d vector registers each does not fit a compute unit, which holds %d such wavefronts",
			waves, k.AllocatedVGPRs, perSIMD*SIMDsPerCU)
	}
	if sgprs := waves * int(k.AllocatedSGPRs); sgprs > MaxCUSGPRs {
		return fmt.Errorf("a work-group of %d wavefronts needs %d scalar registers; a compute unit has %d", waves, sgprs, MaxCUSGPRs)
	}
	return nil
}

// GroupCount returns the work-groups of the grid in every dimension.
func (l *Launch) GroupCount() [3]uint32 { return l.groupCount }

// Groups returns the number of work-groups.
func (l *Launch) Groups() uint64 {
	return uint64(l.groupCount[0]) * uint64(l.groupCount[1]) * uint64(l.groupCount[2])
}

// GroupID returns the work-group id of the n-th work-group in dispatch order: x runs fastest.
func (l *Launch) GroupID(n uint64) [3]uint32 {
	x, y := uint64(l.groupCount[0]), uint64(l.groupCount[1])
	return [3]uint32{uint32(n % x), uint32(n / x % y), uint32(n / x / y)}
}

// WavesPerGroup returns the wavefronts of a full work-group.
func (l *Launch) WavesPerGroup() int {
	return int((uint64(l.GroupSize[0])*uint64(l.GroupSize[1])*uint64(l.GroupSize[2]) + 63) / 64)
}

// LDSBytes returns the local memory of a work-group, static and dynamic.
func (l *Launch) LDSBytes() uint32 { return l.Kernel.LDSBytes + l.DynamicLDS }

// clock returns what s_memtime reads: GPU cycles at 1 GHz.
func (l *Launch) clock(w *Wavefront) uint64 {
	if l.Functional {
		return w.Executed
	}
	return w.Now / 1000
}
