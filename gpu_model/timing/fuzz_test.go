package timing_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// FuzzLaunch times random words as a program of two wavefronts and two work-groups: it must end in time with nothing worse than an
// error in one sentence.
func FuzzLaunch(f *testing.F) {
	known := isa.KnownInstructions()
	r := rand.New(rand.NewPCG(4, 5))
	for i := range 300 { // every fifth instruction that LLVM knows, in threes
		var code []byte
		for j := range 3 {
			code = append(code, known[(5*i+r.IntN(5)+j*7)%len(known)].Example...)
		}
		f.Add(code)
	}
	f.Add(word(0xbf820000 | 0xffff))                                // s_branch to itself
	f.Add(word(0xbf8a0000, 0xbf8e007f, 0xbf8c0000))                 // s_barrier, s_sleep 127, s_waitcnt
	f.Add(word(0xdc500000, 0x05000003, 0xbf8c0f70, 0x7e0e0505))     // a load of an address that is not mapped
	f.Add(word(0xc0060080, 0x00000000, 0xbf8c0000, 0xbe801d02))     // a jump to where an argument says
	f.Add(word(0x7d940080|128, 0xbf860001, 0xbf8a0000, 0xbf810000)) // some wavefronts end, others wait for them
	spec, err := gpuconfig.Preset("r9nano")
	if err != nil {
		f.Fatal(err)
	}
	spec.Core.ShaderArrays = 2
	f.Fuzz(func(t *testing.T, code []byte) {
		if len(code) < 4 || len(code) > 4096 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		code = append(code[:len(code)&^3:len(code)&^3], word(0xbf810000)...)
		if err := launchWords(ctx, t, spec, code); err != nil && (ctx.Err() != nil || err.Error() == "") {
			t.Errorf("expected an end in time, got %v", err)
		}
	})
}

