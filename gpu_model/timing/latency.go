package timing

import "github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"

// latencies are the fixed times, in cycles, of the paths that a compute unit's work takes. They follow from the spec's stages and
// the hand-overs between them; where a figure is not the sum of stages, the measurement that fixes it is named.
type latencies struct {
	valu, valuDouble uint64 // entry into the SIMD to the wavefront's next issue, and to the next entry
	scalar           uint64 // entry into the scalar unit to next issue, SALU
	scalarMemory     uint64 // entry into the scalar unit to next issue, s_load
	branch           uint64 // issue to the fetch at the new PC
	special          uint64 // s_nop, s_waitcnt that does not wait
	lds              uint64 // occupancy of the LDS unit
	ldsNext          uint64 // LDS: start of the operation to the wavefront's next issue
	vectorMemory     uint64 // issue to next issue, FLAT: its lines are known
	fetchToIssue     uint64 // instruction bytes from L1I to the first issue from them
	dispatchToFetch  uint64 // work-group at the compute unit to the first fetch request
	vectorToTLB      uint64 // lines known to the look-up of the first one's page
	tlbToL1V         uint64 // translation to the arrival at L1V
	l1ToVector       uint64 // L1V's answer to the completion in the wavefront's counter
	scalarToL1       uint64 // to the L1S's TLB
	tlbToL1S         uint64
	l1ToScalar       uint64
	l1vHit           uint64
	l1vFill          uint64 // L1V's answer to a miss to the end of the line's lock
	l1vToL2          uint64 // arrival at L1V to arrival at L2
	l2ToL1V          uint64
	l1sHit           uint64
	l1sToL2          uint64
	l2ToL1S          uint64
	l1iHit           uint64
	l1iToTLB         uint64
	tlbToL2          uint64
	l2ToL1I          uint64
	tlbToShared      uint64 // L1 TLB miss to the L2 TLB
	walk             uint64 // L2 TLB miss
	barrierRelease   uint64
	dispatch         uint64 // dispatcher to compute unit
	completion       uint64 // last completion taken to the start of the launch tail
}

func newLatencies(s *gpuconfig.Spec) latencies {
	c := &s.Core
	v := &s.VMem
	return latencies{
		valu: uint64(c.VALUCycles), valuDouble: uint64(c.VALUDoubleCycles),
		scalar: 3, scalarMemory: 2, branch: 3, special: 1,
		lds: uint64(c.LDSCycles) + 1, ldsNext: uint64(c.LDSCycles) + 2,
		vectorMemory: uint64(v.InstructionStages) + 2, fetchToIssue: 5, dispatchToFetch: 1,
		vectorToTLB: uint64(v.TransactionStages+s.L1VTLB.Latency) + 3, tlbToL1V: 5, l1ToVector: 5,
		scalarToL1: uint64(s.L1STLB.Latency) + 3, tlbToL1S: 6, l1ToScalar: 5,
		l1vHit:  uint64(s.L1V.BankLatency+s.L1V.DirectoryLatency) + 3,
		l1vFill: uint64(s.L1V.BankLatency) - min(2, uint64(s.L1V.BankLatency)),
		l1vToL2: uint64(s.L1V.DirectoryLatency) + 1, l2ToL1V: 2,
		l1sHit:  uint64(s.L1S.BankLatency+s.L1S.DirectoryLatency) + 4,
		l1sToL2: 2, l2ToL1S: 2,
		l1iHit:   uint64(s.L1I.BankLatency+s.L1I.DirectoryLatency) + 4,
		l1iToTLB: 3, tlbToL2: uint64(s.L1ITLB.Latency) + 4, l2ToL1I: 2,
		tlbToShared:    4,
		walk:           590 + uint64(s.MMU.WalkCycles), // gchase_page_*: 690 with walks of 100 cycles
		barrierRelease: 0, dispatch: 2, completion: 2,
	}
}

// pageLead is the least time from what a compute unit does to its request's arrival at the L2 TLB.
func (l *latencies) pageLead() uint64 {
	return min(l.l1iToTLB+lag(portL1I), l.scalarToL1+lag(portL1S), l.vectorToTLB) + l.tlbToShared
}

func newL2Timing(s *gpuconfig.Spec) l2Timing {
	hit := uint64(s.L2.BankLatency) + 3
	return l2Timing{hit: hit, array: hit - 1, toDRAM: 2, answer: 2}
}
