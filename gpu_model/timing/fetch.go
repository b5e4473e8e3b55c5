package timing

import (
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
)

// fetchState is a wavefront's instruction buffer: it holds the code from the current instruction to have (dwords of the
// program). At most one fetch is under way.
type fetchState struct {
	have     uint32 // dword behind the buffered code
	want     uint32 // first dword of the next fetch, a line's start after the first
	sent     uint32 // first dword of the latest fetch
	pc       uint32 // first dword that is still needed
	ready    uint64 // cycle from which what is being fetched can be decoded; never while unknown
	answered uint64 // the same of the latest fetch that was answered
	jumpAt   uint64 // cycle at which a jump under way takes effect; 0: none
	pending  bool   // a fetch is under way
	stale    bool   // the fetch under way is for code before a jump
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

// jump empties a wavefront's buffer at cycle t, from which it fetches its next instruction. Until then it fetches on as before.
func (u *computeUnit) jump(t uint64, slot int, w *wave) {
	w.fetch.jumpAt = t
	u.wakeFetch(slot, t)
}

// redirect makes a jump take effect. A fetch under way is awaited, and used if it happens to be for the new place.
func (u *computeUnit) redirect(w *wave) {
	f := &w.fetch
	start := u.array.lineStart(w.next)
	f.have, f.want, f.pc, f.jumpAt = start, start, w.next, 0
	if f.stale = f.pending && f.sent != start; f.pending && !f.stale {
		f.want += lineDwords
	}
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

// fetchEvents handles, at cycle t, jumps that take effect, answers that can be used, and wavefronts that begin to fetch.
func (u *computeUnit) fetchEvents(t uint64, set uint64) {
	for m := set; m != 0; m &= m - 1 {
		slot := bits.TrailingZeros64(m)
		w := &u.waves[slot&63]
		if w.emu == nil {
			continue
		}
		f := &w.fetch
		if f.pending && f.ready <= t {
			f.pending, f.answered = false, f.ready
			if !f.stale {
				f.have = f.want
			}
			f.stale = false
		}
		if f.jumpAt != 0 && f.jumpAt <= t { // empties what has come until the cycle before
			u.redirect(w)
			u.wantFetch &^= 1 << slot
		}
		if f.pending {
			if f.ready != never {
				u.fetch.add(t, f.ready, 1<<slot)
			}
			continue
		}
		if u.hasRoom(w) {
			u.wantFetch |= 1 << slot
		}
	}
}

// longestUnanswered returns the slot, of those that want to fetch, whose latest answer lies longest back; of equals, the first in the
// order of SIMDs and, within a SIMD, of age.
func (u *computeUnit) longestUnanswered() int {
	best := bits.TrailingZeros64(u.wantFetch)
	for m := u.wantFetch & (u.wantFetch - 1); m != 0; m &= m - 1 {
		slot := bits.TrailingZeros64(m)
		w, b := &u.waves[slot&63], &u.waves[best&63]
		if w.fetch.answered < b.fetch.answered || w.fetch.answered == b.fetch.answered && w.simd == b.simd && w.age < b.age {
			best = slot
		}
	}
	return best
}

// arbitrateFetch lets one wavefront send a fetch and reports whether it did.
func (u *computeUnit) arbitrateFetch(t uint64) bool {
	if u.inPort == instructionPort {
		u.fetchRetry = never // until there is room
		return false
	}
	u.fetchRetry = t + 1
	slot := u.longestUnanswered()
	u.wantFetch &^= 1 << slot
	u.sendFetch(t, slot)
	return true
}

// sendFetch sends a wavefront's next fetch at cycle t.
func (u *computeUnit) sendFetch(t uint64, slot int) {
	u.lastFetch = t
	w := &u.waves[slot&63]
	f := &w.fetch
	f.pending, f.stale, f.ready, f.sent = true, false, never, f.want
	a := u.array
	a.fetches++
	line := (a.gpu.run.program.Base + uint64(int64(int32(f.want))*4)) >> lineShift
	f.want += lineDwords
	if u.inPort == 0 {
		a.connection.markFrom(a.clock, t, 1) // works even if there is no room
	}
	u.port[u.inPort] = fetchRequest{line: line, gen: w.gen, slot: uint8(slot)}
	u.inPort++
	u.array.inPorts |= 1 << u.index
	a.sending = true
}

// answerFetch hands a fetch that the reorder buffer can send at cycle at to its wavefront, and returns when it is sent. A compute unit
// takes one answer a cycle; its port holds those that wait for that, and a full port holds up the answers for everybody.
func (u *computeUnit) answerFetch(slot int, w *wave, at uint64) uint64 {
	way := u.lat.fetchToIssue - fetchHop
	oldest := &u.answers[u.answered%instructionPort]
	sent := max(at, *oldest-min(*oldest, way))
	taken := max(sent+way+1, u.lastAnswer+1)
	*oldest, u.lastAnswer = taken, taken
	u.answered++
	if taken-(sent+way) >= instructionPort {
		u.array.wakeOthers(u, sent+way+2)
		u.array.connection.markFrom(u.array.clock, sent+way+1, 1)
	}
	u.array.connection.markFrom(u.array.clock, sent+way, 2)
	w.fetch.ready = taken + 1
	u.markAwake(taken, 2)
	u.wakeFetch(slot, taken+1)
	if w.state == waitFetch {
		u.wake(slot, taken+1)
	}
	return sent
}
