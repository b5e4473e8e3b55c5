package timing_test

import (
	"math"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/casetest"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/reference"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// chase follows a ring of count addresses, stride bytes apart, once with one wavefront.
func chase(t *testing.T, s gpuconfig.Spec, count, stride int) timing.Result {
	t.Helper()
	return measure(t, s, &reference.Case{Kernel: "gchase", Grid: []uint32{64}, Workgroup: []uint32{64}, LaunchCount: 1,
		Args: []reference.Argument{{Type: "buffer", Buffer: "ring"}, {Type: "buffer", Buffer: "out"}, {Type: "i32", Value: float64(count / 8)},
			{Type: "i32"}, {Type: "i32", Value: 64}},
		Buffers: []reference.Buffer{{Name: "ring", Bytes: count * stride, Generator: "ring",
			Params: map[string]float64{"count": float64(count), "stride": float64(stride)}}, {Name: "out", Bytes: 256, Generator: "zero"}}})
}

// stream reads kilobytes with groups work-groups of 256, 16 bytes a lane, launches times, and returns the last launch.
func stream(t *testing.T, s gpuconfig.Spec, kilobytes, groups, launches int) timing.Result {
	t.Helper()
	return measure(t, s, &reference.Case{Kernel: "rd4", Grid: []uint32{uint32(256 * groups)}, Workgroup: []uint32{256}, LaunchCount: launches,
		Args: []reference.Argument{{Type: "buffer", Buffer: "src"}, {Type: "buffer", Buffer: "out"}, {Type: "i32", Value: float64(kilobytes * 64)},
			{Type: "i32", Value: float64(256 * groups)}, {Type: "i32", Value: 256}},
		Buffers: []reference.Buffer{{Name: "src", Bytes: 1024 * kilobytes, Generator: "zero"}, {Name: "out", Bytes: 4 * groups, Generator: "zero"}}})
}

func measure(t *testing.T, s gpuconfig.Spec, c *reference.Case) (last timing.Result) {
	t.Helper()
	dir, _ := casetest.Find(t)
	c.Object = "kernels/mem.hsaco"
	casetest.Launch(t, dir, c, s, timing.Options{}, func(_ int, _ *emu.Program, r *timing.Result) { last = *r })
	return last
}

// TestChaseFollowsRowTiming changes one DRAM parameter at a time under a dependent chain of loads and compares the change of the kernel's
// cycles with what the addresses say: how many loads of the chain hit an open row, open one, or close another one first.
func TestChaseFollowsRowTiming(t *testing.T) {
	base := casetest.Preset(t, "r9nano-hbm")
	base.DRAM.REFI = 0
	span := base.L2.Banks * base.L2.InterleaveBytes // bytes after which the same L2 bank comes again
	row := span * base.DRAM.RowBytes / lineBytes    // bytes that share the rows of one number
	group := row * base.DRAM.Banks                  // bytes after which the same bank of the same channel comes again
	perRow := row / span                            // loads with a stride of span that share a row
	for _, x := range []struct {
		name                   string
		count, stride          int
		hits, misses, conflict int
	}{
		{"open rows", 32 * perRow, span, 32*perRow - 32, 16, 16}, // 16 banks, then the second row of each
		{"other rows of one bank", 48, group, 0, 1, 47},
	} {
		t.Run(x.name, func(t *testing.T) {
			before := chase(t, base, x.count, x.stride)
			change := func(key string, by int, set func(d *gpuconfig.DRAM), times int) {
				s := base
				set(&s.DRAM)
				got := float64(chase(t, s, x.count, x.stride).Cycles) - float64(before.Cycles)
				// The first fetches and arguments reach DRAM as well: a few accesses more.
				if low, high := float64(by*times), float64(by*(times+12)); got < low || got > high {
					t.Errorf("%s + %d: expected %v to %v cycles more, got %v", key, by, low, high, got)
				}
			}
			change("t_cl", 100, func(d *gpuconfig.DRAM) { d.CL += 100 }, x.count)
			change("controller_cycles", 100, func(d *gpuconfig.DRAM) { d.Overhead += 100 }, x.count)
			change("t_rcd", 100, func(d *gpuconfig.DRAM) { d.RCD += 100; d.RAS += 100 }, x.misses+x.conflict)
			change("t_rp", 100, func(d *gpuconfig.DRAM) { d.RP += 100 }, x.conflict)
			if k := before.DRAM; int(k.RowHits) < x.hits || int(k.RowMisses) < x.misses || int(k.RowConflicts) < x.conflict {
				t.Errorf("expected at least %d, %d and %d accesses to open, closed and other rows, got %+v", x.hits, x.misses, x.conflict, k)
			}
		})
	}
}

const lineBytes = 64

// fromL2 and fromDRAM return bytes per cycle between the first and the last instruction.
func fromL2(r *timing.Result) float64 {
	return float64(r.L2Bytes) / float64(r.LastInstruction-r.FirstInstruction)
}

func fromDRAM(r *timing.Result) float64 {
	return float64(r.DRAM.ReadBytes) / float64(r.LastInstruction-r.FirstInstruction)
}

// TestStreamSaturatesBus checks with a real kernel that reading from DRAM saturates at the configured rate less the refreshes: of two sizes,
// so that the time until memory answers for the first time is left out.
func TestStreamSaturatesBus(t *testing.T) {
	for _, rate := range []float64{64, 128} {
		s := casetest.Preset(t, "r9nano-hbm")
		s.DRAM.BytesPerCycle = rate
		short, long := stream(t, s, 2048, 256, 1), stream(t, s, 6144, 256, 1)
		want := rate * (1 - float64(s.DRAM.RP+s.DRAM.RFC+s.DRAM.RCD)/float64(s.DRAM.REFI))
		if got := 4096 * 1024 / float64(long.Cycles-short.Cycles); math.Abs(got/want-1) > 0.03 {
			t.Errorf("%v bytes a cycle: expected %.1f to arrive, got %.1f", rate, want, got)
		}
	}
	s := casetest.Preset(t, "r9nano-hbm")
	const kilobytes = 8192 // four times the L2; the second launch finds the TLBs warm
	r := stream(t, s, kilobytes, 512, 2)
	limit := 512 * (1 - float64(s.DRAM.RFC)/float64(s.DRAM.REFI))
	if got := fromDRAM(&r); got > limit || got < 0.5*limit {
		t.Errorf("expected 50 to 100 %% of %.0f bytes a cycle, got %.0f", limit, got)
	} else {
		t.Logf("8 MiB, TLBs warm: %.0f bytes a cycle of %.0f", got, limit)
	}
}

// TestLinksLimitBandwidth checks with data in the L2 that the L2 banks' ports and the compute units' ports saturate at their widths.
func TestLinksLimitBandwidth(t *testing.T) {
	const kilobytes = 1792 // more than the L1V caches hold together, less than the L2
	free := casetest.Preset(t, "r9nano")
	unlimited := stream(t, free, kilobytes, kilobytes/4, 2)
	for _, width := range []float64{4, 8, 16} {
		s := free
		s.Link.BytesPerCycleBank = width
		r := stream(t, s, kilobytes, kilobytes/4, 2)
		want := min(width*float64(s.L2.Banks), fromL2(&unlimited))
		if got := fromL2(&r); math.Abs(got/want-1) > 0.07 { // begin and end count
			t.Errorf("L2 ports of %v bytes a cycle: expected %.0f, got %.0f", width, want, got)
		}
		s = free
		s.Link.BytesPerCycleUnit = width / 4
		r = stream(t, s, kilobytes, kilobytes/4, 2)
		want = min(width/4*float64(s.Core.ShaderArrays*s.Core.UnitsPerArray), fromL2(&unlimited))
		if got := fromL2(&r); math.Abs(got/want-1) > 0.10 { // begin and end of seven work-groups a compute unit
			t.Errorf("compute units' ports of %v bytes a cycle: expected %.0f, got %.0f", width/4, want, got)
		}
	}
	// A latency of the links shows up twice in every load of a chain that misses L1.
	s := free
	s.Link.Cycles = 25
	before, after := chase(t, free, 512, 2048), chase(t, s, 512, 2048)
	if got := int(after.Cycles - before.Cycles); got < 2*25*512 || got > 2*25*(512+20) {
		t.Errorf("links of 25 cycles: expected about %d cycles more, got %d", 2*25*512, got)
	}
}

// TestHBMStacks checks that stacks add up with banked DRAM and finite links, whatever the number of host threads.
func TestHBMStacks(t *testing.T) {
	dir, cases := casetest.Find(t, "spgemm_64x64x64_d60", "cp1_512KB_256wg")
	for _, c := range cases {
		var cycles []uint64
		for _, threads := range []int{1, 2} {
			casetest.Launch(t, dir, &c, casetest.Preset(t, "r9nano-hbm"), timing.Options{Threads: threads, Profile: true}, func(_ int, p *emu.Program, r *timing.Result) {
				checkStacks(t, p, r)
				cycles = append(cycles, r.Cycles)
			})
		}
		if cycles[0] != cycles[1] {
			t.Errorf("%s: %d cycles with one host thread, %d with two", c.Name, cycles[0], cycles[1])
		}
	}
}
