package timing

import (
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// scalarMemory issues an s_load (or s_store, s_memtime, …) at cycle t. Its lines go through the L1S that the shader array shares.
func (u *computeUnit) scalarMemory(t uint64, slot int, w *wave, op *emu.Op) {
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
		w.smem.completeEmpty(t + u.lat.scalarMemory)
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
	at := t + u.lat.scalarToL1
	for line := first; line <= last; line++ {
		tx := a.transactions.get()
		n := &a.transactions.all[tx]
		*n = transaction{ready: never, line: line, next: -1, gen: w.gen, unit: uint8(u.index), slot: uint8(slot), kind: kind,
			mask: 0xF, last: line == last}
		a.l1sOrder.push(tx)
		if ready := a.translate(&a.l1sTLB, portL1S, at, line>>(pageShift-lineShift), tx); ready != never {
			a.enterL1S(tx, ready)
		}
	}
	a.drainScalar()
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
		a.send(t+a.lat.l1sToL2, x.line, x.mask, tx, writeLine, portL1S)
		return
	}
	c.RequestsRead++
	if e := a.l1s.find(x.line); e != nil {
		a.l1s.touch(e)
		switch {
		case e.ready <= t:
			c.ReadHit++
			x.ready = t + a.lat.l1sHit
			c.LatencySum += a.lat.l1sHit
			c.Completed++
		case e.ready != never:
			c.ReadMSHRHit++
			x.ready = e.ready
			c.LatencySum += e.ready - t
			c.Completed++
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
		u := &a.units[x.unit]
		slot := int(x.slot)
		w := &u.waves[slot]
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
