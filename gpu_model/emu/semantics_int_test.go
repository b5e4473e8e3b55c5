package emu

import (
	"math/big"
)

// The references of integer instructions, bit by bit or in wide integers.

func bit(x uint64, i int) uint64 { return x >> i & 1 }

// collect makes a number of bits.
func collect(width int, f func(i int) uint64) (x uint64) {
	for i := range width {
		x |= f(i) << i
	}
	return x
}

func signedOf(x uint64, width int) *big.Int {
	v := new(big.Int).SetUint64(x & (1<<width - 1))
	if bit(x, width-1) != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(width)))
	}
	return v
}

func unsignedOf(x uint64, width int) *big.Int { return new(big.Int).SetUint64(x & (1<<width - 1)) }

// low returns the low bits of an integer of any size, two's complement.
func low(v *big.Int, width uint) uint64 {
	modulus := new(big.Int).Lsh(big.NewInt(1), width)
	return new(big.Int).Mod(v, modulus).Uint64()
}

// arithmetic is an integer instruction: an exact result of exact operands, of which the low bits are kept, or which is saturated.
type arithmetic struct {
	width    int // of operands
	signed   bool
	f        func(a, b, c *big.Int) *big.Int
	result   uint // bits
	saturate bool // under clamp
	third    int  // width of c, if not width
}

func (o arithmetic) oracle(s *sources) result {
	read := signedOf
	if !o.signed {
		read = unsignedOf
	}
	third := o.third
	if third == 0 {
		third = o.width
	}
	v := o.f(read(s.a, o.width), read(s.b, o.width), read(s.c, third))
	if o.saturate && s.in.Clamp {
		low, high := big.NewInt(0), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), o.result), big.NewInt(1))
		if o.signed {
			high.Rsh(high, 1)
			low.Not(high)
		}
		if v.Cmp(low) < 0 {
			v = low
		}
		if v.Cmp(high) > 0 {
			v = high
		}
	}
	return value(low(v, o.result))
}

func add(x, y *big.Int) *big.Int { return new(big.Int).Add(x, y) }
func sub(x, y *big.Int) *big.Int { return new(big.Int).Sub(x, y) }
func mul(x, y *big.Int) *big.Int { return new(big.Int).Mul(x, y) }

func least(x ...*big.Int) *big.Int {
	m := x[0]
	for _, y := range x {
		if y.Cmp(m) < 0 {
			m = y
		}
	}
	return m
}

func greatest(x ...*big.Int) *big.Int {
	m := x[0]
	for _, y := range x {
		if y.Cmp(m) > 0 {
			m = y
		}
	}
	return m
}

func middle(a, b, c *big.Int) *big.Int {
	return sub(add(add(a, b), c), add(least(a, b, c), greatest(a, b, c)))
}

func high(v *big.Int) *big.Int { return new(big.Int).Rsh(v, 32) }

