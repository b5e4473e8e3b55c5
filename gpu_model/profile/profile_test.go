package profile_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/casetest"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/profile"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// TestProfileAddsUp checks that a kernel's listing and the cycles elsewhere add up to the kernel's cycles, and the issues to its
// instructions.
func TestProfileAddsUp(t *testing.T) {
	dir, cases := casetest.Find(t, "gemm64_128x128x128", "reduce_64x4", "icache_36KB_1x256_i2", "store_wait_1x64_i4")
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			casetest.Launch(t, dir, &c, casetest.Preset(t, "r9nano"), timing.Options{Profile: true}, func(_ int, p *emu.Program, r *timing.Result) {
				k := profile.Of(p, r)
				cycles, issues := 0.0, uint64(0)
				for _, x := range k.Elsewhere {
					cycles += x
				}
				for _, i := range k.Instructions {
					issues += i.Issues
					for _, x := range i.Cycles {
						cycles += x
					}
				}
				if math.Abs(cycles-float64(r.Cycles)) > 1e-6 {
					t.Errorf("the profile adds up to %v cycles, the kernel took %d", cycles, r.Cycles)
				}
				if issues != r.Instructions.Total {
					t.Errorf("the profile adds up to %d issues, the kernel had %d", issues, r.Instructions.Total)
				}
				ends := uint64(0)
				for _, i := range k.Instructions {
					if strings.HasPrefix(i.Text, "s_endpgm") {
						ends += i.Issues
					}
				}
				if ends != r.Wavefronts {
					t.Errorf("expected %d wavefronts to issue s_endpgm, got %d", r.Wavefronts, ends)
				}
			})
		})
	}
}

// TestCauses checks with benchmarks that isolate one property each what most of the time with wavefronts is charged to, and to which instruction.
func TestCauses(t *testing.T) {
	for _, x := range []struct{ name, causes, instruction string }{
		{"vmac_dep_1x64_i16", "valu", "v_"},
		{"vmac_ind8_1x1024_i16", "valu valu_busy", "v_"},
		{"salu_dep_1x64_i16", "scalar", "s_"},
		{"salu_dep_1x1024_i16", "port scalar", "s_"},
		{"lds_chase_s1_1x64_i16", "lds", "ds_"},
		{"lds_stride_s32_1x1024_i24", "port", "ds_"},
		{"gchase_1MB_s320_h3272", "wait_vector_memory", "s_waitcnt"},
		{"schase_8KB_h512", "wait_scalar_memory", "s_waitcnt"},
		{"store_wait_1x64_i16", "wait_vector_memory", "s_waitcnt"},
		{"icache_64KB_1x64_i1", "fetch", "v_"},
	} {
		dir, cases := casetest.Find(t, x.name)
		casetest.Launch(t, dir, &cases[0], casetest.Preset(t, "r9nano"), timing.Options{Profile: true}, func(_ int, p *emu.Program, r *timing.Result) {
			k := profile.Of(p, r)
			byCause := map[string]float64{}
			total, most := 0.0, 0.0
			for _, i := range k.Instructions {
				for c, cycles := range i.Cycles {
					byCause[k.Causes[c]] += cycles
					total += cycles
					if slices.Contains(strings.Fields(x.causes), k.Causes[c]) && strings.HasPrefix(i.Text, x.instruction) {
						most += cycles
					}
				}
			}
			if most < 0.55*total {
				t.Errorf("%s: expected %s at %s… to be most of %.1f cycles, it is %.1f; by cause: %v", x.name, x.causes, x.instruction, total, most, byCause)
			}
		})
	}
}
