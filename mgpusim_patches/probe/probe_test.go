package probe

import (
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/upstream"
)

// TestTheTableIsWhatIsMeasured measures some instructions of every kind again.
func TestTheTableIsWhatIsMeasured(t *testing.T) {
	measured := 0
	err := Measure("v_mac_f32,s_cselect_b,ds_read_b64,ds_write2_b32,v_rcp_f32,flat_load_dword,s_add_i32,v_lshlrev_b64,s_load_dwordx", func(r upstream.Row) {
		measured++
		if want := upstream.Verdict(r.Use); !strings.HasPrefix(want, r.Verdict) && !strings.HasPrefix(r.Verdict, want) || want == "" {
			t.Errorf("%v: measured %q, the table says %q", r.Use, r.Verdict, want)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if measured < 30 {
		t.Errorf("expected at least 30 uses, %d were measured", measured)
	}
}
