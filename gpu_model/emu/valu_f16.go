package emu

import "math"

// Half-precision vector instructions; results fill the high half with zeros (source: CLRX GcnInstrsVop1, Vop2, Vop3).
func init() {
	arithmetic := func(f func(a, b, c float64) float64) laneFunc { return liftMode(arithmetic16(f)) }
	unary := func(f func(x float64) float64) laneFunc {
		return arithmetic(func(a, _, _ float64) float64 { return f(a) })
	}
	registerVector(resultF16, map[string]laneFunc{
		"v_add_f16":    liftMode(func(m Mode, a, b, _ uint32) uint32 { return add16(m, a, b) }),
		"v_sub_f16":    liftMode(func(m Mode, a, b, _ uint32) uint32 { return sub16(m, a, b) }),
		"v_subrev_f16": liftMode(func(m Mode, a, b, _ uint32) uint32 { return sub16(m, b, a) }),
		"v_mul_f16":    arithmetic(func(a, b, _ float64) float64 { return a * b }),
		"v_mad_f16":    liftMode(mad16),
		"v_madmk_f16":  liftMode(mad16),
		"v_madak_f16":  liftMode(mad16),
		"v_fma_f16":    liftMode(fma16),
		"v_max_f16":    lift16(func(m Mode, a, b uint16) uint16 { return pick16(m, a, b, false) }),
		"v_min_f16":    lift16(func(m Mode, a, b uint16) uint16 { return pick16(m, a, b, true) }),
		"v_ldexp_f16": liftMode(func(m Mode, a, b, _ uint32) uint32 {
			if isNaN16(uint16(a)) {
				return uint32(uint16(a) | quiet16)
			}
			x := ldexp(from16(flush16(m.flushIn64(), uint16(a))), int32(int16(b)))
			return uint32(to16(x, m.round64(), m.flushOut64()))
		}),
		"v_rcp_f16":   unary(reciprocal),
		"v_sqrt_f16":  invalid16(math.Sqrt),
		"v_rsq_f16":   invalid16(reciprocalRoot),
		"v_log_f16":   invalid16(log2),
		"v_exp_f16":   unary(math.Exp2),
		"v_floor_f16": unary(math.Floor),
		"v_ceil_f16":  unary(math.Ceil),
		"v_trunc_f16": unary(math.Trunc),
		"v_rndne_f16": unary(math.RoundToEven),
		"v_fract_f16": liftMode(func(m Mode, a, _, _ uint32) uint32 {
			if a&0x7FFF == 0x7C00 {
				return a&0x8000 | uint32(nan16)
			}
			return arithmetic16(func(x, _, _ float64) float64 { return min(oddSum(x, -math.Floor(x)), 0x1.ffcp-1) })(m, a, 0, 0)
		}),
		"v_sin_f16": invalid16(sineTurns),
		"v_cos_f16": invalid16(cosineTurns),
		"v_frexp_mant_f16": unary(func(x float64) float64 {
			fraction, _ := math.Frexp(x)
			return fraction
		}),
		"v_div_fixup_f16": liftMode(divFixup16),
	})
	register("v_mac_f16", tiedInstruction(resultF16, liftMode(mad16)))
}

func lift16(f func(m Mode, a, b uint16) uint16) laneFunc {
	return liftMode(func(m Mode, a, b, _ uint32) uint32 { return uint32(f(m, uint16(a), uint16(b))) })
}

// mad16 rounds the product before the addition and flushes denormals always, as mad32 does.
func mad16(m Mode, a, b, c uint32) uint32 {
	m &^= 0xC0
	product := arithmetic16(func(a, b, _ float64) float64 { return a * b })(m, a, b, 0)
	return add16(m, product, c)
}

// invalid16 lifts a function whose NaN, for arguments outside its domain, is negative.
func invalid16(f func(x float64) float64) laneFunc {
	compute := arithmetic16(func(a, _, _ float64) float64 { return f(a) })
	return liftMode(func(m Mode, a, _, _ uint32) uint32 {
		r := compute(m, a, 0, 0)
		if isNaN16(uint16(r)) && !isNaN16(uint16(a)) {
			r |= 1 << 15
		}
		return r
	})
}

// divFixup16 puts sign and special cases into the quotient a of c / b (source: CLRX GcnInstrsVop3, V_DIV_FIXUP_F16).
func divFixup16(_ Mode, a, b, c uint32) uint32 {
	sign := (b ^ c) & (1 << 15)
	mb, mc := b&0x7FFF, c&0x7FFF
	const infinity = 0x7C00
	switch {
	case isNaN16(uint16(c)):
		return c&0xFFFF | uint32(quiet16)
	case isNaN16(uint16(b)):
		return b&0xFFFF | uint32(quiet16)
	case mb == 0 && mc == 0, mb == infinity && mc == infinity:
		return 0xFE00
	case mb == 0 || mc == infinity:
		return sign | infinity
	case mb == infinity || mc == 0:
		return sign
	case isNaN16(uint16(a)): // the steps before overflowed
		return sign | infinity
	}
	return sign | a&0x7FFF
}
