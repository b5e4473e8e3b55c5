package main

import "fmt"

// reg is a vector register of a machine.
type reg int

// The roles of registers in a recipe. Result registers differ from chunk to chunk.
const (
	regA reg = 100 + iota // sources
	regB
	regC
	regBH // high dwords of a 64-bit source b
	regT0 // scratch
	regT1
	regT2
	regD  // result
	regDH // high dwords of a 64-bit result
)

// kind says what a function does besides writing d.
type kind int

const (
	integer kind = iota // returns 0
	float               // aux: Control word; returns 0, or not 0 with d untouched when the lanes need the general arithmetic
	compare             // aux: Control word; returns a bit a lane
	carry               // aux: carries in; returns carries out
	choose              // aux: a bit a lane
)

// machine emits the code of one chunk of lanes, as many as a vector register holds.
type machine interface {
	// binary computes d = a op b; op is add, sub, and, or, xor, shl, shr, sar (by b, counts below 32), mul, mins, maxs, minu, maxu, and
	// on floats fadd, fsub, fmul.
	binary(op string, d, a, b reg)
	// shiftOut computes d = a shl or shr b where counts of 32 and more, as unsigned numbers, give 0.
	shiftOut(op string, d, a, b reg)
	// fusedAdd computes d = a·b + c with one rounding.
	fusedAdd(d, a, b, c reg)
	// mulHigh computes the high dword of the unsigned product.
	mulHigh(d, a, b reg)
	// move copies a register.
	move(d, a reg)
	// constant returns a register that holds value in every lane.
	constant(value uint32) reg
	// where sets d to all ones in the lanes in which a relation (lt, eq, … of type i32 or u32) holds, else to 0.
	where(relation, kind string, d, a, b reg)
	// answer adds the lanes in which a relation holds to the returned mask; f32 knows the fourteen relations of VOPC.
	answer(relation, kind string, a, b reg)
	// answerMask adds the lanes of a vector mask to the returned mask.
	answerMask(m reg)
	// laneMask sets d to all ones in the lanes that aux selects, else to 0.
	laneMask(d reg)
	// blend computes d = b where aux selects the lane, else a.
	blend(d, a, b reg)
	// flush turns denormal sources into zeros where the machine's control register does not.
	flush(r reg)
	// check notes a float result that needs the general arithmetic.
	check(r reg)
	// checkSources notes NaNs among sources.
	checkSources(a, b reg)

	// function brackets one function.
	begin(name string, r *recipe, scalarA bool)
	end() string
}

// recipe is one operation.
type recipe struct {
	name       string
	doc        string
	kind       kind
	sources    int  // 1 to 3, a first
	wide       bool // b and d are pairs of dwords
	vectorOnly bool // no form with a scalar a
	emit       func(m machine)
}

func simple(name, doc, op string) recipe {
	return recipe{name: name, doc: doc, sources: 2, emit: func(m machine) { m.binary(op, regD, regA, regB) }}
}

func reversedShift(name, doc, op string) recipe {
	return recipe{name: name, doc: doc, sources: 2, emit: func(m machine) {
		m.binary("and", regT0, regA, m.constant(31))
		m.binary(op, regD, regB, regT0)
	}}
}

func floating(name, doc, op string, reversed bool) recipe {
	return recipe{name: name, doc: doc, kind: float, sources: 2, emit: func(m machine) {
		m.flush(regA)
		m.flush(regB)
		if reversed {
			m.binary(op, regD, regB, regA)
		} else {
			m.binary(op, regD, regA, regB)
		}
		m.check(regD)
	}}
}

// ordered maps f32 to integers of the same order and back, -0 below +0.
func ordered(m machine, d, a reg) {
	m.binary("sar", regT2, a, m.constant(31))
	m.binary("shr", regT2, regT2, m.constant(1))
	m.binary("xor", d, a, regT2)
}

func extreme(name, doc, op string) recipe {
	return recipe{name: name, doc: doc, kind: float, sources: 2, emit: func(m machine) {
		m.checkSources(regA, regB)
		ordered(m, regT0, regA)
		ordered(m, regT1, regB)
		m.binary(op, regT0, regT0, regT1)
		ordered(m, regD, regT0)
	}}
}

