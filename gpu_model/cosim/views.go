package cosim

import (
	"container/list"
	"fmt"
	"sort"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// view is a compacted view of a dense matrix: tile t lies at address + t·slot.
type view struct {
	wire    *wire.View
	matrix  *matrix
	address uint64
	slot    uint64
	tiles   []*tile // by tile number, while a launch runs
	ahead   *ahead  // answers asked for ahead of time; nil: the unit is asked when a tile is due

	conversions, denseBytes, encodedBytes uint64
}

// tile is one tile of a view on its way through an engine.
type tile struct {
	view     *view
	number   uint64
	instance *instance
	token    uint64 // names its conversion while that is under way or queued; 0: none is
	sequence uint64 // of the request on the wire
	request  uint64 // number of the request in the trace
	asked    uint64 // virtual time of the request, ps
	start    uint64 // cycle in which its conversion begins
	ready    uint64 // cycle from which it can be read; meaningful when known
	known    bool   // in its buffer, complete
	ahead    bool   // prefetched, and not demanded yet
	encoded  []byte
	shadows  []uint64      // sequence numbers at the shadows
	use      *list.Element // in the instance's buffers, most recently used first
}

func (c *compaction) newView(m *matrix, id uint32, address uint64, format string, slot uint64) *view {
	v := &view{matrix: m, address: address, slot: slot, wire: &wire.View{Id: id, Address: address, Tensor: m.Tensor, Format: format, SlotBytes: slot, Tiles: m.tiles()}}
	c.views = append(c.views, v)
	sort.Slice(c.views, func(i, j int) bool { return c.views[i].address < c.views[j].address })
	c.resetView(v)
	return v
}

// find returns the view and tile number of an address.
func (c *compaction) find(address uint64) (*view, uint64, error) {
	if v := c.latest; v != nil && address >= v.address {
		if number := (address - v.address) / v.slot; number < uint64(len(v.tiles)) {
			return v, number, nil
		}
	}
	i := sort.Search(len(c.views), func(i int) bool { return c.views[i].address > address }) - 1
	if i >= 0 {
		v := c.views[i]
		if number := (address - v.address) / v.slot; number < uint64(len(v.tiles)) {
			c.latest = v
			return v, number, nil
		}
	}
	return nil, 0, fmt.Errorf("address 0x%x lies in no tile of a compacted view", address)
}

// tile returns the record of a tile.
func (c *compaction) tile(v *view, number uint64) *tile {
	t := v.tiles[number]
	if t == nil {
		t = &tile{view: v, number: number, instance: c.instances[number%uint64(len(c.instances))]}
		v.tiles[number] = t
	}
	return t
}

func (c *compaction) viewByID(id uint32) *view {
	for _, v := range c.views {
		if v.wire.Id == id {
			return v
		}
	}
	return nil
}

// reset forgets all converted tiles: the dense tensors may have changed since the last launch.
func (c *compaction) reset() {
	for _, v := range c.views {
		c.resetView(v)
	}
	clear(c.reading)
	c.outstanding, c.earliest = c.outstanding[:0], 0
	c.prefetch = nil
	c.seat.discard()
	for _, i := range c.instances {
		i.buffers.Init()
		i.queue, i.unused, i.convertFree = i.queue[:0], 0, 0
	}
}

func (c *compaction) resetView(v *view) {
	if uint64(len(v.tiles)) != v.matrix.tiles() {
		v.tiles = make([]*tile, v.matrix.tiles())
	}
	clear(v.tiles)
	v.ahead = nil
	if c.stateless {
		v.ahead = newAhead(v, nil)
	}
}
