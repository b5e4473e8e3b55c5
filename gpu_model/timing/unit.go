package timing

import (
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
)

// computeUnit issues the instructions of up to 64 resident wavefronts. A wavefront whose next instruction may issue is in the
// ready set of that instruction's port; what a wavefront waits for otherwise is a cycle in the wheel or an event that puts it there.
type computeUnit struct {
	array *shaderArray
	lat   *latencies
	index int // within the shader array
	next  uint64
	ops   []emu.Op // of the program that its wavefronts run
	_     [8]byte

	waves [64]wave
	wheel wheel // wavefronts that look at their next instruction
	fetch wheel // wavefronts whose fetch arrives or that want to fetch

	ready      [portRoom]uint64 // wavefronts whose next instruction waits for the port
	waited     uint64           // ports that wavefronts wait for
	queues     [portRoom]decodeQueue
	simdFree   [4]uint64 // cycle from which a SIMD takes an instruction
	scalarFree uint64    // the same for the scalar unit
	ldsStart   uint64    // cycle at which the latest LDS instruction began or will begin
	ticks      ticks
	ofSIMD     [4]uint64                     // wavefront slots of each SIMD
	wantFetch  uint64                        // wavefronts that want to fetch
	lastFetch  uint64                        // cycle of the latest fetch
	lastAnswer uint64                        // cycle at which the latest fetch's answer was taken
	lastScalar uint64                        // the same of scalar memory
	port       [instructionPort]fetchRequest // fetches in its port, oldest first
	inPort     int                           // how many there are
	answers    [instructionPort]uint64       // cycles at which the latest answers were taken
	answered   uint64                        // how many there were
	fetchRetry uint64                        // cycle from which another may be sent

	tlb       tlb
	l1v       tags
	order     reorderBuffer
	coalescer coalescer
	heldTLB   []int32  // transactions held up at the TLB by its MSHRs, oldest first
	held      []int32  // transactions held up at L1V by a full set, oldest first
	heldUntil uint64   // cycle before which none of them can go on
	linesIn   uint64   // lines that have left the coalescer
	linesLeft uint64   // cycle in which the latest ones did
	linesOut  uint64   // those of them that were answered
	lastLines int      // those of them in the cycle of the latest answer
	linesRoom uint64   // lines that may be under way
	linesDone []uint64 // ring of the cycles of at least as many of the latest answers; its length is a power of two
	pipeFree  uint64   // transaction pipeline: cycle of the next transaction

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
	room := uint64(min(s.VMem.InFlight, s.L1V.ReorderEntries))
	*u = computeUnit{array: a, lat: a.lat, index: index, next: never, linesRoom: room, linesDone: make([]uint64, 1<<bits.Len64(room-1)), tlb: newTLB(s.L1VTLB), l1v: newTags(s.L1V.Bytes, s.L1V.Ways, 0)}
	u.tlb.mshrs = s.L1VTLB.MSHRs
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
	waitPort              // room for the lines of a vector memory instruction
)

// wave is a wavefront slot: whole cache lines of the host's, vm and smem at the beginning of one.
type wave struct {
	waveState
	_    [16]byte
	vm   completions // vector memory
	lds  completions // counted by lgkmcnt, like
	smem completions // scalar memory
	_    [32]byte
}

// begin gives the slot to a wavefront.
func (w *wave) begin(s waveState) {
	w.waveState = s
	w.vm.reset()
	w.lds.reset()
	w.smem.reset()
}

// waveState is what a wavefront finds fresh in its slot. With thousands of wavefronts it is the host's caches that bound a simulation: the
// first cache line has what every instruction needs, the second what is behind it.
type waveState struct {
	at      uint64 // cycle at which it looks at its next instruction
	age     uint64 // dispatch order
	charged uint64 // what it had been given when it was charged last
	emu     *emu.Wavefront
	next    uint32    // dword of the instruction to issue next
	behind  uint32    // dword of the instruction behind those executed ahead
	ahead   int32     // instructions that have been executed and not issued yet
	pc      uint32    // which instruction the wavefront has been busy with since it was charged last
	queued  uint32    // cycles that its latest instruction waited in a decode queue, of
	took    uint32    // those until the wavefront went on
	gen     uint32    // counts the wavefronts that used the slot
	cause   Cause     // what the wavefront has been doing since it was charged last
	state   waitState //
	simd    uint8
	ending  bool // s_endpgm has issued

	fetch fetchState
	fault error // of the last of the instructions executed ahead, or of the latest one

	flat   uint16   // which of vm are FLAT, see flatCompletions
	wait   [2]uint8 // s_waitcnt being waited for: vm and lgkm counts
	stored uint64   // number of the window of its latest store
	group  *residentGroup
	late   []lateLoad
}

