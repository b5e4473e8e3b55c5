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

	// What the latest window's phases had to do tells whether the next ones are worth sharing out.
	steps, requests int

	from, to          uint64      // the window
	runArray, runBank func(i int) // jobs: the i-th active shader array or bank in the window
}

// spins is how often a thread looks for work before it sleeps: some 20 µs, since waking a thread of a virtual machine takes as long.
const spins = 20000

func newWorkers(g *GPU, threads int) *workers {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	w := &workers{gpu: g, count: min(threads, len(g.arrays))}
	w.runArray = func(i int) { g.arrays[w.active[i]].run(w.from, w.to) }
	w.runBank = func(i int) { g.runBank(w.active[i], w.to) }
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

// sharedWork is how many steps of compute units, or requests to the L2, a phase must have to be shared out: waking another thread and
// waiting for it takes about as long as a few dozen.
const sharedWork = 100

// do runs job(0) … job(n-1), on all threads if there is much to do, and returns when all are done.
func (w *workers) do(n, work int, job func(int)) {
	if n <= 1 || w.count == 1 || work < sharedWork {
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
		if a.next < to || a.inNext < to || !a.answered.empty() {
			w.active = append(w.active, i)
		}
	}
	w.from, w.to = from, to
	w.do(len(w.active), w.steps, w.runArray)
	w.steps = 0
	for _, i := range w.active {
		w.steps += w.gpu.arrays[i].steps
	}
}

// banks carries out the requests of the window on every L2 bank that has some.
func (w *workers) banks(to uint64) {
	g := w.gpu
	g.takePosts()
	w.active = w.active[:0]
	for i := range g.banks {
		b := &g.banks[i]
		b.replied = never
		if b.due < to {
			w.active = append(w.active, i)
		}
	}
	w.to = to
	if g.run.options.Units != nil {
		for i := range w.active { // units are called from one goroutine
			w.runBank(i)
		}
	} else {
		w.do(len(w.active), w.requests, w.runBank)
	}
	w.requests = 0
	for _, i := range w.active {
		w.requests += len(g.banks[i].arrived)
	}
	g.tellAnswers(w.active)
}
