package emu

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
)

// bindDS resolves LDS instructions; they are carried out wholly by Execute (source: GCN3 ISA manual, Data Share Operations).
// M0's limit on LDS addresses is not applied: the work-group's allocation is the limit, and leaving it is a fault.
func bindDS(op *Op, m *memOp) (err error) {
	in, name := &op.Inst, strings.TrimPrefix(op.Inst.Op.Name, "ds_")
	m.offset = in.Mem.Offset & 0xffff
	if in.Mem.Gds || strings.HasPrefix(name, "gws_") || name == "ordered_count" {
		return bindGDS(op, m)
	}
	switch name {
	case "nop":
		op.Execute = issue
		return nil
	case "swizzle_b32", "permute_b32", "bpermute_b32":
		return bindCrossLane(op, m, name)
	case "append", "consume":
		return bindAppend(op, m, name)
	}
	if m.address, err = m.vector("addr", in.Mem.Addr, 1); err != nil {
		return err
	}
	kind, rest, _ := strings.Cut(name, "_")
	switch kind {
	case "read", "read2", "read2st64":
		return bindRead(op, m, kind, rest)
	case "write", "write2", "write2st64":
		if strings.HasPrefix(rest, "src2") {
			return bindSrc2(op, m, name)
		}
		return bindWrite(op, m, kind, rest)
	}
	if strings.Contains(name, "_src2_") {
		return bindSrc2(op, m, name)
	}
	return bindLocalAtomic(op, m, name)
}

// bindRead resolves ds_read_*, ds_read2_* and ds_read2st64_*.
func bindRead(op *Op, m *memOp, kind, width string) (err error) {
	sizes := map[string]shape{"b32": {4, 1, false}, "b64": {8, 2, false}, "b96": {12, 3, false}, "b128": {16, 4, false},
		"i8": {1, 1, true}, "u8": {1, 1, false}, "i16": {2, 1, true}, "u16": {2, 1, false}}
	s, ok := sizes[width]
	if !ok {
		return fmt.Errorf("ds_%s_%s is not an instruction of this machine", kind, width)
	}
	m.bytes, m.dwords, m.signed = s.bytes, s.dwords, s.signed
	registers := int(m.dwords)
	op.Execute = readLocal
	if kind != "read" {
		registers *= 2
		op.Execute = readLocal2
		m.pairOffsets(op, kind)
	}
	if fast := fastLocal[kind+"_"+width]; fast != nil {
		op.Execute = fast
	}
	m.dst, err = m.vector("vdst", op.Inst.Dst, registers)
	return err
}

// pairOffsets resolves the two 8-bit offsets of read2 and write2, in bytes: offset0 in the low half, offset1 in the high half.
func (m *memOp) pairOffsets(op *Op, kind string) {
	unit := uint32(m.bytes)
	if strings.HasSuffix(kind, "st64") {
		unit *= 64
	}
	o := op.Inst.Mem.Offset
	m.offset, m.offset1 = (o&0xff)*unit, (o>>8&0xff)*unit
}

func bindWrite(op *Op, m *memOp, kind, width string) (err error) {
	sizes := map[string]shape{"b8": {1, 1, false}, "b16": {2, 1, false}, "b32": {4, 1, false}, "b64": {8, 2, false},
		"b96": {12, 3, false}, "b128": {16, 4, false}}
	s, ok := sizes[width]
	if !ok {
		return fmt.Errorf("ds_%s_%s is not an instruction of this machine", kind, width)
	}
	m.bytes, m.dwords = s.bytes, s.dwords
	op.Execute = writeLocal
	if m.data, err = m.vector("data0", op.Inst.Mem.Data, int(m.dwords)); err != nil {
		return err
	}
	if kind != "write" {
		op.Execute = writeLocal2
		m.pairOffsets(op, kind)
		m.data1, err = m.vector("data1", op.Inst.Mem.Data1, int(m.dwords))
	}
	if fast := fastLocal[kind+"_"+width]; fast != nil {
		op.Execute = fast
	}
	return err
}

