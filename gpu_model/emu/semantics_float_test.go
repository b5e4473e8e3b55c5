package emu

import (
	"math/big"
	"strings"
)

// The references of floating-point instructions, for every format at once.

func (f ieee) name() string {
	return map[ieee]string{binary16: "f16", binary32: "f32", binary64: "f64"}[f]
}

// floatOracles adds an oracle for every format that has the instruction.
func floatOracles(all map[string]oracle) {
	for _, f := range []ieee{binary16, binary32, binary64} {
		add := func(name string, o func(e environment, s *sources) uint64) {
			all["v_"+name+"_"+f.name()] = func(s *sources) result { return value(o(f.under(s.mode), s)) }
		}
		add("add", func(e environment, s *sources) uint64 { return e.sum(s.a, s.b) })
		add("sub", func(e environment, s *sources) uint64 { return e.difference(s.a, s.b) })
		add("subrev", func(e environment, s *sources) uint64 { return e.difference(s.b, s.a) })
		add("mul", func(e environment, s *sources) uint64 { return e.product(s.a, s.b) })
		add("fma", func(e environment, s *sources) uint64 { return e.fused(s.a, s.b, s.c) })
		for _, name := range []string{"mad", "madmk", "madak"} {
			add(name, func(e environment, s *sources) uint64 { return e.twice(s.a, s.b, s.c) })
		}
		add("mac", func(e environment, s *sources) uint64 { return e.twice(s.a, s.b, s.old) })
		add("min", func(e environment, s *sources) uint64 { return e.min(s.a, s.b) })
		add("max", func(e environment, s *sources) uint64 { return e.max(s.a, s.b) })
		add("floor", func(e environment, s *sources) uint64 { return e.integral(s.a, -1) })
		add("trunc", func(e environment, s *sources) uint64 { return e.integral(s.a, 0) })
		add("ceil", func(e environment, s *sources) uint64 { return e.integral(s.a, 1) })
		add("rndne", func(e environment, s *sources) uint64 { return e.integral(s.a, 2) })
		add("fract", environment.fraction)
		add("frexp_mant", func(e environment, s *sources) uint64 { return e.mantissa(s.a) })
		add("ldexp", func(e environment, s *sources) uint64 {
			n := int64(int32(s.b))
			if e.ieee == binary16 {
				n = int64(int16(s.b))
			}
			return e.scaled(s.a, n)
		})
		add("div_fixup", func(e environment, s *sources) uint64 { return e.fixup(s.a, s.b, s.c) })
	}
	legacy := func(s *sources, e environment) uint64 {
		if e.isZero(e.in(s.a)) || e.isZero(e.in(s.b)) {
			return 0
		}
		return e.product(s.a, s.b)
	}
	all["v_mul_legacy_f32"] = func(s *sources) result { return value(legacy(s, binary32.under(s.mode))) }
	all["v_mad_legacy_f32"] = func(s *sources) result {
		e := binary32.under(s.mode).flushing()
		return value(e.sum(legacy(s, e), s.c))
	}
	three := func(pick func(e environment, a, b, c uint64) uint64) oracle {
		return func(s *sources) result { return value(pick(binary32.under(s.mode), s.a, s.b, s.c)) }
	}
	all["v_min3_f32"] = three(func(e environment, a, b, c uint64) uint64 { return e.min(e.min(a, b), c) })
	all["v_max3_f32"] = three(func(e environment, a, b, c uint64) uint64 { return e.max(e.max(a, b), c) })
	all["v_med3_f32"] = three(environment.median)
	approximateOracles(all)
	conversionOracles(all)
	divisionOracles(all)
	cubeOracles(all)
}

// difference is a − b. A NaN keeps its sign.
func (e environment) difference(a, b uint64) uint64 {
	if nan, ok := e.firstNaN(a, b); ok {
		return nan
	}
	return e.sum(a, b^e.sign())
}

