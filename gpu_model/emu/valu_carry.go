package emu

import "github.com/spartan-cosim/spartan-cosim/gpu_model/isa"

// Instructions with a mask as second source or result: carries, v_cndmask, wide multiply-adds, v_div_scale.
func init() {
	registerCarry("v_add_u32", func(a, b uint32, _ bool) (uint32, bool) { d := a + b; return d, d < a }, ^uint32(0))
	registerCarry("v_sub_u32", func(a, b uint32, _ bool) (uint32, bool) { return a - b, b > a }, 0)
	registerCarry("v_subrev_u32", func(a, b uint32, _ bool) (uint32, bool) { return b - a, a > b }, 0)
	registerCarry("v_addc_u32", addCarry, ^uint32(0))
	registerCarry("v_subb_u32", subtractBorrow, 0)
	registerCarry("v_subbrev_u32", func(a, b uint32, c bool) (uint32, bool) { return subtractBorrow(b, a, c) }, 0)
	register("v_cndmask_b32", maskInstruction(executeSelect))
	register("v_mad_u64_u32", maskInstruction(executeWide(func(a, b uint32, c uint64) (uint64, bool) {
		d := uint64(a)*uint64(b) + c
		return d, d < c
	})))
	register("v_mad_i64_i32", maskInstruction(executeWide(func(a, b uint32, c uint64) (uint64, bool) {
		product := int64(int32(a)) * int64(int32(b))
		d := product + int64(c)
		return uint64(d), (product^d)&(int64(c)^d) < 0
	})))
}

func addCarry(a, b uint32, c bool) (uint32, bool) {
	sum := uint64(a) + uint64(b)
	if c {
		sum++
	}
	return uint32(sum), sum>>32 != 0
}

func subtractBorrow(a, b uint32, c bool) (uint32, bool) {
	difference := uint64(a) - uint64(b)
	if c {
		difference--
	}
	return uint32(difference), difference>>32 != 0
}

// maskInstruction makes the executor of an instruction that reads Src[2] as a mask or writes SDst.
func maskInstruction(execute func(w *Wavefront, op *Op)) executor {
	return func(op *Op) error {
		v, err := resolveVector(op)
		if err != nil {
			return err
		}
		if source := op.Inst.Src[2]; op.Inst.Op.Slots[2].Words != 1 && source < 128 && v.words == 1 {
			v.mask = int(source)
		}
		op.vec, op.Execute = v, execute
		return nil
	}
}

func (w *Wavefront) mask64(first int) uint64 { return uint64(w.S[first]) | uint64(w.S[first+1])<<32 }

func (w *Wavefront) setMask64(first int, mask uint64) {
	w.S[first], w.S[first+1] = uint32(mask), uint32(mask>>32)
}

// maskSource returns the mask that Src[2] holds; a constant stands for itself.
func (w *Wavefront) maskSource(v *vector) uint64 {
	if v.mask >= 0 {
		return w.mask64(v.mask)
	}
	if s := &v.src[2]; s.kind == sourceConstant {
		return join(s.lo[0], s.hi[0])
	}
	return 0
}

// registerCarry enters an addition or subtraction. clamped is the result of a clamped overflow.
func registerCarry(name string, f func(a, b uint32, carry bool) (uint32, bool), clamped uint32) {
	fast := carryLoops[name]
	register(name, maskInstruction(func(w *Wavefront, op *Op) {
		v := op.vec
		w.PC = op.Next
		s := w.sources(op, v)
		d, _ := w.destination(op, v)
		if w.Fault != nil {
			return
		}
		exec := w.Exec()
		var out uint64
		t := &w.temp[6]
		if fast != nil && v.plain {
			out = fast(t, s.a, s.b)
		} else {
			in := w.maskSource(v)
			for i, a := range s.a {
				r, carry := f(a, s.b[i], in>>i&1 != 0)
				if carry {
					out |= 1 << i
					if v.clamp {
						r = clamped
					}
				}
				t[i] = r
			}
		}
		w.writeVector(v, d, t, exec)
		if v.sdst >= 0 {
			w.setMask64(v.sdst, out&exec)
		}
	}))
}

var carryLoops = map[string]func(d, a, b *lanes) uint64{
	"v_add_u32": func(d, a, b *lanes) (out uint64) {
		for i, x := range a {
			sum := uint64(x) + uint64(b[i])
			d[i] = uint32(sum)
			out |= sum >> 32 << i
		}
		return out
	},
	"v_sub_u32": func(d, a, b *lanes) (out uint64) {
		for i, x := range a {
			r := uint64(x) - uint64(b[i])
			d[i] = uint32(r)
			out |= r >> 63 << i
		}
		return out
	},
}

// writeVector writes a 32-bit result under EXEC, SDWA and DPP.
func (w *Wavefront) writeVector(v *vector, d, t *lanes, exec uint64) {
	if v.sdwa != nil {
		sdwaResult(v.sdwa, t, d)
	}
	if v.dpp != nil {
		exec &= v.dppMask(exec)
	}
	blend(d, t, exec)
}

func executeSelect(w *Wavefront, op *Op) {
	v := op.vec
	w.PC = op.Next
	mask := w.maskSource(v)
	s := w.sources(op, v)
	d, _ := w.destination(op, v)
	if w.Fault != nil {
		return
	}
	t := &w.temp[6]
	for i, a := range s.a {
		r := a
		if mask>>i&1 != 0 {
			r = s.b[i]
		}
		t[i] = r
	}
	w.writeVector(v, d, t, w.Exec())
}

func executeWide(f func(a, b uint32, c uint64) (uint64, bool)) func(w *Wavefront, op *Op) {
	return func(w *Wavefront, op *Op) {
		v := op.vec
		w.PC = op.Next
		s := w.sources(op, v)
		d, dh := w.destination(op, v)
		if w.Fault != nil {
			return
		}
		exec, out := w.Exec(), uint64(0)
		t, th := &w.temp[6], &w.temp[7]
		for i, a := range s.a {
			r, carry := f(a, s.b[i], join(s.c[i], s.ch[i]))
			if carry {
				out |= 1 << i
				if v.clamp {
					r = clampWide(op.Inst.Op, a, s.b[i])
				}
			}
			t[i], th[i] = uint32(r), uint32(r>>32)
		}
		blend(d, t, exec)
		blend(dh, th, exec)
		if v.sdst >= 0 {
			w.setMask64(v.sdst, out&exec)
		}
	}
}

// clampWide is the clamped result of a 64-bit multiply-add that overflowed.
func clampWide(row *isa.Opcode, a, b uint32) uint64 {
	switch {
	case row.Name == "v_mad_u64_u32":
		return ^uint64(0)
	case int32(a) < 0 != (int32(b) < 0): // the product, and so the overflow, is negative
		return 1 << 63
	}
	return 1<<63 - 1
}
