package emu

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// lanes is one dword of 64 lanes.
type lanes = [64]uint32

// operands are the sources of a vector instruction: low and, for 64-bit slots, high dwords of every lane.
type operands struct {
	a, b, c    *lanes
	ah, bh, ch *lanes
}

// laneFunc computes all 64 lanes of an instruction into d (and dh, the high dword of a 64-bit result). It may compute lanes
// that EXEC leaves out: the caller drops them. d may be one of the sources.
type laneFunc func(m Mode, d, dh *lanes, s *operands)

// resultKind says how clamp and output modifiers treat a result.
type resultKind uint8

const (
	resultInt resultKind = iota
	resultF16
	resultF32
	resultF64
)

// source is one resolved source of a vector instruction.
type source struct {
	kind   sourceKind
	index  int    // VGPR or SGPR
	lo, hi *lanes // constants, the same in all lanes
	words  uint8
	sign   uint32 // sign bit of the dword that holds it; 0 for integers
	neg    bool
	abs    bool
	shape  isa.ConstantType
}

type sourceKind uint8

const (
	sourceNone sourceKind = iota
	sourceVGPR
	sourceSGPR
	sourceConstant
	sourceStatus // vccz, execz, scc
)

// vector is what a vector ALU instruction needs at run time.
type vector struct {
	src    [3]source
	n      int // sources in use
	dst    int // first VGPR of the result
	words  uint8
	run    laneFunc
	result resultKind
	clamp  bool
	omod   uint8
	sdwa   *isa.SDWA
	dpp    *isa.DPP
	plain  bool // no modifier, SDWA or DPP: sources and results are registers as they are
	tied   bool // the destination is a source too (v_mac)
	sdst   int  // first SGPR of a mask result
	mask   int  // first SGPR of a mask source
	cmpx   bool
}

// resolveVector resolves sources and destination of a vector instruction.
func resolveVector(op *Op) (*vector, error) {
	in, row := &op.Inst, op.Inst.Op
	v := &vector{clamp: in.Clamp, omod: in.OMod, sdwa: in.SDWA, dpp: in.DPP, words: row.DstWords, dst: -1, sdst: -1, mask: -1}
	for i, r := range in.Src {
		if r == isa.RegNone {
			continue
		}
		slot := row.Slots[i]
		if slot.Words == 0 {
			slot.Words = 1
		}
		literal := uint64(in.Lit)
		if slot.Words == 2 {
			literal = literal64(row, in.Lit)
		}
		s, err := resolveSource(r, slot, literal)
		if err != nil {
			return nil, err
		}
		s.neg, s.abs = in.Neg>>i&1 != 0, in.Abs>>i&1 != 0
		v.src[i], v.n = s, i+1
	}
	if in.Dst.IsVGPR() {
		v.dst = in.Dst.VGPR()
	} else if in.Dst < 128 {
		v.sdst = int(in.Dst)
	}
	if in.SDst < 128 {
		v.sdst = int(in.SDst)
	}
	v.plain = in.Neg == 0 && in.Abs == 0 && !v.clamp && v.omod == 0 && v.sdwa == nil && v.dpp == nil
	return v, nil
}

// literal64 is what a 32-bit literal means as a 64-bit source: the high dword of an f64, sign-extended for signed integers, zero-extended
// otherwise (source: GCN3 ISA manual, literal constants; LLVM, AMDGPU operand syntax).
func literal64(row *isa.Opcode, literal uint32) uint64 {
	switch {
	case strings.HasSuffix(row.Name, "_f64"):
		return uint64(literal) << 32
	case strings.HasSuffix(row.Name, "_i64"):
		return uint64(int64(int32(literal)))
	}
	return uint64(literal)
}

func resolveSource(r isa.Reg, slot isa.Slot, literal uint64) (source, error) {
	s := source{words: slot.Words, shape: slot.Constant, sign: 1 << 31}
	if slot.Constant == isa.ConstantF16 || slot.Constant == isa.ConstantInt16 {
		s.sign = 1 << 15
	}
	switch {
	case r.IsVGPR():
		s.kind, s.index = sourceVGPR, r.VGPR()
	case r < 128:
		s.kind, s.index = sourceSGPR, int(r)
	case r == isa.RegLiteral:
		s.setConstant(literal)
	case r >= isa.RegVCCZ && r <= isa.RegSCC:
		s.kind, s.index = sourceStatus, int(r)
	default:
		value, ok := inlineConstant(r, slot.Constant)
		if !ok {
			return s, fmt.Errorf("source code %d is not executed by this machine", r)
		}
		s.setConstant(value)
	}
	return s, nil
}

