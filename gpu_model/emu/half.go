package emu

import "math"

// from16 widens an f16 exactly.
func from16(x uint16) float64 {
	exponent, fraction := int(x>>10&31), float64(x&0x3FF)
	var r float64
	switch exponent {
	case 0:
		r = math.Ldexp(fraction, -24)
	case 31:
		if x&0x3FF != 0 {
			return math.NaN()
		}
		r = math.Inf(1)
	default:
		r = math.Ldexp(fraction+1024, exponent-25)
	}
	if x>>15 != 0 {
		r = -r
	}
	return r
}

// to16 rounds x, which is exact or rounded to odd, to f16.
func to16(x float64, round uint32, flush bool) uint16 {
	sign := uint16(math.Float64bits(x) >> 48 & 0x8000)
	magnitude := math.Abs(x)
	switch {
	case math.IsNaN(x):
		return nan16
	case math.IsInf(x, 0):
		return sign | 0x7C00
	case magnitude == 0:
		return sign
	}
	_, exponent := math.Frexp(magnitude) // magnitude = f × 2^exponent, f in [0.5, 1)
	away := round == roundUp && sign == 0 || round == roundDown && sign != 0
	if flush && magnitude < 0x1p-14 && inPlaces(magnitude, exponent-11, round, away) < 0x1p-14 {
		return sign // tiny when rounded with unbounded exponent
	}
	result := inPlaces(magnitude, max(exponent-11, -24), round, away)
	if result >= 65536 {
		if round == roundNearest || away {
			return sign | 0x7C00
		}
		return sign | 0x7BFF
	}
	if result < 0x1p-14 {
		return sign | uint16(math.Ldexp(result, 24))
	}
	_, exponent = math.Frexp(result)
	fraction := uint16(math.Ldexp(result, 11-exponent)) - 1024
	return sign | uint16(exponent+14)<<10 | fraction
}

// inPlaces rounds x to a multiple of 2^unit; away says that a directed rounding leads away from 0.
func inPlaces(x float64, unit int, round uint32, away bool) float64 {
	scaled := math.Ldexp(x, -unit) // exact
	whole := math.Floor(scaled)
	rest := scaled - whole
	if rest > 0 && (away || round == roundNearest && (rest > 0.5 || rest == 0.5 && math.Mod(whole, 2) == 1)) {
		whole++
	}
	return math.Ldexp(whole, unit)
}

// nanOf16 returns the quieted first NaN of its arguments.
func nanOf16(xs ...uint16) (nan uint16, ok bool) {
	for _, x := range xs {
		if isNaN16(x) {
			return x | quiet16, true
		}
	}
	return 0, false
}

// arithmetic16 applies a function that is exact, or rounded to odd, in float64.
func arithmetic16(f func(a, b, c float64) float64) func(m Mode, a, b, c uint32) uint32 {
	return func(m Mode, a, b, c uint32) uint32 {
		if nan, ok := nanOf16(uint16(a), uint16(b), uint16(c)); ok {
			return uint32(nan)
		}
		flush := m.flushIn64()
		r := f(from16(flush16(flush, uint16(a))), from16(flush16(flush, uint16(b))), from16(flush16(flush, uint16(c))))
		return uint32(to16(r, m.round64(), m.flushOut64()))
	}
}

// add16 adds; see zeroSum16 for the sign of an exact zero.
func add16(m Mode, a, b uint32) uint32 {
	r := arithmetic16(func(a, b, _ float64) float64 { return a + b })(m, a, b, 0)
	flush := m.flushIn64()
	return zeroSum16(m, r, flush16(flush, uint16(a)), flush16(flush, uint16(b)))
}

// sub16 subtracts; a NaN keeps its sign.
func sub16(m Mode, a, b uint32) uint32 {
	if !isNaN16(uint16(b)) {
		b ^= 1 << 15
	}
	return add16(m, a, b)
}

// fma16 multiplies and adds with one rounding.
func fma16(m Mode, a, b, c uint32) uint32 {
	r := arithmetic16(func(a, b, c float64) float64 { return oddSum(float64(a*b), c) })(m, a, b, c)
	flush := m.flushIn64()
	x, y, z := flush16(flush, uint16(a)), flush16(flush, uint16(b)), flush16(flush, uint16(c))
	sign := (x ^ y) & (1 << 15)
	switch product := from16(x) * from16(y); {
	case product == 0:
		return zeroSum16(m, r, sign, z)
	case product == -from16(z) && !math.IsInf(product, 0):
		return zeroSum16(m, r, 0, 1<<15)
	}
	return r
}

// zeroSum16 gives the sum r of a and b the sign of an exact zero where it is one: that of both, else + except when rounding down.
func zeroSum16(m Mode, r uint32, a, b uint16) uint32 {
	exactZero := a&0x7FFF < 0x7C00 && from16(a) == -from16(b)
	if exactZero && m.round64() == roundDown && (a|b)>>15 != 0 {
		return 1 << 15
	}
	return r
}

func pick16(m Mode, a, b uint16, least bool) uint16 {
	switch {
	case m.ieee() && isNaN16(a) && a&quiet16 == 0:
		return a | quiet16
	case m.ieee() && isNaN16(b) && b&quiet16 == 0:
		return b | quiet16
	case isNaN16(a):
		return b
	case isNaN16(b):
		return a
	}
	order := func(x uint16) int16 {
		if int16(x) < 0 {
			return int16(x ^ 0x7FFF)
		}
		return int16(x)
	}
	if (order(a) <= order(b)) == least {
		return a
	}
	return b
}
