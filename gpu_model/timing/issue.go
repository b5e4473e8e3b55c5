package timing

import (
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// Issue ports of a compute unit: the unit types that an instruction may go to. In a cycle, every SIMD offers each port the oldest of its
// wavefronts that are ready for it.
const (
	portScalar = iota
	portVector
	portVMem
	portLDS
	portBranch
	portSpecial
	ports
	portRoom = 8 // of tables over ports, so that no index needs a check
)

// prepare puts a wavefront into the ready set of its next instruction's port if the instruction is in its buffer.
func (u *computeUnit) prepare(t uint64, slot int, w *wave) (decoded bool) {
	u.consumed(t, slot, w)
	if uint(w.next) >= uint(len(u.ops)) {
		w.emu.LeaveProgram()
		if a := u.array; a.fault == nil {
			a.fault, a.faultAt = w.emu.Fault, t
		}
		return false
	}
	op := &u.ops[w.next]
	u.chargeIssued(t, w)
	if at := u.available(t, w, op); at > t {
		w.cause, w.pc = CauseFetch, w.next
		if at == never {
			w.state = waitFetch
			return false
		}
		u.wake(slot, at)
		return false
	}
	p := unitPorts[op.Unit&7]
	u.ready[p&7] |= 1 << slot
	u.waited |= 1 << p
	return true
}

// unitPorts gives the port of an instruction's unit.
var unitPorts = [8]uint8{isa.UnitVALU: portVector, isa.UnitScalar: portScalar, isa.UnitVMem: portVMem, isa.UnitLDS: portLDS,
	isa.UnitBranch: portBranch, isa.UnitSpecial: portSpecial}

// decodeQueue holds the instructions that have issued to a unit and have not entered it. The four SIMDs share its entries; that the
// time at which an instruction will leave it is known when it enters makes a queue out of four numbers.
type decodeQueue struct {
	leave [4]uint64 // cycles from which the entries are free, in order
}

// free returns the cycle from which the queue has room.
func (q *decodeQueue) free() uint64 { return q.leave[0] }

// enter puts in an instruction that leaves at cycle at. The queue must have room.
func (q *decodeQueue) enter(at uint64) {
	l := &q.leave
	l[0], at = min(l[1], at), max(l[1], at)
	l[1], at = min(l[2], at), max(l[2], at)
	l[2], l[3] = min(l[3], at), max(l[3], at)
}

// issueFrom lets the wavefronts issue that are ready for a port and find room: those of the SIMDs in turn, the oldest of each. It returns
// when the port has to be looked at again, never if no wavefront is left.
func (u *computeUnit) issueFrom(t uint64, p int) uint64 {
	q := &u.queues[p&7]
	set := u.ready[p&7]
	if q.free() > t {
		return q.free()
	}
	if set&(set-1) == 0 {
		u.ready[p&7] = 0
		u.waited &^= 1 << p
		u.issue(t, p, bits.TrailingZeros64(set))
		return never
	}
	left := set
	for i, simd := 0, u.firstSIMD(t); i < 4; i, simd = i+1, (simd+1)&3 {
		m := set & u.ofSIMD[simd&3]
		if m == 0 {
			continue
		}
		if q.free() > t {
			break
		}
		slot := u.oldest(m)
		left &^= 1 << slot
		u.issue(t, p, slot)
	}
	u.ready[p&7] = left
	if left == 0 {
		u.waited &^= 1 << p
		return never
	}
	return max(t+1, q.free())
}

// oldest returns the slot of the set's oldest wavefront.
func (u *computeUnit) oldest(set uint64) int {
	best := bits.TrailingZeros64(set)
	for m := set & (set - 1); m != 0; m &= m - 1 {
		if slot := bits.TrailingZeros64(m); u.waves[slot&63].age < u.waves[best&63].age {
			best = slot
		}
	}
	return best
}

// issue carries out one instruction.
func (u *computeUnit) issue(t uint64, p, slot int) {
	w := &u.waves[slot&63]
	op := &u.ops[w.next]
	a := u.array
	w.pc = w.next
	if w.at != t {
		u.charge(t, w, portCauses[p&7])
	}
	w.cause = issueCauses[p&7]
	if a.profile != nil {
		a.profile.Issues[w.pc]++
	}
	if a.firstInstruction == never {
		a.firstInstruction = t
	}
	u.counts.Total++
	lat := u.lat
	switch p {
	case portVector:
		u.counts.VALU++
		u.perSIMD[w.simd&3]++
		w.execute(op)
		free := &u.simdFree[w.simd&3]
		start := max(t+1, *free)
		u.queues[portVector].enter(start)
		cycles := lat.valu
		if op.Cycles > 4 {
			cycles = lat.valuDouble
		}
		*free = start + cycles
		if cycles > lat.valu {
			u.markAwake(start+1, cycles+1)
		}
		w.queued, w.took = uint32(start-t-1), uint32(start+cycles-t)
		u.follow(t, slot, w, start+cycles)
	case portScalar:
		u.counts.Scalar++
		start := max(t+1, u.scalarFree)
		u.scalarFree = start + 1
		u.queues[portScalar].enter(start)
		w.queued, w.took = uint32(start-t-1), uint32(start+lat.scalar-t)
		if op.Address != nil {
			w.cause = CauseScalarMemory
			u.scalarMemory(t, start, slot, w, op)
			w.fault = w.emu.Fault
			u.follow(t, slot, w, start+lat.scalarMemory)
			break
		}
		w.execute(op)
		u.follow(t, slot, w, start+lat.scalar)
	case portBranch:
		u.counts.Branch++
		u.queues[portBranch].leave[0] = t + 1
		w.executeAlone(op)
		// Taken or not, a branch empties the instruction buffer.
		u.jump(t+lat.branch, slot, w)
		if w.fault == nil {
			u.wake(slot, t+lat.branch)
		}
	case portVMem:
		u.counts.VMem++
		u.queues[portVMem].enter(t + 1)
		at := u.vectorMemory(t, slot, w, op)
		w.fault = w.emu.Fault
		if at != never {
			u.follow(t, slot, w, at)
		}
	case portLDS:
		u.counts.LDS++
		latch := max(t+1, u.ldsStart)
		start := max(latch+1, u.ldsStart+lat.lds)
		u.ldsStart = start
		u.queues[portLDS].enter(latch)
		u.markAwake(t+1, start+lat.ldsNext+1-t)
		w.executeAlone(op)
		w.lds.add(start + lat.ldsNext)
		w.queued, w.took = uint32(start-t-2), uint32(start+lat.ldsNext-t)
		u.follow(t, slot, w, start+lat.ldsNext)
	default:
		u.counts.Special++
		u.special(t, slot, w, op)
	}
	if w.ahead == 0 && w.fault != nil && a.fault == nil {
		a.fault, a.faultAt = w.fault, t
	}
}

// execute carries out the instruction that issues, which only computes, and those behind it that do the same; when they issue, nothing
// is left to do but their timing.
func (w *wave) execute(op *emu.Op) {
	if w.ahead == 0 {
		e := w.emu
		w.ahead = int32(e.RunAhead())
		w.behind, w.fault = e.PC, e.Fault
	}
	w.next = op.Next
	if w.ahead--; w.ahead == 0 {
		w.next = w.behind
	}
}

// executeAlone carries out an instruction that does more than compute.
func (w *wave) executeAlone(op *emu.Op) {
	e := w.emu
	op.Execute(e, op)
	w.next, w.fault = e.PC, e.Fault
}

// follow schedules a wavefront's next instruction at cycle at, after the instruction that issued at t.
func (u *computeUnit) follow(t uint64, slot int, w *wave, at uint64) {
	if at > u.array.lastInstruction {
		u.array.lastInstruction = at
	}
	if w.ahead == 0 && w.fault != nil {
		return
	}
	u.wake(slot, at)
}
