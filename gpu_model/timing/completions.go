package timing

// completionRing is how many of the latest completions are kept: s_waitcnt can wait for no more than 15 to be outstanding.
const completionRing = 16

// completions is the in-order list of a wavefront's memory instructions of one counter: how many were issued, and when those
// whose completion is known complete.
type completions struct {
	issued, known uint32
	times         [completionRing]uint64
	follow        []uint32 // numbers of those that complete with the one before them, ascending; the first instruction is 1
}

func (c *completions) reset() { c.issued, c.known, c.follow = 0, 0, c.follow[:0] }

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
	for len(c.follow) != 0 && c.follow[0] == c.known+1 {
		c.follow = c.follow[:copy(c.follow, c.follow[1:])]
		c.times[c.known%completionRing] = at
		c.known++
	}
}

// completeWithPrevious notes that the instruction issued last touches no memory, and completes with the one before it. Other than by
// completeEmpty it counts until then, which loads through views depend on: they bring their data when they complete.
func (c *completions) completeWithPrevious(at uint64) {
	if c.known+1 == c.issued {
		c.complete(at)
		return
	}
	c.follow = append(c.follow, c.issued)
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

// flatCompletions are those of the vector memory instructions that lgkmcnt counts too: FLAT may go to the LDS, so it counts in both
// (source: the ISA manual, FLAT instructions; strided_wr, whose loop waits for lgkmcnt, takes a full store in every trip).
type flatCompletions struct {
	vm   *completions
	flat *uint16 // bit i: the instruction whose number is i modulo completionRing is FLAT
	skip uint32  // latest instructions that are not FLAT or counted already
}

// latest returns the completion of the latest FLAT instruction not skipped.
func (f *flatCompletions) latest() uint64 {
	for ; f.skip < completionRing && f.skip < f.vm.issued; f.skip++ {
		if *f.flat>>((f.vm.issued-f.skip-1)%completionRing)&1 != 0 {
			return f.vm.latest(f.skip)
		}
	}
	return 0
}

// lgkmReached returns the cycle from which at most n of the instructions that lgkmcnt counts are outstanding, or never, and what
// completes last then.
func (w *wave) lgkmReached(n int) (at uint64, last Cause) {
	f := flatCompletions{vm: &w.vm, flat: &w.flat}
	var i, j uint32
	for ; ; n-- {
		x, y, z := w.lds.latest(i), w.smem.latest(j), f.latest()
		switch {
		case z > x && z > y:
			if n == 0 {
				return z, CauseWaitVector
			}
			f.skip++
		case y > x:
			if n == 0 {
				return y, CauseWaitScalar
			}
			j++
		default:
			if n == 0 {
				return x, CauseWaitLDS
			}
			i++
		}
	}
}

// completeEmpty notes that the instruction just issued, which has nothing to wait for, completes at cycle at.
func (c *completions) completeEmpty(at uint64) {
	if c.known+1 == c.issued {
		c.complete(at)
		return
	}
	c.issued-- // it completes with the one before it
}
