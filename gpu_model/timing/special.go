package timing

import "github.com/spartan-cosim/spartan-cosim/gpu_model/emu"

// special carries out s_waitcnt, s_barrier, s_endpgm and the like.
func (u *computeUnit) special(t uint64, slot int, w *wave, op *emu.Op) {
	e := w.emu
	w.executeAlone(op)
	switch {
	case e.Ended:
		// A wavefront ends when its memory instructions have completed.
		w.ending, w.wait = true, [2]uint8{}
		u.waitCount(slot, w, t+1)
	case e.AtBarrier:
		u.arrive(t, slot, w)
	case op.Waits:
		imm := op.Imm
		w.wait = [2]uint8{uint8(imm & 15), uint8(imm >> 8 & 15)}
		u.waitCount(slot, w, t+u.lat.special)
	default:
		u.follow(t, slot, w, t+u.lat.special)
	}
}

// waitCount lets a wavefront go on at cycle at or later, when its counters have come down to w.wait; or parks it until that
// is known.
func (u *computeUnit) waitCount(slot int, w *wave, at uint64) {
	v := w.vm.reached(int(w.wait[0]))
	l, cause := w.lgkmReached(int(w.wait[1]))
	if v == never || l == never {
		w.state, w.at = waitVector, at
		return
	}
	switch {
	case at >= v && at >= l:
	case v >= l:
		at, w.cause = v, CauseWaitVector
	default:
		at, w.cause = l, cause
	}
	if at > u.array.lastInstruction {
		u.array.lastInstruction = at
	}
	u.wake(slot, at)
}

// arrive notes a wavefront at its group's barrier and releases the group when it is the last.
func (u *computeUnit) arrive(t uint64, slot int, w *wave) {
	w.state, w.cause = waitBarrier, CauseBarrier
	u.markAwake(t+2, 5)
	u.release(t, w.group)
}

// release lets a group pass its barrier when all wavefronts that still run have arrived.
func (u *computeUnit) release(t uint64, g *residentGroup) {
	e := g.emu
	waiting := 0
	for _, w := range e.Waves {
		if w.AtBarrier {
			waiting++
		}
	}
	if waiting == 0 || waiting < g.running {
		return
	}
	for i, w := range e.Waves {
		if w.AtBarrier {
			w.AtBarrier = false
			u.wake(int(g.slots[i]), t+u.lat.special+u.lat.barrierRelease)
		}
	}
	e.AtBarrier = 0
}

// end retires a wavefront, and its group with its last one.
func (u *computeUnit) end(t uint64, slot int, w *wave) {
	if t > u.array.lastInstruction {
		u.array.lastInstruction = t
	}
	u.leave(t, w)
	g := w.group
	w.gen++
	w.emu, w.group = nil, nil
	u.wantFetch &^= 1 << slot
	u.freeSlots |= 1 << slot
	if u.resident--; u.resident == 0 {
		u.busy += t - u.busySince
		u.ticks.leaveEmpty(t)
	}
	g.emu.Running--
	if g.running--; g.running == 0 {
		u.array.finished = append(u.array.finished, finishedGroup{at: t, unit: u.index, group: g})
		return
	}
	u.release(t, g)
}
