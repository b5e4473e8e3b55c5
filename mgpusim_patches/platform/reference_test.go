package platform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/cases"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/server"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// TestPlatformIsUpstreams compares our platform (own host, own page table, all taps attached) with what unmodified upstream measured. Kernel
// arguments lie in other pages, which can move a launch by some cycles.
func TestPlatformIsUpstreams(t *testing.T) {
	directory, ok := cases.Directory()
	if !ok {
		t.Skip("shared/reference is not beside the repository")
	}
	all, err := cases.Load(directory)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for i := range all {
		c := &all[i]
		if c.Launches[0].KernelCycles > 12000 || i%9 != 0 && c.LaunchCount == 1 {
			continue
		}
		ran++
		t.Run(c.Name, func(t *testing.T) { compareCase(t, directory, c) })
	}
	if ran < 10 {
		t.Errorf("expected at least 10 cases, the reference has %d that are short", ran)
	}
}

func compareCase(t *testing.T, directory string, c *cases.Case) {
	fail := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	m, err := memory.New(Bytes)
	fail(err)
	g, err := New(m, Options{Stuck: time.Minute, Log: t.Logf})
	fail(err)
	defer g.Close()
	address := map[string]uint64{}
	for i := range c.Buffers {
		b := &c.Buffers[i]
		content, err := b.Generate()
		fail(err)
		address[b.Name], err = m.Allocate(uint64(b.Bytes), b.Name)
		fail(err)
		fail(m.Write(address[b.Name], content))
	}
	object, err := codeobject.Open(filepath.Join(directory, c.Object))
	fail(err)
	kernel, err := object.Kernel(c.Kernel)
	fail(err)
	program, err := g.Load(kernel)
	fail(err)
	for launch := range c.LaunchCount {
		l, err := emu.NewLaunch(emu.LaunchSpec{Program: program, Kernel: kernel, Memory: m, Grid: c.Grid, GroupSize: c.Workgroup, Arguments: c.Arguments(address)})
		fail(err)
		r, err := g.run(context.Background(), l, &server.LaunchOptions{})
		fail(err)
		l.Close()
		want := &c.Launches[launch]
		if off := math.Abs(float64(r.Cycles) - float64(want.KernelCycles)); off > max(2, 0.003*float64(want.KernelCycles)) || r.FirstInstruction != want.FirstInstructionIssuedAt {
			t.Errorf("launch %d: %d cycles, first instruction at %d; upstream's own platform: %d and %d", launch, r.Cycles, r.FirstInstruction, want.KernelCycles,
				want.FirstInstructionIssuedAt)
		}
		var counters struct {
			Instructions timing.InstructionCounts `json:"instructions"`
			L1V, L2      timing.CacheCounters
		}
		fail(want.Decode(&counters))
		if r.Instructions != counters.Instructions {
			t.Errorf("launch %d: instructions %+v, expected %+v", launch, r.Instructions, counters.Instructions)
		}
		r.L1V.LatencySum, r.L2.LatencySum, counters.L1V.LatencySum, counters.L2.LatencySum = 0, 0, 0, 0
		if r.L1V != counters.L1V || c.LaunchCount == 1 && r.L2 != counters.L2 {
			t.Errorf("launch %d: L1V %+v, L2 %+v, expected %+v and %+v", launch, r.L1V, r.L2, counters.L1V, counters.L2)
		}
	}
	fail(g.verify())
	for i := range c.Buffers {
		b := &c.Buffers[i]
		if !b.Output {
			continue
		}
		content, err := m.Bytes(address[b.Name], uint64(b.Bytes))
		fail(err)
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != b.FinalSHA256 {
			t.Errorf("buffer %s is not as upstream's own platform left it", b.Name)
		}
	}
}
