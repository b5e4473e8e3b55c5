package emu

import "math"

// Single-precision vector instructions (source: CLRX GcnInstrsVop1, Vop2, Vop3).
func init() {
	registerVector(resultF32, map[string]laneFunc{
		"v_add_f32":    laneAdd32,
		"v_sub_f32":    laneSub32,
		"v_subrev_f32": func(m Mode, d, h *lanes, s *operands) { laneSub32(m, d, h, &operands{a: s.b, b: s.a}) },
		"v_mul_f32":    laneMul32,
		"v_mul_legacy_f32": liftMode(func(m Mode, a, b, _ uint32) uint32 {
			return mulLegacy32(m, a, b)
		}),
		"v_mad_legacy_f32": liftMode(func(m Mode, a, b, c uint32) uint32 { return add32(madMode(m), mulLegacy32(madMode(m), a, b), c) }),
		"v_mad_f32":        laneMad32,
		"v_madmk_f32":      laneMad32,
		"v_madak_f32":      laneMad32,
		"v_fma_f32":        liftMode(fma32),
		"v_min_f32":        liftMode(func(m Mode, a, b, _ uint32) uint32 { return min32(m, a, b) }),
		"v_max_f32":        laneMax32,
		"v_min3_f32":       liftMode(func(m Mode, a, b, c uint32) uint32 { return min32(m, min32(m, a, b), c) }),
		"v_max3_f32":       liftMode(func(m Mode, a, b, c uint32) uint32 { return max32(m, max32(m, a, b), c) }),
		"v_med3_f32":       liftMode(med32),
		"v_fract_f32": liftMode(func(m Mode, a, _, _ uint32) uint32 {
			if isNaN32(a) {
				return a | quiet32
			}
			if a&0x7FFFFFFF == 0x7F800000 {
				return a&(1<<31) | nan32
			}
			x := float64(flushed32(m.flushIn32(), a))
			return narrow32(min(oddSum(x, -math.Floor(x)), 0x1.fffffep-1), m.round32(), m.flushOut32())
		}),
		"v_trunc_f32":      unary32(math.Trunc),
		"v_ceil_f32":       unary32(math.Ceil),
		"v_floor_f32":      unary32(math.Floor),
		"v_rndne_f32":      unary32(math.RoundToEven),
		"v_exp_f32":        unary32(exp2),
		"v_exp_legacy_f32": unary32(exp2),
		"v_log_f32":        normal32(log2),
		"v_log_legacy_f32": normal32(log2),
		"v_rcp_f32":        unary32(reciprocal),
		"v_rcp_iflag_f32":  unary32(reciprocal),
		"v_rsq_f32":        normal32(reciprocalRoot),
		"v_sqrt_f32":       unary32(math.Sqrt),
		"v_sin_f32":        unary32(sineTurns),
		"v_cos_f32":        unary32(cosineTurns),
		"v_frexp_mant_f32": liftMode(func(m Mode, a, _, _ uint32) uint32 { return frexpMantissa32(m, a) }),
		"v_ldexp_f32": liftMode(func(m Mode, a, b, _ uint32) uint32 {
			if isNaN32(a) {
				return a | quiet32
			}
			return narrow32(ldexp(float64(flushed32(m.flushIn32(), a)), int32(b)), m.round32(), m.flushOut32())
		}),
		"v_cubeid_f32":    liftMode(cubeID),
		"v_cubesc_f32":    liftMode(cubeS),
		"v_cubetc_f32":    liftMode(cubeT),
		"v_cubema_f32":    liftMode(cubeMajor),
		"v_div_fixup_f32": liftMode(divFixup32),
	})
	register("v_mac_f32", tiedInstruction(resultF32, laneMad32))
	register("v_div_fmas_f32", vccInstruction(resultF32, func(m Mode, vcc bool, a, b, c uint64) uint64 {
		scale := int32(0)
		if vcc {
			scale = -64
			if uint32(c)&0x7FFFFFFF >= 0x40000000 {
				scale = 64
			}
		}
		return uint64(fmaScaled32(m, uint32(a), uint32(b), uint32(c), scale))
	}))
	register("v_div_scale_f32", scaleInstruction(resultF32, divScale32))
}

// unary32 lifts a function that is good to well under half an ulp of f32 in float64. The NaN of arguments outside its domain is negative
// (source: CLRX GcnInstrsVop1, V_SQRT_F32 …).
func unary32(f func(x float64) float64) laneFunc {
	return liftMode(func(m Mode, a, _, _ uint32) uint32 {
		if isNaN32(a) {
			return a | quiet32
		}
		y := f(float64(flushed32(m.flushIn32(), a)))
		if math.IsNaN(y) {
			return 1<<31 | nan32
		}
		return narrow32(y, m.round32(), m.flushOut32())
	})
}

// normal32 is unary32 for instructions that take denormals as zeros whatever MODE says.
func normal32(f func(x float64) float64) laneFunc {
	return unary32(func(x float64) float64 {
		if denormal32(x) {
			x = math.Copysign(0, x)
		}
		return f(x)
	})
}

// exp2 is 0 where the result would be a denormal, whatever MODE says (source: CLRX, V_EXP_F32).
func exp2(x float64) float64 {
	if x < -126 {
		return 0
	}
	return math.Exp2(x)
}

