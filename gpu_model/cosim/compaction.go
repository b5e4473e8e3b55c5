package cosim

import (
	"container/list"
	"fmt"
	"sort"

	"github.com/zeebo/xxh3"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// instance is one engine: it reads dense lines, converts them at its rate, and keeps converted tiles in finite buffers.
type instance struct {
	index       int
	convertFree float64    // cycle from which its converter is free
	buffers     *list.List // tiles that hold a buffer, most recently used first; never more than the capacity
	queue       []*tile    // tiles demanded that wait for a buffer
	unused      int        // prefetched tiles in buffers that nobody has demanded
}

// compaction is the model's side of the compaction engines. All methods run on the simulating goroutine.
type compaction struct {
	seat      *Seat
	shadows   func() []*Seat
	mem       *memory.Memory
	engine    timing.Engine // nil in functional mode
	instances []*instance
	capacity  int    // tiles that the buffers of an instance hold
	inFlight  int    // line reads of an instance
	lookahead uint64 // cycles; set when a launch begins
	stateless bool
	views     []*view
	latest    *view // found last

	reading     map[uint64]*tile // by token: dense lines are being read
	outstanding []*tile          // asked, and their answers not due yet
	earliest    uint64           // least influence of them, in cycles
	prefetch    *prefetchPlan
	nextToken   uint64
	scratch     []byte
	err         error
}

// Defaults for what a unit leaves open (ours: as many as an L2 bank of the R9 Nano model has MSHRs).
const (
	defaultBuffers      = 64
	defaultLineRequests = 64
)

func newCompaction(seat *Seat, mem *memory.Memory, l2Banks int, shadows func() []*Seat) *compaction {
	n := int(seat.Hello.Instances)
	if n == 0 {
		n = l2Banks
	}
	c := &compaction{seat: seat, shadows: shadows, mem: mem, capacity: int(seat.Hello.BuffersPerInstance), inFlight: int(seat.Hello.LineRequestsInFlight),
		stateless: seat.Hello.Stateless && !seat.Options.NoSpeculation, reading: map[uint64]*tile{}}
	if c.capacity == 0 {
		c.capacity = defaultBuffers
	}
	if c.inFlight == 0 {
		c.inFlight = defaultLineRequests
	}
	for i := range n {
		c.instances = append(c.instances, &instance{index: i, buffers: list.New()})
	}
	return c
}

// begin prepares a launch under the timing model.
func (c *compaction) begin(e timing.Engine) {
	c.engine, c.lookahead = e, e.Cycle(c.seat.Hello.LookaheadPs)
}

// lookup returns a tile that a load demands, and starts its conversion where it is not in a buffer.
func (c *compaction) lookup(now, address uint64) (*tile, error) {
	v, number, err := c.find(address)
	if err != nil {
		return nil, err
	}
	t := c.tile(v, number)
	if t.ahead {
		t.ahead = false
		t.instance.unused--
	}
	switch {
	case t.use != nil:
		t.instance.buffers.MoveToFront(t.use)
	case t.token == 0:
		c.nextToken++
		t.token = c.nextToken
		from, ok := c.takeBuffer(now, t)
		if !ok {
			t.instance.queue = append(t.instance.queue, t) // until a conversion completes
			break
		}
		c.convert(from, t)
	}
	return t, nil
}

// takeBuffer gives a tile a buffer, and returns from which cycle on: a free one, else that of the least recently used complete
// tile. A demanded tile takes that of one that was prefetched and never demanded before all others, a prefetched tile never. It
// fails where no buffer can be had yet.
func (c *compaction) takeBuffer(now uint64, t *tile) (from uint64, ok bool) {
	i := t.instance
	if i.buffers.Len() >= c.capacity {
		var victim *tile
		for e := i.buffers.Back(); e != nil; e = e.Prev() {
			candidate := e.Value.(*tile)
			if !candidate.known || candidate.ahead && t.ahead {
				continue
			}
			if victim == nil || candidate.ahead {
				victim = candidate
			}
			if candidate.ahead || i.unused == 0 || t.ahead {
				break
			}
		}
		if victim == nil {
			return 0, false
		}
		now = max(now, victim.ready)
		c.evict(victim)
	}
	t.use = i.buffers.PushFront(t)
	return now, true
}

// evict frees a tile's buffer. Loads whose lines have been sent take their data when they complete, so the content stays.
func (c *compaction) evict(t *tile) {
	t.instance.buffers.Remove(t.use)
	if t.ahead {
		t.instance.unused--
	}
	t.use, t.known, t.ahead = nil, false, false
}

// convert starts to read the dense lines of a tile that has a buffer and a token.
func (c *compaction) convert(now uint64, t *tile) {
	t.known = false
	c.reading[t.token] = t
	c.engine.Read(t.token, t.instance.index, now, t.view.matrix.lines(t.number), c.inFlight)
}

// linesRead asks for a tile whose dense lines are complete.
func (c *compaction) linesRead(token, now uint64) error {
	t := c.reading[token]
	if t == nil {
		return fmt.Errorf("cosim: no tile waits for read %d", token)
	}
	delete(c.reading, token)
	begin := max(float64(now), t.instance.convertFree)
	_, _, rows, columns := t.view.matrix.tileShape(t.number)
	if rate := c.seat.Hello.ElementsPerCycle; rate > 0 {
		t.instance.convertFree = begin + float64(rows)*float64(columns)/rate
	}
	t.start = uint64(begin + 0.999999)
	if err := c.ask(t, c.engine.Picoseconds(now)); err != nil {
		return err
	}
	if at := t.start + c.lookahead; len(c.outstanding) == 0 || at < c.earliest {
		c.earliest = at
	}
	c.outstanding = append(c.outstanding, t)
	return nil
}

// ask notes the request of a tile, and sends it unless that has been done ahead of time.
func (c *compaction) ask(t *tile, now uint64) error {
	v := t.view
	_, _, rows, columns := v.matrix.tileShape(t.number)
	event := tileEvent{now: now, tile: t.number, view: v.wire.Id, rows: rows, columns: columns}
	var dense [16]byte
	shadows := c.shadows()
	if v.ahead != nil {
		if err := c.askAhead(v, t.number, now); err != nil {
			return err
		}
		dense = v.ahead.answers[t.number].dense
	}
	if v.ahead == nil || len(shadows) > 0 {
		if err := v.matrix.readTile(c.mem, t.number, &c.scratch); err != nil {
			return err
		}
	}
	if v.ahead == nil {
		dense = xxh3.Hash128(c.scratch).Bytes()
		var err error
		if t.sequence, err = c.seat.requestTile(pendingTiles, event, c.scratch); err != nil {
			return err
		}
	}
	t.shadows = t.shadows[:0]
	for _, s := range shadows {
		sequence, err := s.requestTile(pendingTiles, event, c.scratch)
		if err != nil {
			return err
		}
		t.shadows = append(t.shadows, sequence)
	}
	t.asked = now
	t.request = c.seat.trace.request(wire.EventKind_EVENT_KIND_COMPACT_TILE, now, dense[:], uint64(event.view), event.tile, uint64(rows), uint64(columns))
	v.conversions++
	v.denseBytes += uint64(rows) * uint64(columns) * v.matrix.elementBytes
	return nil
}

// receive waits for the answer to a tile's request and files it.
func (c *compaction) receive(t *tile) (latency uint64, err error) {
	r, err := c.answer(t)
	if err != nil {
		return 0, err
	}
	if size := uint64(len(r.encoded)); size == 0 || size > t.view.slot {
		return 0, c.seat.fail(fmt.Sprintf("compact_tile event %d", t.sequence), "expected 1 to %d bytes (the slot) for tile %d of %q, got %d",
			t.view.slot, t.number, t.view.matrix.Name, size)
	}
	t.encoded = r.encoded
	t.view.encodedBytes += uint64(len(r.encoded))
	c.seat.trace.reply(t.request, r.latency, nil, r.encoded)
	for i, s := range c.shadows() {
		if i < len(t.shadows) {
			s.expect(t.shadows[i], t.asked, r)
		}
	}
	return r.latency, nil
}

// answer returns the unit's answer about a tile that was asked for.
func (c *compaction) answer(t *tile) (reply, error) {
	if t.view.ahead == nil {
		if err := c.seat.flush(); err != nil {
			return reply{}, err
		}
		return c.seat.await(t.sequence, wire.EventKind_EVENT_KIND_COMPACT_TILE)
	}
	a := &t.view.ahead.answers[t.number]
	t.sequence = a.sequence
	if !a.have {
		var err error
		if a.reply, err = c.seat.await(a.sequence, wire.EventKind_EVENT_KIND_COMPACT_TILE); err != nil {
			return reply{}, err
		}
		a.have = true
	}
	_, _, rows, columns := t.view.matrix.tileShape(t.number)
	return a.reply, c.seat.confirmTile(tileEvent{now: t.asked, tile: t.number, view: t.view.wire.Id, rows: rows, columns: columns}, len(a.reply.encoded))
}

// influence returns the earliest cycle that an outstanding answer can influence.
func (c *compaction) influence() (cycle uint64, outstanding bool) {
	return c.earliest, len(c.outstanding) > 0
}

// wait collects the answers whose earliest influence lies before a cycle, in the order of their requests.
func (c *compaction) wait(before uint64) ([]timing.Answer, error) {
	var due []*tile
	rest := c.outstanding[:0]
	c.earliest = ^uint64(0)
	for _, t := range c.outstanding {
		if at := t.start + c.lookahead; at >= before {
			c.earliest = min(c.earliest, at)
			rest = append(rest, t)
			continue
		}
		due = append(due, t)
	}
	c.outstanding = rest
	sort.Slice(due, func(i, j int) bool { return due[i].request < due[j].request })
	answers := make([]timing.Answer, 0, len(due))
	for _, t := range due {
		latency, err := c.receive(t)
		if err != nil {
			return nil, err
		}
		t.ready, t.known = t.start+c.engine.Cycle(latency), true
		answers = append(answers, timing.Answer{Token: t.token, Ready: t.ready})
		t.token = 0
	}
	for _, t := range due { // every one that is complete can make room for one that waits
		c.serveQueue(t.instance, t.ready)
	}
	return answers, nil
}

// serveQueue starts conversions that waited for a buffer, from cycle now on.
func (c *compaction) serveQueue(i *instance, now uint64) {
	for len(i.queue) > 0 {
		t := i.queue[0]
		from, ok := c.takeBuffer(now, t)
		if !ok {
			return
		}
		i.queue = i.queue[:copy(i.queue, i.queue[1:])]
		c.convert(from, t)
	}
}

// flushDue sends the requests that have gathered when half of the time is over that the earliest answer to them may take: an answer can
// only hide behind work if its question is under way, and the more gather the less each costs.
func (c *compaction) flushDue(now uint64) error {
	if c.seat.pending.what != pendingTiles || now+c.lookahead/2 < c.earliest {
		return nil
	}
	return c.seat.flush()
}

// Read implements memory.ViewReader: the bytes of the tiles that [address, address+len) touches.
func (c *compaction) Read(now, address uint64, dst []byte) error {
	for len(dst) > 0 {
		v, number, err := c.find(address)
		if err != nil {
			return err
		}
		offset := (address - v.address) % v.slot
		n := min(v.slot-offset, uint64(len(dst)))
		encoded, err := c.content(now, v, number)
		if err != nil {
			c.err = err
			return err
		}
		part := dst[:n]
		copied := 0
		if offset < uint64(len(encoded)) {
			copied = copy(part, encoded[offset:])
		}
		clear(part[copied:])
		dst, address = dst[n:], address+n
	}
	return nil
}

// content returns an encoded tile. Without a timing model the unit is asked when a tile is first read.
func (c *compaction) content(now uint64, v *view, number uint64) ([]byte, error) {
	t := c.tile(v, number)
	if t.encoded == nil {
		if err := c.ask(t, now); err != nil {
			return nil, err
		}
		if _, err := c.receive(t); err != nil {
			return nil, err
		}
	}
	return t.encoded, nil
}
