package timing

import (
	"testing"
	"unsafe"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
)

// TestWholeCacheLines checks that what two host threads write, or what a simulation sweeps through, begins at a cache line of the host's.
func TestWholeCacheLines(t *testing.T) {
	const line = 64
	for what, bytes := range map[string]uintptr{
		"a wavefront slot": unsafe.Sizeof(wave{}), "a compute unit": unsafe.Sizeof(computeUnit{}), "the slots in it": unsafe.Offsetof(computeUnit{}.waves),
		"vm in a slot": unsafe.Offsetof(wave{}.vm), "smem in a slot": unsafe.Offsetof(wave{}.smem), "fetch in a slot": unsafe.Offsetof(wave{}.fetch),
		"a wavefront": unsafe.Sizeof(emu.Wavefront{}), "a work-group": unsafe.Sizeof(emu.WorkGroup{}), "a host thread": unsafe.Sizeof(hostThread{}),
		"a mailbox's part for a bank": unsafe.Sizeof(bankBox{}), "an array's head": unsafe.Offsetof(shaderArray{}.gpu),
	} {
		if bytes%line != 0 {
			t.Errorf("%s: %d bytes, expected a multiple of %d", what, bytes, line)
		}
	}
}
