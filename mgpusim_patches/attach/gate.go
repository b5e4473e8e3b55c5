package attach

import (
	"github.com/sarchlab/akita/v4/sim"
)

// gate keeps requests from an L2 bank while a unit keeps that bank busy. A request is held for whole cycles, and then handed to the bank at
// the point of the cycle at which the connection would have; so the cycles added are those asked for.
type gate struct {
	*sim.TickingComponent
	tap     *Tap
	port    sim.Port
	plugged bool
	until   [L2Banks]uint64 // cycle up to which the bank is busy
	release map[string]held
	queue   []sim.Msg // held, in order of arrival
}

type held struct {
	at   uint64
	bank int
}

func newGate(t *Tap) *gate {
	g := &gate{tap: t, release: map[string]held{}}
	g.TickingComponent = sim.NewSecondaryTickingComponent(t.GPU.Name+".CoSimulationGate", t.GPU.Engine, 1*sim.GHz, g)
	g.port = sim.NewPort(g, portCapacity, portCapacity, g.Name()+".Port")
	g.AddPort("Port", g.port)
	return g
}

// pass lets a request to L2 through, or holds it where the bank is busy. extra is how long the request itself keeps the bank busy.
func (g *gate) pass(m sim.Msg, physical, extra uint64) {
	b, now := bank(physical), g.tap.Now()
	if free := g.until[b]; free > now {
		if !g.plugged {
			g.tap.between.conn.PlugIn(g.port)
			g.plugged = true
		}
		g.release[m.Meta().ID] = held{free, b}
		m.Meta().Dst = g.port.AsRemote()
	}
	if extra > 0 {
		g.until[b] = max(g.until[b], now) + extra
	}
}

// Tick implements sim.Ticker.
func (g *gate) Tick() bool {
	for m := g.port.RetrieveIncoming(); m != nil; m = g.port.RetrieveIncoming() {
		g.queue = append(g.queue, m)
	}
	now := g.tap.Now()
	rest := g.queue[:0]
	for _, m := range g.queue {
		h := g.release[m.Meta().ID]
		if h.at > now {
			rest = append(rest, m)
			continue
		}
		top := g.tap.GPU.L2[h.bank].GetPortByName("Top")
		m.Meta().Dst = top.AsRemote()
		if top.Deliver(m) != nil { // full: again in the next cycle
			m.Meta().Dst = g.port.AsRemote()
			rest = append(rest, m)
			continue
		}
		delete(g.release, m.Meta().ID)
	}
	g.queue = rest
	return len(rest) > 0
}
