package main

import (
	"fmt"
	"strings"
)

// x86 emits AVX-512 (16 lanes a register) or AVX2 (8 lanes a register).
type x86 struct {
	wide      bool // AVX-512
	body      strings.Builder
	constants map[uint32]reg
	order     []uint32
	name      string
	recipe    *recipe
	scalarA   bool
	chunk     int
	used      map[string]bool // laneBits, accumulator
}

func newX86(wide bool) *x86 {
	return &x86{wide: wide, constants: map[uint32]reg{}, used: map[string]bool{}}
}

func (x *x86) chunks() int { return 64 / x.lanes() }

func (x *x86) lanes() int {
	if x.wide {
		return 16
	}
	return 8
}

// number maps a role to a register number: results first, so that float results of all chunks can wait for the check.
func (x *x86) number(r reg) int {
	first := x.chunks()
	switch r {
	case regD:
		if x.recipe.kind == float {
			return x.chunk
		}
		return 0
	case regDH:
		return 1
	case regA, regB, regC, regBH, regT0, regT1:
		if r == regBH { // no operation has both a third source and a wide one
			return first + 2
		}
		if r >= regT0 {
			return first + int(r-regT0) + 3
		}
		return first + int(r-regA)
	case regT2:
		switch {
		case x.wide:
			return first + 5
		case x.recipe.kind == float: // AVX2 has no register to spare: no float operation with three sources uses T2
			return first + 2
		}
		return first - 1
	}
	return int(r)
}

func (x *x86) reg(r reg) string {
	if x.wide {
		return fmt.Sprintf("Z%d", x.number(r))
	}
	return fmt.Sprintf("Y%d", x.number(r))
}

func (x *x86) line(format string, arguments ...any) {
	fmt.Fprintf(&x.body, "\t"+format+"\n", arguments...)
}

// name32 gives the instruction of an integer or bitwise operation; AVX-512 spells bitwise ones with their element size.
var name32 = map[string]string{"add": "VPADDD", "sub": "VPSUBD", "and": "VPAND", "or": "VPOR", "xor": "VPXOR", "shl": "VPSLLVD", "shr": "VPSRLVD",
	"sar": "VPSRAVD", "mul": "VPMULLD", "mins": "VPMINSD", "maxs": "VPMAXSD", "minu": "VPMINUD", "maxu": "VPMAXUD",
	"fadd": "VADDPS", "fsub": "VSUBPS", "fmul": "VMULPS"}

func (x *x86) binary(op string, d, a, b reg) {
	name := name32[op]
	if x.wide && (op == "and" || op == "or" || op == "xor") {
		name += "D"
	}
	x.line("%s %s, %s, %s", name, x.reg(b), x.reg(a), x.reg(d))
}

func (x *x86) shiftOut(op string, d, a, b reg) { x.binary(op, d, a, b) } // variable shifts do that

func (x *x86) fusedAdd(d, a, b, c reg) {
	x.line("VMOVAPS %s, %s", x.reg(c), x.reg(d))
	x.line("VFMADD231PS %s, %s, %s", x.reg(b), x.reg(a), x.reg(d))
}

func (x *x86) mulHigh(d, a, b reg) {
	x.line("VPSRLQ $32, %s, %s", x.reg(a), x.reg(regT0))
	x.line("VPSRLQ $32, %s, %s", x.reg(b), x.reg(regT1))
	x.line("VPMULUDQ %s, %s, %s", x.reg(regT1), x.reg(regT0), x.reg(regT0)) // odd lanes
	x.line("VPMULUDQ %s, %s, %s", x.reg(b), x.reg(a), x.reg(d))             // even lanes
	x.line("VPSRLQ $32, %s, %s", x.reg(d), x.reg(d))
	if x.wide {
		x.line("MOVL $0xAAAA, R8")
		x.line("KMOVW R8, K1")
		x.line("VMOVDQA32 %s, K1, %s", x.reg(regT0), x.reg(d))
	} else {
		x.line("VPBLENDD $0xAA, %s, %s, %s", x.reg(regT0), x.reg(d), x.reg(d))
	}
}

func (x *x86) move(d, a reg) {
	if x.wide {
		x.line("VMOVDQA32 %s, %s", x.reg(a), x.reg(d))
	} else {
		x.line("VMOVDQA %s, %s", x.reg(a), x.reg(d))
	}
}

func (x *x86) constant(value uint32) reg {
	if r, ok := x.constants[value]; ok {
		return r
	}
	r := reg(x.chunks() + 7 - len(x.constants))
	if x.wide {
		r = reg(31 - len(x.constants))
	}
	x.constants[value] = r
	x.order = append(x.order, value)
	return r
}

// predicates of VCMPPS that raise no signal matter as little as those that do: exceptions are masked.
var floatPredicate = map[string]int{"lt": 0x11, "eq": 0x00, "le": 0x12, "gt": 0x1E, "lg": 0x0C, "ge": 0x1D, "o": 0x07, "u": 0x03,
	"nge": 0x19, "nlg": 0x08, "ngt": 0x1A, "nle": 0x16, "neq": 0x04, "nlt": 0x15}