func mulLegacy32(m Mode, a, b uint32) uint32 {
	if flush32(m.flushIn32(), a)&0x7FFFFFFF == 0 || flush32(m.flushIn32(), b)&0x7FFFFFFF == 0 {
		return 0
	}
	return mul32(m, a, b)
}

func med32(m Mode, a, b, c uint32) uint32 {
	if isNaN32(a) || isNaN32(b) || isNaN32(c) {
		return min32(m, min32(m, a, b), c)
	}
	return max32(m, min32(m, a, b), min32(m, max32(m, a, b), c))
}

func log2(x float64) float64 {
	if x < 0 {
		return math.NaN()
	}
	return math.Log2(x)
}

func reciprocal(x float64) float64 { return 1 / x }

func reciprocalRoot(x float64) float64 {
	if x == 0 {
		return math.Copysign(math.Inf(1), x)
	}
	return 1 / math.Sqrt(x)
}

// sineTurns is the sine of an angle in revolutions; outside ±256 the hardware gives 0 (source: GCN3 ISA manual, V_SIN_F32).
func sineTurns(x float64) float64 {
	if x == 0 {
		return x
	}
	return trigonometric(x, 0, 0)
}

// cosineTurns is the cosine of an angle in revolutions; outside ±256 the hardware gives 1.
func cosineTurns(x float64) float64 { return trigonometric(x, 1, 1) }

// trigonometric is the sine of x revolutions and some quarters more, exact at multiples of a quarter.
func trigonometric(x float64, quarters int, outside float64) float64 {
	switch {
	case math.IsInf(x, 0):
		return math.NaN()
	case math.Abs(x) > 256:
		return outside
	}
	nearest := math.RoundToEven(4 * x)
	angle := 2 * math.Pi * (x - nearest/4)
	switch (int(nearest) + quarters) & 3 {
	case 1:
		return math.Cos(angle)
	case 2:
		return 0 - math.Sin(angle)
	case 3:
		return -math.Cos(angle)
	}
	return math.Sin(angle)
}

// ldexp multiplies an f16 or f32 by any power of two. Results beyond those formats stay finite and not zero, so that rounding sees them.
func ldexp(x float64, exponent int32) float64 {
	return math.Ldexp(x, int(max(-600, min(600, exponent))))
}

func frexpMantissa32(m Mode, a uint32) uint32 {
	x := flush32(m.flushIn32(), a)
	if isNaN32(x) {
		return x | quiet32
	}
	if x&0x7F800000 == 0x7F800000 {
		return x
	}
	fraction, _ := math.Frexp(float64(math.Float32frombits(x)))
	return math.Float32bits(float32(fraction))
}

func exponent32(x uint32) int { return int(x >> 23 & 0xFF) }

func denormal32(x float64) bool { return x != 0 && math.Abs(x) < 0x1p-126 }

// divScale32 scales the numerator c or denominator b of a division so that no step over- or underflows
// (source: AMD's ISA manuals, V_DIV_SCALE_F32; a denominator with a denormal reciprocal is scaled down before a denormal quotient too: only
// so do the instructions that LLVM makes of a division round it correctly).
func divScale32(m Mode, a64, b64, c64 uint64) (uint64, bool) {
	a, b, c := uint32(a64), uint32(b64), uint32(c64)
	x, y := float64(math.Float32frombits(b)), float64(math.Float32frombits(c))
	scaled := func(x uint32, exponent int32) uint64 {
		return uint64(math.Float32bits(float32(ldexp(float64(math.Float32frombits(x)), exponent))))
	}
	up := func(x uint32) uint64 { return scaled(x, 64) }
	switch {
	case x == 0 || y == 0:
		return uint64(nan32), false
	case exponent32(c)-exponent32(b) >= 96:
		if a == b {
			return up(a), true
		}
		return uint64(a), true
	case exponent32(b) == 0:
		return up(a), false
	case denormal32(1/x) && denormal32(y/x):
		if a == b {
			return scaled(a, -64), true
		}
		return uint64(a), true
	case denormal32(1 / x):
		return scaled(a, -64), false
	case denormal32(y / x):
		if a == c {
			return up(a), true
		}
		return uint64(a), true
	case exponent32(c) <= 23:
		return up(a), false
	}
	return uint64(a), false
}

// divFixup32 puts sign and special cases into the quotient a of c / b (source: CLRX GcnInstrsVop3, V_DIV_FIXUP_F32).
func divFixup32(_ Mode, a, b, c uint32) uint32 {
	sign := (b ^ c) & (1 << 31)
	mb, mc := b&0x7FFFFFFF, c&0x7FFFFFFF
	const infinity = 0x7F800000
	switch {
	case isNaN32(c):
		return c | quiet32
	case isNaN32(b):
		return b | quiet32
	case mb == 0 && mc == 0, mb == infinity && mc == infinity:
		return 0xFFC00000
	case mb == 0 || mc == infinity:
		return sign | infinity
	case mb == infinity || mc == 0:
		return sign
	case exponent32(c)-exponent32(b) < -150:
		return sign
	case isNaN32(a): // the steps before overflowed
		return sign | infinity
	}
	return sign | a&0x7FFFFFFF
}
