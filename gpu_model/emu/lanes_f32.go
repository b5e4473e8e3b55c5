package emu

import "math"

// Loops of the single-precision instructions that dominate kernels: the common mode (round to nearest) without a call
// a lane, all else through the general functions.

func laneAdd32(m Mode, d, _ *lanes, s *operands) {
	if m.round32() != roundNearest {
		for i, a := range s.a {
			d[i] = add32(m, a, s.b[i])
		}
		return
	}
	in, out, b := m.flushIn32(), m.flushOut32(), s.b
	for i, a := range s.a {
		r := math.Float32bits(flushed32(in, a) + flushed32(in, b[i]))
		if r&0x7F800000 == 0x7F800000 && r<<9 != 0 {
			r = invalid32(a, b[i])
		}
		d[i] = flush32(out, r)
	}
}

func laneSub32(m Mode, d, _ *lanes, s *operands) {
	b := s.b
	if m.round32() != roundNearest {
		for i, a := range s.a {
			d[i] = add32(m, a, negated32(b[i]))
		}
		return
	}
	in, out := m.flushIn32(), m.flushOut32()
	for i, a := range s.a {
		r := math.Float32bits(flushed32(in, a) - flushed32(in, b[i]))
		if r&0x7F800000 == 0x7F800000 && r<<9 != 0 {
			r = invalid32(a, b[i])
		}
		d[i] = flush32(out, r)
	}
}

func negated32(x uint32) uint32 {
	if isNaN32(x) {
		return x
	}
	return x ^ 1<<31
}

func laneMul32(m Mode, d, _ *lanes, s *operands) {
	b := s.b
	if m.round32() != roundNearest {
		for i, a := range s.a {
			d[i] = mul32(m, a, b[i])
		}
		return
	}
	in, out := m.flushIn32(), m.flushOut32()
	for i, a := range s.a {
		d[i] = multiply32(m, in, out, a, b[i])
	}
}

// multiply32 is mul32 for round to nearest: one multiplication where the result is an ordinary number.
func multiply32(m Mode, in, out bool, a, b uint32) uint32 {
	r := math.Float32bits(flushed32(in, a) * flushed32(in, b))
	if magnitude := r & 0x7FFFFFFF; magnitude > 0x00800000 && magnitude <= 0x7F800000 || magnitude == 0 {
		return r
	}
	return mul32(m, a, b)
}

// laneMad32 is v_mad_f32 and v_mac_f32: the product is rounded before the addition, denormals are flushed always.
func laneMad32(m Mode, d, _ *lanes, s *operands) {
	if m.round32() != roundNearest {
		for i, a := range s.a {
			d[i] = mad32(m, a, s.b[i], s.c[i])
		}
		return
	}
	m = madMode(m)
	b, c := s.b, s.c
	for i, a := range s.a {
		p := multiply32(m, true, true, a, b[i])
		r := math.Float32bits(math.Float32frombits(p) + flushed32(true, c[i]))
		if r&0x7F800000 == 0x7F800000 && r<<9 != 0 {
			r = invalid32(p, c[i])
		}
		d[i] = flush32(true, r)
	}
}

func laneMax32(m Mode, d, _ *lanes, s *operands) {
	b := s.b
	for i, a := range s.a {
		d[i] = max32(m, a, b[i])
	}
}
