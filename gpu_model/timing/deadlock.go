package timing

import (
	"fmt"
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
)

// DeadlockError reports wavefronts that can never go on.
type DeadlockError struct {
	Kernel string
	Cycle  uint64   // since the launch began
	Total  int      // wavefronts
	Waves  []string // the state of each of the first maxWaves
	Rest   []string // the others, those in one state together
}

// maxWaves is how many wavefronts are reported one by one.
const maxWaves = 64

// Error returns the sentence, followed by the state of every wavefront.
func (e *DeadlockError) Error() string {
	lines := append(append([]string{}, e.Waves...), e.Rest...)
	return fmt.Sprintf("kernel %q is deadlocked at cycle %d: %d wavefronts wait for what cannot come\n  %s", e.Kernel, e.Cycle, e.Total,
		strings.Join(lines, "\n  "))
}

var waitNames = [...]string{waitNone: "ready to issue", waitFetch: "waits for instructions", waitVector: "waits for memory at s_waitcnt",
	waitBarrier: "waits at s_barrier for the rest of its work-group", waitPort: "waits for room for its memory accesses"}

// deadlock describes the wavefronts that are left.
func (g *GPU) deadlock(r *run) error {
	d := &DeadlockError{Kernel: r.launch.Kernel.Name, Cycle: g.now - r.begin}
	var states []string // of the rest, in order of appearance
	count := map[string]int{}
	for _, a := range g.arrays {
		for i := range a.units {
			for s := range a.units[i].waves {
				w := &a.units[i].waves[s]
				if w.emu == nil {
					continue
				}
				d.Total++
				if state := w.describe(a.units[i].ops); len(d.Waves) < maxWaves {
					d.Waves = append(d.Waves, fmt.Sprintf("work-group %v wavefront %d on compute unit %d: %s", w.group.emu.ID, w.emu.IndexInGroup,
						a.index*len(a.units)+i, state))
				} else {
					if count[state] == 0 {
						states = append(states, state)
					}
					count[state]++
				}
			}
		}
	}
	for _, state := range states {
		d.Rest = append(d.Rest, fmt.Sprintf("%d more wavefronts: %s", count[state], state))
	}
	return d
}

// describe tells where a wavefront is and what it waits for.
func (w *wave) describe(ops []emu.Op) string {
	next := "no instruction"
	if pc := w.next; int(pc) < len(ops) && ops[pc].Inst.Op != nil {
		next = ops[pc].Inst.Op.Name
	}
	return fmt.Sprintf("PC 0x%x (%s), %s", 4*w.next, next, waitNames[w.state])
}
