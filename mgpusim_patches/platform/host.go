package platform

import (
	"github.com/sarchlab/akita/v4/sim"
	"github.com/sarchlab/mgpusim/v4/amd/protocol"
)

// host stands in the driver's place: it sends one request at a time to the command processor.
type host struct {
	*sim.TickingComponent
	gpu, mmu sim.Port
	request  sim.Msg // to send
	answered bool
}

func newHost(engine sim.Engine) *host {
	h := &host{}
	h.TickingComponent = sim.NewTickingComponent("Driver", engine, 1*sim.GHz, h)
	h.gpu = sim.NewPort(h, 64, 64, "Driver.ToGPU")
	h.AddPort("GPU", h.gpu)
	h.mmu = sim.NewPort(h, 1, 1, "Driver.ToMMU")
	h.AddPort("MMU", h.mmu)
	return h
}

// ask prepares a request; the engine then has to run.
func (h *host) ask(request sim.Msg) {
	h.request, h.answered = request, false
	h.TickLater()
}

// Tick implements sim.Ticker.
func (h *host) Tick() bool {
	if h.request != nil && h.gpu.Send(h.request) == nil {
		h.request = nil
		return true
	}
	switch h.gpu.RetrieveIncoming().(type) {
	case nil:
		return false
	case *protocol.LaunchKernelRsp, *sim.GeneralRsp:
		h.answered = true
	}
	return true
}
