package gpuconfig_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
)

func preset(t *testing.T, name string) gpuconfig.Spec {
	t.Helper()
	s, err := gpuconfig.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPresetsAreValidAndDescribed(t *testing.T) {
	for _, name := range gpuconfig.Presets() {
		s := preset(t, name)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if gpuconfig.Describe(name) == "" {
			t.Errorf("%s has no description", name)
		}
		seen := map[string]bool{}
		for _, p := range s.List() {
			if seen[p.Key] {
				t.Errorf("%s: %s is listed twice", name, p.Key)
			}
			seen[p.Key] = true
			if p.Source == "" || p.Description == "" || p.Value == "" || p.Unit == "" && !strings.HasPrefix(p.Value, `"`) {
				t.Errorf("%s: %+v lacks a value, unit, source or description", name, p)
			}
			if p.Key == "name" {
				continue
			}
			again := preset(t, name)
			if err := again.Set(p.Key, p.Value); err != nil || again != s {
				t.Errorf("%s: setting %s to its own value %s changes the preset (error %v)", name, p.Key, p.Value, err)
			}
		}
	}
}

// TestRules breaks one rule at a time, on r9nano-hbm.
func TestRules(t *testing.T) {
	for _, x := range []struct {
		set        string // space-separated key=value
		key, value string
		rule       string // part of the sentence
	}{
		{"clock_hz=3000000000", "clock_hz", "3000000000", "divisor of 1e12"},
		{"core.simds=5", "core.simds", "5", "between 1 and 4"},
		{"core.shader_arrays=64 core.compute_units_per_array=8", "core.shader_arrays", "64", "at most 256 compute units"},
		{"core.vgprs_per_simd=2048", "core.vgprs_per_simd", "2048", "at least 2560, one allocation unit for each of 10 wavefronts"},
		{"core.sgprs=512", "core.sgprs", "512", "at least 640, one allocation unit for each of 40 wavefronts"},
		{"core.wavefronts_per_simd=17", "core.wavefronts_per_simd", "17", "between 1 and 16"},
		{"core.lds_bytes=65400", "core.lds_bytes", "65400", "multiple of core.lds_granularity (256)"},
		{"core.lds_bytes=131072", "core.lds_bytes", "131072", "between 256 and 65536"},
		{"fetch.line_bytes=128", "fetch.line_bytes", "128", "64, the cache line"},
		{"fetch.buffer_bytes=150", "fetch.buffer_bytes", "150", "multiple of fetch.line_bytes (64)"},
		{"fetch.buffer_bytes=64", "fetch.buffer_bytes", "64", "at least 128: an instruction may lie across two lines"},
		{"l1v.bytes=20000", "l1v.bytes", "20000", "4 ways × a power-of-two number of sets"},
		{"l1s.ways=3", "l1s.bytes", "16384", "3 ways × a power-of-two number of sets"},
		{"l1i.bytes=49152", "l1i.bytes", "49152", "power-of-two number of sets"},
		{"l2.bank_bytes=196608", "l2.bank_bytes", "196608", "power-of-two number of sets"},
		{"l2.banks=12", "l2.banks", "12", "a power of two"},
		{"l2.interleave_bytes=96", "l2.interleave_bytes", "96", "a power of two"},
		{"l1v_tlb.sets=3", "l1v_tlb.sets", "3", "a power of two"},
		{"l1v_tlb.sets=65536", "l1v_tlb.sets", "65536", "at most 65536 entries"},
		{"l2.mshrs_per_bank=0", "l2.mshrs_per_bank", "0", "between 1 and"},
		{"dram.kind=hmc", "dram.kind", `"hmc"`, `"ideal" or "banked"`},
		{"dram.bytes=4097", "dram.bytes", "4097", "between 8192"},
		{"dram.bytes=10000", "dram.bytes", "10000", "multiple of 4096"},
		{"dram.bytes_per_cycle=0", "dram.bytes_per_cycle", "0", "greater than zero"},
		{"dram.bytes_per_cycle=-1", "dram.bytes_per_cycle", "-1", "between 0 and"},
		{"dram.bytes_per_cycle=nan", "dram.bytes_per_cycle", "NaN", "between 0 and"},
		{"dram.bytes_per_cycle=inf", "dram.bytes_per_cycle", "+Inf", "between 0 and"},
		{"dram.channels=8", "dram.channels", "8", "multiple of l2.banks (16)"},
		{"dram.channels=24", "dram.channels", "24", "a power of two"},
		{"dram.banks=12", "dram.banks", "12", "a power of two"},
		{"dram.row_bytes=1000", "dram.row_bytes", "1000", "a power of two"},
		{"dram.t_refi=200", "dram.t_refi", "200", "greater than dram.t_rfc + dram.t_rp + dram.t_rcd (288), or 0"},
		{"dram.t_refi=288", "dram.t_refi", "288", "greater than"},
		{"dram.t_ras=10", "dram.t_ras", "10", "at least dram.t_rcd (14)"},
		{"link.bank_bytes_per_cycle=0.001", "link.bank_bytes_per_cycle", "0.001", "0 for unlimited, or at least"},
		{"link.compute_unit_bytes_per_cycle=0.001", "link.compute_unit_bytes_per_cycle", "0.001", "0 for unlimited, or at least"},
		{"host.link_bytes_per_cycle=0", "host.link_bytes_per_cycle", "0", "between 0.001"},
		{"dispatcher.dispatchers=0", "dispatcher.dispatchers", "0", "between 1 and"},
	} {
		s := preset(t, "r9nano-hbm")
		for _, one := range strings.Fields(x.set) {
			key, value, _ := strings.Cut(one, "=")
			if err := s.Set(key, value); err != nil {
				t.Fatalf("%s: %v", x.set, err)
			}
		}
		err := s.Validate()
		var refused *gpuconfig.ParameterError
		if !errors.As(err, &refused) {
			t.Errorf("%s: expected it to be refused, got %v", x.set, err)
			continue
		}
		if refused.Key != x.key || refused.Value != x.value || !strings.Contains(refused.Rule, x.rule) {
			t.Errorf("%s: expected %s = %s with the rule %q, got: %v", x.set, x.key, x.value, x.rule, err)
		}
	}
}

func TestSetRefusesWhatItCanNotRead(t *testing.T) {
	for _, x := range []struct{ key, value, want string }{
		{"l2.bank", "3", `unknown GPU parameter "l2.bank" (did you mean "l2.banks"?)`},
		{"nothing", "3", `unknown GPU parameter "nothing"`},
		{"name", `"mine"`, `unknown GPU parameter "name"`},
		{"l2.banks", "many", `GPU parameter l2.banks must be a whole number, got "many"`},
		{"l2.banks", "1.5", `GPU parameter l2.banks must be a whole number, got "1.5"`},
		{"dram.bytes", "-1", `GPU parameter dram.bytes must be a whole number that is not negative, got "-1"`},
		{"dram.bytes_per_cycle", "fast", `GPU parameter dram.bytes_per_cycle must be a number, got "fast"`},
	} {
		s := preset(t, "r9nano")
		err := s.Set(x.key, x.value)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s=%s: expected %q, got %v", x.key, x.value, x.want, err)
		}
	}
}

