package timing

import (
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
)

// fetchState is a wavefront's instruction buffer: it holds the code from the current instruction to have (dwords of the
// program). At most one fetch is under way.
type fetchState struct {
	have    uint32 // dword behind the buffered code
	want    uint32 // first dword of the next fetch, a line's start after the first
	ready   uint64 // cycle from which what is being fetched can issue; never while unknown
	pending bool   // a fetch is under way
	stale   bool   // the fetch under way is for code before a jump
	pc      uint32 // first dword that is still needed
	sent    uint64 // cycle of the latest fetch
	jumpAt  uint64 // cycle at which a jump under way takes effect; 0: none
}

const lineDwords = lineBytes / 4

// lineStart returns the first dword of the line that holds dword pc, given the program's place in memory.
func (a *shaderArray) lineStart(pc uint32) uint32 {
	skew := uint32(a.gpu.run.program.Base/4) % lineDwords
	return (pc+skew)&^(lineDwords-1) - skew
}

// available returns the cycle from which the wavefront's next instruction is in its buffer, or never.
func (u *computeUnit) available(t uint64, w *wave, op *emu.Op) uint64 {
	f := &w.fetch
	end := int32(op.Next)
	if op.Next <= w.next {
		end = int32(w.next) + 1
	}
	if end <= int32(f.have) {
		return t
	}
	if f.pending && !f.stale && f.ready != never && end <= int32(f.want) {
		return max(t, f.ready)
	}
	return never
}

// jump empties a wavefront's buffer at cycle t: its next instruction is fetched from the cycle after on. Until then it fetches on as
// before.
func (u *computeUnit) jump(t uint64, slot int, w *wave) {
	w.fetch.jumpAt = t
	u.wakeFetch(slot, t)
}

// redirect makes a jump take effect.
func (u *computeUnit) redirect(w *wave) {
	f := &w.fetch
	start := u.array.lineStart(w.next)
	f.have, f.want, f.pc, f.jumpAt = start, start, w.next, 0
	f.stale = f.pending
}

// consumed lets the wavefront fetch on when its buffer has room for another line.
func (u *computeUnit) consumed(t uint64, slot int, w *wave) {
	f := &w.fetch
	if f.jumpAt == 0 {
		f.pc = w.next
	}
	if !f.pending && u.wantFetch>>slot&1 == 0 && u.hasRoom(w) {
		u.wantFetch |= 1 << slot
	}
}

func (u *computeUnit) hasRoom(w *wave) bool {
	f := &w.fetch
	return int32(f.want)-int32(f.pc)+lineDwords <= int32(u.array.spec.Fetch.BufferBytes/4)
}

// fetchEvents handles arrivals of fetches and starts at cycle t, and returns the wavefronts whose jumps take effect.
func (u *computeUnit) fetchEvents(t uint64, set uint64) (jumps uint64) {
	for m := set; m != 0; m &= m - 1 {
		slot := bits.TrailingZeros64(m)
		w := &u.waves[slot]
		if w.emu == nil {
			continue
		}
		f := &w.fetch
		if f.jumpAt != 0 && f.jumpAt <= t {
			jumps |= 1 << slot
		}
		if f.pending {
			if f.ready >= t {
				if f.ready != never {
					u.fetch.add(t, f.ready+1, 1<<slot)
				}
				continue
			}
			f.pending = false
			if f.stale {
				f.stale = false
			} else {
				f.have = f.want
			}
		}
		if u.hasRoom(w) {
			u.wantFetch |= 1 << slot
		}
	}
	return jumps
}

// redirectAll makes jumps take effect at cycle t, in which the wavefronts may still have sent a fetch for the code before the jump.
func (u *computeUnit) redirectAll(t uint64, jumps uint64) {
	u.wantFetch &^= jumps
	for ; jumps != 0; jumps &= jumps - 1 {
		slot := bits.TrailingZeros64(jumps)
		w := &u.waves[slot]
		u.redirect(w)
		if !w.fetch.pending {
			u.wakeFetch(slot, t+1)
		}
	}
}

// longestUnfetched returns the slot, of those that want to fetch, whose latest fetch lies longest back, the oldest among equals.
func (u *computeUnit) longestUnfetched() int {
	best := bits.TrailingZeros64(u.wantFetch)
	for m := u.wantFetch & (u.wantFetch - 1); m != 0; m &= m - 1 {
		slot := bits.TrailingZeros64(m)
		w, b := &u.waves[slot], &u.waves[best]
		if w.fetch.sent < b.fetch.sent || w.fetch.sent == b.fetch.sent && w.age < b.age {
			best = slot
		}
	}
	return best
}

// arbitrateFetch lets one wavefront send a fetch.
func (u *computeUnit) arbitrateFetch(t uint64) {
	if u.fetchRetry = u.array.fetchFree(t); u.fetchRetry > t {
		return
	}
	u.fetchRetry = t + 1
	slot := u.longestUnfetched()
	u.wantFetch &^= 1 << slot
	u.sendFetch(t, slot)
}

