package emu

import (
	"math"
	"math/big"
)

func add64(m Mode, a, b uint64) uint64 {
	if nan, ok := nanOf64(a, b); ok {
		return nan
	}
	flush := m.flushIn64()
	x, y := flushed64(flush, a), flushed64(flush, b)
	if m.round64() != roundNearest && finite64(x) && finite64(y) {
		return exact64(m, x, 1, y, 0)
	}
	return finish64(m, x+y)
}

func mul64(m Mode, a, b uint64) uint64 {
	if nan, ok := nanOf64(a, b); ok {
		return nan
	}
	flush := m.flushIn64()
	x, y := flushed64(flush, a), flushed64(flush, b)
	product := x * y
	if x != 0 && y != 0 && finite64(x) && finite64(y) && (m.round64() != roundNearest || boundary64(m, product)) {
		return exact64(m, x, y, 0, 0)
	}
	return finish64(m, product)
}

func fma64(m Mode, a, b, c uint64) uint64 {
	if nan, ok := nanOf64(a, b, c); ok {
		return nan
	}
	flush := m.flushIn64()
	x, y, z := flushed64(flush, a), flushed64(flush, b), flushed64(flush, c)
	r := math.FMA(x, y, z)
	if finite64(x) && finite64(y) && finite64(z) && (m.round64() != roundNearest || boundary64(m, r)) {
		return exact64(m, x, y, z, 0)
	}
	return finish64(m, r)
}

// fmaScaled64 is (a·b + c)·2^scale with one rounding.
func fmaScaled64(m Mode, a, b, c uint64, scale int) uint64 {
	flush := m.flushIn64()
	x, y, z := flushed64(flush, a), flushed64(flush, b), flushed64(flush, c)
	if finite64(x) && finite64(y) && finite64(z) {
		return exact64(m, x, y, z, scale)
	}
	return fma64(m, a, b, c)
}

func finite64(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }

// boundary64 tells that r is the least normal number and that denormals are flushed: whether the exact result is tiny then decides.
func boundary64(m Mode, r float64) bool { return m.flushOut64() && math.Abs(r) == 0x1p-1022 }

// exact64 computes (x·y + z)·2^scale of finite numbers with one rounding.
func exact64(m Mode, x, y, z float64, scale int) uint64 {
	const precision = 4400 // holds any such sum
	modes := [4]big.RoundingMode{big.ToNearestEven, big.ToPositiveInf, big.ToNegativeInf, big.ToZero}
	product := new(big.Float).SetPrec(precision).Mul(big.NewFloat(x), big.NewFloat(y))
	exact := new(big.Float).SetPrec(precision).Add(product, big.NewFloat(z))
	if exact.Sign() == 0 {
		return zeroSum64(m, x, y, z)
	}
	exact.SetMantExp(exact, scale)
	r := new(big.Float).SetPrec(53).SetMode(modes[m.round64()]).Set(exact)
	value, _ := r.Float64()
	switch {
	case math.IsInf(value, 0): // of the directed roundings, those towards 0 stay finite
		if m.round64() == roundZero || m.round64() == roundUp && value < 0 || m.round64() == roundDown && value > 0 {
			value = math.Copysign(math.MaxFloat64, value)
		}
	case r.MantExp(nil) <= -1022: // below the least normal number
		if m.flushOut64() {
			value = 0
		} else {
			value = math.Abs(denormal64(exact, m.round64()))
		}
		if exact.Sign() < 0 {
			value = -value
			if value == 0 {
				value = math.Copysign(0, -1)
			}
		}
	}
	return math.Float64bits(value)
}

// zeroSum64 is the zero that x·y + z gives: that of both signs, else + except when rounding down.
func zeroSum64(m Mode, x, y, z float64) uint64 {
	product := math.Signbit(x) != math.Signbit(y)
	switch {
	case x != 0 && y != 0:
		if m.round64() == roundDown {
			return 1 << 63
		}
		return 0
	case product && math.Signbit(z), m.round64() == roundDown && (product || math.Signbit(z)):
		return 1 << 63
	}
	return 0
}

// denormal64 rounds a tiny number to a multiple of 2^−1074.
func denormal64(exact *big.Float, round uint32) float64 {
	scaled := new(big.Float).SetPrec(2400).SetMantExp(exact, 1074)
	whole, _ := scaled.Int(nil)
	rest := new(big.Float).SetPrec(2400).Sub(scaled, new(big.Float).SetInt(whole))
	up := round == roundUp && rest.Sign() > 0
	down := round == roundDown && rest.Sign() < 0
	if round == roundNearest {
		half := new(big.Float).Abs(rest).Cmp(big.NewFloat(0.5))
		away := half > 0 || half == 0 && whole.Bit(0) == 1
		up, down = away && rest.Sign() > 0, away && rest.Sign() < 0
	}
	switch {
	case up:
		whole.Add(whole, big.NewInt(1))
	case down:
		whole.Sub(whole, big.NewInt(1))
	}
	value, _ := new(big.Float).SetMantExp(new(big.Float).SetInt(whole), -1074).Float64()
	if value == 0 && exact.Sign() < 0 {
		return math.Copysign(0, -1)
	}
	return value
}

// finish64 finishes a result that is rounded already.
func finish64(m Mode, r float64) uint64 {
	if math.IsNaN(r) {
		return nan64
	}
	return flush64(m.flushOut64(), math.Float64bits(r))
}

func pick64(m Mode, a, b uint64, least bool) uint64 {
	switch {
	case m.ieee() && isNaN64(a) && a&quiet64 == 0:
		return a | quiet64
	case m.ieee() && isNaN64(b) && b&quiet64 == 0:
		return b | quiet64
	case isNaN64(a):
		return b
	case isNaN64(b):
		return a
	}
	if (ordered64(a) <= ordered64(b)) == least {
		return a
	}
	return b
}
