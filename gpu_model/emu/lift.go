package emu

// The lifts make a lane function out of a function of one lane. Instructions that dominate kernels have loops of their
// own (see lanes_*.go); the rest come from here.

func lift1(f func(a uint32) uint32) laneFunc {
	return func(_ Mode, d, _ *lanes, s *operands) {
		for i, a := range s.a {
			d[i] = f(a)
		}
	}
}

func lift2(f func(a, b uint32) uint32) laneFunc {
	return func(_ Mode, d, _ *lanes, s *operands) {
		for i, a := range s.a {
			d[i] = f(a, s.b[i])
		}
	}
}

func lift3(f func(a, b, c uint32) uint32) laneFunc {
	return func(_ Mode, d, _ *lanes, s *operands) {
		for i, a := range s.a {
			d[i] = f(a, s.b[i], s.c[i])
		}
	}
}

// liftMode is the lift for functions that depend on the MODE register; sources that the instruction lacks are 0.
func liftMode(f func(m Mode, a, b, c uint32) uint32) laneFunc {
	return func(m Mode, d, _ *lanes, s *operands) {
		b, c := orZero(s.b), orZero(s.c)
		for i, a := range s.a {
			d[i] = f(m, a, b[i], c[i])
		}
	}
}

// liftWide is the lift for instructions with a 64-bit source or result; sources that the instruction lacks are 0.
func liftWide(f func(m Mode, a, b, c uint64) uint64) laneFunc {
	return func(m Mode, d, dh *lanes, s *operands) {
		b, c := orZero(s.b), orZero(s.c)
		ah, bh, ch := orZero(s.ah), orZero(s.bh), orZero(s.ch)
		for i, a := range s.a {
			r := f(m, join(a, ah[i]), join(b[i], bh[i]), join(c[i], ch[i]))
			d[i] = uint32(r)
			if dh != nil {
				dh[i] = uint32(r >> 32)
			}
		}
	}
}

var zeroLanes lanes

func orZero(l *lanes) *lanes {
	if l == nil {
		return &zeroLanes
	}
	return l
}

func join(lo, hi uint32) uint64 { return uint64(lo) | uint64(hi)<<32 }

// vectorInstruction makes the executor of an instruction with a vector result.
func vectorInstruction(result resultKind, run laneFunc) executor {
	return func(op *Op) error {
		v, err := resolveVector(op)
		if err != nil {
			return err
		}
		v.run, v.result = run, result
		op.vec, op.Execute = v, executeVector
		if result == resultF64 || v.words == 2 && v.result != resultInt {
			op.Cycles = 8
		}
		return nil
	}
}

// tiedInstruction is vectorInstruction for v_mac: the destination is source 2.
func tiedInstruction(result resultKind, run laneFunc) executor {
	plain := vectorInstruction(result, run)
	return func(op *Op) error {
		if err := plain(op); err != nil {
			return err
		}
		op.vec.tied = true
		return nil
	}
}

// registerVector enters instructions with a vector result.
func registerVector(result resultKind, table map[string]laneFunc) {
	for name, run := range table {
		register(name, vectorInstruction(result, run))
	}
}
