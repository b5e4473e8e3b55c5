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
	line  uint64 // address / 64, noLine when invalid
	ready uint64 // cycle from which the data is there; never while its fill is not timed yet
	used  uint64 // stamp of the latest use, for LRU
	miss  int32  // entry of the miss table while ready is never
	dirty bool
}

// tags is the directory of a set-associative cache with LRU replacement.
type tags struct {
	lines []tagLine
	ways  int
	mask  uint64 // sets - 1
	shift uint   // bits of the line number below the set index
	stamp uint64
}

func newTags(bytes, ways int, shift uint) tags {
	t := tags{lines: make([]tagLine, bytes/lineBytes), ways: ways, mask: uint64(bytes/lineBytes/ways - 1), shift: shift}
	for i := range t.lines {
		t.lines[i].line = noLine
	}
	return t
}

// find returns the line's entry, or nil.
func (t *tags) find(line uint64) *tagLine {
	first := int(line>>t.shift&t.mask) * t.ways
	set := t.lines[first : first+t.ways]
	for i := range set {
		if set[i].line == line {
			return &set[i]
		}
	}
	return nil
}

// touch marks an entry as the most recently used.
func (t *tags) touch(e *tagLine) {
	t.stamp++
	e.used = t.stamp
}

// victim returns the entry that line replaces: an invalid one, or the least recently used whose data is there at cycle now. It
// returns nil when every way of the set waits for its data.
func (t *tags) victim(line, now uint64) *tagLine {
	first := int(line>>t.shift&t.mask) * t.ways
	set := t.lines[first : first+t.ways]
	var best *tagLine
	for i := range set {
		e := &set[i]
		if e.line == noLine {
			return e
		}
		if e.ready <= now && (best == nil || e.used < best.used) {
			best = e
		}
	}
	return best
}

// invalidate drops a line whose data is there.
func (t *tags) invalidate(line uint64) {
	if e := t.find(line); e != nil && e.ready != never {
		e.line = noLine
	}
}

func log2(x int) uint { return uint(bits.TrailingZeros(uint(x))) }
