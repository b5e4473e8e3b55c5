package emu

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// The LDS instructions that kernels spend their time in, for wavefronts with all lanes active: one check and one load a lane. Everything
// else, faults included, goes through the general forms in ds.go.

// localMemory is the LDS seen by one instruction: elements of 1<<shift bytes.
type localMemory struct {
	base  unsafe.Pointer
	limit uint32 // number of whole elements
	shift int
}

func (w *Wavefront) localMemory(shift int) localMemory {
	lds := w.Group.LDS
	return localMemory{unsafe.Pointer(unsafe.SliceData(lds)), uint32(len(lds) >> shift), shift}
}

// element returns the number of the element at a byte address, or one beyond the limit when the address is not aligned: rotated, the low
// bits become high ones, so that one comparison checks alignment and range.
func (m *localMemory) element(at uint32) uint32 { return bits.RotateLeft32(at, -m.shift) }

func (m *localMemory) word(element uint32) *[4]byte {
	return (*[4]byte)(unsafe.Add(m.base, uintptr(element)<<2))
}

func (m *localMemory) double(element uint32) *[8]byte {
	return (*[8]byte)(unsafe.Add(m.base, uintptr(element)<<3))
}

func (m *localMemory) quad(element uint32) *[16]byte {
	return (*[16]byte)(unsafe.Add(m.base, uintptr(element)<<4))
}

// failPair faults the lane whose pair of elements at address has one out of range or not aligned.
func (w *Wavefront) failPair(op *Op, lane int, address uint32, n int) {
	if w.localBytes(op, lane, address+op.mem.offset, n) != nil {
		w.localBytes(op, lane, address+op.mem.offset1, n)
	}
}

const allLanes = ^uint64(0)

// fastRead32 is ds_read_b32.
func fastRead32(w *Wavefront, op *Op) {
	m, offset := w.localMemory(2), op.mem.offset
	address, d := w.Lanes(op.mem.address), w.Lanes(op.mem.dst)
	if w.Exec() != allLanes {
		readLocal(w, op)
		return
	}
	w.PC = op.Next
	for lane, a := range address {
		e := m.element(a + offset)
		if e >= m.limit {
			w.failLocal(op, lane, address[lane]+offset, 4)
			return
		}
		d[lane] = binary.LittleEndian.Uint32(m.word(e)[:])
	}
}

// fastRead64 is ds_read_b64.
func fastRead64(w *Wavefront, op *Op) {
	m, offset := w.localMemory(3), op.mem.offset
	address, d0, d1 := w.Lanes(op.mem.address), w.Lanes(op.mem.dst), w.Lanes(op.mem.dst+1)
	if w.Exec() != allLanes {
		readLocal(w, op)
		return
	}
	w.PC = op.Next
	for lane := range address {
		e := m.element(address[lane] + offset)
		if e >= m.limit {
			w.failLocal(op, lane, address[lane]+offset, 8)
			return
		}
		x := binary.LittleEndian.Uint64(m.double(e)[:])
		d0[lane], d1[lane] = uint32(x), uint32(x>>32)
	}
}

// fastRead128 is ds_read_b128.
func fastRead128(w *Wavefront, op *Op) {
	m, offset := w.localMemory(4), op.mem.offset
	address, d := w.Lanes(op.mem.address), (*[256]uint32)(w.V[op.mem.dst*64:])
	if w.Exec() != allLanes {
		readLocal(w, op)
		return
	}
	w.PC = op.Next
	for lane := range address {
		e := m.element(address[lane] + offset)
		if e >= m.limit {
			w.failLocal(op, lane, address[lane]+offset, 16)
			return
		}
		b := m.quad(e)
		x, y := binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])
		d[lane], d[lane+64], d[lane+128], d[lane+192] = uint32(x), uint32(x>>32), uint32(y), uint32(y>>32)
	}
}

// fastReadPair32 is ds_read2_b32 and ds_read2st64_b32.
func fastReadPair32(w *Wavefront, op *Op) {
	m, offset0, offset1 := w.localMemory(2), op.mem.offset, op.mem.offset1
	address, d0, d1 := w.Lanes(op.mem.address), w.Lanes(op.mem.dst), w.Lanes(op.mem.dst+1)
	if w.Exec() != allLanes {
		readLocal2(w, op)
		return
	}
	w.PC = op.Next
	for lane := range address {
		a := address[lane]
		e0, e1 := m.element(a+offset0), m.element(a+offset1)
		if e0 >= m.limit || e1 >= m.limit {
			w.failPair(op, lane, address[lane], 4)
			return
		}
		d0[lane], d1[lane] = binary.LittleEndian.Uint32(m.word(e0)[:]), binary.LittleEndian.Uint32(m.word(e1)[:])
	}
}

