package timing

// completionRing is how many of the latest completions are kept: s_waitcnt can wait for no more than 15 to be outstanding.
const completionRing = 16

// completions is the in-order list of a wavefront's memory instructions of one counter: how many were issued, and when those
// whose completion is known complete.
type completions struct {
	times         [completionRing]uint64
	issued, known uint32
}

func (c *completions) reset() { c.issued, c.known = 0, 0 }

// add notes an instruction whose completion is known.
func (c *completions) add(at uint64) {
	if c.known == c.issued {
		c.times[c.known%completionRing] = at
		c.known++
	}
	c.issued++
}

// issue notes an instruction whose completion is not known yet.
func (c *completions) issue() { c.issued++ }

// complete notes that the oldest instruction that was not known to complete does so at cycle at.
func (c *completions) complete(at uint64) {
	if c.known > 0 {
		at = max(at, c.times[(c.known-1)%completionRing])
	}
	c.times[c.known%completionRing] = at
	c.known++
}

// reached returns the cycle from which at most n instructions are outstanding, or never when that is not known.
func (c *completions) reached(n int) uint64 {
	need := int64(c.issued) - int64(n) // instructions that must have completed
	if need <= 0 {
		return 0
	}
	if int64(c.known) < need {
		return never
	}
	return c.times[uint32(need-1)%completionRing]
}

// latest returns the completion of the k-th latest instruction issued (0 the latest), never when not known, 0 when there is none.
func (c *completions) latest(k uint32) uint64 {
	switch {
	case k >= c.issued || k >= completionRing:
		return 0
	case c.issued-k > c.known:
		return never
	}
	return c.times[(c.issued-k-1)%completionRing]
}

// reachedBoth does what reached does for two lists that share a counter. second tells that b is the last to complete.
func reachedBoth(a, b *completions, n int) (at uint64, second bool) {
	var i, j uint32
	for range n {
		if a.latest(i) >= b.latest(j) {
			i++
		} else {
			j++
		}
	}
	x, y := a.latest(i), b.latest(j)
	return max(x, y), y > x
}

// completeEmpty notes that the instruction just issued, which has nothing to wait for, completes at cycle at.
func (c *completions) completeEmpty(at uint64) {
	if c.known+1 == c.issued {
		c.complete(at)
		return
	}
	c.issued-- // it completes with the one before it
}
