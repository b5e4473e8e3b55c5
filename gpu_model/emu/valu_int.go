package emu

import "math/bits"

// Integer vector instructions (source: CLRX GcnInstrsVop1, Vop2, Vop3).
func init() {
	registerVector(resultInt, map[string]laneFunc{
		"v_mov_b32":     func(_ Mode, d, _ *lanes, s *operands) { *d = *s.a },
		"v_not_b32":     lift1(func(a uint32) uint32 { return ^a }),
		"v_bfrev_b32":   lift1(bits.Reverse32),
		"v_ffbh_u32":    lift1(firstHigh),
		"v_ffbl_b32":    lift1(firstLow),
		"v_ffbh_i32":    lift1(firstOpposite),
		"v_and_b32":     laneAnd,
		"v_or_b32":      laneOr,
		"v_xor_b32":     laneXor,
		"v_lshlrev_b32": laneShiftLeft,
		"v_lshrrev_b32": laneShiftRight,
		"v_ashrrev_i32": laneShiftArithmetic,
		"v_min_i32":     lift2(func(a, b uint32) uint32 { return uint32(min(int32(a), int32(b))) }),
		"v_max_i32":     lift2(func(a, b uint32) uint32 { return uint32(max(int32(a), int32(b))) }),
		"v_min_u32":     lift2(func(a, b uint32) uint32 { return min(a, b) }),
		"v_max_u32":     lift2(func(a, b uint32) uint32 { return max(a, b) }),
		"v_min3_i32":    lift3(func(a, b, c uint32) uint32 { return uint32(min(int32(a), int32(b), int32(c))) }),
		"v_max3_i32":    lift3(func(a, b, c uint32) uint32 { return uint32(max(int32(a), int32(b), int32(c))) }),
		"v_min3_u32":    lift3(func(a, b, c uint32) uint32 { return min(a, b, c) }),
		"v_max3_u32":    lift3(func(a, b, c uint32) uint32 { return max(a, b, c) }),
		"v_med3_i32": lift3(func(a, b, c uint32) uint32 {
			x, y, z := int32(a), int32(b), int32(c)
			return uint32(max(min(x, y), min(max(x, y), z)))
		}),
		"v_med3_u32":       lift3(func(a, b, c uint32) uint32 { return max(min(a, b), min(max(a, b), c)) }),
		"v_mul_lo_u32":     lift2(func(a, b uint32) uint32 { return a * b }),
		"v_mul_hi_u32":     lift2(func(a, b uint32) uint32 { return uint32(uint64(a) * uint64(b) >> 32) }),
		"v_mul_hi_i32":     lift2(func(a, b uint32) uint32 { return uint32(uint64(int64(int32(a))*int64(int32(b))) >> 32) }),
		"v_mul_hi_i32_i24": lift2(func(a, b uint32) uint32 { return uint32(uint64(signed24(a)*signed24(b)) >> 32) }),
		"v_mul_hi_u32_u24": lift2(func(a, b uint32) uint32 { return uint32(uint64(a&0xFFFFFF) * uint64(b&0xFFFFFF) >> 32) }),
		"v_bfe_u32":        lift3(func(a, b, c uint32) uint32 { return fieldUnsigned(a, b&31, c&31) }),
		"v_bfe_i32":        lift3(func(a, b, c uint32) uint32 { return fieldSigned(a, b&31, c&31) }),
		"v_bfi_b32":        lift3(func(a, b, c uint32) uint32 { return a&b | ^a&c }),
		"v_bfm_b32":        lift2(func(a, b uint32) uint32 { return (1<<(a&31) - 1) << (b & 31) }),
		"v_alignbit_b32":   lift3(func(a, b, c uint32) uint32 { return uint32(join(b, a) >> (c & 31)) }),
		"v_alignbyte_b32":  lift3(func(a, b, c uint32) uint32 { return uint32(join(b, a) >> (8 * (c & 3))) }),
		"v_perm_b32":       lift3(permuteBytes),
		"v_lerp_u8":        lift3(lerp8),
		"v_bcnt_u32_b32":   lift2(func(a, b uint32) uint32 { return uint32(bits.OnesCount32(a)) + b }),
		"v_mbcnt_lo_u32_b32": func(_ Mode, d, _ *lanes, s *operands) {
			for i, a := range s.a {
				d[i] = uint32(bits.OnesCount32(a&maskBelow(i))) + s.b[i]
			}
		},
		"v_mbcnt_hi_u32_b32": func(_ Mode, d, _ *lanes, s *operands) {
			for i, a := range s.a {
				d[i] = uint32(bits.OnesCount32(a&maskBelow(i-32))) + s.b[i]
			}
		},
		"v_lshlrev_b64": liftWide(func(_ Mode, a, b, _ uint64) uint64 { return b << (a & 63) }),
		"v_lshrrev_b64": liftWide(func(_ Mode, a, b, _ uint64) uint64 { return b >> (a & 63) }),
		"v_ashrrev_i64": liftWide(func(_ Mode, a, b, _ uint64) uint64 { return uint64(int64(b) >> (a & 63)) }),
	})

	registerVector(resultInt, map[string]laneFunc{ // 16-bit results fill the high half with zeros
		"v_mul_lo_u16":     lift2(func(a, b uint32) uint32 { return a * b & 0xFFFF }),
		"v_lshlrev_b16":    lift2(func(a, b uint32) uint32 { return b << (a & 15) & 0xFFFF }),
		"v_lshrrev_b16":    lift2(func(a, b uint32) uint32 { return b & 0xFFFF >> (a & 15) }),
		"v_ashrrev_i16":    lift2(func(a, b uint32) uint32 { return uint32(uint16(int16(b) >> (a & 15))) }),
		"v_max_u16":        lift2(func(a, b uint32) uint32 { return max(a&0xFFFF, b&0xFFFF) }),
		"v_min_u16":        lift2(func(a, b uint32) uint32 { return min(a&0xFFFF, b&0xFFFF) }),
		"v_max_i16":        lift2(func(a, b uint32) uint32 { return uint32(uint16(max(int16(a), int16(b)))) }),
		"v_min_i16":        lift2(func(a, b uint32) uint32 { return uint32(uint16(min(int16(a), int16(b)))) }),
		"v_cvt_pk_u16_u32": lift2(func(a, b uint32) uint32 { return min(a, 0xFFFF) | min(b, 0xFFFF)<<16 }),
		"v_cvt_pk_i16_i32": lift2(func(a, b uint32) uint32 { return saturate16(a) | saturate16(b)<<16 }),
	})

	// Integer instructions whose clamp saturates.
	registerClamping("v_mul_i32_i24", func(a, b, _ uint32) int64 { return signed24(a) * signed24(b) }, signed32)
	registerClamping("v_mul_u32_u24", func(a, b, _ uint32) int64 { return int64(a&0xFFFFFF) * int64(b&0xFFFFFF) }, unsigned32)
	registerClamping("v_mad_i32_i24", func(a, b, c uint32) int64 { return signed24(a)*signed24(b) + int64(int32(c)) }, signed32)
	registerClamping("v_mad_u32_u24", func(a, b, c uint32) int64 { return int64(a&0xFFFFFF)*int64(b&0xFFFFFF) + int64(c) }, unsigned32)
	registerClamping("v_add_u16", func(a, b, _ uint32) int64 { return int64(a&0xFFFF) + int64(b&0xFFFF) }, unsigned16)
	registerClamping("v_sub_u16", func(a, b, _ uint32) int64 { return int64(a&0xFFFF) - int64(b&0xFFFF) }, unsigned16)
	registerClamping("v_subrev_u16", func(a, b, _ uint32) int64 { return int64(b&0xFFFF) - int64(a&0xFFFF) }, unsigned16)
	registerClamping("v_mad_u16", func(a, b, c uint32) int64 { return int64(a&0xFFFF)*int64(b&0xFFFF) + int64(c&0xFFFF) }, unsigned16)
	registerClamping("v_mad_i16", func(a, b, c uint32) int64 { return int64(int16(a))*int64(int16(b)) + int64(int16(c)) }, signed16)
	registerClamping("v_sad_u8", func(a, b, c uint32) int64 { return int64(sad8(a, b)) + int64(c) }, unsigned32)
	registerClamping("v_sad_hi_u8", func(a, b, c uint32) int64 { return int64(sad8(a, b))<<16 + int64(c) }, unsigned32)
	registerClamping("v_sad_u16", func(a, b, c uint32) int64 {
		return int64(difference(a&0xFFFF, b&0xFFFF)) + int64(difference(a>>16, b>>16)) + int64(c)
	}, unsigned32)
	registerClamping("v_sad_u32", func(a, b, c uint32) int64 { return int64(difference(a, b)) + int64(c) }, unsigned32)
	registerClamping("v_msad_u8", func(a, b, c uint32) int64 { return int64(maskedSad8(a, b)) + int64(c) }, unsigned32)
}

