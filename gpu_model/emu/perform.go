package emu

import (
	"encoding/binary"
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

const pageMask = memory.PageBytes - 1

// contiguous reports whether all 64 lanes access adjacent ranges of n bytes in ascending order.
func (a *MemoryAccess) contiguous(n uint64) bool {
	if a.Mask != ^uint64(0) {
		return false
	}
	next := a.Addr[0]
	for i := range a.Addr {
		if a.Addr[i] != next {
			return false
		}
		next += n
	}
	return true
}

// window gives direct access to device memory, for one instruction.
type window struct {
	data []byte
	page []memory.PageFlags
	care memory.PageFlags // flags that forbid direct access, PageAllocated among them
	mem  *memory.Memory
}

func (w *Wavefront) window(load bool) window {
	m := w.Launch.Memory
	data, page := m.Near()
	v := window{data, page, ^memory.PageFlags(0), m}
	if load {
		v.care = memory.PageAllocated | memory.PageView
	}
	return v
}

// at returns the n ≤ 16 bytes at address when they may be accessed directly, else nil.
func (v *window) at(address uint64, n int) []byte {
	p := address / memory.PageBytes
	if p < uint64(len(v.page)) && v.page[p]&v.care == memory.PageAllocated && address&pageMask <= uint64(memory.PageBytes-n) {
		return v.data[address : address+uint64(n)]
	}
	if v.care == memory.PageAllocated|memory.PageView {
		return v.mem.Loadable(address, uint64(n))
	}
	return v.mem.Plain(address, uint64(n))
}

// performLoad moves what a vector load fetched into its registers.
func performLoad(w *Wavefront, op *Op, a *MemoryAccess) {
	m := op.mem
	if a.LocalMask != 0 {
		loadLocal(w, op, a)
	}
	if a.ElementMask != 0 {
		loadElements(w, op, a)
		return
	}
	if loadDirect(w, m, a) {
		return
	}
	if m.bytes >= 4 && a.contiguous(uint64(m.bytes)) {
		if b := w.Launch.Memory.Loadable(a.Addr[0], 64*uint64(m.bytes)); b != nil {
			loadContiguous(w, m, b)
			return
		}
	}
	v := w.window(true)
	n := int(m.bytes)
	for mask := a.Mask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		b := v.at(a.Addr[lane], n)
		if b == nil {
			b = w.bytes[:n]
			if err := v.mem.Load(w.Now, a.Addr[lane], b); err != nil {
				w.FailLane(op, lane, a.Addr[lane], "%v", err)
				return
			}
		}
		setLane(w, m, lane, b)
	}
	if m.tfe {
		clearStatus(w, m.dst+int(m.dwords), a.Mask)
	}
}

// clearStatus writes 0, "no page fault", into the register that tfe asks for.
func clearStatus(w *Wavefront, r int, mask uint64) {
	status := w.Lanes(r)
	for ; mask != 0; mask &= mask - 1 {
		status[bits.TrailingZeros64(mask)] = 0
	}
}

// setLane writes a lane's loaded bytes to the destination registers, extending what is shorter than a dword.
func setLane(w *Wavefront, m *memOp, lane int, b []byte) {
	at := m.dst*64 + lane
	switch m.bytes {
	case 1:
		x := uint32(b[0])
		if m.signed {
			x = uint32(int32(int8(x)))
		}
		w.V[at] = x
	case 2:
		x := uint32(binary.LittleEndian.Uint16(b))
		if m.signed {
			x = uint32(int32(int16(x)))
		}
		w.V[at] = x
	default:
		for ; len(b) >= 4; b = b[4:] {
			w.V[at] = binary.LittleEndian.Uint32(b)
			at += 64
		}
	}
}

// loadContiguous distributes 64 × bytes adjacent bytes over the lanes.
func loadContiguous(w *Wavefront, m *memOp, b []byte) {
	le := binary.LittleEndian
	switch m.dwords {
	case 1:
		d, b := w.Lanes(m.dst), b[:256]
		for i := range d {
			d[i] = le.Uint32(b[4*i:])
		}
	case 2:
		d0, d1, b := w.Lanes(m.dst), w.Lanes(m.dst+1), b[:512]
		for i := range d0 {
			d0[i], d1[i] = le.Uint32(b[8*i:]), le.Uint32(b[8*i+4:])
		}
	default:
		n := int(m.dwords)
		for r := range n {
			d := w.Lanes(m.dst + r)
			for i := range d {
				d[i] = le.Uint32(b[4*(n*i+r):])
			}
		}
	}
	if m.tfe {
		clearStatus(w, m.dst+int(m.dwords), ^uint64(0))
	}
}

