package emu

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// assembly is a program in words, with the encodings that the tests below need.
type assembly []uint32

func (a *assembly) word(x ...uint32) { *a = append(*a, x...) }

const (
	sEndpgm  = 0xbf810000
	sBarrier = 0xbf8a0000
	sWaitcnt = 0xbf8c0000
)

// branch to a word index: s_branch is SOPP 2, s_cbranch_scc1 SOPP 5.
func (a *assembly) branch(opcode uint32, target int) {
	a.word(0xbf800000 | opcode<<16 | uint32(uint16(target-len(*a)-1)))
}

// program launches words on a grid with 64 bytes of arguments, of which s[0:1] is the address.
func program(t testing.TB, words []uint32, grid, group uint32, budget uint64) *Launch {
	t.Helper()
	var code []byte
	for _, x := range words {
		code = binary.LittleEndian.AppendUint32(code, x)
	}
	m := testMemory(t)
	base, err := m.Allocate(uint64(len(code)), "code")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Write(base, code); err != nil {
		t.Fatal(err)
	}
	k := &codeobject.Kernel{Name: "words", AllocatedVGPRs: 24, AllocatedSGPRs: 32, LDSBytes: 1024, PrivateBytes: 16, KernargBytes: 64}
	k.Enable.KernargPtr, k.Enable.UserSGPRs, k.Enable.WorkgroupID[0] = true, 2, true
	p, err := NewProgram("words", base, code, 0, int(k.AllocatedVGPRs))
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLaunch(LaunchSpec{Kernel: k, Program: p, Memory: m, Grid: []uint32{grid}, GroupSize: []uint32{group}, MaxInstructions: budget})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEndlessLoop(t *testing.T) {
	var a assembly
	a.branch(2, 0)
	for _, cores := range []int{1, 2} {
		l := program(t, a, 512, 64, 100_000)
		counts, err := RunFunctional(context.Background(), l, cores)
		if err == nil || !strings.Contains(err.Error(), `kernel "words"`) || !strings.Contains(err.Error(), "budget of 100000 wavefront instructions is used up") {
			t.Errorf("%d cores: expected the budget's sentence, got %v", cores, err)
		}
		if counts.Instructions < 100_000 || counts.Instructions > 100_000+2*sliceInstructions {
			t.Errorf("%d cores: expected about 100000 instructions, got %d", cores, counts.Instructions)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := RunFunctional(ctx, program(t, a, 512, 64, 0), 2); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("expected the context's error, got %v", err)
	}
}

// TestBudgetIsExact: a program of n instructions runs with a budget of n and not with n − 1.
func TestBudgetIsExact(t *testing.T) {
	words := []uint32{0xbf800000, 0xbf800000, sEndpgm} // s_nop, s_nop, s_endpgm
	for _, cores := range []int{1, 2} {
		if _, err := RunFunctional(context.Background(), program(t, words, 640, 64, 30), cores); err != nil {
			t.Errorf("%d cores: expected 30 instructions to fit a budget of 30, got %v", cores, err)
		}
		if _, err := RunFunctional(context.Background(), program(t, words, 640, 64, 29), cores); err == nil {
			t.Errorf("%d cores: expected 30 instructions not to fit a budget of 29", cores)
		}
	}
}

// TestLeavingTheCode: running past the end, a word that does not decode, a graphics instruction.
func TestLeavingTheCode(t *testing.T) {
	for want, words := range map[string][]uint32{
		"execution left the code of 4 bytes": {0xbf800000},
		"execution left the code of 8 bytes": {0xbf820064, sEndpgm}, // s_branch far beyond
		"is a graphics instruction":          {0xc4001c0f, 0x03020100, sEndpgm},
		"0xbfff0000":                         {0xbfff0000},
	} {
		_, err := RunFunctional(context.Background(), program(t, words, 64, 64, 1000), 1)
		var f *Fault
		if !errors.As(err, &f) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "at PC 0x1") {
			t.Errorf("expected a fault with %q, got %v", want, err)
		}
	}
}

// TestSpinWait: the first wavefront of a work-group spins until the last one writes the LDS, and the first work-group until the last one
// writes memory. Neither uses a barrier.
func TestSpinWait(t *testing.T) {
	var a assembly
	a.word(0xbefc00ff, 0xffffffff)   // s_mov_b32 m0, -1
	a.word(0x7e020280)               // v_mov_b32 v1, 0
	a.word(0x7e040281)               // v_mov_b32 v2, 1
	a.word(0x7e060200, 0x7e080201)   // v_mov_b32 v3, s0; v_mov_b32 v4, s1
	a.word(0x7e0c0500)               // v_readfirstlane_b32 s6, v0
	a.word(0xbf060000 | 6 | 0x80<<8) // s_cmp_eq_u32 s6, 0
	skip := len(a)
	a.word(0)                      // s_cbranch_scc1 → first wavefront spins
	a.word(0xd81a0000, 0x00000201) // ds_write_b32 v1, v2
	end := len(a)
	a.word(0) // s_branch → done
	spin := len(a)
	a.word(0xd86c0000, 0x05000001) // ds_read_b32 v5, v1
	a.word(sWaitcnt)
	a.word(0x7e0e0505)               // v_readfirstlane_b32 s7, v5
	a.word(0xbf060000 | 7 | 0x80<<8) // s_cmp_eq_u32 s7, 0
	a.branch(5, spin)                // s_cbranch_scc1 spin
	done := len(a)
	a.word(0xbf060000 | 2 | 0x80<<8) // s_cmp_eq_u32 s2, 0: the first work-group waits
	skipGlobal := len(a)
	a.word(0)
	a.word(0xdc700000, 0x00000203) // flat_store_dword v[3:4], v2
	finish := len(a)
	a.word(0)
	spinGlobal := len(a)
	a.word(0xdc500000, 0x05000003) // flat_load_dword v5, v[3:4]
	a.word(sWaitcnt, 0x7e0e0505, 0xbf060000|7|0x80<<8)
	a.branch(5, spinGlobal)
	last := len(a)
	a.word(sEndpgm)
	patch := func(at int, opcode uint32, target int) {
		a[at] = 0xbf800000 | opcode<<16 | uint32(uint16(target-at-1))
	}
	patch(skip, 5, spin)
	patch(end, 2, done)
	patch(skipGlobal, 5, spinGlobal)
	patch(finish, 2, last)
	for _, cores := range []int{1, 2} {
		l := program(t, a, 512, 256, 1<<28)
		if _, err := RunFunctional(context.Background(), l, cores); err != nil {
			t.Errorf("%d cores: %v", cores, err)
		}
	}
}

// fuzzPrologue makes memory instructions of what follows likely to hit something: s[0:1], v[2:3] and the buffer descriptor s[4:7] mean the
// 64 bytes of arguments, M0 allows all of the LDS, and v0 is the work-item.
var fuzzPrologue = []uint32{
	0xbefc00c1,             // s_mov_b32 m0, -1
	0x7e040200, 0x7e060201, // v_mov_b32 v2, s0; v_mov_b32 v3, s1
	0xbe840100,             // s_mov_b64 s[4:5], s[0:1]
	0xbe8600c0,             // s_mov_b32 s6, 64
	0xbe8700ff, 0x00024fac, // s_mov_b32 s7, 0x24fac
}

// FuzzExecute runs random words as a program: it must end in time with nothing worse than a fault.
func FuzzExecute(f *testing.F) {
	r := rand.New(rand.NewSource(5))
	encode := func(words ...uint32) []byte {
		var b []byte
		for _, x := range words {
			b = binary.LittleEndian.AppendUint32(b, x)
		}
		return b
	}
	f.Add(encode(0xbf820000|0xffff, sEndpgm))
	f.Add(encode(sBarrier, 0x7e020280, 0xd86c0000, 0x05000001, 0xdc500000, 0x05000003, sEndpgm))
	f.Add(encode(0xdc500000, 0x05000002, 0xdc700000, 0x00000502, 0xe0501000, 0x80010500, 0xe0701000, 0x80010500, sEndpgm)) // FLAT and MUBUF
	f.Add(encode(0xd86c0000, 0x05000000, 0xd81a0000, 0x00000500, 0xd8000000, 0x00000500, sEndpgm))                         // DS
	for _, row := range isa.Opcodes() {                                                                                    // words of every encoding with random operands
		if r.Intn(4) != 0 {
			continue
		}
		f.Add(randomInstruction(r, row))
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		if len(code) < 4 || len(code) > 4096 {
			return
		}
		words := append([]uint32(nil), fuzzPrologue...)
		for ; len(code) >= 4; code = code[4:] {
			words = append(words, binary.LittleEndian.Uint32(code))
		}
		l := program(t, append(words, sEndpgm), 70, 70, 3000)
		for _, cores := range []int{1} {
			_, err := RunFunctional(context.Background(), l, cores)
			var fault *Fault
			if err != nil && (!errors.As(err, &fault) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("expected a fault in one sentence, got %v", err)
			}
		}
		l.Close()
	})
}

