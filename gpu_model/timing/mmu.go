package timing

import (
	"math/bits"
	"slices"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
)

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

// arrayReply is an answer on its way to a shader array.
type arrayReply struct {
	pageReply
	array int32
}

// mmu is the L2 TLB and the page walkers behind it.
//
// The TLB is a pipeline of as many lanes as it takes requests a cycle, with a buffer of tlbBuffer requests behind it, whose head is looked
// up. A miss that finds no free MSHR holds up all that is behind it: the buffer fills, then the lanes do. Each place that is freed in the
// buffer is taken by the lowest lane that has a request for it, and the next request that arrives goes to the lowest lane with room: so
// with many pages missing, new requests overtake old ones that stand in high lanes. That is how stores pass the loads before them that
// wait for pages (source: cp4_2048KB_512wg and eltadd_*, whose L2 writes lines back that would not be old enough otherwise).
//
// A walker works walkCycles for a walk; one walk begins a cycle and one answer comes back a cycle, in order (source: wr4_512KB_128wg,
// strided_wr_s16, mlp4_64x256).
type mmu struct {
	tlb      sharedTLB
	counters TLBCounters

	arrived    []pageRequest // in order of arrival; those before first have been taken
	first      int
	ordered    int   // those before are in the order in which the connection to the L1 TLBs brings them
	connection ticks // cycles in which it works
	ports      int   // that it has for each shader array: its compute units' TLBs, then those of L1S and L1I
	portCount  int   // in all; the first is the L2 TLB's
	lanes      pipeline
	buffer     []pageRequest // waits for its look-up, at most tlbBuffer

	mshrs      []pageWalk // ring, in the order of the walks
	oldest, n  int        // its oldest one, and how many are in use
	answers    []pageRequest
	lastWalk   uint64   // cycle at which the latest walk began
	walkers    []uint64 // ring of the cycles at which the walkers are free, in order: every walk takes equally long
	nextWalker int
	walkCycles uint64
	walk       uint64 // cycles of a miss in the L2 TLB, one at a time

	replies []arrayReply // not sent yet

	now  uint64 // cycles before have been carried out
	next uint64 // cycle of its next step, never if nothing is under way
}

const tlbBuffer = 16

// pageWalk is a page on its way to the TLB.
type pageWalk struct {
	page    uint64
	fill    uint64 // cycle at which it comes
	waiters []pageRequest
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
	m.abandon()
	for i := range m.tlb.sets {
		m.tlb.sets[i] = m.tlb.sets[i][:0]
	}
	clear(m.walkers)
	m.tlb.stamp, m.counters, m.lastWalk, m.nextWalker, m.now = 0, TLBCounters{}, 0, 0, 0
	m.connection = ticks{}
}

func newMMU(spec *gpuconfig.TLB, m gpuconfig.MMU, core *gpuconfig.Core, walk uint64) mmu {
	return mmu{tlb: sharedTLB{sets: make([][]tlbEntry, spec.Sets), ways: spec.Ways}, lanes: newPipeline(spec.RequestsPerCycle, spec.Latency),
		ports: core.UnitsPerArray + 2, portCount: 1 + core.ShaderArrays*(core.UnitsPerArray+2), mshrs: make([]pageWalk, spec.MSHRs), walkers: make([]uint64, m.InFlight), walkCycles: uint64(m.WalkCycles) + 1, walk: walk, next: never}
}

// add hands over a request that has arrived, the others of its time or before being there already.
func (m *mmu) add(r pageRequest) {
	if m.first == len(m.arrived) {
		m.arrived, m.first, m.ordered = m.arrived[:0], 0, 0
	}
	m.arrived = append(m.arrived, r)
	m.next = min(m.next, max(r.at, m.now))
}

// run carries out the cycles before to.
func (m *mmu) run(to uint64) {
	for m.next < to {
		m.next = m.step(m.next)
	}
	m.now = to
}

// abandon forgets the requests that are under way.
func (m *mmu) abandon() {
	m.arrived, m.first, m.ordered, m.buffer, m.answers = m.arrived[:0], 0, 0, m.buffer[:0], m.answers[:0]
	m.replies = m.replies[:0]
	for i := range m.mshrs {
		m.mshrs[i].waiters = m.mshrs[i].waiters[:0]
	}
	m.n, m.next = 0, never
	for i := range m.lanes.stages {
		s := &m.lanes.stages[i]
		clear(s.occupied)
		s.count = 0
	}
}

