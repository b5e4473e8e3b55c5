package metrics

import (
	"fmt"
	"sync"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// names are the locations of a GPU's components. They are made once for a shape of GPU, since a launch has thousands of rows.
type names struct {
	units    []unitNames
	arrays   []arrayNames
	l2, dram []string
	expected int // rows of a launch that uses everything
}

type unitNames struct {
	unit, l1v, l1vTLB string
	simds             []string
}

type arrayNames struct{ l1s, l1sTLB, l1i, l1iTLB string }

// shape is what the names depend on.
type shape struct{ arrays, units, simds, banks int }

var known sync.Map // shape → *names

func namesOf(spec *gpuconfig.Spec) *names {
	s := shape{spec.Core.ShaderArrays, spec.Core.UnitsPerArray, spec.Core.SIMDs, spec.L2.Banks}
	if n, ok := known.Load(s); ok {
		return n.(*names)
	}
	n := &names{expected: 64 + s.arrays*(s.units*(13+len(stackNames)+s.simds+8+6)+28) + 18*s.banks}
	for i := range s.arrays {
		array := fmt.Sprintf("%s.SA[%d]", gpu, i)
		n.arrays = append(n.arrays, arrayNames{array + ".L1SCache", array + ".L1STLB", array + ".L1ICache", array + ".L1ITLB"})
		for j := range s.units {
			u := unitNames{unit: fmt.Sprintf("%s.CU[%d]", array, j), l1v: fmt.Sprintf("%s.L1VCache[%d]", array, j), l1vTLB: fmt.Sprintf("%s.L1VTLB[%d]", array, j)}
			for k := range s.simds {
				u.simds = append(u.simds, fmt.Sprintf("%s.SIMD[%d]", u.unit, k))
			}
			n.units = append(n.units, u)
		}
	}
	for i := range s.banks {
		n.l2 = append(n.l2, fmt.Sprintf("%s.L2Cache[%d]", gpu, i))
		n.dram = append(n.dram, fmt.Sprintf("%s.DRAM[%d]", gpu, i))
	}
	known.Store(s, n)
	return n
}

// causeNames are the names of the rows that add up to the kernel's cycles.
var causeNames = func() (found [timing.Causes]string) {
	for c := range timing.Causes {
		found[c] = "cycles." + c.String()
	}
	return found
}()
