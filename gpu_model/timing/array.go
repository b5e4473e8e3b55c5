package timing

import (
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
)

// Ports of a shader array: its compute units' L1V come first, by number.
const (
	portL1S    = 62
	portL1I    = 63
	portEngine = 64 // the units beside the L2
)

// miss is a line on its way from L2 to an L1 cache.
type miss struct {
	entry   *tagLine // nil: every way was waiting, nothing is kept
	line    uint64
	waiters int32 // first transaction that waits, -1 none
	last    int32 // latest one
	port    uint8
}

// arrayHead is what the GPU looks at in every window, in one cache line of the host's: another thread may have simulated the array.
type arrayHead struct {
	next   uint64 // earliest event of a compute unit
	inNext uint64 // earliest translation or arrival in the in-boxes
	steps  int32  // steps of compute units in the latest window
	has    outbox
	_      [43]byte
	marks  workMarks // cycles in which it sends something to the L2
}

// outbox tells which of a shader array's out-boxes have something in them, between windows.
type outbox uint8

const (
	hasDeferred outbox = 1 << iota
	hasFinished
	hasPages
	hasFault
)

// note sets what an array has at the end of its window.
func (a *shaderArray) note() {
	if len(a.deferred) != 0 {
		a.has |= hasDeferred
	}
	if len(a.finished) != 0 {
		a.has |= hasFinished
	}
	if len(a.pages) != 0 {
		a.has |= hasPages
	}
	if a.fault != nil {
		a.has |= hasFault
	}
}

// shaderArray is four compute units with the scalar and instruction caches that they share. During a window it touches
// nothing outside itself; everything it has to say to the rest of the GPU lies in its out-boxes.
type shaderArray struct {
	arrayHead
	gpu   *GPU
	spec  *gpuconfig.Spec
	lat   *latencies
	index int
	units []computeUnit

	workspace emu.Workspace // of the instruction that issues

	l1s, l1i         tags
	scalarSlots      [scalarRoom]uint64 // scalar cache: when each of the requests it can hold is answered
	l1sHeld          []int32            // requests that wait for room there, oldest first
	l1sTaken         uint64             // cycle in which it took the latest one in
	scalarConnection ticks              // cycles in which the connection between the compute units and the scalar path works
	loads            []scalarRequest    // not sent yet
	loadAt           uint64             // next cycle in which one is, never if none
	l1sTLB, l1iTLB   tlb
	l1sOrder         reorderBuffer
	l1iOrder         reorderBuffer
	fetchSlots       []uint64 // instruction cache: when each of the fetches it can hold is answered
	inPorts          uint64   // compute units with fetches in their ports
	connection       ticks    // cycles in which the connection between the compute units and the instruction path works
	sending          bool     // a compute unit has put a fetch into its port in this cycle
	moveAt           uint64   // next cycle in which fetches that found no room may find some, never if not known
	path             fetchPath
	crowded          bool // fetches in the compute units' ports have found none
	admitting        bool
	l1iTaken         uint64              // cycle in which it took the latest fetch in
	l1iCount         int                 // fetches taken in then
	l1iSent          int                 // answers that left the reorder buffer in the cycle of the latest one
	l1iLeft          [reorderPort]uint64 // cycles from which the places in its port are free
	l1iAnswers       uint64              // answers that went through it
	l1iLatest        uint64              // cycle at which the latest one left it
	transactions     transactions
	misses           []miss
	freeMisses       []int32
	countL1S         CacheCounters
	countL1I         CacheCounters
	fetches          uint64
	profile          *Profile // nil unless the launch asks for it
	firstInstruction uint64
	lastInstruction  uint64

	// Links of finite width to and from the L2, by port: the compute units', then the L1S's and the L1I's; nil without any.
	toL2, fromL2 []link

	// Out-boxes, emptied between windows.
	mailbox
	pages    []pageRequest
	deferred []deferredAccess
	finished []finishedGroup
	fault    error
	faultAt  uint64

	// In-boxes, read at the start of a window.
	pageReplies []pageReply
	arrivals    []*residentGroup

	window       uint64 // number of the window, for stores not carried out yet
	freeDeferred []*emu.MemoryAccess
	clock        uint64 // cycle being simulated
}

