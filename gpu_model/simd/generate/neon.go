package main

import (
	"fmt"
	"strings"
)

// neon emits arm64 Advanced SIMD, 4 lanes a register. The Go assembler knows few of its vector instructions: the rest are words, encoded as
// in the Arm architecture reference manual, C4.1 "Advanced SIMD three same" and "two-register miscellaneous".
type neon struct {
	body      strings.Builder
	constants map[uint32]reg
	order     []uint32
	name      string
	recipe    *recipe
	scalarA   bool
	chunk     int
	used      map[string]bool
}

func newNEON() *neon { return &neon{constants: map[uint32]reg{}, used: map[string]bool{}} }

// Registers with a fixed job; results of float operations take 0 to 15, constants come from 31 down.
const (
	neonX0    = 22 // scratch of one machine operation
	neonX1    = 23
	neonCheck = 24 // not 0: a lane needs the general arithmetic
	neonKeep  = 25 // bits that flushing leaves of a denormal
	neonBits  = 26 // bit of every lane of the chunk
)

func (n *neon) number(r reg) int {
	switch r {
	case regD:
		if n.recipe.kind == float {
			return n.chunk
		}
		return 0
	case regDH:
		return 1
	case regA, regB, regC:
		return 16 + int(r-regA)
	case regBH:
		return 18
	case regT0, regT1, regT2:
		return 19 + int(r-regT0)
	}
	return int(r)
}

func (n *neon) line(format string, arguments ...any) {
	fmt.Fprintf(&n.body, "\t"+format+"\n", arguments...)
}

// three emits a three-register instruction on 4S (bitwise: 16B).
func (n *neon) three(mnemonic string, d, a, b reg) {
	rd, rn, rm := n.number(d), n.number(a), n.number(b)
	word := neonThree[mnemonic] | uint32(rm)<<16 | uint32(rn)<<5 | uint32(rd)
	n.line("WORD $0x%08X // %s V%d, V%d, V%d", word, mnemonic, rd, rn, rm)
}

func (n *neon) two(mnemonic string, d, a reg) {
	rd, rn := n.number(d), n.number(a)
	n.line("WORD $0x%08X // %s V%d, V%d", neonTwo[mnemonic]|uint32(rn)<<5|uint32(rd), mnemonic, rd, rn)
}

func same(u, size, opcode uint32) uint32 { return 0x4E200400 | u<<29 | size<<22 | opcode<<11 }

var neonThree = map[string]uint32{
	"add": same(0, 2, 0b10000), "sub": same(1, 2, 0b10000), "mul": same(0, 2, 0b10011),
	"smax": same(0, 2, 0b01100), "smin": same(0, 2, 0b01101), "umax": same(1, 2, 0b01100), "umin": same(1, 2, 0b01101),
	"sshl": same(0, 2, 0b01000), "ushl": same(1, 2, 0b01000),
	"cmgt": same(0, 2, 0b00110), "cmge": same(0, 2, 0b00111), "cmhi": same(1, 2, 0b00110), "cmhs": same(1, 2, 0b00111),
	"cmtst": same(0, 2, 0b10001), "cmeq": same(1, 2, 0b10001),
	"and": same(0, 0, 0b00011), "orr": same(0, 2, 0b00011), "eor": same(1, 0, 0b00011), "bsl": same(1, 1, 0b00011),
	"fadd": same(0, 0, 0b11010), "fsub": same(0, 2, 0b11010), "fmul": same(1, 0, 0b11011), "fmla": same(0, 0, 0b11001),
	"fcmeq": same(0, 0, 0b11100), "fcmge": same(1, 0, 0b11100), "fcmgt": same(1, 2, 0b11100),
	"umull": 0x2EA0C000, "umull2": 0x6EA0C000, "uzp2": 0x4E805800,
}

var neonTwo = map[string]uint32{"neg": 0x6EA0B800, "not": 0x6E205800, "addv": 0x4EB1B800, "umaxv": 0x6EB0A800}

var neonBinary = map[string]string{"add": "add", "sub": "sub", "and": "and", "or": "orr", "xor": "eor", "mul": "mul", "mins": "smin", "maxs": "smax",
	"minu": "umin", "maxu": "umax", "fadd": "fadd", "fsub": "fsub", "fmul": "fmul"}

