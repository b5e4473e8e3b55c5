package emu

import (
	"encoding/binary"
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// DwordAddress returns the device address of the i-th dword that a lane moves.
func (a *MemoryAccess) DwordAddress(lane, i int) uint64 {
	at := uint64(4 * i)
	if a.ElementMask>>lane&1 != 0 {
		e := uint64(a.ElementBytes)
		at = at/e*uint64(a.ElementStride) + at%e
	}
	return a.Addr[lane] + at
}

// loadElements is performLoad for lanes whose dwords do not lie together.
func loadElements(w *Wavefront, op *Op, a *MemoryAccess) {
	m, v := op.mem, w.window(true)
	for mask := a.Mask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		for i := range int(m.dwords) {
			address := a.DwordAddress(lane, i)
			b := v.at(address, 4)
			if b == nil {
				b = make([]byte, 4)
				if err := v.mem.Load(w.Now, address, b); err != nil {
					w.FailLane(op, lane, address, "%v", err)
					return
				}
			}
			w.V[(m.dst+i)*64+lane] = binary.LittleEndian.Uint32(b)
		}
	}
}

// storeElements is performStore for lanes whose dwords do not lie together.
func storeElements(w *Wavefront, op *Op, a *MemoryAccess) {
	m, v := op.mem, w.window(false)
	lines := memory.LineWriter{M: v.mem, Now: w.Now}
	defer lines.Flush()
	for mask := a.Mask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		for i := range int(m.dwords) {
			address := a.DwordAddress(lane, i)
			if b := v.at(address, 4); b != nil {
				binary.LittleEndian.PutUint32(b, a.Data[i][lane])
				continue
			}
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], a.Data[i][lane])
			if err := lines.Put(address, b[:]); err != nil {
				w.FailLane(op, lane, address, "%v", err)
				return
			}
		}
	}
}