// fastReadPair64 is ds_read2_b64 and ds_read2st64_b64.
func fastReadPair64(w *Wavefront, op *Op) {
	m, offset0, offset1 := w.localMemory(3), op.mem.offset, op.mem.offset1
	address, d := w.Lanes(op.mem.address), (*[256]uint32)(w.V[op.mem.dst*64:])
	if w.Exec() != allLanes {
		readLocal2(w, op)
		return
	}
	w.PC = op.Next
	for lane := range address {
		a := address[lane]
		e0, e1 := m.element(a+offset0), m.element(a+offset1)
		if e0 >= m.limit || e1 >= m.limit {
			w.failPair(op, lane, address[lane], 8)
			return
		}
		x, y := binary.LittleEndian.Uint64(m.double(e0)[:]), binary.LittleEndian.Uint64(m.double(e1)[:])
		d[lane], d[lane+64], d[lane+128], d[lane+192] = uint32(x), uint32(x>>32), uint32(y), uint32(y>>32)
	}
}

// fastWrite32 is ds_write_b32.
func fastWrite32(w *Wavefront, op *Op) {
	m, offset := w.localMemory(2), op.mem.offset
	address, data := w.Lanes(op.mem.address), w.Lanes(op.mem.data)
	if w.Exec() != allLanes {
		writeLocal(w, op)
		return
	}
	w.PC = op.Next
	for lane, a := range address {
		e := m.element(a + offset)
		if e >= m.limit {
			w.failLocal(op, lane, address[lane]+offset, 4)
			return
		}
		binary.LittleEndian.PutUint32(m.word(e)[:], data[lane])
	}
}

// fastWrite64 is ds_write_b64.
func fastWrite64(w *Wavefront, op *Op) {
	m, offset := w.localMemory(3), op.mem.offset
	address, d0, d1 := w.Lanes(op.mem.address), w.Lanes(op.mem.data), w.Lanes(op.mem.data+1)
	if w.Exec() != allLanes {
		writeLocal(w, op)
		return
	}
	w.PC = op.Next
	for lane, a := range address {
		e := m.element(a + offset)
		if e >= m.limit {
			w.failLocal(op, lane, address[lane]+offset, 8)
			return
		}
		binary.LittleEndian.PutUint64(m.double(e)[:], uint64(d0[lane])|uint64(d1[lane])<<32)
	}
}

// fastWrite128 is ds_write_b128.
func fastWrite128(w *Wavefront, op *Op) {
	m, offset := w.localMemory(4), op.mem.offset
	address, d := w.Lanes(op.mem.address), (*[256]uint32)(w.V[op.mem.data*64:])
	if w.Exec() != allLanes {
		writeLocal(w, op)
		return
	}
	w.PC = op.Next
	for lane, a := range address {
		e := m.element(a + offset)
		if e >= m.limit {
			w.failLocal(op, lane, address[lane]+offset, 16)
			return
		}
		b := m.quad(e)
		binary.LittleEndian.PutUint64(b[:], uint64(d[lane])|uint64(d[lane+64])<<32)
		binary.LittleEndian.PutUint64(b[8:], uint64(d[lane+128])|uint64(d[lane+192])<<32)
	}
}

// fastWritePair32 is ds_write2_b32 and ds_write2st64_b32.
func fastWritePair32(w *Wavefront, op *Op) {
	m, offset0, offset1 := w.localMemory(2), op.mem.offset, op.mem.offset1
	address, d0, d1 := w.Lanes(op.mem.address), w.Lanes(op.mem.data), w.Lanes(op.mem.data1)
	if w.Exec() != allLanes {
		writeLocal2(w, op)
		return
	}
	w.PC = op.Next
	for lane, a := range address {
		e0, e1 := m.element(a+offset0), m.element(a+offset1)
		if e0 >= m.limit || e1 >= m.limit {
			w.failPair(op, lane, address[lane], 4)
			return
		}
		binary.LittleEndian.PutUint32(m.word(e0)[:], d0[lane])
		binary.LittleEndian.PutUint32(m.word(e1)[:], d1[lane])
	}
}

// fastLocal gives the fast form of a read or write, by its name without "ds_"; nil when there is none.
var fastLocal = map[string]func(w *Wavefront, op *Op){
	"read_b32": fastRead32, "read_b64": fastRead64, "read_b128": fastRead128,
	"read2_b32": fastReadPair32, "read2st64_b32": fastReadPair32, "read2_b64": fastReadPair64, "read2st64_b64": fastReadPair64,
	"write_b32": fastWrite32, "write_b64": fastWrite64, "write_b128": fastWrite128,
	"write2_b32": fastWritePair32, "write2st64_b32": fastWritePair32,
}