func integerOracles(all map[string]oracle) {
	table := map[string]arithmetic{
		"v_mul_lo_u32":     {width: 32, result: 32, f: func(a, b, _ *big.Int) *big.Int { return mul(a, b) }},
		"v_mul_hi_u32":     {width: 32, result: 32, f: func(a, b, _ *big.Int) *big.Int { return high(mul(a, b)) }},
		"v_mul_hi_i32":     {width: 32, signed: true, result: 32, f: func(a, b, _ *big.Int) *big.Int { return high(mul(a, b)) }},
		"v_mul_u32_u24":    {width: 24, result: 32, saturate: true, f: func(a, b, _ *big.Int) *big.Int { return mul(a, b) }},
		"v_mul_i32_i24":    {width: 24, signed: true, result: 32, saturate: true, f: func(a, b, _ *big.Int) *big.Int { return mul(a, b) }},
		"v_mul_hi_u32_u24": {width: 24, result: 32, f: func(a, b, _ *big.Int) *big.Int { return high(mul(a, b)) }},
		"v_mul_hi_i32_i24": {width: 24, signed: true, result: 32, f: func(a, b, _ *big.Int) *big.Int { return high(mul(a, b)) }},
		"v_mad_u32_u24":    {width: 24, third: 32, result: 32, saturate: true, f: func(a, b, c *big.Int) *big.Int { return add(mul(a, b), c) }},
		"v_mad_i32_i24":    {width: 24, third: 32, signed: true, result: 32, saturate: true, f: func(a, b, c *big.Int) *big.Int { return add(mul(a, b), c) }},
		"v_mad_u16":        {width: 16, result: 16, saturate: true, f: func(a, b, c *big.Int) *big.Int { return add(mul(a, b), c) }},
		"v_mad_i16":        {width: 16, signed: true, result: 16, saturate: true, f: func(a, b, c *big.Int) *big.Int { return add(mul(a, b), c) }},
		"v_add_u16":        {width: 16, result: 16, saturate: true, f: func(a, b, _ *big.Int) *big.Int { return add(a, b) }},
		"v_sub_u16":        {width: 16, result: 16, saturate: true, f: func(a, b, _ *big.Int) *big.Int { return sub(a, b) }},
		"v_subrev_u16":     {width: 16, result: 16, saturate: true, f: func(a, b, _ *big.Int) *big.Int { return sub(b, a) }},
		"v_mul_lo_u16":     {width: 16, result: 16, f: func(a, b, _ *big.Int) *big.Int { return mul(a, b) }},
		"v_lshlrev_b32":    {width: 32, result: 32, f: func(a, b, _ *big.Int) *big.Int { return new(big.Int).Lsh(b, uint(a.Uint64()%32)) }},
		"v_lshrrev_b32":    {width: 32, result: 32, f: func(a, b, _ *big.Int) *big.Int { return new(big.Int).Rsh(b, uint(a.Uint64()%32)) }},
		"v_lshlrev_b16":    {width: 16, result: 16, f: func(a, b, _ *big.Int) *big.Int { return new(big.Int).Lsh(b, uint(a.Uint64()%16)) }},
		"v_lshrrev_b16":    {width: 16, result: 16, f: func(a, b, _ *big.Int) *big.Int { return new(big.Int).Rsh(b, uint(a.Uint64()%16)) }},
	}
	for _, width := range []int{16, 32} {
		u, i := map[int]string{16: "u16", 32: "u32"}[width], map[int]string{16: "i16", 32: "i32"}[width]
		for name, signed := range map[string]bool{u: false, i: true} {
			pick := func(f func(x ...*big.Int) *big.Int, n int) arithmetic {
				return arithmetic{width: width, signed: signed, result: uint(width), f: func(a, b, c *big.Int) *big.Int { return f([]*big.Int{a, b, c}[:n]...) }}
			}
			table["v_min_"+name], table["v_max_"+name] = pick(least, 2), pick(greatest, 2)
			if width == 32 {
				table["v_min3_"+name], table["v_max3_"+name] = pick(least, 3), pick(greatest, 3)
				table["v_med3_"+name] = arithmetic{width: 32, signed: signed, result: 32, f: middle}
			}
		}
	}
	for name, o := range table {
		all[name] = o.oracle
	}
	logicOracles(all)
	shiftOracles(all)
	byteOracles(all)
	carryOracles(all)
	laneOracles(all)
}

func logicOracles(all map[string]oracle) {
	bitwise := func(name string, f func(a, b, c uint64) uint64) {
		all[name] = func(s *sources) result {
			return value(collect(32, func(i int) uint64 { return f(bit(s.a, i), bit(s.b, i), bit(s.c, i)) & 1 }))
		}
	}
	bitwise("v_mov_b32", func(a, _, _ uint64) uint64 { return a })
	bitwise("v_not_b32", func(a, _, _ uint64) uint64 { return 1 - a })
	bitwise("v_and_b32", func(a, b, _ uint64) uint64 { return a * b })
	bitwise("v_or_b32", func(a, b, _ uint64) uint64 { return max(a, b) })
	bitwise("v_xor_b32", func(a, b, _ uint64) uint64 { return a + b })
	bitwise("v_bfi_b32", func(a, b, c uint64) uint64 { return a*b + (1-a)*c })
	all["v_bfrev_b32"] = func(s *sources) result { return value(collect(32, func(i int) uint64 { return bit(s.a, 31-i) })) }
	scan := func(name string, order func(i int) int, wanted func(a uint64) uint64) {
		all[name] = func(s *sources) result {
			for i := range 32 {
				if bit(s.a, order(i)) == wanted(s.a) {
					return value(uint64(i))
				}
			}
			return value(0xffffffff)
		}
	}
	down, up := func(i int) int { return 31 - i }, func(i int) int { return i }
	set := func(uint64) uint64 { return 1 }
	scan("v_ffbh_u32", down, set)
	scan("v_ffbl_b32", up, set)
	scan("v_ffbh_i32", down, func(a uint64) uint64 { return 1 - bit(a, 31) })
	all["v_bfm_b32"] = func(s *sources) result {
		n, at := int(s.a&31), int(s.b&31)
		return value(collect(32, func(i int) uint64 {
			if i >= at && i < at+n {
				return 1
			}
			return 0
		}))
	}
	field := func(signed bool) oracle {
		return func(s *sources) result {
			at, n := int(s.b&31), int(s.c&31)
			if n == 0 {
				return value(0)
			}
			last := min(at+n-1, 31)
			return value(collect(32, func(i int) uint64 {
				switch {
				case at+i <= last:
					return bit(s.a, at+i)
				case signed:
					return bit(s.a, last)
				}
				return 0
			}))
		}
	}
	all["v_bfe_u32"], all["v_bfe_i32"] = field(false), field(true)
	all["v_bcnt_u32_b32"] = func(s *sources) result { return value(uint64(uint32(countBits(s.a&0xffffffff) + s.b))) }
	all["v_cndmask_b32"] = func(s *sources) result {
		if s.bit {
			return value(s.b)
		}
		return value(s.a)
	}
}

