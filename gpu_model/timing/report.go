package timing

import (
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
)

// resetCounters begins a launch's counting.
func (g *GPU) resetCounters() {
	g.mmu.counters = TLBCounters{}
	for i := range g.banks {
		b := &g.banks[i]
		b.counters, b.dram.counters, b.bytes = CacheCounters{}, DRAMCounters{}, 0
	}
	for _, a := range g.arrays {
		a.countL1S, a.countL1I = CacheCounters{}, CacheCounters{}
		a.l1sTLB.counters, a.l1iTLB.counters = TLBCounters{}, TLBCounters{}
		a.fetches, a.firstInstruction, a.lastInstruction = 0, never, 0
		a.fault, a.has = nil, 0
		for i := range a.units {
			u := &a.units[i]
			u.counts, u.perSIMD, u.busy, u.waveCount, u.groups = InstructionCounts{}, [4]uint64{}, 0, 0, 0
			u.tlb.counters, u.countL1V = TLBCounters{}, CacheCounters{}
			u.stack.reset(g.now)
		}
	}
}

func (c *CacheCounters) add(o *CacheCounters) {
	c.ReadHit += o.ReadHit
	c.ReadMiss += o.ReadMiss
	c.ReadMSHRHit += o.ReadMSHRHit
	c.WriteHit += o.WriteHit
	c.WriteMiss += o.WriteMiss
	c.WriteMSHRHit += o.WriteMSHRHit
	c.RequestsRead += o.RequestsRead
	c.RequestsWrite += o.RequestsWrite
	c.LatencySum += o.LatencySum
	c.Completed += o.Completed
}

func (c *TLBCounters) add(o *TLBCounters) {
	c.Hit += o.Hit
	c.Miss += o.Miss
	c.MSHRHit += o.MSHRHit
	c.Completed += o.Completed
	c.LatencySum += o.LatencySum
}

func (c *DRAMCounters) add(o *DRAMCounters) {
	c.ReadTransactions += o.ReadTransactions
	c.ReadBytes += o.ReadBytes
	c.WriteTransactions += o.WriteTransactions
	c.WriteBytes += o.WriteBytes
	c.RowHits += o.RowHits
	c.RowMisses += o.RowMisses
	c.RowConflicts += o.RowConflicts
	c.Refreshes += o.Refreshes
	c.ReadLatencySum += o.ReadLatencySum
	c.WriteLatencySum += o.WriteLatencySum
}

func (c *InstructionCounts) add(o *InstructionCounts) {
	c.Total += o.Total
	c.VALU += o.VALU
	c.Scalar += o.Scalar
	c.VMem += o.VMem
	c.LDS += o.LDS
	c.Branch += o.Branch
	c.Special += o.Special
}

func (g *GPU) instructions() uint64 {
	n := uint64(0)
	for _, a := range g.arrays {
		for i := range a.units {
			n += a.units[i].counts.Total
		}
	}
	return n
}

