package timing

import "github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"

// pageRequest asks the L2 TLB for a translation.
type pageRequest struct {
	at    uint64 // cycle at which it reaches the L2 TLB
	page  uint64
	array int32 // sender
	port  int32 // which TLB of the sender
	entry int32 // entry of that TLB
}

// pageReply is the answer.
type pageReply struct {
	at    uint64 // cycle at which it reaches the sender's TLB
	port  int32
	entry int32
}

// mmu is the L2 TLB and the page walkers behind it. Requests are carried out in order of arrival; one that finds no free MSHR holds
// up those behind it. Of the time that a miss takes (one at a time: 690 cycles) a walker works for WalkCycles, and one walk begins a
// cycle: 64 misses at once take up to 300 cycles more (source: wr4_512KB_128wg, strided_wr_s16, mlp4_64x256).
type mmu struct {
	spec       *gpuconfig.TLB
	walk       uint64 // cycles of a miss in the L2 TLB
	tlb        sharedTLB
	counters   TLBCounters
	next       uint64
	mshrs      []uint64 // ring of release times in order: every miss takes equally long
	oldest     int
	lastWalk   uint64   // cycle at which the latest walk began
	walkers    []uint64 // ring of the cycles at which the walkers are free, in order: every walk takes equally long
	nextWalker int
	walkCycles int
}

// sharedTLB is the L2 TLB's contents. Its sets are made when they are first used, since most never are.
type sharedTLB struct {
	sets  [][]tlbEntry
	ways  int
	stamp uint64
	fresh []tlbEntry // rest of the latest block of entries, for sets of one page
}

// add puts an entry into a set that has room.
func (t *sharedTLB) add(s *[]tlbEntry, e tlbEntry) {
	if cap(*s) == 0 {
		if len(t.fresh) == 0 {
			t.fresh = make([]tlbEntry, 256)
		}
		*s, t.fresh = t.fresh[:0:1], t.fresh[1:]
	}
	*s = append(*s, e)
}

// cool makes the MMU as it was when new.
func (m *mmu) cool() {
	t := &m.tlb
	for i := range t.sets {
		t.sets[i] = t.sets[i][:0]
	}
	t.stamp = 0
	clear(m.mshrs)
	clear(m.walkers)
	*m = mmu{spec: m.spec, walk: m.walk, tlb: *t, mshrs: m.mshrs, walkers: m.walkers, walkCycles: m.walkCycles}
}

func newMMU(spec *gpuconfig.TLB, m gpuconfig.MMU, walk uint64) mmu {
	return mmu{spec: spec, walk: walk, tlb: sharedTLB{sets: make([][]tlbEntry, spec.Sets), ways: spec.Ways},
		mshrs: make([]uint64, spec.MSHRs), walkers: make([]uint64, m.InFlight), walkCycles: m.WalkCycles}
}

// perform carries out one request and returns the cycle at which the L2 TLB answers.
func (m *mmu) perform(at, page uint64) uint64 {
	t := max(at, m.next)
	m.next = t
	s := &m.tlb.sets[page%uint64(len(m.tlb.sets))]
	var victim *tlbEntry
	for i := range *s {
		e := &(*s)[i]
		if e.page == page {
			m.tlb.stamp++
			e.used = m.tlb.stamp
			done := t
			if e.ready <= t {
				m.counters.Hit++
			} else {
				m.counters.MSHRHit++
				done = e.ready
			}
			m.finish(t, done)
			return done
		}
		if e.ready <= t && (victim == nil || e.used < victim.used) {
			victim = e
		}
	}
	m.counters.Miss++
	if free := m.mshrs[m.oldest]; free > t {
		t = free
		m.next = t
	}
	start := max(t, m.walkers[m.nextWalker], m.lastWalk+1)
	m.lastWalk = start
	m.walkers[m.nextWalker] = start + uint64(m.walkCycles)
	m.nextWalker = (m.nextWalker + 1) % len(m.walkers)
	done := start + m.walk
	m.mshrs[m.oldest] = done
	m.oldest = (m.oldest + 1) % len(m.mshrs)
	m.tlb.stamp++
	entry := tlbEntry{page: page, ready: done, used: m.tlb.stamp, wait: -1}
	if len(*s) < m.tlb.ways || victim == nil {
		m.tlb.add(s, entry)
	} else {
		*victim = entry
	}
	m.finish(t, done)
	return done
}

func (m *mmu) finish(at, done uint64) {
	m.counters.Completed++
	m.counters.LatencySum += done - at
}