var integerPredicate = map[string]int{"eq": 0, "lt": 1, "le": 2, "ne": 4, "ge": 5, "gt": 6}

func (x *x86) compareInto(relation, kind string, a, b reg, k string) {
	switch kind {
	case "f32":
		x.line("VCMPPS $%d, %s, %s, %s", floatPredicate[relation], x.reg(b), x.reg(a), k)
	case "i32":
		x.line("VPCMPD $%d, %s, %s, %s", integerPredicate[relation], x.reg(b), x.reg(a), k)
	default:
		x.line("VPCMPUD $%d, %s, %s, %s", integerPredicate[relation], x.reg(b), x.reg(a), k)
	}
}

func (x *x86) where(relation, kind string, d, a, b reg) {
	if x.wide {
		x.compareInto(relation, kind, a, b, "K1")
		x.line("VPMOVM2D K1, %s", x.reg(d))
		return
	}
	if kind == "f32" {
		x.line("VCMPPS $%d, %s, %s, %s", floatPredicate[relation], x.reg(b), x.reg(a), x.reg(d))
		return
	}
	invert := false
	switch relation {
	case "lt":
		a, b = b, a
	case "ge":
		a, b, invert = b, a, true
	case "le":
		invert = true
	case "ne":
		invert = true
	}
	if relation == "eq" || relation == "ne" {
		x.line("VPCMPEQD %s, %s, %s", x.reg(b), x.reg(a), x.reg(d))
	} else {
		if kind == "u32" {
			// Signed comparison after turning the sign bits over, in two registers kept for it.
			bias := x.constant(1 << 31)
			x.line("VPXOR %s, %s, Y%d", x.reg(bias), x.reg(a), 2)
			x.line("VPXOR %s, %s, Y%d", x.reg(bias), x.reg(b), 3)
			x.line("VPCMPGTD Y3, Y2, %s", x.reg(d))
		} else {
			x.line("VPCMPGTD %s, %s, %s", x.reg(b), x.reg(a), x.reg(d))
		}
	}
	if invert {
		x.line("VPXOR %s, %s, %s", x.reg(x.constant(^uint32(0))), x.reg(d), x.reg(d))
	}
}

func (x *x86) answer(relation, kind string, a, b reg) {
	if x.wide {
		x.compareInto(relation, kind, a, b, "K1")
		x.line("KMOVW K1, R8")
		x.addAnswer()
		return
	}
	x.where(relation, kind, 4, a, b)
	x.line("VMOVMSKPS Y4, R8")
	x.addAnswer()
}

func (x *x86) answerMask(m reg) {
	if x.wide {
		x.line("VPMOVD2M %s, K1", x.reg(m))
		x.line("KMOVW K1, R8")
	} else {
		x.line("VMOVMSKPS %s, R8", x.reg(m))
	}
	x.addAnswer()
}

func (x *x86) addAnswer() {
	x.used["answer"] = true
	if x.chunk > 0 {
		x.line("SHLQ $%d, R8", x.chunk*x.lanes())
	}
	x.line("ORQ R8, AX")
}

func (x *x86) laneMask(d reg) {
	x.used["aux"] = true
	if x.wide {
		x.line("KMOVW BX, K2")
		x.line("SHRQ $16, BX")
		x.line("VPMOVM2D K2, %s", x.reg(d))
		return
	}
	x.used["bits"] = true
	x.line("VMOVD BX, X5")
	x.line("SHRQ $8, BX")
	x.line("VPBROADCASTD X5, Y5")
	x.line("VPAND Y6, Y5, Y5")
	x.line("VPCMPEQD Y6, Y5, %s", x.reg(d))
}

func (x *x86) blend(d, a, b reg) {
	if x.wide {
		x.used["aux"] = true
		x.line("KMOVW BX, K1")
		x.line("SHRQ $16, BX")
		x.line("VPBLENDMD %s, %s, K1, %s", x.reg(b), x.reg(a), x.reg(d))
		return
	}
	x.laneMask(regT0)
	x.line("VBLENDVPS %s, %s, %s, %s", x.reg(regT0), x.reg(b), x.reg(a), x.reg(d))
}

func (x *x86) flush(reg) {} // MXCSR does

func (x *x86) check(r reg) {
	if r == regD { // a NaN in between stays one
		x.used["check"] = true
	}
}

// checkSources collects the NaNs of the sources: AVX-512 in K2, AVX2 in the last constant register.
func (x *x86) checkSources(a, b reg) {
	x.used["sources"] = true
	if x.wide {
		x.line("VCMPPS $3, %s, %s, K1", x.reg(b), x.reg(a))
		x.line("KORW K1, K2, K2")
		return
	}
	x.line("VCMPPS $3, %s, %s, %s", x.reg(b), x.reg(a), x.reg(regT0))
	x.line("VMOVMSKPS %s, R8", x.reg(regT0))
	x.line("ORL R8, R9")
}