// deferredAccess is a store, an atomic or a load through a view, to be carried out between windows.
type deferredAccess struct {
	at     uint64
	wave   *emu.Wavefront
	op     *emu.Op
	access *emu.MemoryAccess
	unit   uint8
	slot   uint8
}

// finishedGroup is a work-group whose wavefronts have all ended.
type finishedGroup struct {
	at    uint64
	unit  int
	group *residentGroup
}

func newShaderArray(g *GPU, index int) *shaderArray {
	s := &g.spec
	a := &shaderArray{gpu: g, spec: s, lat: &g.lat, index: index,
		l1s: newTags(s.L1S.Bytes, s.L1S.Ways, 0), l1i: newTags(s.L1I.Bytes, s.L1I.Ways, 0),
		l1sTLB: newTLB(s.L1STLB), l1iTLB: newTLB(s.L1ITLB),
		arrayHead: arrayHead{next: never, inNext: never}, mailbox: newMailbox(s.L2.Banks), firstInstruction: never, loadAt: never, path: newFetchPath(s.L1I.ReorderEntries),
		fetchSlots: make([]uint64, s.L1I.MSHRs), units: make([]computeUnit, s.Core.UnitsPerArray)}
	for i := range a.units {
		a.units[i].init(a, i)
	}
	if finite(&s.Link) {
		for range len(a.units) + 2 {
			a.toL2 = append(a.toL2, newLink(s.Link.BytesPerCycleUnit, s.Link.Cycles))
			a.fromL2 = append(a.fromL2, newLink(s.Link.BytesPerCycleUnit, s.Link.Cycles))
		}
	}
	return a
}

// run simulates the window [from, to).
func (a *shaderArray) run(from, to uint64) {
	a.clock = from
	a.window = a.gpu.run.window
	a.steps = 0
	a.receive(to)
	units := a.units
	for {
		t := min(a.moveAt, a.loadAt)
		for i := range units {
			if n := units[i].next; n < t {
				t = n
			}
		}
		a.next = t
		if t >= to {
			a.note()
			return
		}
		a.clock = t
		for i := range units {
			if u := &units[i]; u.next == t {
				u.step(t)
				a.steps++
			}
		}
		if a.sending || a.moveAt <= t {
			a.moveFetches(t)
		}
		if a.loadAt <= t {
			a.moveLoads(t)
		}
	}
}

// receive takes the answers and work-groups that have come for this window.
func (a *shaderArray) receive(to uint64) {
	answered := false
	for w, word := range a.answered {
		if word == 0 {
			continue
		}
		answered = true
		a.answered[w] = 0
		for ; word != 0; word &= word - 1 {
			b := &a.banks[64*w+bits.TrailingZeros64(word)]
			for i := range b.replies {
				a.takeReply(&b.replies[i])
			}
			b.replies = b.replies[:0]
		}
	}
	if a.inNext < to {
		a.inNext = never
		a.receivePages(to)
		a.receiveGroups(to)
		answered = true
	}
	if answered {
		a.admitScalar()
		a.drainScalar()
		a.admitFetches()
		a.drainFetch()
		for i := range a.units {
			if u := &a.units[i]; len(u.held) != 0 {
				u.releaseL1V()
			}
			a.units[i].drainVector()
		}
	}
}

func (a *shaderArray) receivePages(to uint64) {
	keep := a.pageReplies[:0]
	for _, r := range a.pageReplies {
		if r.at >= to {
			keep = append(keep, r)
			a.inNext = min(a.inNext, r.at)
			continue
		}
		a.takePage(r)
	}
	a.pageReplies = keep
}

func (a *shaderArray) receiveGroups(to uint64) {
	keep := a.arrivals[:0]
	for _, g := range a.arrivals {
		if g.at >= to {
			keep = append(keep, g)
			a.inNext = min(a.inNext, g.at)
			continue
		}
		a.units[g.unit%len(a.units)].receive(g)
	}
	a.arrivals = keep
}