// recipes lists the operations; their order is the order of the constants in simd.go.
var recipes = func() []recipe {
	list := []recipe{
		{name: "Move", doc: "d = a", sources: 1, emit: func(m machine) { m.move(regD, regA) }},
		{name: "Not", doc: "d = ^a", sources: 1, emit: func(m machine) { m.binary("xor", regD, regA, m.constant(^uint32(0))) }},
		simple("And", "d = a & b", "and"),
		simple("Or", "d = a | b", "or"),
		simple("Xor", "d = a ^ b", "xor"),
		reversedShift("ShiftLeft", "d = b << (a & 31)", "shl"),
		reversedShift("ShiftRight", "d = b >> (a & 31)", "shr"),
		reversedShift("ShiftArithmetic", "d = int32(b) >> (a & 31)", "sar"),
		simple("MinI32", "d = min(int32(a), int32(b))", "mins"),
		simple("MaxI32", "d = max(int32(a), int32(b))", "maxs"),
		simple("MinU32", "d = min(a, b)", "minu"),
		simple("MaxU32", "d = max(a, b)", "maxu"),
		simple("MulLow", "d = a * b", "mul"),
		{name: "MulHigh", doc: "d = a * b >> 32, unsigned", sources: 2, emit: func(m machine) { m.mulHigh(regD, regA, regB) }},
		{name: "MulU24", doc: "d = low dword of the product of the low 24 bits", sources: 2, emit: func(m machine) {
			mask := m.constant(0xFFFFFF)
			m.binary("and", regT0, regA, mask)
			m.binary("and", regT1, regB, mask)
			m.binary("mul", regD, regT0, regT1)
		}},
		{name: "MadU24", doc: "MulU24 plus c", sources: 3, emit: func(m machine) {
			mask := m.constant(0xFFFFFF)
			m.binary("and", regT0, regA, mask)
			m.binary("and", regT1, regB, mask)
			m.binary("mul", regT0, regT0, regT1)
			m.binary("add", regD, regT0, regC)
		}},
		{name: "MulI24", doc: "d = low dword of the signed product of the low 24 bits", sources: 2, emit: func(m machine) {
			signed24(m, regT0, regA)
			signed24(m, regT1, regB)
			m.binary("mul", regD, regT0, regT1)
		}},
		{name: "MadI24", doc: "MulI24 plus c", sources: 3, emit: func(m machine) {
			signed24(m, regT0, regA)
			signed24(m, regT1, regB)
			m.binary("mul", regT0, regT0, regT1)
			m.binary("add", regD, regT0, regC)
		}},
		{name: "FieldUnsigned", doc: "d = c & 31 bits of a from bit b & 31 on", sources: 3, emit: func(m machine) {
			m.binary("and", regT0, regB, m.constant(31))
			m.binary("shr", regT0, regA, regT0)
			m.binary("and", regT1, regC, m.constant(31))
			m.binary("shl", regT1, m.constant(1), regT1)
			m.binary("sub", regT1, regT1, m.constant(1))
			m.binary("and", regD, regT0, regT1)
		}},
		{name: "FieldInsert", doc: "d = a & b | ^a & c", sources: 3, emit: func(m machine) {
			m.binary("xor", regT0, regB, regC)
			m.binary("and", regT0, regT0, regA)
			m.binary("xor", regD, regT0, regC)
		}},
		{name: "ShiftLeft64", doc: "d = b << (a & 63) on pairs of dwords", sources: 2, wide: true, emit: func(m machine) {
			m.binary("and", regT0, regA, m.constant(63))
			m.binary("sub", regT1, m.constant(32), regT0)
			m.shiftOut("shl", regDH, regBH, regT0)
			m.shiftOut("shr", regT2, regB, regT1)
			m.binary("or", regDH, regDH, regT2)
			m.binary("sub", regT1, regT0, m.constant(32))
			m.shiftOut("shl", regT2, regB, regT1)
			m.binary("or", regDH, regDH, regT2)
			m.shiftOut("shl", regD, regB, regT0)
		}},
		{name: "AddU32", doc: "d = a + b with carries out", kind: carry, sources: 2, emit: func(m machine) {
			m.binary("add", regD, regA, regB)
			m.answer("lt", "u32", regD, regA)
		}},
		{name: "SubU32", doc: "d = a - b with borrows out", kind: carry, sources: 2, emit: func(m machine) {
			m.binary("sub", regD, regA, regB)
			m.answer("lt", "u32", regA, regB)
		}},
		{name: "SubRevU32", doc: "d = b - a with borrows out", kind: carry, sources: 2, emit: func(m machine) {
			m.binary("sub", regD, regB, regA)
			m.answer("lt", "u32", regB, regA)
		}},
		{name: "AddCarryU32", doc: "d = a + b + carry with carries in and out", kind: carry, sources: 2, emit: func(m machine) {
			m.laneMask(regT1)
			m.binary("add", regT0, regA, regB)
			m.binary("sub", regD, regT0, regT1)
			m.where("lt", "u32", regT0, regT0, regA)
			m.where("eq", "u32", regT2, regD, m.constant(0))
			m.binary("and", regT2, regT2, regT1)
			m.binary("or", regT0, regT0, regT2)
			m.answerMask(regT0)
		}},
		{name: "SubBorrowU32", doc: "d = a - b - borrow with borrows in and out", kind: carry, sources: 2, emit: func(m machine) {
			m.laneMask(regT1)
			m.binary("sub", regT0, regA, regB)
			m.binary("add", regD, regT0, regT1)
			m.where("lt", "u32", regT0, regA, regB)
			m.where("eq", "u32", regT2, regD, m.constant(^uint32(0)))
			m.binary("and", regT2, regT2, regT1)
			m.binary("or", regT0, regT0, regT2)
			m.answerMask(regT0)
		}},
		{name: "Select", doc: "d = b where aux has the lane's bit, else a", kind: choose, sources: 2, emit: func(m machine) { m.blend(regD, regA, regB) }},
		floating("AddF32", "d = a + b", "fadd", false),
		floating("SubF32", "d = a - b", "fsub", false),
		floating("SubRevF32", "d = b - a", "fsub", true),
		floating("MulF32", "d = a * b", "fmul", false),
		{name: "MadF32", doc: "d = a * b + c, rounded twice", kind: float, sources: 3, emit: func(m machine) {
			m.flush(regA)
			m.flush(regB)
			m.flush(regC)
			m.binary("fmul", regT0, regA, regB)
			m.check(regT0)
			m.binary("fadd", regD, regT0, regC)
			m.check(regD)
		}},
		{name: "FmaF32", doc: "d = a * b + c, rounded once", kind: float, sources: 3, emit: func(m machine) {
			m.flush(regA)
			m.flush(regB)
			m.flush(regC)
			m.fusedAdd(regD, regA, regB, regC)
			m.check(regD)
		}},
		extreme("MinF32", "d = min(a, b), -0 below +0", "mins"),
		extreme("MaxF32", "d = max(a, b), -0 below +0", "maxs"),
	}
	for _, relation := range []string{"lt", "eq", "le", "gt", "lg", "ge", "o", "u", "nge", "nlg", "ngt", "nle", "neq", "nlt"} {
		list = append(list, recipe{name: "CmpF32" + upper(relation), doc: "f32 comparison " + relation, kind: compare, sources: 2,
			emit: func(m machine) {
				m.flush(regA)
				m.flush(regB)
				m.answer(relation, "f32", regA, regB)
			}})
	}
	for _, kind := range []string{"i32", "u32"} {
		for _, relation := range []string{"lt", "eq", "le", "gt", "ne", "ge"} {
			list = append(list, recipe{name: fmt.Sprintf("Cmp%s%s", upper(kind), upper(relation)), doc: kind + " comparison " + relation,
				kind: compare, sources: 2, emit: func(m machine) { m.answer(relation, kind, regA, regB) }})
		}
	}
	return list
}()

func signed24(m machine, d, a reg) {
	m.binary("shl", d, a, m.constant(8))
	m.binary("sar", d, d, m.constant(8))
}

func upper(s string) string { return string(s[0]-'a'+'A') + s[1:] }

// assembly writes all functions for one instruction set.
func assembly(make func() machine, set, arch string) string {
	s := header + "#include \"textflag.h\"\n"
	for i := range recipes {
		r := &recipes[i]
		for _, scalarA := range []bool{false, true} {
			if scalarA && r.vectorOnly {
				continue
			}
			name := set + r.name
			if scalarA {
				name += "Scalar"
			}
			m := make()
			m.begin(name, r, scalarA)
			s += fmt.Sprintf("\n// %s: %s\n", name, r.doc) + m.end()
		}
	}
	return s
}