// saturation is the range of a clamped integer result and the bits that it keeps otherwise.
type saturation struct {
	low, high int64
	mask      uint32
}

var (
	signed32   = saturation{-1 << 31, 1<<31 - 1, 0xFFFFFFFF}
	unsigned32 = saturation{0, 1<<32 - 1, 0xFFFFFFFF}
	signed16   = saturation{-1 << 15, 1<<15 - 1, 0xFFFF}
	unsigned16 = saturation{0, 1<<16 - 1, 0xFFFF}
)

// registerClamping enters an integer instruction; f returns the exact result.
func registerClamping(name string, f func(a, b, c uint32) int64, r saturation) {
	wrap := func(a, b, c uint32) uint32 { return uint32(f(a, b, c)) & r.mask }
	saturate := func(a, b, c uint32) uint32 { return uint32(max(r.low, min(r.high, f(a, b, c)))) & r.mask }
	register(name, func(op *Op) error {
		lane := wrap
		if op.Inst.Clamp {
			lane = saturate
		}
		return vectorInstruction(resultInt, liftMode(func(_ Mode, a, b, c uint32) uint32 { return lane(a, b, c) }))(op)
	})
}

func signed24(a uint32) int64 { return int64(int32(a<<8) >> 8) }

func firstHigh(a uint32) uint32 {
	if a == 0 {
		return ^uint32(0)
	}
	return uint32(bits.LeadingZeros32(a))
}

