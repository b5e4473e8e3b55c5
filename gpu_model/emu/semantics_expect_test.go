package emu

import (
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// What an instruction is expected to do, and the comparison of the whole register file.

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
