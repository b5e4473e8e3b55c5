package emu

import (
	"math"
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// laneCompare compares all 64 lanes and returns a bit a lane.
type laneCompare func(m Mode, s *operands) uint64

// Vector comparisons (source: CLRX GcnInstrsVopc). v_cmpx also writes EXEC.
func init() {
	for _, row := range isa.Opcodes() {
		if row.Format != isa.VOPC {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(row.Name, "v_cmpx_"), "v_cmp_")
		relation, kind, _ := strings.Cut(name, "_")
		compare := comparison(relation, kind)
		cmpx := strings.HasPrefix(row.Name, "v_cmpx_")
		executors[row.Index] = func(op *Op) error {
			v, err := resolveVector(op)
			if err != nil {
				return err
			}
			v.cmpx = cmpx
			op.vec, op.Execute = v, func(w *Wavefront, op *Op) { executeCompare(w, op, compare) }
			return nil
		}
	}
}

func executeCompare(w *Wavefront, op *Op, compare laneCompare) {
	v := op.vec
	w.PC = op.Next
	s := w.sources(op, v)
	if w.Fault != nil {
		return
	}
	mask := compare(w.Mode, s) & w.Exec()
	w.setMask64(v.sdst, mask)
	if v.cmpx {
		w.SetExec(mask)
	}
}

// comparison returns the comparison of a relation ("lt", "nge", "class", …) and a type ("f32", "i64", …).
func comparison(relation, kind string) laneCompare {
	if relation == "class" {
		return classComparison(kind)
	}
	switch kind {
	case "f16", "f32", "f64":
		return floatComparison(relation, kind)
	}
	return integerComparison(relation, kind)
}

// outcomes are the results of a comparison that hold, in the order less, equal, greater, unordered.
type outcomes [4]bool

var relations = map[string]outcomes{
	"f": {}, "lt": {true, false, false, false}, "eq": {false, true, false, false}, "le": {true, true, false, false},
	"gt": {false, false, true, false}, "lg": {true, false, true, false}, "ge": {false, true, true, false},
	"o": {true, true, true, false}, "u": {false, false, false, true}, "nge": {true, false, false, true},
	"nlg": {false, true, false, true}, "ngt": {true, true, false, true}, "nle": {false, false, true, true},
	"neq": {true, false, true, true}, "nlt": {false, true, true, true}, "tru": {true, true, true, true},
	"ne": {true, false, true, false}, "t": {true, true, true, true},
}

func floatComparison(relation, kind string) laneCompare {
	hold, ok := relations[relation]
	if !ok {
		panic("emu: unknown relation " + relation)
	}
	value := func(m Mode, lo, hi uint32) float64 { return float64(flushed32(m.flushIn32(), lo)) }
	switch kind {
	case "f16":
		value = func(m Mode, lo, _ uint32) float64 { return from16(flushed16(m.flushIn64(), uint16(lo))) }
	case "f64":
		value = func(m Mode, lo, hi uint32) float64 { return flushed64(m.flushIn64(), join(lo, hi)) }
	}
	if kind == "f32" {
		return func(m Mode, s *operands) (mask uint64) {
			flush := m.flushIn32()
			for i, a := range s.a {
				mask |= holds(&hold, flushed32(flush, a), flushed32(flush, s.b[i])) << i
			}
			return mask
		}
	}
	return func(m Mode, s *operands) (mask uint64) {
		ah, bh := orZero(s.ah), orZero(s.bh)
		for i, a := range s.a {
			mask |= holds(&hold, value(m, a, ah[i]), value(m, s.b[i], bh[i])) << i
		}
		return mask
	}
}

func holds[T float32 | float64 | int64 | uint64](hold *outcomes, a, b T) uint64 {
	place := 3
	switch {
	case a < b:
		place = 0
	case a == b:
		place = 1
	case a > b:
		place = 2
	}
	if hold[place] {
		return 1
	}
	return 0
}

func integerComparison(relation, kind string) laneCompare {
	hold, ok := relations[relation]
	if !ok {
		panic("emu: unknown relation " + relation)
	}
	switch kind {
	case "u32", "u64", "u16":
		mask := ^uint64(0)
		if kind == "u16" {
			mask = 0xFFFF
		}
		return func(_ Mode, s *operands) (out uint64) {
			ah, bh := orZero(s.ah), orZero(s.bh)
			for i, a := range s.a {
				out |= holds(&hold, join(a, ah[i])&mask, join(s.b[i], bh[i])&mask) << i
			}
			return out
		}
	case "i16":
		return func(_ Mode, s *operands) (out uint64) {
			for i, a := range s.a {
				out |= holds(&hold, int64(int16(a)), int64(int16(s.b[i]))) << i
			}
			return out
		}
	case "i32":
		return func(_ Mode, s *operands) (out uint64) {
			for i, a := range s.a {
				out |= holds(&hold, int64(int32(a)), int64(int32(s.b[i]))) << i
			}
			return out
		}
	case "i64":
		return func(_ Mode, s *operands) (out uint64) {
			for i, a := range s.a {
				out |= holds(&hold, int64(join(a, s.ah[i])), int64(join(s.b[i], s.bh[i]))) << i
			}
			return out
		}
	}
	panic("emu: unknown comparison type " + kind)
}

// Classes of v_cmp_class, as bits of its mask (source: CLRX GcnInstrsVopc, V_CMP_CLASS_F32).
const (
	classSignalling = 1 << iota
	classQuiet
	classNegativeInfinity
	classNegativeNormal
	classNegativeDenormal
	classNegativeZero
	classPositiveZero
	classPositiveDenormal
	classPositiveNormal
	classPositiveInfinity
)

func classComparison(kind string) laneCompare {
	return func(_ Mode, s *operands) (mask uint64) {
		ah := orZero(s.ah)
		for i, a := range s.a {
			var class uint32
			switch kind {
			case "f16":
				class = classOf(uint64(a&0xFFFF), 5, 10)
			case "f32":
				class = classOf(uint64(a), 8, 23)
			default:
				class = classOf(join(a, ah[i]), 11, 52)
			}
			if class&s.b[i] != 0 {
				mask |= 1 << i
			}
		}
		return mask
	}
}

// classOf returns the class bit of an IEEE number with the given widths of exponent and fraction.
func classOf(x uint64, exponentBits, fractionBits uint) uint32 {
	fraction := x & (1<<fractionBits - 1)
	exponent := x >> fractionBits & (1<<exponentBits - 1)
	negative := x>>(exponentBits+fractionBits)&1 != 0
	var class uint32
	switch {
	case exponent == 1<<exponentBits-1 && fraction != 0:
		if fraction>>(fractionBits-1) != 0 {
			return classQuiet
		}
		return classSignalling
	case exponent == 1<<exponentBits-1:
		class = classPositiveInfinity
	case exponent != 0:
		class = classPositiveNormal
	case fraction != 0:
		class = classPositiveDenormal
	default:
		class = classPositiveZero
	}
	if negative { // the negative classes mirror the positive ones
		switch class {
		case classPositiveInfinity:
			return classNegativeInfinity
		case classPositiveNormal:
			return classNegativeNormal
		case classPositiveDenormal:
			return classNegativeDenormal
		}
		return classNegativeZero
	}
	return class
}

func flushed64(flush bool, x uint64) float64 {
	if flush && x&0x7FF0000000000000 == 0 {
		x &= 1 << 63
	}
	return math.Float64frombits(x)
}
