package attach

import (
	"fmt"
	"math"
	"strings"

	"github.com/sarchlab/akita/v4/mem/cache/writearound"
	"github.com/sarchlab/akita/v4/mem/cache/writeback"
	"github.com/sarchlab/akita/v4/mem/cache/writethrough"
	"github.com/sarchlab/akita/v4/mem/idealmemcontroller"
	"github.com/sarchlab/akita/v4/mem/vm/tlb"
	"github.com/sarchlab/akita/v4/sim"
	"github.com/sarchlab/akita/v4/simulation"
	"github.com/sarchlab/mgpusim/v4/amd/timing/cp"
	"github.com/sarchlab/mgpusim/v4/amd/timing/cu"
)

// MemoryOffset is where the memory of the first GPU begins in upstream's physical addresses. The driver of upstream hands out consecutive
// pages, so that a physical address of the first GPU is its device address and this.
const MemoryOffset = 4 << 30

// UpstreamVersion and AkitaVersion are the versions that this package was written for.
const (
	UpstreamVersion = "v4.2.0"
	AkitaVersion    = "v4.9.0"
)

// Shape of the R9 Nano that upstream's builder makes.
const (
	UnitsPerArray = 4
	L2Banks       = 16
	bankBytes     = 128 // consecutive bytes of one L2 bank
)

// GPU holds the components of one GPU of a simulation.
type GPU struct {
	Name             string
	Engine           sim.Engine
	CommandProcessor *cp.CommandProcessor
	ComputeUnits     []*cu.ComputeUnit // by shader array, then by number
	L1V              []*writearound.Comp
	L1S, L1I         []*writethrough.Comp
	L1VTLB           []*tlb.Comp
	L1STLB, L1ITLB   []*tlb.Comp
	L2TLB            *tlb.Comp
	L2               []*writeback.Comp
	DRAM             []*idealmemcontroller.Comp
}

// Find returns a GPU of a simulation by its name, "GPU[1]" being the first. It fails where that GPU is not an R9 Nano as upstream's
// builder makes it.
func Find(s *simulation.Simulation, name string) (*GPU, error) {
	g := &GPU{Name: name, Engine: s.GetEngine()}
	for _, c := range s.Components() { // by type: upstream returns some component for every name that it does not know
		if !strings.HasPrefix(c.Name(), name+".") {
			continue
		}
		kind := c.Name()[strings.LastIndexByte(c.Name(), '.')+1:]
		kind, _, _ = strings.Cut(kind, "[")
		switch c := c.(type) {
		case *cp.CommandProcessor:
			g.CommandProcessor = c
		case *cu.ComputeUnit:
			g.ComputeUnits = append(g.ComputeUnits, c)
		case *writearound.Comp:
			g.L1V = append(g.L1V, c)
		case *writethrough.Comp:
			if kind == "L1SCache" {
				g.L1S = append(g.L1S, c)
			} else {
				g.L1I = append(g.L1I, c)
			}
		case *writeback.Comp:
			g.L2 = append(g.L2, c)
		case *tlb.Comp:
			switch kind {
			case "L1VTLB":
				g.L1VTLB = append(g.L1VTLB, c)
			case "L1STLB":
				g.L1STLB = append(g.L1STLB, c)
			case "L1ITLB":
				g.L1ITLB = append(g.L1ITLB, c)
			default:
				g.L2TLB = c
			}
		case *idealmemcontroller.Comp:
			g.DRAM = append(g.DRAM, c)
		}
	}
	units, arrays := len(g.ComputeUnits), len(g.L1S)
	if g.CommandProcessor == nil || units == 0 || len(g.L1V) != units || arrays*UnitsPerArray != units || len(g.L1I) != arrays || len(g.L2) != L2Banks {
		return nil, fmt.Errorf("%s is no R9 Nano of MGPUSim %s: expected a command processor, %d L2 banks and %d compute units for each scalar cache, found %d compute units, "+
			"%d scalar caches and %d L2 banks", name, UpstreamVersion, L2Banks, UnitsPerArray, units, arrays, len(g.L2))
	}
	return g, nil
}

// Cycle returns the GPU's clock: cycles of 1 ns since the simulation began.
func (g *GPU) Cycle() uint64 { return cycleOf(g.Engine.CurrentTime()) }

// cycleOf converts upstream's seconds to cycles of 1 GHz.
func cycleOf(t sim.VTimeInSec) uint64 { return uint64(math.Round(float64(t) * 1e9)) }

// bank returns the L2 bank of a physical address.
func bank(physical uint64) int { return int(physical / bankBytes % L2Banks) }

// hook is a hook made of a function.
type hook struct{ do func(ctx sim.HookCtx) }

func (h *hook) Func(ctx sim.HookCtx) { h.do(ctx) }

// onSend and onArrival call do for every message that a port sends or receives.
func onSend(p sim.Port, do func(sim.Msg)) { on(p, sim.HookPosPortMsgSend, do) }

func onArrival(p sim.Port, do func(sim.Msg)) { on(p, sim.HookPosPortMsgRecvd, do) }

func on(p sim.Port, position *sim.HookPos, do func(sim.Msg)) {
	p.AcceptHook(&hook{func(ctx sim.HookCtx) {
		if ctx.Pos == position {
			do(ctx.Item.(sim.Msg))
		}
	}})
}
