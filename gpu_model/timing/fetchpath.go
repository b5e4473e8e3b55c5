package timing

import "math/bits"

// fetchPath is the way of the fetches of a shader array from the compute units' ports to the instruction cache: the port of the reorder buffer, the
// one through which that sends them on, and the cache's. Each holds some; what a full one holds up waits in the one before (source:
// vadd_dep_256x256). The times of the latest fetches are kept by their number.
type fetchPath struct {
	moved   int // fetches that have come
	taken   int // those of them whose time of being taken by the reorder buffer is known
	passed  int // the same for the arrival in the cache's port
	entered int // the same for being taken in by the cache
	left    int // the same for their answers' leaving the reorder buffer

	came     [pathRing]uint64 // cycle in which the reorder buffer's port got the fetch
	takenAt  [pathRing]uint64 // in which the reorder buffer took it
	passedAt [pathRing]uint64 // in which the cache's port got it
	enterAt  [pathRing]uint64 // in which the cache took it in
	leftAt   []uint64         // in which its answer left the reorder buffer, at least as many as that has entries; a power of two
	entries  int              // of the reorder buffer
}

func newFetchPath(entries int) fetchPath {
	return fetchPath{entries: entries, leftAt: make([]uint64, 1<<bits.Len(uint(entries-1)))}
}

const (
	reorderIn  = 8  // places in the reorder buffer's port for fetches
	reorderOut = 8  // in the port through which it sends them on
	cacheIn    = 4  // in the instruction cache's
	pathRing   = 32 // more than fit in all of them
)

// pathIndex returns where the times of a fetch are kept.
func pathIndex(number int) int { return number & (pathRing - 1) }

// idle tells whether all times of the fetches that have come are known.
func (p *fetchPath) idle() bool { return p.left == p.moved }

// pass lets a fetch into an idle path in cycle t, and returns when it arrives in the cache's port.
func (p *fetchPath) pass(t uint64, perCycle int) uint64 {
	i := p.moved
	t = max(t+1, p.leftAt[(i-p.entries)&(len(p.leftAt)-1)], p.passedAt[pathIndex(i-reorderOut)]+1, p.takenAt[pathIndex(i-1)], p.takenAt[pathIndex(i-perCycle)]+1)
	p.takenAt[pathIndex(i)] = t
	t = max(t, p.enterAt[pathIndex(i-cacheIn)], p.passedAt[pathIndex(i-1)])
	p.passedAt[pathIndex(i)] = t
	i++
	p.moved, p.taken, p.passed = i, i, i
	return t
}

// push lets a fetch into the reorder buffer's port in cycle t.
func (p *fetchPath) push(t uint64) {
	p.came[pathIndex(p.moved)] = t
	p.moved++
}

// advance finds out what is known of the fetches' times by now. The reorder buffer takes so many a cycle. It returns the first cycle in which it takes
// one of those for which that was not known, never if there is none.
func (p *fetchPath) advance(perCycle int) uint64 {
	first := never
	for {
		progress := false
		for p.taken < p.moved && p.taken-reorderOut < p.passed && p.taken-p.entries < p.left {
			i := p.taken
			t := max(p.leftAt[(i-p.entries)&(len(p.leftAt)-1)], p.came[pathIndex(i)]+1, p.passedAt[pathIndex(i-reorderOut)]+1, p.takenAt[pathIndex(i-1)], p.takenAt[pathIndex(i-perCycle)]+1)
			p.takenAt[pathIndex(i)] = t
			first = min(first, t)
			p.taken++
			progress = true
		}
		for p.passed < p.taken && p.passed-cacheIn < p.entered {
			i := p.passed
			p.passedAt[pathIndex(i)] = max(p.takenAt[pathIndex(i)], p.enterAt[pathIndex(i-cacheIn)], p.passedAt[pathIndex(i-1)])
			p.passed++
			progress = true
		}
		if !progress {
			return first
		}
	}
}

// enter notes that the instruction cache takes the next fetch in in cycle t.
func (p *fetchPath) enter(t uint64) {
	p.enterAt[pathIndex(p.entered)] = t
	p.entered++
}

// leave notes that the next answer leaves the reorder buffer in cycle t.
func (p *fetchPath) leave(t uint64) {
	p.leftAt[p.left&(len(p.leftAt)-1)] = t
	p.left++
}

// cool makes it as it is when new.
func (p *fetchPath) cool() {
	clear(p.leftAt)
	*p = fetchPath{leftAt: p.leftAt, entries: p.entries}
}

// room returns for how many fetches the reorder buffer's port has room in cycle t, after it has taken out what it takes then.
func (p *fetchPath) room(t uint64) int {
	room := reorderIn - (p.moved - p.taken)
	for i := p.taken - 1; room > 0 && p.takenAt[pathIndex(i)] > t; i-- {
		room--
	}
	return room
}

// next returns the first cycle after t in which the reorder buffer is known to take a fetch out of its port, or never.
func (p *fetchPath) next(t uint64) uint64 {
	at := never
	for i := p.taken - 1; i >= p.taken-reorderIn && p.takenAt[pathIndex(i)] > t; i-- {
		at = p.takenAt[pathIndex(i)]
	}
	return at
}
