package timing

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// workers are the host threads of a launch. Each phase of a window is a number of independent jobs; who does which has no influence
// on a result. Every thread begins with jobs of its own, the same ones in every window, since what they touch lies in its core's cache; a
// thread that is through with its own takes others'. The launch's own thread waits for a job that another has begun, never for a thread that
// the host's scheduler keeps from beginning.
//
// A line that one core has written takes 50 to 300 ns to another, so that a phase is told and reported in as few as can be: what it is lies in
// one line, what a thread has begun in one of its own.
type workers struct {
	gpu     *GPU
	threads []hostThread // the launch's own comes first
	tuner   *tuner
	do      func(kind uint64, i int, from, to uint64) // does one job

	_ [64]byte
	// The phase under way. Its number changes when a phase begins; the words behind it do before. A thread that comes too late reads those of
	// another phase, but finds nothing left to begin.
	phase    atomic.Uint64 // number << 2 | kind
	from, to atomic.Uint64 // the window
	jobs     [phaseWords]atomic.Uint64
	_        [64]byte

	asleep atomic.Int32 // helpers that wait for cond
	mu     sync.Mutex
	cond   *sync.Cond
	quit   bool

	// What the latest window's phases had to do tells whether the next ones are worth sharing out.
	steps, requests int
	missed          int // phases in which a helper slept, since helpers were woken last

	active set // jobs of the next phase
}

// The kinds of phase.
const (
	phaseNone uint64 = iota
	phaseArrays
	phaseBanks
)

const (
	phaseWords = 4
	maxJobs    = 64 * phaseWords // shader arrays or L2 banks that can be shared out
	maxThreads = 64
)

// hostThread is a thread's part of the phase under way, in a cache line that others seldom touch.
type hostThread struct {
	begun    atomic.Uint64 // number of the phase << 16 | how many of the thread's own jobs have been begun, or allBegun
	finished atomic.Uint64 // jobs that the thread has finished in all phases
	own      [phaseWords]uint64
	_        [80]byte
}

const allBegun = 0xFFFF

// begin claims the next of a thread's own jobs in a phase with the given jobs, or returns -1 when all have been begun.
func (t *hostThread) begin(number uint64, jobs *[phaseWords]uint64) int {
	for {
		begun := t.begun.Load()
		n := 0
		switch {
		case begun>>16 > number || begun == number<<16|allBegun:
			return -1
		case begun>>16 == number:
			n = int(begun & 0xFFFF)
		}
		job, next := -1, uint64(allBegun)
		for i, skip := 0, n; i < phaseWords; i++ {
			m := jobs[i] & t.own[i]
			if k := bits.OnesCount64(m); skip >= k {
				skip -= k
				continue
			}
			for ; skip > 0; skip-- {
				m &= m - 1
			}
			job, next = 64*i+bits.TrailingZeros64(m), uint64(n+1)
			break
		}
		// That all have been begun is noted too: a thread that is late reads the jobs of a later phase, and must not begin them.
		if t.begun.CompareAndSwap(begun, number<<16|next) {
			return job
		}
	}
}

// spins is how often a thread looks for work before it lets others have its core: some 50 µs, the time of a few windows, since waking a
// thread of a virtual machine takes as long.
const spins = 50000

func newWorkers(g *GPU, threads int) *workers {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	count := min(threads, len(g.arrays), maxThreads)
	if max(len(g.arrays), len(g.banks)) > maxJobs {
		count = 1
	}
	w := &workers{gpu: g, threads: make([]hostThread, count), tuner: &g.tuner}
	w.do = func(kind uint64, i int, from, to uint64) {
		if kind == phaseArrays {
			g.arrays[i].run(from, to)
		} else {
			g.runBank(i, to)
		}
	}
	w.active, _ = newSets(max(len(g.arrays), len(g.banks)))
	w.cond = sync.NewCond(&w.mu)
	for i := range w.threads {
		for job := i; job < maxJobs; job += count {
			w.threads[i].own[job/64] |= 1 << (job % 64)
		}
	}
	if count > 1 {
		runtime.LockOSThread() // the host's scheduler keeps threads where they are, Go's does not
	}
	for i := 1; i < count; i++ {
		go w.help(i)
	}
	return w
}

// stop ends the helpers. It must not be called during a phase.
func (w *workers) stop() {
	if len(w.threads) == 1 {
		return
	}
	w.mu.Lock()
	w.quit = true
	w.cond.Broadcast()
	w.mu.Unlock()
	w.phase.Store((w.phase.Load()>>2 + 1) << 2) // those that spin look for quit
	runtime.UnlockOSThread()
}

