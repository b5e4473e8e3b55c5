package gpuconfig

import (
	"fmt"
	"math/bits"
	"reflect"
	"strconv"
)

// ParameterError tells which parameter breaks which rule.
type ParameterError struct {
	Key, Value, Rule string
}

// Error returns the sentence.
func (e *ParameterError) Error() string {
	return fmt.Sprintf("GPU parameter %s = %s is refused: it must be %s", e.Key, e.Value, e.Rule)
}

// Validate checks every parameter alone and the rules between parameters. The error is a *ParameterError.
func (s Spec) Validate() error {
	var first error
	refuse := func(key string, value any, rule string) {
		if first == nil {
			first = &ParameterError{key, fmt.Sprint(value), rule}
		}
	}
	s.each(func(key string, v reflect.Value, f reflect.StructField) {
		var x float64
		switch v.Kind() {
		case reflect.Int:
			x = float64(v.Int())
		case reflect.Uint64:
			x = float64(v.Uint())
		case reflect.Float64:
			x = v.Float()
		default:
			return
		}
		low, _ := strconv.ParseFloat(f.Tag.Get("min"), 64)
		high, err := strconv.ParseFloat(f.Tag.Get("max"), 64)
		if !(x >= low) || err == nil && x > high {
			refuse(key, v.Interface(), fmt.Sprintf("between %s and %s %s", f.Tag.Get("min"), f.Tag.Get("max"), f.Tag.Get("unit")))
		}
		if f.Tag.Get("pow2") != "" && bits.OnesCount64(uint64(x)) != 1 {
			refuse(key, v.Interface(), "a power of two")
		}
	})
	if first != nil {
		return first
	}
	if 1_000_000_000_000%s.ClockHz != 0 {
		refuse("clock_hz", s.ClockHz, "a divisor of 1e12, so that a cycle is a whole number of picoseconds")
	}
	caches := []struct {
		key         string
		bytes, ways int
	}{{"l1v.bytes", s.L1V.Bytes, s.L1V.Ways}, {"l1s.bytes", s.L1S.Bytes, s.L1S.Ways}, {"l1i.bytes", s.L1I.Bytes, s.L1I.Ways},
		{"l2.bank_bytes", s.L2.BankBytes, s.L2.Ways}}
	for _, c := range caches {
		if sets := c.bytes / (64 * c.ways); c.bytes%(64*c.ways) != 0 || bits.OnesCount(uint(sets)) != 1 {
			refuse(c.key, c.bytes, fmt.Sprintf("64-byte lines × %d ways × a power-of-two number of sets", c.ways))
		}
	}
	for _, t := range []struct {
		key string
		TLB
	}{{"l1v_tlb.sets", s.L1VTLB}, {"l1s_tlb.sets", s.L1STLB}, {"l1i_tlb.sets", s.L1ITLB}} {
		if t.Sets*t.Ways > 65536 {
			refuse(t.key, t.Sets, fmt.Sprintf("such that sets × ways (%d) are at most 65536 entries", t.Ways))
		}
	}
	for _, l := range []struct {
		key   string
		width float64
	}{{"link.bank_bytes_per_cycle", s.Link.BytesPerCycleBank}, {"link.compute_unit_bytes_per_cycle", s.Link.BytesPerCycleUnit}} {
		if l.width != 0 && l.width < 0.125 {
			refuse(l.key, l.width, "0 for unlimited, or at least 0.125")
		}
	}
	if s.DRAM.Bytes%4096 != 0 {
		refuse("dram.bytes", s.DRAM.Bytes, "a multiple of 4096, the page")
	}
	if s.Core.SIMDs*s.Core.WavefrontSlots > 64 {
		refuse("core.wavefronts_per_simd", s.Core.WavefrontSlots, fmt.Sprintf("at most %d: a compute unit holds up to 64 wavefronts", 64/s.Core.SIMDs))
	}
	if s.Core.ShaderArrays*s.Core.UnitsPerArray > 256 {
		refuse("core.shader_arrays", s.Core.ShaderArrays, "such that there are at most 256 compute units")
	}
	if per := s.Core.VGPRs / 64 / s.Core.VGPRGranularity; per < s.Core.WavefrontSlots {
		refuse("core.vgprs_per_simd", s.Core.VGPRs, fmt.Sprintf("at least %d, one allocation unit for each of %d wavefronts",
			64*s.Core.VGPRGranularity*s.Core.WavefrontSlots, s.Core.WavefrontSlots))
	}
	if slots := s.Core.SIMDs * s.Core.WavefrontSlots; s.Core.SGPRs/s.Core.SGPRGranularity < slots {
		refuse("core.sgprs", s.Core.SGPRs, fmt.Sprintf("at least %d, one allocation unit for each of %d wavefronts", s.Core.SGPRGranularity*slots, slots))
	}
	if s.Core.LDSBytes%s.Core.LDSGranularity != 0 {
		refuse("core.lds_bytes", s.Core.LDSBytes, fmt.Sprintf("a multiple of core.lds_granularity (%d)", s.Core.LDSGranularity))
	}
	if s.Fetch.LineBytes != 64 {
		refuse("fetch.line_bytes", s.Fetch.LineBytes, "64, the cache line")
	}
	if s.Fetch.BufferBytes < 2*s.Fetch.LineBytes {
		refuse("fetch.buffer_bytes", s.Fetch.BufferBytes, fmt.Sprintf("at least %d: an instruction may lie across two lines", 2*s.Fetch.LineBytes))
	}
	if s.Fetch.BufferBytes%s.Fetch.LineBytes != 0 {
		refuse("fetch.buffer_bytes", s.Fetch.BufferBytes, fmt.Sprintf("a multiple of fetch.line_bytes (%d)", s.Fetch.LineBytes))
	}
	switch s.DRAM.Kind {
	case "ideal":
	case "banked":
		if s.DRAM.BytesPerCycle <= 0 {
			refuse("dram.bytes_per_cycle", s.DRAM.BytesPerCycle, "greater than zero for banked DRAM")
		}
		if s.DRAM.Channels%s.L2.Banks != 0 {
			refuse("dram.channels", s.DRAM.Channels, fmt.Sprintf("a multiple of l2.banks (%d): every L2 bank has a controller, which drives as many channels", s.L2.Banks))
		}
		if bits.OnesCount(uint(s.DRAM.Banks)) != 1 {
			refuse("dram.banks", s.DRAM.Banks, "a power of two")
		}
		if busy := s.DRAM.RFC + s.DRAM.RP + s.DRAM.RCD; s.DRAM.REFI != 0 && s.DRAM.REFI <= busy {
			refuse("dram.t_refi", s.DRAM.REFI, fmt.Sprintf("greater than dram.t_rfc + dram.t_rp + dram.t_rcd (%d), or 0 for no refresh", busy))
		}
		if s.DRAM.RAS < s.DRAM.RCD {
			refuse("dram.t_ras", s.DRAM.RAS, fmt.Sprintf("at least dram.t_rcd (%d)", s.DRAM.RCD))
		}
	default:
		refuse("dram.kind", strconv.Quote(s.DRAM.Kind), `"ideal" or "banked"`)
	}
	return first
}
