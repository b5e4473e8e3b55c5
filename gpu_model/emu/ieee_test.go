package emu

import (
	"math/big"
)

// The reference of floating point: exact numbers of math/big, rounded here by integer arithmetic for any IEEE format, rounding and
// treatment of denormals. It shares nothing with the emulator's arithmetic, which works in float64.

// ieee is an IEEE 754 binary format.
type ieee struct{ exponentBits, fractionBits uint }

var (
	binary16 = ieee{5, 10}
	binary32 = ieee{8, 23}
	binary64 = ieee{11, 52}
)

func (f ieee) bias() int      { return 1<<(f.exponentBits-1) - 1 }
func (f ieee) width() uint    { return 1 + f.exponentBits + f.fractionBits }
func (f ieee) sign() uint64   { return 1 << (f.width() - 1) }
func (f ieee) inf() uint64    { return (1<<f.exponentBits - 1) << f.fractionBits }
func (f ieee) quiet() uint64  { return 1 << (f.fractionBits - 1) }
func (f ieee) qnan() uint64   { return f.inf() | f.quiet() }
func (f ieee) max() uint64    { return f.inf() - 1 }
func (f ieee) normal() uint64 { return 1 << f.fractionBits } // the least normal number
func (f ieee) one() uint64    { return uint64(f.bias()) << f.fractionBits }
func (f ieee) mask() uint64   { return f.sign()<<1 - 1 }

func (f ieee) magnitude(x uint64) uint64 { return x & (f.sign() - 1) }
func (f ieee) isNaN(x uint64) bool       { return f.magnitude(x) > f.inf() }
func (f ieee) isInf(x uint64) bool       { return f.magnitude(x) == f.inf() }
func (f ieee) isZero(x uint64) bool      { return f.magnitude(x) == 0 }
func (f ieee) negative(x uint64) bool    { return x&f.sign() != 0 }
func (f ieee) denormal(x uint64) bool    { return !f.isZero(x) && f.magnitude(x) < f.normal() }
func (f ieee) signalling(x uint64) bool  { return f.isNaN(x) && x&f.quiet() == 0 }

// precision holds any sum of products of two f64 numbers exactly.
const precision = 4400

func exact() *big.Float { return new(big.Float).SetPrec(precision).SetMode(big.ToZero) }

// value returns the exact value of a finite number.
func (f ieee) value(x uint64) *big.Float {
	m := f.magnitude(x)
	exponent, fraction := int(m>>f.fractionBits), m&(f.normal()-1)
	if exponent == 0 {
		exponent = 1
	} else {
		fraction |= f.normal()
	}
	v := exact().SetUint64(fraction)
	v.SetMantExp(v, exponent-f.bias()-int(f.fractionBits))
	if f.negative(x) {
		v.Neg(v)
	}
	return v
}

// flush turns a denormal into a zero of its sign.
func (f ieee) flush(on bool, x uint64) uint64 {
	if on && f.denormal(x) {
		return x & f.sign()
	}
	return x
}

// inUnits returns |x| in units of 2^unit, rounded, and whether anything was lost.
func inUnits(x *big.Float, unit int, rounding uint32) *big.Int {
	negative := x.Sign() < 0
	scaled := exact().Abs(x)
	scaled.SetMantExp(scaled, -unit)
	n, _ := scaled.Int(nil)
	rest := exact().Sub(scaled, exact().SetInt(n))
	if rest.Sign() == 0 {
		return n
	}
	half := rest.Cmp(big.NewFloat(0.5))
	var up bool
	switch rounding {
	case roundNearest:
		up = half > 0 || half == 0 && n.Bit(0) == 1
	case roundUp:
		up = !negative
	case roundDown:
		up = negative
	}
	if up {
		n.Add(n, big.NewInt(1))
	}
	return n
}

