package emu

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
)

// FuzzObject changes a few bytes of a sample object (offset in 3 bytes, length up to 8, the bytes), then loads and launches its kernels:
// whatever headers, metadata and relocations say, all ends in time with nothing worse than an error in one sentence.
func FuzzObject(f *testing.F) {
	names, err := filepath.Glob("../codeobject/testdata/sample_clang*")
	if err != nil || len(names) == 0 {
		f.Fatalf("no sample objects: %v", err)
	}
	var originals [][]byte
	for i, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		originals = append(originals, b)
		f.Add(uint8(i), uint8(3*i), []byte{0x10, 0, 0, 0})
	}
	// Header and descriptor fields: registers, segment sizes, enable bits.
	f.Add(uint8(2), uint8(7), []byte{0x40, 0x10, 0, 4, 0xff, 0xff, 0xff, 0xff})
	f.Add(uint8(4), uint8(9), []byte{0x70, 0x05, 0, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, which, shape uint8, patches []byte) {
		content := bytes.Clone(originals[int(which)%len(originals)])
		for len(patches) >= 4 {
			at := (int(patches[0]) | int(patches[1])<<8 | int(patches[2])<<16) % len(content)
			n := min(int(patches[3]%9), len(patches)-4)
			copy(content[at:], patches[4:4+n])
			patches = patches[4+n:]
		}
		launchAll(t, content, shape)
	})
}

// launchAll launches the first kernels of a code object.
func launchAll(t *testing.T, content []byte, shape uint8) {
	t.Helper()
	o, err := codeobject.Parse("fuzz", content)
	if err != nil {
		return
	}
	m := testMemory(t)
	loader := Loader{Memory: m}
	grid, group := []uint32{100, 3, 2}[:shape%3+1], []uint32{16, 4, 1}[:shape%3+1]
	for _, k := range o.Kernels[:min(len(o.Kernels), 4)] {
		p, err := loader.Load(k)
		if err != nil {
			inOneSentence(t, err)
			continue
		}
		l, err := NewLaunch(LaunchSpec{Program: p, Kernel: k, Memory: m, Grid: grid, GroupSize: group, DynamicLDS: uint32(shape) * 64, MaxInstructions: 2000})
		if err != nil {
			inOneSentence(t, err)
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if _, err = RunFunctional(ctx, l, 1); err != nil {
			var fault *Fault
			if inOneSentence(t, err); ctx.Err() != nil || !errors.As(err, &fault) && !strings.HasPrefix(err.Error(), "kernel ") {
				t.Errorf("expected a fault in time, got %v", err)
			}
		}
		cancel()
		l.Close()
	}
}

func inOneSentence(t *testing.T, err error) {
	t.Helper()
	if text := err.Error(); text == "" || strings.Contains(text, "\n") {
		t.Errorf("expected an error in one sentence, got %q", text)
	}
}
