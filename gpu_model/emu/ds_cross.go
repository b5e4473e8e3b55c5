package emu

import (
	"encoding/binary"
	"math/bits"
)

// bindCrossLane resolves ds_swizzle_b32, ds_permute_b32 and ds_bpermute_b32, which use the LDS's crossbar but none of its memory.
func bindCrossLane(op *Op, m *memOp, name string) (err error) {
	if m.address, err = m.vector("addr", op.Inst.Mem.Addr, 1); err != nil {
		return err
	}
	if m.dst, err = m.vector("vdst", op.Inst.Dst, 1); err != nil {
		return err
	}
	switch name {
	case "swizzle_b32":
		op.Execute = swizzle
		return nil
	case "permute_b32":
		op.Execute = permute
	default:
		op.Execute = backwardPermute
	}
	m.data, err = m.vector("data0", op.Inst.Mem.Data, 1)
	return err
}

// swizzleSource returns the lane that lane reads under a swizzle offset: a permutation within groups of four when bit 15 is set, else and, or and xor
// masks on the lane number within groups of 32.
func swizzleSource(lane int, offset uint32) int {
	if offset&0x8000 != 0 {
		return lane&^3 | int(offset>>(2*(lane&3))&3)
	}
	and, or, xor := int(offset&31), int(offset>>5&31), int(offset>>10&31)
	return lane&32 | (lane&31&and | or) ^ xor
}

// swizzle gives each active lane the value of another; inactive lanes give 0.
func swizzle(w *Wavefront, op *Op) {
	w.PC = op.Next
	m, exec := op.mem, w.Exec()
	source, d := *w.Lanes(m.address), w.Lanes(m.dst)
	for mask := exec; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		from := swizzleSource(lane, m.offset)
		d[lane] = 0
		if exec>>from&1 != 0 {
			d[lane] = source[from]
		}
	}
}

// permute sends each active lane's data to the lane that its address names (in bytes, four a lane); of several senders the highest lane
// wins, and lanes that nobody sends to get 0.
func permute(w *Wavefront, op *Op) {
	w.PC = op.Next
	m, exec := op.mem, w.Exec()
	address, data, d := w.Lanes(m.address), w.Lanes(m.data), w.Lanes(m.dst)
	var out [64]uint32
	for mask := exec; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		out[(address[lane]+m.offset)/4%64] = data[lane]
	}
	for mask := exec; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		d[lane] = out[lane]
	}
}

// backwardPermute gives each active lane the data of the lane that its address names; inactive lanes give 0.
func backwardPermute(w *Wavefront, op *Op) {
	w.PC = op.Next
	m, exec := op.mem, w.Exec()
	address, data, d := *w.Lanes(m.address), *w.Lanes(m.data), w.Lanes(m.dst)
	for mask := exec; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		from := (address[lane] + m.offset) / 4 % 64
		d[lane] = 0
		if exec>>from&1 != 0 {
			d[lane] = data[from]
		}
	}
}

// bindAppend resolves ds_append and ds_consume.
func bindAppend(op *Op, m *memOp, name string) (err error) {
	op.Execute = appendLDS
	if name == "consume" {
		op.Execute = consumeLDS
	}
	m.dst, err = m.vector("vdst", op.Inst.Dst, 1)
	return err
}

func appendLDS(w *Wavefront, op *Op) { count(w, op, uint32(bits.OnesCount64(w.Exec()))) }

func consumeLDS(w *Wavefront, op *Op) { count(w, op, -uint32(bits.OnesCount64(w.Exec()))) }

// count adds delta to the counter at M0[15:0] + offset and gives every active lane its old value.
func count(w *Wavefront, op *Op, delta uint32) {
	w.PC = op.Next
	m, exec := op.mem, w.Exec()
	if exec == 0 {
		return
	}
	b := w.localBytes(op, bits.TrailingZeros64(exec), w.S[124]&0xffff+m.offset, 4)
	if b == nil {
		return
	}
	old := binary.LittleEndian.Uint32(b)
	binary.LittleEndian.PutUint32(b, old+delta)
	d := w.Lanes(m.dst)
	for ; exec != 0; exec &= exec - 1 {
		d[bits.TrailingZeros64(exec)] = old
	}
}
