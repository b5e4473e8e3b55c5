package timing

// Cooling puts what a launch has left into the state of a new GPU without giving its memory up: a simulation that goes on for hours does so
// often.

// cool empties the caches, TLBs and queues of a shader array and its compute units.
func (a *shaderArray) cool() {
	a.l1s.clear()
	a.l1i.clear()
	a.l1sTLB.clear()
	a.l1iTLB.clear()
	a.l1sOrder.clear()
	a.l1iOrder.clear()
	clear(a.fetchSlots)
	clear(a.scalarSlots[:])
	a.l1sHeld, a.loads, a.loadAt, a.scalarConnection = a.l1sHeld[:0], a.loads[:0], never, ticks{}
	a.connection, a.sending, a.crowded, a.inPorts = ticks{}, false, false, 0
	a.moveAt = never
	a.path.cool()
	a.l1sTaken, a.l1iTaken, a.l1iCount, a.l1iSent = 0, 0, 0, 0
	a.l1iLeft, a.l1iAnswers, a.l1iLatest = [reorderPort]uint64{}, 0, 0
	a.transactions.all, a.transactions.free = a.transactions.all[:0], a.transactions.free[:0]
	a.misses, a.freeMisses = a.misses[:0], a.freeMisses[:0]
	a.mailbox.clear()
	a.marks = workMarks{}
	a.pages, a.deferred, a.finished = a.pages[:0], a.deferred[:0], a.finished[:0]
	a.pageReplies, a.arrivals = a.pageReplies[:0], a.arrivals[:0]
	a.fault, a.profile, a.has = nil, nil, 0
	a.inNext, a.next, a.firstInstruction, a.clock = never, never, never, 0
	for i := range a.units {
		a.units[i].cool()
	}
	for i := range a.toL2 {
		s := &a.spec.Link
		a.toL2[i], a.fromL2[i] = newLink(s.BytesPerCycleUnit, s.Cycles), newLink(s.BytesPerCycleUnit, s.Cycles)
	}
}

func (u *computeUnit) cool() {
	tlb, l1v, order, lines, joins, held := u.tlb, u.l1v, u.order, u.coalescer.lines, u.stack.joins, u.held[:0]
	heldTLB := u.heldTLB[:0]
	tlb.clear()
	l1v.clear()
	order.clear()
	*u = computeUnit{array: u.array, lat: u.lat, index: u.index, next: never, tlb: tlb, l1v: l1v, order: order, held: held, heldTLB: heldTLB, linesRoom: u.linesRoom, linesDone: u.linesDone}
	clear(u.linesDone)
	u.coalescer.lines, u.stack.joins = lines, joins
	u.start()
}

func (r *reorderBuffer) clear() { r.head, r.tail, r.admitted, r.last = 0, 0, 0, 0 }
