package emu

// vccInstruction makes the executor of v_div_fmas: every lane reads its bit of VCC.
func vccInstruction(result resultKind, f func(m Mode, vcc bool, a, b, c uint64) uint64) executor {
	return func(op *Op) error {
		if err := vectorInstruction(result, nil)(op); err != nil {
			return err
		}
		op.Execute = func(w *Wavefront, op *Op) {
			vcc := w.VCC()
			executeLanes(w, op, func(i int, a, b, c uint64) uint64 { return f(w.Mode, vcc>>i&1 != 0, a, b, c) })
		}
		return nil
	}
}

// scaleInstruction makes the executor of v_div_scale, which writes a mask beside its result.
func scaleInstruction(result resultKind, f func(m Mode, a, b, c uint64) (uint64, bool)) executor {
	return func(op *Op) error {
		if err := vectorInstruction(result, nil)(op); err != nil {
			return err
		}
		op.Execute = func(w *Wavefront, op *Op) {
			var mask uint64
			executeLanes(w, op, func(i int, a, b, c uint64) uint64 {
				r, set := f(w.Mode, a, b, c)
				if set {
					mask |= 1 << i
				}
				return r
			})
			if op.vec.sdst >= 0 && w.Fault == nil {
				w.setMask64(op.vec.sdst, mask&w.Exec())
			}
		}
		return nil
	}
}

// executeLanes executes a vector instruction through a function of lane number and widened sources.
func executeLanes(w *Wavefront, op *Op, f func(lane int, a, b, c uint64) uint64) {
	v := op.vec
	w.PC = op.Next
	s := w.sources(op, v)
	d, dh := w.destination(op, v)
	if w.Fault != nil {
		return
	}
	t, th := &w.temp[6], &w.temp[7]
	b, c := orZero(s.b), orZero(s.c)
	ah, bh, ch := orZero(s.ah), orZero(s.bh), orZero(s.ch)
	for i, a := range s.a {
		r := f(i, join(a, ah[i]), join(b[i], bh[i]), join(c[i], ch[i]))
		t[i], th[i] = uint32(r), uint32(r>>32)
	}
	v.finish(w.Mode, t, th)
	exec := w.Exec()
	blend(d, t, exec)
	if v.words >= 2 {
		blend(dh, th, exec)
	}
}
