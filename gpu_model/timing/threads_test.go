package timing_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// race runs testdata/race.cl twice on one GPU, cold and warm, and returns all that a user can see of it: the result of each launch with every counter, and a
// hash of what the work-items saw.
func race(t *testing.T, preset string, threads int) string {
	t.Helper()
	fail := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	const items, rounds = 4096, 4
	spec, err := gpuconfig.Preset(preset)
	fail(err)
	m, err := memory.New(64 << 20)
	fail(err)
	defer m.Close()
	shared, err := m.Allocate(4096, "shared")
	fail(err)
	seen, err := m.Allocate(items*rounds*16, "seen")
	fail(err)
	object, err := codeobject.Open("testdata/race.hsaco")
	fail(err)
	kernel, err := object.Kernel("race")
	fail(err)
	program, err := (&emu.Loader{Memory: m}).Load(kernel)
	fail(err)
	gpu, err := timing.New(spec, m)
	fail(err)
	arguments := binary.LittleEndian.AppendUint64(nil, shared)
	arguments = binary.LittleEndian.AppendUint64(arguments, seen)
	arguments = binary.LittleEndian.AppendUint32(arguments, rounds)
	all := ""
	for range 2 {
		l, err := emu.NewLaunch(emu.LaunchSpec{Program: program, Kernel: kernel, Memory: m, Grid: []uint32{items}, GroupSize: []uint32{128}, Arguments: arguments})
		fail(err)
		result, err := gpu.Launch(context.Background(), l, timing.Options{Threads: threads})
		fail(err)
		l.Close()
		content := make([]byte, items*rounds*16)
		fail(m.Read(seen, content))
		h := fnv.New64a()
		h.Write(content)
		fail(m.Read(shared, content[:4096]))
		h.Write(content[:4096])
		all += fmt.Sprintf("%+v\nmemory %x\n", result, h.Sum64())
	}
	return all
}

// TestThreads checks that cycles, counters and memory are the same for one, two and four host threads, racing atomics included, while other
// goroutines keep the host busy.
func TestThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(4, runtime.NumCPU())))
	var stop atomic.Bool
	defer stop.Store(true)
	for range threadLoad {
		go func() {
			for !stop.Load() {
				runtime.Gosched()
			}
		}()
	}
	for _, preset := range []string{"r9nano", "r9nano-hbm"} {
		want := race(t, preset, 1)
		for range threadRepetitions {
			for _, threads := range []int{1, 2, 4} {
				if got := race(t, preset, threads); got != want {
					t.Fatalf("%s on %d threads gives\n%s\nexpected, as on one thread:\n%s", preset, threads, got, want)
				}
			}
		}
	}
}