func shiftOracles(all map[string]oracle) {
	arithmeticRight := func(name string, width int) {
		all[name] = func(s *sources) result {
			n := int(s.a) & (width - 1)
			return value(collect(width, func(i int) uint64 { return bit(s.b, min(i+n, width-1)) }))
		}
	}
	arithmeticRight("v_ashrrev_i16", 16)
	arithmeticRight("v_ashrrev_i32", 32)
	arithmeticRight("v_ashrrev_i64", 64)
	all["v_lshlrev_b64"] = func(s *sources) result {
		n := int(s.a & 63)
		return value(collect(64, func(i int) uint64 {
			if i < n {
				return 0
			}
			return bit(s.b, i-n)
		}))
	}
	all["v_lshrrev_b64"] = func(s *sources) result {
		n := int(s.a & 63)
		return value(collect(64, func(i int) uint64 {
			if i+n > 63 {
				return 0
			}
			return bit(s.b, i+n)
		}))
	}
	align := func(name string, amount func(c uint64) int) {
		all[name] = func(s *sources) result {
			n := amount(s.c)
			return value(collect(32, func(i int) uint64 {
				if i+n < 32 {
					return bit(s.b, i+n)
				}
				return bit(s.a, i+n-32)
			}))
		}
	}
	align("v_alignbit_b32", func(c uint64) int { return int(c & 31) })
	align("v_alignbyte_b32", func(c uint64) int { return int(c&3) * 8 })
}

func byteOf(x uint64, i int) int { return int(x >> (8 * i) & 0xff) }

func apart(x, y int) int { return max(x-y, y-x) }

// sad is the sum of absolute differences of four bytes; masked leaves out those whose reference is 0.
func sad(a, b uint64, masked bool) (sum uint64) {
	for i := range 4 {
		if !masked || byteOf(b, i) != 0 {
			sum += uint64(apart(byteOf(a, i), byteOf(b, i)))
		}
	}
	return sum
}

