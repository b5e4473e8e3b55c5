package cosim

import (
	"encoding/binary"
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// prefetchPlan says which tiles of a view the work-groups of a launch read, in order. When a compute unit receives a work-group its
// first tiles are converted, and when a tile is demanded the one that lies as many places behind it as the unit's depth.
type prefetchPlan struct {
	view   *view
	depth  int
	first  []uint32 // by work-group; one more at the end
	tiles  []uint32
	behind []int64 // by tile: the tile to prefetch when it is demanded, −1 none
}

// SetPrefetch tells the tiles that the next launch's work-groups read. Where the unit's depth is 0 it has no effect on virtual time.
func (s *Session) SetPrefetch(plans []*wire.Prefetch, workgroups uint64) error {
	c := s.compaction
	if len(plans) == 0 {
		return nil
	}
	if c == nil {
		return fmt.Errorf("a prefetch list needs a compaction engine, none is attached")
	}
	if len(plans) > 1 {
		return fmt.Errorf("expected the prefetch list of one view, got %d lists", len(plans))
	}
	p := plans[0]
	v := c.viewByID(p.View)
	if v == nil {
		return fmt.Errorf("the prefetch list is for view %d, which does not exist", p.View)
	}
	if uint64(len(p.First)) != 4*(workgroups+1) || len(p.Tiles)%4 != 0 {
		return fmt.Errorf("expected the first tile of each of %d work-groups and one more, got %d bytes", workgroups, len(p.First))
	}
	plan := &prefetchPlan{view: v, depth: int(c.seat.Hello.PrefetchDepth), first: words(p.First), tiles: words(p.Tiles)}
	for i := range workgroups {
		if plan.first[i] > plan.first[i+1] {
			return fmt.Errorf("the prefetch list of work-group %d ends before it begins", i)
		}
	}
	if int(plan.first[workgroups]) != len(plan.tiles) {
		return fmt.Errorf("expected %d tiles in the prefetch list, got %d", plan.first[workgroups], len(plan.tiles))
	}
	for _, t := range plan.tiles {
		if uint64(t) >= v.matrix.tiles() {
			return fmt.Errorf("the prefetch list names tile %d, the view has %d", t, v.matrix.tiles())
		}
	}
	if plan.depth > 0 {
		plan.chain()
	}
	s.prefetch = plan
	return nil
}

// chain notes for every tile which one to prefetch when it is demanded: as the first work-group that reads it goes on.
func (p *prefetchPlan) chain() {
	p.behind = make([]int64, p.view.matrix.tiles())
	for i := range p.behind {
		p.behind[i] = -1
	}
	for g := range len(p.first) - 1 {
		list := p.tiles[p.first[g]:p.first[g+1]]
		for i := 0; i+p.depth < len(list); i++ {
			if p.behind[list[i]] < 0 {
				p.behind[list[i]] = int64(list[i+p.depth])
			}
		}
	}
}

// dispatched prefetches the first tiles of a work-group.
func (c *compaction) dispatched(now uint64, workgroup uint32) {
	p := c.prefetch
	list := p.tiles[p.first[workgroup]:p.first[workgroup+1]]
	for _, t := range list[:min(len(list), p.depth)] {
		c.fetchAhead(now, c.tile(p.view, uint64(t)))
	}
}

// prefetchBehind prefetches the tile that follows a demanded one.
func (c *compaction) prefetchBehind(now uint64, t *tile) {
	if p := c.prefetch; p != nil && p.depth > 0 && p.view == t.view && p.behind[t.number] >= 0 {
		c.fetchAhead(now, c.tile(p.view, uint64(p.behind[t.number])))
	}
}

// fetchAhead converts a tile that nobody demands yet, where a buffer can be had without evicting another such tile.
func (c *compaction) fetchAhead(now uint64, t *tile) {
	if t.use != nil || t.token != 0 {
		return
	}
	t.ahead = true
	from, ok := c.takeBuffer(now, t)
	if !ok {
		t.ahead = false
		return
	}
	t.instance.unused++
	c.nextToken++
	t.token = c.nextToken
	c.convert(from, t)
}

func words(b []byte) []uint32 {
	w := make([]uint32, len(b)/4)
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return w
}