// failLocal faults a lane whose LDS address leaves the work-group's memory or is not aligned.
func (w *Wavefront) failLocal(op *Op, lane int, at uint32, n int) {
	lds := len(w.Group.LDS)
	if uint64(at)+uint64(n) > uint64(lds) {
		w.FailLane(op, lane, uint64(at), "%d bytes at local address 0x%x leave the work-group's local memory of %d bytes", n, at, lds)
		return
	}
	w.FailLane(op, lane, uint64(at), "%d bytes at local address 0x%x must be aligned to %d bytes", n, at, alignment(n))
}

// alignment returns what the LDS asks of an access of n bytes.
func alignment(n int) int {
	if n == 12 {
		return 4
	}
	return n
}

// localBytes returns n bytes of the LDS for a lane, or nil after a fault.
func (w *Wavefront) localBytes(op *Op, lane int, at uint32, n int) []byte {
	lds := w.Group.LDS
	if uint64(at)+uint64(n) > uint64(len(lds)) || int(at)%alignment(n) != 0 {
		w.failLocal(op, lane, at, n)
		return nil
	}
	return lds[at : int(at)+n]
}

// readLocal is every single read.
func readLocal(w *Wavefront, op *Op) {
	w.PC = op.Next
	m := op.mem
	address := w.Lanes(m.address)
	for exec := w.Exec(); exec != 0; exec &= exec - 1 {
		lane := bits.TrailingZeros64(exec)
		b := w.localBytes(op, lane, address[lane]+m.offset, int(m.bytes))
		if b == nil {
			return
		}
		setLane(w, m, lane, b)
	}
}

// readLocal2 is ds_read2_* and ds_read2st64_*: two elements into consecutive registers.
func readLocal2(w *Wavefront, op *Op) {
	w.PC = op.Next
	m, le, n := op.mem, binary.LittleEndian, int(op.mem.bytes)
	address := w.Lanes(m.address)
	for exec := w.Exec(); exec != 0; exec &= exec - 1 {
		lane := bits.TrailingZeros64(exec) & 63
		b0 := w.localBytes(op, lane, address[lane]+m.offset, n)
		if b0 == nil {
			return
		}
		b1 := w.localBytes(op, lane, address[lane]+m.offset1, n)
		if b1 == nil {
			return
		}
		at := m.dst*64 + lane
		if n == 4 {
			w.V[at], w.V[at+64] = le.Uint32(b0), le.Uint32(b1)
			continue
		}
		w.V[at], w.V[at+64], w.V[at+128], w.V[at+192] = le.Uint32(b0), le.Uint32(b0[4:]), le.Uint32(b1), le.Uint32(b1[4:])
	}
}

// putLane stores a lane's registers from first on into b.
func putLane(w *Wavefront, first, lane int, b []byte) {
	at, le := first*64+lane, binary.LittleEndian
	switch len(b) {
	case 1:
		b[0] = byte(w.V[at])
	case 2:
		le.PutUint16(b, uint16(w.V[at]))
	default:
		for ; len(b) >= 4; b = b[4:] {
			le.PutUint32(b, w.V[at])
			at += 64
		}
	}
}

// writeLocal is ds_write_*, lanes in ascending order.
func writeLocal(w *Wavefront, op *Op) {
	w.PC = op.Next
	m, n := op.mem, int(op.mem.bytes)
	address := w.Lanes(m.address)
	for exec := w.Exec(); exec != 0; exec &= exec - 1 {
		lane := bits.TrailingZeros64(exec)
		b := w.localBytes(op, lane, address[lane]+m.offset, n)
		if b == nil {
			return
		}
		putLane(w, m.data, lane, b)
	}
}

// writeLocal2 is ds_write2_* and ds_write2st64_*.
func writeLocal2(w *Wavefront, op *Op) {
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
		putLane(w, m.data, lane, b0)
		putLane(w, m.data1, lane, b1)
	}
}