func (x *x86) begin(name string, r *recipe, scalarA bool) {
	x.name, x.recipe, x.scalarA = name, r, scalarA
	load := "VMOVUPS"
	bytes := 4 * x.lanes()
	for x.chunk = 0; x.chunk < x.chunks(); x.chunk++ {
		if !scalarA {
			x.line("%s %d(SI), %s", load, x.chunk*bytes, x.reg(regA))
		}
		if r.sources > 1 {
			x.line("%s %d(DX), %s", load, x.chunk*bytes, x.reg(regB))
		}
		if r.wide {
			x.line("%s %d(DX), %s", load, 256+x.chunk*bytes, x.reg(regBH))
		}
		if r.sources > 2 {
			x.line("%s %d(CX), %s", load, x.chunk*bytes, x.reg(regC))
		}
		r.emit(x)
		if r.kind != float && r.kind != compare {
			x.line("%s %s, %d(DI)", load, x.reg(regD), x.chunk*bytes)
			if r.wide {
				x.line("%s %s, %d(DI)", load, x.reg(regDH), 256+x.chunk*bytes)
			}
		}
	}
	if r.kind == float {
		x.checkResults()
		for x.chunk = 0; x.chunk < x.chunks(); x.chunk++ {
			x.line("%s %s, %d(DI)", load, x.reg(regD), x.chunk*bytes)
		}
	}
}

// checkResults leaves before the results are stored when one is a NaN.
func (x *x86) checkResults() {
	switch {
	case x.used["sources"] && x.wide:
		x.line("KORTESTW K2, K2")
		x.line("JNE general")
	case x.used["sources"]:
		x.line("TESTL R9, R9")
		x.line("JNE general")
	case x.wide:
		x.line("VCMPPS $3, Z1, Z0, K1")
		x.line("VCMPPS $3, Z3, Z2, K2")
		x.line("KORTESTW K1, K2")
		x.line("JNE general")
	default:
		for i := 0; i < 8; i += 2 {
			x.line("VCMPPS $3, Y%d, Y%d, Y%d", i+1, i, 8+i/2)
		}
		x.line("VORPS Y8, Y9, Y8")
		x.line("VORPS Y10, Y11, Y10")
		x.line("VORPS Y8, Y10, Y8")
		x.line("VPTEST Y8, Y8")
		x.line("JNE general")
	}
}

func (x *x86) end() string {
	var s strings.Builder
	r := x.recipe
	line := func(format string, arguments ...any) { fmt.Fprintf(&s, "\t"+format+"\n", arguments...) }
	fmt.Fprintf(&s, "TEXT ·%s(SB), NOSPLIT, $0-48\n", x.name)
	if r.kind != compare {
		line("MOVQ d+0(FP), DI")
	}
	line("MOVQ a+8(FP), SI")
	if r.sources > 1 {
		line("MOVQ b+16(FP), DX")
	}
	if r.sources > 2 {
		line("MOVQ c+24(FP), CX")
	}
	if x.used["aux"] || x.used["bits"] {
		line("MOVQ aux+32(FP), BX")
	}
	control := r.kind == float && !x.used["sources"] || r.kind == compare && strings.Contains(r.name, "F32")
	if control {
		line("LDMXCSR aux+32(FP)")
	}
	if x.used["answer"] {
		line("XORL AX, AX")
	}
	if x.used["sources"] {
		if x.wide {
			line("KXORW K2, K2, K2")
		} else {
			line("XORL R9, R9")
		}
	}
	if x.used["bits"] {
		line("VMOVDQU ·laneBits(SB), Y6")
	}
	for _, value := range x.order {
		c := x.constants[value]
		switch {
		case value == 0 && x.wide:
			line("VPXORD %s, %s, %s", x.reg(c), x.reg(c), x.reg(c))
		case value == 0:
			line("VPXOR %s, %s, %s", x.reg(c), x.reg(c), x.reg(c))
		case x.wide:
			line("MOVL $0x%X, R8", value)
			line("VPBROADCASTD R8, %s", x.reg(c))
		default:
			line("MOVL $0x%X, R8", value)
			line("VMOVD R8, X%d", x.number(c))
			line("VPBROADCASTD X%d, %s", x.number(c), x.reg(c))
		}
	}
	if x.scalarA {
		line("VBROADCASTSS (SI), %s", x.reg(regA))
	}
	s.WriteString(x.body.String())
	if control {
		line("LDMXCSR ·defaultControl(SB)")
	}
	line("VZEROUPPER")
	if x.used["answer"] {
		line("MOVQ AX, ret+40(FP)")
	} else {
		line("MOVQ $0, ret+40(FP)")
	}
	line("RET")
	if r.kind == float {
		s.WriteString("general:\n")
		if control {
			line("LDMXCSR ·defaultControl(SB)")
		}
		line("VZEROUPPER")
		line("MOVQ $1, ret+40(FP)")
		line("RET")
	}
	return s.String()
}
