package emu

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// Units is the number of execution units that instructions are counted by.
const Units = int(isa.UnitSpecial) + 1

// Counts is what a run executed.
type Counts struct {
	Instructions uint64 // wavefront instructions
	ByUnit       [Units]uint64
	Wavefronts   uint64
	WorkGroups   uint64
}

// Add adds what another run, or part of one, executed.
func (c *Counts) Add(o *Counts) {
	c.Instructions += o.Instructions
	for i := range c.ByUnit {
		c.ByUnit[i] += o.ByUnit[i]
	}
	c.Wavefronts += o.Wavefronts
	c.WorkGroups += o.WorkGroups
}

const (
	// sliceInstructions is how long a wavefront runs before its neighbours in the work-group get their turn: they may wait for one another
	// without a barrier.
	sliceInstructions = 1 << 14
	// groupSlices is how many turns a work-group gets before another is started beside it: work-groups may wait for one another.
	groupSlices = 64
	// maxSuspended bounds the work-groups that a core keeps waiting.
	maxSuspended = 256
)

// RunFunctional executes all work-groups of a launch without a notion of time, on up to cores host cores (0: all). The result does not depend on
// cores: where the order of work-groups can show (observers, views, atomics that return or do not commute), one core runs them in dispatch order.
// A *Fault ends the run; of several, the earliest work-group's is returned. Cancelling ctx ends it with ctx's error.
func RunFunctional(ctx context.Context, l *Launch, cores int) (Counts, error) {
	if cores <= 0 {
		cores = runtime.GOMAXPROCS(0)
	}
	if l.Memory.HasObservers() || l.Program.ordered {
		cores = 1
	}
	cores = int(min(uint64(cores), l.Groups()))
	l.Functional, l.parallel = true, cores > 1
	defer func() { l.Functional, l.parallel = false, false }()

	r := &functional{launch: l, groups: l.Groups(), fail: l.Groups()}
	if r.budget = l.MaxInstructions; r.budget == 0 {
		r.budget = 1<<64 - 1
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { r.stop.Store(true) })
		defer stop()
	}
	var total Counts
	if cores == 1 {
		r.work(&total)
	} else {
		var wait sync.WaitGroup
		parts := make([]Counts, cores)
		for i := range parts {
			wait.Add(1)
			go func() {
				defer wait.Done()
				r.work(&parts[i])
			}()
		}
		wait.Wait()
		for i := range parts {
			total.Add(&parts[i])
		}
	}
	switch {
	case r.err != nil:
		return total, r.err
	case total.Instructions > r.budget: // several cores passed it together
		return total, fmt.Errorf("kernel %q: %s", l.Program.Name, OverBudget(r.budget))
	}
	return total, ctx.Err()
}

// functional is one run in progress, shared by its goroutines.
type functional struct {
	launch *Launch
	groups uint64
	next   atomic.Uint64 // work-group to be started next
	used   atomic.Uint64 // instructions executed in finished slices
	budget uint64
	stop   atomic.Bool

	mu   sync.Mutex
	fail uint64 // sequence of the earliest work-group that failed
	err  error
}

func (r *functional) failed(sequence uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil || sequence < r.fail {
		r.fail, r.err = sequence, err
	}
	r.next.Store(r.groups) // start no more; those that run are earlier or will be compared
}

// work runs work-groups until none is left.
func (r *functional) work(c *Counts) {
	var suspended []*WorkGroup
	for !r.stop.Load() {
		var g *WorkGroup
		sequence := r.groups
		if len(suspended) < maxSuspended {
			sequence = r.next.Add(1) - 1
		}
		switch {
		case sequence < r.groups:
			var err error
			if g, err = r.launch.NewGroup(r.launch.GroupID(sequence), sequence); err != nil {
				r.failed(sequence, err)
				continue
			}
			c.WorkGroups++
			c.Wavefronts += uint64(len(g.Waves))
		case len(suspended) > 0:
			g = suspended[0]
			suspended = suspended[1:]
		default:
			return
		}
		done, err := r.runGroup(g, c)
		switch {
		case err != nil:
			r.failed(g.Sequence, err)
		case !done:
			suspended = append(suspended, g)
			continue
		}
		r.launch.Release(g)
	}
}

// runGroup gives a work-group its turns; done tells that all its wavefronts have ended.
func (r *functional) runGroup(g *WorkGroup, c *Counts) (done bool, err error) {
	for range groupSlices {
		running, waiting := 0, 0
		for _, w := range g.Waves {
			if !w.Ended && !w.AtBarrier {
				if err := r.runWave(w, c); err != nil {
					return false, err
				}
			}
			if w.Ended {
				continue
			}
			running++
			if w.AtBarrier {
				waiting++
			}
		}
		if running == 0 {
			g.Running = 0
			return true, nil
		}
		if running == waiting {
			for _, w := range g.Waves {
				w.AtBarrier = false
			}
		}
		if r.stop.Load() {
			return false, nil
		}
	}
	return false, nil
}

// runWave executes a wavefront until it ends, waits at a barrier, or has had its slice.
func (r *functional) runWave(w *Wavefront, c *Counts) error {
	used := r.used.Load()
	if used >= r.budget {
		op := w.Program.Ops[w.PC]
		op.Next = w.PC + uint32(op.Inst.Size/4)
		w.Fail(&op, "%s", OverBudget(r.budget))
		return w.Fault
	}
	n := w.run(min(sliceInstructions, r.budget-used), &c.ByUnit)
	c.Instructions += n
	r.used.Add(n)
	return w.Fault
}

// OverBudget is the reason of the fault that ends a launch which executed more than its budget of wavefront instructions.
func OverBudget(budget uint64) string {
	return fmt.Sprintf("the launch's budget of %d wavefront instructions is used up; the kernel may be in an endless loop, or needs a larger --max-instructions",
		budget)
}

// run executes up to limit instructions and returns how many. It stops where the wavefront ends, faults or waits at a barrier.
func (w *Wavefront) run(limit uint64, byUnit *[Units]uint64) uint64 {
	ops := w.Program.Ops
	n := uint64(0)
	for n < limit && !w.Ended && !w.AtBarrier {
		if uint(w.PC) >= uint(len(ops)) {
			w.LeaveProgram()
			break
		}
		op := &ops[w.PC]
		op.Execute(w, op)
		w.Executed++
		n++
		byUnit[op.Unit]++
		if op.Address != nil {
			op.Address(w, op)
			if w.Fault == nil {
				op.Perform(w, op, &w.Access)
			}
		}
	}
	return n
}

// LeaveProgram faults a wavefront whose PC lies outside the program.
func (w *Wavefront) LeaveProgram() {
	w.Ended = true
	f := &Fault{Kernel: w.Program.Name, Offset: uint64(w.PC) * 4, PC: w.Program.Base + uint64(w.PC)*4, Wavefront: w.IndexInGroup, Lane: -1,
		Reason: fmt.Sprintf("execution left the code of %d bytes", 4*len(w.Program.Ops))}
	if w.Group != nil {
		f.Group, f.Sequence = w.Group.ID, w.Group.Sequence
	}
	w.Fault = f
}
