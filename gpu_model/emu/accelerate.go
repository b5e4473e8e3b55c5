package emu

import (
	"sync"
	"unsafe"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/simd"
)

// The vector instructions that kernels spend their time in, on the host's vector instructions. An instruction gets such a form when it is
// decoded, if it has no modifier, SDWA or DPP; what the form can't do (NaN results, register indexing) it hands to the general one.

// hostLevel returns the level that programs are bound to.
var hostLevel = sync.OnceValues(simd.Default)

// forcedLevel replaces hostLevel in tests.
var forcedLevel *simd.Level

func currentLevel() (*simd.Level, error) {
	if forcedLevel != nil {
		return forcedLevel, nil
	}
	return hostLevel()
}

// fastVector is what a vector instruction needs at run time in its fast form.
type fastVector struct {
	run     simd.Func
	src     [3]fastSource
	d       uint32 // byte offset of the destination in V
	clear   Mode   // bits of MODE that the instruction takes as 0
	sdst    int16  // first SGPR of a mask result; −1 none
	mask    int16  // first SGPR of a mask source; −1: bits
	n       uint8  // sources
	wide    bool   // the result is a pair of registers
	tied    bool   // source c is the destination
	cmpx    bool
	bits    uint64
	general func(w *Wavefront, op *Op)
}

// fastSource is a source of the fast form.
type fastSource struct {
	constant *uint32
	offset   uint32     // of a VGPR in V
	index    uint8      // SGPR
	kind     sourceKind // VGPR, SGPR (filled into all lanes) or constant; sourceStatus: an SGPR that run takes as one dword
}

// fastForm relates an opcode to its operation.
type fastForm struct {
	op      simd.Op
	execute func(w *Wavefront, op *Op)
	clear   Mode
	order   [3]int8 // source of a, b and c, counted from 1; 0 none, −1 the destination
}

// flushAlways are the denormal bits of f32 in MODE, which v_mad and v_mac take as 0.
const flushAlways Mode = 0x30

var (
	inOrder  = [3]int8{1, 2, 3}
	swapped  = [3]int8{2, 1, 0}
	tiedForm = [3]int8{1, 2, -1}
)

// fastForms lists the instructions that have a fast form.
var fastForms = func() map[string]fastForm {
	forms := map[string]fastForm{
		"v_mac_f32": {op: simd.MadF32, execute: fastArithmetic, clear: flushAlways, order: tiedForm},
	}
	arithmetic := map[string]simd.Op{"v_mov_b32": simd.Move, "v_not_b32": simd.Not, "v_and_b32": simd.And, "v_or_b32": simd.Or, "v_xor_b32": simd.Xor,
		"v_lshlrev_b32": simd.ShiftLeft, "v_lshrrev_b32": simd.ShiftRight, "v_ashrrev_i32": simd.ShiftArithmetic,
		"v_min_i32": simd.MinI32, "v_max_i32": simd.MaxI32, "v_min_u32": simd.MinU32, "v_max_u32": simd.MaxU32,
		"v_mul_lo_u32": simd.MulLow, "v_mul_hi_u32": simd.MulHigh, "v_mul_u32_u24": simd.MulU24, "v_mad_u32_u24": simd.MadU24,
		"v_mul_i32_i24": simd.MulI24, "v_mad_i32_i24": simd.MadI24, "v_bfe_u32": simd.FieldUnsigned, "v_bfi_b32": simd.FieldInsert,
		"v_lshlrev_b64": simd.ShiftLeft64, "v_add_f32": simd.AddF32, "v_sub_f32": simd.SubF32, "v_subrev_f32": simd.SubRevF32,
		"v_mul_f32": simd.MulF32, "v_fma_f32": simd.FmaF32, "v_min_f32": simd.MinF32, "v_max_f32": simd.MaxF32}
	for name, op := range arithmetic {
		forms[name] = fastForm{op: op, execute: fastArithmetic, order: inOrder}
	}
	for _, name := range []string{"v_mad_f32", "v_madmk_f32", "v_madak_f32"} {
		forms[name] = fastForm{op: simd.MadF32, execute: fastArithmetic, clear: flushAlways, order: inOrder}
	}
	carries := map[string]simd.Op{"v_add_u32": simd.AddU32, "v_sub_u32": simd.SubU32, "v_subrev_u32": simd.SubRevU32,
		"v_addc_u32": simd.AddCarryU32, "v_subb_u32": simd.SubBorrowU32}
	for name, op := range carries {
		forms[name] = fastForm{op: op, execute: fastCarry, order: inOrder}
	}
	forms["v_subbrev_u32"] = fastForm{op: simd.SubBorrowU32, execute: fastCarry, order: swapped}
	forms["v_cndmask_b32"] = fastForm{op: simd.Select, execute: fastSelect, order: inOrder}
	comparisons := map[string][]string{
		"f32": {"lt", "eq", "le", "gt", "lg", "ge", "o", "u", "nge", "nlg", "ngt", "nle", "neq", "nlt"},
		"i32": {"lt", "eq", "le", "gt", "ne", "ge"},
		"u32": {"lt", "eq", "le", "gt", "ne", "ge"},
	}
	first := map[string]simd.Op{"f32": simd.CmpF32Lt, "i32": simd.CmpI32Lt, "u32": simd.CmpU32Lt}
	for kind, relations := range comparisons {
		for i, relation := range relations {
			form := fastForm{op: first[kind] + simd.Op(i), execute: fastCompare, order: inOrder}
			forms["v_cmp_"+relation+"_"+kind] = form
			forms["v_cmpx_"+relation+"_"+kind] = form
		}
	}
	return forms
}()

