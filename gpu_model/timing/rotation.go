package timing

import (
	"slices"
)

// rotation is the order in which the connection between the L1 caches and the L2 banks brings what is sent in one cycle: it empties its ports in
// turn, beginning with another one in every cycle in which it works. It works in the cycles in which somebody sends something, and in those after.
// Which shader array's lines come first from DRAM, and which of its wavefronts go on first, follows from that (source: occ_lds65536).
//
// Its ports are two that nothing uses here, those of the L2 banks, and then for each shader array those of its compute units' L1V, of L1S and of
// L1I.
type rotation struct {
	ports int
	n     uint64      // cycles in which it has worked
	from  uint64      // cycles before are counted
	first [256]uint16 // port with which it begins for what arrives in a cycle, modulo 256
}

// workMarks are the cycles in which one of the connection's ports gives it something to do, seen from a few windows before on.
type workMarks struct {
	words [markWords]uint64 // bit i: cycle i of the block of 64 cycles that the tag tells
	tags  [markWords]uint16
	_     [4]byte
}

const markWords = 6 // a cache line of the host's

// note notes cycle at and the one after, seen from cycle now. What lies far ahead would take the place of what is near, and is left out: the
// connection has other things to do by then.
func (m *workMarks) note(now, at uint64) {
	if at < now+64*(markWords-2) {
		m.set(at)
		m.set(at + 1)
	}
}

func (m *workMarks) set(at uint64) {
	block := at / 64
	i := block % markWords
	if tag := uint16(block); m.tags[i] != tag {
		m.tags[i], m.words[i] = tag, 0
	}
	m.words[i] |= 1 << (at % 64)
}

// of returns the marks of a block of 64 cycles.
func (m *workMarks) of(block uint64) uint64 {
	i := block % markWords
	if m.tags[i] != uint16(block) {
		return 0
	}
	return m.words[i]
}

// rotate counts the cycles in which the connection works and tells for each with which port it begins, for what arrives before cycle to.
func (g *GPU) rotate(to uint64) {
	r := &g.rotation
	if reach := uint64(256); r.from+reach < to {
		r.from = to - reach
	}
	for r.from < to-1 {
		block := r.from / 64
		var marks uint64
		for _, a := range g.arrays {
			marks |= a.marks.of(block)
		}
		for i := range g.banks {
			marks |= g.banks[i].marks.of(block)
		}
		for end := min((block+1)*64, to-1); r.from < end; r.from++ {
			r.first[(r.from+1)%256] = uint16(r.n % uint64(r.ports)) // it arrives in the cycle after
			r.n += marks >> (r.from % 64) & 1
		}
	}
}

// inTurn puts a bank's requests, which are in the order of time, into the order in which the connection brings those of one cycle.
func (g *GPU) inTurn(order []int32, list []arrival, keys []uint64) []uint64 {
	ports := g.spec.Core.UnitsPerArray + 2
	for i := 0; i < len(order); {
		at := list[order[i]].at
		j := i + 1
		for j < len(order) && list[order[j]].at == at {
			j++
		}
		if j-i > 1 {
			keys = keys[:0]
			begin := int(g.rotation.first[at%256])
			for _, k := range order[i:j] {
				x := &list[k]
				port := 2 + len(g.banks) + x.from.index*ports
				switch x.request.from {
				case portL1S:
					port += ports - 2
				case portL1I:
					port += ports - 1
				case portEngine: // comes last
				default:
					port += int(x.request.from)
				}
				if port < begin {
					port += g.rotation.ports
				}
				keys = append(keys, uint64(port)<<32|uint64(k))
			}
			slices.Sort(keys)
			for k, key := range keys {
				order[i+k] = int32(uint32(key))
			}
		}
		i = j
	}
	return keys
}

func newRotation(arrays, units, banks int) rotation {
	return rotation{ports: 2 + banks + arrays*(units+2)}
}

// cool makes it as it is when new.
func (r *rotation) cool() { r.n, r.from, r.first = 0, 0, [256]uint16{} }
