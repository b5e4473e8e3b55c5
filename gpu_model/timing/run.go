package timing

import (
	"context"
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
)

// run is the state of one launch.
type run struct {
	launch  *emu.Launch
	program *emu.Program
	options *Options
	begin   uint64
	views   bool
	window  uint64 // number of the current window
	d       dispatcher

	pages    []pageRequest // not carried out yet
	later    []pageRequest // place for those that stay so
	deferred []*deferredAccess
	order    timeOrder
	unit     unitState
}

// Launch runs one kernel to its end and advances the clock. A fault of the kernel, a deadlock, a cancelled context and a failed
// unit are errors; the Result then holds what was counted until there.
func (g *GPU) Launch(ctx context.Context, l *emu.Launch, o Options) (Result, error) {
	if o.Cold {
		g.Cool()
	}
	r := &g.kept
	r.launch, r.program, r.options, r.begin, r.views = l, l.Program, &o, g.now, g.mem.HasObservers()
	r.pages, r.later, r.deferred = r.pages[:0], r.later[:0], r.deferred[:0]
	defer func() {
		*r = run{d: dispatcher{rooms: r.d.rooms, completions: r.d.completions[:0], free: r.d.free, fresh: r.d.fresh},
			pages: r.pages, later: r.later, deferred: r.deferred, order: r.order}
	}()
	g.run = r
	total := int(l.Groups())
	if o.Order != nil {
		total = len(o.Order)
	}
	d := &r.d
	*d = dispatcher{gpu: g, launch: l, need: newNeed(l, &g.spec), order: o.Order, place: o.Placement, total: total,
		cycle: g.now, ahead: g.now, turn: g.turn, rooms: d.rooms, lastDone: g.now, completions: d.completions[:0], free: d.free, fresh: d.fresh}
	if d.rooms == nil {
		d.rooms = make([]room, g.unitCount())
	}
	for i := range d.rooms {
		d.rooms[i].init(&g.spec)
	}
	l.Now = g.now * g.picoseconds
	g.resetCounters()
	if o.Profile {
		g.beginProfile(len(r.program.Ops))
	}
	cold := g.launches == 0
	g.launches++
	if err := g.beginUnits(r); err != nil {
		return Result{}, err
	}
	workers := newWorkers(g, o.Threads)
	defer workers.stop()
	for _, m := range g.mail {
		g.takePosts(m)
	}
	err := g.simulate(ctx, r, workers)
	g.turn = r.d.turn
	err = g.endUnits(r, err)
	res := g.finish(r, err)
	res.Cold = cold
	return res, err
}

// simulate runs windows until the launch is over, then what is still under way (fetches, write-backs) until its tail has passed.
func (g *GPU) simulate(ctx context.Context, r *run, w *workers) error {
	for round := 0; ; round++ {
		if round&255 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			g.reportProgress(r)
		}
		from := min(g.nextEvent(r), g.nextUnitEvent(r))
		if r.d.done == r.d.total {
			if from >= r.end() {
				return nil
			}
		} else if from == never {
			return g.deadlock(r)
		}
		to := from + g.window
		r.window++
		if err := g.waitForUnits(r, to); err != nil {
			return err
		}
		if err := r.d.run(from); err != nil {
			return err
		}
		if err := r.d.runAhead(to); err != nil {
			return err
		}
		// What a compute unit does in the window reaches the L2 TLB no sooner. So what that answers reaches the L2 in its own window.
		g.translate(r, min(to, from+g.lat.pageLead()))
		w.arrays(from, to)
		told := g.told
		if told&hasFault != 0 {
			return g.firstFault()
		}
		if told&hasDeferred != 0 {
			g.performDeferred(r)
		}
		if told&hasFinished != 0 {
			g.collectFinished(r)
		}
		if err := r.d.run(to); err != nil {
			return err
		}
		g.collectPages(r)
		w.banks(to)
		if err := g.runUnits(r, to); err != nil {
			return err
		}
		g.now = to
		if limit := r.launch.MaxInstructions; limit != 0 && round&63 == 0 && g.instructions() > limit {
			return g.overBudget(r)
		}
	}
}

// end returns the cycle at which a launch is over whose work-groups are all done.
func (r *run) end() uint64 {
	g := r.d.gpu
	return r.d.lastDone + g.lat.completion + uint64(g.spec.Dispatcher.TailCycles)
}

// nextEvent returns the earliest cycle at which something happens.
func (g *GPU) nextEvent(r *run) uint64 {
	at := r.d.nextEvent()
	for _, a := range g.arrays {
		at = min(at, a.next, a.inNext)
	}
	for i := range r.pages {
		at = min(at, r.pages[i].at)
	}
	at = min(at, g.mmu.next)
	if r.options.Units != nil {
		g.takePosts(&g.engine)
	}
	at = min(at, g.reply)
	for w, word := range g.due {
		for ; word != 0; word &= word - 1 {
			at = min(at, g.banks[64*w+bits.TrailingZeros64(word)].due)
		}
	}
	if at == never {
		return never
	}
	return max(at, g.now)
}

