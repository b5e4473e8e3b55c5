package timing_test

import (
	"context"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// Instruction words (encodings: CLRX documentation of GCN 1.2).
const (
	endProgram = 0xbf810000 // s_endpgm
	waitMemory = 0xbf8c0070 // s_waitcnt vmcnt(0) lgkmcnt(0)
	addF32     = 0x020202f2 // v_add_f32 v1, 1.0, v1
	addU32     = 0x320404ff // v_add_u32 v2, vcc, literal, v2
	moveV2     = 0x7e0402ff // v_mov_b32 v2, literal
	moveV3Zero = 0x7e060280 // v_mov_b32 v3, 0
	scalarAdd  = 0x80068106 // s_add_u32 s6, s6, 1
	moveM0     = 0xbefc00c1 // s_mov_b32 m0, -1
)

var (
	addF64   = []uint32{0xd2800002, 0x00020502} // v_add_f64 v[2:3], v[2:3], v[2:3]
	loadWord = []uint32{0xdc500000, 0x04000002} // flat_load_dword v4, v[2:3]
	readLDS  = []uint32{0xd86c0000, 0x04000003} // ds_read_b32 v4, v3
)

// repeat returns n copies of the words.
func repeat(n int, words ...uint32) (code []uint32) {
	for range n {
		code = append(code, words...)
	}
	return code
}

// bench is a GPU with a kernel of given words.
type bench struct {
	t      *testing.T
	memory *memory.Memory
	gpu    *timing.GPU
	data   uint64 // 64 KiB
	kernel codeobject.Kernel
	code   *emu.Program
}

func newBench(t *testing.T, change func(*gpuconfig.Spec), change2 func(*codeobject.Kernel), program func(data uint64) []uint32) *bench {
	t.Helper()
	spec, err := gpuconfig.Preset("r9nano")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&spec)
	}
	m, err := memory.New(memory.DefaultBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	b := &bench{t: t, memory: m}
	if b.data, err = m.Allocate(1<<16, "data"); err != nil {
		t.Fatal(err)
	}
	if b.gpu, err = timing.New(spec, m); err != nil {
		t.Fatal(err)
	}
	words := word(append(program(b.data), endProgram)...)
	base, err := m.Allocate(uint64(len(words)), "code")
	if err == nil {
		err = m.Write(base, words)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.kernel = codeobject.Kernel{Name: "words", AllocatedVGPRs: 8, AllocatedSGPRs: 16, LDSBytes: 256, KernargBytes: 8}
	b.kernel.Enable.KernargPtr, b.kernel.Enable.UserSGPRs = true, 2
	if change2 != nil {
		change2(&b.kernel)
	}
	if b.code, err = emu.NewProgram("words", base, words, 0, int(b.kernel.AllocatedVGPRs)); err != nil {
		t.Fatal(err)
	}
	return b
}

// launch runs groups work-groups of a number of work-items.
func (b *bench) launch(groups, items uint32, o timing.Options) (timing.Result, error) {
	b.t.Helper()
	l, err := emu.NewLaunch(emu.LaunchSpec{Kernel: &b.kernel, Program: b.code, Memory: b.memory, Grid: []uint32{groups * items}, GroupSize: []uint32{items}})
	if err != nil {
		b.t.Fatal(err)
	}
	defer l.Close()
	o.Threads = 1
	return b.gpu.Launch(context.Background(), l, o)
}

// cycles returns the kernel cycles without the launch tail of the count-th launch of one work-group.
func (b *bench) cycles(count int, items uint32) int {
	b.t.Helper()
	cycles := 0
	for range count {
		r, err := b.launch(1, items, timing.Options{})
		if err != nil {
			b.t.Fatal(err)
		}
		cycles = int(r.Cycles - r.TailCycles)
	}
	return cycles
}

// perInstruction returns what one more round of the words costs, code in the instruction cache: from a launch of 20 and one of 60 rounds.
func perInstruction(t *testing.T, count int, items uint32, before []uint32, words ...uint32) float64 {
	t.Helper()
	run := func(n int) int {
		return newBench(t, nil, nil, func(uint64) []uint32 { return append(append([]uint32(nil), before...), repeat(n, words...)...) }).cycles(count, items)
	}
	return float64(run(60)-run(20)) / 40
}

// TestArithmeticChains checks a lone wavefront's issue intervals against their closed forms: a vector instruction occupies its SIMD for
// VALUCycles, and the wavefront issues again one cycle later; the scalar unit has three stages.
func TestArithmeticChains(t *testing.T) {
	if got := perInstruction(t, 2, 64, nil, addF32); got != 5 {
		t.Errorf("v_add_f32: expected 5 cycles an instruction, got %v", got)
	}
	if got := perInstruction(t, 2, 64, nil, addF64...); got != 9 {
		t.Errorf("v_add_f64: expected 9 cycles an instruction, got %v", got)
	}
	if got := perInstruction(t, 2, 64, nil, scalarAdd); got != 4 {
		t.Errorf("s_add_u32: expected 4 cycles an instruction, got %v", got)
	}
	// Two wavefronts a SIMD keep it busy: four cycles an instruction of either.
	if got := perInstruction(t, 2, 512, nil, addF32); got != 8 {
		t.Errorf("two wavefronts: expected 8 cycles for an instruction of each, got %v", got)
	}
}

// TestLDSThroughput checks that the LDS takes a wavefront instruction every 15 cycles, whichever wavefronts they come from.
func TestLDSThroughput(t *testing.T) {
	before := []uint32{moveM0, moveV3Zero}
	for _, waves := range []uint32{4, 8, 16} {
		got := perInstruction(t, 2, 64*waves, before, append(append([]uint32(nil), readLDS...), waitMemory)...)
		if want := float64(15 * waves); got < want || got > want+0.5 {
			t.Errorf("%d wavefronts: expected %v cycles for an LDS read of each, got %v", waves, want, got)
		}
	}
}

// TestMemoryLevels checks load-to-use latencies: 57 cycles from L1V, 50 from L2 (an L1V hit is slower than a miss that L2 serves) and 154 from
// DRAM (source: the reference's README, which counts two vector instructions of 5 cycles in addition; it gives "about 163" for DRAM, which
// are 50 with 100 cycles of DRAM and 4 of the way there instead of the L2's data array).
func TestMemoryLevels(t *testing.T) {
	load := append(append([]uint32(nil), loadWord...), waitMemory)
	step := append(append([]uint32(nil), load...), addU32, 64)
	chain := func(n int, words []uint32) func(data uint64) []uint32 {
		return func(data uint64) []uint32 {
			return append([]uint32{moveV2, uint32(data), moveV3Zero}, repeat(n, words...)...)
		}
	}
	for _, c := range []struct {
		name   string
		words  []uint32
		launch int // the second launch runs on another compute unit: cold L1V, warm L2
		want   int
	}{{"L1V", load, 2, 57}, {"L2", step, 2, 50 + 5}, {"DRAM", step, 1, 154 + 5}} {
		short, long := newBench(t, nil, nil, chain(20, c.words)).cycles(c.launch, 64), newBench(t, nil, nil, chain(60, c.words)).cycles(c.launch, 64)
		if got := float64(long-short) / 40; got != float64(c.want) {
			t.Errorf("%s: expected %d cycles a load, got %v", c.name, c.want, got)
		}
	}
}

// TestWarmCaches checks over two launches that code and data stay in the caches, and that a compute unit's own L1V does not help its neighbour.
func TestWarmCaches(t *testing.T) {
	b := newBench(t, nil, nil, func(data uint64) []uint32 {
		return append([]uint32{moveV2, uint32(data), moveV3Zero}, repeat(32, append(append([]uint32(nil), loadWord...), waitMemory, addU32, 64)...)...)
	})
	var results []timing.Result
	for range 2 {
		r, err := b.launch(1, 64, timing.Options{Order: []uint32{0}, Placement: []int32{5}})
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	other, err := b.launch(1, 64, timing.Options{Order: []uint32{0}, Placement: []int32{6}})
	if err != nil {
		t.Fatal(err)
	}
	if r := &results[0]; r.L1V.ReadMiss != 32 || r.DRAM.ReadTransactions <= 32 || r.L1I.ReadMiss == 0 {
		t.Errorf("first launch: expected 32 L1V misses, as many lines and code from DRAM, got %+v, %+v", r.L1V, r.DRAM)
	}
	if r := &results[1]; r.L1V.ReadHit != 32 || r.DRAM.ReadTransactions != 0 || r.L1I.ReadMiss != 0 || r.Cycles >= results[0].Cycles {
		t.Errorf("second launch: expected 32 L1V hits and nothing from DRAM, got %+v, %+v", r.L1V, r.DRAM)
	}
	if r := &other; r.L1V.ReadMiss != 32 || r.L2.ReadHit != 32 || r.L1I.ReadMiss != 0 {
		t.Errorf("neighbour: expected 32 L1V misses that hit L2 and code in the shared cache, got %+v, %+v", r.L1V, r.L2)
	}
}
