package timing

import (
	"math/rand"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// TestPhases shares many short phases out among more threads than the host has cores: every job is done once, with its own phase's window,
// before the next phase begins.
func TestPhases(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	spec, err := gpuconfig.Preset("r9nano")
	if err != nil {
		t.Fatal(err)
	}
	m, err := memory.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	g, err := New(spec, m)
	if err != nil {
		t.Fatal(err)
	}
	g.tuner.shared = true
	w := newWorkers(g, 4)
	defer w.stop()
	var done [maxJobs]atomic.Uint64 // latest window in which a job was done
	var wrong atomic.Uint64
	w.do = func(_ uint64, i int, from, to uint64) {
		if done[i].Swap(to) >= to || from+1 != to {
			wrong.Add(1)
		}
		for range i * 50 { // long enough for others to join
			done[i].Load()
		}
	}
	r := rand.New(rand.NewSource(1))
	for window := uint64(1); window <= 20000; window++ {
		word := r.Uint64() & r.Uint64() & 0xFFFF
		if r.Intn(4) == 0 {
			word = 1 << r.Intn(16)
		}
		w.active[0] = word
		w.run(phaseArrays+window&1, sharedWork, window-1, window)
		w.each(func(i int) {
			if done[i].Load() != window {
				t.Fatalf("window %d ended before job %d was done", window, i)
			}
		})
	}
	for i := range w.threads {
		t.Logf("thread %d did %d jobs", i, w.threads[i].finished.Load())
	}
	if n := wrong.Load(); n != 0 {
		t.Errorf("%d jobs were done twice, or in another phase's window", n)
	}
}
