package cosim

import "github.com/zeebo/xxh3"

// ahead holds the answers that a stateless unit gave ahead of time, for one view and one launch. The dense tensor is read-only
// meanwhile, so an answer is right whenever its tile is asked for, and also when the tile has been evicted and is asked for again.
//
// What is asked ahead follows from virtual time and the launch alone. Where the launch says which tiles its work-groups read, all of
// them are asked for when it begins, in the order of use; else those of the chunk of a demanded tile and of the next chunk.
type ahead struct {
	order   []uint32 // tiles in the order in which they are asked for
	place   []uint32 // of each tile in the order
	chunk   int      // tiles that are asked for together
	asked   []bool   // by chunk
	answers []aheadAnswer
}

type aheadAnswer struct {
	sequence uint64
	have     bool
	reply    reply
	dense    [16]byte // digest of the tile's elements
}

// chunkBytes bounds the dense bytes of a chunk: enough to spread the cost of a message over, and little to wait for.
const chunkBytes = 128 << 10

// newAhead prepares for a launch; first are the tiles to ask for before all others, each once.
func newAhead(v *view, first []uint32) *ahead {
	tiles := v.matrix.tiles()
	a := &ahead{order: make([]uint32, 0, tiles), place: make([]uint32, tiles), chunk: int(min(max(1, chunkBytes/v.matrix.tileBytes()), 1024)),
		answers: make([]aheadAnswer, tiles)}
	listed := make([]bool, tiles)
	add := func(t uint32) {
		if !listed[t] {
			listed[t] = true
			a.place[t] = uint32(len(a.order))
			a.order = append(a.order, t)
		}
	}
	for _, t := range first {
		add(t)
	}
	for t := range uint32(tiles) {
		add(t)
	}
	a.asked = make([]bool, (len(a.order)+a.chunk-1)/a.chunk)
	return a
}

// inOrderOfUse returns the tiles that work-groups read: the first of each, then the second of each, and so on.
func (p *prefetchPlan) inOrderOfUse() []uint32 {
	var order []uint32
	for k := uint32(0); ; k++ {
		before := len(order)
		for g := range len(p.first) - 1 {
			if at := p.first[g] + k; at < p.first[g+1] {
				order = append(order, p.tiles[at])
			}
		}
		if len(order) == before {
			return order
		}
	}
}

// askPlanned asks for all tiles that the work-groups of a launch read, when it begins.
func (c *compaction) askPlanned(now uint64) error {
	p := c.prefetch
	if p == nil || !c.stateless {
		return nil
	}
	order := p.inOrderOfUse()
	p.view.ahead = newAhead(p.view, order)
	a := p.view.ahead
	last := uint32(0)
	for _, t := range order {
		last = max(last, a.place[t])
	}
	for chunk := 0; len(order) > 0 && chunk <= int(last)/a.chunk; chunk++ {
		if err := c.askChunk(p.view, chunk, now); err != nil {
			return err
		}
	}
	return nil
}

// askAhead asks for the chunk of a tile and for the next one.
func (c *compaction) askAhead(v *view, number, now uint64) error {
	first := int(v.ahead.place[number]) / v.ahead.chunk
	for chunk := first; chunk < min(first+2, len(v.ahead.asked)); chunk++ {
		if err := c.askChunk(v, chunk, now); err != nil {
			return err
		}
	}
	return nil
}

func (c *compaction) askChunk(v *view, chunk int, now uint64) error {
	a := v.ahead
	if a.asked[chunk] {
		return nil
	}
	a.asked[chunk] = true
	for _, t := range a.order[chunk*a.chunk : min((chunk+1)*a.chunk, len(a.order))] {
		n := uint64(t)
		if err := v.matrix.readTile(c.mem, n, &c.scratch); err != nil {
			return err
		}
		_, _, rows, columns := v.matrix.tileShape(n)
		sequence, err := c.seat.requestTile(pendingAhead, tileEvent{now: now, tile: n, view: v.wire.Id, rows: rows, columns: columns}, c.scratch)
		if err != nil {
			return err
		}
		a.answers[n] = aheadAnswer{sequence: sequence, dense: xxh3.Hash128(c.scratch).Bytes()}
	}
	return c.seat.flush()
}
