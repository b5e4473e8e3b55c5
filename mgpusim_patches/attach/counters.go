package attach

import (
	"fmt"
	"sort"
	"strings"
	"sync/atomic"

	"github.com/sarchlab/akita/v4/mem/mem"
	"github.com/sarchlab/akita/v4/sim"
	"github.com/sarchlab/akita/v4/tracing"
	"github.com/sarchlab/mgpusim/v4/amd/protocol"
	"github.com/sarchlab/mgpusim/v4/amd/timing/wavefront"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// counters count what upstream's tracing tells, per component, in the form of our own model's results.
type counters struct {
	gpu     *GPU
	result  timing.Result
	kernels kernelTimes
	units   []*unitTracer

	fetches, budget, before uint64
	exceeded                func(n uint64)
	completed               atomic.Uint64 // wavefront instructions; this and the next are read by other goroutines too
	groupsDone              atomic.Uint64
}

// kernelTimes are the cycles of one launch at the command processor.
type kernelTimes struct {
	received, done     uint64 // launch request received, completed
	lastWorkgroup      uint64 // last work-group reported finished
	firstWorkgroup     uint64
	firstStart, lastAt uint64 // of instructions
	started, over      bool
	task               string // of the launch, in upstream's tracing
}

func newCounters(g *GPU) *counters {
	c := &counters{gpu: g}
	c.reset()
	tracing.CollectTrace(g.CommandProcessor, &kernelTracer{c})
	for i, u := range g.ComputeUnits {
		t := &unitTracer{counters: c, index: i, inFlight: map[string]*wavefront.Inst{}, waves: map[string]*wavefront.Wavefront{}}
		c.units = append(c.units, t)
		tracing.CollectTrace(u, t)
		onArrival(u.ToACE, func(m sim.Msg) {
			if request, ok := m.(*protocol.MapWGReq); ok {
				c.workgroup(i, request)
			}
		})
		onSend(u.ToInstMem, func(sim.Msg) { c.fetches++ })
	}
	onArrival(g.CommandProcessor.ToCUs, func(m sim.Msg) {
		if done, ok := m.(*protocol.WGCompletionMsg); ok {
			c.groupsDone.Add(uint64(len(done.RspTo)))
			c.kernels.lastWorkgroup = g.Cycle()
		}
	})
	for i, x := range g.L1V {
		trace(c, x, func() *timing.CacheCounters { return &c.result.ComputeUnits[i].L1V })
	}
	for i, x := range g.L1S {
		trace(c, x, func() *timing.CacheCounters { return &c.result.ShaderArrays[i].L1S })
	}
	for i, x := range g.L1I {
		trace(c, x, func() *timing.CacheCounters { return &c.result.ShaderArrays[i].L1I })
	}
	for i, x := range g.L2 {
		trace(c, x, func() *timing.CacheCounters { return &c.result.Banks[i].L2 })
	}
	for i, x := range g.L1VTLB {
		traceTLB(c, x, func() *timing.TLBCounters { return &c.result.ComputeUnits[i].L1VTLB })
	}
	for i, x := range g.L1STLB {
		traceTLB(c, x, func() *timing.TLBCounters { return &c.result.ShaderArrays[i].L1STLB })
	}
	for i, x := range g.L1ITLB {
		traceTLB(c, x, func() *timing.TLBCounters { return &c.result.ShaderArrays[i].L1ITLB })
	}
	if g.L2TLB != nil {
		traceTLB(c, g.L2TLB, func() *timing.TLBCounters { return &c.result.L2TLB })
	}
	for i, x := range g.DRAM {
		tracing.CollectTrace(x, &dramTracer{c, i, map[string]uint64{}})
	}
	return c
}

// reset begins the counts of a launch.
func (c *counters) reset() {
	c.result = timing.Result{ComputeUnits: make([]timing.ComputeUnitCounts, len(c.gpu.ComputeUnits)), ShaderArrays: make([]timing.ShaderArrayCounts, len(c.gpu.L1S)),
		Banks: make([]timing.BankCounts, len(c.gpu.L2))}
	for i := range c.result.ComputeUnits {
		c.result.ComputeUnits[i].SIMD = make([]uint64, 4)
	}
	c.kernels, c.fetches = kernelTimes{}, 0
	c.groupsDone.Store(0)
	c.before = c.completed.Load()
	for _, u := range c.units {
		u.busy = 0
	}
}

// counting tells whether a kernel is under way: only what happens within its time belongs to it.
func (c *counters) counting() bool { return c.kernels.started && !c.kernels.over }

// workgroup notes that a compute unit receives a work-group.
func (c *counters) workgroup(unit int, request *protocol.MapWGReq) {
	if c.result.Workgroups == 0 {
		c.kernels.firstWorkgroup = c.gpu.Cycle()
	}
	c.result.Workgroups++
	c.result.Wavefronts += uint64(len(request.Wavefronts))
	c.result.ComputeUnits[unit].Workgroups++
	c.result.ComputeUnits[unit].Wavefronts += uint64(len(request.Wavefronts))
}

// finish returns the counts of the launch that is over.
func (c *counters) finish() timing.Result {
	r, k := c.result, &c.kernels
	r.Begin, r.End, r.Cycles, r.TailCycles = k.received, k.done, k.done-k.received, k.done-k.lastWorkgroup
	since := func(at uint64) uint64 { return max(at, k.received) - k.received }
	r.FirstWorkgroup, r.FirstInstruction, r.LastInstruction, r.LastWorkgroup = since(k.firstWorkgroup), since(k.firstStart), since(k.lastAt), since(k.lastWorkgroup)
	r.InstructionFetches = c.fetches
	busy := uint64(0)
	for i := range r.ComputeUnits {
		u := &r.ComputeUnits[i]
		u.BusyCycles = c.units[i].busy
		busy += u.BusyCycles
		if u.Workgroups > 0 {
			r.ComputeUnitsUsed++
		}
		addInstructions(&r.Instructions, &u.Instructions)
		addCache(&r.L1V, &u.L1V)
		addTLB(&r.L1VTLB, &u.L1VTLB)
	}
	if span := r.Cycles - r.TailCycles; span > 0 {
		r.BusyShare = float64(busy) / float64(span) / float64(len(r.ComputeUnits))
	}
	for i := range r.ShaderArrays {
		a := &r.ShaderArrays[i]
		addCache(&r.L1S, &a.L1S)
		addCache(&r.L1I, &a.L1I)
		addTLB(&r.L1STLB, &a.L1STLB)
		addTLB(&r.L1ITLB, &a.L1ITLB)
	}
	for i := range r.Banks {
		b := &r.Banks[i]
		addCache(&r.L2, &b.L2)
		r.DRAM.ReadTransactions += b.DRAM.ReadTransactions
		r.DRAM.ReadBytes += b.DRAM.ReadBytes
		r.DRAM.WriteTransactions += b.DRAM.WriteTransactions
		r.DRAM.WriteBytes += b.DRAM.WriteBytes
	}
	r.DRAMBytes = r.DRAM.ReadBytes + r.DRAM.WriteBytes
	return r
}

// total returns what all compute units have completed so far.
func (c *counters) total() uint64 { return c.completed.Load() }

// kernelTracer takes the times of a launch at the command processor, as upstream's kernel_time does.
type kernelTracer struct{ c *counters }

func (t *kernelTracer) StartTask(task tracing.Task) {
	if _, ok := task.Detail.(*protocol.LaunchKernelReq); ok && task.Kind == "req_in" {
		t.c.kernels.received, t.c.kernels.started, t.c.kernels.over, t.c.kernels.task = t.c.gpu.Cycle(), true, false, task.ID
	}
}

func (t *kernelTracer) EndTask(task tracing.Task) {
	if t.c.counting() && task.ID == t.c.kernels.task {
		t.c.kernels.done, t.c.kernels.over = t.c.gpu.Cycle(), true
	}
}

func (t *kernelTracer) StepTask(tracing.Task)          {}
func (t *kernelTracer) AddMilestone(tracing.Milestone) {}

// unitTracer counts the instructions of a compute unit, and knows those under way.
type unitTracer struct {
	*counters
	index     int
	inFlight  map[string]*wavefront.Inst
	waves     map[string]*wavefront.Wavefront // by instruction
	resident  map[string]bool
	busySince uint64
	busy      uint64
}

func (t *unitTracer) StartTask(task tracing.Task) {
	switch task.Kind {
	case "wavefront":
		if t.resident == nil {
			t.resident = map[string]bool{}
		}
		if len(t.resident) == 0 {
			t.busySince = t.gpu.Cycle()
		}
		t.resident[task.ID] = true
	case "inst":
		detail, _ := task.Detail.(map[string]interface{})
		inst, ok := detail["inst"].(*wavefront.Inst)
		if !ok {
			return
		}
		if t.kernels.firstStart == 0 {
			t.kernels.firstStart = t.gpu.Cycle()
		}
		t.inFlight[task.ID] = inst
		if wave, ok := detail["wf"].(*wavefront.Wavefront); ok {
			t.waves[task.ID] = wave
		}
		count(&t.result.ComputeUnits[t.index].Instructions, task.What)
		if wave := t.waves[task.ID]; wave != nil && task.What == "VALU" {
			t.result.ComputeUnits[t.index].SIMD[wave.SIMDID]++
		}
	}
}

func (t *unitTracer) EndTask(task tracing.Task) {
	if t.resident[task.ID] {
		delete(t.resident, task.ID)
		if len(t.resident) == 0 {
			t.busy += t.gpu.Cycle() - t.busySince
		}
		return
	}
	if _, ok := t.inFlight[task.ID]; !ok {
		return
	}
	delete(t.inFlight, task.ID)
	delete(t.waves, task.ID)
	t.result.ComputeUnits[t.index].Instructions.Total++
	t.kernels.lastAt = t.gpu.Cycle()
	if n := t.completed.Add(1) - t.before; t.budget > 0 && n > t.budget {
		t.exceeded(n)
	}
}

func (t *unitTracer) StepTask(tracing.Task)          {}
func (t *unitTracer) AddMilestone(tracing.Milestone) {}

// count adds an instruction to its issue unit, as upstream names them.
func count(n *timing.InstructionCounts, unit string) {
	switch unit {
	case "VALU":
		n.VALU++
	case "Scalar":
		n.Scalar++
	case "VMem":
		n.VMem++
	case "LDS", "GDS":
		n.LDS++
	case "Branch":
		n.Branch++
	default:
		n.Special++
	}
}

// underWay describes instructions that have been issued and are not complete, at most n of them, and the wavefronts that have not ended.
func (c *counters) underWay(n int) string {
	var text []string
	resident := 0
	for _, u := range c.units {
		resident += len(u.resident)
		for id, inst := range u.inFlight {
			where := u.gpu.ComputeUnits[u.index].Name()
			if wave := u.waves[id]; wave != nil {
				text = append(text, fmt.Sprintf("%s at PC 0x%x on %s", inst.InstName, wave.PC(), where))
			} else {
				text = append(text, fmt.Sprintf("%s on %s", inst.InstName, where))
			}
		}
	}
	sort.Strings(text)
	more := ""
	if len(text) > n {
		more = fmt.Sprintf(" and %d others", len(text)-n)
		text = text[:n]
	}
	if len(text) == 0 {
		return fmt.Sprintf("%d wavefronts have not ended, no instruction is under way", resident)
	}
	return fmt.Sprintf("%d wavefronts have not ended; under way: %s%s", resident, strings.Join(text, ", "), more)
}

// cacheTracer counts requests and tag results of one cache.
type cacheTracer struct {
	c     *counters
	at    func() *timing.CacheCounters
	since map[string]uint64
}

func trace(c *counters, x tracing.NamedHookable, at func() *timing.CacheCounters) {
	tracing.CollectTrace(x, &cacheTracer{c, at, map[string]uint64{}})
}

func (t *cacheTracer) StartTask(task tracing.Task) {
	if task.Kind != "req_in" || !t.c.counting() {
		return
	}
	switch task.Detail.(type) {
	case *mem.ReadReq:
		t.at().RequestsRead++
	case *mem.WriteReq:
		t.at().RequestsWrite++
	default:
		return
	}
	t.since[task.ID] = t.c.gpu.Cycle()
}

func (t *cacheTracer) StepTask(task tracing.Task) {
	if !t.c.counting() {
		return
	}
	n := t.at()
	switch task.Steps[0].What {
	case "read-hit":
		n.ReadHit++
	case "read-miss":
		n.ReadMiss++
	case "read-mshr-hit":
		n.ReadMSHRHit++
	case "write-hit":
		n.WriteHit++
	case "write-miss":
		n.WriteMiss++
	case "write-mshr-hit":
		n.WriteMSHRHit++
	}
}

func (t *cacheTracer) EndTask(task tracing.Task) {
	begin, ok := t.since[task.ID]
	if !ok {
		return
	}
	delete(t.since, task.ID)
	if t.c.counting() {
		n := t.at()
		n.Completed++
		n.LatencySum += t.c.gpu.Cycle() - begin
	}
}

func (t *cacheTracer) AddMilestone(tracing.Milestone) {}

// tlbTracer counts translations.
type tlbTracer struct {
	c     *counters
	at    func() *timing.TLBCounters
	since map[string]uint64
}

func traceTLB(c *counters, x tracing.NamedHookable, at func() *timing.TLBCounters) {
	tracing.CollectTrace(x, &tlbTracer{c, at, map[string]uint64{}})
}

func (t *tlbTracer) StartTask(task tracing.Task) {
	if task.Kind == "req_in" && t.c.counting() {
		t.since[task.ID] = t.c.gpu.Cycle()
	}
}

func (t *tlbTracer) StepTask(task tracing.Task) {
	if !t.c.counting() {
		return
	}
	switch task.Steps[0].What {
	case "hit":
		t.at().Hit++
	case "miss":
		t.at().Miss++
	case "mshr-hit":
		t.at().MSHRHit++
	}
}

func (t *tlbTracer) EndTask(task tracing.Task) {
	begin, ok := t.since[task.ID]
	if !ok {
		return
	}
	delete(t.since, task.ID)
	if t.c.counting() {
		t.at().Completed++
		t.at().LatencySum += t.c.gpu.Cycle() - begin
	}
}

func (t *tlbTracer) AddMilestone(tracing.Milestone) {}

// dramTracer counts completed transactions of a memory controller; a write's bytes are negative, less one.
type dramTracer struct {
	c     *counters
	index int
	bytes map[string]uint64
}

const isWrite = 1 << 63

func (t *dramTracer) StartTask(task tracing.Task) {
	switch request := task.Detail.(type) {
	case *mem.ReadReq:
		t.bytes[task.ID] = request.AccessByteSize
	case *mem.WriteReq:
		t.bytes[task.ID] = uint64(len(request.Data)) | isWrite
	}
}

func (t *dramTracer) EndTask(task tracing.Task) {
	bytes, ok := t.bytes[task.ID]
	if !ok {
		return
	}
	delete(t.bytes, task.ID)
	if !t.c.counting() {
		return
	}
	d := &t.c.result.Banks[t.index].DRAM
	if bytes&isWrite != 0 {
		d.WriteTransactions++
		d.WriteBytes += bytes &^ isWrite
	} else {
		d.ReadTransactions++
		d.ReadBytes += bytes
	}
}

func (t *dramTracer) StepTask(tracing.Task)          {}
func (t *dramTracer) AddMilestone(tracing.Milestone) {}

func addInstructions(to, n *timing.InstructionCounts) {
	to.Total += n.Total
	to.VALU += n.VALU
	to.Scalar += n.Scalar
	to.VMem += n.VMem
	to.LDS += n.LDS
	to.Branch += n.Branch
	to.Special += n.Special
}

func addCache(to, n *timing.CacheCounters) {
	to.ReadHit += n.ReadHit
	to.ReadMiss += n.ReadMiss
	to.ReadMSHRHit += n.ReadMSHRHit
	to.WriteHit += n.WriteHit
	to.WriteMiss += n.WriteMiss
	to.WriteMSHRHit += n.WriteMSHRHit
	to.RequestsRead += n.RequestsRead
	to.RequestsWrite += n.RequestsWrite
	to.LatencySum += n.LatencySum
	to.Completed += n.Completed
}

func addTLB(to, n *timing.TLBCounters) {
	to.Hit += n.Hit
	to.Miss += n.Miss
	to.MSHRHit += n.MSHRHit
	to.Completed += n.Completed
	to.LatencySum += n.LatencySum
}