// accelerate gives a vector instruction its fast form where there is one.
func (op *Op) accelerate(level *simd.Level) {
	form, ok := fastForms[op.Inst.Op.Name]
	v := op.vec
	if !ok || v == nil || !v.plain {
		return
	}
	f := fastVector{general: op.Execute, clear: form.clear, wide: v.words == 2, sdst: int16(v.sdst), mask: int16(v.mask), cmpx: v.cmpx}
	if v.dst >= 0 {
		f.d = uint32(v.dst) * 256
	}
	for i, number := range form.order {
		if number == 0 || number > int8(v.n) || number > 2 && (v.mask >= 0 || op.Inst.Op.Slots[2].Words == 2) {
			break
		}
		f.n = uint8(i + 1)
		if number < 0 {
			f.src[i], f.tied = fastSource{kind: sourceVGPR, offset: f.d}, true
			continue
		}
		s := &v.src[number-1]
		switch {
		case s.kind == sourceVGPR:
			f.src[i] = fastSource{kind: sourceVGPR, offset: uint32(s.index) * 256}
		case s.words == 2: // pairs that are not registers
			return
		case s.kind == sourceSGPR:
			f.src[i] = fastSource{kind: sourceSGPR, index: uint8(s.index)}
		case s.kind == sourceConstant:
			f.src[i] = fastSource{kind: sourceConstant, constant: &s.lo[0]}
		default:
			return
		}
	}
	if c := &v.src[2]; f.mask < 0 && c.kind == sourceConstant {
		f.bits = join(c.lo[0], c.hi[0])
	}
	f.run = level.Vector(form.op)
	if scalar := level.Scalar(form.op); scalar != nil && f.src[0].kind == sourceSGPR {
		f.run, f.src[0].kind = scalar, sourceStatus
	}
	if f.run == nil || level.Vector(simd.Select) == nil {
		return
	}
	op.fast, op.Execute = f, form.execute
}

// pointer returns where source i lies.
func (f *fastVector) pointer(w *Wavefront, i int) *uint32 {
	s := &f.src[i]
	switch s.kind {
	case sourceVGPR:
		return (*uint32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(w.V)), uintptr(s.offset)))
	case sourceStatus:
		return &w.S[s.index&127]
	case sourceConstant:
		return s.constant
	case sourceSGPR:
		t := &w.temp[2*i]
		w.Program.move(&t[0], &w.S[s.index&127], nil, nil, 0)
		return &t[0]
	}
	return nil
}

// destination returns where the result goes.
func (f *fastVector) destination(w *Wavefront) *uint32 {
	return (*uint32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(w.V)), uintptr(f.d)))
}

// merge writes the lanes of a result in temp that EXEC has.
func (f *fastVector) merge(w *Wavefront, d *uint32, exec uint64) {
	w.Program.choose(d, d, &w.temp[6][0], nil, exec)
	if f.wide {
		h := (*uint32)(unsafe.Add(unsafe.Pointer(d), 256))
		w.Program.choose(h, h, &w.temp[7][0], nil, exec)
	}
}

