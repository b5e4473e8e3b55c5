package timing_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/reference"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// launchCase launches a case of the reference on a GPU of the given parameters and calls check after each launch.
func launchCase(t *testing.T, dir string, c *reference.Case, spec gpuconfig.Spec, o timing.Options, check func(program *emu.Program, r *timing.Result)) {
	t.Helper()
	fail := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	m, err := memory.New(memory.DefaultBytes)
	fail(err)
	defer m.Close()
	address := map[string]uint64{}
	for i := range c.Buffers {
		b := &c.Buffers[i]
		content, err := b.Generate()
		fail(err)
		address[b.Name], err = m.Allocate(uint64(b.Bytes), b.Name)
		fail(err)
		fail(m.Write(address[b.Name], content))
	}
	object, err := codeobject.Open(filepath.Join(dir, c.Object))
	fail(err)
	kernel, err := object.Kernel(c.Kernel)
	fail(err)
	loader := emu.Loader{Memory: m}
	program, err := loader.Load(kernel)
	fail(err)
	gpu, err := timing.New(spec, m)
	fail(err)
	for range c.LaunchCount {
		l, err := emu.NewLaunch(emu.LaunchSpec{Program: program, Kernel: kernel, Memory: m, Grid: c.Grid, GroupSize: c.Workgroup, Arguments: c.Arguments(address)})
		fail(err)
		r, err := gpu.Launch(context.Background(), l, o)
		fail(err)
		l.Close()
		check(program, &r)
	}
}

// referenceCases returns the named cases of the reference, all of them without names.
func referenceCases(t *testing.T, names ...string) (dir string, cases []reference.Case) {
	t.Helper()
	dir, ok := reference.Directory()
	if !ok {
		t.Skip("shared/reference is not beside the repository")
	}
	all, err := reference.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		for _, n := range names {
			if c.Name == n {
				cases = append(cases, c)
			}
		}
	}
	if len(cases) != len(names) {
		t.Fatalf("expected the cases %v in the reference, found %d of them", names, len(cases))
	}
	return dir, cases
}

func preset(t *testing.T, name string) gpuconfig.Spec {
	t.Helper()
	s, err := gpuconfig.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStackAddsUp checks on real kernels that the stack of every compute unit adds up to the kernel's cycles, the profile to the
// time of wavefronts in the stacks, and its issue counts to the instructions; and that profiling changes no cycle.
func TestStackAddsUp(t *testing.T) {
	dir, cases := referenceCases(t, "empty_64wg_64_x2", "relu_50000_wg64", "reduce_64x4", "gemm64_128x128x128", "conv3_16x28x28_16", "spgemm_64x64x64_d60")
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			var plain []uint64
			launchCase(t, dir, &c, preset(t, "r9nano"), timing.Options{Threads: 1}, func(_ *emu.Program, r *timing.Result) {
				plain = append(plain, r.Cycles)
				if r.Profile != nil {
					t.Error("expected no profile unless it is asked for")
				}
			})
			launch := 0
			launchCase(t, dir, &c, preset(t, "r9nano"), timing.Options{Threads: 2, Profile: true}, func(p *emu.Program, r *timing.Result) {
				if r.Cycles != plain[launch] {
					t.Errorf("launch %d: expected the same %d cycles with a profile, got %d", launch, plain[launch], r.Cycles)
				}
				launch++
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
			sum[c] += u.Stack[c]
		}
	}
	if sum != r.Stack {
		t.Errorf("expected the kernel's stack to be the sum over the compute units")
	}
	for c := range timing.Causes {
		at := uint64(0)
		for pc := range r.Profile.Stacks {
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
