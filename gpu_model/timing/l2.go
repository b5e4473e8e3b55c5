package timing

import "github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"

// request is what leaves a shader array for an L2 bank.
type request struct {
	at   uint64 // cycle at which it reaches the bank
	line uint64
	mask uint64 // bytes written
	id   int32  // entry of the sender's miss table (reads) or its transaction (writes, atomics)
	kind accessKind
	from uint8 // sender's port: compute unit, L1S or L1I
}

// reply is the L2's answer to a request.
type reply struct {
	at   uint64 // cycle at which it reaches the sender
	id   int32
	kind accessKind
}

// bankHead is what the GPU looks at in every window, in one cache line of the host's: another thread may have simulated the bank.
type bankHead struct {
	due     uint64 // earliest request that waits, never if none
	replied uint64 // earliest reply of the latest window, never if none
	served  int    // requests of the latest window
	_       [40]byte
	marks   workMarks // cycles in which it answers
}

// l2Bank is one bank of the L2 with its memory controller. Requests go through its directory in the order of their arrival; one that
// cannot go on, for want of an MSHR or because its line is locked, holds up those behind it. A line is locked from the directory's decision until
// the bank's data array has been written; while it is on its way from DRAM, requests for it join its MSHR.
type l2Bank struct {
	bankHead
	spec     *gpuconfig.L2
	tags     tags
	dram     controller
	timing   l2Timing
	counters CacheCounters

	next  uint64 // no request is accepted before
	slot  uint64 // cycle in which the latest request was accepted
	count int    // requests accepted in it

	mshrs []uint64 // min-heap of the cycles at which the MSHRs in use are released
	out   writeBuffer

	local func(line uint64) uint64 // number of a line within the bank's part of the address space
	bytes uint64                   // moved between L1 caches and the bank

	inLink, outLink link // its port to the L1 caches

	senders  set // mailboxes with requests for the bank
	answered set // mailboxes that it answered in the latest window
	arrived  []arrival
	order    timeOrder
	keys     []uint64

	_ [200]byte // whole cache lines of the host's, and one between banks, which different threads write
}

// arrival is a request with its sender, as gathered for a window.
type arrival struct {
	request
	from *mailbox
}

// l2Timing holds the fixed times of a bank in cycles.
type l2Timing struct {
	hit    uint64 // request accepted to reply sent, line present (reads and writes); the same to a victim's arrival in the write buffer
	array  uint64 // request accepted to the data array read or written; data from DRAM to the same
	toDRAM uint64 // request accepted to fetch sent
	answer uint64 // data array written to reply sent, after a fetch
}

// accept returns the cycle in which the bank accepts a request that comes at cycle at, if nothing but those before it holds it up.
func (b *l2Bank) accept(at uint64) uint64 {
	t := max(at, b.next)
	if t != b.slot {
		b.slot, b.count = t, 1
		return t
	}
	if b.count++; b.count > b.spec.RequestsPerCycle {
		t++
		b.slot, b.count = t, 1
	}
	return t
}

// hold makes the request that is being accepted wait until cycle t, and those behind it.
func (b *l2Bank) hold(t uint64) uint64 {
	if t > b.slot {
		b.slot, b.count = t, 1
	}
	return t
}

// perform carries out one request and returns the cycle at which the reply leaves the bank.
func (b *l2Bank) perform(r *request, extra uint64) uint64 {
	t := b.accept(r.at)
	line := b.local(r.line)
	e := b.tags.find(line)
	c := &b.counters
	read := r.kind == readLine
	if read {
		c.RequestsRead++
	} else {
		c.RequestsWrite++
	}
	var done uint64
	switch {
	case e == nil:
		t, done = b.miss(r, line, t)
	case e.fetched && t+b.timing.array < e.ready:
		if read {
			c.ReadMSHRHit++
		} else {
			c.WriteMSHRHit++
			e.dirty = true
		}
		b.tags.touch(e)
		done = e.ready + b.timing.answer
	default:
		t = b.hold(max(t, e.ready))
		if read {
			c.ReadHit++
			e.readers(t + b.timing.array)
		} else {
			c.WriteHit++
			t = b.hold(e.unread(t, b.timing.array))
			e.dirty, e.fetched = true, false
			e.ready = t + b.timing.array
		}
		b.tags.touch(e)
		done = t + b.timing.hit
	}
	b.next = max(b.next, t+extra)
	c.LatencySum += done - r.at
	c.Completed++
	return done
}

