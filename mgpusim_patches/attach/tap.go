package attach

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sarchlab/akita/v4/mem/mem"
	"github.com/sarchlab/akita/v4/sim"
	"github.com/sarchlab/mgpusim/v4/amd/protocol"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// psPerCycle is the GPU's clock in virtual time.
const psPerCycle = 1000

// Tap observes a GPU and lets units take part. Make one with NewTap before the first launch.
type Tap struct {
	GPU *GPU

	// Memory mirrors device memory: every store changes it when L2 receives the store, and units see the store there.
	Memory *memory.Memory

	// Device translates a physical address into the device address of Memory, and Physical back.
	Device, Physical func(uint64) uint64

	// Readable tells of device addresses outside Memory's allocations that a kernel may load from all the same; nil: of none.
	Readable func(device uint64) bool

	// Budget is the wavefront instructions that a launch may complete; 0: any number.
	Budget uint64

	// Skew is added to upstream's cycles wherever time is told: virtual time that passed outside upstream.
	Skew uint64

	counters  *counters
	units     timing.Units // nil where none take part in the launch
	between   *interposer
	gate      *gate
	order     *order // nil: as upstream's dispatcher chooses
	fault     error  // what the kernel did wrong, or a unit
	inUnits   stopwatch
	accessed  func(device uint64)
	interrupt interrupt
	l2Bytes   uint64
}

// NewTap attaches to the first GPU of a simulation. Device and Physical stand for consecutive pages, and may be set before the first launch.
func NewTap(g *GPU, m *memory.Memory) (*Tap, error) {
	t := &Tap{GPU: g, Memory: m, counters: newCounters(g)}
	t.Device = func(physical uint64) uint64 { return physical - MemoryOffset }
	t.Physical = func(device uint64) uint64 { return device + MemoryOffset }
	t.between, t.gate = newInterposer(t), newGate(t)
	var err error
	if t.between.conn, err = connectionOf(g.L2[0].GetPortByName("Top")); err != nil {
		return nil, err
	}
	for _, l2 := range g.L2 {
		onArrival(l2.GetPortByName("Top"), t.atL2)
	}
	for _, x := range g.L1V {
		onSend(x.GetPortByName("Bottom"), t.leavesL1)
	}
	for _, x := range g.L1S {
		onSend(x.GetPortByName("Bottom"), t.leavesL1)
	}
	onSend(g.CommandProcessor.ToCUs, t.leavesDispatcher)
	for i, u := range g.ComputeUnits {
		onArrival(u.ToACE, func(m sim.Msg) { t.arrivesAtUnit(i, m) })
	}
	g.Engine.AcceptHook(&hook{t.beforeEvent})
	return t, nil
}

// OnAccess calls do with the device address of every line that a kernel loads or stores at L2.
func (t *Tap) OnAccess(do func(device uint64)) { t.accessed = do }

// Now returns virtual time in cycles.
func (t *Tap) Now() uint64 { return t.GPU.Cycle() + t.Skew }

// Begin prepares for the next launch: units may be nil, order and placement as in timing.Options.
func (t *Tap) Begin(units timing.Units, groups [3]uint32, order []uint32, placement []int32) error {
	t.counters.reset()
	t.fault, t.l2Bytes = nil, 0
	t.counters.budget, t.counters.exceeded = t.Budget, func(uint64) {
		t.fail(fmt.Errorf("more than %d wavefront instructions were completed, the launch's limit", t.Budget))
	}
	t.units, t.order = units, nil
	if order != nil {
		t.order = newOrder(groups, order, placement)
	}
	if units == nil {
		return nil
	}
	t.between.begin()
	return units.Begin(t.between)
}

// Filter is the work-group filter of the launch request that Begin prepared for; nil where all work-groups run.
func (t *Tap) Filter() func(x, y, z int) bool {
	if t.order == nil {
		return nil
	}
	return t.order.includes
}

// End ends the launch that Begin prepared for and returns what it did; err is what the launch itself failed with.
func (t *Tap) End(err error) (timing.Result, error) {
	units := t.units
	if units != nil {
		err = errors.Join(err, units.End(t.Now()))
	}
	t.units = nil
	if t.fault != nil {
		err = t.fault
	}
	if err == nil && !t.counters.kernels.over {
		err = fmt.Errorf("upstream has no more events, and the kernel has not ended: %s", t.counters.underWay(4))
	}
	if err != nil {
		return timing.Result{}, err
	}
	r := t.counters.finish()
	r.Begin, r.End, r.L2Bytes = r.Begin+t.Skew, r.End+t.Skew, t.l2Bytes
	if t.order != nil {
		r.WorkgroupsSkipped = t.order.skipped
	}
	return r, nil
}

