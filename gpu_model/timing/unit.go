package timing

import (
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// Issue ports of a compute unit. Each SIMD is a port of its own, from portSIMD on, and special instructions issue from every SIMD.
const (
	portScalar = iota
	portBranch
	portVMem
	portLDS
	portSpecial
	portSIMD = portSpecial + 4
	ports    = portSIMD + 4
	portRoom = 16 // of tables over ports, so that no index needs a check
)

// computeUnit issues the instructions of up to 64 resident wavefronts. A wavefront whose next instruction may issue is in the
// ready set of that instruction's port; what a wavefront waits for otherwise is a cycle in the wheel or an event that puts it there.
type computeUnit struct {
	array *shaderArray
	lat   *latencies
	index int // within the shader array
	next  uint64

	waves [64]wave
	wheel wheel // wavefronts that look at their next instruction
	fetch wheel // wavefronts whose fetch arrives or that want to fetch

	ready      [portRoom]uint64 // wavefronts whose next instruction waits for the port
	waited     uint64           // ports that wavefronts wait for
	free       [portRoom]uint64 // cycle from which the port takes an instruction
	wantFetch  uint64           // wavefronts that want to fetch
	turn       [portRoom]uint8  // SIMD that last won a unit that the SIMDs share
	ofSIMD     [4]uint64        // wavefront slots of each SIMD
	lastFetch  uint64           // cycle of the latest fetch
	fetchRetry uint64           // cycle from which another may be sent

	tlb       tlb
	l1v       tags
	order     reorderBuffer
	coalescer coalescer
	held      []int32 // transactions held up at L1V by a full set, oldest first
	heldUntil uint64  // cycle before which none of them can go on
	pipeFree  uint64  // transaction pipeline: cycle of the next transaction

	stack     cycleStack
	counts    InstructionCounts
	countL1V  CacheCounters
	perSIMD   [4]uint64
	resident  int
	busySince uint64
	busy      uint64
	waveCount uint64
	groups    uint64

	freeSlots uint64
	room      room
}

func (u *computeUnit) init(a *shaderArray, index int) {
	s := a.spec
	*u = computeUnit{array: a, lat: a.lat, index: index, next: never, tlb: newTLB(s.L1VTLB), l1v: newTags(s.L1V.Bytes, s.L1V.Ways, 0)}
	u.start()
}

// start makes all of an idle compute unit's room free.
func (u *computeUnit) start() {
	s := u.array.spec
	u.freeSlots = ^uint64(0) >> (64 - uint(s.Core.SIMDs*s.Core.WavefrontSlots))
	u.room.init(s)
	for i := range s.Core.SIMDs {
		u.ofSIMD[i] = (1<<s.Core.WavefrontSlots - 1) << (i * s.Core.WavefrontSlots)
	}
}

// waitState tells what keeps a wavefront out of the wheel.
type waitState uint8

const (
	waitNone    waitState = iota
	waitFetch             // instruction bytes
	waitVector            // s_waitcnt
	waitBarrier           // s_barrier
)

// wave is a wavefront slot.
type wave struct {
	waveState
	vm   completions // vector memory
	lds  completions // counted by lgkmcnt, like
	smem completions // scalar memory
}

// begin gives the slot to a wavefront.
func (w *wave) begin(s waveState) {
	w.waveState = s
	w.vm.reset()
	w.lds.reset()
	w.smem.reset()
}

// waveState is what a wavefront finds fresh in its slot.
type waveState struct {
	emu   *emu.Wavefront
	ops   []emu.Op
	group *residentGroup
	at    uint64 // cycle at which it looks at its next instruction
	age   uint64 // dispatch order
	gen   uint32 // counts the wavefronts that used the slot
	state waitState
	simd  uint8

	next   uint32 // dword of the instruction to issue next
	behind uint32 // dword of the instruction behind those executed ahead
	ahead  int    // instructions that have been executed and not issued yet
	fault  error  // of the last of them, or of the latest one

	fetch fetchState
	wait  [2]int // s_waitcnt being waited for: vm and lgkm counts
	flat  uint16 // which of vm are FLAT, see flatCompletions

	ending bool // s_endpgm has issued

	cause   Cause  // what the wavefront has been doing since it was charged last
	pc      uint32 // for which instruction
	charged uint64 // what it had been given then
	late    []lateLoad
	stored  uint64 // number of the window of its latest store
}

// wake schedules a wavefront at cycle at, or now if that is over.
func (u *computeUnit) wake(slot int, at uint64) {
	now := u.array.clock
	if at < now {
		at = now
	}
	w := &u.waves[slot]
	w.at, w.state = at, waitNone
	u.wheel.add(now, at, 1<<slot)
	if at < u.next {
		u.next = at
	}
}

// wakeFetch schedules a wavefront's fetch at cycle at, or now if that is over.
func (u *computeUnit) wakeFetch(slot int, at uint64) {
	now := u.array.clock
	if at < now {
		at = now
	}
	u.fetch.add(now, at, 1<<slot)
	if at < u.next {
		u.next = at
	}
}

// step carries out cycle t.
func (u *computeUnit) step(t uint64) {
	jumps := uint64(0)
	if m := u.fetch.take(t); m != 0 {
		jumps = u.fetchEvents(t, m)
	}
	if u.wantFetch != 0 && (u.fetchRetry <= t || u.fetchRetry == never) {
		u.arbitrateFetch(t)
	}
	if jumps != 0 {
		u.redirectAll(t, jumps)
	}
	for m := u.wheel.take(t); m != 0; m &= m - 1 {
		slot := bits.TrailingZeros64(m)
		w := &u.waves[slot]
		if w.at > t {
			u.wheel.add(t, w.at, 1<<slot)
			continue
		}
		if w.ending {
			u.end(t, slot, w)
			continue
		}
		u.prepare(t, slot, w)
	}
	wakeAt := never
	for m := u.waited; m != 0; m &= m - 1 {
		p := bits.TrailingZeros64(m) & 15
		if u.free[p] <= t {
			slot := u.choose(p)
			u.ready[p] &^= 1 << slot
			if u.ready[p] == 0 {
				u.waited &^= 1 << p
			}
			u.issue(t, p, slot)
			if u.ready[p] == 0 {
				continue
			}
		}
		wakeAt = min(wakeAt, max(u.free[p], t+1))
	}
	if u.wantFetch != 0 {
		wakeAt = min(wakeAt, max(u.fetchRetry, t+1))
	}
	u.next = min(wakeAt, u.wheel.next(t), u.fetch.next(t))
}

// choose picks the wavefront that issues from a port: the oldest of a SIMD, and where SIMDs contend for a unit, they take turns. A
// wavefront alone does not change whose turn it is (four wavefronts in gemm64 fix that).
func (u *computeUnit) choose(p int) int {
	set := u.ready[p]
	if set&(set-1) == 0 {
		return bits.TrailingZeros64(set)
	}
	if p < portSpecial {
		count := uint8(u.array.spec.Core.SIMDs)
		for simd := u.turn[p]; ; {
			if simd++; simd >= count {
				simd = 0
			}
			if m := set & u.ofSIMD[simd]; m != 0 {
				u.turn[p] = simd
				return u.oldest(m)
			}
		}
	}
	return u.oldest(set)
}

// oldest returns the slot of the set's oldest wavefront.
func (u *computeUnit) oldest(set uint64) int {
	best := bits.TrailingZeros64(set)
	for m := set & (set - 1); m != 0; m &= m - 1 {
		if slot := bits.TrailingZeros64(m); u.waves[slot].age < u.waves[best].age {
			best = slot
		}
	}
	return best
}

// prepare puts a wavefront into the ready set of its next instruction's port if the instruction is in its buffer.
func (u *computeUnit) prepare(t uint64, slot int, w *wave) {
	u.consumed(t, slot, w)
	if uint(w.next) >= uint(len(w.ops)) {
		w.emu.LeaveProgram()
		if a := u.array; a.fault == nil {
			a.fault, a.faultAt = w.emu.Fault, t
		}
		return
	}
	op := &w.ops[w.next]
	u.charge(t, w, w.cause)
	if at := u.available(t, w, op); at > t {
		w.cause, w.pc = CauseFetch, w.next
		if at == never {
			w.state = waitFetch
			return
		}
		u.wake(slot, at)
		return
	}
	port := unitPorts[op.Unit&7]
	p := port.first + w.simd&port.simd
	u.ready[p&15] |= 1 << slot
	u.waited |= 1 << p
}

// unitPorts gives the port of an instruction's unit: first, or first + the number of the SIMD.
var unitPorts = [8]struct{ first, simd uint8 }{
	isa.UnitVALU: {portSIMD, 3}, isa.UnitScalar: {portScalar, 0}, isa.UnitVMem: {portVMem, 0}, isa.UnitLDS: {portLDS, 0},
	isa.UnitBranch: {portBranch, 0}, isa.UnitSpecial: {portSpecial, 3},
}

// issue carries out one instruction.
func (u *computeUnit) issue(t uint64, p, slot int) {
	w := &u.waves[slot]
	op := &w.ops[w.next]
	a := u.array
	w.pc = w.next
	if w.at != t {
		u.charge(t, w, portCauses[p])
	}
	w.cause = issueCauses[p]
	if a.profile != nil {
		a.profile.Issues[w.pc]++
	}
	if a.firstInstruction == never {
		a.firstInstruction = t
	}
	u.counts.Total++
	lat := u.lat
	switch p {
	default:
		u.counts.VALU++
		u.perSIMD[w.simd]++
		w.execute(op)
		if op.Cycles > 4 {
			u.free[p] = t + lat.simdDouble
			u.follow(t, slot, w, t+lat.valuDouble)
		} else {
			u.free[p] = t + lat.simd
			u.follow(t, slot, w, t+lat.valu)
		}
	case portScalar:
		u.counts.Scalar++
		u.free[p] = t + 1
		if op.Address != nil {
			w.cause = CauseScalarMemory
			u.scalarMemory(t, slot, w, op)
			w.fault = w.emu.Fault
			u.follow(t, slot, w, t+lat.scalarMemory)
			break
		}
		w.execute(op)
		u.follow(t, slot, w, t+lat.scalar)
	case portBranch:
		u.counts.Branch++
		u.free[p] = t + 1
		w.executeAlone(op)
		// Taken or not, a branch empties the instruction buffer.
		u.jump(t+lat.branch-1, slot, w)
		if w.fault == nil {
			u.wake(slot, t+lat.branch)
		}
	case portVMem:
		u.counts.VMem++
		u.free[p] = t + 1
		u.vectorMemory(t, slot, w, op)
		w.fault = w.emu.Fault
		u.follow(t, slot, w, t+lat.vectorMemory)
	case portLDS:
		u.counts.LDS++
		u.free[p] = t + lat.lds
		w.executeAlone(op)
		w.lds.add(t + lat.lds)
		u.follow(t, slot, w, t+lat.ldsNext)
	case portSpecial, portSpecial + 1, portSpecial + 2, portSpecial + 3:
		u.counts.Special++
		u.free[p] = t + 1
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
		w.ahead = e.RunAhead()
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

// special carries out s_waitcnt, s_barrier, s_endpgm and the like.
func (u *computeUnit) special(t uint64, slot int, w *wave, op *emu.Op) {
	e := w.emu
	w.executeAlone(op)
	switch {
	case e.Ended:
		// A wavefront ends when its memory instructions have completed.
		w.ending, w.wait = true, [2]int{}
		u.waitCount(slot, w, t+1)
	case e.AtBarrier:
		u.arrive(t, slot, w)
	case op.Inst.Op.Name == "s_waitcnt":
		imm := op.Inst.SImm16
		w.wait = [2]int{int(imm & 15), int(imm >> 8 & 15)}
		u.waitCount(slot, w, t+u.lat.special)
	default:
		u.follow(t, slot, w, t+u.lat.special)
	}
}

// waitCount lets a wavefront go on at cycle at or later, when its counters have come down to w.wait; or parks it until that
// is known.
func (u *computeUnit) waitCount(slot int, w *wave, at uint64) {
	v := w.vm.reached(w.wait[0])
	l, cause := w.lgkmReached(w.wait[1])
	if v == never || l == never {
		w.state, w.at = waitVector, at
		return
	}
	switch {
	case at >= v && at >= l:
	case v >= l:
		at, w.cause = v, CauseWaitVector
	default:
		at, w.cause = l, cause
	}
	if at > u.array.lastInstruction {
		u.array.lastInstruction = at
	}
	u.wake(slot, at)
}

// arrive notes a wavefront at its group's barrier and releases the group when it is the last.
func (u *computeUnit) arrive(t uint64, slot int, w *wave) {
	w.state, w.cause = waitBarrier, CauseBarrier
	u.release(t, w.group)
}

// release lets a group pass its barrier when all wavefronts that still run have arrived.
func (u *computeUnit) release(t uint64, g *residentGroup) {
	e := g.emu
	waiting := 0
	for _, w := range e.Waves {
		if w.AtBarrier {
			waiting++
		}
	}
	if waiting == 0 || waiting < g.running {
		return
	}
	for i, w := range e.Waves {
		if w.AtBarrier {
			w.AtBarrier = false
			u.wake(int(g.slots[i]), t+u.lat.special+u.lat.barrierRelease)
		}
	}
	e.AtBarrier = 0
}

// end retires a wavefront, and its group with its last one.
func (u *computeUnit) end(t uint64, slot int, w *wave) {
	if t > u.array.lastInstruction {
		u.array.lastInstruction = t
	}
	u.leave(t, w)
	g := w.group
	w.gen++
	w.emu, w.ops, w.group = nil, nil, nil
	u.wantFetch &^= 1 << slot
	u.freeSlots |= 1 << slot
	if u.resident--; u.resident == 0 {
		u.busy += t - u.busySince
	}
	g.emu.Running--
	if g.running--; g.running == 0 {
		u.array.finished = append(u.array.finished, finishedGroup{at: t, unit: u.index, group: g})
		return
	}
	u.release(t, g)
}

// receive gives a work-group's wavefronts their slots and lets them fetch.
func (u *computeUnit) receive(g *residentGroup) {
	a := u.array
	r := a.gpu.run
	group := g.emu
	group.Start(&a.workspace)
	perSIMD := a.spec.Core.WavefrontSlots
	arriving := uint64(0)
	for i := range group.Waves {
		simd := int(g.slots[i])
		first := uint(simd * perSIMD)
		slot := bits.TrailingZeros64(u.freeSlots >> first << first)
		u.freeSlots &^= 1 << slot
		g.slots[i] = uint8(slot)
		w := &u.waves[slot]
		e := group.Waves[i]
		e.Slot = emu.HardwareSlot{ShaderArray: uint8(a.index), ComputeUnit: uint8(u.index), SIMD: uint8(simd), Slot: uint8(slot - simd*perSIMD)}
		w.begin(waveState{emu: e, ops: r.program.Ops, group: g, age: g.sequence<<8 | uint64(i), gen: w.gen, simd: uint8(simd), state: waitFetch,
			cause: CauseFetch, pc: e.PC, next: e.PC, late: w.late[:0]})
		arriving |= 1 << slot
		// The dispatcher runs at the end of a window, so that a group may come when its first fetches are due already.
		u.redirect(w)
		if at := max(g.at+u.lat.dispatchToFetch, u.lastFetch+1); at < a.clock {
			u.sendFetch(at, slot)
		} else {
			u.wakeFetch(slot, g.at+u.lat.dispatchToFetch)
		}
	}
	u.stack.expect(g.at, arriving)
	g.running = len(group.Waves)
	if u.resident == 0 {
		u.busySince = g.at
	}
	u.resident += len(group.Waves)
	u.waveCount += uint64(len(group.Waves))
	u.groups++
}
