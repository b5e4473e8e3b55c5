package emu

import (
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// wide encodes a VOP3 instruction. Sources are operand codes; neg has bit i for source i.
func wide(name string, dst, sdst isa.Reg, neg uint32, src ...isa.Reg) []byte {
	row := isa.OpcodeByName(name)
	a := 0xd0000000 | uint32(row.WideCode())<<16 | uint32(dst)&0xff
	if row.HasSDst {
		a |= uint32(sdst) << 8
	}
	b := neg << 29
	for i, r := range src {
		b |= uint32(r) << (9 * i)
	}
	return pack(a, b)
}

// step executes one instruction, which must not fault.
func (m *machine) step(code []byte) {
	m.t.Helper()
	op := m.bind(code)
	m.w.PC = 0
	op.Execute(m.w, op)
	if m.w.Fault != nil {
		m.t.Fatalf("%s: %v", op.Inst.Text(), m.w.Fault)
	}
	covers(op.Inst.Op.Name)
}

// TestDivision runs the instructions that LLVM makes of n / d (AMDGPULegalizerInfo and SIISelLowering describe the sequence): with
// v_div_scale, v_div_fmas and v_div_fixup the quotient must be the correctly rounded one for all operands, denormal or not.
func TestDivision(t *testing.T) {
	const one = isa.Reg(242)
	m := newMachine(t)
	for _, f := range []ieee{binary32, binary64} {
		s := "_" + f.name()
		r := func(i int) isa.Reg { return v(2 * i) }
		n, d := r(0), r(1)
		var program [][]byte
		emit := func(name string, dst, sdst isa.Reg, neg uint32, src ...isa.Reg) {
			program = append(program, wide("v_"+name+s, dst, sdst, neg, src...))
		}
		emit("div_scale", r(2), 0, 0, d, d, n)
		emit("div_scale", r(3), isa.RegVCCLo, 0, n, d, n)
		emit("rcp", r(4), 0, 0, r(2))
		emit("fma", r(5), 0, 1, r(2), r(4), one)
		emit("fma", r(4), 0, 0, r(5), r(4), r(4))
		if f == binary64 {
			emit("fma", r(5), 0, 1, r(2), r(4), one)
			emit("fma", r(4), 0, 0, r(4), r(5), r(4))
		}
		emit("mul", r(6), 0, 0, r(3), r(4))
		emit("fma", r(7), 0, 1, r(2), r(6), r(3))
		if f == binary32 {
			emit("fma", r(6), 0, 0, r(7), r(4), r(6))
			emit("fma", r(7), 0, 1, r(2), r(6), r(3))
		}
		emit("div_fmas", r(8), 0, 0, r(7), r(4), r(6))
		emit("div_fixup", r(9), 0, 0, r(8), d, n)
		kind := map[ieee]operandType{binary32: typeF32, binary64: typeF64}[f]
		words := map[ieee]int{binary32: 1, binary64: 2}[f]
		for range 60 * rounds {
			m.fill(n.VGPR(), words, kind)
			m.fill(d.VGPR(), words, kind)
			m.w.SetExec(^uint64(0))
			m.w.Mode = 0xf0
			before := m.state()
			for _, code := range program {
				m.step(code)
			}
			read := func(s *state, r isa.Reg, lane int) uint64 {
				x := uint64(s.V[r.VGPR()*64+lane])
				if words == 2 {
					x |= uint64(s.V[r.VGPR()*64+64+lane]) << 32
				}
				return x
			}
			after := m.state()
			for lane := range 64 {
				a, b := read(&before, n, lane), read(&before, d, lane)
				if got, want := read(&after, r(9), lane), f.under(0xf0).quotient(a, b); got != want {
					t.Fatalf("%s: 0x%x / 0x%x: expected 0x%x, got 0x%x (scaled d 0x%x, n 0x%x, flag %v, before fixup 0x%x)", f.name(), a, b, want, got,
						read(&after, r(2), lane), read(&after, r(3), lane), m.w.VCC()>>lane&1, read(&after, r(8), lane))
				}
			}
		}
	}
}

// quotient is the correctly rounded n / d, NaNs as v_div_fixup makes them.
func (e environment) quotient(n, d uint64) uint64 {
	sign := (n ^ d) & e.sign()
	switch {
	case e.isNaN(n):
		return n | e.quiet()
	case e.isNaN(d):
		return d | e.quiet()
	case e.isZero(n) && e.isZero(d), e.isInf(n) && e.isInf(d):
		return e.sign() | e.qnan()
	case e.isInf(n), e.isZero(d):
		return sign | e.inf()
	case e.isZero(n), e.isInf(d):
		return sign
	}
	// 4400 bits tell any quotient from a tie: one that is no tie differs from it by more than 2^-200 of itself.
	return e.finish(exact().Quo(e.value(n), e.value(d)), 0)
}
