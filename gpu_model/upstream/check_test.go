package upstream

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// kernels is the folder of the product's kernels.
const kernels = "../../kernels"

func objectIn(t *testing.T, path string) *codeobject.Object {
	t.Helper()
	o, err := codeobject.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTheTableNamesInstructionsOfTheISA(t *testing.T) {
	exact, other := 0, 0
	for u, verdict := range table {
		if isa.OpcodeByName(u.Name) == nil {
			t.Errorf("no instruction is called %s", u.Name)
		}
		if verdict == Exact {
			exact++
		} else {
			other++
		}
	}
	if exact < 400 || other < 400 {
		t.Errorf("expected hundreds of uses that upstream executes and that it does not, got %d and %d", exact, other)
	}
}

// What is known of upstream from its own measurements (shared/reference/README.md) stands in the table.
func TestTheTableHasTheFaultsThatAreKnown(t *testing.T) {
	for _, u := range []Use{{"ds_read_b64", "", "offset"}, {"v_mad_u64_u32", "e64", ""}, {"s_cselect_b64", "", ""}, {"v_fma_f32", "e64", ""}, {"ds_write2st64_b32", "", ""}} {
		if Supported(u) || Verdict(u) == "" {
			t.Errorf("%v: expected a fault, got %q", u, Verdict(u))
		}
	}
	for _, u := range []Use{{"v_mac_f32", "e32", ""}, {"v_mad_f32", "e64", ""}, {"flat_load_dwordx4", "", ""}, {"s_load_dwordx4", "", ""}, {"ds_read2_b32", "", "offset"}} {
		if !Supported(u) {
			t.Errorf("%v: expected support, got %q", u, Verdict(u))
		}
	}
}

func TestAKernelIsRefusedByNameAndPC(t *testing.T) {
	o := objectIn(t, filepath.Join(kernels, "softmax.hsaco"))
	k, err := o.Kernel("softmax_rows_forward")
	if err != nil {
		t.Fatal(err)
	}
	err = Check(k, 0x1000)
	if err == nil || !strings.HasPrefix(err.Error(), `kernel "softmax_rows_forward": ds_read2st64_b32 `) || !strings.Contains(err.Error(), " at PC 0x10") {
		t.Errorf("expected a refusal by instruction and PC, got %v", err)
	}
}

func TestPortableKernelsAreExecuted(t *testing.T) {
	want := map[string][]string{"gemm": {"gemm_nn", "gemm_nt", "gemm_tn"}, "sparse_gemm": {"sparse_gemm_lds"}, "im2col": {"im2col", "im2col_transposed", "col2im"},
		"layout": {"transpose", "conv_epilogue", "gradient_matrix"}, "relu": {"relu_forward", "relu_backward"}, "ellpack": {"dense_to_ellpack_dib"}}
	for file, names := range want {
		o := objectIn(t, filepath.Join(kernels, "portable", file+".hsaco"))
		for _, name := range names {
			k, err := o.Kernel(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(k, 0); err != nil {
				t.Errorf("%v", err)
			}
		}
	}
}

// s_add_i32 leaves a wrong SCC on upstream. A kernel that reads it is refused, one that does not is not.
func TestAWrongSCCMattersOnlyWhereItIsRead(t *testing.T) {
	if Verdict(Use{"s_add_i32", "", SCC}) == "" {
		t.Fatal("the table does not know of the wrong SCC of s_add_i32")
	}
	kernel := func(words ...uint32) *codeobject.Kernel {
		var code []byte
		for _, w := range words {
			code = append(code, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
		}
		return &codeobject.Kernel{Name: "made", Object: &codeobject.Object{Image: code}, End: uint64(len(code))}
	}
	const add, compare, branch, end = 0x81020100, 0xbf060100, 0xbf850001, 0xbf810000 // s_add_i32 s2, s0, s1; s_cmp_eq_u32; s_cbranch_scc1
	if err := Check(kernel(add, branch, end, end), 0); err == nil {
		t.Error("expected a refusal where the branch reads the sum's SCC")
	}
	if err := Check(kernel(add, compare, branch, end, end), 0); err != nil {
		t.Errorf("the comparison replaces the SCC: %v", err)
	}
}
