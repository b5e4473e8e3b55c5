package timing

// Options is what a launch may add to the kernel itself. The zero value launches all work-groups in order, on whichever compute
// unit is next.
type Options struct {
	// Order lists the work-groups (linear numbers, x fastest) in the order of dispatch; nil means all of them in grid order.
	// Those left out are skipped.
	Order []uint32
	// Placement is the compute unit of each entry of Order, or -1 for any; nil means any.
	Placement []int32

	// Units are the co-simulated units, or nil.
	Units Units
	// Threads is the number of host threads; 0 means one per host core. It never changes a result.
	Threads int
	// Cold drops the contents of all caches and TLBs before the launch begins.
	Cold bool
	// Profile asks for Result.Profile: issue counts and stall cycles per instruction address.
	Profile bool
	// Progress is called now and then from the simulating goroutine.
	Progress func(Progress)
}

// Progress tells how far a launch is.
type Progress struct {
	WorkgroupsDone, WorkgroupsTotal uint64
	Instructions                    uint64
	Cycle                           uint64 // since the launch began
}

// CacheCounters counts what upstream's tags report, summed over all caches of a kind. See docs/ and the reference's README for
// the definitions.
type CacheCounters struct {
	ReadHit       uint64 `json:"read_hit"`
	ReadMiss      uint64 `json:"read_miss"`
	ReadMSHRHit   uint64 `json:"read_mshr_hit"`
	WriteHit      uint64 `json:"write_hit"`
	WriteMiss     uint64 `json:"write_miss"`
	WriteMSHRHit  uint64 `json:"write_mshr_hit"`
	RequestsRead  uint64 `json:"requests_read"`
	RequestsWrite uint64 `json:"requests_write"`
	LatencySum    uint64 `json:"request_latency_cycles_sum"`
	Completed     uint64 `json:"requests_completed"`
}

// TLBCounters counts translations.
type TLBCounters struct {
	Hit        uint64 `json:"hit"`
	Miss       uint64 `json:"miss"`
	MSHRHit    uint64 `json:"mshr_hit"`
	Completed  uint64 `json:"requests_completed"`
	LatencySum uint64 `json:"request_latency_cycles_sum"`
}

// DRAMCounters counts transactions completed at the memory controllers within the launch.
type DRAMCounters struct {
	ReadTransactions  uint64 `json:"read_trans"`
	ReadBytes         uint64 `json:"read_bytes"`
	WriteTransactions uint64 `json:"write_trans"`
	WriteBytes        uint64 `json:"write_bytes"`
	RowHits           uint64 `json:"row_hits,omitempty"`      // banked DRAM: accesses to an open row
	RowMisses         uint64 `json:"row_misses,omitempty"`    // no row was open
	RowConflicts      uint64 `json:"row_conflicts,omitempty"` // another row was open
	Refreshes         uint64 `json:"refreshes,omitempty"`
	ReadLatencySum    uint64 `json:"read_latency_cycles_sum,omitempty"`
	WriteLatencySum   uint64 `json:"write_latency_cycles_sum,omitempty"`
}

// InstructionCounts counts wavefront instructions by issue unit.
type InstructionCounts struct {
	Total   uint64 `json:"total"`
	VALU    uint64 `json:"VALU"`
	Scalar  uint64 `json:"Scalar"`
	VMem    uint64 `json:"VMem"`
	LDS     uint64 `json:"LDS"`
	Branch  uint64 `json:"Branch"`
	Special uint64 `json:"Special"`
}

// ComputeUnitCounts is what one compute unit did.
type ComputeUnitCounts struct {
	Instructions InstructionCounts
	SIMD         []uint64 // vector instructions of each SIMD
	BusyCycles   uint64   // cycles in which it held at least one wavefront
	Wavefronts   uint64
	Workgroups   uint64
	L1V          CacheCounters
	L1VTLB       TLBCounters
	Stack        Stack // adds up to the launch's cycles
}

// ShaderArrayCounts is what the caches and TLBs did that the compute units of a shader array share.
type ShaderArrayCounts struct {
	L1S, L1I       CacheCounters
	L1STLB, L1ITLB TLBCounters
}

// BankCounts is what one L2 bank and its memory controller did.
type BankCounts struct {
	L2   CacheCounters
	DRAM DRAMCounters
}

// Result is what one launch did. Cycles count from the command processor's receipt of the launch request.
type Result struct {
	Begin, End uint64 // absolute cycles of the GPU clock; End includes the launch tail
	Cycles     uint64 // End - Begin: the kernel time as MGPUSim defines it
	TailCycles uint64 // the constant part of Cycles, after the last work-group

	FirstWorkgroup     uint64 // first work-group arrives at a compute unit; this and the next three count from Begin
	FirstInstruction   uint64
	LastInstruction    uint64
	LastWorkgroup      uint64
	ComputeUnitsUsed   int
	Workgroups         uint64
	WorkgroupsSkipped  uint64
	Wavefronts         uint64
	InstructionFetches uint64
	BusyShare          float64 // mean over compute units of busy cycles / (Cycles - TailCycles)
	Instructions       InstructionCounts
	ComputeUnits       []ComputeUnitCounts // by shader array, then by compute unit
	ShaderArrays       []ShaderArrayCounts
	Banks              []BankCounts
	Stack              Stack    // summed over all compute units: adds up to Cycles × compute units
	Profile            *Profile // nil unless asked for
	Cold               bool     // nothing had run on the GPU before: caches and TLBs were empty
	L1V, L1S, L1I, L2  CacheCounters
	L1VTLB, L1STLB     TLBCounters
	L1ITLB, L2TLB      TLBCounters
	DRAM               DRAMCounters
	L2Bytes, DRAMBytes uint64 // moved between L2 and the L1 caches and units; moved between L2 and DRAM
}
