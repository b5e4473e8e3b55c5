package timing

import "github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"

// tlbEntry is one page of a TLB. A page that is being translated is there from its miss on.
type tlbEntry struct {
	page  uint64 // address / 4096, noLine when invalid
	ready uint64 // cycle from which the translation is there; never while it is not timed yet
	used  uint64
	wait  int32 // first transaction that waits for the translation, -1 for none
	last  int32 // latest one
}

// tlb is a set-associative TLB with LRU replacement. The hint finds a page without a scan of the ways.
type tlb struct {
	entries  []tlbEntry
	ways     int
	sets     uint64
	hint     []int32
	stamp    uint64
	mshrs    int // pages that may be missing at a time, 0: any number
	missing  int // pages that are
	counters TLBCounters
}

// clear makes every entry invalid.
func (t *tlb) clear() {
	for i := range t.entries {
		t.entries[i] = tlbEntry{page: noLine, wait: -1}
	}
	clear(t.hint)
	t.stamp, t.missing = 0, 0
}

const tlbHints = 512

func newTLB(p gpuconfig.TLB) tlb {
	t := tlb{entries: make([]tlbEntry, p.Sets*p.Ways), ways: p.Ways, sets: uint64(p.Sets), hint: make([]int32, tlbHints)}
	for i := range t.entries {
		t.entries[i] = tlbEntry{page: noLine, wait: -1}
	}
	return t
}

// find returns the index of a page's entry, or -1.
func (t *tlb) find(page uint64) int32 {
	h := t.hint[page%tlbHints]
	if t.entries[h].page == page {
		return h
	}
	first := int32(page%t.sets) * int32(t.ways)
	for i := first; i < first+int32(t.ways); i++ {
		if t.entries[i].page == page {
			t.hint[page%tlbHints] = i
			return i
		}
	}
	return -1
}

// replace makes room for a page and returns its entry, or -1 when every way waits for a translation.
func (t *tlb) replace(page, now uint64) int32 {
	first := int32(page%t.sets) * int32(t.ways)
	best := int32(-1)
	for i := first; i < first+int32(t.ways); i++ {
		e := &t.entries[i]
		if e.page == noLine {
			best = i
			break
		}
		if e.ready <= now && e.wait < 0 && (best < 0 || e.used < t.entries[best].used) {
			best = i
		}
	}
	if best >= 0 {
		t.entries[best] = tlbEntry{page: page, ready: never, wait: -1}
		t.hint[page%tlbHints] = best
		t.touch(best)
	}
	return best
}

// nextFree returns the cycle from which a full set has an entry to give away, or never when that is not known.
func (t *tlb) nextFree(page uint64) uint64 {
	first := int(page%t.sets) * t.ways
	at := never
	for i := range t.entries[first : first+t.ways] {
		if e := &t.entries[first+i]; e.wait < 0 {
			at = min(at, e.ready)
		}
	}
	return at
}

func (t *tlb) touch(i int32) {
	t.stamp++
	t.entries[i].used = t.stamp
}
