package timing

// timeOrder puts events into the order of their times, events of one cycle in the order in which they were added. Times of a window lie close
// together, so that counting them takes less than comparing them.
type timeOrder struct {
	times []uint64
	order []int32
	count []int32
}

// countedSpan bounds the cycles between the first and the last event that are counted.
const countedSpan = 1024

func (o *timeOrder) reset()        { o.times = o.times[:0] }
func (o *timeOrder) add(at uint64) { o.times = append(o.times, at) }

// sorted returns the numbers of the events in order; the slice is valid until the next call.
func (o *timeOrder) sorted() []int32 {
	n := len(o.times)
	if cap(o.order) < n {
		o.order = make([]int32, n, 2*n)
	}
	order := o.order[:n]
	inOrder := true
	first, last := never, uint64(0)
	for i, at := range o.times {
		order[i] = int32(i)
		inOrder = inOrder && at >= last
		first, last = min(first, at), max(last, at)
	}
	switch {
	case inOrder:
	case n <= 12 || last-first >= countedSpan:
		o.insert(order)
	default:
		o.counted(order, first, int(last-first)+1)
	}
	return order
}

// insert sorts by insertion.
func (o *timeOrder) insert(order []int32) {
	for i := 1; i < len(order); i++ {
		x := order[i]
		j := i
		for ; j > 0 && o.times[x] < o.times[order[j-1]]; j-- {
			order[j] = order[j-1]
		}
		order[j] = x
	}
}

// counted sorts by counting the events of each of span cycles from first on.
func (o *timeOrder) counted(order []int32, first uint64, span int) {
	if cap(o.count) < span {
		o.count = make([]int32, countedSpan)
	}
	count := o.count[:span]
	clear(count)
	for _, at := range o.times {
		count[at-first]++
	}
	place := int32(0)
	for i, c := range count {
		count[i] = place
		place += c
	}
	for i, at := range o.times {
		p := &count[at-first]
		order[*p] = int32(i)
		*p++
	}
}