// randomInstruction returns words that decode as the row's format and opcode, operands at random.
func randomInstruction(r *rand.Rand, row *isa.Opcode) []byte {
	a, b := r.Uint32(), r.Uint32()
	put := func(fixed, mask uint32) { a = a&^mask | fixed }
	code := uint32(row.Code)
	switch row.Format {
	case isa.SOP2:
		put(0x80000000|code<<23, 0xff800000)
	case isa.SOPK:
		put(0xb0000000|code<<23, 0xff800000)
	case isa.SOP1:
		put(0xbe800000|code<<8, 0xff80ff00)
	case isa.SOPC:
		put(0xbf000000|code<<16, 0xffff0000)
	case isa.SOPP:
		put(0xbf800000|code<<16, 0xffff0000)
	case isa.SMEM:
		put(0xc0000000|code<<18, 0xfffc0000)
	case isa.VOP2:
		put(code<<25, 0xfe000000)
	case isa.VOP1:
		put(0x7e000000|code<<9, 0xfe01fe00)
	case isa.VOPC:
		put(0x7c000000|code<<17, 0xfffe0000)
	case isa.VOP3A, isa.VOP3B:
		put(0xd0000000|code<<16, 0xffff0000)
	case isa.DS:
		put(0xd8000000|code<<17, 0xfffe0000)
	case isa.FLAT:
		put(0xdc000000|code<<18, 0xfffc0000)
	case isa.MUBUF:
		put(0xe0000000|code<<18, 0xfffc0000)
	case isa.MTBUF:
		put(0xe8000000|code<<15, 0xfc078000)
	}
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, a), b)
}
