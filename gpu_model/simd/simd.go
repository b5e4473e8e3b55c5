package simd

import (
	"fmt"
	"os"
	"strings"
)

// Func computes 64 lanes. d, a, b and c point at 64 dwords each (wide operations: at two times 64, low dwords first); sources that the operation
// lacks are ignored, and d may be one of the sources. In the scalar form a points at one dword, the same for all lanes.
//
// What aux and the result mean depends on the operation: see the groups of Op.
type Func func(d, a, b, c *uint32, aux uint64) uint64

// Op is an operation on 64 lanes.
type Op uint8

// Integer operations ignore aux and return 0.
const (
	Move            Op = iota // d = a
	Not                       // d = ^a
	And                       // d = a & b
	Or                        // d = a | b
	Xor                       // d = a ^ b
	ShiftLeft                 // d = b << (a & 31)
	ShiftRight                // d = b >> (a & 31)
	ShiftArithmetic           // d = int32(b) >> (a & 31)
	MinI32
	MaxI32
	MinU32
	MaxU32
	MulLow        // low dword of a · b
	MulHigh       // high dword of the unsigned product
	MulU24        // low dword of the product of the low 24 bits
	MadU24        // the same plus c
	MulI24        // low dword of the product of the low 24 bits as signed numbers
	MadI24        // the same plus c
	FieldUnsigned // c & 31 bits of a from bit b & 31 on
	FieldInsert   // a & b | ^a & c
	ShiftLeft64   // b << (a & 63); b and d are pairs of dwords

	// Operations with carries take those that come in as bits of aux (the last two; the others ignore it) and return those that go out.

	AddU32
	SubU32 // a − b
	SubRevU32
	AddCarryU32
	SubBorrowU32

	// Select takes b where aux has the lane's bit, else a, and returns 0.

	Select

	// Float operations take what Control returns in aux. They return 0, or not 0 with d untouched when some lane needs the general
	// arithmetic (a NaN result; on arm64 a denormal one, too).

	AddF32
	SubF32 // a − b
	SubRevF32
	MulF32
	MadF32 // a · b + c, rounded twice
	FmaF32 // a · b + c, rounded once
	MinF32 // −0 is below +0
	MaxF32

	// Comparisons take what Control returns in aux and return a bit a lane. For f32 they are those of VOPC: u is unordered, n negates.

	CmpF32Lt
	CmpF32Eq
	CmpF32Le
	CmpF32Gt
	CmpF32Lg
	CmpF32Ge
	CmpF32O
	CmpF32U
	CmpF32Nge
	CmpF32Nlg
	CmpF32Ngt
	CmpF32Nle
	CmpF32Neq
	CmpF32Nlt
	CmpI32Lt
	CmpI32Eq
	CmpI32Le
	CmpI32Gt
	CmpI32Ne
	CmpI32Ge
	CmpU32Lt
	CmpU32Eq
	CmpU32Le
	CmpU32Gt
	CmpU32Ne
	CmpU32Ge

	operations
)

// Level is an instruction set that this host has.
type Level struct {
	Name  string // avx512, avx2, neon or go
	funcs *[operations][2]Func
	// memory holds what moves data between lanes and memory.
	memory Memory
}

// Vector returns the function of an operation with vector sources, nil when the level has none.
func (l *Level) Vector(op Op) Func {
	if l.funcs == nil {
		return nil
	}
	return l.funcs[op][0]
}

// Scalar returns the function of an operation whose source a is one dword for all lanes, nil when the level has none.
func (l *Level) Scalar(op Op) Func {
	if l.funcs == nil {
		return nil
	}
	return l.funcs[op][1]
}

// Memory returns the functions that move data between lanes and memory; some or all may be nil.
func (l *Level) Memory() Memory { return l.memory }

// Variable is the environment variable that chooses a level by name, for tests and for finding faults.
const Variable = "SPARTAN_SIMD"

// Plain is the level without vector instructions.
var Plain = &Level{Name: "go"}

// Levels returns the levels that this host can run, the fastest first; the last is Plain.
func Levels() []*Level { return append(hostLevels(), Plain) }

// Default returns the level to be used: the fastest, or the one that the environment asks for.
func Default() (*Level, error) {
	levels := Levels()
	want := os.Getenv(Variable)
	if want == "" {
		return levels[0], nil
	}
	names := make([]string, len(levels))
	for i, l := range levels {
		if l.Name == want {
			return l, nil
		}
		names[i] = l.Name
	}
	return nil, fmt.Errorf("%s=%q: this host has the levels %s", Variable, want, strings.Join(names, ", "))
}