// readers notes that the data array reads the line until cycle t.
func (e *tagLine) readers(t uint64) { e.miss = int32(uint32(t)) }

// unread returns the first cycle from t on in which the data array does not read the line. A read takes no more than so many cycles.
func (e *tagLine) unread(t, most uint64) uint64 {
	if left := e.miss - int32(uint32(t)); left > 0 && left <= int32(most) {
		return t + uint64(left)
	}
	return t
}

// miss makes room for the line and fetches it, unless the request writes all of it. It returns when the request is accepted and when the
// reply leaves.
func (b *l2Bank) miss(r *request, line, t uint64) (accepted, done uint64) {
	c := &b.counters
	if r.kind == readLine {
		c.ReadMiss++
	} else {
		c.WriteMiss++
	}
	full := r.kind == writeLine && r.mask == ^uint64(0)
	if !full && len(b.mshrs) == b.spec.MSHRs {
		t = b.hold(max(t, b.releaseMSHR()))
	}
	way := b.tags.victim(line, t)
	for way < 0 {
		t = b.hold(max(t+1, b.tags.nextReady(line)))
		way = b.tags.victim(line, t)
	}
	e := &b.tags.lines[way]
	t = b.hold(e.unread(t, b.timing.array))
	evicted := e.line != noLine && e.dirty
	sent := b.out.pass(t + b.timing.toDRAM)
	if evicted {
		// The store or fetch follows its victim into the write buffer.
		sent = b.out.enter(t+b.timing.hit, &b.dram, e.line)
		if room := b.out.room(); room > b.timing.hit {
			b.next = max(b.next, room-b.timing.hit)
		}
	}
	e = b.tags.place(way, tagLine{line: line, dirty: r.kind != readLine, fetched: !full})
	switch {
	case !full:
		data := b.dram.read(sent+1, line)
		b.holdMSHR(data)
		e.ready = data + b.timing.array
		return t, e.ready + b.timing.answer
	case evicted:
		e.ready = sent + b.timing.array - 1
		return t, sent + b.timing.array
	}
	e.ready = t + b.timing.array
	return t, t + b.timing.hit
}

// writeBuffer holds lines on their way from a bank to DRAM. A store does not wait for its victim's way there, only for room. While it has
// none, what comes behind waits too (source: wr4_4096KB_512wg_x2, second launch).
type writeBuffer struct {
	written [writeBufferLines]uint64 // cycles at which the latest write-backs are acknowledged
	entered [writeBufferInput]uint64 // cycles at which the latest ones entered
	n       uint64                   // write-backs
	from    uint64                   // what comes from this cycle on
	until   uint64                   // waits until this one
}

const (
	writeBufferLines = 1024 // source: r9nano figures
	writeBufferInput = 32   // its queue and the one before it
)

// enter lets a victim enter that the bank has read at cycle at, and writes it to DRAM. It returns the cycle in which it enters.
func (w *writeBuffer) enter(at uint64, dram *controller, line uint64) uint64 {
	oldest := &w.written[w.n%writeBufferLines]
	t := max(w.pass(at), *oldest+1)
	if t > at {
		if at > w.until {
			w.from = at
		}
		w.until = t
	}
	w.entered[w.n%writeBufferInput] = t
	w.n++
	*oldest = dram.write(t+1, line)
	return t
}

// pass returns the cycle in which what comes at cycle at goes through.
func (w *writeBuffer) pass(at uint64) uint64 {
	if at >= w.from && at < w.until {
		return w.until
	}
	return at
}

// room returns the cycle from which another victim finds room in the queue.
func (w *writeBuffer) room() uint64 { return w.entered[w.n%writeBufferInput] }

// holdMSHR notes that an MSHR is in use until cycle at.
func (b *l2Bank) holdMSHR(at uint64) {
	b.mshrs = append(b.mshrs, at)
	h := b.mshrs
	for i := len(h) - 1; i > 0; {
		p := (i - 1) / 2
		if h[p] <= h[i] {
			break
		}
		h[p], h[i] = h[i], h[p]
		i = p
	}
}

// releaseMSHR takes out the MSHR that is released first and returns when.
func (b *l2Bank) releaseMSHR() uint64 {
	h := b.mshrs
	first := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	b.mshrs = h
	for i := 0; ; {
		k := 2*i + 1
		if k >= last {
			break
		}
		if k+1 < last && h[k+1] < h[k] {
			k++
		}
		if h[i] <= h[k] {
			break
		}
		h[i], h[k] = h[k], h[i]
		i = k
	}
	return first
}
