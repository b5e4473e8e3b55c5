package timing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/casetest"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// effects has, for every parameter, a change of it and a case of the reference whose cycles or misses change with it. Parameters before the
// change set the scene, for what binds only beside others.
var effects = []struct{ key, value, name, scene string }{
	{"core.shader_arrays", "8", "cp1_512KB_256wg", ""},
	{"core.compute_units_per_array", "2", "cp1_512KB_256wg", ""},
	{"core.simds", "2", "vmac_dep_1x1024_i16", ""},
	{"core.wavefronts_per_simd", "2", "vadd_dep_640x256_i4", ""},
	{"core.vgprs_per_simd", "4096", "occ_vgpr64", ""},
	{"core.sgprs", "640", "rd4_2048KB_512wg", ""},
	{"core.lds_bytes", "32768", "occ_lds16384", ""},
	{"core.vgpr_granularity", "16", "occ_vgpr24", ""},
	{"core.sgpr_granularity", "24", "rd4_2048KB_512wg", "core.sgprs=1280"},
	{"core.lds_granularity", "65536", "occ_lds16384", ""},
	{"core.valu_cycles", "8", "vmac_dep_1x64_i16", ""},
	{"core.valu_f64_cycles", "16", "vaddf64_dep_1x64_i8", ""},
	{"core.lds_cycles", "28", "lds_chase_s1_1x1024_i16", ""},
	{"fetch.buffer_bytes", "128", "icache_24KB_1x64_i1", ""},
	{"vmem.instruction_stages", "12", "gchase_8KB_s64_h128", ""},
	{"vmem.transaction_stages", "20", "gchase_8KB_s64_h128", ""},
	{"vmem.in_flight", "64", "cp4_512KB_128wg", ""},
	{"l1v.bytes", "4096", "gchase_8KB_s64_h512", ""},
	{"l1v.ways", "1", "conv3_16x28x28_16", ""},
	{"l1v.bank_latency", "40", "gchase_8KB_s64_h512", ""},
	{"l1v.directory_latency", "8", "gchase_8KB_s64_h128", ""},
	{"l1v.requests_per_cycle", "1", "strided_rd_s16", ""},
	{"l1v.reorder_entries", "64", "cp4_512KB_128wg", ""},
	{"l1s.bytes", "1024", "schase_8KB_h512", ""},
	{"l1s.bank_latency", "10", "schase_64B_h256", ""},
	{"l1s.directory_latency", "10", "schase_64B_h256", ""},
	{"l1i.bytes", "8192", "icache_24KB_1x64_i4", ""},
	{"l1i.ways", "1", "icache_36KB_1x64_i4", ""},
	{"l1i.bank_latency", "10", "icache_24KB_1x64_i4", ""},
	{"l1i.directory_latency", "10", "icache_24KB_1x64_i4", ""},
	{"l1i.mshrs", "1", "icache_36KB_16x64_i2", ""},
	{"l1i.requests_per_cycle", "1", "rd4_512KB_128wg", ""},
	{"l1i.reorder_entries", "4", "rd4_512KB_128wg", ""},
	{"l1i.reorder_per_cycle", "1", "rd4_512KB_128wg", ""},
	{"l2.banks", "4", "rd4_512KB_128wg", ""},
	{"l2.bank_bytes", "2048", "gchase_255KB_s320_h1632", ""},
	{"l2.ways", "1", "gchase_255KB_s320_h1632", "l2.bank_bytes=2048"},
	{"l2.interleave_bytes", "4096", "transpose_naive_256x256", ""},
	{"l2.bank_latency", "20", "gchase_255KB_s320_h1632", ""},
	{"l2.mshrs_per_bank", "1", "rd4_512KB_128wg", ""},
	{"l2.requests_per_cycle", "1", "rd4_1024KB_256wg_x2", ""},
	{"l1v_tlb.sets", "1", "gchase_page_200_h400", ""},
	{"l1v_tlb.ways", "4", "gchase_page_200_h400", ""},
	{"l1v_tlb.mshrs", "1", "cp4_512KB_128wg", ""},
	{"l1v_tlb.latency", "5", "gchase_8KB_s64_h128", ""},
	{"l1s_tlb.sets", "16", "schase_64KB_h2048", "l1s_tlb.ways=1"},
	{"l1s_tlb.ways", "1", "schase_64KB_h2048", ""},
	{"l1s_tlb.latency", "8", "schase_64B_h256", ""},
	{"l1i_tlb.sets", "16", "icache_64KB_1x64_i3", "l1i_tlb.ways=1"},
	{"l1i_tlb.ways", "1", "icache_64KB_1x64_i3", ""},
	{"l1i_tlb.latency", "8", "icache_64KB_1x64_i1", ""},
	{"l2_tlb.sets", "1", "gchase_page_1024_h2048", ""},
	{"l2_tlb.ways", "4", "gchase_page_1024_h2048", "l2_tlb.sets=16"},
	{"l2_tlb.mshrs", "1", "rd4_512KB_128wg", ""},
	{"l2_tlb.requests_per_cycle", "1", "cp4_512KB_128wg", ""},
	{"l2_tlb.latency", "20", "gchase_page_512_h1024", ""},
	{"mmu.walk_cycles", "200", "gchase_page_64_h64", ""},
	{"mmu.walks_in_flight", "1", "rd4_512KB_128wg", ""},
	{"dram.kind", "banked", "gchase_1MB_s320_h3272", ""},
	{"dram.latency", "200", "gchase_1MB_s320_h3272", ""},
	{"dram.requests_per_cycle", "2", "wr4_4096KB_512wg_x2", ""},
	{"dram.bytes_per_cycle", "64", "rd4_512KB_128wg", "hbm"},
	{"dram.channels", "16", "rd4_512KB_128wg", "hbm"},
	{"dram.banks", "1", "rd4_512KB_128wg", "hbm"},
	{"dram.row_bytes", "64", "rd4_512KB_128wg", "hbm"},
	{"dram.controller_cycles", "100", "gchase_1MB_s320_h3272", "hbm"},
	{"dram.t_rcd", "28", "gchase_1MB_s320_h3272", "hbm"},
	{"dram.t_rp", "28", "rd4_512KB_128wg", "hbm dram.banks=1"},
	{"dram.t_cl", "28", "gchase_1MB_s320_h3272", "hbm"},
	{"dram.t_ras", "400", "rd4_512KB_128wg", "hbm dram.banks=1"},
	{"dram.t_wr", "400", "cp1_4096KB_4096wg", "hbm dram.banks=1"},
	{"dram.t_refi", "1000", "gchase_1MB_s320_h3272", "hbm"},
	{"dram.t_rfc", "1000", "gchase_1MB_s320_h3272", "hbm"},
	{"link.cycles", "10", "gchase_255KB_s320_h1632", ""},
	{"link.bank_bytes_per_cycle", "4", "rd4_512KB_128wg", ""},
	{"link.compute_unit_bytes_per_cycle", "4", "rd4_512KB_128wg", ""},
	{"link.request_bytes", "128", "rd4_512KB_128wg", "hbm"},
	{"dispatcher.dispatchers", "1", "empty_1024wg_256", ""},
	{"dispatcher.tail_cycles", "100", "empty_1wg_64", ""},
}

