package timing

import "math/bits"

const (
	lineBytes = 64
	lineShift = 6
	pageShift = 12
	noLine    = ^uint64(0)
)

// tagLine is one line of a cache. A line that is being fetched is there from its miss on, with ready in the future or never.
type tagLine struct {
	line    uint64 // address / 64, noLine when invalid
	ready   uint64 // cycle from which the data is there; never while its fill is not timed yet
	used    uint64 // stamp of the latest use, for LRU
	miss    int32  // L1: entry of the miss table while ready is never; L2: cycle until which it is being read, modulo 2³²
	dirty   bool
	fetched bool // it comes from DRAM (L2)
}

// tags is the directory of a set-associative cache with LRU replacement.
type tags struct {
	lines []tagLine
	keys  []uint64 // the lines' numbers once more, close together for the search
	ways  int
	mask  uint64 // sets - 1
	shift uint   // bits of the line number below the set index
	stamp uint64
}

func newTags(bytes, ways int, shift uint) tags {
	t := tags{lines: make([]tagLine, bytes/lineBytes), keys: make([]uint64, bytes/lineBytes), ways: ways, mask: uint64(bytes/lineBytes/ways - 1), shift: shift}
	for i := range t.lines {
		t.lines[i].line, t.keys[i] = noLine, noLine
	}
	return t
}

// clear makes every entry invalid.
func (t *tags) clear() {
	for i := range t.lines {
		t.lines[i], t.keys[i] = tagLine{line: noLine}, noLine
	}
	t.stamp = 0
}

// find returns the line's entry, or nil.
func (t *tags) find(line uint64) *tagLine {
	if i := t.index(line); i >= 0 {
		return &t.lines[i]
	}
	return nil
}

// index returns the number of the line's entry, or -1.
func (t *tags) index(line uint64) int {
	first := int(line>>t.shift&t.mask) * t.ways
	for i, key := range t.keys[first : first+t.ways] {
		if key == line {
			return first + i
		}
	}
	return -1
}

// touch marks an entry as the most recently used.
func (t *tags) touch(e *tagLine) {
	t.stamp++
	e.used = t.stamp
}

// place puts a line into the entry of a number that victim returned, as the most recently used.
func (t *tags) place(i int, x tagLine) *tagLine {
	e := &t.lines[i]
	*e, t.keys[i] = x, x.line
	t.touch(e)
	return e
}

// drop makes the entry of a number invalid.
func (t *tags) drop(i int) { t.lines[i].line, t.keys[i] = noLine, noLine }

// victim returns the number of the entry that line replaces: an invalid one, or the least recently used whose data is there at
// cycle now. It returns -1 when every way of the set waits for its data.
func (t *tags) victim(line, now uint64) int {
	first := int(line>>t.shift&t.mask) * t.ways
	best, used := -1, never
	for i, key := range t.keys[first : first+t.ways] {
		if key == noLine {
			return first + i
		}
		if e := &t.lines[first+i]; e.ready <= now && e.used < used {
			best, used = first+i, e.used
		}
	}
	return best
}

// nextReady returns the cycle at which the first line of a full set has its data, or never when that is not known.
func (t *tags) nextReady(line uint64) uint64 {
	first := int(line>>t.shift&t.mask) * t.ways
	at := never
	for i := range t.lines[first : first+t.ways] {
		at = min(at, t.lines[first+i].ready)
	}
	return at
}

// invalidate drops a line whose data is there.
func (t *tags) invalidate(line uint64) {
	if i := t.index(line); i >= 0 && t.lines[i].ready != never {
		t.drop(i)
	}
}

func log2(x int) uint { return uint(bits.TrailingZeros(uint(x))) }