// step carries out cycle t and returns the next one in which something can happen.
func (m *mmu) step(t uint64) uint64 {
	for i := range m.answers {
		m.reply(&m.answers[i], t)
	}
	moved := len(m.answers) > 0
	m.answers = m.answers[:0]
	if w := &m.mshrs[m.oldest]; m.n > 0 && w.fill <= t {
		m.tlb.install(w.page)
		m.answers, w.waiters = w.waiters, m.answers
		m.oldest = (m.oldest + 1) % len(m.mshrs)
		m.n--
		moved = true
	}
	looked := 0
	for looked < len(m.buffer) && m.lookup(t, &m.buffer[looked]) {
		looked++
	}
	m.buffer = m.buffer[:copy(m.buffer, m.buffer[looked:])]
	moved = moved || looked > 0
	for len(m.buffer) < tlbBuffer {
		r, ok := m.lanes.takeLast()
		if !ok {
			break
		}
		m.buffer = append(m.buffer, r)
		moved = true
	}
	moved = m.lanes.advance() || moved
	if m.ordered < len(m.arrived) && m.arrived[m.ordered].at <= t {
		m.connect(t)
	}
	for m.first < len(m.arrived) && m.arrived[m.first].at <= t && m.enter(m.arrived[m.first]) {
		m.first++
		moved = true
	}
	if moved {
		return t + 1
	}
	next := never
	if m.n > 0 {
		next = m.mshrs[m.oldest].fill
	}
	if m.first < len(m.arrived) && m.arrived[m.first].at > t {
		next = min(next, m.arrived[m.first].at)
	}
	return next
}

// connect puts the requests that arrive in cycle t into the order in which the connection brings them: it empties its ports in turn, beginning with
// another one in every cycle in which it works, those after a cycle in which it has moved something included (source: occ_lds65536, whose shader
// arrays get their pages in that order).
func (m *mmu) connect(t uint64) {
	m.connection.count(t - 1) // it brings them in the cycle before
	m.connection.markFrom(t-1, t-1, 2)
	first := m.ordered
	for m.ordered < len(m.arrived) && m.arrived[m.ordered].at <= t {
		m.ordered++
	}
	begin := int(m.connection.n % uint64(m.portCount))
	rank := func(r *pageRequest) int {
		port := 1 + int(r.array)*m.ports
		switch r.port {
		case portL1S:
			port += m.ports - 2
		case portL1I:
			port += m.ports - 1
		default:
			port += int(r.port)
		}
		if port -= begin; port < 0 {
			port += m.portCount
		}
		return port
	}
	slices.SortStableFunc(m.arrived[first:m.ordered], func(a, b pageRequest) int { return rank(&a) - rank(&b) })
}

// reply answers a request at cycle t.
func (m *mmu) reply(r *pageRequest, t uint64) {
	m.connection.markFrom(t, t, 2)
	at := t - 1 // what the stages before the look-up take is in the path times
	m.replies = append(m.replies, arrayReply{pageReply{at: at, port: r.port, entry: r.entry}, r.array})
}

// enter lets a request into the first stage, or into the buffer of a TLB without stages, if there is room.
func (m *mmu) enter(r pageRequest) bool {
	if m.lanes.stages == nil {
		if len(m.buffer) == tlbBuffer {
			return false
		}
		m.buffer = append(m.buffer, r)
		return true
	}
	return m.lanes.enter(r)
}

