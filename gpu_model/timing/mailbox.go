package timing

// mailbox is what a shader array, or a unit beside the L2, exchanges with the L2 banks between windows.
type mailbox struct {
	index    int         // its place among the GPU's mailboxes
	out      [][]request // by L2 bank, with arrivals at any time from the window on
	outNext  []uint64    // earliest arrival in each
	posted   set         // banks that have got requests since the GPU looked
	boxes    [][]reply   // answers, by L2 bank
	answered set         // banks with answers
}

func newMailbox(banks int) mailbox {
	m := mailbox{out: make([][]request, banks), outNext: make([]uint64, banks), boxes: make([][]reply, banks),
		posted: newSet(banks), answered: newSet(banks)}
	for i := range m.outNext {
		m.outNext[i] = never
	}
	return m
}

// post puts a request into a bank's out-box.
func (m *mailbox) post(bank int, r request) {
	if r.at < m.outNext[bank] {
		m.outNext[bank] = r.at
	}
	m.out[bank] = append(m.out[bank], r)
	m.posted.add(bank)
}

// collect moves the requests that reach a bank before cycle to into list, and returns the earliest of the rest.
func (m *mailbox) collect(bank int, to uint64, list []arrival) ([]arrival, uint64) {
	if m.outNext[bank] >= to {
		return list, m.outNext[bank]
	}
	box := m.out[bank]
	keep, next := box[:0], never
	for i := range box {
		if box[i].at < to {
			list = append(list, arrival{box[i], m})
		} else {
			next = min(next, box[i].at)
			keep = append(keep, box[i])
		}
	}
	m.out[bank], m.outNext[bank] = keep, next
	return list, next
}