func (n *neon) binary(op string, d, a, b reg) {
	switch op {
	case "shl":
		n.three("ushl", d, a, b)
	case "shr":
		n.two("neg", neonX0, b)
		n.three("ushl", d, a, neonX0)
	case "sar":
		n.two("neg", neonX0, b)
		n.three("sshl", d, a, neonX0)
	default:
		n.three(neonBinary[op], d, a, b)
	}
}

func (n *neon) shiftOut(op string, d, a, b reg) { n.binary(op, d, a, b) }

func (n *neon) fusedAdd(d, a, b, c reg) {
	n.move(d, c)
	n.three("fmla", d, a, b)
}

func (n *neon) mulHigh(d, a, b reg) {
	n.three("umull", neonX0, a, b)
	n.three("umull2", neonX1, a, b)
	n.three("uzp2", d, neonX0, neonX1)
}

func (n *neon) move(d, a reg) { n.three("orr", d, a, a) }

func (n *neon) constant(value uint32) reg {
	if r, ok := n.constants[value]; ok {
		return r
	}
	r := reg(31 - len(n.constants))
	if r <= neonBits {
		panic("generate: " + n.name + " has more constants than NEON registers are kept for")
	}
	n.constants[value] = r
	n.order = append(n.order, value)
	return r
}

func (n *neon) where(relation, kind string, d, a, b reg) {
	invert := false
	greater, atLeast, equal := "cmgt", "cmge", "cmeq"
	switch kind {
	case "u32":
		greater, atLeast = "cmhi", "cmhs"
	case "f32":
		greater, atLeast, equal = "fcmgt", "fcmge", "fcmeq"
		if relation[0] == 'n' { // not greater, …: true for unordered lanes
			relation, invert = relation[1:], true
		}
	}
	switch relation {
	case "lt":
		n.three(greater, d, b, a)
	case "gt":
		n.three(greater, d, a, b)
	case "le":
		n.three(atLeast, d, b, a)
	case "ge":
		n.three(atLeast, d, a, b)
	case "eq":
		n.three(equal, d, a, b)
	case "ne":
		n.three(equal, d, a, b)
		invert = !invert
	case "lg":
		n.three(greater, neonX0, a, b)
		n.three(greater, neonX1, b, a)
		n.three("orr", d, neonX0, neonX1)
	case "o", "u":
		n.three(atLeast, neonX0, a, b)
		n.three(greater, neonX1, b, a)
		n.three("orr", d, neonX0, neonX1)
		invert = relation == "u"
	default:
		panic("generate: unknown relation " + relation)
	}
	if invert {
		n.two("not", d, d)
	}
}

func (n *neon) answer(relation, kind string, a, b reg) {
	n.where(relation, kind, neonX0, a, b)
	n.answerMask(neonX0)
}

func (n *neon) answerMask(m reg) {
	n.used["answer"], n.used["bits"] = true, true
	n.three("and", neonX0, m, neonBits)
	n.two("addv", neonX0, neonX0)
	n.line("VMOV V%d.S[0], R6", neonX0)
	n.line("LSR $4, R5, R5") // the first chunk's bits come down to the lowest
	n.line("ORR R6<<60, R5, R5")
}

func (n *neon) laneMask(d reg) {
	n.used["aux"], n.used["bits"] = true, true
	n.line("VDUP R4, V%d.S4", neonX0)
	n.line("LSR $4, R4, R4")
	n.three("cmtst", d, neonX0, neonBits)
}

func (n *neon) blend(d, a, b reg) {
	n.laneMask(regT0)
	n.three("bsl", regT0, b, a)
	n.move(d, regT0)
}

func (n *neon) flush(r reg) {
	n.used["flush"] = true
	n.three("cmtst", neonX0, r, n.constant(0x7F800000))
	n.three("orr", neonX0, neonX0, neonKeep)
	n.three("and", r, r, neonX0)
}

