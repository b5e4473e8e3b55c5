package timing

import (
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
)

// residentGroup is a work-group on a compute unit.
type residentGroup struct {
	emu      *emu.WorkGroup
	number   uint32               // linear work-group number in the grid
	sequence uint64               // dispatch order
	unit     int                  // compute unit of the GPU
	running  int                  // wavefronts that have not ended
	slots    [maxGroupWaves]uint8 // of its wavefronts; SIMDs until the compute unit has received it
	at       uint64               // cycle at which the compute unit received it
}

// room is what a compute unit has left for work-groups.
type room struct {
	slots [4]int // wavefront slots of each SIMD
	vgprs [4]int // vector registers of each SIMD, in allocation units
	sgprs int    // scalar registers, in allocation units
	lds   int    // local memory, in allocation units
	next  int    // SIMD of the next wavefront, if it fits there
}

func (r *room) init(s *gpuconfig.Spec) {
	for i := range s.Core.SIMDs {
		r.slots[i] = s.Core.WavefrontSlots
		r.vgprs[i] = s.Core.VGPRs / 64 / s.Core.VGPRGranularity
	}
	r.sgprs = s.Core.SGPRs / s.Core.SGPRGranularity
	r.lds = s.Core.LDSBytes / s.Core.LDSGranularity
}

// need is what one work-group takes.
type need struct {
	waves, vgprs, sgprs, lds int // registers are per wavefront
}

func newNeed(l *emu.Launch, s *gpuconfig.Spec) need {
	units := func(n, granularity int) int { return (n + granularity - 1) / granularity }
	return need{waves: l.WavesPerGroup(), vgprs: units(int(l.Kernel.AllocatedVGPRs), s.Core.VGPRGranularity),
		sgprs: units(int(l.Kernel.AllocatedSGPRs), s.Core.SGPRGranularity), lds: units(int(l.LDSBytes()), s.Core.LDSGranularity)}
}

// place reserves room for a work-group and returns the SIMD of each of its wavefronts in simds, or reports that it does not fit.
// Wavefronts go to the SIMDs in turn, from work-group to work-group (batchnorm's groups of one wavefront show it).
func (r *room) place(n need, simds []uint8, count int) bool {
	if r.lds < n.lds || r.sgprs < n.waves*n.sgprs {
		return false
	}
	fits := 0 // SIMDs with room for at least one wavefront
	for s := range count {
		if r.slots[s] > 0 && r.vgprs[s] >= n.vgprs {
			fits++
		}
	}
	if fits == 0 {
		return false
	}
	try := *r
	for i := range n.waves {
		found := false
		for range count {
			s := try.next
			try.next = (try.next + 1) % count
			if try.slots[s] > 0 && try.vgprs[s] >= n.vgprs {
				try.slots[s]--
				try.vgprs[s] -= n.vgprs
				simds[i] = uint8(s)
				found = true
				break
			}
		}
		if !found {
			r.next = try.next
			return false
		}
	}
	try.lds -= n.lds
	try.sgprs -= n.waves * n.sgprs
	*r = try
	return true
}

// fitsInTurn reports whether a work-group fits with each of its wavefronts on the SIMD whose turn it is.
func (r *room) fitsInTurn(n need, count int) bool {
	if r.lds < n.lds || r.sgprs < n.waves*n.sgprs {
		return false
	}
	for i := range count { // the i-th SIMD from the next one on takes one wavefront of every count
		s := (r.next + i) % count
		waves := (n.waves - i + count - 1) / count
		if r.slots[s] < waves || r.vgprs[s] < waves*n.vgprs {
			return false
		}
	}
	return true
}

func (r *room) release(n need, simds []uint8) {
	r.lds += n.lds
	r.sgprs += n.waves * n.sgprs
	for _, s := range simds {
		r.slots[s]++
		r.vgprs[s] += n.vgprs
	}
}

// maxGroupWaves is the most wavefronts that a work-group has.
const maxGroupWaves = (emu.MaxGroupWorkItems + 63) / 64

// dispatcher hands the work-groups of a launch to the compute units, in turn and up to eight a cycle, and takes as many
// completions a cycle.
type dispatcher struct {
	gpu    *GPU
	launch *emu.Launch
	need   need
	order  []uint32
	place  []int32
	total  int
	next   int // index of the next work-group to dispatch
	done   int
	turn   int    // compute unit whose turn it is
	cycle  uint64 // cycles before are over
	ahead  uint64 // work-groups of the cycles before have been sent
	sent   int    // those of this cycle that have been sent
	asleep bool   // nothing happened in the latest cycle: the next work-group found no room

	completions  []finishedGroup // in order of time; those from first on are not taken yet
	first        int
	rooms        []room
	lastDone     uint64 // cycle at which the latest completion was taken
	lastFinished uint64 // latest completion
	free         []*residentGroup
	fresh        []residentGroup      // rest of the latest block of them
	simds        [maxGroupWaves]uint8 // of the work-group that is being placed
}

