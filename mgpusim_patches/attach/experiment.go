package attach

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/sarchlab/akita/v4/mem/vm"
	"github.com/sarchlab/akita/v4/mem/vm/mmu"
	"github.com/sarchlab/akita/v4/sim"
	"github.com/sarchlab/akita/v4/simulation"
	"github.com/sarchlab/mgpusim/v4/amd/kernels"
	"github.com/sarchlab/mgpusim/v4/amd/protocol"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// memoryBytes is the memory of upstream's R9 Nano.
const memoryBytes = 4 << 30

// Environment variables by which mgpusim-bridge capture tells a program to write capsules: where to, and how many at most.
const (
	CaptureVariable     = "SPARTAN_MGPUSIM_CAPTURE"
	CaptureMostVariable = "SPARTAN_MGPUSIM_CAPTURE_MOST"
)

// Experiment attaches units to the first GPU of an MGPUSim program of one's own, whose driver goes on to manage memory and launches. Its
// methods are called from the program's goroutine, between launches.
//
// A device address is a driver.Ptr: upstream's driver gives consecutive pages of the first GPU, which the Experiment checks at every page
// walk. Compacted views need a page table of one's own (package platform); monitors, schedulers and recording work here.
type Experiment struct {
	*Tap
	Session *cosim.Session
	// Results are those of all launches so far.
	Results []timing.Result

	capture *capture
	order   []uint32
	place   []int32
	name    string
	failed  error
}

// Open attaches to a simulation that has been built and has not begun.
func Open(s *simulation.Simulation) (*Experiment, error) {
	g, err := Find(s, "GPU[1]")
	if err != nil {
		return nil, err
	}
	m, err := memory.New(memoryBytes)
	if err != nil {
		return nil, err
	}
	if err := m.AllocateAt(memory.PageBytes, memoryBytes-memory.PageBytes, "device memory"); err != nil {
		return nil, err
	}
	tap, err := NewTap(g, m)
	if err != nil {
		return nil, err
	}
	e := &Experiment{Tap: tap}
	machine := cosim.Machine{Model: "mgpusim", Version: UpstreamVersion, ClockHz: 1_000_000_000, ComputeUnits: len(g.ComputeUnits), L2Banks: L2Banks}
	e.Session = cosim.NewSession(machine, m, func() uint64 { return tap.Now() * psPerCycle })
	onArrival(g.CommandProcessor.ToDriver, e.fromDriver)
	onSend(g.CommandProcessor.ToDriver, e.toDriver)
	for _, c := range s.Components() {
		if walker, ok := c.(*mmu.Comp); ok {
			onSend(walker.GetPortByName("Top"), e.translated)
		}
	}
	if directory := os.Getenv(CaptureVariable); directory != "" {
		most, err := strconv.Atoi(cmp.Or(os.Getenv(CaptureMostVariable), "0"))
		if err != nil {
			return nil, fmt.Errorf("%s: expected a number of launches, got %q", CaptureMostVariable, os.Getenv(CaptureMostVariable))
		}
		return e, e.Capture(directory, most)
	}
	return e, nil
}

// Attach connects a unit.
func (e *Experiment) Attach(o cosim.SeatOptions) (*cosim.Seat, error) { return e.Session.Attach(o) }

// Watch lets the monitor count a tensor; its address is a driver.Ptr.
func (e *Experiment) Watch(t *wire.Tensor) (uint32, error) { return e.Session.Watch(t) }

// Order makes the next launch dispatch work-groups (linear numbers, x fastest) in an order, and skip those left out; placement holds compute
// units, −1 for any, or is nil.
func (e *Experiment) Order(numbers []uint32, placement []int32) {
	e.order, e.place = numbers, placement
}

// Err returns the first failure of a unit or of recording.
func (e *Experiment) Err() error { return e.failed }

// Close ends the units' streams and returns the first failure.
func (e *Experiment) Close() error {
	e.Session.Close()
	e.Memory.Close()
	return e.failed
}

// fail keeps the first failure and ends the simulation, as upstream ends it: by panic in the engine.
func (e *Experiment) fail(err error) {
	if err != nil && e.failed == nil {
		e.failed = err
		e.Tap.fail(err)
	}
}

// translated checks that device addresses are what the mirror takes them for.
func (e *Experiment) translated(m sim.Msg) {
	if r, ok := m.(*vm.TranslationRsp); ok && r.Page.PAddr != e.Physical(r.Page.VAddr) {
		e.fail(fmt.Errorf("the page of device address 0x%x lies at 0x%x, expected 0x%x: units can be attached to the first GPU only, whose pages the driver gives in order",
			r.Page.VAddr, r.Page.PAddr, e.Physical(r.Page.VAddr)))
	}
}

// fromDriver follows copies to the device, and the beginning of launches.
func (e *Experiment) fromDriver(m sim.Msg) {
	switch request := m.(type) {
	case *protocol.MemCopyH2DReq:
		address := e.Device(request.DstAddress)
		e.fail(e.Memory.Write(address, request.SrcBuffer))
		e.fail(e.Session.HostWrote(address, uint64(len(request.SrcBuffer))))
		if e.capture != nil {
			e.capture.copied(address, uint64(len(request.SrcBuffer)))
		}
	case *protocol.LaunchKernelReq:
		e.begin(request)
	}
}

func (e *Experiment) begin(request *protocol.LaunchKernelReq) {
	e.name = "kernel"
	if s := request.CodeObject.Symbol; s != nil {
		e.name = s.Name
	}
	if e.capture != nil {
		e.fail(e.capture.begin(e.name, request))
	}
	e.fail(e.Session.KernelBegin(e.name))
	var units timing.Units
	if len(e.Session.Seats()) > 0 {
		units = e.Session
	}
	p := request.Packet
	groups := [3]uint32{(p.GridSizeX-1)/uint32(p.WorkgroupSizeX) + 1, (p.GridSizeY-1)/uint32(p.WorkgroupSizeY) + 1, (p.GridSizeZ-1)/uint32(p.WorkgroupSizeZ) + 1}
	e.fail(e.Begin(units, groups, e.order, e.place))
	if include := e.Filter(); include != nil {
		request.WGFilter = func(_ *kernels.HsaKernelDispatchPacket, g *kernels.WorkGroup) bool {
			return include(g.IDX, g.IDY, g.IDZ)
		}
	}
	e.order, e.place = nil, nil
}

// toDriver ends a launch.
func (e *Experiment) toDriver(m sim.Msg) {
	if _, ok := m.(*protocol.LaunchKernelRsp); !ok {
		return
	}
	e.counters.close()
	result, err := e.End(nil)
	e.fail(errors.Join(err, e.Session.KernelEnd(e.name)))
	e.Results = append(e.Results, result)
	if e.capture != nil && err == nil {
		e.fail(e.capture.end(&result))
	}
}

// close ends a kernel's time when its answer is sent, which is just before upstream's tracing tells the same.
func (c *counters) close() {
	if c.counting() {
		c.kernels.done, c.kernels.over = c.gpu.Cycle(), true
	}
}
