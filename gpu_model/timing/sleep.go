package timing

import "math/bits"

// ticks counts the cycles in which a compute unit is awake while it holds wavefronts: the SIMD that may issue first moves on by one in each
// of them. The unit sleeps when nothing has moved in it for some cycles and is woken by what arrives.
type ticks struct {
	ring [tickWords]uint64 // bit i: the unit is awake in cycle i, modulo the ring's reach
	from uint64            // cycles before are counted
	n    uint64            // how many of them the unit was awake in

	// The unit is awake in the cycles from lo to hi, too, which are not in the ring yet. Most marks only make them more. lo ≥ from.
	lo, hi uint64
}

const (
	tickWords = 64 // room for 4,096 cycles
	tickReach = 64 * (tickWords - 1)
)

// firstSIMD returns the SIMD that may issue first in cycle t.
func (u *computeUnit) firstSIMD(t uint64) uint64 {
	k := &u.ticks
	k.count(t)
	return k.n & 3
}

// count counts the cycles before cycle t.
func (k *ticks) count(t uint64) {
	if k.lo < t {
		last := min(k.hi, t)
		k.set(k.lo, last)
		k.lo = last
	}
	k.countRing(t)
	k.lo = max(k.lo, k.from)
	k.hi = max(k.hi, k.lo)
}

func (k *ticks) countRing(t uint64) {
	if last := k.from + 64*tickWords; last < t {
		k.countRing(last)
		k.from = t
		return
	}
	for k.from < t {
		w := &k.ring[k.from/64%tickWords]
		first := k.from % 64
		n := min(64-first, t-k.from)
		mask := ^uint64(0) >> (64 - n) << first
		k.n += uint64(bits.OnesCount64(*w & mask))
		*w &^= mask
		k.from += n
	}
}

// markAwake notes that the unit is awake in n cycles from cycle at on.
func (u *computeUnit) markAwake(at, n uint64) { u.ticks.markFrom(u.array.clock, at, n) }

// markFrom notes n cycles from cycle at on, seen from cycle now.
func (k *ticks) markFrom(now, at, n uint64) {
	if at-k.lo <= k.hi-k.lo && at+n <= k.from+tickReach {
		k.hi = max(k.hi, at+n)
		return
	}
	k.markApart(now, at, n)
}

// markApart is markFrom for cycles that do not follow those from lo to hi.
func (k *ticks) markApart(now, at, n uint64) {
	k.set(k.lo, k.hi)
	k.lo = k.hi
	if at+n > k.from+tickReach {
		k.count(now)
	}
	if at < k.from {
		if at+n <= k.from {
			return
		}
		n -= k.from - at
		at = k.from
	}
	if at+n <= k.from+tickReach {
		k.lo, k.hi = at, at+n
		return
	}
	for ; n > 0; at, n = at+64, n-min(n, 64) { // what lies too far ahead is lost
		if end := at + min(n, 64); end <= k.from+tickReach {
			k.set(at, end)
		}
	}
}

// leaveEmpty notes that the last wavefront has gone at cycle t, and begin that the first one has come.
func (k *ticks) leaveEmpty(t uint64) {
	k.count(t)
	k.ring, k.from = [tickWords]uint64{}, never
	k.lo, k.hi = never, never
}

func (k *ticks) begin(t uint64) {
	k.set(k.lo, k.hi)
	k.from, k.lo, k.hi = t, t, t
}

// set sets the ring's bits of the cycles from at to end, which lie within its reach.
func (k *ticks) set(at, end uint64) {
	for at < end {
		first := at % 64
		n := min(64-first, end-at)
		k.ring[at/64%tickWords] |= ^uint64(0) >> (64 - n) << first
		at += n
	}
}