func (e environment) median(a, b, c uint64) uint64 {
	if e.isNaN(a) || e.isNaN(b) || e.isNaN(c) {
		return e.min(e.min(a, b), c)
	}
	list := []uint64{a, b, c}
	for i := range list {
		for j := i; j > 0 && e.order(list[j]) < e.order(list[j-1]); j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list[1]
}

// fraction is x − floor(x), below 1 always; NaN with its sign for infinities.
func (e environment) fraction(s *sources) uint64 {
	x := s.a & e.mask()
	if nan, ok := e.firstNaN(x); ok {
		return nan
	}
	x = e.in(x)
	switch {
	case e.isInf(x):
		return x&e.sign() | e.qnan()
	case e.isZero(x):
		return 0
	}
	floor := exact()
	if n := inUnits(e.value(x), 0, roundDown); n.Sign() != 0 {
		floor.SetInt(n)
		if e.negative(x) {
			floor.Neg(floor)
		}
	}
	rest := exact().Sub(e.value(x), floor)
	if rest.Sign() == 0 {
		return 0
	}
	return min(e.finish(rest, 0), e.one()-1)
}

func (e environment) mantissa(x uint64) uint64 {
	if nan, ok := e.firstNaN(x); ok {
		return nan
	}
	if x = e.in(x); e.isInf(x) || e.isZero(x) {
		return x
	}
	v := e.value(x)
	m := exact()
	v.MantExp(m)
	return e.round(m, roundNearest, false)
}

func (e environment) exponent(x uint64) int64 {
	x = e.in(x)
	if e.isNaN(x) || e.isInf(x) || e.isZero(x) {
		return 0
	}
	return int64(e.value(x).MantExp(nil))
}

// approximateOracles: a unit in the last place off is right (the manual's precision for f32; f64 may be worse in hardware).
func approximateOracles(all map[string]oracle) {
	negative := func(e environment) uint64 { return e.sign() | e.qnan() } // the NaN of an invalid operation
	for _, f := range []ieee{binary16, binary32, binary64} {
		add := func(name string, zero, inf, minusInf func(e environment, x uint64) uint64, compute func(e environment, x *big.Float) (*big.Float, uint64)) {
			all["v_"+name+"_"+f.name()] = func(s *sources) result {
				e := f.under(s.mode)
				x := s.a & e.mask()
				if nan, ok := e.firstNaN(x); ok {
					return value(nan)
				}
				x = e.in(x)
				if f == binary32 && (strings.HasPrefix(name, "log") || name == "rsq") {
					x = e.flush(true, x) // "doesn't handle denormalized values regardless of MODE"
				}
				switch {
				case e.isZero(x):
					return value(zero(e, x))
				case e.isInf(x) && !e.negative(x):
					return value(inf(e, x))
				case e.isInf(x):
					return value(minusInf(e, x))
				}
				y, special := compute(e, float().Set(e.value(x)))
				if y == nil || y.Sign() == 0 {
					return value(special)
				}
				slop := uint64(1)
				if f == binary64 { // the hardware's are good to 1e-8 only
					slop = 2
				}
				return result{d: e.round(y, e.rounding, e.flushOut), slop: slop}
			}
		}
		same := func(_ environment, x uint64) uint64 { return x }
		infinite := func(e environment, x uint64) uint64 { return e.inf() | x&e.sign() }
		nothing := func(e environment, x uint64) uint64 { return x & e.sign() }
		invalid := func(e environment, _ uint64) uint64 { return negative(e) }
		one := func(e environment, _ uint64) uint64 { return e.one() }
		null := func(environment, uint64) uint64 { return 0 }
		minusInfinity := func(e environment, _ uint64) uint64 { return e.sign() | e.inf() }
		plusInfinity := func(e environment, _ uint64) uint64 { return e.inf() }

		reciprocal := func(e environment, x *big.Float) (*big.Float, uint64) { return float().Quo(number(1), x), 0 }
		add("rcp", infinite, nothing, nothing, reciprocal)
		if f == binary32 {
			add("rcp_iflag", infinite, nothing, nothing, reciprocal)
		}
		add("sqrt", same, same, invalid, func(e environment, x *big.Float) (*big.Float, uint64) {
			if x.Sign() < 0 {
				return nil, negative(e)
			}
			return squareRoot(x), 0
		})
		add("rsq", infinite, null, invalid, func(e environment, x *big.Float) (*big.Float, uint64) {
			if x.Sign() < 0 {
				return nil, negative(e)
			}
			return float().Quo(number(1), squareRoot(x)), 0
		})
		for _, name := range []string{"log", "log_legacy"} {
			add(name, minusInfinity, plusInfinity, invalid, func(e environment, x *big.Float) (*big.Float, uint64) {
				if x.Sign() < 0 {
					return nil, negative(e)
				}
				return log2Of(x), 0
			})
		}
		for _, name := range []string{"exp", "exp_legacy"} {
			add(name, one, plusInfinity, null, func(e environment, x *big.Float) (*big.Float, uint64) {
				if e.ieee == binary32 && x.Cmp(number(-126)) < 0 {
					return nil, 0 // whatever MODE says of denormals
				}
				limit := number(4000)
				if x.Cmp(limit) > 0 {
					x = limit
				} else if x.Cmp(float().Neg(limit)) < 0 {
					x = limit.Neg(limit)
				}
				return powerOfTwo(x), 0
			})
		}
		sine := func(cosine bool) func(e environment, x *big.Float) (*big.Float, uint64) {
			return func(e environment, x *big.Float) (*big.Float, uint64) {
				outside := float().Abs(x).Cmp(number(256)) > 0
				quarters := float().Mul(x, number(4))
				if outside {
					quarters = number(0)
				}
				if n, accuracy := quarters.Int64(); accuracy == big.Exact { // zeros and ones, and what lies outside the domain
					if cosine {
						n++
					}
					sign := uint64(0)
					switch n & 3 {
					case 1:
						return nil, e.one()
					case 3:
						return nil, e.one() | e.sign()
					}
					return nil, sign
				}
				return turns(x, cosine), 0
			}
		}
		add("sin", same, invalid, invalid, sine(false))
		add("cos", one, invalid, invalid, sine(true))
	}
}

func conversionOracles(all map[string]oracle) {
	from := func(name string, f ieee, rounding uint32, low, high int64, mask uint64) {
		all[name] = func(s *sources) result {
			return value(uint64(f.under(s.mode).integer(s.a, rounding, low, high)) & mask)
		}
	}
	from("v_cvt_u32_f32", binary32, roundZero, 0, 1<<32-1, 1<<32-1)
	from("v_cvt_i32_f32", binary32, roundZero, -1<<31, 1<<31-1, 1<<32-1)
	from("v_cvt_u32_f64", binary64, roundZero, 0, 1<<32-1, 1<<32-1)
	from("v_cvt_i32_f64", binary64, roundZero, -1<<31, 1<<31-1, 1<<32-1)
	from("v_cvt_u16_f16", binary16, roundZero, 0, 1<<16-1, 1<<16-1)
	from("v_cvt_i16_f16", binary16, roundZero, -1<<15, 1<<15-1, 1<<16-1)
	toward := func(name string, half float64) {
		all[name] = func(s *sources) result {
			e := binary32.under(s.mode)
			x := s.a & e.mask()
			if e.isNaN(x) || e.isInf(x) { // NaN goes where its sign points
				if e.negative(x) {
					return value(1 << 31)
				}
				return value(1<<31 - 1)
			}
			v := exact().Add(e.value(e.in(x)), exact().SetFloat64(half))
			n := big.NewInt(0)
			if v.Sign() != 0 {
				n = inUnits(v, 0, roundDown)
				if v.Sign() < 0 {
					n.Neg(n)
				}
			}
			if n.Cmp(big.NewInt(1<<31-1)) > 0 {
				n.SetInt64(1<<31 - 1)
			}
			if n.Cmp(big.NewInt(-1<<31)) < 0 {
				n.SetInt64(-1 << 31)
			}
			return value(uint64(uint32(n.Int64())))
		}
	}
	toward("v_cvt_flr_i32_f32", 0)
	toward("v_cvt_rpi_i32_f32", 0.5)
	to := func(name string, f ieee, read func(a uint64) int64) {
		all[name] = func(s *sources) result { return value(f.under(s.mode).of(read(s.a))) }
	}
	to("v_cvt_f32_i32", binary32, func(a uint64) int64 { return int64(int32(a)) })
	to("v_cvt_f32_u32", binary32, func(a uint64) int64 { return int64(uint32(a)) })
	to("v_cvt_f64_i32", binary64, func(a uint64) int64 { return int64(int32(a)) })
	to("v_cvt_f64_u32", binary64, func(a uint64) int64 { return int64(uint32(a)) })
	to("v_cvt_f16_i16", binary16, func(a uint64) int64 { return int64(int16(a)) })
	to("v_cvt_f16_u16", binary16, func(a uint64) int64 { return int64(uint16(a)) })
	to("v_cvt_f32_ubyte0", binary32, func(a uint64) int64 { return int64(byte(a)) })
	to("v_cvt_f32_ubyte1", binary32, func(a uint64) int64 { return int64(byte(a >> 8)) })
	to("v_cvt_f32_ubyte2", binary32, func(a uint64) int64 { return int64(byte(a >> 16)) })
	to("v_cvt_f32_ubyte3", binary32, func(a uint64) int64 { return int64(byte(a >> 24)) })
	all["v_cvt_off_f32_i4"] = func(s *sources) result {
		n := int64(s.a & 15)
		if n > 7 {
			n -= 16
		}
		if n == 0 {
			return value(0)
		}
		return value(binary32.round(exact().SetMantExp(exact().SetInt64(n), -4), roundNearest, false))
	}
	between := func(name string, a, b ieee) {
		all[name] = func(s *sources) result { return value(convert(a.under(s.mode), b.under(s.mode), s.a)) }
	}
	between("v_cvt_f16_f32", binary32, binary16)
	between("v_cvt_f32_f16", binary16, binary32)
	between("v_cvt_f32_f64", binary64, binary32)
	between("v_cvt_f64_f32", binary32, binary64)
	all["v_cvt_pkrtz_f16_f32"] = func(s *sources) result {
		to := binary16.under(s.mode)
		to.rounding = roundZero
		return value(convert(binary32.under(s.mode), to, s.a) | convert(binary32.under(s.mode), to, s.b)<<16)
	}
	norm := func(name string, low, scale int64) {
		one := func(s *sources, x uint64) uint64 {
			e := binary32.under(s.mode)
			if x = e.in(x); e.isNaN(x) {
				return 0
			}
			if e.isInf(x) {
				if e.negative(x) {
					return uint64(uint16(low))
				}
				return uint64(uint16(scale))
			}
			v := exact().Mul(e.value(x), exact().SetInt64(scale))
			n := int64(0)
			if v.Sign() != 0 {
				whole := inUnits(v, 0, roundNearest)
				if !whole.IsInt64() {
					whole.SetInt64(1 << 40)
				}
				n = whole.Int64() * int64(v.Sign())
			}
			return uint64(uint16(max(low, min(scale, n))))
		}
		all[name] = func(s *sources) result { return value(one(s, s.a) | one(s, s.b)<<16) }
	}
	norm("v_cvt_pknorm_i16_f32", -32767, 32767)
	norm("v_cvt_pknorm_u16_f32", 0, 65535)
	pack := func(s *sources, base uint64) result {
		e := binary32.under(s.mode)
		n := uint64(e.integer(s.a, e.rounding, 0, 255))
		shift := 8 * (s.b & 3)
		return value(base&^(0xff<<shift) | n<<shift)
	}
	all["v_cvt_pk_u8_f32"] = func(s *sources) result { return pack(s, s.c) }
	all["v_cvt_pkaccum_u8_f32"] = func(s *sources) result { return pack(s, s.old) }
	all["v_frexp_exp_i32_f32"] = func(s *sources) result { return value(uint64(uint32(binary32.under(s.mode).exponent(s.a)))) }
	all["v_frexp_exp_i32_f64"] = func(s *sources) result { return value(uint64(uint32(binary64.under(s.mode).exponent(s.a)))) }
	all["v_frexp_exp_i16_f16"] = func(s *sources) result {
		return value(uint64(uint16(binary16.under(s.mode).exponent(s.a & 0xffff))))
	}
}

// cubeOracles are written from the description of cube maps: faces +x −x +y −y +z −z, and the s and t axes of each.
func cubeOracles(all map[string]oracle) {
	face := func(s *sources) (axis int, negative bool) {
		size := func(x uint64) uint64 { return binary32.magnitude(x & 0xffffffff) }
		a, b, c := size(s.a), size(s.b), size(s.c)
		switch {
		case c >= a && c >= b:
			axis = 2
		case b >= a:
			axis = 1
		}
		x := []uint64{s.a, s.b, s.c}[axis]
		return axis, binary32.negative(x) && !binary32.isZero(x)
	}
	flip := func(x uint64, on bool) result {
		if on {
			x ^= 1 << 31
		}
		return value(x & 0xffffffff)
	}
	all["v_cubeid_f32"] = func(s *sources) result {
		axis, negative := face(s)
		n := int64(2 * axis)
		if negative {
			n++
		}
		return value(binary32.under(0).of(n))
	}
	all["v_cubema_f32"] = func(s *sources) result {
		axis, _ := face(s)
		x := []uint64{s.a, s.b, s.c}[axis] & 0xffffffff
		if binary32.isInf(x) || binary32.isZero(x) {
			return value(x)
		}
		v := binary32.value(x)
		return value(binary32.round(v.SetMantExp(v, 1), roundNearest, false))
	}
	all["v_cubesc_f32"] = func(s *sources) result {
		switch axis, negative := face(s); axis {
		case 0:
			return flip(s.c, !negative)
		case 1:
			return flip(s.a, false)
		default:
			return flip(s.a, negative)
		}
	}
	all["v_cubetc_f32"] = func(s *sources) result {
		if axis, negative := face(s); axis == 1 {
			return flip(s.c, negative)
		}
		return flip(s.b, true)
	}
}

// fixup puts sign and special cases into the quotient q of n / d.
func (e environment) fixup(q, d, n uint64) uint64 {
	q, d, n = q&e.mask(), d&e.mask(), n&e.mask()
	sign := (d ^ n) & e.sign()
	switch {
	case e.isNaN(n):
		return n | e.quiet()
	case e.isNaN(d):
		return d | e.quiet()
	case e.isZero(d) && e.isZero(n), e.isInf(d) && e.isInf(n):
		return e.sign() | e.qnan()
	case e.isZero(d), e.isInf(n):
		return sign | e.inf()
	case e.isInf(d), e.isZero(n):
		return sign
	case e.ieee != binary16 && int(e.magnitude(n)>>e.fractionBits)-int(e.magnitude(d)>>e.fractionBits) < -e.bias()-int(e.fractionBits):
		return sign // underflow (source: AMD's ISA manuals, V_DIV_FIXUP)
	case e.isNaN(q):
		return sign | e.inf()
	}
	return sign | e.magnitude(q)
}

func divisionOracles(all map[string]oracle) {
	for f, scale := range map[ieee]int{binary32: 64, binary64: 128} {
		all["v_div_fmas_"+f.name()] = func(s *sources) result {
			e := f.under(s.mode)
			switch c := s.c & e.mask(); {
			case !s.bit:
				return value(e.fused(s.a, s.b, s.c))
			case e.magnitude(c) >= e.one()+e.normal(): // 2.0
				return value(e.fusedScaled(s.a, s.b, s.c, scale))
			}
			return value(e.fusedScaled(s.a, s.b, s.c, -scale))
		}
	}
}