// noCycles are the parameters that change something else than cycles, can't be changed, or bind only in patterns that no case has.
var noCycles = []string{"name", "clock_hz", "fetch.line_bytes", "dram.bytes", "l1s.ways", "l1s.requests_per_cycle",
	"host.link_cycles", "host.link_bytes_per_cycle"}

// TestParametersTakeEffect checks that every parameter does what it says where it says so: it changes the cycles or misses of a case, or is
// marked as having no effect.
func TestParametersTakeEffect(t *testing.T) {
	covered := map[string]bool{}
	for _, key := range noCycles {
		covered[key] = true
	}
	baseline := map[string]string{}
	for _, x := range effects {
		covered[x.key] = true
		s := scene(t, x.scene)
		key := x.scene + " " + x.name
		if baseline[key] == "" {
			baseline[key] = cyclesOf(t, x.name, s)
		}
		if err := s.Set(x.key, x.value); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		if got := cyclesOf(t, x.name, s); got == baseline[key] {
			t.Errorf("%s = %s (%s): %s takes %scycles and misses as before", x.key, x.value, x.scene, x.name, got)
		}
	}
	spec := casetest.Preset(t, "r9nano")
	for _, p := range spec.List() {
		if covered[p.Key] == gpuconfig.Listed(p.Key) {
			t.Errorf("%s: expected a change that takes effect, or that it is marked as listed only", p.Key)
		}
	}
}

func scene(t *testing.T, text string) gpuconfig.Spec {
	t.Helper()
	s := casetest.Preset(t, "r9nano")
	for _, one := range strings.Fields(text) {
		if one == "hbm" {
			s = casetest.Preset(t, "r9nano-hbm")
			continue
		}
		key, value, _ := strings.Cut(one, "=")
		if err := s.Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// cyclesOf returns the cycles and the misses of a case's launches.
func cyclesOf(t *testing.T, name string, s gpuconfig.Spec) (cycles string) {
	t.Helper()
	dir, cases := casetest.Find(t, name)
	casetest.Launch(t, dir, &cases[0], s, timing.Options{}, func(_ int, _ *emu.Program, r *timing.Result) {
		cycles += fmt.Sprint(r.Cycles, r.L1V.ReadMiss, r.L1S.ReadMiss, r.L1I.ReadMiss, r.L2.ReadMiss, r.L1ITLB.Miss, " ")
	})
	return cycles
}
