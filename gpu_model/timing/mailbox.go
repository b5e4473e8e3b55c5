package timing

// mailbox is what a shader array, or a unit beside the L2, exchanges with the L2 banks between windows.
type mailbox struct {
	index    int       // its place among the GPU's mailboxes
	banks    []bankBox // what it exchanges with each L2 bank
	posted   set       // banks that have got requests since the GPU looked
	answered set       // banks with answers
}

// bankBox is what one sender exchanges with one bank. It takes a cache line of the host's: the host thread that simulates the bank writes
// it, and another one its neighbour.
type bankBox struct {
	out     []request // with arrivals at any time from the window on
	next    uint64    // earliest of them
	replies []reply
	_       [8]byte
}

func newMailbox(banks int) mailbox {
	m := mailbox{banks: make([]bankBox, banks)}
	m.posted, m.answered = newSets(banks)
	for i := range m.banks {
		m.banks[i].next = never
	}
	return m
}

// post puts a request into a bank's out-box.
func (m *mailbox) post(bank int, r request) {
	b := &m.banks[bank]
	if r.at < b.next {
		b.next = r.at
	}
	b.out = append(b.out, r)
	m.posted.add(bank)
}

// collect moves the requests that reach a bank before cycle to into list, and returns the earliest of the rest.
func (m *mailbox) collect(bank int, to uint64, list []arrival) ([]arrival, uint64) {
	b := &m.banks[bank]
	if b.next >= to {
		return list, b.next
	}
	keep, next := b.out[:0], never
	for i := range b.out {
		if r := &b.out[i]; r.at < to {
			list = append(list, arrival{*r, m})
		} else {
			next = min(next, r.at)
			keep = append(keep, *r)
		}
	}
	b.out, b.next = keep, next
	return list, next
}

// answer puts a reply into the box of a bank.
func (m *mailbox) answer(bank int, r reply) {
	b := &m.banks[bank]
	b.replies = append(b.replies, r)
}

func (m *mailbox) clear() {
	for i := range m.banks {
		b := &m.banks[i]
		b.out, b.replies, b.next = b.out[:0], b.replies[:0], never
	}
	clear(m.posted)
	clear(m.answered)
}
