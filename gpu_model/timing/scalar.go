package timing

import (
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// scalarMemory issues an s_load (or s_store, s_memtime, …) at cycle t, which enters the scalar unit at cycle start. Its lines go through the L1S that the shader array shares.
func (u *computeUnit) scalarMemory(t, start uint64, slot int, w *wave, op *emu.Op) {
	e, a := w.emu, u.array
	w.executeAlone(op)
	op.Address(e, op)
	if w.fault = e.Fault; w.fault != nil {
		return
	}
	x := &a.workspace.Access
	e.Now = t * a.gpu.picoseconds
	w.smem.issue()
	if x.ScalarBytes == 0 {
		op.Perform(e, op, x)
		w.smem.completeEmpty(start + u.lat.scalarMemory)
		return
	}
	switch {
	case x.Kind == emu.AccessScalarLoad && a.gpu.run.views && a.viewRange(x.Addr[0], uint64(x.ScalarBytes)):
		w.late = append(w.late, lateLoad{op: op, access: a.keepAccess(), number: w.smem.issued, scalar: true})
	case x.Kind == emu.AccessScalarLoad && w.stored != a.window:
		op.Perform(e, op, x)
	default:
		a.deferAccess(t, u, slot, w, op)
	}
	kind := readLine
	if x.Kind == emu.AccessScalarStore {
		kind = writeLine
		w.stored = a.window
	}
	first, last := x.Addr[0]>>lineShift, (x.Addr[0]+uint64(x.ScalarBytes)-1)>>lineShift
	for line := first; line <= last; line++ {
		tx := a.transactions.get()
		n := &a.transactions.all[tx]
		*n = transaction{ready: never, line: line, next: -1, gen: w.gen, unit: uint8(u.index), slot: uint8(slot), kind: kind,
			mask: 0xF, last: line == last}
		a.loads = append(a.loads, scalarRequest{at: start, tx: tx, unit: uint8(u.index)})
	}
	a.loadAt = min(a.loadAt, start)
}

// scalarRequest is a transaction that a compute unit's scalar unit sends in cycle at.
type scalarRequest struct {
	at   uint64
	tx   int32
	unit uint8
}

// moveLoads lets the connection to the scalar path move what the compute units' scalar units send in cycle t: unit by unit, beginning with another
// one in every cycle in which it works. The answers' side is a port too, the first (source: occ_vgpr24, the order of the first loads).
func (a *shaderArray) moveLoads(t uint64) {
	if len(a.loads) == 1 {
		a.sendScalar(t, a.loads[0].tx)
	} else {
		a.scalarConnection.count(t)
		unit := max(int(a.scalarConnection.n%uint64(len(a.units)+1)), 1) - 1
		for range a.units {
			for _, r := range a.loads {
				if int(r.unit) == unit && r.at <= t {
					a.sendScalar(t, r.tx)
				}
			}
			if unit++; unit == len(a.units) {
				unit = 0
			}
		}
	}
	a.scalarConnection.markFrom(a.clock, t, 2)
	keep := a.loads[:0]
	a.loadAt = never
	for _, r := range a.loads {
		if r.at > t {
			keep = append(keep, r)
			a.loadAt = min(a.loadAt, r.at)
		}
	}
	a.loads = keep
	a.drainScalar()
}

// sendScalar sends a transaction on its way to L1S in cycle t.
func (a *shaderArray) sendScalar(t uint64, tx int32) {
	a.l1sOrder.push(tx)
	page := a.transactions.all[tx].line >> (pageShift - lineShift)
	if ready := a.translate(&a.l1sTLB, portL1S, t+a.lat.scalarToL1, page, tx); ready != never {
		a.arriveL1S(tx, ready+a.lat.tlbToL1S)
	}
}

// scalarRoom is how many requests the scalar cache holds, from taking one in to answering it (source: vadd_dep_640x256, of whose first loads
// 16 of a shader array miss).
const scalarRoom = 16

// arriveL1S lets a translated transaction arrive at L1S at cycle t.
func (a *shaderArray) arriveL1S(tx int32, t uint64) {
	a.transactions.all[tx].enter = t
	a.l1sHeld = append(a.l1sHeld, tx)
	if len(a.l1sHeld) == 1 {
		a.admitScalar()
	}
}

// admitScalar lets L1S take transactions in, in order, as far as it is known when it has room.
func (a *shaderArray) admitScalar() {
	n := 0
	for ; n < len(a.l1sHeld); n++ {
		tx := a.l1sHeld[n]
		x := &a.transactions.all[tx]
		t := max(x.enter, a.l1sTaken)
		room, free := 0, never
		for i, at := range a.scalarSlots {
			if at <= t {
				room, free = i, t
				break
			}
			if at < free {
				room, free = i, at
			}
		}
		if free == never {
			break
		}
		a.l1sTaken = free
		a.scalarSlots[room] = never
		x.room = uint8(room)
		a.enterL1S(tx, free)
	}
	if n > 0 {
		a.l1sHeld = a.l1sHeld[:copy(a.l1sHeld, a.l1sHeld[n:])]
	}
}

// enterL1S looks a transaction up in L1S at cycle t.
func (a *shaderArray) enterL1S(tx int32, t uint64) {
	x := &a.transactions.all[tx]
	x.enter = t
	c := &a.countL1S
	if x.kind != readLine {
		c.RequestsWrite++
		c.WriteMiss++
		a.l1s.invalidate(x.line)
		a.scalarSlots[x.room] = t
		a.send(t+a.lat.l1sToL2, x.line, x.mask, tx, writeLine, portL1S)
		return
	}
	c.RequestsRead++
	if e := a.l1s.find(x.line); e != nil {
		a.l1s.touch(e)
		switch {
		case e.ready <= t+fillLock:
			c.ReadHit++
			if e.ready > t { // holds up those behind it
				t = e.ready
				a.l1sTaken = t
			}
			a.answeredL1S(x, t+a.lat.l1sHit)
		case e.ready != never:
			c.ReadMSHRHit++
			a.answeredL1S(x, e.ready)
		default:
			c.ReadMSHRHit++
			a.await(e.miss, tx)
		}
		return
	}
	c.ReadMiss++
	id := a.allocateMiss(&a.l1s, x.line, t, portL1S)
	a.await(id, tx)
	a.send(t+a.lat.l1sToL2, x.line, 0, id, readLine, portL1S)
}

// answeredL1S notes when L1S answers a load.
func (a *shaderArray) answeredL1S(x *transaction, at uint64) {
	x.ready = at
	a.scalarSlots[x.room] = at
	a.countL1S.LatencySum += at - x.enter
	a.countL1S.Completed++
}

// drainScalar completes the answered scalar loads at the head of the reorder buffer.
func (a *shaderArray) drainScalar() {
	r := &a.l1sOrder
	for !r.empty() {
		tx := r.front()
		x := &a.transactions.all[tx]
		if x.ready == never {
			return
		}
		r.head++
		at := max(x.ready+a.lat.l1ToScalar, r.last)
		r.last = at
		a.scalarConnection.markFrom(a.clock, at-2, 2)
		u := &a.units[x.unit]
		at = max(at, u.lastScalar+1) // it takes one answer a cycle
		u.lastScalar = at
		slot := int(x.slot)
		w := &u.waves[slot&63]
		u.markAwake(at-1, 2)
		if x.last && w.gen == x.gen && w.emu != nil {
			w.smem.complete(at)
			if len(w.late) != 0 {
				a.performLate(w, &w.smem, true)
			}
			if w.state == waitVector {
				u.waitCount(slot, w, w.at)
			}
		}
		a.transactions.put(tx)
	}
}

// viewRange reports whether the bytes touch a compacted view.
func (a *shaderArray) viewRange(address, bytes uint64) bool {
	m := a.gpu.mem
	return (m.Flags(address)|m.Flags(address+bytes-1))&memory.PageView != 0
}