func byteOracles(all map[string]oracle) {
	total := func(name string, f func(s *sources) uint64) {
		all[name] = func(s *sources) result {
			sum := f(s) + s.c&0xffffffff
			if s.in.Clamp {
				sum = min(sum, 0xffffffff)
			}
			return value(sum & 0xffffffff)
		}
	}
	total("v_sad_u8", func(s *sources) uint64 { return sad(s.a, s.b, false) })
	total("v_msad_u8", func(s *sources) uint64 { return sad(s.a, s.b, true) })
	total("v_sad_hi_u8", func(s *sources) uint64 { return sad(s.a, s.b, false) << 16 })
	total("v_sad_u16", func(s *sources) uint64 {
		return uint64(apart(int(s.a&0xffff), int(s.b&0xffff)) + apart(int(s.a>>16&0xffff), int(s.b>>16&0xffff)))
	})
	total("v_sad_u32", func(s *sources) uint64 { return uint64(apart(int(s.a&0xffffffff), int(s.b&0xffffffff))) })
	quad := func(masked bool) oracle {
		return func(s *sources) (r result) {
			for i := range 4 {
				sum := sad(s.a>>(8*i), s.b, masked) + s.c>>(16*i)&0xffff
				if s.in.Clamp {
					sum = min(sum, 0xffff)
				}
				r.d |= sum & 0xffff << (16 * i)
			}
			return r
		}
	}
	all["v_qsad_pk_u16_u8"], all["v_mqsad_pk_u16_u8"] = quad(false), quad(true)
	all["v_mqsad_u32_u8"] = func(s *sources) (r result) {
		for i := range 4 {
			r.d4[i] = uint32(min(sad(s.a>>(8*i), s.b, true)+uint64(s.c4[i]), 0xffffffff))
		}
		return r
	}
	all["v_lerp_u8"] = func(s *sources) (r result) {
		for i := range 4 {
			r.d |= uint64((byteOf(s.a, i)+byteOf(s.b, i)+byteOf(s.c, i)%2)/2) << (8 * i)
		}
		return r
	}
	all["v_perm_b32"] = func(s *sources) (r result) {
		all := s.a<<32 | s.b&0xffffffff
		for i := range 4 {
			x := 0
			switch n := byteOf(s.c, i); {
			case n < 8:
				x = byteOf(all, n)
			case n < 12:
				x = 0xff * int(bit(all, 16*(n-8)+15))
			case n > 12:
				x = 0xff
			}
			r.d |= uint64(x) << (8 * i)
		}
		return r
	}
	clip := func(x, lowest, highest int64) uint64 { return uint64(uint16(max(lowest, min(highest, x)))) }
	all["v_cvt_pk_u16_u32"] = func(s *sources) result {
		return value(clip(int64(uint32(s.a)), 0, 65535) | clip(int64(uint32(s.b)), 0, 65535)<<16)
	}
	all["v_cvt_pk_i16_i32"] = func(s *sources) result {
		return value(clip(int64(int32(s.a)), -32768, 32767) | clip(int64(int32(s.b)), -32768, 32767)<<16)
	}
}

func carryOracles(all map[string]oracle) {
	carry := func(name string, f func(a, b, c *big.Int) *big.Int) {
		all[name] = func(s *sources) result {
			c := int64(0)
			if s.bit && s.in.Op.Slots[2].Words != 0 || s.bit && len(s.in.Op.Base) == 5 {
				c = 1
			}
			v := f(unsignedOf(s.a, 32), unsignedOf(s.b, 32), big.NewInt(c))
			over := v.Sign() < 0 || v.BitLen() > 32
			if over && s.in.Clamp {
				if v.Sign() < 0 {
					return result{d: 0, bit: true}
				}
				return result{d: 0xffffffff, bit: true}
			}
			return result{d: low(v, 32), bit: over}
		}
	}
	carry("v_add_u32", func(a, b, _ *big.Int) *big.Int { return add(a, b) })
	carry("v_sub_u32", func(a, b, _ *big.Int) *big.Int { return sub(a, b) })
	carry("v_subrev_u32", func(a, b, _ *big.Int) *big.Int { return sub(b, a) })
	carry("v_addc_u32", func(a, b, c *big.Int) *big.Int { return add(add(a, b), c) })
	carry("v_subb_u32", func(a, b, c *big.Int) *big.Int { return sub(sub(a, b), c) })
	carry("v_subbrev_u32", func(a, b, c *big.Int) *big.Int { return sub(sub(b, a), c) })
	all["v_mad_u64_u32"] = func(s *sources) result {
		v := add(mul(unsignedOf(s.a, 32), unsignedOf(s.b, 32)), new(big.Int).SetUint64(s.c))
		r := result{d: low(v, 64), bit: v.BitLen() > 64}
		if r.bit && s.in.Clamp {
			r.d = 1<<64 - 1
		}
		return r
	}
	all["v_mad_i64_i32"] = func(s *sources) result {
		v := add(mul(signedOf(s.a, 32), signedOf(s.b, 32)), big.NewInt(int64(s.c)))
		r := result{d: low(v, 64), bit: !v.IsInt64()}
		if r.bit && s.in.Clamp {
			if r.d = 1<<63 - 1; v.Sign() < 0 {
				r.d = 1 << 63
			}
		}
		return r
	}
}

func laneOracles(all map[string]oracle) {
	below := func(first int) oracle {
		return func(s *sources) result {
			n := s.b
			for i := range 32 {
				if first+i < s.lane {
					n += bit(s.a, i)
				}
			}
			return value(n & 0xffffffff)
		}
	}
	all["v_mbcnt_lo_u32_b32"], all["v_mbcnt_hi_u32_b32"] = below(0), below(32)
}
