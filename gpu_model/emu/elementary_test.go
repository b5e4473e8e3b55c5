package emu

import (
	"math/big"
	"sync"
)

// Elementary functions to 200 bits by their series.

const seriesBits = 260

func number(x float64) *big.Float { return new(big.Float).SetPrec(seriesBits).SetFloat64(x) }
func float() *big.Float           { return new(big.Float).SetPrec(seriesBits) }

// negligible tells that a term no longer changes a sum.
func negligible(term, sum *big.Float) bool {
	return term.Sign() == 0 || sum.Sign() != 0 && term.MantExp(nil) < sum.MantExp(nil)-seriesBits
}

// artanh returns the inverse hyperbolic tangent of |x| < 1.
func artanh(x *big.Float) *big.Float {
	square, power, sum := float().Mul(x, x), float().Set(x), float()
	for n := 1.0; ; n += 2 {
		term := float().Quo(power, number(n))
		if negligible(term, sum) && n > 1 {
			return sum
		}
		sum.Add(sum, term)
		power.Mul(power, square)
	}
}

var ln2 = sync.OnceValue(func() *big.Float {
	third := artanh(float().Quo(number(1), number(3)))
	return third.Mul(third, number(2))
})

var pi = sync.OnceValue(func() *big.Float { // Machin
	arctan := func(inverse float64) *big.Float {
		x := float().Quo(number(1), number(inverse))
		square, power, sum := float().Mul(x, x), float().Set(x), float()
		for n, sign := 1.0, 1.0; ; n, sign = n+2, -sign {
			term := float().Quo(power, number(n*sign))
			if negligible(term, sum) && n > 1 {
				return sum
			}
			sum.Add(sum, term)
			power.Mul(power, square)
		}
	}
	a, b := arctan(5), arctan(239)
	return a.Sub(a.Mul(a, number(16)), b.Mul(b, number(4)))
})

// powerOfTwo returns 2^x.
func powerOfTwo(x *big.Float) *big.Float {
	whole, _ := x.Int(nil)
	rest := float().Sub(float().Set(x), float().SetInt(whole))
	t := rest.Mul(rest, ln2())
	term, sum := number(1), number(1)
	for n := 1.0; ; n++ {
		term.Quo(term.Mul(term, t), number(n))
		if negligible(term, sum) {
			break
		}
		sum.Add(sum, term)
	}
	return sum.SetMantExp(sum, int(whole.Int64()))
}

// log2Of returns the logarithm of x > 0 to base 2.
func log2Of(x *big.Float) *big.Float {
	m := float()
	exponent := x.MantExp(m)
	m.SetPrec(seriesBits)
	t := float().Quo(float().Sub(m, number(1)), float().Add(m, number(1)))
	if t.Sign() == 0 {
		return number(float64(exponent))
	}
	l := artanh(t)
	l.Quo(l.Mul(l, number(2)), ln2())
	return l.Add(l, number(float64(exponent)))
}

// turns returns sine or cosine of x revolutions.
func turns(x *big.Float, cosine bool) *big.Float {
	whole, _ := x.Int(nil)
	t := float().Sub(float().Set(x), float().SetInt(whole))
	t.Mul(t, float().Mul(pi(), number(2)))
	square, term, sum, n := float().Mul(t, t), float().Set(t), float(), 1.0
	if cosine {
		term, n = number(1), 0.0
	}
	for {
		if negligible(term, sum) && n > 2 || term.Sign() == 0 {
			return sum
		}
		sum.Add(sum, term)
		term.Mul(term, square)
		term.Quo(term, number(-(n+1)*(n+2)))
		n += 2
	}
}

func squareRoot(x *big.Float) *big.Float { return float().Sqrt(float().Set(x)) }
