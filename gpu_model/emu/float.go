package emu

import "math"

// Arithmetic on bit patterns. Results are the same on every host: products and sums are rounded by explicit
// conversions (a compiler may fuse x*y + z otherwise), and invalid operations give the positive quiet NaN.

const (
	nan16 uint16 = 0x7E00
	nan32 uint32 = 0x7FC00000
	nan64 uint64 = 0x7FF8000000000000

	quiet16 uint16 = 1 << 9
	quiet32 uint32 = 1 << 22
	quiet64 uint64 = 1 << 51
)

// The rounding fields of the MODE register.
const (
	roundNearest = iota
	roundUp
	roundDown
	roundZero
)

func isNaN32(x uint32) bool { return x&0x7FFFFFFF > 0x7F800000 }
func isNaN64(x uint64) bool { return x&(1<<63-1) > 0x7FF0000000000000 }
func isNaN16(x uint16) bool { return x&0x7FFF > 0x7C00 }

// flush32 turns a denormal into a zero of its sign.
func flush32(flush bool, x uint32) uint32 {
	if flush && x&0x7F800000 == 0 {
		x &= 1 << 31
	}
	return x
}

func flushed32(flush bool, x uint32) float32 { return math.Float32frombits(flush32(flush, x)) }

func flush16(flush bool, x uint16) uint16 {
	if flush && x&0x7C00 == 0 {
		x &= 1 << 15
	}
	return x
}

func flushed16(flush bool, x uint16) uint16 { return flush16(flush, x) }

func flush64(flush bool, x uint64) uint64 {
	if flush && x&0x7FF0000000000000 == 0 {
		x &= 1 << 63
	}
	return x
}

// nanOf32 returns the quieted first NaN of its arguments, ok tells whether there is one.
func nanOf32(xs ...uint32) (nan uint32, ok bool) {
	for _, x := range xs {
		if isNaN32(x) {
			return x | quiet32, true
		}
	}
	return 0, false
}

func nanOf64(xs ...uint64) (nan uint64, ok bool) {
	for _, x := range xs {
		if isNaN64(x) {
			return x | quiet64, true
		}
	}
	return 0, false
}

// twoSum returns the rounded sum and its exact error (Knuth).
func twoSum(a, b float64) (sum, err float64) {
	sum = a + b
	back := float64(sum - a)
	return sum, float64(a-float64(sum-back)) + float64(b-back)
}

// oddSum returns the sum rounded to odd: rounding it again to fewer bits gives the correctly rounded exact sum.
func oddSum(a, b float64) float64 {
	sum, err := twoSum(a, b)
	if err != 0 && !math.IsInf(sum, 0) && !math.IsNaN(err) {
		if x := math.Float64bits(sum); x&1 == 0 {
			if (err > 0) == (sum > 0) {
				return math.Float64frombits(x + 1)
			}
			return math.Float64frombits(x - 1)
		}
	}
	return sum
}

// narrow32 rounds x, which is exact or rounded to odd, to f32; tiny results are flushed where asked. Tininess is found
// after rounding with unbounded exponent.
func narrow32(x float64, round uint32, flush bool) uint32 {
	if math.IsNaN(x) {
		return nan32
	}
	r := float32(x)
	if back := float64(r); round != roundNearest && !math.IsInf(x, 0) && back != x {
		r = towards(r, back, x, round)
	}
	bits := math.Float32bits(r)
	if flush && bits&0x7FFFFFFF <= 0x00800000 && tiny32(x, round) {
		bits &= 1 << 31
	}
	return bits
}

// towards corrects r, the nearest f32 to x (back is r widened), to a directed rounding.
func towards(r float32, back, x float64, round uint32) float32 {
	up := math.Nextafter32(r, float32(math.Inf(1)))
	down := math.Nextafter32(r, float32(math.Inf(-1)))
	switch {
	case back < x && (round == roundUp || round == roundZero && x < 0):
		return up
	case back > x && (round == roundDown || round == roundZero && x > 0):
		return down
	}
	return r
}

// tiny32 tells whether x, rounded to 24 bits with unbounded exponent, lies below the least normal f32.
func tiny32(x float64, round uint32) bool {
	if x == 0 {
		return false
	}
	const scale = 1 << 100 // away from the denormals, without changing the fraction
	r := float32(x * scale)
	if back := float64(r); round != roundNearest && back != x*scale {
		r = towards(r, back, x*scale, round)
	}
	return math.Abs(float64(r)) < 0x1p-126*scale
}

func add32(m Mode, a, b uint32) uint32 {
	flush := m.flushIn32()
	x, y := flushed32(flush, a), flushed32(flush, b)
	if m.round32() == roundNearest {
		r := math.Float32bits(x + y)
		if isNaN32(r) {
			return invalid32(a, b)
		}
		return flush32(m.flushOut32(), r)
	}
	if nan, ok := nanOf32(a, b); ok {
		return nan
	}
	sum := oddSum(float64(x), float64(y))
	if sum == 0 {
		return zeroSum32(m, math.Float32bits(x), math.Float32bits(y))
	}
	return narrow32(sum, m.round32(), m.flushOut32())
}