func TestLoad(t *testing.T) {
	s, err := gpuconfig.Load("my.toml", "preset = \"r9nano-hbm\"\n[dram]\nbytes_per_cycle = 1_024\nt_cl = 20\n[l2]\nbanks = 32\n")
	if err != nil {
		t.Fatal(err)
	}
	want := preset(t, "r9nano-hbm")
	want.DRAM.BytesPerCycle, want.DRAM.CL, want.L2.Banks = 1024, 20, 32
	if s != want {
		t.Errorf("expected %+v, got %+v", want, s)
	}
	if s, err = gpuconfig.Load("my.toml", ""); err != nil || s != preset(t, "r9nano") {
		t.Errorf("an empty file: expected r9nano, got %+v, %v", s, err)
	}
	for document, want := range map[string]string{
		"preset = \"r9\"":                         `my.toml: unknown GPU preset "r9": expected one of r9nano, r9nano-hbm`,
		"[dram]\nt_cll = 20":                      `my.toml: unknown GPU parameter "dram.t_cll" (did you mean "dram.t_cl"?)`,
		"[dram]\nt_cl = \"a\"":                    "my.toml: ",
		"[dram":                                   "my.toml: ",
		"name = \"other\"":                        `my.toml: unknown GPU parameter "name"`,
		"[dram]\nbytes_per_cycle = [1]":           "my.toml: ",
		"preset = \"r9nano\"\n[new]\nvalue = 1\n": `my.toml: unknown GPU parameter "new`,
	} {
		if _, err := gpuconfig.Load("my.toml", document); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: expected an error that begins with %q, got %v", document, want, err)
		}
	}
}

// TestListedParametersAreRefused checks that a parameter without effect can't be set to another value, and can to its own.
func TestListedParametersAreRefused(t *testing.T) {
	s := preset(t, "r9nano")
	n := 0
	for _, p := range s.List() {
		if !gpuconfig.Listed(p.Key) {
			continue
		}
		n++
		before := s
		if err := s.Set(p.Key, p.Value); err != nil {
			t.Errorf("%s to its own value: %v", p.Key, err)
		}
		if err := s.Set(p.Key, p.Value+"1"); err == nil || !strings.Contains(err.Error(), p.Key) || !strings.Contains(err.Error(), "no effect") {
			t.Errorf("%s = %s1: expected a refusal that names it, got %v", p.Key, p.Value, err)
		}
		if s != before {
			t.Errorf("%s: expected the spec unchanged by a refusal", p.Key)
		}
	}
	if n == 0 {
		t.Error("expected listed parameters")
	}
	if _, err := gpuconfig.Load("gpu.toml", "[l1v]\nbanks = 2\n"); err == nil || !strings.Contains(err.Error(), "l1v.banks = 2") {
		t.Errorf("expected a file that changes one refused, got %v", err)
	}
	if _, err := gpuconfig.Load("gpu.toml", "[l1v]\nbanks = 4\n"); err != nil {
		t.Errorf("expected a file that repeats its value accepted, got %v", err)
	}
}
