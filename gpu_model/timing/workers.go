package timing

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// workers are the host threads of a launch. Each phase of a window is a number of independent jobs; who does which has no influence
// on a result.
type workers struct {
	gpu     *GPU
	count   int
	job     func(i int)
	jobs    int32
	taken   atomic.Int32
	pending atomic.Int32
	round   atomic.Uint32
	quit    atomic.Bool
	mu      sync.Mutex
	cond    *sync.Cond
	active  []int
}

// spins is how often a thread looks for work before it sleeps.
const spins = 4000

func newWorkers(g *GPU, threads int) *workers {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	w := &workers{gpu: g, count: min(threads, len(g.arrays))}
	w.cond = sync.NewCond(&w.mu)
	for i := 1; i < w.count; i++ {
		go w.loop()
	}
	return w
}

func (w *workers) stop() {
	w.quit.Store(true)
	w.mu.Lock()
	w.round.Add(1)
	w.cond.Broadcast()
	w.mu.Unlock()
}

// loop serves one helper thread.
func (w *workers) loop() {
	seen := uint32(0)
	for {
		for i := 0; w.round.Load() == seen; i++ {
			if i < spins {
				continue
			}
			w.mu.Lock()
			for w.round.Load() == seen {
				w.cond.Wait()
			}
			w.mu.Unlock()
		}
		seen = w.round.Load()
		if w.quit.Load() {
			return
		}
		w.work()
		w.pending.Add(-1)
	}
}

func (w *workers) work() {
	for {
		i := w.taken.Add(1) - 1
		if i >= w.jobs {
			return
		}
		w.job(int(i))
	}
}

// do runs job(0) … job(n-1) on all threads and returns when all are done.
func (w *workers) do(n int, job func(int)) {
	if n <= 1 || w.count == 1 {
		for i := range n {
			job(i)
		}
		return
	}
	w.job, w.jobs = job, int32(n)
	w.taken.Store(0)
	w.pending.Store(int32(w.count - 1))
	w.mu.Lock()
	w.round.Add(1)
	w.cond.Broadcast()
	w.mu.Unlock()
	w.work()
	for i := 0; w.pending.Load() != 0; i++ {
		if i > spins {
			runtime.Gosched()
		}
	}
}

// arrays simulates the window on every shader array that has something to do in it.
func (w *workers) arrays(from, to uint64) {
	w.active = w.active[:0]
	for i, a := range w.gpu.arrays {
		if a.next < to || a.inNext < to || a.answered() {
			w.active = append(w.active, i)
		}
	}
	w.do(len(w.active), func(i int) { w.gpu.arrays[w.active[i]].run(from, to) })
}

// banks carries out the requests of the window on every L2 bank that has some.
func (w *workers) banks(to uint64) {
	w.active = w.active[:0]
	for i := range w.gpu.banks {
		w.gpu.banks[i].replied = never
		for _, m := range w.gpu.mail {
			if m.outNext[i] < to {
				w.active = append(w.active, i)
				break
			}
		}
	}
	if w.gpu.run.options.Units != nil {
		for _, i := range w.active { // units are called from one goroutine
			w.gpu.runBank(i, to)
		}
		return
	}
	w.do(len(w.active), func(i int) { w.gpu.runBank(w.active[i], to) })
}