// performStore moves the data that a vector store took at issue into memory, lanes in ascending order.
func performStore(w *Wavefront, op *Op, a *MemoryAccess) {
	m := op.mem
	if a.LocalMask != 0 {
		storeLocal(w, op, a)
	}
	if a.ElementMask != 0 {
		storeElements(w, op, a)
		return
	}
	le := binary.LittleEndian
	if storeDirect(w, m, a) {
		return
	}
	if m.bytes >= 4 && a.contiguous(uint64(m.bytes)) {
		if b := w.Launch.Memory.Plain(a.Addr[0], 64*uint64(m.bytes)); b != nil {
			for lane := range 64 {
				for i := range int(m.dwords) {
					le.PutUint32(b, a.Data[i][lane])
					b = b[4:]
				}
			}
			return
		}
	}
	v := w.window(false)
	lines := memory.LineWriter{M: v.mem, Now: w.Now}
	n := int(m.bytes)
	for mask := a.Mask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		data := a.lane(lane)
		b := v.at(a.Addr[lane], n)
		if b == nil {
			for i, x := range data {
				le.PutUint32(w.bytes[4*i:], x)
			}
			if err := lines.Put(a.Addr[lane], w.bytes[:n]); err != nil {
				lines.Flush()
				w.FailLane(op, lane, a.Addr[lane], "%v", err)
				return
			}
			continue
		}
		switch n {
		case 1:
			b[0] = byte(data[0])
		case 2:
			le.PutUint16(b, uint16(data[0]))
		default:
			for i, x := range data[:m.dwords] {
				le.PutUint32(b[4*i:], x)
			}
		}
	}
	lines.Flush()
}

// performAtomic carries out a read-modify-write, lanes in ascending order, and returns the old values when the instruction asks for them.
func performAtomic(w *Wavefront, op *Op, a *MemoryAccess) {
	m := op.mem
	if a.LocalMask != 0 {
		atomicLocal(w, op, a)
	}
	v := w.window(false)
	lines := memory.LineWriter{M: v.mem, Now: w.Now}
	for mask := a.Mask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		address := a.Addr[lane]
		if address%uint64(m.bytes) != 0 {
			w.FailLane(op, lane, address, "an atomic on %d bytes at 0x%x must be aligned to its size", m.bytes, address)
			break
		}
		if err := atomicLane(w, m, a, lane, &v, &lines); err != nil {
			w.FailLane(op, lane, address, "%v", err)
			break
		}
	}
	lines.Flush()
	if m.tfe && m.kind == AccessAtomicReturn {
		clearStatus(w, m.dst+int(m.dwords), a.Mask)
	}
}

func atomicLane(w *Wavefront, m *memOp, a *MemoryAccess, lane int, v *window, lines *memory.LineWriter) error {
	address, n := a.Addr[lane], int(m.bytes)
	if w.Launch.parallel {
		lock := v.mem.AtomicLock(address)
		defer lock.Unlock()
	}
	if b := v.at(address, n); b != nil {
		m.modify(w, a, lane, b)
		return nil
	}
	b := w.bytes[:n]
	if err := v.mem.Load(w.Now, address, b); err != nil {
		return err
	}
	m.modify(w, a, lane, b)
	return lines.Put(address, b)
}

// modify applies the operation to the bytes of one lane.
func (m *memOp) modify(w *Wavefront, a *MemoryAccess, lane int, b []byte) {
	d, le := a.lane(lane), binary.LittleEndian
	if m.bytes == 4 {
		old := le.Uint32(b)
		le.PutUint32(b, uint32(m.atomic.apply(uint64(old), uint64(d[0]), uint64(d[1]))))
		if m.kind == AccessAtomicReturn {
			w.V[m.dst*64+lane] = old
		}
		return
	}
	old := le.Uint64(b)
	le.PutUint64(b, m.atomic.apply(old, uint64(d[0])|uint64(d[1])<<32, uint64(d[2])|uint64(d[3])<<32))
	if m.kind == AccessAtomicReturn {
		w.V[m.dst*64+lane] = uint32(old)
		w.V[(m.dst+1)*64+lane] = uint32(old >> 32)
	}
}

// takeData copies n registers of data from first into the access: a store's data are those at issue.
func takeData(w *Wavefront, a *MemoryAccess, first, n int) {
	a.registers = uint8(n)
	for i := range n {
		a.Data[i] = *w.Lanes(first + i)
	}
}