// PlacementsMissed returns how many work-groups of the last launch ran on another compute unit than their placement asked for: upstream's
// dispatcher chooses the compute unit, and only which work-group goes there can be steered.
func (t *Tap) PlacementsMissed() uint64 {
	if t.order == nil {
		return 0
	}
	return t.order.missed
}

// fail stops the simulation with an error of the kernel.
func (t *Tap) fail(err error) {
	if t.fault == nil {
		t.fault = err
	}
	t.interrupt.ask(err)
}

// atL2 sees what an L2 bank receives.
func (t *Tap) atL2(m sim.Msg) {
	request, ok := m.(*mem.WriteReq)
	if !ok {
		if read, ok := m.(*mem.ReadReq); ok {
			t.l2Bytes += read.AccessByteSize
		}
		return
	}
	t.l2Bytes += uint64(len(request.Data))
	address := t.Device(request.Address)
	if t.accessed != nil {
		t.accessed(address)
	}
	w := memory.LineWriter{M: t.Memory, Now: t.Now() * psPerCycle}
	for from := 0; from < len(request.Data); {
		if request.DirtyMask != nil && !request.DirtyMask[from] {
			from++
			continue
		}
		to := from + 1
		for to < len(request.Data) && (request.DirtyMask == nil || request.DirtyMask[to]) {
			to++
		}
		if err := w.Put(address+uint64(from), request.Data[from:to]); err != nil {
			t.fail(err)
			return
		}
		from = to
	}
	w.Flush()
}

// leavesL1 sees what an L1 cache sends to L2, and sends it to the interposer where a unit has a say in it.
func (t *Tap) leavesL1(m sim.Msg) {
	switch request := m.(type) {
	case *mem.ReadReq:
		address := t.Device(request.Address)
		if t.accessed != nil {
			t.accessed(address)
		}
		flags := t.Memory.Flags(address)
		switch {
		case flags&memory.PageAllocated == 0 && (t.Readable == nil || !t.Readable(address)):
			t.fail(t.Memory.Load(0, address, make([]byte, 4)))
		case flags&memory.PageView != 0:
			if t.units == nil {
				t.fail(errors.New("a kernel reads a compacted view, and no unit is attached"))
				return
			}
			t.between.divert(request)
			return
		}
		t.gate.pass(m, request.Address, 0)
	case *mem.WriteReq:
		extra := uint64(0)
		if line := t.Device(request.Address) &^ (memory.LineBytes - 1); t.units != nil && t.Memory.Flags(line)&memory.PageWatched != 0 {
			whole := len(request.Data) == memory.LineBytes && (request.DirtyMask == nil || !slices.Contains(request.DirtyMask, false))
			extra = t.units.StoreStall(line, whole)
		}
		t.gate.pass(m, request.Address, extra)
	}
}

// leavesDispatcher decides which work-group goes where the dispatcher found room.
func (t *Tap) leavesDispatcher(m sim.Msg) {
	if request, ok := m.(*protocol.MapWGReq); ok && t.order != nil {
		t.order.assign(request, t.unitOf(request.Dst))
	}
}

func (t *Tap) unitOf(port sim.RemotePort) int {
	for i, u := range t.GPU.ComputeUnits {
		if u.ToACE.AsRemote() == port {
			return i
		}
	}
	return -1
}

// arrivesAtUnit tells units that a compute unit has received a work-group.
func (t *Tap) arrivesAtUnit(unit int, m sim.Msg) {
	request, ok := m.(*protocol.MapWGReq)
	if !ok || t.units == nil || !t.units.WantsDispatch() {
		return
	}
	g := request.WorkGroup
	p := g.Packet
	x, y := (p.GridSizeX+uint32(p.WorkgroupSizeX)-1)/uint32(p.WorkgroupSizeX), (p.GridSizeY+uint32(p.WorkgroupSizeY)-1)/uint32(p.WorkgroupSizeY)
	number := (uint32(g.IDZ)*y+uint32(g.IDY))*x + uint32(g.IDX)
	if err := t.units.Dispatched(t.Now(), number, unit); err != nil {
		t.fail(err)
	}
	t.between.wake()
}

// Completed returns the wavefront instructions that have been completed since the tap was attached; it may be called from any goroutine.
func (t *Tap) Completed() uint64 { return t.counters.total() }

// WorkgroupsDone returns the work-groups of the launch that have ended; it may be called from any goroutine.
func (t *Tap) WorkgroupsDone() uint64 { return t.counters.groupsDone.Load() }
