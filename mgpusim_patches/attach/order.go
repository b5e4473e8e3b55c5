package attach

import "github.com/sarchlab/mgpusim/v4/amd/protocol"

// order says which work-group runs next. Upstream's dispatcher finds room on a compute unit for the next work-group of the grid; before
// the compute unit receives it, its numbers are exchanged for those of the work-group that the plan puts there. Work-groups at the
// grid's edges may be smaller, so they are exchanged among those of the same shape alone.
type order struct {
	groups  [3]uint32
	include []bool
	skipped uint64
	missed  uint64
	queues  map[[3]int][]planned // by shape, in the plan's order
	listed  []planned
}

// planned is a work-group and the compute unit that it is meant for, −1 for any.
type planned struct {
	number uint32
	unit   int32
}

func newOrder(groups [3]uint32, numbers []uint32, placement []int32) *order {
	total := uint64(groups[0]) * uint64(groups[1]) * uint64(groups[2])
	o := &order{groups: groups, include: make([]bool, total), skipped: total - uint64(len(numbers))}
	for i, n := range numbers {
		o.include[n] = true
		unit := int32(-1)
		if placement != nil {
			unit = placement[i]
		}
		o.listed = append(o.listed, planned{n, unit})
	}
	return o
}

// includes tells whether the plan has a work-group.
func (o *order) includes(x, y, z int) bool {
	return o.include[(uint32(z)*o.groups[1]+uint32(y))*o.groups[0]+uint32(x)]
}

// assign gives a work-group under way to a compute unit the numbers of the planned one.
func (o *order) assign(request *protocol.MapWGReq, unit int) {
	g := request.WorkGroup
	if o.queues == nil {
		o.sort(request)
	}
	shape := [3]int{g.CurrSizeX, g.CurrSizeY, g.CurrSizeZ}
	queue := o.queues[shape]
	if len(queue) == 0 {
		return
	}
	at := 0
	for at < len(queue) && queue[at].unit >= 0 && int(queue[at].unit) != unit {
		at++
	}
	if at == len(queue) {
		at = 0
		o.missed++
	}
	p := queue[at]
	if at == 0 {
		o.queues[shape] = queue[1:]
	} else {
		o.queues[shape] = append(queue[:at:at], queue[at+1:]...)
	}
	g.IDX, g.IDY, g.IDZ = int(p.number%o.groups[0]), int(p.number/o.groups[0]%o.groups[1]), int(p.number/o.groups[0]/o.groups[1])
}

// sort puts the planned work-groups into queues of one shape each.
func (o *order) sort(request *protocol.MapWGReq) {
	p := request.WorkGroup.Packet
	grid := [3]uint32{p.GridSizeX, p.GridSizeY, p.GridSizeZ}
	size := [3]uint32{uint32(p.WorkgroupSizeX), uint32(p.WorkgroupSizeY), uint32(p.WorkgroupSizeZ)}
	o.queues = map[[3]int][]planned{}
	for _, x := range o.listed {
		id := [3]uint32{x.number % o.groups[0], x.number / o.groups[0] % o.groups[1], x.number / o.groups[0] / o.groups[1]}
		var shape [3]int
		for d := range 3 {
			shape[d] = int(min(size[d], grid[d]-id[d]*size[d]))
		}
		o.queues[shape] = append(o.queues[shape], x)
	}
}