// help serves one thread.
func (w *workers) help(thread int) {
	runtime.LockOSThread() // until it ends, and the thread with it
	seen := uint64(0)
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
		if seen&3 == phaseNone {
			w.mu.Lock()
			quit := w.quit
			w.mu.Unlock()
			if quit {
				return
			}
			continue
		}
		w.work(thread, seen)
	}
}

// sleep returns when the phase is another than seen.
func (w *workers) sleep(seen uint64) {
	w.mu.Lock()
	w.asleep.Add(1)
	for w.phase.Load() == seen && !w.quit {
		w.cond.Wait()
	}
	w.asleep.Add(-1)
	w.mu.Unlock()
}

// work does jobs of a phase until none is left to begin, and returns how many it did.
func (w *workers) work(thread int, phase uint64) (done int) {
	var jobs [phaseWords]uint64
	for i := range jobs {
		jobs[i] = w.jobs[i].Load()
	}
	from, to := w.from.Load(), w.to.Load()
	for k := range w.threads {
		t := &w.threads[(thread+k)%len(w.threads)]
		for {
			i := t.begin(phase>>2, &jobs)
			if i < 0 {
				break
			}
			w.do(phase&3, i, from, to)
			w.threads[thread].finished.Add(1)
			done++
		}
	}
	return done
}

// sharedWork is how many steps of compute units, or requests to the L2, a phase must have to be shared out.
const sharedWork = 40

// missedPhases is after how many phases that were worth sharing out a helper that sleeps is woken, which takes this thread some microseconds.
const missedPhases = 8

// run does the active jobs, on all threads if there is much to do, and returns when all are done.
func (w *workers) run(kind uint64, work int, from, to uint64) {
	count := 0
	for _, m := range w.active {
		count += bits.OnesCount64(m)
	}
	if count <= 1 || len(w.threads) == 1 || work < sharedWork || !w.tuner.shared {
		w.each(func(i int) { w.do(kind, i, from, to) })
		return
	}
	expected := uint64(count)
	for i := range w.threads {
		expected += w.threads[i].finished.Load()
	}
	for i, m := range w.active {
		w.jobs[i].Store(m)
	}
	w.from.Store(from)
	w.to.Store(to)
	phase := (w.phase.Load()>>2+1)<<2 | kind
	w.phase.Store(phase)
	if w.asleep.Load() != 0 {
		if w.missed++; w.missed >= missedPhases {
			w.missed = 0
			w.mu.Lock()
			w.cond.Broadcast()
			w.mu.Unlock()
		}
	}
	w.work(0, phase)
	for i := 0; ; i++ {
		finished := uint64(0)
		for i := range w.threads {
			finished += w.threads[i].finished.Load()
		}
		if finished == expected {
			return
		}
		if i > spins { // the host runs something else in the helper's place
			time.Sleep(10 * time.Microsecond)
		}
	}
}

// each calls f for each active job.
func (w *workers) each(f func(i int)) {
	for i, m := range w.active {
		for ; m != 0; m &= m - 1 {
			f(64*i + bits.TrailingZeros64(m))
		}
	}
}

// arrays simulates the window on every shader array that has something to do in it.
func (w *workers) arrays(from, to uint64) {
	clear(w.active)
	for i, a := range w.gpu.arrays {
		if a.next < to || a.inNext < to || !a.answered.empty() {
			w.active.add(i)
		}
	}
	w.run(phaseArrays, w.steps, from, to)
	w.steps = 0
	g := w.gpu
	g.told &= hasFault
	w.each(func(i int) {
		a := g.arrays[i]
		w.steps += int(a.steps)
		g.told |= a.has
		g.takePosts(&a.mailbox)
	})
	if len(w.threads) > 1 {
		w.tuner.count(w.steps)
	}
}

// banks carries out the requests of the window on every L2 bank that has some.
func (w *workers) banks(to uint64) {
	g := w.gpu
	if g.run.options.Units != nil {
		g.takePosts(&g.engine)
	}
	g.rotate(to)
	clear(w.active)
	for k, word := range g.due {
		for ; word != 0; word &= word - 1 {
			if i := 64*k + bits.TrailingZeros64(word); g.banks[i].due < to {
				w.active.add(i)
			}
		}
	}
	work := w.requests
	if g.run.options.Units != nil {
		work = 0 // units are called from one goroutine
	}
	w.run(phaseBanks, work, 0, to)
	w.requests, g.reply = 0, never
	w.each(func(i int) {
		b := &g.banks[i]
		w.requests += b.served
		g.reply = min(g.reply, b.replied)
		if b.due == never {
			g.due.remove(i)
		}
		g.tellAnswers(i)
	})
}
