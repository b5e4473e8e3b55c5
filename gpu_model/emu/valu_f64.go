package emu

import (
	"math"
	"math/big"
	"sync"
)

// Double-precision vector instructions (source: CLRX GcnInstrsVop1, Vop3).
func init() {
	registerVector(resultF64, map[string]laneFunc{
		"v_add_f64": liftWide(func(m Mode, a, b, _ uint64) uint64 { return add64(m, a, b) }),
		"v_mul_f64": liftWide(func(m Mode, a, b, _ uint64) uint64 { return mul64(m, a, b) }),
		"v_fma_f64": liftWide(fma64),
		"v_min_f64": liftWide(func(m Mode, a, b, _ uint64) uint64 { return pick64(m, a, b, true) }),
		"v_max_f64": liftWide(func(m Mode, a, b, _ uint64) uint64 { return pick64(m, a, b, false) }),
		"v_ldexp_f64": liftWide(func(m Mode, a, b, _ uint64) uint64 {
			if isNaN64(a) {
				return a | quiet64
			}
			return scale64(m, flush64(m.flushIn64(), a), int32(b))
		}),
		"v_trunc_f64": unary64(math.Trunc),
		"v_ceil_f64":  unary64(math.Ceil),
		"v_floor_f64": unary64(math.Floor),
		"v_rndne_f64": unary64(math.RoundToEven),
		"v_fract_f64": liftWide(fract64),
		"v_rcp_f64":   unary64(reciprocal),
		"v_rsq_f64":   unary64(reciprocalRoot),
		"v_sqrt_f64":  unary64(math.Sqrt),
		"v_frexp_mant_f64": unary64(func(x float64) float64 {
			fraction, _ := math.Frexp(x)
			return fraction
		}),
		"v_trig_preop_f64": liftWide(func(_ Mode, a, b, _ uint64) uint64 { return trigPreop(a, uint32(b)) }),
		"v_div_fixup_f64":  liftWide(divFixup64),
	})
	register("v_div_fmas_f64", vccInstruction(resultF64, func(m Mode, vcc bool, a, b, c uint64) uint64 {
		if !vcc {
			return fma64(m, a, b, c)
		}
		if c&(1<<63-1) >= 0x4000000000000000 {
			return fmaScaled64(m, a, b, c, 128)
		}
		return fmaScaled64(m, a, b, c, -128)
	}))
	register("v_div_scale_f64", scaleInstruction(resultF64, divScale64))
}

func unary64(f func(x float64) float64) laneFunc {
	return liftWide(func(m Mode, a, _, _ uint64) uint64 {
		if isNaN64(a) {
			return a | quiet64
		}
		y := f(flushed64(m.flushIn64(), a))
		if math.IsNaN(y) { // outside the domain of the function
			return 1<<63 | nan64
		}
		return finish64(m, y)
	})
}

// fract64 is x − floor(x), less than 1 always.
func fract64(m Mode, a, _, _ uint64) uint64 {
	switch {
	case isNaN64(a):
		return a | quiet64
	case a&(1<<63-1) == 0x7FF0000000000000:
		return a&(1<<63) | nan64
	}
	x := flushed64(m.flushIn64(), a)
	floor := math.Floor(x)
	if x == floor {
		return 0
	}
	return min(add64(m, math.Float64bits(x), math.Float64bits(-floor)), 0x3FEFFFFFFFFFFFFF)
}

// scale64 multiplies by a power of two.
func scale64(m Mode, x uint64, exponent int32) uint64 {
	if x&(1<<63-1) == 0 || x&0x7FF0000000000000 == 0x7FF0000000000000 {
		return x
	}
	return exact64(m, math.Float64frombits(x), 1, 0, int(max(-5000, min(5000, exponent))))
}

func exponent64(x uint64) int { return int(x >> 52 & 0x7FF) }

func denormal(x float64) bool { return x != 0 && math.Abs(x) < 0x1p-1022 }

// divScale64 is divScale32 for f64 (source: CLRX GcnInstrsVop3, V_DIV_SCALE_F64).
func divScale64(m Mode, a, b, c uint64) (uint64, bool) {
	x, y := math.Float64frombits(b), math.Float64frombits(c)
	up := func() uint64 { return math.Float64bits(math.Ldexp(math.Float64frombits(a), 128)) }
	switch {
	case x == 0 || y == 0:
		return nan64, false
	case exponent64(c)-exponent64(b) >= 768:
		if a == b {
			return up(), true
		}
		return a, true
	case exponent64(b) == 0:
		return up(), false
	case denormal(1/x) && denormal(y/x):
		if a == b {
			return math.Float64bits(math.Ldexp(math.Float64frombits(a), -128)), true
		}
		return a, true
	case denormal(1 / x):
		return math.Float64bits(math.Ldexp(math.Float64frombits(a), -128)), false
	case denormal(y / x):
		if a == c {
			return up(), true
		}
		return a, true
	case exponent64(c) <= 53:
		return up(), false
	}
	return a, false
}

// divFixup64 is divFixup32 for f64.
func divFixup64(_ Mode, a, b, c uint64) uint64 {
	sign := (b ^ c) & (1 << 63)
	const magnitude, infinity = 1<<63 - 1, 0x7FF0000000000000
	mb, mc := b&magnitude, c&magnitude
	switch {
	case isNaN64(c):
		return c | quiet64
	case isNaN64(b):
		return b | quiet64
	case mb == 0 && mc == 0, mb == infinity && mc == infinity:
		return 0xFFF8000000000000
	case mb == 0 || mc == infinity:
		return sign | infinity
	case mb == infinity || mc == 0:
		return sign
	case exponent64(c)-exponent64(b) < -1075:
		return sign
	case isNaN64(a): // the steps before overflowed
		return sign | infinity
	}
	return sign | a&magnitude
}

// twoOverPi holds the fraction of 2/π, most significant bits first: the table of v_trig_preop_f64 (source: CLRX
// GcnInstrsVop3), computed by Machin's formula.
var twoOverPi = sync.OnceValue(func() (words [24]uint64) {
	const bits = 64*len(words) + 64
	arctan := func(inverse int64) *big.Int { // 2^bits · arctan(1/inverse)
		term := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), uint(bits)), big.NewInt(inverse))
		sum := new(big.Int).Set(term)
		for k := int64(3); term.Sign() != 0; k += 2 {
			term.Div(term, big.NewInt(-inverse*inverse))
			sum.Add(sum, new(big.Int).Div(term, big.NewInt(k)))
		}
		return sum
	}
	pi := new(big.Int).Sub(new(big.Int).Mul(big.NewInt(16), arctan(5)), new(big.Int).Mul(big.NewInt(4), arctan(239)))
	fraction := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(2), uint(2*bits)), pi)
	for i := range words {
		word := new(big.Int).Rsh(fraction, uint(bits-64*(i+1)))
		words[i] = word.Uint64()
	}
	return words
})

// trigPreop returns 53 bits of 2/π, chosen by segment and by the exponent of a, for the reduction of large angles.
func trigPreop(a uint64, segment uint32) uint64 {
	shift := int(segment&31) * 53
	if exponent := exponent64(a); exponent > 1077 {
		shift += exponent - 1077
	}
	table := twoOverPi()
	word, offset := shift/64, uint(shift%64)
	at := func(i int) uint64 {
		if i < len(table) {
			return table[i]
		}
		return 0
	}
	bits := at(word)<<offset | at(word+1)>>(63-offset)>>1
	scale := -53 - shift
	if exponent64(a) >= 1968 {
		scale += 128
	}
	return math.Float64bits(math.Ldexp(float64(bits>>11), scale))
}
