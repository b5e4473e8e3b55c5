package timing

import "fmt"

// Cause tells what a cycle of a compute unit went to.
type Cause uint8

// The causes. Those from CauseFetch to CauseBarrier are states of a wavefront; the others are cycles without one.
const (
	CauseLaunch       Cause = iota // no wavefront yet: a work-group is on its way
	CauseFetch                     // the next instruction is not in the wavefront's buffer
	CauseVALU                      // a vector instruction executes
	CauseVALUBusy                  // the SIMD executes another wavefront's instruction
	CauseScalar                    // a scalar ALU instruction executes
	CauseScalarMemory              // a scalar memory instruction is issued
	CauseVectorMemory              // a vector memory instruction is issued
	CauseLDS                       // an LDS instruction is issued
	CauseBranch                    // a branch executes
	CauseSpecial                   // s_nop, a wait or barrier that lets the wavefront pass, s_endpgm
	CausePort                      // another wavefront has the issue port (scalar, branch, vector memory, LDS, special)
	CauseWaitVector                // s_waitcnt or s_endpgm: vector memory is the last to complete
	CauseWaitLDS                   // s_waitcnt or s_endpgm: the LDS is the last to complete
	CauseWaitScalar                // s_waitcnt or s_endpgm: scalar memory is the last to complete
	CauseBarrier                   // s_barrier: the rest of the work-group has not arrived
	CauseIdle                      // no wavefront, and no work-group is to come
	CauseTail                      // the launch's end after its last work-group
	Causes                         // how many there are
)

var causeNames = [Causes]string{"launch", "fetch", "valu", "valu_busy", "scalar", "scalar_memory", "vector_memory", "lds", "branch", "special",
	"port", "wait_vector_memory", "wait_lds", "wait_scalar_memory", "barrier", "idle", "tail"}

