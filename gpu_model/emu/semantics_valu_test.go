package emu

import (
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// oracles holds the reference of every vector ALU instruction that works lane by lane.
var oracles = func() map[string]oracle {
	all := map[string]oracle{}
	floatOracles(all)
	integerOracles(all)
	compareOracles(all)
	return all
}()

// typesOf reads the types of an instruction's sources and result off its name.
func typesOf(row *isa.Opcode) (in [3]operandType, out operandType) {
	byName := func(suffix string) operandType {
		switch suffix {
		case "f16":
			return typeF16
		case "f32":
			return typeF32
		case "f64":
			return typeF64
		}
		return typeInt
	}
	words := strings.Split(row.Name, "_")
	last := byName(words[len(words)-1])
	in, out = [3]operandType{last, last, last}, last
	switch {
	case strings.HasPrefix(row.Name, "v_cvt_pk"): // packed results
		out = typeInt
		in[1] = map[bool]operandType{true: last, false: typeInt}[strings.Contains(row.Name, "norm") || strings.Contains(row.Name, "rtz")]
		in[2] = typeInt
	case strings.HasPrefix(row.Name, "v_cvt_off"):
		in[0], out = typeInt, typeF32
	case strings.HasPrefix(row.Name, "v_cvt_rpi"), strings.HasPrefix(row.Name, "v_cvt_flr"):
		out = typeInt
	case strings.HasPrefix(row.Name, "v_cvt_"):
		out = byName(words[2])
	case strings.HasPrefix(row.Name, "v_frexp_exp"):
		out = typeInt
	case strings.HasPrefix(row.Name, "v_ldexp"), strings.HasPrefix(row.Name, "v_trig"), strings.Contains(row.Name, "_class_"):
		in[1] = typeInt
	}
	if row.Format == isa.VOPC {
		out = typeInt
	}
	return in, out
}

func TestVectorSemantics(t *testing.T) {
	m := newMachine(t)
	for _, row := range isa.Opcodes() {
		switch row.Format {
		case isa.VOP1, isa.VOP2, isa.VOP3A, isa.VOP3B, isa.VOPC:
		default:
			continue
		}
		want := oracles[row.Name]
		if want == nil {
			continue
		}
		t.Run(row.Name, func(t *testing.T) {
			m.t = t
			for _, how := range []encoding{encodingBase, encodingWide, encodingSDWA, encodingDPP} {
				for range rounds {
					m.check(row, how, want)
				}
			}
		})
	}
}

// check runs one random instruction of a row.
func (m *machine) check(row *isa.Opcode, how encoding, want oracle) {
	code, in := m.draw(row, how)
	if in == nil || undefined(row, in) {
		return
	}
	e := &expectation{m: m, in: in, row: row, want: want, compare: row.Format == isa.VOPC}
	e.types, e.result = typesOf(row)
	if e.result == typeInt && !integerClamp(row) {
		in.Clamp, in.OMod = false, 0 // the documentation says nothing of them
	}
	m.prepare(in, e.types)
	m.restrict(row, in)
	e.run(code)
}

// undefined tells that a constant is no operand: NaN for a direction.
func undefined(row *isa.Opcode, in *isa.Inst) bool {
	for _, r := range in.Src {
		if strings.HasPrefix(row.Name, "v_cube") && r >= 193 && r <= 208 {
			return true
		}
	}
	return false
}

// integerClamp tells that clamp saturates an integer instruction; its reference does so.
func integerClamp(row *isa.Opcode) bool { return row.Clamp && !strings.HasPrefix(row.Name, "v_cvt") }

// restrict keeps operands where an instruction is defined: directions without NaN for cube maps.
func (m *machine) restrict(row *isa.Opcode, in *isa.Inst) {
	if !strings.HasPrefix(row.Name, "v_cube") {
		return
	}
	for i := range m.w.V {
		if binary32.isNaN(uint64(m.w.V[i])) {
			m.w.V[i] = 0x3f800000
		}
	}
	for i := range m.w.S[:126] {
		if binary32.isNaN(uint64(m.w.S[i])) {
			m.w.S[i] = 0x3f800000
		}
	}
	for _, r := range in.Src {
		if r >= isa.RegExecLo && r < 128 {
			m.w.SetExec(0x0f0f0f0f0f0f0f0f)
		}
	}
}

func compareOracles(all map[string]oracle) {
	for _, row := range isa.Opcodes() {
		if row.Format != isa.VOPC {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(row.Name, "v_cmpx_"), "v_cmp_")
		relation, kind, _ := strings.Cut(name, "_")
		f, float := map[string]ieee{"f16": binary16, "f32": binary32, "f64": binary64}[kind]
		all[row.Name] = func(s *sources) result {
			if relation == "class" {
				return result{bit: f.class(s.a&f.mask())&uint32(s.b) != 0}
			}
			if float {
				e := f.under(s.mode)
				return result{bit: holdsFloat(relation, e, e.in(s.a), e.in(s.b))}
			}
			width := map[string]int{"16": 16, "32": 32, "64": 64}[kind[1:]]
			read := signedOf
			if kind[0] == 'u' {
				read = unsignedOf
			}
			if width == 64 {
				c := 0
				if kind[0] == 'u' && s.a != s.b || kind[0] == 'i' && int64(s.a) != int64(s.b) {
					c = 1
					if kind[0] == 'u' && s.a < s.b || kind[0] == 'i' && int64(s.a) < int64(s.b) {
						c = -1
					}
				}
				return result{bit: holdsOrder(relation, c)}
			}
			return result{bit: holdsOrder(relation, read(s.a, width).Cmp(read(s.b, width)))}
		}
	}
}

func holdsOrder(relation string, c int) bool {
	switch relation {
	case "lt":
		return c < 0
	case "eq":
		return c == 0
	case "le":
		return c <= 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "ne", "lg":
		return c != 0
	case "t", "tru":
		return true
	}
	return false
}

func holdsFloat(relation string, e environment, a, b uint64) bool {
	unordered := e.isNaN(a) || e.isNaN(b)
	switch relation {
	case "o":
		return !unordered
	case "u":
		return unordered
	case "f":
		return false
	case "tru", "t":
		return true
	}
	negated := relation[0] == 'n'
	relation = strings.TrimPrefix(relation, "n")
	held := false
	if !unordered {
		a, b := e.order(a), e.order(b)
		if a < 0 { // −0 is +0
			a++
		}
		if b < 0 {
			b++
		}
		c := 0
		switch {
		case a < b:
			c = -1
		case a > b:
			c = 1
		}
		held = holdsOrder(relation, c)
	}
	return held != negated
}

// class returns the bit of v_cmp_class that names a number.
func (f ieee) class(x uint64) uint32 {
	switch negative := f.negative(x); {
	case f.signalling(x):
		return 1 << 0
	case f.isNaN(x):
		return 1 << 1
	case f.isInf(x) && negative:
		return 1 << 2
	case f.isInf(x):
		return 1 << 9
	case f.isZero(x) && negative:
		return 1 << 5
	case f.isZero(x):
		return 1 << 6
	case f.denormal(x) && negative:
		return 1 << 4
	case f.denormal(x):
		return 1 << 7
	case negative:
		return 1 << 3
	}
	return 1 << 8
}
