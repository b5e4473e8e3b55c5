package cosim

import (
	"container/list"
	"fmt"
	"sort"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// view is a compacted view of a dense matrix: tile t lies at address + t·slot.
type view struct {
	wire    *wire.View
	matrix  *matrix
	address uint64
	slot    uint64
	tiles   map[uint64]*tile // by tile number, while a launch runs

	conversions, denseBytes, encodedBytes uint64
}

// tile is one tile of a view on its way through an engine.
type tile struct {
	view     *view
	number   uint64
	instance *instance
	token    uint64
	sequence uint64 // of the request
	start    uint64 // cycle in which its conversion begins
	ready    uint64 // cycle from which it can be read; meaningful when known
	known    bool
	asked    bool // the request has been sent
	encoded  []byte
	use      *list.Element // in the instance's buffers, most recently used first
}

// instance is one engine: it reads dense lines, converts them at its rate, and keeps converted tiles.
type instance struct {
	issueFree   uint64  // cycle from which its line reads can be issued
	convertFree float64 // cycle from which its converter is free
	buffers     *list.List
}

// compaction is the model's side of the compaction engines. All methods run on the simulating goroutine.
type compaction struct {
	seat      *Seat
	mem       *memory.Memory
	engine    timing.Engine // nil in functional mode
	instances []*instance
	capacity  int // tiles a buffer
	inFlight  int // line reads of an instance
	views     []*view
	waiting   map[uint64]*tile // by token: read or conversion under way
	nextToken uint64
	err       error
}

// Defaults for what a unit leaves open (ours: as many as an L2 bank of the R9 Nano model has MSHRs).
const (
	defaultBuffers      = 64
	defaultLineRequests = 64
)

func newCompaction(seat *Seat, mem *memory.Memory, l2Banks int) *compaction {
	n := int(seat.Hello.Instances)
	if n == 0 {
		n = l2Banks
	}
	c := &compaction{seat: seat, mem: mem, capacity: int(seat.Hello.BuffersPerInstance), inFlight: int(seat.Hello.LineRequestsInFlight),
		waiting: map[uint64]*tile{}}
	if c.capacity == 0 {
		c.capacity = defaultBuffers
	}
	if c.inFlight == 0 {
		c.inFlight = defaultLineRequests
	}
	for range n {
		c.instances = append(c.instances, &instance{buffers: list.New()})
	}
	return c
}

// find returns the view and tile number of an address.
func (c *compaction) find(address uint64) (*view, uint64, error) {
	i := sort.Search(len(c.views), func(i int) bool { return c.views[i].address > address }) - 1
	if i >= 0 {
		v := c.views[i]
		if number := (address - v.address) / v.slot; number < v.matrix.tiles() {
			return v, number, nil
		}
	}
	return nil, 0, fmt.Errorf("address 0x%x lies in no tile of a compacted view", address)
}

// lookup returns a tile, and starts its conversion where it is not in a buffer.
func (c *compaction) lookup(now, address uint64) (*tile, error) {
	v, number, err := c.find(address)
	if err != nil {
		return nil, err
	}
	t := v.tiles[number]
	if t == nil {
		t = &tile{view: v, number: number, instance: c.instances[number%uint64(len(c.instances))]}
		v.tiles[number] = t
	}
	switch {
	case t.use != nil:
		t.instance.buffers.MoveToFront(t.use)
	case t.token == 0:
		c.convert(now, t)
	}
	return t, nil
}

// convert takes a buffer for a tile and starts to read its dense lines.
func (c *compaction) convert(now uint64, t *tile) {
	i := t.instance
	for i.buffers.Len() >= c.capacity { // the least recently used tile that is complete makes room
		oldest := i.buffers.Back()
		for oldest != nil && oldest.Value.(*tile).token != 0 {
			oldest = oldest.Prev()
		}
		if oldest == nil {
			break // all are under way: the tile waits in the read queue, its buffer is taken over on completion
		}
		victim := oldest.Value.(*tile)
		i.buffers.Remove(oldest)
		victim.use, victim.known, victim.asked = nil, false, false
	}
	t.use = i.buffers.PushFront(t)
	t.known, t.asked = false, false
	c.nextToken++
	t.token = c.nextToken
	c.waiting[t.token] = t
	lines := t.view.matrix.lines(t.number)
	start := max(now, i.issueFree)
	i.issueFree = start + uint64(len(lines))
	c.engine.Read(t.token, start, lines, c.inFlight)
}

// linesRead sends the request of a tile whose dense lines are complete.
func (c *compaction) linesRead(token, now uint64) error {
	t := c.waiting[token]
	if t == nil {
		return fmt.Errorf("cosim: no tile waits for read %d", token)
	}
	begin := max(float64(now), t.instance.convertFree)
	_, _, rows, columns := t.view.matrix.tileShape(t.number)
	if rate := c.seat.Hello.ElementsPerCycle; rate > 0 {
		t.instance.convertFree = begin + float64(rows)*float64(columns)/rate
	}
	t.start = uint64(begin + 0.999999)
	return c.ask(t, c.engine.Picoseconds(now))
}

// ask posts the request of a tile.
func (c *compaction) ask(t *tile, now uint64) error {
	dense, err := t.view.matrix.readTile(c.mem, t.number)
	if err != nil {
		return err
	}
	_, _, rows, columns := t.view.matrix.tileShape(t.number)
	if t.sequence, err = c.seat.compactTile(now, t.view.wire.Id, t.number, rows, columns, dense); err != nil {
		return err
	}
	t.asked = true
	t.view.conversions++
	t.view.denseBytes += uint64(rows) * uint64(columns) * t.view.matrix.elementBytes
	return nil
}

// receive waits for the answer to a tile's request and files it.
func (c *compaction) receive(t *tile) (latency uint64, err error) {
	if err := c.seat.flush(); err != nil {
		return 0, err
	}
	r, err := c.seat.await(t.sequence, "compact_tile")
	if err != nil {
		return 0, err
	}
	if size := uint64(len(r.encoded)); size == 0 || size > t.view.slot {
		return 0, c.seat.fail(fmt.Sprintf("compact_tile event %d", t.sequence), "expected 1 to %d bytes (the slot) for tile %d, got %d",
			t.view.slot, t.number, size)
	}
	t.encoded = r.encoded
	t.view.encodedBytes += uint64(len(r.encoded))
	c.seat.trace.record(c.seat.trace.replies, []uint64{t.sequence, r.latency}, r.encoded)
	return r.latency, nil
}

// influence returns the earliest cycle that an outstanding answer can influence.
func (c *compaction) influence() (cycle uint64, outstanding bool) {
	for _, t := range c.waiting {
		if !t.asked {
			continue
		}
		if at := t.start + c.engine.Cycle(c.seat.Hello.LookaheadPs); !outstanding || at < cycle {
			cycle, outstanding = at, true
		}
	}
	return cycle, outstanding
}

// wait collects the answers whose earliest influence lies before a cycle, in the order of their requests.
func (c *compaction) wait(before uint64) ([]timing.Answer, error) {
	var due []*tile
	for _, t := range c.waiting {
		if t.asked && t.start+c.engine.Cycle(c.seat.Hello.LookaheadPs) < before {
			due = append(due, t)
		}
	}
	sort.Slice(due, func(i, j int) bool { return due[i].sequence < due[j].sequence })
	answers := make([]timing.Answer, 0, len(due))
	for _, t := range due {
		latency, err := c.receive(t)
		if err != nil {
			return nil, err
		}
		t.ready, t.known = t.start+c.engine.Cycle(latency), true
		answers = append(answers, timing.Answer{Token: t.token, Ready: t.ready})
		delete(c.waiting, t.token)
		t.token = 0
	}
	return answers, nil
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
		clear(part)
		if offset < uint64(len(encoded)) {
			copy(part, encoded[offset:])
		}
		dst, address = dst[n:], address+n
	}
	return nil
}

// content returns an encoded tile. Without a timing model, or for lines that an L1 cache still held from an earlier
// launch, the unit is asked at once.
func (c *compaction) content(now uint64, v *view, number uint64) ([]byte, error) {
	t := v.tiles[number]
	if t == nil {
		t = &tile{view: v, number: number, instance: c.instances[number%uint64(len(c.instances))]}
		v.tiles[number] = t
	}
	if t.encoded == nil {
		if err := c.ask(t, now); err != nil {
			return nil, err
		}
		if _, err := c.receive(t); err != nil {
			return nil, err
		}
		t.asked = false
	}
	return t.encoded, nil
}

// reset forgets all converted tiles: the dense tensors may change until the next launch.
func (c *compaction) reset() {
	for _, v := range c.views {
		v.tiles = map[uint64]*tile{}
	}
	clear(c.waiting)
	for _, i := range c.instances {
		i.buffers.Init()
		i.issueFree, i.convertFree = 0, 0
	}
}
