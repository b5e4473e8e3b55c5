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
}

// l2Bank is one bank of the L2 with its memory controller. Requests are carried out in the order of their arrival; a request that
// finds no free MSHR holds up those behind it.
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

	local func(line uint64) uint64 // number of a line within the bank's part of the address space
	bytes uint64                   // moved between L1 caches and the bank

	in, out link // its port to the L1 caches

	senders  set // mailboxes with requests for the bank
	answered set // mailboxes that it answered in the latest window
	arrived  []arrival
	order    timeOrder

	_ [168]byte // whole cache lines of the host's, and one between banks, which different threads write
}

// arrival is a request with its sender, as gathered for a window.
type arrival struct {
	request
	from *mailbox
}

// l2Timing holds the fixed times of a bank in cycles.
type l2Timing struct {
	hit       uint64 // request accepted to reply sent, line present (reads and writes)
	toDRAM    uint64 // request accepted to request at the controller
	fromDRAM  uint64 // data from the controller to reply sent
	fullWrite uint64 // write of a whole line that is not present
}

// perform carries out one request and returns the cycle at which the reply leaves the bank.
func (b *l2Bank) perform(r *request, extra uint64) uint64 {
	t := max(r.at, b.next)
	if t == b.slot {
		if b.count++; b.count > b.spec.RequestsPerCycle {
			t++
			b.slot, b.count = t, 1
		}
	} else {
		b.slot, b.count = t, 1
	}
	if extra != 0 {
		b.next = t + extra
	} else {
		b.next = t
	}
	line := b.local(r.line)
	e := b.tags.find(line)
	c := &b.counters
	if r.kind == readLine {
		c.RequestsRead++
	} else {
		c.RequestsWrite++
	}
	var done uint64
	switch {
	case e != nil && e.ready <= t:
		if r.kind == readLine {
			c.ReadHit++
		} else {
			c.WriteHit++
			e.dirty = true
		}
		b.tags.touch(e)
		done = t + b.timing.hit
	case e != nil:
		if r.kind == readLine {
			c.ReadMSHRHit++
		} else {
			c.WriteMSHRHit++
			e.dirty = true
		}
		b.tags.touch(e)
		done = e.ready + b.timing.fromDRAM
	default:
		done = b.miss(r, line, t)
	}
	c.LatencySum += done - r.at
	c.Completed++
	return done
}

// miss makes room for the line and fetches it, unless the request writes all of it.
func (b *l2Bank) miss(r *request, line, t uint64) uint64 {
	c := &b.counters
	if r.kind == readLine {
		c.ReadMiss++
	} else {
		c.WriteMiss++
	}
	full := r.kind == writeLine && r.mask == ^uint64(0)
	if !full {
		if len(b.mshrs) == b.spec.MSHRs {
			if released := b.releaseMSHR(); released > t {
				t = released
				b.next = t
			}
		}
	}
	way := b.tags.victim(line, t)
	for way < 0 {
		t++ // every way waits for its fill: hold until one is there
		b.next = t
		way = b.tags.victim(line, t)
	}
	if e := &b.tags.lines[way]; e.line != noLine && e.dirty {
		// Only so many write-backs may wait for the controller (wr4_4096KB_512wg_x2, second launch).
		b.dram.write(t+b.timing.toDRAM, e.line)
		if limit := t + b.timing.toDRAM + evictionsInFlight; b.dram.slot > limit {
			t += b.dram.slot - limit
			b.next = t
		}
	}
	e := b.tags.place(way, tagLine{line: line, dirty: r.kind != readLine})
	if full {
		e.ready = t
		return t + b.timing.fullWrite
	}
	data := b.dram.read(t+b.timing.toDRAM, line)
	e.ready = data
	b.holdMSHR(data + b.timing.fromDRAM)
	return data + b.timing.fromDRAM
}

// evictionsInFlight is how many write-backs of a bank may wait for its controller (source: r9nano figures).
const evictionsInFlight = 128

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
