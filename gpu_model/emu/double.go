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
	sum, err := twoSum(x, y)
	if sum == 0 && m.round64() == roundDown && (math.Float64bits(x)|math.Float64bits(y))>>63 != 0 {
		return 1 << 63
	}
	return finish64(m, sum, err)
}

func mul64(m Mode, a, b uint64) uint64 {
	if nan, ok := nanOf64(a, b); ok {
		return nan
	}
	flush := m.flushIn64()
	x, y := flushed64(flush, a), flushed64(flush, b)
	product := x * y
	if m.round64() != roundNearest && !math.IsInf(product, 0) {
		return exact64(m, x, y, 0)
	}
	return finish64(m, product, 0)
}

func fma64(m Mode, a, b, c uint64) uint64 {
	if nan, ok := nanOf64(a, b, c); ok {
		return nan
	}
	flush := m.flushIn64()
	x, y, z := flushed64(flush, a), flushed64(flush, b), flushed64(flush, c)
	r := math.FMA(x, y, z)
	if m.round64() != roundNearest && !math.IsInf(r, 0) && !math.IsNaN(r) {
		return exact64(m, x, y, z)
	}
	return finish64(m, r, 0)
}

// exact64 computes x·y + z of finite numbers under a directed rounding.
func exact64(m Mode, x, y, z float64) uint64 {
	modes := [4]big.RoundingMode{big.ToNearestEven, big.ToPositiveInf, big.ToNegativeInf, big.ToZero}
	exact := new(big.Float).SetPrec(2400).Mul(big.NewFloat(x).SetPrec(2400), big.NewFloat(y))
	exact.Add(exact, big.NewFloat(z))
	if exact.Sign() == 0 {
		return math.Float64bits(x*y + z)
	}
	r := new(big.Float).SetPrec(53).SetMode(modes[m.round64()]).Set(exact)
	value, accuracy := r.Float64()
	if math.IsInf(value, 0) && m.round64() != roundNearest { // overflow of the exponent: the directed roundings may stay finite
		if value > 0 && m.round64() != roundUp || value < 0 && m.round64() == roundUp || m.round64() == roundZero {
			value = math.Copysign(math.MaxFloat64, value)
		}
	} else if accuracy != big.Exact || math.Abs(value) < 0x1p-1022 {
		value = denormal64(exact, m.round64())
	}
	return flush64(m.flushOut64(), math.Float64bits(value))
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

// finish64 rounds a sum with a known error as MODE asks, and flushes.
func finish64(m Mode, r, err float64) uint64 {
	if math.IsNaN(r) {
		return nan64
	}
	if err != 0 && !math.IsInf(r, 0) && !math.IsNaN(err) {
		switch round := m.round64(); {
		case err > 0 && (round == roundUp || round == roundZero && r < 0):
			r = math.Nextafter(r, math.Inf(1))
		case err < 0 && (round == roundDown || round == roundZero && r > 0):
			r = math.Nextafter(r, math.Inf(-1))
		}
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