func (s *source) setConstant(value uint64) {
	s.kind, s.lo, s.hi = sourceConstant, broadcast(uint32(value)), broadcast(uint32(value>>32))
}

func broadcast(value uint32) *lanes {
	var l lanes
	for i := range l {
		l[i] = value
	}
	return &l
}

// floatConstants are the inline constants 240 to 248 as f16, f32 and f64 (source: GCN3 ISA manual, operands).
var floatConstants = [9][3]uint64{
	{0x3800, 0x3F000000, 0x3FE0000000000000}, {0xB800, 0xBF000000, 0xBFE0000000000000},
	{0x3C00, 0x3F800000, 0x3FF0000000000000}, {0xBC00, 0xBF800000, 0xBFF0000000000000},
	{0x4000, 0x40000000, 0x4000000000000000}, {0xC000, 0xC0000000, 0xC000000000000000},
	{0x4400, 0x40800000, 0x4010000000000000}, {0xC400, 0xC0800000, 0xC010000000000000},
	{0x3118, 0x3E22F983, 0x3FC45F306DC9C882},
}

// inlineConstant returns the bits of an inline constant, widened to 64 bits.
func inlineConstant(r isa.Reg, shape isa.ConstantType) (uint64, bool) {
	switch {
	case r >= 128 && r <= 192:
		return uint64(r - 128), true
	case r >= 193 && r <= 208:
		value := -int64(r - 192)
		if shape == isa.Constant64 {
			return uint64(value), true
		}
		return uint64(uint32(value)), true
	case r >= 240 && r <= 248:
		row := floatConstants[r-240]
		switch shape {
		case isa.Constant64:
			return row[2], true
		case isa.ConstantF16, isa.ConstantInt16:
			return row[0], true
		}
		return row[1], true
	}
	return 0, false
}

// status returns the value of vccz, execz or scc.
func (w *Wavefront) status(index int) uint32 {
	var set bool
	switch isa.Reg(index) {
	case isa.RegVCCZ:
		set = w.VCC() == 0
	case isa.RegExecZ:
		set = w.Exec() == 0
	default:
		set = w.SCC
	}
	if set {
		return 1
	}
	return 0
}

// fill puts one value into all lanes.
func fill(l *lanes, value uint32) {
	for i := range l {
		l[i] = value
	}
}

// indexed returns the VGPR that an operand means under s_set_gpr_idx_on; bit is its enable bit.
func (w *Wavefront) indexed(op *Op, register int, bit uint8, words uint8) int {
	if w.S[isa.RegM0]>>12&uint32(bit) != 0 {
		register += int(w.S[isa.RegM0] & 0xFF)
		if (register+int(words))*64 > len(w.V) {
			w.Fail(op, "its indexed operand v%d lies beyond the %d vector registers of the wavefront", register, len(w.V)/64)
			return 0
		}
	}
	return register
}

// fetch returns low and high dwords of source i; the high one is nil for 32-bit slots.
func (w *Wavefront) fetch(op *Op, v *vector, i int) (lo, hi *lanes) {
	s := &v.src[i]
	switch s.kind {
	case sourceVGPR:
		register := s.index
		if w.GPRIndex.On {
			register = w.indexed(op, register, 1<<i, s.words)
		}
		lo = (*lanes)(w.V[register*64:])
		if s.words >= 2 {
			hi = (*lanes)(w.V[register*64+64:])
		}
	case sourceSGPR:
		lo = &w.temp[2*i]
		fill(lo, w.S[s.index])
		if s.words >= 2 {
			hi = &w.temp[2*i+1]
			fill(hi, w.S[s.index+1])
		}
	case sourceConstant:
		lo, hi = s.lo, s.hi
	case sourceStatus:
		lo, hi = &w.temp[2*i], &w.temp[2*i+1]
		fill(lo, w.status(s.index))
		fill(hi, 0)
	}
	if v.plain {
		return lo, hi
	}
	return w.modify(v, i, lo, hi)
}

