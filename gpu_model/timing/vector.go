package timing

import (
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// vectorMemory issues a FLAT or buffer instruction at cycle t: its addresses are known at once, its lines go through the
// coalescer, the transaction pipeline and the TLB to L1V. It returns the cycle from which the wavefront goes on, when its lines have left the
// coalescer; never while they find no room behind it.
func (u *computeUnit) vectorMemory(t uint64, slot int, w *wave, op *emu.Op) uint64 {
	e, a := w.emu, u.array
	w.executeAlone(op)
	leave := t + u.lat.vectorMemory
	if op.Address == nil || w.fault != nil {
		return leave
	}
	op.Address(e, op)
	if w.fault = e.Fault; w.fault != nil {
		return leave
	}
	x := &a.workspace.Access
	c := &u.coalescer
	c.gather(x)
	load := x.Kind == emu.AccessLoad
	e.Now = t * a.gpu.picoseconds
	w.vm.issue()
	if bit := uint16(1) << ((w.vm.issued - 1) % completionRing); op.Flat {
		w.flat |= bit
	} else {
		w.flat &^= bit
	}
	switch {
	case !load:
		w.stored = a.window
		a.deferAccess(t, u, slot, w, op)
	case a.touchesView(c.lines):
		w.late = append(w.late, lateLoad{op: op, access: a.keepAccess(), number: w.vm.issued})
	case w.stored == a.window:
		a.deferAccess(t, u, slot, w, op)
	default:
		op.Perform(e, op, x)
	}
	kind := readLine
	switch x.Kind {
	case emu.AccessStore:
		kind = writeLine
	case emu.AccessAtomic, emu.AccessAtomicReturn:
		kind = atomicLine
	}
	if len(c.lines) == 0 { // no lane takes part in memory behind the LDS
		at := max(leave+u.lat.vectorToTLB, u.pipeFree) + u.lat.tlbToL1V + u.lat.l1ToVector
		if w.awaitsView() {
			w.vm.completeWithPrevious(at)
		} else {
			w.vm.completeEmpty(at)
		}
		return leave
	}
	for i := range c.lines {
		l := &c.lines[i]
		tx := a.transactions.get()
		n := &a.transactions.all[tx]
		*n = transaction{ready: never, enter: leave, line: l.line, mask: l.mask, next: -1, gen: w.gen, unit: uint8(u.index), slot: uint8(slot),
			kind: kind, last: i == len(c.lines)-1}
		if i == 0 {
			n.lines = uint16(len(c.lines))
		}
		u.order.push(tx)
	}
	u.markAwake(t+1, u.lat.vectorMemory+1)
	u.admitVector()
	u.drainVector()
	if u.order.admitted != u.order.tail {
		w.state = waitPort
		return never
	}
	return u.linesLeft
}

// admitVector lets instructions' lines leave the coalescer, in the order of issue, as far as it is known when there is room for all the
// lines of one, and sends them through the transaction pipeline to the TLB, one a cycle.
func (u *computeUnit) admitVector() {
	a, r := u.array, &u.order
	for r.admitted != r.tail {
		ring := r.ring
		mask := uint32(len(ring) - 1)
		first := &a.transactions.all[ring[r.admitted&mask]]
		n := uint64(first.lines)
		leave := max(first.enter, u.linesLeft)
		if room := u.linesRoom; u.linesIn+n > room { // the line in whose place the last one goes, or all before
			i := u.linesIn + min(n, room) - room
			if n > room {
				i = u.linesIn
			}
			if i > u.linesOut {
				return
			}
			if i > 0 {
				leave = max(leave, u.linesDone[(i-1)&uint64(len(u.linesDone)-1)])
			}
		}
		u.linesLeft = leave
		u.linesIn += n
		at := max(leave+u.lat.vectorToTLB, u.pipeFree)
		w, slot, gen := &u.waves[first.slot&63], int(first.slot), first.gen
		for range n {
			tx := ring[r.admitted&mask]
			x := &a.transactions.all[tx]
			r.admitted++
			x.enter = at
			if len(u.heldTLB) != 0 || !u.lookupTLB(tx, at) {
				u.heldTLB = append(u.heldTLB, tx)
			}
			at++
		}
		u.pipeFree = at
		u.markAwake(leave, at-1-leave) // the latest is sent at at-2, which keeps the unit awake for another cycle
		if w.gen == gen && w.state == waitPort {
			w.state = waitNone
			if leave > a.clock+u.lat.vectorMemory {
				w.cause = CausePort
			}
			u.follow(a.clock, slot, w, leave)
		}
	}
}

// lookupTLB looks a transaction's page up at cycle t, and reports whether it could: not while as many pages are missing as the TLB has MSHRs,
// which holds up everything behind it.
func (u *computeUnit) lookupTLB(tx int32, t uint64) bool {
	a := u.array
	ready := a.translate(&u.tlb, int32(u.index), t, a.transactions.all[tx].line>>(pageShift-lineShift), tx)
	if ready < never {
		u.enterL1V(tx, ready+u.lat.tlbToL1V)
	}
	return ready != blocked
}

// releaseTLB looks up the transactions that are held up at the TLB, in order, from cycle t on, as far as it can.
func (u *computeUnit) releaseTLB(t uint64) {
	n, together := 0, 0
	for n < len(u.heldTLB) {
		tx := u.heldTLB[n]
		if at := u.array.transactions.all[tx].enter; at > t {
			t, together = at, 0
		}
		if together++; together > u.array.spec.L1V.RequestsPerCycle {
			t, together = t+1, 1
		}
		if !u.lookupTLB(tx, t) {
			break
		}
		n++
	}
	if n > 0 {
		u.heldTLB = u.heldTLB[:copy(u.heldTLB, u.heldTLB[n:])]
	}
}

// enterL1V lets a transaction arrive at L1V at cycle t, behind those that are held up there.
func (u *computeUnit) enterL1V(tx int32, t uint64) {
	x := &u.array.transactions.all[tx]
	x.enter = t
	if x.kind == readLine {
		u.countL1V.RequestsRead++
	} else {
		u.countL1V.RequestsWrite++
	}
	if len(u.held) != 0 || u.lookupL1V(tx, t) != t {
		u.held = append(u.held, tx)
		u.releaseL1V()
	}
}

// lookupL1V looks a transaction up in L1V at cycle t, and returns the cycle in which it can be carried out: t, or a later one until which it
// holds up everything behind it and is not carried out; never if that is not known. A line is locked from its miss until its data has been
// written: requests join its MSHR until the data comes and wait for the lock after that (source: occ_lds65536), and a miss waits for an
// unlocked way in its set (source: eltadd and relu_65536_wg64, whose wavefronts meet in the same sets).
func (u *computeUnit) lookupL1V(tx int32, t uint64) uint64 {
	a := u.array
	x := &a.transactions.all[tx]
	c := &u.countL1V
	read := x.kind == readLine
	e := u.l1v.find(x.line)
	if e == nil {
		if read {
			now := t - min(t, u.lat.l1vFill)
			if u.l1v.victim(x.line, now) < 0 {
				if free := u.l1v.nextReady(x.line); free != never {
					return free + u.lat.l1vFill
				}
				return never
			}
			c.ReadMiss++
			id := a.allocateMiss(&u.l1v, x.line, now, uint8(u.index))
			a.await(id, tx)
			a.send(t+u.lat.l1vToL2, x.line, 0, id, readLine, uint8(u.index))
			return t
		}
		c.WriteMiss++
		a.send(t+u.lat.l1vToL2, x.line, x.mask, tx, x.kind, uint8(u.index))
		return t
	}
	missing := t+l1vJoin < e.ready
	if free := e.ready + u.lat.l1vFill; !missing && t < free {
		return free
	}
	if !read {
		c.WriteHit++
		a.send(t+u.lat.l1vToL2, x.line, x.mask, tx, x.kind, uint8(u.index))
		return t
	}
	u.l1v.touch(e)
	switch {
	case !missing:
		c.ReadHit++
		x.ready = t + u.lat.l1vHit
		c.LatencySum += x.ready - x.enter
		c.Completed++
	case e.ready != never:
		c.ReadMSHRHit++
		x.ready = e.ready
		c.LatencySum += x.ready - x.enter
		c.Completed++
	default:
		c.ReadMSHRHit++
		a.await(e.miss, tx)
	}
	return t
}

// l1vJoin is how long before a line's answer a request must come to join those that wait for it.
const l1vJoin = 3

// releaseL1V carries out the transactions that are held up at L1V, in order, as far as it is known until when they are.
func (u *computeUnit) releaseL1V() {
	n := 0
	for n < len(u.held) {
		tx := u.held[n]
		t := max(u.array.transactions.all[tx].enter, u.heldUntil)
		at := u.lookupL1V(tx, t)
		if at == t {
			n++
			continue
		}
		if at == never {
			break
		}
		u.heldUntil = at
	}
	if n > 0 {
		u.held = u.held[:copy(u.held, u.held[n:])]
	}
}

// vectorAnswers is how many of L1V's answers a compute unit takes a cycle (source: occ_vgpr24, in 1,878 of whose cycles a unit takes just so many).
const vectorAnswers = 16

// drainVector completes the answered transactions at the head of the reorder buffer.
func (u *computeUnit) drainVector() {
	r, a := &u.order, u.array
	for !r.empty() {
		tx := r.front()
		x := &a.transactions.all[tx]
		if x.ready == never {
			return
		}
		r.head++
		at := max(x.ready+u.lat.l1ToVector, r.last)
		if at != r.last {
			u.lastLines = 0
		} else if u.lastLines == vectorAnswers {
			at++
			u.lastLines = 0
		}
		u.lastLines++
		r.last = at
		u.markAwake(at-1, 2)
		u.linesDone[u.linesOut&uint64(len(u.linesDone)-1)] = at
		u.linesOut++
		if r.admitted != r.tail {
			u.admitVector()
			x = &a.transactions.all[tx]
		}
		slot := int(x.slot)
		w := &u.waves[slot&63]
		if x.last && w.gen == x.gen && w.emu != nil {
			w.vm.complete(at)
			if len(w.late) != 0 {
				a.performLate(w, &w.vm, false)
			}
			if w.state == waitVector {
				u.waitCount(slot, w, w.at)
			}
		}
		a.transactions.put(tx)
	}
}

// touchesView reports whether any line lies in a compacted view.
func (a *shaderArray) touchesView(lines []coalesced) bool {
	if !a.gpu.run.views {
		return false
	}
	for i := range lines {
		if a.gpu.mem.Flags(lines[i].line<<lineShift)&memory.PageView != 0 {
			return true
		}
	}
	return false
}

// deferAccess keeps a copy of the wavefront's access, to be carried out at the end of the window.
func (a *shaderArray) deferAccess(t uint64, u *computeUnit, slot int, w *wave, op *emu.Op) {
	a.deferred = append(a.deferred, deferredAccess{at: t, wave: w.emu, op: op, access: a.keepAccess(), unit: uint8(u.index), slot: uint8(slot)})
}

// keepAccess copies the access of the instruction that issues.
func (a *shaderArray) keepAccess() *emu.MemoryAccess {
	var c *emu.MemoryAccess
	if n := len(a.freeDeferred); n > 0 {
		c = a.freeDeferred[n-1]
		a.freeDeferred = a.freeDeferred[:n-1]
	} else {
		c = new(emu.MemoryAccess)
	}
	a.workspace.Access.CopyTo(c)
	return c
}

// lateLoad is a load through a view, which takes its data when it completes.
type lateLoad struct {
	op     *emu.Op
	access *emu.MemoryAccess
	number uint32 // it is the number-th instruction of its counter
	scalar bool
}

// awaitsView reports whether a vector load through a view is under way.
func (w *wave) awaitsView() bool {
	for i := range w.late {
		if !w.late[i].scalar {
			return true
		}
	}
	return false
}

// performLate carries out the loads through views that have completed.
func (a *shaderArray) performLate(w *wave, c *completions, scalar bool) {
	keep := w.late[:0]
	for _, l := range w.late {
		if l.scalar != scalar || int32(l.number-c.known) > 0 {
			keep = append(keep, l)
			continue
		}
		e := w.emu
		e.Now = c.times[(l.number-1)%completionRing] * a.gpu.picoseconds
		a.gpu.viewMu.Lock()
		l.op.Perform(e, l.op, l.access)
		a.gpu.viewMu.Unlock()
		a.freeDeferred = append(a.freeDeferred, l.access)
		if e.Fault != nil && a.fault == nil {
			a.fault, a.faultAt = e.Fault, a.clock
		}
	}
	w.late = keep
}
