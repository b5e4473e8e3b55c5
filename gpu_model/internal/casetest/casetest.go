// Package casetest launches cases of the reference in tests of other packages.
package casetest

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

// Find returns the folder of the reference and the named cases; the test is skipped where there is no reference.
func Find(t *testing.T, names ...string) (dir string, cases []reference.Case) {
	t.Helper()
	dir, ok := reference.Directory()
	if !ok {
		t.Skip("shared/reference is not beside the repository")
	}
	all, err := reference.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		found := false
		for i := range all {
			if all[i].Name == n {
				cases, found = append(cases, all[i]), true
			}
		}
		if !found {
			t.Fatalf("expected case %q in the reference", n)
		}
	}
	return dir, cases
}

// Preset returns a preset's parameters.
func Preset(t *testing.T, name string) gpuconfig.Spec {
	t.Helper()
	s, err := gpuconfig.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Launch runs a case's launches on one new GPU and calls check after each of them.
func Launch(t *testing.T, dir string, c *reference.Case, spec gpuconfig.Spec, o timing.Options, check func(launch int, p *emu.Program, r *timing.Result)) {
	t.Helper()
	fail := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	m, err := memory.New(spec.DRAM.Bytes)
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
	for launch := range c.LaunchCount {
		l, err := emu.NewLaunch(emu.LaunchSpec{Program: program, Kernel: kernel, Memory: m, Grid: c.Grid, GroupSize: c.Workgroup, Arguments: c.Arguments(address)})
		fail(err)
		r, err := gpu.Launch(context.Background(), l, o)
		fail(err)
		l.Close()
		check(launch, program, &r)
	}
}