// fastArithmetic executes instructions with a vector result.
func fastArithmetic(w *Wavefront, op *Op) {
	f := &op.fast
	aux, ok := simd.Control(uint32(w.Mode &^ f.clear))
	if !ok {
		f.general(w, op)
		return
	}
	a, b, c := f.pointer(w, 0), f.pointer(w, 1), f.pointer(w, 2)
	d, exec := f.destination(w), w.Exec()
	if w.GPRIndex.On {
		// M0 moves the registers that its bits 12 to 15 select; the general form finds those that do not exist.
		if !f.shift(w, &a, &b, &c, &d) {
			f.general(w, op)
			return
		}
	}
	if exec == allLanes {
		if f.run(d, a, b, c, aux) != 0 {
			f.general(w, op)
			return
		}
		w.PC = op.Next
		return
	}
	if f.run(&w.temp[6][0], a, b, c, aux) != 0 {
		f.general(w, op)
		return
	}
	f.merge(w, d, exec)
	w.PC = op.Next
}

// shift moves the operands that s_set_gpr_idx selects by M0's index; false where one leaves the wavefront's registers.
func (f *fastVector) shift(w *Wavefront, a, b, c, d **uint32) bool {
	selected := uint(w.S[isa.RegM0] >> 12 & 15)
	move := uintptr(w.S[isa.RegM0]&0xFF) * 256
	limit := uintptr(len(w.V)) * 4
	size := uintptr(256)
	if f.wide {
		size = 512
	}
	for i, p := range [3]**uint32{a, b, c} {
		if s := &f.src[i]; s.kind == sourceVGPR {
			bit := uint(1) << i
			if f.tied && i == 2 {
				bit = 8 // the destination as a source
			}
			if selected&bit != 0 {
				if uintptr(s.offset)+move+size > limit {
					return false
				}
				*p = (*uint32)(unsafe.Add(unsafe.Pointer(*p), move))
			}
		}
	}
	if selected&8 != 0 {
		if uintptr(f.d)+move+size > limit {
			return false
		}
		*d = (*uint32)(unsafe.Add(unsafe.Pointer(*d), move))
	}
	return true
}

// fastCompare executes comparisons.
func fastCompare(w *Wavefront, op *Op) {
	f := &op.fast
	aux, ok := simd.Control(uint32(w.Mode))
	if w.GPRIndex.On || !ok {
		f.general(w, op)
		return
	}
	mask := f.run(nil, f.pointer(w, 0), f.pointer(w, 1), nil, aux) & w.Exec()
	w.setMask64(int(f.sdst), mask)
	if f.cmpx {
		w.SetExec(mask)
	}
	w.PC = op.Next
}

// maskIn returns the mask that the instruction reads.
func (f *fastVector) maskIn(w *Wavefront) uint64 {
	if f.mask >= 0 {
		return w.mask64(int(f.mask))
	}
	return f.bits
}

// fastCarry executes additions and subtractions with carries.
func fastCarry(w *Wavefront, op *Op) {
	f := &op.fast
	if w.GPRIndex.On {
		f.general(w, op)
		return
	}
	in, exec := f.maskIn(w), w.Exec()
	d := f.destination(w)
	t := d
	if exec != allLanes {
		t = &w.temp[6][0]
	}
	out := f.run(t, f.pointer(w, 0), f.pointer(w, 1), nil, in)
	if exec != allLanes {
		f.merge(w, d, exec)
	}
	if f.sdst >= 0 {
		w.setMask64(int(f.sdst), out&exec)
	}
	w.PC = op.Next
}

// fastSelect executes v_cndmask_b32.
func fastSelect(w *Wavefront, op *Op) {
	f := &op.fast
	if w.GPRIndex.On {
		f.general(w, op)
		return
	}
	d, exec := f.destination(w), w.Exec()
	a, b := f.pointer(w, 0), f.pointer(w, 1)
	if exec == allLanes {
		f.run(d, a, b, nil, f.maskIn(w))
	} else {
		f.run(&w.temp[6][0], a, b, nil, f.maskIn(w))
		f.merge(w, d, exec)
	}
	w.PC = op.Next
}

// bindFast gives the instructions of a program their fast forms.
func (p *Program) bindFast(level *simd.Level) {
	p.move, p.choose = level.Scalar(simd.Move), level.Vector(simd.Select)
	for i := range p.Ops {
		if op := &p.Ops[i]; op.refusal == "" && op.Inst.Op != nil && op.Inst.Op.Unit == isa.UnitVALU {
			op.accelerate(level)
		}
	}
}
