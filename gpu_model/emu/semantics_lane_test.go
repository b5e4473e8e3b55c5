package emu

import (
	"math/big"
	"math/bits"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// twoOverPiBits returns 2/π · 2^n, rounded down, by π = 20·arctan(1/7) + 8·arctan(3/79) (Euler).
func twoOverPiBits(n uint) *big.Int {
	const guard = 100
	one := new(big.Int).Lsh(big.NewInt(1), n+guard)
	arctan := func(p, q int64) *big.Int {
		term := new(big.Int).Div(new(big.Int).Mul(one, big.NewInt(p)), big.NewInt(q))
		sum := new(big.Int)
		for k := int64(1); term.Sign() != 0; k += 2 {
			sum.Add(sum, new(big.Int).Div(term, big.NewInt(k)))
			term.Mul(term, big.NewInt(-p*p))
			term.Div(term, big.NewInt(q*q))
		}
		return sum
	}
	pi := new(big.Int).Add(new(big.Int).Mul(big.NewInt(20), arctan(1, 7)), new(big.Int).Mul(big.NewInt(8), arctan(3, 79)))
	return new(big.Int).Div(new(big.Int).Lsh(big.NewInt(2), 2*n+guard), pi)
}

// TestTrigonometricPreparation: 53 bits of 2/π from a place that the segment and the exponent choose (source: AMD's ISA manuals, V_TRIG_PREOP).
func TestTrigonometricPreparation(t *testing.T) {
	const width = 4000
	table := twoOverPiBits(width)
	m := newMachine(t)
	m.w.SetExec(^uint64(0))
	for range 10 * rounds {
		for lane := range 64 {
			a := m.r.Uint64()
			if m.r.Intn(2) == 0 {
				a = uint64(1050+m.r.Intn(60))<<52 | a&(1<<52-1)
			}
			m.w.V[2*64+lane], m.w.V[3*64+lane] = uint32(a), uint32(a>>32)
			m.w.V[4*64+lane] = m.r.Uint32() & 63
		}
		m.step(wide("v_trig_preop_f64", v(6), 0, 0, v(2), v(4)))
		for lane := range 64 {
			exponent := int(m.w.V[3*64+lane] >> 20 & 0x7ff)
			shift := int(m.w.V[4*64+lane]&31) * 53
			if exponent > 1077 {
				shift += exponent - 1077
			}
			chosen := new(big.Int).Rsh(table, uint(width-shift-53))
			chosen.And(chosen, big.NewInt(1<<53-1))
			scale := -53 - shift
			if exponent >= 1968 {
				scale += 128
			}
			want := uint64(0)
			if chosen.Sign() != 0 {
				x := exact().SetInt(chosen)
				want = binary64.round(x.SetMantExp(x, scale), roundNearest, false)
			}
			if got := uint64(m.w.V[6*64+lane]) | uint64(m.w.V[7*64+lane])<<32; got != want {
				t.Fatalf("exponent %d, segment %d: expected 0x%x, got 0x%x", exponent, m.w.V[4*64+lane]&31, want, got)
			}
		}
	}
}

// TestLaneMoves: v_readlane, v_readfirstlane and v_writelane, which EXEC does not touch.
func TestLaneMoves(t *testing.T) {
	m := newMachine(t)
	for range 20 * rounds {
		m.fill(9, 1, typeInt)
		m.fill(11, 1, typeInt)
		m.w.S[20], m.w.S[21] = m.r.Uint32(), m.r.Uint32()
		m.w.SetExec([]uint64{m.r.Uint64(), 0, 1 << 63, ^uint64(0)}[m.r.Intn(4)])
		before := m.state()
		lane := int(m.w.S[20] & 63)
		check := func(wantV func(register, lane int) uint32, wantS map[int]uint32) {
			t.Helper()
			for i, x := range m.w.V {
				if want := wantV(i/64, i%64); x != want {
					t.Fatalf("v%d, lane %d: expected 0x%x, got 0x%x", i/64, i%64, want, x)
				}
			}
			for i, x := range m.w.S {
				want, ok := wantS[i]
				if !ok {
					want = before.S[i]
				}
				if x != want {
					t.Fatalf("s%d: expected 0x%x, got 0x%x", i, want, x)
				}
			}
		}
		same := func(register, lane int) uint32 { return before.V[register*64+lane] }
		m.step(wide("v_readlane_b32", 30, 0, 0, v(9), 20))
		check(same, map[int]uint32{30: before.V[9*64+lane]})
		m.w.S[30] = before.S[30]
		m.step(wide("v_readlane_b32", 30, 0, 0, v(9), 128+37))
		check(same, map[int]uint32{30: before.V[9*64+37]})
		m.w.S[30] = before.S[30]
		first := 0
		if exec := m.w.Exec(); exec != 0 {
			first = bits.TrailingZeros64(exec)
		}
		m.step(pack(0x7e000000 | 31<<17 | 2<<9 | uint32(v(9))))
		check(same, map[int]uint32{31: before.V[9*64+first]})
		m.w.S[31] = before.S[31]
		m.step(wide("v_writelane_b32", v(11), 0, 0, 21, 20))
		check(func(register, l int) uint32 {
			if register == 11 && l == lane {
				return before.S[21]
			}
			return before.V[register*64+l]
		}, nil)
	}
}

// TestNothing: instructions without operands change nothing.
func TestNothing(t *testing.T) {
	m := newMachine(t)
	m.fill(0, 4, typeInt)
	before := m.state()
	for _, name := range []string{"v_nop", "v_clrexcp"} {
		row := isa.OpcodeByName(name)
		m.step(pack(0x7e000000 | uint32(row.Code)<<9))
		after := m.state()
		if after.S != before.S || after.SCC != before.SCC || !equalRegisters(before.V, after.V) {
			t.Errorf("%s changed something", name)
		}
	}
}

func equalRegisters(a, b []uint32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestRelativeMoves: M0 is added to the number of the source, the destination, or both.
func TestRelativeMoves(t *testing.T) {
	m := newMachine(t)
	for name, which := range map[string][2]bool{"v_movrels_b32": {true, false}, "v_movreld_b32": {false, true}, "v_movrelsd_b32": {true, true}} {
		row := isa.OpcodeByName(name)
		for range 10 * rounds {
			for i := range m.w.V {
				m.w.V[i] = m.r.Uint32()
			}
			offset := m.r.Intn(100)
			source, destination := 10+m.r.Intn(20), 40+m.r.Intn(20)
			m.w.S[isa.RegM0] = uint32(offset)
			m.w.SetExec(m.r.Uint64())
			before := m.state()
			m.step(pack(0x7e000000 | uint32(destination)<<17 | uint32(row.Code)<<9 | uint32(v(source))))
			from, to := source, destination
			if which[0] {
				from += offset
			}
			if which[1] {
				to += offset
			}
			for i, x := range m.w.V {
				want := before.V[i]
				if i/64 == to && m.w.Exec()>>(i%64)&1 != 0 {
					want = before.V[from*64+i%64]
				}
				if x != want {
					t.Fatalf("%s, M0 %d: v%d, lane %d: expected 0x%x, got 0x%x", name, offset, i/64, i%64, want, x)
				}
			}
		}
		for _, offset := range []uint32{250, 0xffffff00, 0x80000000} { // outside the registers: named
			m.w.S[isa.RegM0] = offset
			op := m.bind(pack(0x7e000000 | 40<<17 | uint32(row.Code)<<9 | uint32(v(30))))
			op.Execute(m.w, op)
			if m.w.Fault == nil {
				t.Errorf("%s, M0 0x%x: expected a fault", name, offset)
			}
			m.w.Fault, m.w.Ended = nil, false
		}
	}
	for _, words := range []int{1, 2} {
		for source, name := range map[bool]string{true: "s_movrels_b", false: "s_movreld_b"} {
			name += map[int]string{1: "32", 2: "64"}[words]
			row := isa.OpcodeByName(name)
			for range 50 * rounds {
				for i := range 102 {
					m.w.S[i] = m.r.Uint32()
				}
				offset := 2 * m.r.Intn(20)
				m.w.S[isa.RegM0] = uint32(offset)
				before := m.state()
				m.step(pack(0xbe800000 | 40<<16 | uint32(row.Code)<<8 | 10))
				from, to := 10, 40
				if source {
					from += offset
				} else {
					to += offset
				}
				for i, x := range m.w.S {
					want := before.S[i]
					if i >= to && i < to+words {
						want = before.S[from+i-to]
					}
					if x != want {
						t.Fatalf("%s, M0 %d: s%d: expected 0x%x, got 0x%x", name, offset, i, want, x)
					}
				}
			}
		}
	}
}

// TestIndexing: with s_set_gpr_idx_on, M0 moves the vector registers that its bits 12 to 15 select, for every instruction that has a
// reference.
func TestIndexing(t *testing.T) {
	m := newMachine(t)
	for _, row := range isa.Opcodes() {
		want := oracles[row.Name]
		switch row.Format {
		case isa.VOP1, isa.VOP2, isa.VOP3A, isa.VOP3B, isa.VOPC:
		default:
			continue
		}
		if want == nil || row.DstWords == 4 {
			continue
		}
		for range rounds {
			for _, how := range []encoding{encodingBase, encodingWide} {
				m.checkIndexed(row, how, want)
			}
		}
	}
}

// checkIndexed runs one instruction with registers moved.
func (m *machine) checkIndexed(row *isa.Opcode, how encoding, want oracle) {
	code, in := m.draw(row, how)
	if in == nil || undefined(row, in) {
		return
	}
	index, selected := m.r.Intn(40), m.r.Intn(16)
	moved := *in
	shift := func(r isa.Reg, bit int) isa.Reg {
		if r.IsVGPR() && selected>>bit&1 != 0 {
			return r + isa.Reg(index)
		}
		return r
	}
	for i := range moved.Src {
		moved.Src[i] = shift(in.Src[i], i)
	}
	moved.Dst = shift(in.Dst, 3)
	for _, r := range append([]isa.Reg{moved.Dst}, moved.Src[:]...) {
		if r != isa.RegNone && r > isa.RegVGPR0+250 || r == isa.RegM0 {
			return
		}
	}
	if overlapping(&moved) || in.SDst == isa.RegM0 || in.Dst == isa.RegM0 {
		return
	}
	e := &expectation{m: m, in: &moved, row: row, want: want, compare: row.Format == isa.VOPC}
	e.types, e.result = typesOf(row)
	if e.result == typeInt && !integerClamp(row) {
		moved.Clamp, moved.OMod = false, 0
	}
	m.prepare(&moved, e.types)
	m.restrict(row, &moved)
	m.w.S[isa.RegM0] = uint32(index) | uint32(selected)<<12 | m.r.Uint32()&0xffff0f00
	m.w.setIndexing(true)
	e.run(code)
	m.w.setIndexing(false)
}
