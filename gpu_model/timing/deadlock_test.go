package timing

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// TestDeadlockTellsEveryWavefront makes the instruction buffers too small for the line of a fetch, which New refuses:
// no wavefront gets an instruction. The launch ends with the state of each, and the GPU runs the next one.
func TestDeadlockTellsEveryWavefront(t *testing.T) {
	fail := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	spec, err := gpuconfig.Preset("r9nano")
	fail(err)
	m, err := memory.New(1 << 24)
	fail(err)
	defer m.Close()
	object, err := codeobject.Open("../../kernels/relu.hsaco")
	fail(err)
	kernel, err := object.Kernel("relu_forward")
	fail(err)
	loader := emu.Loader{Memory: m}
	program, err := loader.Load(kernel)
	fail(err)
	const groups = 40 // of four wavefronts
	x, err := m.Allocate(groups*4096, "x")
	fail(err)
	arguments := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, x), x)
	arguments = binary.LittleEndian.AppendUint32(arguments, groups*1024)
	gpu, err := New(spec, m)
	fail(err)
	launch := func() (Result, error) {
		l, err := emu.NewLaunch(emu.LaunchSpec{Program: program, Kernel: kernel, Memory: m, Grid: []uint32{groups * 256}, GroupSize: []uint32{256}, Arguments: arguments})
		fail(err)
		defer l.Close()
		return gpu.Launch(context.Background(), l, Options{Threads: 1})
	}
	gpu.spec.Fetch.BufferBytes = spec.Fetch.LineBytes / 2
	_, err = launch()
	var deadlock *DeadlockError
	if !errors.As(err, &deadlock) {
		t.Fatalf("expected a deadlock, got %v", err)
	}
	if deadlock.Total != 4*groups || len(deadlock.Waves) != maxWaves {
		t.Errorf("expected %d wavefronts, %d of them one by one, got %d and %d", 4*groups, maxWaves, deadlock.Total, len(deadlock.Waves))
	}
	seen := map[string]bool{}
	for _, line := range deadlock.Waves {
		where, state, _ := strings.Cut(line, ": ")
		seen[where] = true
		if !strings.HasPrefix(where, "work-group [") || !strings.HasPrefix(state, "PC 0x") || !strings.HasSuffix(state, "waits for instructions") {
			t.Errorf("expected work-group, wavefront, compute unit, PC and what it waits for, got %q", line)
		}
	}
	if len(seen) != maxWaves {
		t.Errorf("expected %d different wavefronts, got %d", maxWaves, len(seen))
	}
	if rest := strings.Join(deadlock.Rest, "\n"); !strings.HasPrefix(rest, "96 more wavefronts: PC 0x") {
		t.Errorf("expected the other 96 wavefronts in one state, got %q", rest)
	}
	gpu.spec.Fetch.BufferBytes = spec.Fetch.BufferBytes
	if r, err := launch(); err != nil || r.Wavefronts != 4*groups {
		t.Errorf("expected the next launch to run, got %d wavefronts and %v", r.Wavefronts, err)
	}
}