// finish ends the launch's time and adds up its counters.
func (g *GPU) finish(r *run, err error) Result {
	t := &g.spec.Dispatcher
	end := max(r.end(), g.now)
	if err != nil {
		end = g.now
		g.evict()
	}
	res := Result{Begin: r.begin, End: end, Cycles: end - r.begin, TailCycles: uint64(t.TailCycles), Workgroups: uint64(r.d.done),
		WorkgroupsSkipped: r.launch.Groups() - uint64(r.d.total), L1VTLB: TLBCounters{}, L2TLB: g.mmu.counters}
	first, last := never, uint64(0)
	for _, a := range g.arrays {
		first, last = min(first, a.firstInstruction), max(last, a.lastInstruction)
		res.L1S.add(&a.countL1S)
		res.L1I.add(&a.countL1I)
		res.L1STLB.add(&a.l1sTLB.counters)
		res.L1ITLB.add(&a.l1iTLB.counters)
		res.InstructionFetches += a.fetches
		res.ShaderArrays = append(res.ShaderArrays, ShaderArrayCounts{L1S: a.countL1S, L1I: a.countL1I, L1STLB: a.l1sTLB.counters, L1ITLB: a.l1iTLB.counters})
		for i := range a.units {
			u := &a.units[i]
			res.Instructions.add(&u.counts)
			res.L1V.add(&u.countL1V)
			res.L1VTLB.add(&u.tlb.counters)
			u.stack.finish(r.d.lastFinished, end)
			res.Stack.add(&u.stack.Stack)
			res.Wavefronts += u.waveCount
			res.BusyShare += float64(u.busy)
			if u.groups > 0 {
				res.ComputeUnitsUsed++
			}
			c := ComputeUnitCounts{Instructions: u.counts, BusyCycles: u.busy, Wavefronts: u.waveCount, Workgroups: u.groups,
				L1V: u.countL1V, L1VTLB: u.tlb.counters, Stack: u.stack.Stack}
			c.SIMD = append(c.SIMD, u.perSIMD[:g.spec.Core.SIMDs]...)
			res.ComputeUnits = append(res.ComputeUnits, c)
		}
	}
	if first != never {
		res.FirstInstruction = first - r.begin
		res.LastInstruction = last - r.begin
	}
	res.LastWorkgroup = max(r.d.lastFinished, r.begin) - r.begin
	res.FirstWorkgroup = g.lat.dispatch
	res.BusyShare /= float64(g.unitCount()) * max(1, float64(res.Cycles-min(res.Cycles, res.TailCycles)))
	for i := range g.banks {
		b := &g.banks[i]
		res.L2.add(&b.counters)
		res.DRAM.add(&b.dram.counters)
		res.L2Bytes += b.bytes
		res.Banks = append(res.Banks, BankCounts{L2: b.counters, DRAM: b.dram.counters})
	}
	res.DRAMBytes = res.DRAM.ReadBytes + res.DRAM.WriteBytes
	res.Profile = g.takeProfile()
	g.now = end
	g.run = nil
	return res
}

// evict empties the compute units after a launch that did not end.
func (g *GPU) evict() {
	for i, a := range g.arrays {
		fresh := newShaderArray(g, i)
		g.arrays[i] = fresh
		fresh.countL1S, fresh.countL1I = a.countL1S, a.countL1I
		for j := range a.units {
			fresh.units[j].counts, fresh.units[j].countL1V = a.units[j].counts, a.units[j].countL1V
		}
	}
	g.engine = newMailbox(len(g.banks))
	g.sortMail()
	g.mmu.abandon()
}

func (g *GPU) firstFault() error {
	var first *shaderArray
	for _, a := range g.arrays {
		if a.has&hasFault != 0 && (first == nil || a.faultAt < first.faultAt) {
			first = a
		}
	}
	if first == nil {
		return nil
	}
	return first.fault
}

// overBudget ends a launch that used up its budget, at the instruction of one of its wavefronts.
func (g *GPU) overBudget(r *run) error {
	reason := emu.OverBudget(r.launch.MaxInstructions)
	for _, a := range g.arrays {
		for i := range a.units {
			for s := range a.units[i].waves {
				w := &a.units[i].waves[s]
				if w.emu == nil || w.emu.Ended || int(w.emu.PC) >= len(a.units[i].ops) {
					continue
				}
				w.emu.Fail(&a.units[i].ops[w.emu.PC], "%s", reason)
				return w.emu.Fault
			}
		}
	}
	return fmt.Errorf("kernel %q: %s", r.launch.Kernel.Name, reason)
}

func (g *GPU) reportProgress(r *run) {
	if p := r.options.Progress; p != nil {
		p(Progress{WorkgroupsDone: uint64(r.d.done), WorkgroupsTotal: uint64(r.d.total), Instructions: g.instructions(), Cycle: g.now - r.begin})
	}
}
