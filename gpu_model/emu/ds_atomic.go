package emu

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
)

// localAtomicNames gives atomics.go's names to the operations of DS names such as min_rtn_i32.
var localAtomicNames = map[string]string{
	"add_u": "add", "sub_u": "sub", "rsub_u": "rsub", "inc_u": "inc", "dec_u": "dec",
	"min_i": "smin", "max_i": "smax", "min_u": "umin", "max_u": "umax", "and_b": "and", "or_b": "or", "xor_b": "xor",
	"mskor_b": "mskor", "cmpst_b": "cmpst", "cmpst_f": "fcmpst", "min_f": "fmin", "max_f": "fmax", "add_f": "fadd",
	"wrxchg_b": "swap", "wrxchg2_b": "swap", "wrxchg2st64_b": "swap", "wrap_b": "wrap", "condxchg32_b": "condxchg32",
	"write_b": "swap",
}

// localAtomic finds the operation of "min_i32" or, with _rtn_ or _src2_ taken out, the like.
func localAtomic(name string) *atomicOp {
	width := uint8(32)
	stem, ok := strings.CutSuffix(name, "32")
	if !ok {
		if stem, ok = strings.CutSuffix(name, "64"); !ok {
			return nil
		}
		width = 64
	}
	return atomicFor(localAtomicNames[stem], width)
}

func bindLocalAtomic(op *Op, m *memOp, name string) (err error) {
	plain := strings.Replace(name, "_rtn", "", 1)
	if m.atomic = localAtomic(plain); m.atomic == nil {
		return fmt.Errorf("ds_%s is not an instruction of this machine", name)
	}
	m.bytes, m.dwords = m.atomic.bits/8, m.atomic.bits/32
	m.kind = AccessAtomic
	results := int(m.dwords)
	pair := strings.HasPrefix(name, "wrxchg2")
	if pair {
		m.pairOffsets(op, strings.SplitN(name, "_", 2)[0])
		results *= 2
	}
	if plain != name {
		m.kind = AccessAtomicReturn
		if m.dst, err = m.vector("vdst", op.Inst.Dst, results); err != nil {
			return err
		}
	}
	if m.data, err = m.vector("data0", op.Inst.Mem.Data, int(m.dwords)); err != nil {
		return err
	}
	if m.atomic.operands == 2 || pair {
		if m.data1, err = m.vector("data1", op.Inst.Mem.Data1, int(m.dwords)); err != nil {
			return err
		}
	}
	op.Execute = atomicLDS
	if pair {
		op.Execute = exchangeLDS2
	}
	return nil
}

// operand returns 32 or 64 bits of a lane from register r on.
func (m *memOp) operand(w *Wavefront, r, lane int) uint64 {
	x := uint64(w.V[r*64+lane])
	if m.bytes == 8 {
		x |= uint64(w.V[(r+1)*64+lane]) << 32
	}
	return x
}

func (m *memOp) setResult(w *Wavefront, r, lane int, x uint64) {
	w.V[r*64+lane] = uint32(x)
	if m.bytes == 8 {
		w.V[(r+1)*64+lane] = uint32(x >> 32)
	}
}

func (m *memOp) get(b []byte) uint64 {
	if m.bytes == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return uint64(binary.LittleEndian.Uint32(b))
}

func (m *memOp) put(b []byte, x uint64) {
	if m.bytes == 8 {
		binary.LittleEndian.PutUint64(b, x)
		return
	}
	binary.LittleEndian.PutUint32(b, uint32(x))
}

// atomicLDS is every LDS atomic at one address a lane, lanes in ascending order.
func atomicLDS(w *Wavefront, op *Op) {
	w.PC = op.Next
	m := op.mem
	address := w.Lanes(m.address)
	for exec := w.Exec(); exec != 0; exec &= exec - 1 {
		lane := bits.TrailingZeros64(exec)
		b := w.localBytes(op, lane, address[lane]+m.offset, int(m.bytes))
		if b == nil {
			return
		}
		var second uint64
		if m.atomic.operands == 2 {
			second = m.operand(w, m.data1, lane)
		}
		old := m.get(b)
		m.put(b, m.atomic.apply(old, m.operand(w, m.data, lane), second))
		if m.kind == AccessAtomicReturn {
			m.setResult(w, m.dst, lane, old)
		}
	}
}

// exchangeLDS2 is ds_wrxchg2_rtn_* and ds_wrxchg2st64_rtn_*.
func exchangeLDS2(w *Wavefront, op *Op) {
	w.PC = op.Next
	m, n := op.mem, int(op.mem.bytes)
	address := w.Lanes(m.address)
	for exec := w.Exec(); exec != 0; exec &= exec - 1 {
		lane := bits.TrailingZeros64(exec)
		b0 := w.localBytes(op, lane, address[lane]+m.offset, n)
		if b0 == nil {
			return
		}
		b1 := w.localBytes(op, lane, address[lane]+m.offset1, n)
		if b1 == nil {
			return
		}
		d0, d1 := m.operand(w, m.data, lane), m.operand(w, m.data1, lane)
		old0 := m.get(b0)
		m.put(b0, d0)
		old1 := m.get(b1)
		m.put(b1, d1)
		m.setResult(w, m.dst, lane, old0)
		m.setResult(w, m.dst+int(m.dwords), lane, old1)
	}
}

// bindSrc2 resolves ds_*_src2_*: the second operand lies in the LDS as well.
func bindSrc2(op *Op, m *memOp, name string) error {
	if m.atomic = localAtomic(strings.Replace(name, "_src2", "", 1)); m.atomic == nil {
		return fmt.Errorf("ds_%s is not an instruction of this machine", name)
	}
	m.bytes = m.atomic.bits / 8
	op.Execute = src2LDS
	return nil
}

// src2LDS combines the value at B into the one at A. With bit 15 of the offset set, A is the low 17 bits of the address and the distance to B
// its upper 15 bits, in dwords; else A is the address and the distance the offset's low 15 bits, sign-extended.
func src2LDS(w *Wavefront, op *Op) {
	w.PC = op.Next
	m, n := op.mem, int(op.mem.bytes)
	address := w.Lanes(m.address)
	for exec := w.Exec(); exec != 0; exec &= exec - 1 {
		lane := bits.TrailingZeros64(exec)
		a := address[lane]
		distance := int32(m.offset<<17) >> 17
		if m.offset&0x8000 != 0 {
			distance = int32(a) >> 17
			a &= 0x1ffff
		}
		b := w.localBytes(op, lane, a, n)
		if b == nil {
			return
		}
		source := w.localBytes(op, lane, a+uint32(distance)*4, n)
		if source == nil {
			return
		}
		m.put(b, m.atomic.apply(m.get(b), m.get(source), 0))
	}
}
