package timing_test

import (
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/casetest"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// TestStackAddsUp checks on real kernels that the stack of every compute unit adds up to the kernel's cycles, the profile to the
// time of wavefronts in the stacks, and its issue counts to the instructions; and that profiling changes no cycle.
func TestStackAddsUp(t *testing.T) {
	dir, cases := casetest.Find(t, "empty_64wg_64_x2", "relu_50000_wg64", "reduce_64x4", "gemm64_128x128x128", "conv3_16x28x28_16", "spgemm_64x64x64_d60", "occ_lds16384")
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			var plain []uint64
			casetest.Launch(t, dir, &c, casetest.Preset(t, "r9nano"), timing.Options{Threads: 1}, func(_ int, _ *emu.Program, r *timing.Result) {
				plain = append(plain, r.Cycles)
				if r.Profile != nil {
					t.Error("expected no profile unless it is asked for")
				}
			})
			casetest.Launch(t, dir, &c, casetest.Preset(t, "r9nano"), timing.Options{Threads: 2, Profile: true}, func(launch int, p *emu.Program, r *timing.Result) {
				if r.Cycles != plain[launch] {
					t.Errorf("launch %d: expected the same %d cycles with a profile, got %d", launch, plain[launch], r.Cycles)
				}
				checkStacks(t, p, r)
			})
		})
	}
}

func checkStacks(t *testing.T, p *emu.Program, r *timing.Result) {
	t.Helper()
	var sum timing.Stack
	for i := range r.ComputeUnits {
		u := &r.ComputeUnits[i]
		if u.Stack.Total() != float64(r.Cycles) {
			t.Errorf("compute unit %d: its stack adds up to %v cycles, expected the kernel's %d", i, u.Stack.Total(), r.Cycles)
		}
		if tail := u.Stack.Cycles(timing.CauseTail); tail < float64(r.TailCycles) || tail > float64(r.Cycles-r.LastWorkgroup) {
			t.Errorf("compute unit %d: expected a tail of %d to %d cycles, got %v", i, r.TailCycles, r.Cycles-r.LastWorkgroup, tail)
		}
		if without := u.Stack.Cycles(timing.CauseLaunch) + u.Stack.Cycles(timing.CauseIdle) + u.Stack.Cycles(timing.CauseTail); u.Wavefronts == 0 && without != float64(r.Cycles) {
			t.Errorf("compute unit %d had no wavefront: expected %d cycles of launch, idle and tail, got %v", i, r.Cycles, without)
		}
		for c := range sum {
			if x := u.Stack.Cycles(timing.Cause(c)); x > float64(r.Cycles) {
				t.Errorf("compute unit %d: %v takes %v cycles of %d", i, timing.Cause(c), x, r.Cycles)
			}
			sum[c] += u.Stack[c]
		}
	}
	if sum != r.Stack {
		t.Errorf("expected the kernel's stack to be the sum over the compute units")
	}
	for c := range timing.Causes {
		at := uint64(0)
		for pc := range r.Profile.Stacks {
			if x := r.Profile.Stacks[pc][c]; x>>63 != 0 {
				t.Errorf("%v: dword %d has a negative share of %d", c, pc, int64(x))
			}
			at += r.Profile.Stacks[pc][c]
		}
		want := r.Stack[c]
		if c == timing.CauseLaunch || c == timing.CauseIdle || c == timing.CauseTail {
			want = 0
		}
		if at != want {
			t.Errorf("%v: instructions add up to %d shares of a cycle, expected %d", c, at, want)
		}
	}
	issues := uint64(0)
	for pc, n := range r.Profile.Issues {
		issues += n
		if n != 0 && p.Ops[pc].Inst.Op == nil {
			t.Errorf("dword %d was issued %d times and is no instruction", pc, n)
		}
	}
	if issues != r.Instructions.Total {
		t.Errorf("expected %d issues, got %d", r.Instructions.Total, issues)
	}
}

// TestColdAndWarm checks that the first launch is told to be cold, later ones not, and that a launch on dropped caches takes as long as the first.
func TestColdAndWarm(t *testing.T) {
	dir, cases := casetest.Find(t, "rd4_1024KB_256wg_x2")
	c := &cases[0]
	run := func(o timing.Options) (cycles []uint64, cold []bool) {
		casetest.Launch(t, dir, c, casetest.Preset(t, "r9nano"), o, func(_ int, _ *emu.Program, r *timing.Result) {
			cycles, cold = append(cycles, r.Cycles), append(cold, r.Cold)
		})
		return cycles, cold
	}
	cycles, cold := run(timing.Options{Threads: 1})
	if !cold[0] || cold[1] || cycles[1] >= cycles[0] {
		t.Errorf("expected a cold launch and a faster warm one, got cold %v with %v cycles", cold, cycles)
	}
	again, cold := run(timing.Options{Threads: 1, Cold: true})
	if !cold[0] || !cold[1] || again[0] != cycles[0] || again[1] != cycles[0] {
		t.Errorf("expected two cold launches of %d cycles, got cold %v with %v cycles", cycles[0], cold, again)
	}
}