func firstLow(a uint32) uint32 {
	if a == 0 {
		return ^uint32(0)
	}
	return uint32(bits.TrailingZeros32(a))
}

// firstOpposite counts from the top to the first bit that differs from the sign; −1 where none does.
func firstOpposite(a uint32) uint32 {
	if int32(a) < 0 {
		a = ^a
	}
	return firstHigh(a)
}

func fieldUnsigned(a, offset, width uint32) uint32 {
	if width == 0 {
		return 0
	}
	return a >> offset & (1<<width - 1)
}

func fieldSigned(a, offset, width uint32) uint32 {
	if width == 0 {
		return 0
	}
	if offset+width >= 32 {
		return uint32(int32(a) >> offset)
	}
	return uint32(int32(a<<(32-offset-width)) >> (32 - width))
}

func maskBelow(lane int) uint32 {
	switch {
	case lane <= 0:
		return 0
	case lane >= 32:
		return ^uint32(0)
	}
	return 1<<lane - 1
}

func saturate16(a uint32) uint32 {
	return uint32(uint16(max(-1<<15, min(1<<15-1, int32(a)))))
}

func difference(a, b uint32) uint32 {
	if a > b {
		return a - b
	}
	return b - a
}

func sad8(a, b uint32) (sum uint32) {
	for shift := 0; shift < 32; shift += 8 {
		sum += difference(a>>shift&0xFF, b>>shift&0xFF)
	}
	return sum
}

// maskedSad8 leaves out the bytes whose reference b is 0.
func maskedSad8(a, b uint32) (sum uint32) {
	for shift := 0; shift < 32; shift += 8 {
		if reference := b >> shift & 0xFF; reference != 0 {
			sum += difference(a>>shift&0xFF, reference)
		}
	}
	return sum
}

func lerp8(a, b, c uint32) (d uint32) {
	for shift := 0; shift < 32; shift += 8 {
		d |= (a>>shift&0xFF + b>>shift&0xFF + c>>shift&1) >> 1 & 0xFF << shift
	}
	return d
}

// permuteBytes picks each byte of the result from the eight bytes of a:b (b low) or from constants.
func permuteBytes(a, b, c uint32) (d uint32) {
	all := join(b, a)
	for shift := 0; shift < 32; shift += 8 {
		var x uint32
		switch selector := c >> shift & 0xFF; {
		case selector < 8:
			x = uint32(all>>(8*selector)) & 0xFF
		case selector < 12: // sign of one of the four words
			x = uint32(int64(all<<(48-16*(selector-8)))>>63) & 0xFF
		case selector == 12:
			x = 0
		default:
			x = 0xFF
		}
		d |= x << shift
	}
	return d
}