// modify applies DPP, SDWA selection, abs and neg to source i.
func (w *Wavefront) modify(v *vector, i int, lo, hi *lanes) (*lanes, *lanes) {
	s := &v.src[i]
	if v.dpp != nil && i == 0 {
		lo = dppSource(w, v, lo)
	}
	if v.sdwa != nil && i < 2 {
		lo = sdwaSource(w, v, i, lo)
	}
	if !s.neg && !s.abs {
		return lo, hi
	}
	target := &w.temp[2*i]
	from := lo
	if s.words == 2 {
		target, from = &w.temp[2*i+1], hi
	}
	for lane, value := range from {
		if s.abs {
			value &^= s.sign
		}
		if s.neg {
			value ^= s.sign
		}
		target[lane] = value
	}
	if s.words == 2 {
		return lo, target
	}
	return target, hi
}

// sources fetches all sources. What it returns is valid until the wavefront's next instruction.
func (w *Wavefront) sources(op *Op, v *vector) *operands {
	s := &w.operands
	*s = operands{}
	if v.n > 0 {
		s.a, s.ah = w.fetch(op, v, 0)
	}
	if v.n > 1 {
		s.b, s.bh = w.fetch(op, v, 1)
	}
	if v.n > 2 && v.mask < 0 {
		s.c, s.ch = w.fetch(op, v, 2)
	}
	return s
}

// destination returns the registers of the result.
func (w *Wavefront) destination(op *Op, v *vector) (lo, hi *lanes) {
	register := v.dst
	if w.GPRIndex.On {
		register = w.indexed(op, register, 8, v.words)
	}
	lo = (*lanes)(w.V[register*64:])
	if v.words >= 2 {
		hi = (*lanes)(w.V[register*64+64:])
	}
	return lo, hi
}

// executeVector is the Execute of vector ALU instructions with a vector result.
func executeVector(w *Wavefront, op *Op) {
	v := op.vec
	w.PC = op.Next
	s := w.sources(op, v)
	d, dh := w.destination(op, v)
	if w.Fault != nil {
		return
	}
	if v.tied {
		s.c = d
	}
	exec := w.Exec()
	if exec == ^uint64(0) && v.plain {
		v.run(w.Mode, d, dh, s)
		return
	}
	t, th := &w.temp[6], &w.temp[7]
	v.run(w.Mode, t, th, s)
	if !v.plain {
		v.finish(w.Mode, t, th)
		if v.sdwa != nil {
			sdwaResult(v.sdwa, t, d)
		}
	}
	if v.dpp != nil {
		exec &= v.dppMask(exec)
	}
	blend(d, t, exec)
	if v.words >= 2 {
		blend(dh, th, exec)
	}
}

// blend writes the lanes of t that mask has into d.
func blend(d, t *lanes, mask uint64) {
	if mask == ^uint64(0) {
		*d = *t
		return
	}
	for ; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		d[lane] = t[lane]
	}
}

// finish applies the output modifier and clamp to a result.
func (v *vector) finish(m Mode, t, th *lanes) {
	switch v.result {
	case resultF32:
		if v.omod != 0 && m.modifies32() {
			for i, x := range t {
				t[i] = outputModifier32(x, v.omod)
			}
		}
		if v.clamp {
			for i, x := range t {
				t[i] = clamp32(m, x)
			}
		}
	case resultF16:
		for i, x := range t {
			if v.omod != 0 && m.modifies64() {
				x = uint32(outputModifier16(uint16(x), v.omod))
			}
			if v.clamp {
				x = uint32(clamp16(m, uint16(x)))
			}
			t[i] = x
		}
	case resultF64:
		for i := range t {
			x := uint64(t[i]) | uint64(th[i])<<32
			if v.omod != 0 && m.modifies64() {
				x = outputModifier64(x, v.omod)
			}
			if v.clamp {
				x = clamp64(m, x)
			}
			t[i], th[i] = uint32(x), uint32(x>>32)
		}
	}
}
