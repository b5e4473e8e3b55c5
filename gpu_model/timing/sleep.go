package timing

import "math/bits"

// ticks counts the cycles in which a compute unit is awake while it holds wavefronts: the SIMD that may issue first moves on by one in each
// of them. The unit sleeps when nothing has moved in it for some cycles and is woken by what arrives.
type ticks struct {
	ring [tickWords]uint64 // bit i: the unit is awake in cycle i, modulo the ring's reach
	from uint64            // cycles before are counted
	n    uint64            // how many of them the unit was awake in
}

const tickWords = 64 // room for 4,096 cycles

// firstSIMD returns the SIMD that may issue first in cycle t.
func (u *computeUnit) firstSIMD(t uint64) uint64 {
	k := &u.ticks
	k.count(t)
	return k.n & 3
}

// count counts the cycles before cycle t.
func (k *ticks) count(t uint64) {
	if last := k.from + 64*tickWords; last < t {
		k.count(last)
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
	if at+n > k.from+64*(tickWords-1) {
		k.count(now)
	}
	for ; n > 64; at, n = at+64, n-64 {
		k.mark(at, 64)
	}
	k.mark(at, n)
}

// leaveEmpty notes that the last wavefront has gone at cycle t, and begin that the first one has come.
func (k *ticks) leaveEmpty(t uint64) {
	k.count(t)
	k.ring, k.from = [tickWords]uint64{}, never
}

func (k *ticks) begin(t uint64) { k.from = t }

// mark notes that the unit is awake in n ≤ 64 cycles from cycle at on.
func (k *ticks) mark(at, n uint64) {
	if at < k.from {
		if at+n <= k.from {
			return
		}
		n -= k.from - at
		at = k.from
	}
	if at+n > k.from+64*(tickWords-1) {
		return
	}
	first := at % 64
	set := ^uint64(0) >> (64 - n)
	k.ring[at/64%tickWords] |= set << first
	if first+n > 64 {
		k.ring[(at/64+1)%tickWords] |= set >> (64 - first)
	}
}
