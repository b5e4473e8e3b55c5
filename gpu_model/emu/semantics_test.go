package emu

import (
	"encoding/binary"
	"math/bits"
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

// expectation is one instruction with its reference.
type expectation struct {
	m       *machine
	in      *isa.Inst
	row     *isa.Opcode
	types   [3]operandType
	result  operandType
	want    oracle
	compare bool
}

// run executes the instruction and compares the whole state.
func (e *expectation) run(code []byte) {
	m := e.m
	t := m.t
	t.Helper()
	before := m.state()
	mode := m.w.Mode
	op := e.bind(code)
	m.w.PC = 0
	op.Execute(m.w, op)
	if m.w.Fault != nil {
		t.Fatalf("% x %v: %v", code, e.describe(), m.w.Fault)
	}
	if m.w.PC != op.Next {
		t.Fatalf("% x %v: expected PC %d, got %d", code, e.describe(), op.Next, m.w.PC)
	}
	exec := uint64(before.S[126]) | uint64(before.S[127])<<32
	write, valid := e.lanes(exec)
	mask, wantV := uint64(0), append([]uint32(nil), before.V...)
	var tolerated []int
	words := int(e.row.DstWords)
	for lane := range 64 {
		if exec>>lane&1 == 0 {
			continue
		}
		s := e.sources(&before, lane, mode, valid)
		r := e.want(s)
		if r.bit {
			mask |= 1 << lane
		}
		if e.compare || write>>lane&1 == 0 {
			continue
		}
		at := e.in.Dst.VGPR()*64 + lane
		if words == 4 {
			for k := range 4 {
				wantV[at+64*k] = r.d4[k]
			}
			continue
		}
		got := uint64(m.w.V[at])
		if words == 2 {
			got |= uint64(m.w.V[at+64]) << 32
		}
		best := e.stored(r.d, s.old, mode)
		for off := uint64(1); off <= r.slop && best != got; off++ {
			for _, d := range []uint64{r.d + off, r.d - off} {
				if x := e.stored(d, s.old, mode); x == got {
					best = x
				}
			}
			tolerated = append(tolerated, lane)
		}
		wantV[at] = uint32(best)
		if words == 2 {
			wantV[at+64] = uint32(best >> 32)
		}
	}
	for i, x := range m.w.V {
		if x != wantV[i] {
			lane := i % 64
			s := e.sources(&before, lane, mode, valid)
			t.Fatalf("% x %v, MODE 0x%x, lane %d: sources 0x%x 0x%x 0x%x (old 0x%x, bit %v): expected v%d = 0x%x, got 0x%x (tolerant %v)", code, e.describe(), mode, lane,
				s.a, s.b, s.c, s.old, s.bit, i/64, wantV[i], x, len(tolerated) > 0)
		}
	}
	wantS := before.S
	if e.compare {
		wantS[e.in.Dst], wantS[e.in.Dst+1] = uint32(mask), uint32(mask>>32)
		if e.row.Name[:6] == "v_cmpx" {
			wantS[126], wantS[127] = uint32(mask), uint32(mask>>32)
		}
	} else if e.in.SDst < 128 {
		wantS[e.in.SDst], wantS[e.in.SDst+1] = uint32(mask), uint32(mask>>32)
	}
	for i := range wantS {
		if m.w.S[i] != wantS[i] {
			t.Fatalf("% x %v, MODE 0x%x: expected s%d = 0x%x, got 0x%x (mask of differences 0x%x)", code, e.describe(), mode, i, wantS[i], m.w.S[i], wantS[i]^m.w.S[i])
		}
	}
	if m.w.SCC != before.SCC {
		t.Fatalf("%v changed SCC", e.describe())
	}
	covers(e.row.Name)
}

func (e *expectation) bind(code []byte) *Op {
	return e.m.bind(code)
}

// bind resolves an instruction as programs do, in the host's fastest form.
func (m *machine) bind(code []byte) *Op {
	m.t.Helper()
	p, err := NewProgram("test", 0x100000, code, 0, 256)
	if err != nil {
		m.t.Fatalf("% x: %v", code, err)
	}
	m.w.Program = p
	op := &p.Ops[0]
	if op.refusal != "" {
		m.t.Fatalf("% x %s: %s", code, op.Inst.Text(), op.refusal)
	}
	return op
}

func (e *expectation) describe() string {
	text := e.row.Name
	switch {
	case e.in.SDWA != nil:
		text += "_sdwa"
	case e.in.DPP != nil:
		text += "_dpp"
	case e.in.Format == isa.VOP3A || e.in.Format == isa.VOP3B:
		text += "_e64"
	}
	return text
}

// lanes returns the lanes that are written and those whose first source exists.
func (e *expectation) lanes(exec uint64) (write, valid uint64) {
	p := e.in.DPP
	if p == nil {
		return exec, ^uint64(0)
	}
	for lane := range 64 {
		from, ok := dppSourceLane(p.Ctrl, lane)
		if ok && exec>>from&1 != 0 {
			valid |= 1 << lane
		}
		if p.RowMask>>(lane/16)&1 != 0 && p.BankMask>>(lane/4%4)&1 != 0 {
			write |= 1 << lane
		}
	}
	write &= exec
	if !p.BoundCtrl {
		write &= valid
	}
	return write, valid
}

// sources gathers what one lane reads.
func (e *expectation) sources(before *state, lane int, mode Mode, valid uint64) *sources {
	s := &sources{in: e.in, mode: mode, lane: lane}
	for i, to := range []*uint64{&s.a, &s.b, &s.c} {
		if e.in.Src[i] == isa.RegNone {
			continue
		}
		from := lane
		if e.in.DPP != nil && i == 0 {
			if valid>>lane&1 == 0 {
				from = -1
			} else {
				from, _ = dppSourceLane(e.in.DPP.Ctrl, lane)
			}
		}
		var x uint64
		if from >= 0 {
			x, s.c4 = before.read(e.in, i, from, e.types[i])
		}
		if w := e.in.SDWA; w != nil && i < 2 {
			x = part(x, []uint8{w.Src0Sel, w.Src1Sel}[i], []bool{w.Src0Sext, w.Src1Sext}[i])
		}
		sign := uint64(1) << 31
		if e.types[i] != typeInt {
			sign = e.types[i].format().sign()
		}
		if e.in.Abs>>i&1 != 0 {
			x &^= sign
		}
		if e.in.Neg>>i&1 != 0 {
			x ^= sign
		}
		*to = x
	}
	mask := uint64(before.S[106]) | uint64(before.S[107])<<32
	if r := e.in.Src[2]; e.row.Slots[2].VGPR {
		// Only v_div_fmas looks at the mask then: VCC.
	} else if r < 127 {
		mask = uint64(before.S[r]) | uint64(before.S[r+1])<<32
	} else if r != isa.RegNone && !r.IsVGPR() {
		mask, _ = constant(r, isa.Slot{Words: 2}, typeInt)
	}
	s.bit = mask>>lane&1 != 0
	if e.in.Dst.IsVGPR() {
		at := e.in.Dst.VGPR()*64 + lane
		s.old = uint64(before.V[at])
		if e.row.DstWords >= 2 {
			s.old |= uint64(before.V[at+64]) << 32
		}
	}
	return s
}

// stored returns what the destination holds for a result: after output modifier, clamp and SDWA.
func (e *expectation) stored(d, old uint64, mode Mode) uint64 {
	if e.result != typeInt {
		f := e.result.format()
		// Output modifiers are ignored in IEEE mode and where denormal results are kept; they turn −0 into +0 (GCN3 ISA manual).
		if e.in.OMod != 0 && mode>>9&1 == 0 && f.under(mode).flushOut && !f.isNaN(d) {
			if !f.isInf(d) && !f.isZero(d) {
				v := f.value(d)
				d = f.round(v.SetMantExp(v, []int{0, 1, 2, -1}[e.in.OMod]), roundNearest, true)
			}
			if f.isZero(d) {
				d = 0
			}
		}
		if e.in.Clamp {
			switch {
			case f.isNaN(d):
				if mode>>8&1 != 0 {
					d = 0
				}
			case f.negative(d):
				d = 0
			case d > f.one():
				d = f.one()
			}
		}
	}
	if e.in.SDWA != nil {
		return uint64(place(uint32(d), uint32(old), e.in.SDWA))
	}
	if e.row.DstWords < 2 {
		d &= 0xffffffff
	}
	return d
}

// encodings

// word returns random bits with some fixed.
func (m *machine) word(fixed, mask uint32) uint32 { return m.r.Uint32()&^mask | fixed&mask }

// sourceCode returns a random 9-bit source: mostly registers.
func (m *machine) sourceCode() uint32 {
	switch m.r.Intn(10) {
	case 0, 1:
		return uint32(m.r.Intn(104))
	case 2:
		return uint32([]int{106, 107, 124, 126, 127, 251, 252, 253}[m.r.Intn(8)])
	case 3:
		return uint32(128 + m.r.Intn(81))
	case 4:
		return uint32(240 + m.r.Intn(9))
	case 5:
		return 255
	}
	return uint32(256 + m.r.Intn(256))
}

type encoding uint8

const (
	encodingBase encoding = iota
	encodingWide
	encodingSDWA
	encodingDPP
)

// encode returns a random instruction of a row in an encoding; nil where the row has none or the draw does not decode.
func (m *machine) encode(row *isa.Opcode, how encoding) []byte {
	code := uint32(row.Code)
	var a, b uint32
	source := m.sourceCode()
	switch how {
	case encodingSDWA:
		if !row.HasSDWA {
			return nil
		}
		source = 249
		b = m.subDword(row)
	case encodingDPP:
		if !row.HasDPP {
			return nil
		}
		source = 250
		ctrl := []uint32{uint32(m.r.Intn(256)), 0x101 + uint32(m.r.Intn(15)), 0x111 + uint32(m.r.Intn(15)), 0x121 + uint32(m.r.Intn(15)),
			[]uint32{0x130, 0x134, 0x138, 0x13c, 0x140, 0x141, 0x142, 0x143}[m.r.Intn(8)]}[m.r.Intn(5)]
		b = uint32(m.r.Intn(256)) | ctrl<<8 | uint32(m.r.Intn(2))<<19 | 0xff000000
		for i := range uint32(2) {
			if row.NegMask>>i&1 != 0 {
				b |= uint32(m.r.Intn(4)) << (20 + 2*i)
			}
		}
		if m.r.Intn(3) == 0 {
			b = b&0xffffff | m.r.Uint32()&0xff000000
		}
	case encodingWide:
		if !row.HasWide {
			return nil
		}
		return m.encodeWide(row)
	default:
		b = m.r.Uint32()
		if !row.HasBase {
			return nil
		}
	}
	switch row.Format {
	case isa.VOP1:
		a = m.word(0x7e000000|code<<9|source, 0xfe01ffff)
	case isa.VOP2:
		a = m.word(code<<25|source, 0xfe0001ff)
	case isa.VOPC:
		a = m.word(0x7c000000|code<<17|source, 0xfffe01ff)
	}
	if row.Format == isa.VOP1 && len(row.Base) == 0 {
		a = 0x7e000000 | code<<9
	}
	if row.DstScalar && row.Format == isa.VOP1 {
		a = a&^(0xff<<17) | uint32(m.r.Intn(100))<<17
	}
	return pack(a, b)
}

// subDword returns the second dword of an SDWA instruction: floats take neg and abs, integers sign extension.
func (m *machine) subDword(row *isa.Opcode) uint32 {
	b := uint32(m.r.Intn(256)) | uint32(m.r.Intn(7))<<8 | uint32(m.r.Intn(3))<<11
	if m.r.Intn(3) == 0 && row.Clamp {
		b |= 1 << 13
	}
	for i, role := range []byte{'a', 'b'} {
		for _, o := range row.Base {
			if o.Role != role {
				continue
			}
			at := 16 + 8*i
			b |= uint32(m.r.Intn(7)) << at
			if row.NegMask>>i&1 != 0 {
				b |= uint32(m.r.Intn(4)) << (at + 4)
			} else {
				b |= uint32(m.r.Intn(2)) << (at + 3)
			}
		}
	}
	return b
}

func pack(words ...uint32) []byte {
	var b []byte
	for _, x := range words {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

func (m *machine) encodeWide(row *isa.Opcode) []byte {
	a := uint32(0xd0000000) | uint32(row.WideCode())<<16
	var b uint32
	for i := range 3 {
		slot := row.Slots[i]
		if !hasSource(row, i) {
			continue
		}
		source := m.sourceCode()
		for source == 255 || slot.VGPR && m.r.Intn(3) == 0 {
			source = 256 + uint32(m.r.Intn(256))
			if !slot.VGPR {
				source = uint32(m.r.Intn(100))
			}
			break
		}
		b |= source << (9 * i)
	}
	switch {
	case row.DstScalar || row.Format == isa.VOPC:
		a |= uint32(m.r.Intn(51)) * 2
	case row.DstWords > 0:
		a |= uint32(m.r.Intn(256))
	}
	if row.HasSDst {
		a |= uint32(m.r.Intn(51)) * 2 << 8
	} else if m.r.Intn(3) == 0 {
		a |= m.r.Uint32() & uint32(row.AbsMask) << 8
	}
	if row.Clamp && m.r.Intn(3) == 0 {
		a |= 1 << 15
	}
	if m.r.Intn(2) == 0 {
		b |= m.r.Uint32() & uint32(row.NegMask) << 29
	}
	if row.OMod && m.r.Intn(3) == 0 {
		b |= uint32(m.r.Intn(4)) << 27
	}
	return pack(a, b)
}

func hasSource(row *isa.Opcode, i int) bool {
	for _, o := range row.Wide {
		if o.Role == byte('a'+i) {
			return true
		}
	}
	return false
}

// draw returns a decodable instruction of a row in an encoding.
func (m *machine) draw(row *isa.Opcode, how encoding) ([]byte, *isa.Inst) {
	for range 2000 {
		code := m.encode(row, how)
		if code == nil {
			return nil, nil
		}
		in, err := isa.Decode(code)
		if err != nil || in.Op != row {
			continue
		}
		if overlapping(&in) {
			continue
		}
		// Negation and absolute value are for floating-point sources.
		in.Neg &= row.NegMask
		in.Abs &= row.AbsMask
		return code[:in.Size], &in
	}
	m.t.Fatalf("%s: no random instruction of encoding %d decodes", row.Name, how)
	return nil, nil
}

// overlapping tells that a wide destination overlaps a source in another alignment, which hardware leaves undefined.
func overlapping(in *isa.Inst) bool {
	if !in.Dst.IsVGPR() || in.Op.DstWords < 2 {
		return false
	}
	d := in.Dst.VGPR()
	for i, r := range in.Src {
		if r.IsVGPR() && r.VGPR() != d && r.VGPR() < d+int(in.Op.DstWords) && d < r.VGPR()+int(max(in.Op.Slots[i].Words, 1)) {
			return true
		}
		if r.IsVGPR() && in.Op.DstWords == 4 && r.VGPR() < d+4 && d < r.VGPR()+4 {
			return true
		}
	}
	return false
}

// prepare fills the sources of an instruction, EXEC, VCC and MODE.
func (m *machine) prepare(in *isa.Inst, types [3]operandType) {
	m.w.SCC = m.r.Intn(2) == 0
	m.w.SetVCC(m.r.Uint64())
	for i, r := range in.Src {
		words := max(int(in.Op.Slots[i].Words), 1)
		switch {
		case r.IsVGPR():
			m.fill(r.VGPR(), words, types[i])
		case r < 126:
			m.scalarFill(r, words, types[i])
		}
	}
	if in.Dst.IsVGPR() {
		t := types[0]
		if in.Op.DstWords == 1 && t == typeF64 {
			t = typeInt
		}
		if in.Dst != in.Src[0] && in.Dst != in.Src[1] && in.Dst != in.Src[2] {
			m.fill(in.Dst.VGPR(), int(in.Op.DstWords), t)
		}
	}
	m.cancel(in, types)
	switch m.r.Intn(5) {
	case 0:
		m.w.SetExec(m.r.Uint64())
	case 1:
		m.w.SetExec([]uint64{0, 1, 1 << 63, 0xffffffff, m.r.Uint64() & m.r.Uint64()}[m.r.Intn(5)])
	default:
		m.w.SetExec(^uint64(0))
	}
	m.w.Mode = Mode(m.r.Intn(1 << 10))
	if m.r.Intn(3) == 0 {
		m.w.Mode = 0x3c0 // what compilers ask for
	}
}

// cancel makes the third source of some lanes nearly the negated product of the others: there one rounding differs from two.
func (m *machine) cancel(in *isa.Inst, types [3]operandType) {
	if types[2] == typeInt || !in.Src[0].IsVGPR() || !in.Src[1].IsVGPR() || !in.Src[2].IsVGPR() || in.Src[2] == in.Src[0] || in.Src[2] == in.Src[1] {
		return
	}
	f := types[2].format()
	s := m.state()
	for lane := range 64 {
		if m.r.Intn(3) != 0 {
			continue
		}
		a, _ := s.read(in, 0, lane, types[0])
		b, _ := s.read(in, 1, lane, types[1])
		c := f.under(0xf0).product(a, b) ^ f.sign()
		c += uint64(m.r.Intn(3)) - 1
		at := in.Src[2].VGPR()*64 + lane
		m.w.V[at] = uint32(c & f.mask())
		if f == binary64 {
			m.w.V[at+64] = uint32(c >> 32)
		}
	}
}

func countBits(x uint64) uint64 { return uint64(bits.OnesCount64(x)) }
