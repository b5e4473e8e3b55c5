package emu

import (
	"math"
	"strings"
)

// atomicOp is a read-modify-write operation on 32 or 64 bits: data are the lane's data operands in register order (for
// a compare-and-swap each atomicOp knows which is which).
type atomicOp struct {
	bits     uint8
	operands uint8 // data operands
	apply    func(old, data, data1 uint64) uint64
	// commutes tells that the final memory does not depend on the order in which lanes and wavefronts come.
	commutes bool
}

// atomicFor returns the operation that an instruction's name ends in: "add", "smin", "cmpswap" …, for the given width.
func atomicFor(name string, bits uint8) *atomicOp {
	var table map[string]atomicOp
	if bits == 64 {
		table = atomics64
	} else {
		table = atomics32
	}
	a, ok := table[name]
	if !ok {
		return nil
	}
	a.bits = bits
	if a.operands == 0 {
		a.operands = 1
	}
	return &a
}

// integer lifts the operations that are the same for both widths.
type unsigned interface{ ~uint32 | ~uint64 }

func lift[T unsigned](f func(old, data T) T) func(old, data, _ uint64) uint64 {
	return func(old, data, _ uint64) uint64 { return uint64(f(T(old), T(data))) }
}

// commonAtomics returns the operations on T; S is T's signed type (source: GCN3 ISA manual, DS and buffer atomics).
func commonAtomics[T unsigned, S int32 | int64]() map[string]atomicOp {
	return map[string]atomicOp{
		"swap": {apply: lift(func(_, data T) T { return data })},
		// cmpswap has the new value first and the value to compare with second.
		"cmpswap": {operands: 2, apply: func(old, data, data1 uint64) uint64 {
			if T(old) == T(data1) {
				return data
			}
			return old
		}},
		"add":  {apply: lift(func(old, data T) T { return old + data }), commutes: true},
		"sub":  {apply: lift(func(old, data T) T { return old - data }), commutes: true},
		"rsub": {apply: lift(func(old, data T) T { return data - old })},
		"smin": {apply: lift(func(old, data T) T { return T(min(S(old), S(data))) }), commutes: true},
		"umin": {apply: lift(func(old, data T) T { return min(old, data) }), commutes: true},
		"smax": {apply: lift(func(old, data T) T { return T(max(S(old), S(data))) }), commutes: true},
		"umax": {apply: lift(func(old, data T) T { return max(old, data) }), commutes: true},
		"and":  {apply: lift(func(old, data T) T { return old & data }), commutes: true},
		"or":   {apply: lift(func(old, data T) T { return old | data }), commutes: true},
		"xor":  {apply: lift(func(old, data T) T { return old ^ data }), commutes: true},
		"inc": {apply: lift(func(old, data T) T {
			if old >= data {
				return 0
			}
			return old + 1
		})},
		"dec": {apply: lift(func(old, data T) T {
			if old == 0 || old > data {
				return data
			}
			return old - 1
		})},
		// DS forms. mskor clears the bits of the first operand and sets those of the second.
		"mskor": {operands: 2, apply: func(old, data, data1 uint64) uint64 { return uint64(T(old)&^T(data) | T(data1)) }},
		// cmpst has the value to compare with first and the new value second.
		"cmpst": {operands: 2, apply: func(old, data, data1 uint64) uint64 {
			if T(old) == T(data) {
				return data1
			}
			return old
		}},
	}
}

var atomics32, atomics64 = floatAtomics32(commonAtomics[uint32, int32]()), floatAtomics64(commonAtomics[uint64, int64]())

func floatAtomics32(table map[string]atomicOp) map[string]atomicOp {
	f := func(x uint64) float32 { return math.Float32frombits(uint32(x)) }
	table["fmin"] = atomicOp{apply: func(old, data, _ uint64) uint64 {
		if f(data) < f(old) {
			return data
		}
		return old
	}}
	table["fmax"] = atomicOp{apply: func(old, data, _ uint64) uint64 {
		if f(data) > f(old) {
			return data
		}
		return old
	}}
	table["fadd"] = atomicOp{apply: func(old, data, _ uint64) uint64 { return uint64(math.Float32bits(f(old) + f(data))) }}
	table["fcmpst"] = atomicOp{operands: 2, apply: func(old, data, data1 uint64) uint64 {
		if f(old) == f(data) {
			return data1
		}
		return old
	}}
	table["wrap"] = atomicOp{operands: 2, apply: func(old, data, data1 uint64) uint64 {
		if uint32(old) >= uint32(data) {
			return uint64(uint32(old) - uint32(data))
		}
		return uint64(uint32(old) + uint32(data1))
	}}
	return table
}

func floatAtomics64(table map[string]atomicOp) map[string]atomicOp {
	f := math.Float64frombits
	table["fmin"] = atomicOp{apply: func(old, data, _ uint64) uint64 {
		if f(data) < f(old) {
			return data
		}
		return old
	}}
	table["fmax"] = atomicOp{apply: func(old, data, _ uint64) uint64 {
		if f(data) > f(old) {
			return data
		}
		return old
	}}
	table["fcmpst"] = atomicOp{operands: 2, apply: func(old, data, data1 uint64) uint64 {
		if f(old) == f(data) {
			return data1
		}
		return old
	}}
	// condxchg32: each half is exchanged when the top bit of its data is set; that bit is not stored.
	table["condxchg32"] = atomicOp{apply: func(old, data, _ uint64) uint64 {
		const top = 1 << 31
		result := old
		if data&top != 0 {
			result = result&^0xffffffff | data&(top-1)
		}
		if data>>32&top != 0 {
			result = result&0xffffffff | (data>>32&(top-1))<<32
		}
		return result
	}}
	return table
}

// bindAtomic resolves "…_atomic_NAME[_x2]" of FLAT and MUBUF.
func (m *memOp) bindAtomic(name string) bool {
	name, x2 := strings.CutSuffix(name, "_x2")
	bits := uint8(32)
	if x2 {
		bits = 64
	}
	if m.atomic = atomicFor(name, bits); m.atomic == nil {
		return false
	}
	m.kind = AccessAtomic
	if m.glc {
		m.kind = AccessAtomicReturn
	}
	m.bytes, m.dwords = bits/8, bits/32
	return true
}
