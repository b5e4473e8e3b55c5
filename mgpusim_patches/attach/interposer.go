package attach

import (
	"sort"

	"github.com/sarchlab/akita/v4/mem/mem"
	"github.com/sarchlab/akita/v4/mem/vm"
	"github.com/sarchlab/akita/v4/sim"
	"github.com/sarchlab/akita/v4/sim/directconnection"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// portCapacity is the messages that a port of ours holds: more than all L1 caches have under way.
const portCapacity = 1 << 16

// interposer stands between the L1 caches and L2 where a compacted view is read: it answers in place of L2, and reads dense lines
// through L2 for the units. It implements timing.Engine.
type interposer struct {
	*sim.TickingComponent
	tap  *Tap
	port sim.Port
	conn *directconnection.Comp // of L1 caches and L2

	plugged bool
	waiting map[uint64][]*mem.ReadReq // by token: lines whose content is not there yet
	queues  [L2Banks][]lineAnswer     // lines that can be sent, by time; a bank sends one a cycle
	reads   []*lineRead               // by instance of a unit, in order
	sent    map[string]*lineRead      // by id of the request to L2
	pid     vm.PID                    // of the kernel: upstream's caches tell processes apart
	work    int                       // lines waiting, queued and being read
}

// lineAnswer is a line of a view that L2 can send from a cycle on.
type lineAnswer struct {
	request *mem.ReadReq
	ready   uint64
}

// lineRead is what a unit asked to be read.
type lineRead struct {
	token    uint64
	instance int
	start    uint64
	lines    []uint64 // not asked for yet, device addresses
	under    int      // asked for and not there yet
	inFlight int
}

func newInterposer(t *Tap) *interposer {
	x := &interposer{tap: t}
	x.TickingComponent = sim.NewTickingComponent(t.GPU.Name+".CoSimulation", t.GPU.Engine, 1*sim.GHz, x)
	x.port = sim.NewPort(x, portCapacity, portCapacity, x.Name()+".Port")
	x.AddPort("Port", x.port)
	x.begin()
	return x
}

// begin forgets what an earlier launch left.
func (x *interposer) begin() {
	x.waiting, x.sent, x.reads, x.work = map[uint64][]*mem.ReadReq{}, map[string]*lineRead{}, nil, 0
	for i := range x.queues {
		x.queues[i] = nil
	}
}

// divert sends a request that an L1 cache sends to L2 to the interposer instead.
func (x *interposer) divert(request *mem.ReadReq) {
	if !x.plugged {
		x.conn.PlugIn(x.port)
		x.plugged = true
	}
	x.pid = request.PID
	request.Dst = x.port.AsRemote()
}

// wake makes the interposer look after its work.
func (x *interposer) wake() {
	if x.busy() {
		x.TickLater()
	}
}

func (x *interposer) busy() bool {
	if x.work > 0 {
		return true
	}
	_, outstanding := x.tap.units.Influence()
	return outstanding
}

// Tick implements sim.Ticker.
func (x *interposer) Tick() bool {
	if x.tap.units == nil {
		return false
	}
	x.tap.inUnits.during(x.step)
	if x.tap.fault != nil {
		return false
	}
	return x.busy()
}

func (x *interposer) step() {
	now := x.tap.Now()
	for m := x.port.RetrieveIncoming(); m != nil; m = x.port.RetrieveIncoming() {
		switch m := m.(type) {
		case *mem.ReadReq:
			x.viewLine(now, m)
		case *mem.DataReadyRsp:
			x.lineArrived(now, m)
		}
	}
	x.askForLines(now)
	if cycle, outstanding := x.tap.units.Influence(); outstanding && cycle <= now {
		answers, err := x.tap.units.Wait(now + 1)
		if err != nil {
			x.tap.fail(err)
			return
		}
		for _, a := range answers {
			for _, request := range x.waiting[a.Token] {
				x.queue(request, max(a.Ready, now))
			}
			delete(x.waiting, a.Token)
		}
	}
	x.sendLines(now)
}

// viewLine asks the units for a line.
func (x *interposer) viewLine(now uint64, request *mem.ReadReq) {
	x.work++
	ready, token, err := x.tap.units.ViewLine(now, x.tap.Device(request.Address))
	switch {
	case err != nil:
		x.tap.fail(err)
	case token != 0:
		x.waiting[token] = append(x.waiting[token], request)
	default:
		x.queue(request, max(ready, now))
	}
}

func (x *interposer) queue(request *mem.ReadReq, ready uint64) {
	b := bank(request.Address)
	q := append(x.queues[b], lineAnswer{request, ready})
	sort.SliceStable(q, func(i, j int) bool { return q[i].ready < q[j].ready })
	x.queues[b] = q
}

// sendLines sends the lines that are due, one a bank.
func (x *interposer) sendLines(now uint64) {
	for b := range x.queues {
		q := x.queues[b]
		if len(q) == 0 || q[0].ready > now || !x.port.CanSend() {
			continue
		}
		request := q[0].request
		data := make([]byte, request.AccessByteSize)
		if err := x.tap.Memory.Load(now*psPerCycle, x.tap.Device(request.Address), data); err != nil {
			x.tap.fail(err)
			return
		}
		answer := mem.DataReadyRspBuilder{}.WithSrc(x.port.AsRemote()).WithDst(request.Src).WithRspTo(request.ID).WithData(data).Build()
		_ = x.port.Send(answer) // CanSend said that there is room
		x.queues[b] = q[1:]
		x.work--
		x.tap.l2Bytes += uint64(len(data))
	}
}

// Read implements timing.Engine.
func (x *interposer) Read(token uint64, instance int, start uint64, lines []uint64, inFlight int) {
	x.reads = append(x.reads, &lineRead{token: token, instance: instance, start: start, lines: lines, inFlight: inFlight})
	x.work++
	x.TickLater()
}

// askForLines asks L2 for the next line of every instance. Its reads are served in order, and share what it may have in flight.
func (x *interposer) askForLines(now uint64) {
	under, served := map[int]int{}, map[int]bool{}
	for _, r := range x.reads {
		under[r.instance] += r.under
	}
	for _, r := range x.reads {
		if served[r.instance] || len(r.lines) == 0 {
			continue
		}
		served[r.instance] = true
		if r.start > now || under[r.instance] >= r.inFlight || !x.port.CanSend() {
			continue
		}
		physical := x.tap.Physical(r.lines[0])
		request := mem.ReadReqBuilder{}.WithSrc(x.port.AsRemote()).WithDst(x.tap.GPU.L2[bank(physical)].GetPortByName("Top").AsRemote()).
			WithAddress(physical).WithByteSize(memory.LineBytes).WithPID(x.pid).Build()
		_ = x.port.Send(request)
		x.sent[request.ID] = r
		r.lines = r.lines[1:]
		r.under++
	}
}

// lineArrived takes a dense line from L2.
func (x *interposer) lineArrived(now uint64, answer *mem.DataReadyRsp) {
	r := x.sent[answer.RespondTo]
	if r == nil {
		return
	}
	delete(x.sent, answer.RespondTo)
	if r.under--; r.under > 0 || len(r.lines) > 0 {
		return
	}
	for i, other := range x.reads {
		if other == r {
			x.reads = append(x.reads[:i], x.reads[i+1:]...)
			break
		}
	}
	x.work--
	if err := x.tap.units.LinesRead(r.token, now); err != nil {
		x.tap.fail(err)
	}
}

// Now implements timing.Engine, and so do Picoseconds and Cycle.
func (x *interposer) Now() uint64 { return x.tap.Now() }

// Picoseconds converts a cycle to virtual time.
func (x *interposer) Picoseconds(cycle uint64) uint64 { return cycle * psPerCycle }

// Cycle converts virtual time to cycles, rounded up.
func (x *interposer) Cycle(picoseconds uint64) uint64 {
	return (picoseconds + psPerCycle - 1) / psPerCycle
}

var _ timing.Engine = (*interposer)(nil)
