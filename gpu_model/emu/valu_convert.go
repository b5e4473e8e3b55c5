package emu

import "math"

// Conversions (source: CLRX GcnInstrsVop1, Vop3).
func init() {
	registerVector(resultF32, map[string]laneFunc{
		"v_cvt_f32_i32":    liftMode(func(m Mode, a, _, _ uint32) uint32 { return narrow32(float64(int32(a)), m.round32(), false) }),
		"v_cvt_f32_u32":    liftMode(func(m Mode, a, _, _ uint32) uint32 { return narrow32(float64(a), m.round32(), false) }),
		"v_cvt_f32_ubyte0": lift1(func(a uint32) uint32 { return math.Float32bits(float32(a & 0xFF)) }),
		"v_cvt_f32_ubyte1": lift1(func(a uint32) uint32 { return math.Float32bits(float32(a >> 8 & 0xFF)) }),
		"v_cvt_f32_ubyte2": lift1(func(a uint32) uint32 { return math.Float32bits(float32(a >> 16 & 0xFF)) }),
		"v_cvt_f32_ubyte3": lift1(func(a uint32) uint32 { return math.Float32bits(float32(a >> 24)) }),
		"v_cvt_off_f32_i4": lift1(func(a uint32) uint32 { return math.Float32bits(float32(int32(a<<28)>>28) / 16) }),
		"v_cvt_f32_f16":    liftMode(func(m Mode, a, _, _ uint32) uint32 { return widen16(m, uint16(a)) }),
		"v_cvt_f32_f64": liftWide(func(m Mode, a, _, _ uint64) uint64 {
			if isNaN64(a) {
				return uint64(uint32(a>>32)&(1<<31) | 0x7FC00000 | uint32(a>>29)&0x3FFFFF)
			}
			return uint64(narrow32(flushed64(m.flushIn64(), a), m.round32(), m.flushOut32()))
		}),
	})
	registerVector(resultF64, map[string]laneFunc{
		"v_cvt_f64_i32": liftWide(func(_ Mode, a, _, _ uint64) uint64 { return math.Float64bits(float64(int32(a))) }),
		"v_cvt_f64_u32": liftWide(func(_ Mode, a, _, _ uint64) uint64 { return math.Float64bits(float64(uint32(a))) }),
		"v_cvt_f64_f32": liftWide(func(m Mode, a, _, _ uint64) uint64 {
			x := uint32(a)
			if isNaN32(x) {
				return uint64(x>>31)<<63 | 0x7FF8000000000000 | uint64(x&0x3FFFFF)<<29
			}
			return math.Float64bits(float64(flushed32(m.flushIn32(), x)))
		}),
	})
	registerVector(resultF16, map[string]laneFunc{
		"v_cvt_f16_f32": liftMode(func(m Mode, a, _, _ uint32) uint32 { return uint32(narrow16(m, a, m.round64())) }),
		"v_cvt_f16_u16": liftMode(func(m Mode, a, _, _ uint32) uint32 { return uint32(to16(float64(uint16(a)), m.round64(), false)) }),
		"v_cvt_f16_i16": liftMode(func(m Mode, a, _, _ uint32) uint32 { return uint32(to16(float64(int16(a)), m.round64(), false)) }),
	})
	registerVector(resultInt, map[string]laneFunc{
		"v_cvt_u32_f32":     fromFloat32(math.Trunc, 0, 1<<32-1),
		"v_cvt_i32_f32":     fromFloat32(math.Trunc, -1<<31, 1<<31-1),
		"v_cvt_rpi_i32_f32": floor32(0.5),
		"v_cvt_flr_i32_f32": floor32(0),
		"v_cvt_u32_f64":     fromFloat64(0, 1<<32-1),
		"v_cvt_i32_f64":     fromFloat64(-1<<31, 1<<31-1),
		"v_cvt_u16_f16":     fromFloat16(0, 1<<16-1),
		"v_cvt_i16_f16":     fromFloat16(-1<<15, 1<<15-1),
		"v_cvt_pkrtz_f16_f32": liftMode(func(m Mode, a, b, _ uint32) uint32 {
			return uint32(narrow16(m, a, roundZero)) | uint32(narrow16(m, b, roundZero))<<16
		}),
		"v_cvt_pknorm_i16_f32": liftMode(func(m Mode, a, b, _ uint32) uint32 {
			return normalised(m, a, -1, 32767) | normalised(m, b, -1, 32767)<<16
		}),
		"v_cvt_pknorm_u16_f32": liftMode(func(m Mode, a, b, _ uint32) uint32 {
			return normalised(m, a, 0, 65535) | normalised(m, b, 0, 65535)<<16
		}),
		"v_cvt_pk_u8_f32": liftMode(func(m Mode, a, b, c uint32) uint32 { return packByte(m, a, b, c) }),
	})
	register("v_cvt_pkaccum_u8_f32", tiedInstruction(resultInt, liftMode(func(m Mode, a, b, c uint32) uint32 { return packByte(m, a, b, c) })))
	registerVector(resultInt, map[string]laneFunc{
		"v_frexp_exp_i32_f32": liftMode(func(m Mode, a, _, _ uint32) uint32 {
			return uint32(frexpExponent(float64(flushed32(m.flushIn32(), a))))
		}),
		"v_frexp_exp_i32_f64": liftWide(func(m Mode, a, _, _ uint64) uint64 {
			return uint64(uint32(frexpExponent(flushed64(m.flushIn64(), a))))
		}),
		"v_frexp_exp_i16_f16": liftMode(func(m Mode, a, _, _ uint32) uint32 {
			return uint32(uint16(frexpExponent(from16(flush16(m.flushIn64(), uint16(a))))))
		}),
	})
}

