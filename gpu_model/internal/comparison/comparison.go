// Package comparison runs the cases measured on upstream MGPUSim on the timing model and compares what both count.
package comparison

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/reference"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// Record is one launch beside its reference. Cycles contain the launch tail on both sides.
type Record struct {
	Case                  string   `json:"case"`
	Launch                int      `json:"launch"` // 0 is the first of the case, cold
	Group                 string   `json:"group"`  // A micro-benchmark, B DNN kernel, C launched twice
	Cycles                uint64   `json:"cycles"`
	ReferenceCycles       uint64   `json:"reference_cycles"`
	Instructions          uint64   `json:"instructions"` // of wavefronts
	ReferenceInstructions uint64   `json:"reference_instructions"`
	Counters              Counters `json:"counters"`
	ReferenceCounters     Counters `json:"reference_counters"`

	Tail             uint64 `json:"-"` // launch tail contained in either side's cycles
	FirstInstruction int64  `json:"-"` // cycles; differences to the reference's
	LastInstruction  int64  `json:"-"`
}

// Counters are the counts of one launch under the reference's names.
type Counters struct {
	Instructions timing.InstructionCounts `json:"instructions"`
	Fetches      uint64                   `json:"instruction_fetches"`
	Wavefronts   uint64                   `json:"wavefronts"`
	Workgroups   uint64                   `json:"workgroups"`
	L1V          timing.CacheCounters     `json:"L1V"`
	L1S          timing.CacheCounters     `json:"L1S"`
	L1I          timing.CacheCounters     `json:"L1I"`
	L2           timing.CacheCounters     `json:"L2"`
	L1VTLB       timing.TLBCounters       `json:"L1VTLB"`
	L1STLB       timing.TLBCounters       `json:"L1STLB"`
	L1ITLB       timing.TLBCounters       `json:"L1ITLB"`
	L2TLB        timing.TLBCounters       `json:"L2TLB"`
	DRAM         timing.DRAMCounters      `json:"DRAM"`
}

func countersOf(r *timing.Result) Counters {
	c := Counters{Instructions: r.Instructions, Fetches: r.InstructionFetches, Wavefronts: r.Wavefronts, Workgroups: r.Workgroups,
		L1V: r.L1V, L1S: r.L1S, L1I: r.L1I, L2: r.L2, L1VTLB: r.L1VTLB, L1STLB: r.L1STLB, L1ITLB: r.L1ITLB, L2TLB: r.L2TLB, DRAM: r.DRAM}
	c.DRAM.ReadLatencySum, c.DRAM.WriteLatencySum = 0, 0 // not in the reference
	return c
}

// Error returns the signed relative error of the kernel cycles, with the launch tail or without it.
func (r *Record) Error(tail bool) float64 {
	ours, theirs := float64(r.Cycles), float64(r.ReferenceCycles)
	if !tail {
		ours, theirs = ours-float64(r.Tail), theirs-float64(r.Tail)
	}
	return ours/theirs - 1
}

// Runner runs cases of one reference folder. It may be used from several goroutines.
type Runner struct {
	Directory string
	Spec      gpuconfig.Spec
	Threads   int // host threads of one launch, 0: all

	mu      sync.Mutex
	objects map[string]*codeobject.Object
}

func (r *Runner) object(name string) (*codeobject.Object, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.objects[name]; o != nil {
		return o, nil
	}
	o, err := codeobject.Open(filepath.Join(r.Directory, name))
	if err != nil {
		return nil, err
	}
	if r.objects == nil {
		r.objects = map[string]*codeobject.Object{}
	}
	r.objects[name] = o
	return o, nil
}

// Run runs a case on a GPU that is cold, and returns a record per launch. An output that differs from the reference's is a
// *MismatchError beside valid records.
func (r *Runner) Run(ctx context.Context, c *reference.Case) ([]Record, error) {
	mem, err := memory.New(memory.DefaultBytes)
	if err != nil {
		return nil, err
	}
	defer mem.Close()
	address := map[string]uint64{}
	for i := range c.Buffers {
		b := &c.Buffers[i]
		content, err := b.Generate()
		if err != nil {
			return nil, err
		}
		if address[b.Name], err = mem.Allocate(uint64(b.Bytes), b.Name); err != nil {
			return nil, err
		}
		if address[b.Name] != b.VirtualAddress {
			return nil, fmt.Errorf("case %s: buffer %s lies at 0x%x, the reference has it at 0x%x", c.Name, b.Name, address[b.Name], b.VirtualAddress)
		}
		if err := mem.Write(address[b.Name], content); err != nil {
			return nil, err
		}
	}
	object, err := r.object(c.Object)
	if err != nil {
		return nil, err
	}
	kernel, err := object.Kernel(c.Kernel)
	if err != nil {
		return nil, err
	}
	loader := emu.Loader{Memory: mem}
	program, err := loader.Load(kernel)
	if err != nil {
		return nil, err
	}
	gpu, err := timing.New(r.Spec, mem)
	if err != nil {
		return nil, err
	}
	var records []Record
	for i := range c.LaunchCount {
		launch, err := emu.NewLaunch(emu.LaunchSpec{Program: program, Kernel: kernel, Memory: mem, Grid: c.Grid, GroupSize: c.Workgroup,
			Arguments: c.Arguments(address)})
		if err != nil {
			return records, err
		}
		result, err := gpu.Launch(ctx, launch, timing.Options{Threads: r.Threads})
		if err != nil {
			return records, fmt.Errorf("case %s: %w", c.Name, err)
		}
		// Not closed between launches: upstream allocates every launch's arguments and packet anew.
		defer launch.Close()
		want := &c.Launches[i]
		record := Record{Case: c.Name, Launch: i, Group: c.Group, Cycles: result.Cycles, ReferenceCycles: want.KernelCycles,
			Instructions: result.Instructions.Total, Counters: countersOf(&result), Tail: result.TailCycles,
			FirstInstruction: int64(result.FirstInstruction) - int64(want.FirstInstructionIssuedAt),
			LastInstruction:  int64(result.LastInstruction) - int64(want.LastInstructionCompletedAt)}
		if err := want.Decode(&record.ReferenceCounters); err != nil {
			return records, fmt.Errorf("case %s: %w", c.Name, err)
		}
		record.ReferenceInstructions = record.ReferenceCounters.Instructions.Total
		records = append(records, record)
	}
	return records, verify(c, mem, address)
}

// MismatchError tells which outputs of a case differ from the reference's.
type MismatchError struct {
	Case    string
	Buffers []string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("case %s: outputs %q differ from the reference's", e.Case, e.Buffers)
}

func verify(c *reference.Case, mem *memory.Memory, address map[string]uint64) error {
	var differ []string
	for i := range c.Buffers {
		b := &c.Buffers[i]
		if !b.Output {
			continue
		}
		content, err := mem.Bytes(address[b.Name], uint64(b.Bytes))
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != b.FinalSHA256 {
			differ = append(differ, b.Name)
		}
	}
	if differ != nil {
		return &MismatchError{c.Name, differ}
	}
	return nil
}