// String returns the name of the cause as reports print it.
func (c Cause) String() string {
	if c < Causes {
		return causeNames[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// StackUnit is the share of a cycle in which stacks are counted: a Stack adds up to StackUnit × cycles, exactly.
const StackUnit = 1 << 20

// Stack has what the cycles of a compute unit went to, in shares of 1/StackUnit cycle. While wavefronts are resident, each of them
// is given the same share of a cycle, which goes to what that wavefront does or waits for: what a profiler would find that
// samples the states of wavefronts, without its sampling error.
type Stack [Causes]uint64

// Cycles returns the cycles of one cause.
func (s *Stack) Cycles(c Cause) float64 { return float64(s[c]) / StackUnit }

// Total returns the cycles of all causes together.
func (s *Stack) Total() float64 {
	n := uint64(0)
	for _, x := range s {
		n += x
	}
	return float64(n) / StackUnit
}

func (s *Stack) add(o *Stack) {
	for c := range s {
		s[c] += o[c]
	}
}

// Profile is what each instruction of a launch's program did, summed over all compute units.
type Profile struct {
	Issues []uint64 // by dword of the program: how often the instruction was issued
	Stacks []Stack  // by dword of the program, in shares of a compute unit's cycle
}

// beginProfile makes room for a profile of the program, one part per shader array.
func (g *GPU) beginProfile(dwords int) {
	for _, a := range g.arrays {
		a.profile = &Profile{Issues: make([]uint64, dwords), Stacks: make([]Stack, dwords)}
	}
}

// takeProfile adds the parts of a profile up, in the order of the shader arrays.
func (g *GPU) takeProfile() *Profile {
	sum := g.arrays[0].profile
	for _, a := range g.arrays[1:] {
		if a.profile == nil {
			continue
		}
		for pc := range a.profile.Issues {
			sum.Issues[pc] += a.profile.Issues[pc]
			sum.Stacks[pc].add(&a.profile.Stacks[pc])
		}
		a.profile = nil
	}
	g.arrays[0].profile = nil
	return sum
}

// cycleStack shares the cycles of a compute unit out among its wavefronts. base + (t-since) × rate is what a wavefront has been given at cycle t
// that was there from the first cycle on; a wavefront is charged with the difference between two cycles. What the division
// leaves over is given to the same wavefronts when their number changes, so that nothing is lost.
type cycleStack struct {
	since, base, rate uint64
	waves             uint64
	carry             uint64
	joinAt            uint64 // earliest of joins, never if none
	joins             []join
	Stack
}

// join is wavefronts that will be there from cycle at on.
type join struct {
	at    uint64
	slots uint64
}

func (s *cycleStack) reset(begin uint64) {
	*s = cycleStack{since: begin, joinAt: never, joins: s.joins[:0]}
}

// given returns the share of a wavefront at cycle t.
func (u *computeUnit) given(t uint64) uint64 {
	s := &u.stack
	if t >= s.joinAt {
		u.admit(t)
	}
	return s.base + (t-s.since)*s.rate
}

// charge books what a wavefront has been given since it was charged last.
func (u *computeUnit) charge(t uint64, w *wave, c Cause) {
	x := u.given(t)
	share := x - w.charged
	if int64(share) < 0 { // it came in the middle of a cycle that is booked already
		return
	}
	w.charged = x
	u.stack.Stack[c] += share
	if p := u.array.profile; p != nil {
		p.Stacks[w.pc][c] += share
	}
}

// chargeIssued books the time from the issue of a wavefront's latest instruction to cycle t: that in a decode queue to the port, the rest to
// what the instruction does.
func (u *computeUnit) chargeIssued(t uint64, w *wave) {
	if w.queued == 0 {
		u.charge(t, w, w.cause)
		return
	}
	x := u.given(t)
	share := x - w.charged
	waited := share * uint64(w.queued) / uint64(w.took)
	w.queued = 0
	if int64(share) < 0 {
		return
	}
	w.charged = x
	port := CausePort
	if w.cause == CauseVALU {
		port = CauseVALUBusy
	}
	u.stack.Stack[port] += waited
	u.stack.Stack[w.cause] += share - waited
	if p := u.array.profile; p != nil {
		p.Stacks[w.pc][port] += waited
		p.Stacks[w.pc][w.cause] += share - waited
	}
}

// settle brings the shares up to cycle t, leaving nothing over but carry.
func (s *cycleStack) settle(t uint64) {
	elapsed := t - s.since
	s.since = t
	if s.waves == 0 {
		s.Stack[CauseLaunch] += elapsed * StackUnit
		return
	}
	left := elapsed*(StackUnit-s.waves*s.rate) + s.carry
	s.base += elapsed*s.rate + left/s.waves
	s.carry = left % s.waves
}

func (s *cycleStack) setWaves(n uint64) {
	s.waves, s.rate = n, 0
	if n != 0 {
		s.rate = StackUnit / n
	}
}

// expect notes that the wavefronts in slots will be there from cycle at on.
func (s *cycleStack) expect(at, slots uint64) {
	s.joins = append(s.joins, join{at, slots})
	s.joinAt = min(s.joinAt, at)
}

// admit lets the wavefronts in that come until cycle t.
func (u *computeUnit) admit(t uint64) {
	s := &u.stack
	for s.joinAt <= t {
		at := max(s.joinAt, s.since)
		s.settle(at)
		keep := s.joins[:0]
		s.joinAt = never
		n := s.waves
		for _, j := range s.joins {
			if j.at > at {
				keep = append(keep, j)
				s.joinAt = min(s.joinAt, j.at)
				continue
			}
			for slot, m := 0, j.slots; m != 0; slot, m = slot+1, m>>1 {
				if m&1 != 0 {
					u.waves[slot].charged = s.base
					n++
				}
			}
		}
		s.joins = keep
		s.setWaves(n)
	}
}

// leave charges a wavefront for the last time.
func (u *computeUnit) leave(t uint64, w *wave) {
	u.given(t)
	u.stack.settle(t)
	u.charge(t, w, w.cause)
	u.stack.setWaves(u.stack.waves - 1)
}

// finish books the cycles after the last wavefront: idle until the launch's last work-group, then the tail.
func (s *cycleStack) finish(last, end uint64) {
	if s.waves != 0 { // the launch failed
		return
	}
	last = max(last, s.since)
	s.Stack[CauseIdle] += (last - s.since) * StackUnit
	s.Stack[CauseTail] += (end - last) * StackUnit
	s.since = end
}

// portCauses tells what a wavefront waits for that is ready to issue at a port.
var portCauses = [portRoom]Cause{portScalar: CausePort, portVector: CauseVALUBusy, portVMem: CausePort, portLDS: CausePort,
	portBranch: CausePort, portSpecial: CausePort}

// issueCauses tells what a wavefront does between an issue at a port and its next instruction.
var issueCauses = [portRoom]Cause{portScalar: CauseScalar, portVector: CauseVALU, portVMem: CauseVectorMemory, portLDS: CauseLDS,
	portBranch: CauseBranch, portSpecial: CauseSpecial}