// frexpExponent is the exponent of a fraction in [0.5, 1); 0 for zero, infinity and NaN.
func frexpExponent(x float64) int32 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	_, exponent := math.Frexp(x)
	return int32(exponent)
}

// saturate converts to an integer in a range; NaN gives 0.
func saturate(x float64, low, high int64) int64 {
	switch {
	case math.IsNaN(x):
		return 0
	case x <= float64(low):
		return low
	case x >= float64(high):
		return high
	}
	return int64(x)
}

func fromFloat32(round func(float64) float64, low, high int64) laneFunc {
	return liftMode(func(m Mode, a, _, _ uint32) uint32 {
		return uint32(saturate(round(float64(flushed32(m.flushIn32(), a))), low, high))
	})
}

// floor32 converts floor(x + half); a NaN goes where its sign points (source: CLRX GcnInstrsVop1, V_CVT_FLR_I32_F32).
func floor32(half float64) laneFunc {
	return liftMode(func(m Mode, a, _, _ uint32) uint32 {
		if isNaN32(a) {
			return uint32(1<<31-1) + a>>31
		}
		return uint32(saturate(math.Floor(float64(flushed32(m.flushIn32(), a))+half), -1<<31, 1<<31-1))
	})
}

func fromFloat64(low, high int64) laneFunc {
	return liftWide(func(m Mode, a, _, _ uint64) uint64 {
		return uint64(uint32(saturate(math.Trunc(flushed64(m.flushIn64(), a)), low, high)))
	})
}

func fromFloat16(low, high int64) laneFunc {
	return liftMode(func(m Mode, a, _, _ uint32) uint32 {
		return uint32(uint16(saturate(math.Trunc(from16(flush16(m.flushIn64(), uint16(a)))), low, high)))
	})
}

// widen16 converts f16 to f32; every number is exact.
func widen16(m Mode, a uint16) uint32 {
	if isNaN16(a) {
		return uint32(a>>15)<<31 | 0x7FC00000 | uint32(a&0x3FF)<<13
	}
	return math.Float32bits(float32(from16(flush16(m.flushIn64(), a))))
}

func narrow16(m Mode, a uint32, round uint32) uint16 {
	if isNaN32(a) {
		return uint16(a>>16)&0x8000 | 0x7E00 | uint16(a>>13)&0x3FF
	}
	return to16(float64(flushed32(m.flushIn32(), a)), round, m.flushOut64())
}

// normalised converts [least, 1] to an integer of the given scale, rounded to nearest even.
func normalised(m Mode, a uint32, least, scale float64) uint32 {
	x := float64(flushed32(m.flushIn32(), a))
	if math.IsNaN(x) {
		return 0
	}
	return uint32(uint16(int32(math.RoundToEven(max(least, min(1, x)) * scale))))
}

// packByte puts a, rounded as MODE says to a byte value, into byte b of c.
func packByte(m Mode, a, b, c uint32) uint32 {
	shift := 8 * (b & 3)
	round := [4]func(float64) float64{math.RoundToEven, math.Ceil, math.Floor, math.Trunc}[m.round32()]
	value := uint32(saturate(round(float64(flushed32(m.flushIn32(), a))), 0, 255))
	return c&^(0xFF<<shift) | value<<shift
}