// check notes results that are NaN, denormal or the least normal number: NEON's default NaN and its finding of tiny results (before
// rounding) are not the GPU's.
func (n *neon) check(r reg) {
	n.used["check"] = true
	one, tiny, nan := n.constant(1), n.constant(0x01000000), n.constant(0xFF000000)
	n.three("add", neonX0, r, r)
	n.three("sub", neonX1, neonX0, one)
	n.three("cmhi", neonX1, tiny, neonX1)
	n.three("orr", neonCheck, neonCheck, neonX1)
	n.three("cmhi", neonX0, neonX0, nan)
	n.three("orr", neonCheck, neonCheck, neonX0)
}

func (n *neon) checkSources(a, b reg) {
	n.used["check"] = true
	nan := n.constant(0xFF000000)
	for _, r := range []reg{a, b} {
		n.three("add", neonX0, r, r)
		n.three("cmhi", neonX0, neonX0, nan)
		n.three("orr", neonCheck, neonCheck, neonX0)
	}
}

func (n *neon) begin(name string, r *recipe, scalarA bool) {
	n.name, n.recipe, n.scalarA = name, r, scalarA
	load := func(pointer string, to reg) { n.line("VLD1.P 16(%s), [V%d.S4]", pointer, n.number(to)) }
	chunks := 16 // float results wait in registers for the check
	if r.kind != float {
		chunks = 1
		n.line("MOVD $16, R9")
		fmt.Fprint(&n.body, "loop:\n")
	}
	for n.chunk = 0; n.chunk < chunks; n.chunk++ {
		if !scalarA {
			load("R1", regA)
		}
		if r.sources > 1 {
			load("R2", regB)
		}
		if r.wide {
			load("R7", regBH)
		}
		if r.sources > 2 {
			load("R3", regC)
		}
		r.emit(n)
	}
	if r.kind != float {
		if r.kind != compare {
			n.line("VST1.P [V%d.S4], 16(R0)", n.number(regD))
		}
		if r.wide {
			n.line("VST1.P [V%d.S4], 16(R8)", n.number(regDH))
		}
		n.line("SUBS $1, R9, R9")
		n.line("BNE loop")
		return
	}
	n.two("umaxv", neonX0, neonCheck)
	n.line("VMOV V%d.S[0], R6", neonX0)
	n.line("CBNZ R6, general")
	for i := range 4 {
		n.line("VST1.P [V%d.S4, V%d.S4, V%d.S4, V%d.S4], 64(R0)", 4*i, 4*i+1, 4*i+2, 4*i+3)
	}
}

func (n *neon) end() string {
	var s strings.Builder
	r := n.recipe
	line := func(format string, arguments ...any) { fmt.Fprintf(&s, "\t"+format+"\n", arguments...) }
	fmt.Fprintf(&s, "TEXT ·%s(SB), NOSPLIT, $0-48\n", n.name)
	if r.kind != compare {
		line("MOVD d+0(FP), R0")
	}
	line("MOVD a+8(FP), R1")
	if r.sources > 1 {
		line("MOVD b+16(FP), R2")
	}
	if r.sources > 2 {
		line("MOVD c+24(FP), R3")
	}
	if r.wide {
		line("ADD $256, R2, R7")
		line("ADD $256, R0, R8")
	}
	if n.used["aux"] || n.used["flush"] {
		line("MOVD aux+32(FP), R4")
	}
	if n.used["flush"] {
		line("VDUP R4, V%d.S4", neonKeep)
	}
	if n.used["answer"] {
		line("MOVD $0, R5")
	}
	if n.used["check"] {
		line("VEOR V%d.B16, V%d.B16, V%d.B16", neonCheck, neonCheck, neonCheck)
	}
	if n.used["bits"] {
		line("MOVD $·laneBits(SB), R6")
		line("VLD1 (R6), [V%d.S4]", neonBits)
	}
	for _, value := range n.order {
		line("MOVD $0x%X, R6", value)
		line("VDUP R6, V%d.S4", n.constants[value])
	}
	if n.scalarA {
		line("MOVWU (R1), R6")
		line("VDUP R6, V%d.S4", n.number(regA))
	}
	s.WriteString(n.body.String())
	if n.used["answer"] {
		line("MOVD R5, ret+40(FP)")
	} else {
		line("MOVD ZR, ret+40(FP)")
	}
	line("RET")
	if r.kind == float {
		s.WriteString("general:\n")
		line("MOVD $1, R6")
		line("MOVD R6, ret+40(FP)")
		line("RET")
	}
	return s.String()
}
