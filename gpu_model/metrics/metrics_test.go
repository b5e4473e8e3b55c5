package metrics_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/casetest"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/metrics"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// sum adds the values of all rows whose location contains part.
func sum(rows []metrics.Row, part, what string) float64 {
	total := 0.0
	for _, r := range rows {
		if strings.Contains(r.Location, part) && r.What == what {
			total += r.Value
		}
	}
	return total
}

// TestRowsAddUp checks that the rows of the components add up to upstream's instruction counts and to the launch's own totals.
func TestRowsAddUp(t *testing.T) {
	dir, cases := casetest.Find(t, "gemm64_128x128x128", "relu_65536_wg64_x2", "spgemm_64x64x64_d60")
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			spec := casetest.Preset(t, "r9nano")
			casetest.Launch(t, dir, &c, spec, timing.Options{}, func(launch int, _ *emu.Program, r *timing.Result) {
				rows := metrics.Rows(r, &spec)
				var upstream map[string]float64
				if err := json.Unmarshal(c.Launches[launch].Counters["instructions"], &upstream); err != nil {
					t.Fatal(err)
				}
				for what, want := range map[string]float64{"cu_inst_count": upstream["total"], "simd_inst_count": upstream["VALU"],
					"vmem_inst_count": upstream["VMem"], "lds_inst_count": upstream["LDS"]} {
					if got := sum(rows, ".CU[", what); got != want {
						t.Errorf("%s: rows add up to %v, upstream counted %v", what, got, want)
					}
				}
				if got := sum(rows, ".SIMD[", "inst_count"); got != upstream["VALU"] {
					t.Errorf("SIMDs: rows add up to %v, upstream counted %v", got, upstream["VALU"])
				}
				for part, n := range map[string]uint64{".L1VCache[": r.L1V.ReadHit, ".L1SCache": r.L1S.ReadHit, ".L1ICache": r.L1I.ReadHit, ".L2Cache[": r.L2.ReadHit} {
					if got := sum(rows, part, "read-hit"); got != float64(n) {
						t.Errorf("%s read-hit: rows add up to %v, expected %d", part, got, n)
					}
				}
				for part, n := range map[string]uint64{".L1VTLB[": r.L1VTLB.Miss, ".L1STLB": r.L1STLB.Miss, ".L1ITLB": r.L1ITLB.Miss, ".L2TLB": r.L2TLB.Miss} {
					if got := sum(rows, part, "miss"); got != float64(n) {
						t.Errorf("%s miss: rows add up to %v, expected %d", part, got, n)
					}
				}
				if got := sum(rows, ".DRAM[", "read_size"); got != float64(r.DRAM.ReadBytes) {
					t.Errorf("DRAM read_size: rows add up to %v, expected %d", got, r.DRAM.ReadBytes)
				}
				checkTimes(t, rows, r)
			})
		})
	}
}

// checkTimes checks kernel times, and stacks against the CPI of their compute unit.
func checkTimes(t *testing.T, rows []metrics.Row, r *timing.Result) {
	t.Helper()
	if got := sum(rows, "Driver", "kernel_time"); math.Abs(got*1e9-float64(r.Cycles)) > 1e-6 {
		t.Errorf("kernel_time is %v s, expected %d cycles of 1 ns", got, r.Cycles)
	}
	stacks, cpi, cycles := map[string]float64{}, map[string]float64{}, 0.0
	seen := map[string]bool{}
	for _, row := range rows {
		if key := row.Location + " " + row.What; seen[key] {
			t.Errorf("two rows %s", key)
		} else {
			seen[key] = true
		}
		switch {
		case strings.HasPrefix(row.What, "CPIStack.") && row.What != "CPIStack.total":
			stacks[row.Location] += row.Value
		case row.What == "cu_CPI":
			cpi[row.Location] = row.Value
		case strings.HasPrefix(row.What, "cycles."):
			cycles += row.Value
		}
		if math.IsNaN(row.Value) || math.IsInf(row.Value, 0) || row.Value < 0 || row.Unit == "" {
			t.Errorf("row %+v: expected a finite value and a unit", row)
		}
	}
	if len(cpi) == 0 {
		t.Error("no compute unit has a row cu_CPI")
	}
	for location, want := range cpi {
		if got := stacks[location]; math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s: the CPI stack adds up to %v, cu_CPI is %v", location, got, want)
		}
	}
	if math.Abs(cycles-float64(r.Cycles)) > 1e-6 {
		t.Errorf("the rows cycles.* add up to %v, the kernel took %d", cycles, r.Cycles)
	}
}

// BenchmarkRows measures what the rows of a launch cost that uses the whole GPU.
func BenchmarkRows(b *testing.B) {
	spec, err := gpuconfig.Preset("r9nano")
	if err != nil {
		b.Fatal(err)
	}
	r := &timing.Result{Cycles: 1000, ComputeUnits: make([]timing.ComputeUnitCounts, 64), ShaderArrays: make([]timing.ShaderArrayCounts, 16), Banks: make([]timing.BankCounts, 16)}
	cache := timing.CacheCounters{ReadHit: 1, Completed: 1}
	tlb := timing.TLBCounters{Hit: 1, Completed: 1}
	for i := range r.ComputeUnits {
		r.ComputeUnits[i] = timing.ComputeUnitCounts{Instructions: timing.InstructionCounts{Total: 10, VALU: 5}, SIMD: make([]uint64, 4), L1V: cache, L1VTLB: tlb}
	}
	for i := range r.ShaderArrays {
		r.ShaderArrays[i] = timing.ShaderArrayCounts{L1S: cache, L1I: cache, L1STLB: tlb, L1ITLB: tlb}
	}
	for i := range r.Banks {
		r.Banks[i] = timing.BankCounts{L2: cache, DRAM: timing.DRAMCounters{ReadTransactions: 1}}
	}
	b.ReportAllocs()
	for b.Loop() {
		b.ReportMetric(float64(len(metrics.Rows(r, &spec))), "rows")
	}
}