// launchWords times code as the program of two work-groups of two wavefronts, with 64 bytes of arguments, of which s[0:1] is the address.
func launchWords(ctx context.Context, t testing.TB, spec gpuconfig.Spec, code []byte) error {
	t.Helper()
	m, err := memory.New(16 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	return launchWordsIn(ctx, t, spec, m, code)
}

// launchWordsIn is launchWords with memory that holds something already.
func launchWordsIn(ctx context.Context, t testing.TB, spec gpuconfig.Spec, m *memory.Memory, code []byte) error {
	t.Helper()
	g, err := timing.New(spec, m)
	if err != nil {
		t.Fatal(err)
	}
	base, err := m.Allocate(uint64(len(code)), "code")
	if err == nil {
		err = m.Write(base, code)
	}
	if err != nil {
		t.Fatal(err)
	}
	k := &codeobject.Kernel{Name: "words", AllocatedVGPRs: 24, AllocatedSGPRs: 32, LDSBytes: 1024, PrivateBytes: 16, KernargBytes: 64}
	k.Enable.KernargPtr, k.Enable.UserSGPRs, k.Enable.WorkgroupID[0] = true, 2, true
	p, err := emu.NewProgram("words", base, code, 0, int(k.AllocatedVGPRs))
	if err != nil {
		t.Fatal(err)
	}
	l, err := emu.NewLaunch(emu.LaunchSpec{Kernel: k, Program: p, Memory: m, Grid: []uint32{200}, GroupSize: []uint32{100}, MaxInstructions: 3000})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = g.Launch(ctx, l, timing.Options{Threads: 1})
	return err
}

func word(words ...uint32) (code []byte) {
	for _, w := range words {
		code = binary.LittleEndian.AppendUint32(code, w)
	}
	return code
}

// TestBarrierAmongTheLiving: a barrier waits for the wavefronts that have not ended (GCN3 ISA manual, S_BARRIER).
func TestBarrierAmongTheLiving(t *testing.T) {
	spec, err := gpuconfig.Preset("r9nano")
	if err != nil {
		t.Fatal(err)
	}
	// v_cmp_eq_u32 vcc, 0, v0; s_cbranch_vccz +1: only the first wavefront has a work-item 0, the second one ends at once.
	err = launchWords(context.Background(), t, spec, word(0x7d940080, 0xbf860001, 0xbf8a0000, 0xbf810000))
	if err != nil {
		t.Error(err)
	}
	// The second wavefront ends after the first one has arrived.
	err = launchWords(context.Background(), t, spec, word(0x7d940080, 0xbf870001, 0xbf8e0010, 0xbf860001, 0xbf8a0000, 0xbf810000))
	if err != nil {
		t.Error(err)
	}
}

// TestSkippedInstructions: the program reaches a trap unless s_setvskip holds off its vector instructions, a store to nowhere and an LDS access out of
// range among them.
func TestSkippedInstructions(t *testing.T) {
	spec, err := gpuconfig.Preset("r9nano")
	if err != nil {
		t.Fatal(err)
	}
	// v_mov_b32 v3, 5; v_mov_b32 v1, -1; v_mov_b32 v2, -1; s_setvskip 1, 0; v_mov_b32 v3, 6; flat_store_dword v[1:2], v3;
	// flat_load_dword v3, v[1:2]; ds_write_b32 v1, v3; s_waitcnt vmcnt(0) lgkmcnt(0); s_setvskip 0, 0; v_readfirstlane_b32 s5, v3;
	// s_cmp_eq_u32 s5, 5; s_cbranch_scc1 +1; s_trap 2; s_endpgm
	code := []uint32{0x7e060285, 0x7e0202c1, 0x7e0402c1, 0xbf108081, 0x7e060286, 0xdc700000, 0x00000301, 0xdc500000, 0x03000001, 0xd81a0000, 0x00000301,
		0xbf8c0070, 0xbf108080, 0x7e0a0503, 0xbf068505, 0xbf850001, 0xbf920002, 0xbf810000}
	if err := launchWords(context.Background(), t, spec, word(code...)); err != nil {
		t.Error(err)
	}
	code[3] = 0xbf108080
	if err := launchWords(context.Background(), t, spec, word(code...)); err == nil {
		t.Error("without skipping, expected the store to nowhere to fault")
	}
}

// TestMorePagesThanMSHRs: 64 lanes store to a page each, all pages in one set of the TLB, then to pages of another set; more pages are missing than
// the TLB of the one compute unit has MSHRs and ways.
func TestMorePagesThanMSHRs(t *testing.T) {
	spec, err := gpuconfig.Preset("r9nano")
	if err != nil {
		t.Fatal(err)
	}
	spec.Core.ShaderArrays, spec.Core.UnitsPerArray = 1, 1
	m, err := memory.New(16 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	base, err := m.Allocate(5<<20, "pages")
	if err != nil || base >= 1<<32 {
		t.Fatal(base, err)
	}
	base = (base + 16383) &^ 16383 // the TLB has four sets
	// v_lshlrev_b32 v1, 14, v0; s_lshl_b32 s3, s2, 20; s_add_u32 s3, s3, base + 4096; v_add_u32 v1, vcc, s3, v1; v_mov_b32 v2, 0;
	// flat_store_dword v[1:2], v0; v_add_u32 v1, vcc, -4096, v1; flat_store_dword v[1:2], v0; s_endpgm
	code := word(0x2402008e, 0x8e039402, 0x8003ff03, uint32(base+4096), 0x32020203, 0x7e040280, 0xdc700000, 0x00000001, 0x320202ff, 0xfffff000,
		0xdc700000, 0x00000001, 0xbf810000)
	if err := launchWordsIn(context.Background(), t, spec, m, code); err != nil {
		t.Fatal(err)
	}
	for item := range uint64(64) {
		for _, page := range []uint64{0, 4096} {
			var got [4]byte
			if err := m.Read(base+16384*item+page, got[:]); err != nil || binary.LittleEndian.Uint32(got[:]) != uint32(item) {
				t.Fatalf("page %d of item %d holds %v, %v", page/4096, item, got, err)
			}
		}
	}
}
