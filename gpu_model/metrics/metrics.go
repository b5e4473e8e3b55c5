// Package metrics turns what a launch did into rows of MGPUSim's metric table: Location, What, Value, Unit. Names and
// definitions: docs/metrics.md.
package metrics

import (
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// Row is one row of the table.
type Row struct {
	Location string  `json:"location"`
	What     string  `json:"what"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
}

// gpu is the location of the GPU as MGPUSim numbers GPUs: 0 is the host.
const gpu = "GPU[1]"

// Units of the table. A row in shares of time is in seconds, as upstream's are.
const (
	unitCount    = "count"
	unitSecond   = "second"
	unitByte     = "byte"
	unitCycle    = "cycle"
	unitPerInst  = "cycles/inst"
	unitFraction = "fraction"
)

// table collects rows.
type table struct {
	rows   []Row
	second float64 // of a cycle
}

func (t *table) add(location, what string, value float64, unit string) {
	t.rows = append(t.rows, Row{location, what, value, unit})
}

func (t *table) count(location, what string, n uint64) {
	t.add(location, what, float64(n), unitCount)
}

// mean adds a latency: cycles in all, over n requests, in seconds.
func (t *table) mean(location, what string, cycles, n uint64) {
	if n != 0 {
		t.add(location, what, float64(cycles)/float64(n)*t.second, unitSecond)
	}
}

// Rows returns the rows of one launch on a GPU of the given parameters. A component that did nothing has no rows but for
// its instruction count.
func Rows(r *timing.Result, spec *gpuconfig.Spec) []Row {
	n := namesOf(spec)
	t := &table{rows: make([]Row, 0, n.expected), second: 1 / float64(spec.ClockHz)}
	t.launch(r)
	for i := range r.ComputeUnits {
		t.computeUnit(r, i, &n.units[i])
	}
	for i := range r.ShaderArrays {
		a := &r.ShaderArrays[i]
		for j := i * spec.Core.UnitsPerArray; j < (i+1)*spec.Core.UnitsPerArray; j++ {
			t.cache(n.units[j].l1v, &r.ComputeUnits[j].L1V)
			t.tlb(n.units[j].l1vTLB, &r.ComputeUnits[j].L1VTLB)
		}
		array := &n.arrays[i]
		t.cache(array.l1s, &a.L1S)
		t.tlb(array.l1sTLB, &a.L1STLB)
		t.cache(array.l1i, &a.L1I)
		t.tlb(array.l1iTLB, &a.L1ITLB)
	}
	t.tlb(gpu+".L2TLB", &r.L2TLB)
	for i := range r.Banks {
		t.cache(n.l2[i], &r.Banks[i].L2)
	}
	for i := range r.Banks {
		t.dram(n.dram[i], &r.Banks[i].DRAM)
	}
	return t.rows
}

// launch adds what concerns the whole launch.
func (t *table) launch(r *timing.Result) {
	t.add("Driver", "kernel_time", float64(r.Cycles)*t.second, unitSecond)
	t.add("Driver", "total_time", float64(r.End)*t.second, unitSecond)
	processor := gpu + ".CommandProcessor"
	t.add(processor, "kernel_time", float64(r.Cycles)*t.second, unitSecond)
	t.add(processor, "kernel_cycles", float64(r.Cycles), unitCycle)
	t.add(processor, "launch_tail_cycles", float64(r.TailCycles), unitCycle)
	cold := 0.0
	if r.Cold {
		cold = 1
	}
	t.add(processor, "cold_launches", cold, unitCount)
	t.count(processor, "wg_count", r.Workgroups)
	t.count(processor, "wf_count", r.Wavefronts)
	units := float64(len(r.ComputeUnits))
	for c := range timing.Causes {
		t.add(gpu, causeNames[c], r.Stack.Cycles(c)/units, unitCycle)
	}
}

// stackNames are the names of MGPUSim's CPI stacks.
var stackNames = [...]string{"CPIStack.VALU", "CPIStack.Scalar", "CPIStack.ScalarMem", "CPIStack.VMem", "CPIStack.LDS", "CPIStack.Branch",
	"CPIStack.Special", "CPIStack.Barrier", "CPIStack.Port", "CPIStack.Fetch", "CPIStack.Idle"}

// stackIndex tells which of the names a cause counts under.
var stackIndex = [timing.Causes]int{
	timing.CauseVALU: 0, timing.CauseVALUBusy: 0,
	timing.CauseScalar:       1,
	timing.CauseScalarMemory: 2, timing.CauseWaitScalar: 2,
	timing.CauseVectorMemory: 3, timing.CauseWaitVector: 3,
	timing.CauseLDS: 4, timing.CauseWaitLDS: 4,
	timing.CauseBranch: 5, timing.CauseSpecial: 6, timing.CauseBarrier: 7, timing.CausePort: 8,
	timing.CauseFetch:  9,
	timing.CauseLaunch: 10, timing.CauseIdle: 10, timing.CauseTail: 10,
}

func (t *table) computeUnit(r *timing.Result, i int, names *unitNames) {
	u := &r.ComputeUnits[i]
	location := names.unit
	n := float64(u.Instructions.Total)
	t.count(location, "cu_inst_count", u.Instructions.Total)
	if n == 0 {
		return
	}
	t.add(location, "cu_CPI", float64(r.Cycles)/n, unitPerInst)
	t.count(location, "simd_inst_count", u.Instructions.VALU)
	if u.Instructions.VALU != 0 {
		t.add(location, "simd_CPI", float64(r.Cycles)/float64(u.Instructions.VALU), unitPerInst)
	}
	t.count(location, "scalar_inst_count", u.Instructions.Scalar)
	t.count(location, "vmem_inst_count", u.Instructions.VMem)
	t.count(location, "lds_inst_count", u.Instructions.LDS)
	t.count(location, "branch_inst_count", u.Instructions.Branch)
	t.count(location, "special_inst_count", u.Instructions.Special)
	t.count(location, "wf_count", u.Wavefronts)
	t.count(location, "wg_count", u.Workgroups)
	var stack [len(stackNames)]float64
	for c := range timing.Causes {
		stack[stackIndex[c]] += u.Stack.Cycles(c)
	}
	for k, name := range stackNames {
		t.add(location, name, stack[k]/n, unitPerInst)
	}
	t.add(location, "CPIStack.total", u.Stack.Total()/n, unitPerInst)
	for k, x := range u.SIMD {
		t.count(names.simds[k], "inst_count", x)
	}
}

func (t *table) cache(location string, c *timing.CacheCounters) {
	if c.ReadHit+c.ReadMiss+c.ReadMSHRHit+c.WriteHit+c.WriteMiss+c.WriteMSHRHit == 0 {
		return
	}
	t.count(location, "read-hit", c.ReadHit)
	t.count(location, "read-miss", c.ReadMiss)
	t.count(location, "read-mshr-hit", c.ReadMSHRHit)
	t.count(location, "write-hit", c.WriteHit)
	t.count(location, "write-miss", c.WriteMiss)
	t.count(location, "write-mshr-hit", c.WriteMSHRHit)
	t.mean(location, "req_average_latency", c.LatencySum, c.Completed)
	t.count(location, "req_count", c.Completed)
}

func (t *table) tlb(location string, c *timing.TLBCounters) {
	all := c.Hit + c.Miss + c.MSHRHit
	if all == 0 {
		return
	}
	t.count(location, "hit", c.Hit)
	t.count(location, "miss", c.Miss)
	t.count(location, "mshr-hit", c.MSHRHit)
	t.add(location, "hit_rate", float64(c.Hit)/float64(all), unitFraction)
	t.mean(location, "req_average_latency", c.LatencySum, c.Completed)
	t.count(location, "req_count", c.Completed)
}

func (t *table) dram(location string, c *timing.DRAMCounters) {
	if c.ReadTransactions+c.WriteTransactions == 0 {
		return
	}
	t.count(location, "read_trans_count", c.ReadTransactions)
	t.count(location, "write_trans_count", c.WriteTransactions)
	t.mean(location, "read_avg_latency", c.ReadLatencySum, c.ReadTransactions)
	t.mean(location, "write_avg_latency", c.WriteLatencySum, c.WriteTransactions)
	if c.RowHits+c.RowMisses+c.RowConflicts != 0 {
		t.count(location, "row_hit_count", c.RowHits)
		t.count(location, "row_miss_count", c.RowMisses)
		t.count(location, "row_conflict_count", c.RowConflicts)
		t.count(location, "refresh_count", c.Refreshes)
	}
	t.add(location, "read_size", float64(c.ReadBytes), unitByte)
	t.add(location, "write_size", float64(c.WriteBytes), unitByte)
}
