package timing_test

import (
	"math"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// TestOccupancy sends work-groups to one compute unit whose wavefronts all wait for memory at the same pace, so that time counts rounds:
// as many as registers, local memory and wavefront slots allow are resident at a time (source: r9nano figures).
func TestOccupancy(t *testing.T) {
	waits := func(data uint64) []uint32 {
		return append([]uint32{moveV2, uint32(data), moveV3Zero}, repeat(300, append(append([]uint32(nil), loadWord...), waitMemory)...)...)
	}
	for _, c := range []struct {
		name     string
		resident int // work-groups of one wavefront on a compute unit
		change   func(k *codeobject.Kernel)
	}{
		{"wavefront slots", 40, func(*codeobject.Kernel) {}},
		{"84 vector registers", 12, func(k *codeobject.Kernel) { k.AllocatedVGPRs = 84 }},
		{"128 vector registers", 8, func(k *codeobject.Kernel) { k.AllocatedVGPRs = 128 }},
		{"102 scalar registers", 28, func(k *codeobject.Kernel) { k.AllocatedSGPRs = 102 }},
		{"16 KiB of local memory", 4, func(k *codeobject.Kernel) { k.LDSBytes = 16384 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, nil, c.change, waits)
			busy := func(groups int) float64 {
				o := timing.Options{}
				for g := range groups {
					o.Order, o.Placement = append(o.Order, uint32(g)), append(o.Placement, 0)
				}
				r, err := b.launch(uint32(groups), 64, o)
				if err != nil {
					t.Fatal(err)
				}
				if r.ComputeUnitsUsed != 1 || int(r.Workgroups) != groups {
					t.Fatalf("expected %d work-groups on one compute unit, got %d on %d", groups, r.Workgroups, r.ComputeUnitsUsed)
				}
				return float64(r.ComputeUnits[0].BusyCycles)
			}
			busy(1) // code and data into the caches
			one, full, more := busy(1), busy(c.resident), busy(c.resident+1)
			if math.Abs(more-full-one) > 0.1*one {
				t.Errorf("expected %d work-groups at a time: one takes %.0f cycles, %d take %.0f, one more %.0f", c.resident, one, c.resident, full, more)
			}
		})
	}
}
