package timing

// transaction is one line of a memory instruction, or one instruction fetch, between a compute unit and its L1's answer.
type transaction struct {
	ready uint64 // cycle of the L1's answer; never while unknown
	line  uint64
	mask  uint64 // bytes written
	enter uint64 // cycle at which it entered the L1 cache
	next  int32  // next transaction that waits for the same line or page, -1 none
	gen   uint32 // generation of the wavefront slot it belongs to
	unit  uint8  // compute unit of the shader array
	slot  uint8  // wavefront slot
	kind  accessKind
	last  bool   // last transaction of its instruction
	room  uint8  // place that it takes in L1S or L1I
	lines uint16 // of a vector memory instruction, at its first one
}

// accessKind tells what a request asks of a cache.
type accessKind uint8

const (
	readLine accessKind = iota
	writeLine
	atomicLine
)

// reorderBuffer hands answers back in the order of the requests.
type reorderBuffer struct {
	ring       []int32 // transactions, oldest first; its length is a power of two
	head, tail uint32
	admitted   uint32 // transactions before are on their way; those from here on wait for room (L1V's only)
	last       uint64 // cycle at which the latest answer left
}

func (r *reorderBuffer) push(tx int32) {
	if int(r.tail-r.head) == len(r.ring) {
		ring := make([]int32, max(64, 2*len(r.ring)))
		for i := r.head; i != r.tail; i++ {
			ring[i-r.head] = r.ring[i&uint32(len(r.ring)-1)]
		}
		r.ring, r.tail, r.admitted, r.head = ring, r.tail-r.head, r.admitted-r.head, 0
	}
	r.ring[r.tail&uint32(len(r.ring)-1)] = tx
	r.tail++
}

func (r *reorderBuffer) empty() bool { return r.head == r.tail }

func (r *reorderBuffer) front() int32 { return r.ring[r.head&uint32(len(r.ring)-1)] }

// transactions is a pool of transactions with a free list.
type transactions struct {
	all  []transaction
	free []int32
}

func (p *transactions) get() int32 {
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		return i
	}
	p.all = append(p.all, transaction{})
	return int32(len(p.all) - 1)
}

func (p *transactions) put(i int32) { p.free = append(p.free, i) }