// round returns the number nearest to x, which is not 0, in a rounding. Results below the least normal number are flushed where asked:
// those that are below it when rounded with unbounded exponent.
func (f ieee) round(x *big.Float, rounding uint32, flush bool) uint64 {
	sign := uint64(0)
	if x.Sign() < 0 {
		sign = f.sign()
	}
	exponent := x.MantExp(nil) // 2^(exponent-1) ≤ |x| < 2^exponent
	least := 1 - f.bias() - int(f.fractionBits)
	free := exponent - int(f.fractionBits) - 1
	if flush {
		n := inUnits(x, free, rounding)
		if n.BitLen()+free <= 1-f.bias() {
			return sign
		}
	}
	unit := max(free, least)
	n := inUnits(x, unit, rounding)
	if n.BitLen() > int(f.fractionBits)+1 { // rounded up to the next power of two
		n.Rsh(n, 1)
		unit++
	}
	biased := 0
	if n.BitLen() == int(f.fractionBits)+1 {
		biased = unit + int(f.fractionBits) + f.bias()
	}
	if biased >= 1<<f.exponentBits-1 {
		away := rounding == roundNearest || rounding == roundUp && sign == 0 || rounding == roundDown && sign != 0
		if away {
			return sign | f.inf()
		}
		return sign | f.max()
	}
	return sign | uint64(biased)<<f.fractionBits | n.Uint64()&(f.normal()-1)
}

// environment is what a floating-point operation takes from the MODE register.
type environment struct {
	ieee
	rounding          uint32
	flushIn, flushOut bool
	mode              Mode
}

// under returns the environment of a format; the fields are read here a second time, from their places in the register.
func (f ieee) under(m Mode) environment {
	round, denormals := uint32(m)&3, uint32(m)>>4&3
	if f != binary32 {
		round, denormals = uint32(m)>>2&3, uint32(m)>>6&3
	}
	return environment{f, round, denormals&1 == 0, denormals&2 == 0, m}
}

// flushing returns the environment of operations that treat denormals as zeros always.
func (e environment) flushing() environment {
	e.flushIn, e.flushOut = true, true
	return e
}

func (e environment) in(x uint64) uint64 { return e.flush(e.flushIn, x&e.mask()) }

// firstNaN returns the first NaN among the sources, quieted.
func (e environment) firstNaN(xs ...uint64) (uint64, bool) {
	for _, x := range xs {
		if x &= e.mask(); e.isNaN(x) {
			return x | e.quiet(), true
		}
	}
	return 0, false
}

// finish rounds an exact result; zero is what an exact zero gives.
func (e environment) finish(x *big.Float, zero uint64) uint64 {
	if x.Sign() == 0 {
		return zero
	}
	return e.round(x, e.rounding, e.flushOut)
}

func (e environment) product(a, b uint64) uint64 {
	if nan, ok := e.firstNaN(a, b); ok {
		return nan
	}
	a, b = e.in(a), e.in(b)
	sign := (a ^ b) & e.sign()
	switch {
	case e.isInf(a) && e.isZero(b), e.isZero(a) && e.isInf(b):
		return e.qnan()
	case e.isInf(a), e.isInf(b):
		return sign | e.inf()
	}
	return e.finish(exact().Mul(e.value(a), e.value(b)), sign)
}

func (e environment) sum(a, b uint64) uint64 {
	if nan, ok := e.firstNaN(a, b); ok {
		return nan
	}
	return e.fused(e.one(), a, b)
}

// fused is a·b + c with one rounding.
func (e environment) fused(a, b, c uint64) uint64 { return e.fusedScaled(a, b, c, 0) }

// fusedScaled is (a·b + c)·2^scale with one rounding.
func (e environment) fusedScaled(a, b, c uint64, scale int) uint64 {
	if nan, ok := e.firstNaN(a, b, c); ok {
		return nan
	}
	a, b, c = e.in(a), e.in(b), e.in(c)
	sign := (a ^ b) & e.sign()
	switch {
	case e.isInf(a) && e.isZero(b), e.isZero(a) && e.isInf(b):
		return e.qnan()
	case e.isInf(a), e.isInf(b):
		if e.isInf(c) && c&e.sign() != sign {
			return e.qnan()
		}
		return sign | e.inf()
	case e.isInf(c):
		return c
	}
	product := exact().Mul(e.value(a), e.value(b))
	zero := uint64(0) // the sign of an exact zero sum: that of both, else + except when rounding down
	switch {
	case product.Sign() == 0 && e.isZero(c):
		if sign != 0 && e.negative(c) || e.rounding == roundDown && (sign != 0 || e.negative(c)) {
			zero = e.sign()
		}
	case e.rounding == roundDown:
		zero = e.sign()
	}
	result := exact().Add(product, e.value(c))
	return e.finish(result.SetMantExp(result, scale), zero)
}

