package attach

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sarchlab/akita/v4/sim"
)

// interrupt ends a simulation at the next event. Upstream's engine has no way to stop, so that a hook before every event leaves it by
// panic; RunEngine turns that into an error.
type interrupt struct {
	asked atomic.Bool
	mu    sync.Mutex
	why   error
}

// interruption is what leaves the engine.
type interruption struct{ why error }

// Error is what upstream's own driver prints of it.
func (i interruption) Error() string { return i.why.Error() }

func (i *interrupt) ask(why error) {
	i.mu.Lock()
	if i.why == nil {
		i.why = why
	}
	i.mu.Unlock()
	i.asked.Store(true)
}

func (i *interrupt) reason() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.why
}

// beforeEvent runs before every event of the engine.
func (t *Tap) beforeEvent(ctx sim.HookCtx) {
	if ctx.Pos != sim.HookPosBeforeEvent {
		return
	}
	if t.interrupt.asked.Load() {
		panic(interruption{t.interrupt.reason()})
	}
}

// Interrupt ends RunEngine with an error, from another goroutine.
func (t *Tap) Interrupt(why error) { t.interrupt.ask(why) }

// StuckError says that wall time passed and no instruction completed.
type StuckError struct {
	Seconds float64
	Cycle   uint64
	State   string
}

// Error returns the sentence.
func (e *StuckError) Error() string {
	return fmt.Sprintf("upstream MGPUSim completed no instruction for %.0f s of wall time, at cycle %d: %s", e.Seconds, e.Cycle, e.State)
}

// PanicError is a panic inside upstream.
type PanicError struct {
	Value any
	Cycle uint64
	State string
	Stack []byte
}

// Error returns the sentence.
func (e *PanicError) Error() string {
	return fmt.Sprintf("upstream MGPUSim %s ended with a panic at cycle %d: %v (%s)", UpstreamVersion, e.Cycle, e.Value, e.State)
}

// RunEngine runs upstream's engine until it has no more events. stuck is the wall time without a completed instruction, waiting for
// units left out, after which it is given up (0: never). An error of any kind leaves the simulation unusable.
func (t *Tap) RunEngine(stuck time.Duration, stack func() []byte, hopeless func(*StuckError)) (err error) {
	done := make(chan struct{})
	if stuck > 0 {
		go t.watch(stuck, done, hopeless)
	}
	defer close(done)
	defer func() {
		switch problem := recover().(type) {
		case nil:
		case interruption:
			err = problem.why
			if stuck, ok := err.(*StuckError); ok {
				stuck.State = t.counters.underWay(4)
			}
		default:
			err = &PanicError{Value: problem, Cycle: t.Now(), State: t.counters.underWay(4), Stack: stack()}
		}
	}()
	t.interrupt.asked.Store(false)
	t.interrupt.why = nil
	return t.GPU.Engine.Run()
}

// watch interrupts a simulation that does not get on. Where it does not even come to its next event, hopeless is called.
func (t *Tap) watch(limit time.Duration, done <-chan struct{}, hopeless func(*StuckError)) {
	const every = 200 * time.Millisecond
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	last, idle := t.counters.total(), time.Duration(0)
	var told *StuckError
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		switch now := t.counters.total(); {
		case now != last || t.inUnits.running():
			last, idle = now, 0
		default:
			idle += every
		}
		if idle >= limit && told == nil {
			told = &StuckError{Seconds: idle.Seconds(), Cycle: t.Now(), State: "an event of it does not end"}
			t.interrupt.ask(told)
			idle = 0
		} else if told != nil && idle >= 5*time.Second {
			hopeless(told)
			return
		}
	}
}

// stopwatch tells whether the simulation waits for a unit.
type stopwatch struct{ depth atomic.Int32 }

func (s *stopwatch) running() bool { return s.depth.Load() > 0 }

func (s *stopwatch) during(do func()) {
	s.depth.Add(1)
	defer s.depth.Add(-1)
	do()
}
