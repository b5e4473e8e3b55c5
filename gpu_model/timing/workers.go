package timing

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// workers are the host threads of a launch. Each phase of a window is a number of independent jobs; who does which has no influence
// on a result. Every thread begins with jobs of its own, the same ones in every window, since what they touch lies in its core's cache; a
// thread that is through with its own takes others'. The launch's own thread waits for a job that another has begun, never for a thread that
// the host's scheduler keeps from beginning.
type workers struct {
	gpu   *GPU
	lists []jobList // by thread; the launch's own comes first

	// The phase is open while the number is odd. inside counts the helpers that may be looking at its lists.
	phase  atomic.Uint32
	inside atomic.Int32
	job    func(i int)

	asleep atomic.Int32 // helpers that wait for cond
	mu     sync.Mutex
	cond   *sync.Cond
	quit   bool

	// What the latest window's phases had to do tells whether the next ones are worth sharing out.
	steps, requests int
	missed          int // phases in which a helper slept, since helpers were woken last

	active            []int       // jobs of the phase
	from, to          uint64      // the window
	runArray, runBank func(i int) // jobs: a shader array or bank in the window
}

// jobList is the jobs that a thread begins with.
type jobList struct {
	jobs []int
	next atomic.Int32
	_    [96]byte // lists of different threads in different cache lines
}

// take returns the next job, or -1.
func (l *jobList) take() int {
	if i := int(l.next.Load()); i >= len(l.jobs) {
		return -1
	}
	if i := int(l.next.Add(1)) - 1; i < len(l.jobs) {
		return l.jobs[i]
	}
	return -1
}

// spins is how often a thread looks for work before it lets others have its core: some 50 µs, the time of a few windows, since waking a
// thread of a virtual machine takes as long.
const spins = 50000

func newWorkers(g *GPU, threads int) *workers {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	w := &workers{gpu: g, lists: make([]jobList, min(threads, len(g.arrays)))}
	w.runArray = func(i int) { g.arrays[i].run(w.from, w.to) }
	w.runBank = func(i int) { g.runBank(i, w.to) }
	w.cond = sync.NewCond(&w.mu)
	if len(w.lists) > 1 {
		runtime.LockOSThread()
	}
	for i := 1; i < len(w.lists); i++ {
		go w.help(i)
	}
	return w
}

// stop ends the helpers. It must not be called while a phase is open.
func (w *workers) stop() {
	w.mu.Lock()
	w.quit = true
	w.cond.Broadcast()
	w.mu.Unlock()
	w.phase.Add(2) // those that spin look for quit
	if len(w.lists) > 1 {
		runtime.UnlockOSThread()
	}
}

// help serves one thread.
func (w *workers) help(thread int) {
	runtime.LockOSThread()
	seen := uint32(0)
	for {
		for i := 0; ; i++ {
			if p := w.phase.Load(); p != seen {
				seen = p
				break
			}
			if i >= spins {
				w.sleep(seen)
				i = 0
			}
		}
		if seen&1 == 0 {
			w.mu.Lock()
			quit := w.quit
			w.mu.Unlock()
			if quit {
				return
			}
			continue
		}
		w.inside.Add(1)
		if w.phase.Load() == seen {
			w.work(thread)
		}
		w.inside.Add(-1)
	}
}

// sleep returns when the phase is another than seen.
func (w *workers) sleep(seen uint32) {
	w.mu.Lock()
	w.asleep.Add(1)
	for w.phase.Load() == seen && !w.quit {
		w.cond.Wait()
	}
	w.asleep.Add(-1)
	w.mu.Unlock()
}

// work does jobs until none is left.
func (w *workers) work(thread int) {
	for k := range w.lists {
		l := &w.lists[(thread+k)%len(w.lists)]
		for {
			i := l.take()
			if i < 0 {
				break
			}
			w.job(i)
		}
	}
}

// sharedWork is how many steps of compute units, or requests to the L2, a phase must have to be shared out: telling another thread and
// waiting for it takes about as long as a few.
const sharedWork = 40

// missedPhases is after how many phases that were worth sharing out a helper that sleeps is woken, which takes this thread some microseconds.
const missedPhases = 8

// do runs job(i) for each i of jobs, on all threads if there is much to do, and returns when all are done.
func (w *workers) do(jobs []int, work int, job func(int)) {
	if len(jobs) <= 1 || len(w.lists) == 1 || work < sharedWork {
		for _, i := range jobs {
			job(i)
		}
		return
	}
	w.job = job
	for t := range w.lists {
		w.lists[t].jobs = w.lists[t].jobs[:0]
		w.lists[t].next.Store(0)
	}
	for _, i := range jobs {
		l := &w.lists[i%len(w.lists)]
		l.jobs = append(l.jobs, i)
	}
	w.phase.Add(1)
	if w.asleep.Load() != 0 {
		if w.missed++; w.missed >= missedPhases {
			w.missed = 0
			w.mu.Lock()
			w.cond.Broadcast()
			w.mu.Unlock()
		}
	}
	w.work(0)
	w.phase.Add(1)
	for i := 0; w.inside.Load() != 0; i++ {
		if i > spins { // the host runs something else in the helper's place
			time.Sleep(10 * time.Microsecond)
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
	w.do(w.active, w.steps, w.runArray)
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
		for _, i := range w.active { // units are called from one goroutine
			w.runBank(i)
		}
	} else {
		w.do(w.active, w.requests, w.runBank)
	}
	w.requests = 0
	for _, i := range w.active {
		w.requests += g.banks[i].served
	}
	g.tellAnswers(w.active)
}
