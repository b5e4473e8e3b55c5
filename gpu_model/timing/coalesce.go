package timing

import (
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
)

// coalesced is one line that a vector memory instruction touches, with the bytes it touches.
type coalesced struct {
	line uint64 // address / 64
	mask uint64 // bit i: byte i of the line
}

// coalescer gathers the lines of an access in the order in which its lanes first touch them.
type coalescer struct {
	lines []coalesced
	table [coalesceSlots]int16 // open hash of line → 1 + index, valid where the stamp matches
	stamp [coalesceSlots]uint32
	round uint32
}

const coalesceSlots = 512 // 64 lanes × up to 5 lines fit with room

// gather fills c.lines with the lines of access a.
func (c *coalescer) gather(a *emu.MemoryAccess) {
	c.lines = c.lines[:0]
	n := uint64(a.Bytes)
	if a.Mask == ^uint64(0) && a.ElementBytes == 0 && c.dense(a, n) {
		return
	}
	c.round++
	for m := a.Mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros64(m)
		if a.ElementBytes == 0 {
			c.add(a.Addr[lane], n)
			continue
		}
		for k := uint64(0); k < n; k += uint64(a.ElementBytes) {
			c.add(a.Addr[lane]+k/uint64(a.ElementBytes)*uint64(a.ElementStride), min(uint64(a.ElementBytes), n-k))
		}
	}
}

// dense handles 64 lanes side by side, or 64 lanes on one address.
func (c *coalescer) dense(a *emu.MemoryAccess, n uint64) bool {
	first := a.Addr[0]
	step := a.Addr[1] - first
	if step != n && step != 0 {
		return false
	}
	want := first
	for _, x := range &a.Addr {
		if x != want {
			return false
		}
		want += step
	}
	end := first + n
	if step != 0 {
		end = first + 64*n
	}
	for at := first; at < end; {
		line := at >> lineShift
		stop := min(end, (line+1)<<lineShift)
		c.lines = append(c.lines, coalesced{line, byteMask(at&(lineBytes-1), stop-at)})
		at = stop
	}
	return true
}

// add notes that n bytes at address are touched.
func (c *coalescer) add(address, n uint64) {
	for {
		line := address >> lineShift
		offset := address & (lineBytes - 1)
		k := min(n, lineBytes-offset)
		mask := byteMask(offset, k)
		if last := len(c.lines) - 1; last >= 0 && c.lines[last].line == line {
			c.lines[last].mask |= mask
		} else {
			c.insert(line, mask)
		}
		if n -= k; n == 0 {
			return
		}
		address += k
	}
}

func (c *coalescer) insert(line, mask uint64) {
	for h := (line ^ line>>9) % coalesceSlots; ; h = (h + 1) % coalesceSlots {
		if c.stamp[h] != c.round {
			c.stamp[h], c.table[h] = c.round, int16(len(c.lines))
			c.lines = append(c.lines, coalesced{line, mask})
			return
		}
		if e := &c.lines[c.table[h]]; e.line == line {
			e.mask |= mask
			return
		}
	}
}

// byteMask has n ≤ 64 bits set from offset on.
func byteMask(offset, n uint64) uint64 { return (1<<n - 1) << offset }