// send puts a request for the L2 into its out-box.
func (a *shaderArray) send(at uint64, line, mask uint64, id int32, kind accessKind, port uint8) {
	if a.toL2 != nil {
		at = a.toL2[a.linkOf(port)].pass(at, requestBytes(&a.spec.Link, kind, mask))
	}
	a.marks.note(a.clock, at-1)
	a.post(a.gpu.bankOf(line), request{at: at, line: line, mask: mask, id: id, kind: kind, from: port})
}

// linkOf returns the index of a port's link.
func (a *shaderArray) linkOf(port uint8) int {
	switch port {
	case portL1S:
		return len(a.units)
	case portL1I:
		return len(a.units) + 1
	}
	return int(port)
}

// allocateMiss makes room for a line that is not in the cache; the caller sends the request.
func (a *shaderArray) allocateMiss(t *tags, line, now uint64, port uint8) int32 {
	var e *tagLine
	way := t.victim(line, now)
	var id int32
	if n := len(a.freeMisses); n > 0 {
		id = a.freeMisses[n-1]
		a.freeMisses = a.freeMisses[:n-1]
	} else {
		a.misses = append(a.misses, miss{})
		id = int32(len(a.misses) - 1)
	}
	if way >= 0 {
		e = t.place(way, tagLine{line: line, ready: never, miss: id})
	}
	a.misses[id] = miss{entry: e, line: line, waiters: -1, last: -1, port: port}
	return id
}

// await makes a transaction wait for a miss.
func (a *shaderArray) await(id, tx int32) {
	m := &a.misses[id]
	a.transactions.all[tx].next = -1
	if m.last < 0 {
		m.waiters = tx
	} else {
		a.transactions.all[m.last].next = tx
	}
	m.last = tx
}

// takeReply hands an answer of the L2 to whoever waits for it.
func (a *shaderArray) takeReply(r *reply) {
	if r.kind != readLine {
		tx := &a.transactions.all[r.id]
		at := r.at
		if a.fromL2 != nil {
			at = a.fromL2[tx.unit].pass(at, replyBytes(&a.spec.Link, r.kind))
		}
		tx.ready = at + a.lat.l2ToL1V
		if int(tx.unit) < len(a.units) && tx.kind != readLine {
			c := &a.units[tx.unit].countL1V
			c.LatencySum += tx.ready - tx.enter
			c.Completed++
		}
		return
	}
	m := &a.misses[r.id]
	at := r.at
	if a.fromL2 != nil {
		at = a.fromL2[a.linkOf(m.port)].pass(at, replyBytes(&a.spec.Link, r.kind))
	}
	var ready uint64
	var c *CacheCounters
	switch m.port {
	case portL1S:
		ready = at + a.lat.l2ToL1S
	case portL1I:
		ready = at + a.lat.l2ToL1I
	default:
		ready, c = at+a.lat.l2ToL1V, &a.units[m.port].countL1V
	}
	if m.entry != nil {
		m.entry.ready = ready
	}
	n := 0
	for i := m.waiters; i >= 0; {
		tx := &a.transactions.all[i]
		switch m.port {
		case portL1I:
			a.answeredL1I(tx, ready+uint64(n/a.spec.L1I.RequestsPerCycle))
			n++
		case portL1S:
			a.answeredL1S(tx, ready)
		default:
			tx.ready = ready
			c.LatencySum += ready - tx.enter
			c.Completed++
		}
		i, tx.next = tx.next, -1
	}
	a.freeMisses = append(a.freeMisses, r.id)
}