// twice is a·b rounded, plus c rounded.
func (e environment) twice(a, b, c uint64) uint64 {
	e = e.flushing()
	return e.sum(e.product(a, b), c)
}

// order maps numbers to integers of the same order, −0 just below +0.
func (f ieee) order(x uint64) int64 {
	if f.negative(x) {
		return -int64(f.magnitude(x)) - 1
	}
	return int64(x)
}

// least returns the smaller of two numbers: not the NaN, where one is; a signalling one, quieted, in IEEE mode.
func (e environment) least(a, b uint64, sign int64) uint64 {
	a, b = a&e.mask(), b&e.mask()
	strict := e.mode>>9&1 != 0
	switch {
	case strict && e.signalling(a):
		return a | e.quiet()
	case strict && e.signalling(b):
		return b | e.quiet()
	case e.isNaN(a):
		return b
	case e.isNaN(b):
		return a
	case e.order(a)*sign <= e.order(b)*sign:
		return a
	}
	return b
}

func (e environment) min(a, b uint64) uint64 { return e.least(a, b, 1) }
func (e environment) max(a, b uint64) uint64 {
	a, b = a&e.mask(), b&e.mask()
	if e.isNaN(a) || e.isNaN(b) {
		return e.least(a, b, -1)
	}
	if e.order(a) >= e.order(b) {
		return a
	}
	return b
}

// integral rounds to an integer: −1 down, 0 towards zero, 1 up, 2 nearest even.
func (e environment) integral(x uint64, direction int) uint64 {
	if nan, ok := e.firstNaN(x); ok {
		return nan
	}
	if x = e.in(x); e.isInf(x) || e.isZero(x) {
		return x
	}
	rounding := map[int]uint32{-1: roundDown, 0: roundZero, 1: roundUp, 2: roundNearest}[direction]
	n := inUnits(e.value(x), 0, rounding)
	if n.Sign() == 0 {
		return x & e.sign()
	}
	v := exact().SetInt(n)
	if e.negative(x) {
		v.Neg(v)
	}
	return e.round(v, roundNearest, false)
}

// scaled is x·2^n.
func (e environment) scaled(x uint64, n int64) uint64 {
	if nan, ok := e.firstNaN(x); ok {
		return nan
	}
	if x = e.in(x); e.isInf(x) || e.isZero(x) {
		return x
	}
	n = max(-5000, min(5000, n))
	v := e.value(x)
	return e.finish(v.SetMantExp(v, int(n)), 0)
}

// integer converts to an integer in a range, NaN to 0.
func (e environment) integer(x uint64, rounding uint32, low, high int64) int64 {
	if x &= e.mask(); e.isNaN(x) {
		return 0
	}
	x = e.in(x)
	if e.isInf(x) {
		if e.negative(x) {
			return low
		}
		return high
	}
	n := new(big.Int)
	if !e.isZero(x) {
		n = inUnits(e.value(x), 0, rounding)
	}
	if e.negative(x) {
		n.Neg(n)
	}
	switch {
	case n.Cmp(big.NewInt(low)) < 0:
		return low
	case n.Cmp(big.NewInt(high)) > 0:
		return high
	}
	return n.Int64()
}

// of rounds an integer to the format.
func (e environment) of(n int64) uint64 {
	if n == 0 {
		return 0
	}
	return e.round(exact().SetInt64(n), e.rounding, false)
}

// convert converts a number of one format to another; NaNs keep sign and the upper bits of their payload and are quieted.
func convert(from, to environment, x uint64) uint64 {
	x &= from.mask()
	sign := uint64(0)
	if from.negative(x) {
		sign = to.sign()
	}
	if from.isNaN(x) {
		payload := x & (from.normal() - 1)
		if from.fractionBits > to.fractionBits {
			payload >>= from.fractionBits - to.fractionBits
		} else {
			payload <<= to.fractionBits - from.fractionBits
		}
		return sign | to.qnan() | payload
	}
	x = from.in(x)
	switch {
	case from.isInf(x):
		return sign | to.inf()
	case from.isZero(x):
		return sign
	}
	return to.round(from.value(x), to.rounding, to.flushOut)
}