// wake schedules a wavefront at cycle at, or now if that is over.
func (u *computeUnit) wake(slot int, at uint64) {
	now := u.array.clock
	if at < now {
		at = now
	}
	w := &u.waves[slot&63]
	w.at, w.state = at, waitNone
	if at = u.wheel.add(now, at, 1<<slot); at < u.next {
		u.next = at
	}
}

// wakeFetch schedules a wavefront's fetch at cycle at, or now if that is over.
func (u *computeUnit) wakeFetch(slot int, at uint64) {
	now := u.array.clock
	if at < now {
		at = now
	}
	if at = u.fetch.add(now, at, 1<<slot); at < u.next {
		u.next = at
	}
}

// step carries out cycle t.
func (u *computeUnit) step(t uint64) {
	if m := u.fetch.take(t); m != 0 {
		u.fetchEvents(t, m)
	}
	productive, before := false, u.counts.Total
	for m := u.wheel.take(t); m != 0; m &= m - 1 {
		slot := bits.TrailingZeros64(m)
		w := &u.waves[slot&63]
		if w.at > t {
			u.wheel.add(t, w.at, 1<<slot)
			continue
		}
		if w.ending {
			u.end(t, slot, w)
			productive = true
			continue
		}
		if u.prepare(t, slot, w) || w.cause >= CauseSpecial {
			productive = true
		} else {
			u.markAwake(t+1, 1)
		}
	}
	wakeAt := never
	for m := u.waited; m != 0; m &= m - 1 {
		wakeAt = min(wakeAt, u.issueFrom(t, bits.TrailingZeros64(m)))
	}
	if u.wantFetch != 0 {
		if u.fetchRetry <= t || u.fetchRetry == never {
			productive = u.arbitrateFetch(t) || productive
		}
		if u.wantFetch != 0 {
			wakeAt = min(wakeAt, max(u.fetchRetry, t+1))
		}
	}
	if productive || u.counts.Total != before {
		u.markAwake(t+1, 5)
	}
	u.next = min(wakeAt, u.wheel.next(t), u.fetch.next(t))
}

// receive gives a work-group's wavefronts their slots and lets them fetch.
func (u *computeUnit) receive(g *residentGroup) {
	a := u.array
	r := a.gpu.run
	group := g.emu
	u.ops = r.program.Ops
	group.Start(&a.workspace)
	perSIMD := a.spec.Core.WavefrontSlots
	arriving := uint64(0)
	for i := range group.Waves {
		simd := int(g.slots[i])
		first := uint(simd * perSIMD)
		slot := bits.TrailingZeros64(u.freeSlots >> first << first)
		u.freeSlots &^= 1 << slot
		g.slots[i] = uint8(slot)
		w := &u.waves[slot&63]
		e := group.Waves[i]
		e.Slot = emu.HardwareSlot{ShaderArray: uint8(a.index), ComputeUnit: uint8(u.index), SIMD: uint8(simd), Slot: uint8(slot - simd*perSIMD)}
		w.begin(waveState{emu: e, group: g, age: g.sequence<<8 | uint64(i), gen: w.gen, simd: uint8(simd), state: waitFetch,
			cause: CauseFetch, pc: e.PC, next: e.PC, late: w.late[:0]})
		arriving |= 1 << slot
		// The dispatcher runs at the end of a window, so that a group may come when its first fetches are due already.
		u.redirect(w)
		if at := max(g.at+u.lat.dispatchToFetch, u.lastFetch+1); at < a.clock && u.inPort < instructionPort {
			u.sendFetch(at, slot)
			a.moveFetches(at)
		} else {
			u.wakeFetch(slot, g.at+u.lat.dispatchToFetch)
		}
	}
	u.stack.expect(g.at, arriving)
	g.running = len(group.Waves)
	if u.resident == 0 {
		u.busySince = g.at
		u.ticks.begin(g.at + 1)
	}
	u.markAwake(g.at, 2)
	u.resident += len(group.Waves)
	u.waveCount += uint64(len(group.Waves))
	u.groups++
}