// translate looks a page up for a transaction that reaches the TLB at cycle at. It returns the cycle at which the translation
// is there, never after having queued the transaction behind it, or blocked, with nothing done, while the TLB can't take another miss.
func (a *shaderArray) translate(t *tlb, port int32, at, page uint64, tx int32) uint64 {
	i := t.find(page)
	if i >= 0 {
		e := &t.entries[i]
		t.touch(i)
		if e.ready <= at {
			t.counters.Hit++
			t.counters.Completed++
			return at
		}
		t.counters.MSHRHit++
		if e.ready != never {
			t.counters.Completed++
			t.counters.LatencySum += e.ready - at
			return e.ready
		}
	} else {
		if t.mshrs != 0 && t.missing == t.mshrs {
			return blocked
		}
		if i = t.replace(page, at); i < 0 {
			if free := t.nextFree(page); free != never {
				at = free
				i = t.replace(page, at)
			} else if t.mshrs != 0 {
				return blocked
			} else {
				i = int32(page%t.sets) * int32(t.ways) // it is missing as well
			}
		}
		t.counters.Miss++
		t.missing++
		a.pages = append(a.pages, pageRequest{at: at + a.lat.tlbToShared + lag(port), page: page, array: int32(a.index), port: port, entry: i})
	}
	x := &a.transactions.all[tx]
	x.enter = at
	x.next = -1
	if e := &t.entries[i]; e.wait < 0 {
		e.wait, e.last = tx, tx
	} else {
		a.transactions.all[e.last].next = tx
		e.last = tx
	}
	return never
}

// takePage hands a translation to the transactions that wait for it, in their order.
func (a *shaderArray) takePage(r pageReply) {
	t := a.tlbOf(r.port)
	e := &t.entries[r.entry]
	r.at -= lag(r.port)
	e.ready = r.at
	t.missing--
	// Those that are looked up in the cycle in which the page comes find it, and pass those that wait for it, which are answered from the next
	// cycle on. Those that are looked up later find it too.
	early, earlyEnd, first, last := int32(-1), int32(-1), int32(-1), int32(-1)
	for i := e.wait; i >= 0; {
		tx := &a.transactions.all[i]
		next := tx.next
		tx.next = -1
		head, end := &first, &last
		if tx.enter+1 == r.at {
			head, end = &early, &earlyEnd
		}
		if *end < 0 {
			*head = i
		} else {
			a.transactions.all[*end].next = i
		}
		*end = i
		i = next
	}
	e.wait = -1
	for i := early; i >= 0; {
		tx := &a.transactions.all[i]
		next := tx.next
		tx.next = -1
		t.counters.MSHRHit--
		t.counters.Hit++
		t.counters.Completed++
		a.translated(r.port, i, tx.enter)
		i = next
	}
	at, n := r.at, 0
	for i := first; i >= 0; {
		tx := &a.transactions.all[i]
		next := tx.next
		tx.next = -1
		t.counters.Completed++
		if tx.enter >= r.at {
			t.counters.MSHRHit--
			t.counters.Hit++
		} else {
			t.counters.LatencySum += r.at - tx.enter
		}
		if tx.enter > at {
			at, n = tx.enter, 0
		}
		if n++; n > a.perCycle(r.port) {
			at, n = at+1, 1
		}
		a.translated(r.port, i, at)
		i = next
	}
	if r.port < portL1S {
		a.units[r.port].releaseTLB(r.at + 1)
	}
}

// lag is how many cycles later than the path times of its port tell a translation is asked for and comes back.
func lag(port int32) uint64 {
	switch port {
	case portL1S:
		return 1
	case portL1I:
		return 3
	}
	return 0
}

// translated lets a transaction go on whose translation is there at cycle at.
func (a *shaderArray) translated(port, tx int32, at uint64) {
	switch port {
	case portL1S:
		a.arriveL1S(tx, at+a.lat.tlbToL1S)
	case portL1I:
		a.missL1I(tx, at)
	default:
		a.units[port].enterL1V(tx, at+a.lat.tlbToL1V)
	}
}

// blocked is the time of a translation that can't be asked for yet.
const blocked = never + 2

func (a *shaderArray) tlbOf(port int32) *tlb {
	switch port {
	case portL1S:
		return &a.l1sTLB
	case portL1I:
		return &a.l1iTLB
	}
	return &a.units[port].tlb
}

// perCycle is how many translated requests a cache accepts a cycle.
func (a *shaderArray) perCycle(port int32) int {
	switch port {
	case portL1S:
		return a.spec.L1S.RequestsPerCycle
	case portL1I:
		return a.spec.L1I.RequestsPerCycle
	}
	return a.spec.L1V.RequestsPerCycle
}
