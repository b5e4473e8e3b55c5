package timing

import "math/bits"

// Places for fetches on their way to the instruction cache and for answers on their way back.
const (
	instructionPort = 4 // a compute unit's port, each way
	reorderPort     = 8 // the port through which the reorder buffer answers
	fetchHop        = 2 // cycles from an answer's arrival in a compute unit's port to the first issue
)

// fetchRequest is a fetch in its compute unit's port.
type fetchRequest struct {
	line uint64
	gen  uint32
	slot uint8
}

// moveFetches lets the connection to the instruction path move what is in the compute units' ports in cycle t: from each of the ports in turn all
// that finds room, beginning with another one in every cycle in which it works.
func (a *shaderArray) moveFetches(t uint64) {
	a.sending, a.crowded = false, false
	room := a.path.room(t)
	if a.moveAt <= t && a.path.room(t-1) <= 0 {
		// Room in the full port behind wakes all compute units.
		a.connection.markFrom(a.clock, t, 1)
		for i := range a.units {
			a.units[i].markAwake(t+1, 1)
		}
	}
	a.moveAt = never
	a.connection.count(t)
	// The answers' side is a port too, the first.
	behind := uint64(0) // the compute units whose ports come before the one that begins
	if begin := a.connection.n % uint64(len(a.units)+1); begin > 0 {
		behind = a.inPorts & (1<<(begin-1) - 1)
	}
	moved := false
	for m := a.inPorts &^ behind; ; m &= m - 1 {
		if m == 0 {
			if m, behind = behind, 0; m == 0 {
				break
			}
		}
		i := bits.TrailingZeros64(m)
		u := &a.units[i]
		n := 0
		for ; n < u.inPort && room > 0; n++ {
			room--
			f := &u.port[n]
			w := &u.waves[f.slot&63]
			if w.gen != f.gen {
				w = nil
			}
			a.fetch(t, f.line, u, int(f.slot), w, f.gen)
		}
		if n == 0 {
			a.crowded = true
			continue
		}
		moved = true
		copy(u.port[:], u.port[n:u.inPort])
		if u.inPort -= n; u.inPort > 0 {
			a.crowded = true
		} else {
			a.inPorts &^= 1 << i
		}
		if at := max(t+1, a.clock); u.wantFetch != 0 && at < u.fetchRetry && u.fetchRetry == never {
			u.fetchRetry = at
			u.next = min(u.next, at)
		}
	}
	if moved {
		a.connection.markFrom(a.clock, t, 2)
	}
	if a.crowded = a.crowded || room <= 0; a.crowded {
		a.moveAt = a.path.next(t)
	}
}

// fetch sends a compute unit's request for a line of code, which leaves its port in cycle t, to the instruction cache.
func (a *shaderArray) fetch(t, line uint64, u *computeUnit, slot int, w *wave, gen uint32) {
	r := &a.l1iOrder
	if a.path.idle() {
		// What admitFetches and drainFetch come to for a hit while no other fetch waits.
		arrival := a.path.pass(t, a.spec.L1I.ReorderPerCycle)
		if e := a.l1i.find(line); e != nil && e.ready <= t {
			room, at := a.fetchRoom(arrival)
			a.path.enter(at + 1)
			c := &a.countL1I
			c.RequestsRead++
			c.ReadHit++
			c.LatencySum += a.lat.l1iHit
			c.Completed++
			a.l1i.touch(e)
			at += a.lat.l1iHit
			a.fetchSlots[room] = at
			a.returnFetch(at, u, slot, w)
			return
		}
	} else {
		a.path.push(t)
	}
	tx := a.transactions.get()
	a.transactions.all[tx] = transaction{ready: never, next: -1, gen: gen, unit: uint8(u.index), slot: uint8(slot), kind: readLine, line: line}
	r.push(tx)
	a.admitFetches()
	a.drainFetch()
}

// fetchRoom returns the place in the instruction cache that is free first for a fetch that comes at cycle t, and the cycle at which it is
// taken in; never when that is not known.
func (a *shaderArray) fetchRoom(t uint64) (room int, at uint64) {
	t = max(t, a.l1iTaken)
	free := never
	for i, x := range a.fetchSlots {
		if x <= t {
			room, free = i, t
			break
		}
		if x < free {
			room, free = i, x
		}
	}
	if free == never {
		return 0, never
	}
	if free == a.l1iTaken {
		if a.l1iCount++; a.l1iCount > a.spec.L1I.RequestsPerCycle {
			free++
			a.l1iTaken, a.l1iCount = free, 1
		}
	} else {
		a.l1iTaken, a.l1iCount = free, 1
	}
	return room, free
}

