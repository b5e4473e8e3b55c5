package emu

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/reference"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// TestReference runs the cases measured on upstream MGPUSim and compares every output's bytes and the exact number of wavefront instructions.
func TestReference(t *testing.T) {
	dir, ok := reference.Directory()
	if !ok {
		t.Skip("shared/reference is not beside the repository")
	}
	cases, err := reference.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]*codeobject.Object{}
	for i := range cases {
		c := &cases[i]
		if objects[c.Object] == nil {
			if objects[c.Object], err = codeobject.Open(filepath.Join(dir, c.Object)); err != nil {
				t.Fatal(err)
			}
		}
		t.Run(c.Name, func(t *testing.T) { runReference(t, c, objects[c.Object]) })
	}
}

func runReference(t *testing.T, c *reference.Case, o *codeobject.Object) {
	m, err := memory.New(memory.DefaultBytes)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	address := map[string]uint64{}
	for i := range c.Buffers {
		b := &c.Buffers[i]
		content, err := b.Generate()
		if err != nil {
			t.Fatal(err)
		}
		if address[b.Name], err = m.Allocate(uint64(b.Bytes), b.Name); err != nil {
			t.Fatal(err)
		}
		if address[b.Name] != b.VirtualAddress {
			t.Fatalf("buffer %s: expected address 0x%x, got 0x%x", b.Name, b.VirtualAddress, address[b.Name])
		}
		if err := m.Write(address[b.Name], content); err != nil {
			t.Fatal(err)
		}
	}
	k, err := o.Kernel(c.Kernel)
	if err != nil {
		t.Fatal(err)
	}
	loader := Loader{Memory: m}
	p, err := loader.Load(k)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.LaunchCount {
		l, err := NewLaunch(LaunchSpec{Program: p, Kernel: k, Memory: m, Grid: c.Grid, GroupSize: c.Workgroup, Arguments: c.Arguments(address)})
		if err != nil {
			t.Fatal(err)
		}
		counts, err := RunFunctional(context.Background(), l, 0)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		want := c.Launches[i].Counter("instructions")
		if counts.Instructions != want["total"] {
			t.Errorf("launch %d: expected %d wavefront instructions, got %d", i, want["total"], counts.Instructions)
		}
		for unit, name := range []string{"VALU", "Scalar", "VMem", "LDS", "Branch", "Special"} {
			if counts.ByUnit[unit] != want[name] {
				t.Errorf("launch %d: expected %d %s instructions, got %d", i, want[name], name, counts.ByUnit[unit])
			}
		}
		if w := c.Launches[i].Counter("wavefronts")[""]; counts.Wavefronts != w {
			t.Errorf("launch %d: expected %d wavefronts, got %d", i, w, counts.Wavefronts)
		}
	}
	for i := range c.Buffers {
		b := &c.Buffers[i]
		if !b.Output {
			continue
		}
		content, err := m.Bytes(address[b.Name], uint64(b.Bytes))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != b.FinalSHA256 {
			t.Errorf("output %s differs from upstream's", b.Name)
		}
	}
}