// nextEvent returns the next cycle in which the dispatcher can do something.
func (d *dispatcher) nextEvent() uint64 {
	at := never
	if d.first < len(d.completions) {
		at = max(d.completions[d.first].at, d.cycle)
	}
	if d.next < d.total && !d.asleep {
		at = min(at, max(d.cycle, d.ahead))
	}
	return at
}

// runAhead sends the work-groups of the cycles before to whose place does not depend on what ends until then: those that go to the compute
// unit and the SIMDs whose turn it is. They get there in time; others may come as late as a window is long.
func (d *dispatcher) runAhead(to uint64) error {
	if d.place != nil || d.asleep {
		return nil
	}
	d.beginAhead(max(d.cycle, d.ahead))
	for d.ahead < to && d.next < d.total {
		for ; d.sent < d.gpu.spec.Dispatcher.Dispatchers && d.next < d.total; d.sent++ {
			if !d.rooms[d.turn].fitsInTurn(d.need, d.gpu.spec.Core.SIMDs) {
				return nil
			}
			if _, err := d.dispatch(d.ahead); err != nil {
				return err
			}
		}
		d.beginAhead(d.ahead + 1)
	}
	return nil
}

// beginAhead makes cycle c the one in which work-groups are being sent.
func (d *dispatcher) beginAhead(c uint64) {
	if c != d.ahead {
		d.ahead, d.sent = c, 0
	}
}

// run carries out the cycles before to.
func (d *dispatcher) run(to uint64) error {
	width := d.gpu.spec.Dispatcher.Dispatchers
	for {
		c := d.nextEvent()
		if c >= to {
			d.cycle = max(d.cycle, to)
			return nil
		}
		active := c < d.ahead
		if !active {
			d.beginAhead(c)
			active = d.sent > 0
			for ; d.sent < width && d.next < d.total; d.sent++ {
				placed, err := d.dispatch(c)
				if err != nil {
					return err
				}
				if !placed {
					break
				}
				active = true
			}
			d.beginAhead(c + 1)
		}
		for range width {
			if d.first == len(d.completions) || d.completions[d.first].at > c {
				break
			}
			d.complete(c, &d.completions[d.first])
			d.first++
			active = true
		}
		if d.first == len(d.completions) {
			d.completions, d.first = d.completions[:0], 0
		}
		d.asleep = !active
		d.cycle = c + 1
	}
}

func (d *dispatcher) complete(c uint64, f *finishedGroup) {
	g := f.group
	for i, slot := range g.slots[:d.need.waves] {
		d.simds[i] = slot / uint8(d.gpu.spec.Core.WavefrontSlots)
	}
	d.rooms[g.unit].release(d.need, d.simds[:d.need.waves])
	d.launch.Release(g.emu)
	g.emu = nil
	d.free = append(d.free, g)
	d.done++
	d.lastDone = c
	d.lastFinished = max(d.lastFinished, f.at)
}

// dispatch sends the next work-group to a compute unit with room for it, and reports whether there was one.
func (d *dispatcher) dispatch(c uint64) (placed bool, err error) {
	count := len(d.rooms)
	unit := -1
	if d.place != nil && d.place[d.next] >= 0 {
		if u := int(d.place[d.next]); d.rooms[u].place(d.need, d.simds[:], d.gpu.spec.Core.SIMDs) {
			unit = u
		}
	} else {
		for i := range count {
			u := (d.turn + i) % count
			if d.rooms[u].place(d.need, d.simds[:], d.gpu.spec.Core.SIMDs) {
				unit = u
				d.turn = (u + 1) % count
				break
			}
		}
	}
	if unit < 0 {
		if d.done == d.next {
			return false, fmt.Errorf("work-group %d of kernel %q needs more registers or local memory than an empty compute unit has", d.next, d.launch.Kernel.Name)
		}
		return false, nil
	}
	number := uint32(d.next)
	if d.order != nil {
		number = d.order[d.next]
	}
	per := d.gpu.spec.Core.UnitsPerArray
	group, err := d.launch.TakeGroup(d.launch.GroupID(uint64(number)), uint64(d.next), &d.gpu.pools[unit/per])
	if err != nil {
		return false, err
	}
	var g *residentGroup
	if n := len(d.free); n > 0 {
		g = d.free[n-1]
		d.free = d.free[:n-1]
	} else {
		if len(d.fresh) == 0 {
			d.fresh = make([]residentGroup, 64)
		}
		g, d.fresh = &d.fresh[0], d.fresh[1:]
	}
	*g = residentGroup{emu: group, number: number, sequence: uint64(d.next), unit: unit, running: d.need.waves, slots: d.simds,
		at: c + d.gpu.lat.dispatch}
	d.next++
	a := d.gpu.arrays[unit/per]
	a.arrivals = append(a.arrivals, g)
	a.inNext = min(a.inNext, g.at)
	if u := d.gpu.run.options.Units; u != nil && u.WantsDispatch() {
		return true, u.Dispatched(g.at, number, unit)
	}
	return true, nil
}