// admitFetches lets the instruction cache take fetches in, in the order in which they were sent, as far as it is known when it has room. It
// holds as many as it has MSHRs, from the one that it takes in until it answers it, be it a hit or a miss.
func (a *shaderArray) admitFetches() {
	if a.admitting {
		return
	}
	a.admitting = true
	defer func() { a.admitting = false }()
	r := &a.l1iOrder
	a.advanceFetches()
	for a.path.entered != a.path.passed {
		tx := r.ring[r.admitted&uint32(len(r.ring)-1)]
		x := &a.transactions.all[tx]
		room, at := a.fetchRoom(a.path.passedAt[pathIndex(a.path.entered)])
		if at == never {
			return
		}
		x.enter, x.room = at, uint8(room)
		a.fetchSlots[room] = never
		r.admitted++
		a.lookupL1I(tx, at)
		a.path.enter(at + 1)
		a.advanceFetches()
	}
}

// advanceFetches lets fetches go on as far as it is known when they find room.
func (a *shaderArray) advanceFetches() {
	if free := a.path.advance(a.spec.L1I.ReorderPerCycle); a.crowded && free != never {
		a.moveAt = min(a.moveAt, max(free, a.clock))
	}
}

// wakeOthers wakes the compute units of the array but for one.
func (a *shaderArray) wakeOthers(u *computeUnit, t uint64) {
	for i := range a.units {
		if i != u.index {
			a.units[i].markAwake(t, 1)
		}
	}
}

// fillLock is how long before a line's answer a look-up neither joins those that wait for it nor finds it.
const fillLock = 2

// lookupL1I looks a fetch up in the instruction cache, which is indexed by virtual address.
func (a *shaderArray) lookupL1I(tx int32, t uint64) {
	x := &a.transactions.all[tx]
	c := &a.countL1I
	c.RequestsRead++
	if e := a.l1i.find(x.line); e != nil {
		a.l1i.touch(e)
		switch {
		case e.ready <= t+fillLock:
			c.ReadHit++
			if e.ready > t { // holds up those behind it
				t = e.ready
				a.l1iTaken, a.l1iCount = t, 1
			}
			a.answeredL1I(x, t+a.lat.l1iHit)
		case e.ready != never:
			c.ReadMSHRHit++
			a.answeredL1I(x, e.ready)
		default:
			c.ReadMSHRHit++
			a.await(e.miss, tx)
		}
		return
	}
	c.ReadMiss++
	// The line is allocated at once; its request goes out when its page is translated.
	m := a.allocateMiss(&a.l1i, x.line, t, portL1I)
	a.await(m, tx)
	at := t + a.lat.l1iToTLB
	page := x.line >> (pageShift - lineShift)
	walker := a.transactions.get() // stands for the cache's own request while it is translated
	a.transactions.all[walker] = transaction{ready: never, line: x.line, next: -1, mask: uint64(m)}
	if ready := a.translate(&a.l1iTLB, portL1I, at, page, walker); ready != never {
		a.missL1I(walker, ready)
	}
}

// answeredL1I notes when the instruction cache answers a fetch.
func (a *shaderArray) answeredL1I(x *transaction, at uint64) {
	x.ready = at
	a.fetchSlots[x.room] = at
	a.countL1I.LatencySum += at - x.enter
	a.countL1I.Completed++
}

// missL1I sends a translated miss of the instruction cache to the L2.
func (a *shaderArray) missL1I(walker int32, at uint64) {
	w := &a.transactions.all[walker]
	a.send(at+a.lat.tlbToL2, w.line, 0, int32(w.mask), readLine, portL1I)
	a.transactions.put(walker)
}

// drainFetch hands fetched lines to the wavefronts, in the order of the requests of all four compute units.
func (a *shaderArray) drainFetch() {
	r := &a.l1iOrder
	for {
		if r.head == r.admitted {
			return
		}
		tx := r.front()
		x := &a.transactions.all[tx]
		if x.ready == never {
			return
		}
		r.head++
		u := &a.units[x.unit]
		w := &u.waves[x.slot&63]
		if w.gen != x.gen {
			w = nil
		}
		a.returnFetch(x.ready, u, int(x.slot), w)
		a.transactions.put(tx)
		if a.path.taken != a.path.moved {
			a.admitFetches()
		}
	}
}

// returnFetch sends an answer that the instruction cache gives at cycle at, through the reorder buffer and its port, to its wavefront; nil if that
// has ended. While a compute unit's full port holds up those behind its answer, the reorder buffer goes on filling its own, and what has gathered
// there leaves in one cycle (source: vadd_dep_256x256, answers 165 to 175 of a shader array).
func (a *shaderArray) returnFetch(at uint64, u *computeUnit, slot int, w *wave) {
	r := &a.l1iOrder
	oldest := &a.l1iLeft[a.l1iAnswers%reorderPort]
	at = max(at, r.last, *oldest)
	if at == r.last && a.l1iSent >= a.spec.L1I.ReorderPerCycle {
		at++
	}
	if at == r.last {
		a.l1iSent++
	} else {
		r.last, a.l1iSent = at, 1
	}
	a.path.leave(at + a.lat.fetchToIssue - fetchHop)
	at = max(at, a.l1iLatest)
	if w != nil && w.emu != nil {
		at = u.answerFetch(slot, w, at)
	}
	*oldest, a.l1iLatest = at+1, at
	a.l1iAnswers++
}
