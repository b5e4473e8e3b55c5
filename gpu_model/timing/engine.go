package timing

import (
	"fmt"
	"sort"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// pending is the reply time of a line that waits for a unit's answer.
const pending = never + 1

// unitState is what a launch knows of its units' doings.
type unitState struct {
	waiting map[uint64][]waitingLine // by token: loads through views that wait for an answer
	reads   []engineRead             // entries are reused
	free    []int                    // entries of reads that are over
	readers []reader                 // by instance
	done    []engineDone             // reads that are complete and not reported yet
	err     error
}

// waitingLine is a request of an L1 cache for a line of a view.
type waitingLine struct {
	arrival
	bank int
}

// engineRead is a list of lines that an instance of a unit reads.
type engineRead struct {
	token    uint64
	instance int
	start    uint64   // cycle of the first request at the earliest
	lines    []uint64 // byte addresses
	next     int      // next line to ask for
	answered int
	latest   uint64 // latest answer so far
}

// reader issues the reads of one instance.
type reader struct {
	queue       []int  // reads with lines to ask for, in order
	outstanding int    // lines asked for and not answered
	inFlight    int    // bound of outstanding
	slot        uint64 // cycle of the next request at the earliest
}

type engineDone struct{ token, at uint64 }

func (g *GPU) beginUnits(r *run) error {
	r.unit = unitState{waiting: map[uint64][]waitingLine{}}
	if u := r.options.Units; u != nil {
		return u.Begin((*engine)(g))
	}
	return nil
}

func (g *GPU) endUnits(r *run, err error) error {
	if u := r.options.Units; u != nil {
		if e := u.End(g.now); err == nil {
			err = e
		}
	}
	return err
}

// engine is the GPU as its units see it.
type engine GPU

// Now implements Engine.
func (e *engine) Now() uint64 { return e.now }

// Picoseconds implements Engine.
func (e *engine) Picoseconds(cycle uint64) uint64 { return cycle * e.picoseconds }

// Cycle implements Engine.
func (e *engine) Cycle(picoseconds uint64) uint64 {
	return (picoseconds + e.picoseconds - 1) / e.picoseconds
}

// Read implements Engine.
func (e *engine) Read(token uint64, instance int, start uint64, lines []uint64, inFlight int) {
	g := (*GPU)(e)
	s := &g.run.unit
	if len(lines) == 0 {
		s.done = append(s.done, engineDone{token, start})
		return
	}
	index := len(s.reads)
	if n := len(s.free); n > 0 {
		index = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		s.reads = append(s.reads, engineRead{})
	}
	s.reads[index] = engineRead{token: token, instance: instance, start: max(start, g.now), lines: lines}
	for len(s.readers) <= instance {
		s.readers = append(s.readers, reader{})
	}
	x := &s.readers[instance]
	x.inFlight = max(inFlight, 1)
	x.queue = append(x.queue, index)
	g.issueReads(x, g.now)
}

// issueReads asks for the lines that an instance may have outstanding, not before cycle at.
func (g *GPU) issueReads(x *reader, at uint64) {
	for x.outstanding < x.inFlight && len(x.queue) > 0 {
		index := x.queue[0]
		r := &g.run.unit.reads[index]
		when := max(at, x.slot, r.start)
		x.slot = when + 1
		x.outstanding++
		line := r.lines[r.next] >> lineShift
		if r.next++; r.next == len(r.lines) {
			x.queue = x.queue[:copy(x.queue, x.queue[1:])]
		}
		g.engine.post(g.bankOf(line), request{at: when, line: line, id: int32(index), kind: readLine, from: portEngine})
	}
}

// runUnits takes the L2's answers to the units' reads and reports the reads that are complete before cycle to.
func (g *GPU) runUnits(r *run, to uint64) error {
	u, s := r.options.Units, &r.unit
	if u == nil {
		return nil
	}
	if s.err != nil {
		return s.err
	}
	for b := range g.engine.banks {
		box := g.engine.banks[b].replies
		for i := range box {
			x := &s.reads[box[i].id]
			x.answered++
			x.latest = max(x.latest, box[i].at)
			reader := &s.readers[x.instance]
			reader.outstanding--
			if x.answered == len(x.lines) {
				s.done = append(s.done, engineDone{x.token, x.latest})
				x.lines = nil
				s.free = append(s.free, int(box[i].id))
			}
			g.issueReads(reader, max(box[i].at, to))
		}
		g.engine.banks[b].replies = box[:0]
	}
	clear(g.engine.answered)
	if len(s.done) == 0 {
		return nil
	}
	sort.SliceStable(s.done, func(i, j int) bool { return s.done[i].at < s.done[j].at })
	n := 0
	for ; n < len(s.done) && s.done[n].at < to; n++ {
		if err := u.LinesRead(s.done[n].token, s.done[n].at); err != nil {
			return err
		}
	}
	s.done = append(s.done[:0], s.done[n:]...)
	return nil
}

// nextUnitEvent returns the earliest cycle at which a unit has something to do or to say.
func (g *GPU) nextUnitEvent(r *run) uint64 {
	u := r.options.Units
	if u == nil {
		return never
	}
	at := never
	for i := range r.unit.done {
		at = min(at, r.unit.done[i].at)
	}
	if cycle, outstanding := u.Influence(); outstanding {
		at = min(at, cycle)
	}
	if at == never {
		return never
	}
	return max(at, g.now)
}

// waitForUnits hands over the answers that can have an influence before cycle to.
func (g *GPU) waitForUnits(r *run, to uint64) error {
	u := r.options.Units
	if u == nil {
		return nil
	}
	cycle, outstanding := u.Influence()
	if !outstanding || cycle >= to {
		return nil
	}
	answers, err := u.Wait(to)
	if err != nil {
		return err
	}
	for _, x := range answers {
		for _, w := range r.unit.waiting[x.Token] {
			b := &g.banks[w.bank]
			at := max(x.Ready, w.at) + b.timing.hit
			if g.narrow {
				at = b.outLink.pass(at, replyBytes(&g.spec.Link, w.kind))
			}
			b.counters.LatencySum += at - w.at
			b.counters.Completed++
			b.bytes += lineBytes
			w.from.answer(w.bank, reply{at: at, id: w.id, kind: w.kind})
			w.from.answered.add(w.bank)
		}
		delete(r.unit.waiting, x.Token)
	}
	return nil
}

// askUnits tells what a request to the L2 means to the units: the reply time of a line of a view (pending while that is not
// known, never for an ordinary line) and how much longer a watched store occupies its bank.
func (g *GPU) askUnits(bank int, x *arrival) (at, extra uint64) {
	r := g.run
	u := r.options.Units
	address := x.line << lineShift
	flags := g.mem.Flags(address)
	switch {
	case x.kind != readLine:
		if flags&memory.PageWatched != 0 {
			extra = u.StoreStall(address, x.kind == writeLine && x.mask == ^uint64(0))
		}
		return never, extra
	case flags&memory.PageView == 0:
		return never, 0
	}
	ready, token, err := u.ViewLine(x.at, address)
	b := &g.banks[bank]
	switch {
	case err != nil:
		if r.unit.err == nil {
			r.unit.err = fmt.Errorf("kernel %q: %w", r.launch.Kernel.Name, err)
		}
		return pending, 0
	case token != 0:
		b.counters.RequestsRead++
		b.counters.ReadMSHRHit++
		r.unit.waiting[token] = append(r.unit.waiting[token], waitingLine{*x, bank})
		return pending, 0
	}
	b.counters.RequestsRead++
	b.counters.ReadHit++
	at = max(ready, x.at) + b.timing.hit
	b.counters.LatencySum += at - x.at
	b.counters.Completed++
	return at, 0
}