// lookup carries out the look-up of the request at the head of the buffer at cycle t, if it can.
func (m *mmu) lookup(t uint64, r *pageRequest) bool {
	last := m.oldest + m.n - 1
	for i := m.oldest; i <= last; i++ {
		k := i
		if k >= len(m.mshrs) {
			k -= len(m.mshrs)
		}
		if w := &m.mshrs[k]; w.page == r.page {
			m.counters.MSHRHit++
			m.wait(t, w, r)
			return true
		}
	}
	if m.tlb.find(r.page) {
		m.counters.Hit++
		m.counters.Completed++
		m.reply(r, t)
		return true
	}
	if m.n == len(m.mshrs) {
		return false
	}
	m.counters.Miss++
	start := max(t, m.walkers[m.nextWalker], m.lastWalk+1)
	m.lastWalk = start
	m.walkers[m.nextWalker] = start + m.walkCycles
	m.nextWalker = (m.nextWalker + 1) % len(m.walkers)
	w := &m.mshrs[(m.oldest+m.n)%len(m.mshrs)]
	m.n++
	w.page, w.fill = r.page, start+m.walk-1 // answered in the cycle after
	m.wait(t, w, r)
	return true
}

func (m *mmu) wait(t uint64, w *pageWalk, r *pageRequest) {
	w.waiters = append(w.waiters, *r)
	m.counters.Completed++
	m.counters.LatencySum += w.fill + 1 - t
}

// find reports whether a page is there, and marks it as used.
func (s *sharedTLB) find(page uint64) bool {
	set := s.sets[page%uint64(len(s.sets))]
	for i := range set {
		if set[i].page == page {
			s.stamp++
			set[i].used = s.stamp
			return true
		}
	}
	return false
}

// install puts a page into its set, in place of the least recently used one if the set is full.
func (s *sharedTLB) install(page uint64) {
	s.stamp++
	e := tlbEntry{page: page, used: s.stamp, wait: -1}
	set := &s.sets[page%uint64(len(s.sets))]
	if len(*set) < s.ways {
		s.add(set, e)
		return
	}
	victim := 0
	for i := range *set {
		if (*set)[i].used < (*set)[victim].used {
			victim = i
		}
	}
	(*set)[victim] = e
}

// pipeline is lanes side by side, each of a number of stages that hold a request each. Lanes do not interact: one that cannot hand over its
// last request fills up behind it.
type pipeline struct {
	stages []stage
	lanes  int
}

type stage struct {
	occupied []uint64 // bit i: lane i holds a request
	count    int
	requests []pageRequest // by lane
}

func newPipeline(lanes, stages int) pipeline {
	p := pipeline{lanes: lanes, stages: make([]stage, stages)}
	for i := range p.stages {
		p.stages[i] = stage{occupied: make([]uint64, (lanes+63)/64), requests: make([]pageRequest, lanes)}
	}
	if stages == 0 {
		p.stages = nil
	}
	return p
}

// takeLast takes the request of the lowest lane that holds one in its last stage.
func (p *pipeline) takeLast() (pageRequest, bool) {
	if len(p.stages) == 0 {
		return pageRequest{}, false
	}
	s := &p.stages[len(p.stages)-1]
	if s.count == 0 {
		return pageRequest{}, false
	}
	for w, word := range s.occupied {
		if word != 0 {
			s.occupied[w] = word & (word - 1)
			s.count--
			return s.requests[64*w+bits.TrailingZeros64(word)], true
		}
	}
	return pageRequest{}, false
}

// advance moves every request on whose lane has room for it, and reports whether there was one.
func (p *pipeline) advance() bool {
	moved := false
	for i := len(p.stages) - 2; i >= 0; i-- {
		from, to := &p.stages[i], &p.stages[i+1]
		if from.count == 0 {
			continue
		}
		for w := range from.occupied {
			m := from.occupied[w] &^ to.occupied[w]
			if m == 0 {
				continue
			}
			moved = true
			from.occupied[w] &^= m
			to.occupied[w] |= m
			n := bits.OnesCount64(m)
			from.count -= n
			to.count += n
			for ; m != 0; m &= m - 1 {
				lane := 64*w + bits.TrailingZeros64(m)
				to.requests[lane] = from.requests[lane]
			}
		}
	}
	return moved
}

// enter puts a request into the lowest lane whose first stage is free.
func (p *pipeline) enter(r pageRequest) bool {
	s := &p.stages[0]
	if s.count == p.lanes {
		return false
	}
	for w, word := range s.occupied {
		if free := ^word; free != 0 {
			i := bits.TrailingZeros64(free)
			s.occupied[w] |= 1 << i
			s.count++
			s.requests[64*w+i] = r
			return true
		}
	}
	return false
}