// zeroSum32 is the exact zero sum of a and b: −0 only where both are, or where the rounding is downwards.
func zeroSum32(m Mode, a, b uint32) uint32 {
	if a&b>>31 != 0 || m.round32() == roundDown && (a|b)>>31 != 0 {
		return 1 << 31
	}
	return 0
}

// invalid32 is the NaN result of sources a and b: the first NaN, quieted, or the default one.
func invalid32(a, b uint32) uint32 {
	if nan, ok := nanOf32(a, b); ok {
		return nan
	}
	return nan32
}

func mul32(m Mode, a, b uint32) uint32 {
	flush := m.flushIn32()
	x, y := flushed32(flush, a), flushed32(flush, b)
	if nan, ok := nanOf32(a, b); ok {
		return nan
	}
	return narrow32(float64(x)*float64(y), m.round32(), m.flushOut32())
}

// madMode is the MODE under which v_mad_f32 and v_mac_f32 work: they flush denormals always.
func madMode(m Mode) Mode { return m &^ 0x30 }

// mad32 multiplies, rounds, adds, rounds.
func mad32(m Mode, a, b, c uint32) uint32 {
	m = madMode(m)
	return add32(m, mul32(m, a, b), c)
}

// fma32 multiplies and adds with one rounding.
func fma32(m Mode, a, b, c uint32) uint32 { return fmaScaled32(m, a, b, c, 0) }

// fmaScaled32 is (a·b + c)·2^scale with one rounding.
func fmaScaled32(m Mode, a, b, c uint32, scale int32) uint32 {
	if nan, ok := nanOf32(a, b, c); ok {
		return nan
	}
	flush := m.flushIn32()
	x, y, z := float64(flushed32(flush, a)), float64(flushed32(flush, b)), float64(flushed32(flush, c))
	product := x * y // exact: 48 bits
	sum := oddSum(product, z)
	if sum == 0 && !math.IsNaN(product) {
		return zeroSum32(m, uint32(math.Float64bits(product)>>32), uint32(math.Float64bits(z)>>32))
	}
	return narrow32(ldexp(sum, scale), m.round32(), m.flushOut32())
}

// min32 and max32 return the other source where one is NaN; −0 is less than +0. GCN3 does not flush here.
func min32(m Mode, a, b uint32) uint32 { return pick32(m, a, b, true) }

func max32(m Mode, a, b uint32) uint32 { return pick32(m, a, b, false) }

func pick32(m Mode, a, b uint32, least bool) uint32 {
	switch {
	case m.ieee() && isNaN32(a) && a&quiet32 == 0:
		return a | quiet32
	case m.ieee() && isNaN32(b) && b&quiet32 == 0:
		return b | quiet32
	case isNaN32(a):
		return b
	case isNaN32(b):
		return a
	}
	if (ordered32(a) <= ordered32(b)) == least {
		return a
	}
	return b
}

// ordered32 maps f32 to integers of the same order, −0 below +0.
func ordered32(x uint32) int32 {
	if int32(x) < 0 {
		return int32(x ^ 0x7FFFFFFF)
	}
	return int32(x)
}

func ordered64(x uint64) int64 {
	if int64(x) < 0 {
		return int64(x ^ (1<<63 - 1))
	}
	return int64(x)
}

// outputModifier32 multiplies a result by 2 or 4 or halves it. Denormal results are flushed, and −0 becomes +0 (source: GCN3 ISA manual, output
// modifiers).
func outputModifier32(x uint32, omod uint8) uint32 {
	if isNaN32(x) {
		return x
	}
	r := flush32(true, math.Float32bits(math.Float32frombits(x)*[4]float32{1, 2, 4, 0.5}[omod]))
	if r == 1<<31 {
		return 0
	}
	return r
}

func outputModifier64(x uint64, omod uint8) uint64 {
	if isNaN64(x) {
		return x
	}
	r := flush64(true, math.Float64bits(math.Float64frombits(x)*[4]float64{1, 2, 4, 0.5}[omod]))
	if r == 1<<63 {
		return 0
	}
	return r
}

func outputModifier16(x uint16, omod uint8) uint16 {
	if isNaN16(x) {
		return x
	}
	r := to16(from16(x)*[4]float64{1, 2, 4, 0.5}[omod], roundNearest, true)
	if r == 1<<15 {
		return 0
	}
	return r
}

// clamp32 limits a result to [0, 1].
func clamp32(m Mode, x uint32) uint32 {
	switch {
	case isNaN32(x):
		if m.dx10Clamp() {
			return 0
		}
		return x
	case int32(x) < 0:
		return 0
	case x > 0x3F800000:
		return 0x3F800000
	}
	return x
}

func clamp16(m Mode, x uint16) uint16 {
	switch {
	case isNaN16(x):
		if m.dx10Clamp() {
			return 0
		}
		return x
	case int16(x) < 0:
		return 0
	case x > 0x3C00:
		return 0x3C00
	}
	return x
}

func clamp64(m Mode, x uint64) uint64 {
	switch {
	case isNaN64(x):
		if m.dx10Clamp() {
			return 0
		}
		return x
	case int64(x) < 0:
		return 0
	case x > 0x3FF0000000000000:
		return 0x3FF0000000000000
	}
	return x
}
