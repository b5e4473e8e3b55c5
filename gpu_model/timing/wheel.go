package timing

import "math/bits"

// wheelSpan is the reach of a wheel in cycles. What lies farther ahead is put into the last bucket and placed again when
// that is reached.
const wheelSpan = 64

// wheel is a time wheel of sets of up to 64 wavefront slots: an event is one bit, so that scheduling neither allocates nor
// sorts, and the slots of a bucket come out in a fixed order.
type wheel struct {
	occupied uint64 // bit i: bucket i is not empty
	bucket   [wheelSpan]uint64
}

// add schedules the slots of mask at cycle at, seen from cycle now, and returns the cycle of their bucket. at must not lie before now.
func (w *wheel) add(now, at, mask uint64) uint64 {
	if at-now >= wheelSpan {
		at = now + wheelSpan - 1
	}
	i := at % wheelSpan
	w.bucket[i] |= mask
	w.occupied |= 1 << i
	return at
}

// next returns the first cycle from now on at which something is scheduled, or never.
func (w *wheel) next(now uint64) uint64 {
	if w.occupied == 0 {
		return never
	}
	return now + uint64(bits.TrailingZeros64(bits.RotateLeft64(w.occupied, -int(now%wheelSpan))))
}

// take empties the bucket of cycle now and returns its slots.
func (w *wheel) take(now uint64) uint64 {
	i := now % wheelSpan
	m := w.bucket[i]
	w.bucket[i] = 0
	w.occupied &^= 1 << i
	return m
}

// never is a time that does not come: a completion not known yet, or no event.
const never = uint64(1) << 62