// sendFetch sends a wavefront's next fetch at cycle t.
func (u *computeUnit) sendFetch(t uint64, slot int) {
	u.lastFetch = t
	w := &u.waves[slot]
	f := &w.fetch
	f.pending, f.stale, f.ready, f.sent = true, false, never, t
	a := u.array
	a.fetches++
	line := (a.gpu.run.program.Base + uint64(int64(int32(f.want))*4)) >> lineShift
	if a.l1iOrder.empty() {
		if e := a.l1i.find(line); e != nil && e.ready <= t {
			a.fetchHit(t, slot, w, u, e)
			return
		}
	}
	tx := a.transactions.get()
	x := &a.transactions.all[tx]
	*x = transaction{ready: never, enter: t, next: -1, gen: w.gen, unit: uint8(u.index), slot: uint8(slot), kind: readLine,
		line: line, mask: uint64(a.holdFetch(t))}
	f.want += lineDwords
	a.l1iOrder.push(tx)
	a.enterL1I(tx, t)
	a.drainFetch()
}

// fetchHit answers a fetch that hits the instruction cache while no other is under way: what enterL1I and drainFetch come to then.
func (a *shaderArray) fetchHit(t uint64, slot int, w *wave, u *computeUnit, e *tagLine) {
	c := &a.countL1I
	c.RequestsRead++
	c.ReadHit++
	c.LatencySum += a.lat.l1iHit
	c.Completed++
	a.l1i.touch(e)
	w.fetch.want += lineDwords
	r := &a.l1iOrder
	at := max(t+a.lat.l1iHit, r.last)
	r.last = at
	if i := a.holdFetch(t); i != noFetchSlot {
		a.fetchSlots[i] = at
		a.retryFetches(at)
	}
	at += a.lat.fetchToIssue
	w.fetch.ready = at
	u.wakeFetch(slot, at+1)
	if w.state == waitFetch {
		u.wake(slot, at)
	}
}

// fetchFree returns a cycle from which the instruction cache has room for another fetch: one not after t, or the first; never when
// that is not known.
func (a *shaderArray) fetchFree(t uint64) uint64 {
	free := never
	for _, at := range a.fetchSlots {
		if at <= t {
			return at
		}
		free = min(free, at)
	}
	return free
}

// holdFetch takes room in the instruction cache for a fetch sent at cycle t.
func (a *shaderArray) holdFetch(t uint64) uint8 {
	for i, at := range a.fetchSlots {
		if at <= t {
			a.fetchSlots[i] = never
			return uint8(i)
		}
	}
	return noFetchSlot // a group's late first fetch
}

const noFetchSlot = 255

// enterL1I looks a fetch up in the instruction cache, which is indexed by virtual address.
func (a *shaderArray) enterL1I(tx int32, t uint64) {
	x := &a.transactions.all[tx]
	a.countL1I.RequestsRead++
	if e := a.l1i.find(x.line); e != nil {
		a.l1i.touch(e)
		if e.ready <= t {
			a.countL1I.ReadHit++
			x.ready = t + a.lat.l1iHit
			a.countL1I.LatencySum += a.lat.l1iHit
			a.countL1I.Completed++
			return
		}
		a.countL1I.ReadMSHRHit++
		if e.ready != never {
			x.ready = e.ready
			a.countL1I.LatencySum += x.ready - t
			a.countL1I.Completed++
			return
		}
		a.await(e.miss, tx)
		return
	}
	a.countL1I.ReadMiss++
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

// missL1I sends a translated miss of the instruction cache to the L2.
func (a *shaderArray) missL1I(walker int32, at uint64) {
	w := &a.transactions.all[walker]
	a.send(at+a.lat.tlbToL2, w.line, 0, int32(w.mask), readLine, portL1I)
	a.transactions.put(walker)
}

// drainFetch hands fetched lines to the wavefronts, in the order of the requests.
func (a *shaderArray) drainFetch() {
	r := &a.l1iOrder
	for !r.empty() {
		tx := r.front()
		x := &a.transactions.all[tx]
		if x.ready == never {
			return
		}
		r.head++
		at := max(x.ready, r.last)
		r.last = at
		if x.mask != noFetchSlot {
			a.fetchSlots[x.mask] = at
			a.retryFetches(at)
		}
		u := &a.units[x.unit]
		slot := int(x.slot)
		w := &u.waves[slot]
		if w.emu != nil && w.gen == x.gen {
			at += a.lat.fetchToIssue
			w.fetch.ready = at
			u.wakeFetch(slot, at+1)
			if w.state == waitFetch {
				u.wake(slot, at)
			}
		}
		a.transactions.put(tx)
	}
}

// retryFetches lets the compute units that found no room for a fetch try again at cycle at.
func (a *shaderArray) retryFetches(at uint64) {
	at = max(at, a.clock)
	for i := range a.units {
		u := &a.units[i]
		if u.wantFetch != 0 && at < u.fetchRetry {
			u.fetchRetry = at
			u.next = min(u.next, at)
		}
	}
}
