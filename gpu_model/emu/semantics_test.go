package emu

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// Every vector ALU instruction runs in all its encodings on random and special operands, through the decoder, and the whole register
// file is compared with a reference: one lane at a time, with exact arithmetic.

// sources is what one lane of an instruction reads, modifiers applied.
type sources struct {
	in   *isa.Inst
	mode Mode
	lane int
	a    uint64
	b    uint64
	c    uint64
	c4   [4]uint32 // a four-dword third source
	bit  bool      // the lane's bit of the mask source: VCC, or Src[2]
	old  uint64    // the destination before
}

// result is what a lane must give.
type result struct {
	d    uint64
	d4   [4]uint32 // of a four-dword destination
	bit  bool      // the lane's bit of a mask result
	slop uint64    // d may be off by that many units in the last place
}

type oracle func(s *sources) result

func value(d uint64) result { return result{d: d} }

// operandType says how to fill a source with values that matter.
type operandType uint8

const (
	typeInt operandType = iota
	typeF16
	typeF32
	typeF64
)

func (t operandType) format() ieee {
	return [...]ieee{typeF16: binary16, typeF32: binary32, typeF64: binary64}[t]
}

// machine is a wavefront with all registers, and what tests of single instructions need.
type machine struct {
	t    *testing.T
	r    *rand.Rand
	w    *Wavefront
	code []byte // of a long program
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := testMemory(t)
	k := &codeobject.Kernel{Name: "test", AllocatedVGPRs: 256, AllocatedSGPRs: 112, LDSBytes: 1024}
	l, err := NewLaunch(LaunchSpec{Kernel: k, Program: &Program{Name: "test", Base: 0x100000}, Memory: m, Grid: []uint32{64}, GroupSize: []uint32{64}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := l.NewGroup([3]uint32{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &machine{t: t, r: rand.New(rand.NewSource(77)), w: g.Waves[0]}
}

// special returns a number of a format that arithmetic has trouble with.
func special(r *rand.Rand, f ieee) uint64 {
	list := []uint64{0, f.one(), f.one() + f.normal(), f.one() - f.normal(), f.inf(), f.qnan(), f.qnan() | 0x15, f.inf() | 1, f.inf() | f.quiet()>>1, 1, 2, 3,
		f.normal() - 1, f.normal(), f.normal() + 1, f.max(), f.max() - 1, f.max() - f.normal(), f.one() + 1, f.one() - 1}
	x := list[r.Intn(len(list))]
	if r.Intn(2) == 0 {
		x |= f.sign()
	}
	return x
}

// random returns a value of a type.
func (m *machine) random(t operandType) uint64 {
	r := m.r
	if t == typeInt {
		switch r.Intn(4) {
		case 0:
			x := []uint64{0, 1, 2, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffff, 0x800000, 0xffffff, 0x7fffffff, 0x80000000,
				0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xffffffff80000000}
			return x[r.Intn(len(x))]
		case 1:
			return uint64(int64(r.Intn(400) - 200))
		}
		return r.Uint64()
	}
	f := t.format()
	var x uint64
	switch r.Intn(6) {
	case 0:
		x = special(r, f)
	case 1:
		x = r.Uint64() & f.mask()
	case 2: // around 1, few bits: ties
		x = f.one() + (uint64(r.Intn(7))-3)*f.normal() + uint64(r.Intn(8))<<(f.fractionBits-3) + uint64(r.Intn(3))
	case 3: // around the least normal number
		x = uint64(r.Intn(30))*f.normal()/2 + uint64(r.Intn(16))
	case 4: // halves of integers
		x = f.round(exact().SetMantExp(exact().SetInt64(int64(r.Intn(4000)+1)), -1), roundNearest, false)
	default: // moderate
		x = f.one() + uint64(int64(r.Intn(20)-10))*f.normal() + r.Uint64()&(f.normal()-1)
	}
	if r.Intn(2) == 0 {
		x |= f.sign()
	}
	if r.Intn(4) == 0 && t == typeF16 {
		x |= r.Uint64() << 16 // what lies above must not matter
	}
	return x&f.mask() | x&^f.mask()&0xffffffff
}

// fill puts random values of a type into a register (pair) of all lanes.
func (m *machine) fill(register int, words int, t operandType) {
	for lane := range 64 {
		if words >= 2 && t != typeInt || words == 1 && t != typeF64 {
			x := m.random(t)
			m.w.V[register*64+lane] = uint32(x)
			if words >= 2 {
				m.w.V[(register+1)*64+lane] = uint32(x >> 32)
			}
			continue
		}
		for k := range words {
			m.w.V[(register+k)*64+lane] = uint32(m.random(typeInt))
		}
		if words == 2 && m.r.Intn(2) == 0 {
			x := m.random(typeInt)
			m.w.V[register*64+lane], m.w.V[(register+1)*64+lane] = uint32(x), uint32(x>>32)
		}
	}
}

// scalarFill puts a random value of a type into an SGPR (pair) other than EXEC.
func (m *machine) scalarFill(r isa.Reg, words int, t operandType) {
	if r >= isa.RegExecLo || int(r)+words > 126 {
		return
	}
	x := m.random(t)
	m.w.S[r] = uint32(x)
	if words >= 2 {
		m.w.S[r+1] = uint32(x >> 32)
	}
}

// constant returns what an inline constant gives in a slot; numbers by exact conversion.
func constant(r isa.Reg, slot isa.Slot, t operandType) (uint64, bool) {
	switch {
	case r >= 128 && r <= 192:
		return uint64(r) - 128, true
	case r >= 193 && r <= 208:
		x := int64(192) - int64(r)
		if slot.Words == 2 {
			return uint64(x), true
		}
		return uint64(uint32(x)), true
	case r >= 240 && r <= 247:
		numbers := [...]float64{0.5, -0.5, 1, -1, 2, -2, 4, -4}
		f := binary32
		switch {
		case slot.Words == 2:
			f = binary64
		case slot.Constant == isa.ConstantF16 || slot.Constant == isa.ConstantInt16:
			f = binary16
		}
		return f.round(exact().SetFloat64(numbers[r-240]), roundNearest, false), true
	case r == 248: // 1/(2π)
		f := binary32
		switch {
		case slot.Words == 2:
			f = binary64
		case slot.Constant == isa.ConstantF16 || slot.Constant == isa.ConstantInt16:
			f = binary16
		}
		if f == binary64 {
			return 0x3fc45f306dc9c882, true // not the nearest, which ends in 3 (source: LLVM, AMDGPU operand syntax)
		}
		x := float().Quo(number(0.5), pi())
		return f.round(exact().Set(x), roundNearest, false), true
	}
	return 0, false
}

// state is a copy of what an instruction may change.
type state struct {
	V   []uint32
	S   [128]uint32
	SCC bool
}

func (m *machine) state() state {
	return state{V: append([]uint32(nil), m.w.V...), S: m.w.S, SCC: m.w.SCC}
}

// read returns source i of a lane before modifiers.
func (s *state) read(in *isa.Inst, i, lane int, t operandType) (x uint64, four [4]uint32) {
	r, slot := in.Src[i], in.Op.Slots[i]
	words := max(int(slot.Words), 1)
	switch {
	case r.IsVGPR():
		for k := range min(words, 4) {
			four[k] = s.V[(r.VGPR()+k)*64+lane]
		}
	case r < 128:
		for k := range min(words, 4) {
			four[k] = s.S[int(r)+k]
		}
	case r == isa.RegLiteral:
		four[0] = in.Lit
		switch {
		case words == 2 && t == typeF64:
			four[0], four[1] = 0, in.Lit
		case words == 2 && strings.HasSuffix(in.Op.Name, "_i64") && int32(in.Lit) < 0:
			four[1] = 0xffffffff
		}
	case r == isa.RegVCCZ, r == isa.RegExecZ:
		at := map[isa.Reg]int{isa.RegVCCZ: 106, isa.RegExecZ: 126}[r]
		if s.S[at]|s.S[at+1] == 0 {
			four[0] = 1
		}
	case r == isa.RegSCC:
		if s.SCC {
			four[0] = 1
		}
	default:
		c, _ := constant(r, slot, t)
		four[0], four[1] = uint32(c), uint32(c>>32)
	}
	x = uint64(four[0])
	if words >= 2 {
		x |= uint64(four[1]) << 32
	}
	return x, four
}

// dppSourceLane is where a lane's first source comes from; ok is false where there is none (source: GCN3 ISA, DPP).
func dppSourceLane(ctrl uint16, lane int) (from int, ok bool) {
	row := lane / 16 * 16
	switch {
	case ctrl < 0x100:
		return lane/4*4 + int(ctrl>>(lane%4*2))%4, true
	case ctrl < 0x110:
		from = lane + int(ctrl%16)
		return from, from < row+16
	case ctrl < 0x120:
		from = lane - int(ctrl%16)
		return from, from >= row
	case ctrl < 0x130:
		return row + (lane-row+16-int(ctrl%16))%16, true
	}
	switch ctrl {
	case 0x130:
		return lane + 1, lane < 63
	case 0x134:
		return (lane + 1) % 64, true
	case 0x138:
		return lane - 1, lane > 0
	case 0x13c:
		return (lane + 63) % 64, true
	case 0x140:
		return row + 15 - (lane - row), true
	case 0x141:
		half := lane / 8 * 8
		return half + 7 - (lane - half), true
	case 0x142:
		return row - 1, row > 0
	case 0x143:
		return 31, lane >= 32
	}
	return 0, false
}

func part(x uint64, selection uint8, signed bool) uint64 {
	w := uint32(x)
	switch {
	case selection == 6:
		return uint64(w)
	case selection < 4:
		b := byte(w >> (selection * 8))
		if signed {
			return uint64(uint32(int32(int8(b))))
		}
		return uint64(b)
	}
	h := uint16(w >> ((selection - 4) * 16))
	if signed {
		return uint64(uint32(int32(int16(h))))
	}
	return uint64(h)
}

// place puts a result into the part of the old register that SDWA names.
func place(x, old uint32, s *isa.SDWA) uint32 {
	if s.DstSel == 6 {
		return x
	}
	width, at := uint(8), uint(s.DstSel)*8
	if s.DstSel >= 4 {
		width, at = 16, uint(s.DstSel-4)*16
	}
	out := uint32(0)
	for bit := range uint(32) {
		var b uint32
		switch {
		case bit >= at && bit < at+width:
			b = x >> (bit - at) & 1
		case s.DstUnused == 1 && bit > at:
			b = x >> (width - 1) & 1
		case s.DstUnused == 2:
			b = old >> bit & 1
		}
		out |= b << bit
	}
	return out
}