// performDeferred carries out the window's stores and atomics in the order of time, shader array, compute unit and sequence.
func (g *GPU) performDeferred(r *run) {
	list := r.deferred[:0]
	for _, a := range g.arrays {
		if a.has&hasDeferred == 0 {
			continue
		}
		for i := range a.deferred {
			list = append(list, &a.deferred[i])
		}
	}
	r.deferred = list
	if len(list) == 0 {
		return
	}
	// What comes from one shader array is in order already, and arrays come in theirs.
	r.order.reset()
	for _, x := range list {
		r.order.add(x.at)
	}
	for _, i := range r.order.sorted() {
		x := list[i]
		x.wave.Now = x.at * g.picoseconds
		x.op.Perform(x.wave, x.op, x.access)
		if a := g.arrays[x.wave.Slot.ShaderArray]; x.wave.Fault != nil && a.fault == nil {
			a.fault, a.faultAt = x.wave.Fault, x.at
			a.has |= hasFault
			g.told |= hasFault
		}
	}
	for _, a := range g.arrays {
		if a.has&hasDeferred == 0 {
			continue
		}
		for i := range a.deferred {
			a.freeDeferred = append(a.freeDeferred, a.deferred[i].access)
		}
		a.deferred = a.deferred[:0]
		a.has &^= hasDeferred
	}
}

// collectFinished hands the work-groups that ended in the window to the dispatcher, in order.
func (g *GPU) collectFinished(r *run) {
	d := &r.d
	first := len(d.completions)
	for _, a := range g.arrays {
		if a.has&hasFinished != 0 {
			d.completions = append(d.completions, a.finished...)
			a.finished = a.finished[:0]
			a.has &^= hasFinished
		}
	}
	for list, i := d.completions, first+1; i < len(list); i++ {
		for j := i; j > first && list[j].at < list[j-1].at; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

// collectPages takes the page requests of the window.
func (g *GPU) collectPages(r *run) {
	for _, a := range g.arrays {
		if g.told&hasPages == 0 {
			break
		}
		if a.has&hasPages != 0 {
			r.pages = append(r.pages, a.pages...)
			a.pages = a.pages[:0]
			a.has &^= hasPages
		}
	}
}

// translate carries out the page requests that reach the L2 TLB before to.
func (g *GPU) translate(r *run, to uint64) {
	if len(r.pages) != 0 {
		r.order.reset()
		for i := range r.pages {
			r.order.add(r.pages[i].at)
		}
		r.later = r.later[:0]
		for _, i := range r.order.sorted() {
			if p := &r.pages[i]; p.at >= to {
				r.later = append(r.later, *p)
			} else {
				g.mmu.add(*p)
			}
		}
		r.pages, r.later = r.later, r.pages
	}
	g.mmu.run(to)
	for i := range g.mmu.replies {
		p := &g.mmu.replies[i]
		a := g.arrays[p.array]
		a.pageReplies = append(a.pageReplies, p.pageReply)
		a.inNext = min(a.inNext, p.at)
	}
	g.mmu.replies = g.mmu.replies[:0]
}

// crowdedBacklog is how far a bank's directory is behind when its queues are full: they hold 64 requests. The four cycles for each are fitted to
// transpose_naive_256x256 (of 4, 8, 16 and 64 they come nearest), the one case that reports a figure and depends on them.
const crowdedBacklog = 64 * 4

// runBank carries out the requests that reach a bank before to.
func (g *GPU) runBank(index int, to uint64) {
	b := &g.banks[index]
	list := b.arrived[:0]
	b.due = never
	for w, word := range b.senders {
		for ; word != 0; word &= word - 1 {
			i := 64*w + bits.TrailingZeros64(word)
			next := never
			if list, next = g.mail[i].collect(index, to, list); next == never {
				b.senders.remove(i)
			}
			b.due = min(b.due, next)
		}
	}
	b.arrived, b.served = list, len(list)
	b.order.reset()
	// While the bank has no room for them, requests wait in their senders' ports, which are emptied in turn.
	crowded := b.next >= to+crowdedBacklog
	for i := range list {
		if x := &list[i]; crowded {
			b.order.add(uint64(x.from.index)<<3 | uint64(x.request.from&7))
		} else {
			b.order.add(x.at)
		}
	}
	b.replied = never
	units := g.run.options.Units
	order := b.order.sorted()
	if !crowded {
		b.keys = g.inTurn(order, list, b.keys)
	}
	for _, i := range order {
		x := &list[i]
		if g.narrow && x.from != &g.engine {
			x.at = b.inLink.pass(x.at, requestBytes(&g.spec.Link, x.kind, x.mask))
		}
		at, extra := never, uint64(0)
		if units != nil {
			at, extra = g.askUnits(index, x)
			if at == pending {
				continue
			}
		}
		if at == never {
			at = b.perform(&x.request, extra)
		}
		if g.narrow && x.from != &g.engine {
			at = b.outLink.pass(at, replyBytes(&g.spec.Link, x.kind))
		}
		b.bytes += lineBytes
		b.replied = min(b.replied, at)
		b.marks.note(to, at)
		x.from.answer(index, reply{at: at, id: x.id, kind: x.kind})
		b.answered.add(x.from.index)
	}
}
