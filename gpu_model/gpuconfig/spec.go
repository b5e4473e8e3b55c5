package gpuconfig

// Spec is one complete set of parameters. The tags carry what `spartan gpu show` prints: toml (the key), unit, source and
// doc; min and max bound a value and pow2 asks for a power of two (see Validate for rules between parameters).
//
// Sources: "r9nano" is the figures read off MGPUSim v4.2's R9 Nano (docs/accuracy), "run" the same confirmed by or derived from
// a run of it, "HBM" JEDEC JESD235 first-generation figures, "ours" a choice of this project.
type Spec struct {
	Name       string     `toml:"name" source:"ours" doc:"preset that these parameters began from"`
	ClockHz    uint64     `toml:"clock_hz" unit:"Hz" source:"r9nano" min:"1000000" max:"1000000000000" doc:"clock of the GPU; a whole number of picoseconds per cycle"`
	Core       Core       `toml:"core"`
	Fetch      Fetch      `toml:"fetch"`
	VMem       VMem       `toml:"vmem"`
	L1V        Cache      `toml:"l1v"`
	L1S        Cache      `toml:"l1s"`
	L1I        Cache      `toml:"l1i"`
	L2         L2         `toml:"l2"`
	L1VTLB     TLB        `toml:"l1v_tlb"`
	L1STLB     TLB        `toml:"l1s_tlb"`
	L1ITLB     TLB        `toml:"l1i_tlb"`
	L2TLB      TLB        `toml:"l2_tlb"`
	MMU        MMU        `toml:"mmu"`
	DRAM       DRAM       `toml:"dram"`
	Link       Link       `toml:"link"`
	Dispatcher Dispatcher `toml:"dispatcher"`
	Host       Host       `toml:"host"`
}

// Core is the compute units.
type Core struct {
	ShaderArrays     int `toml:"shader_arrays" unit:"shader arrays" source:"r9nano" min:"1" max:"64" doc:"groups of compute units that share an L1S and an L1I"`
	UnitsPerArray    int `toml:"compute_units_per_array" unit:"compute units" source:"r9nano" min:"1" max:"8" doc:"compute units of a shader array"`
	SIMDs            int `toml:"simds" unit:"SIMDs" source:"r9nano" min:"1" max:"4" doc:"vector units of a compute unit"`
	WavefrontSlots   int `toml:"wavefronts_per_simd" unit:"wavefronts" source:"r9nano" min:"1" max:"16" doc:"wavefronts that a SIMD holds"`
	VGPRs            int `toml:"vgprs_per_simd" unit:"registers of one lane" source:"r9nano" min:"64" max:"1048576" doc:"vector register file of a SIMD, lanes counted"`
	SGPRs            int `toml:"sgprs" unit:"registers" source:"r9nano" min:"16" max:"65536" doc:"scalar register file of a compute unit"`
	LDSBytes         int `toml:"lds_bytes" unit:"bytes" source:"r9nano" min:"256" max:"65536" doc:"local memory of a compute unit"`
	VGPRGranularity  int `toml:"vgpr_granularity" unit:"registers" source:"r9nano" min:"1" max:"64" doc:"vector registers are allocated in multiples of this"`
	SGPRGranularity  int `toml:"sgpr_granularity" unit:"registers" source:"r9nano" min:"1" max:"128" doc:"scalar registers are allocated in multiples of this"`
	LDSGranularity   int `toml:"lds_granularity" unit:"bytes" source:"r9nano" min:"1" max:"65536" doc:"local memory is allocated in multiples of this"`
	VALUCycles       int `toml:"valu_cycles" unit:"cycles" source:"r9nano" min:"1" max:"255" doc:"a SIMD's time for a vector instruction, not pipelined"`
	VALUDoubleCycles int `toml:"valu_f64_cycles" unit:"cycles" source:"r9nano" min:"1" max:"255" doc:"the same for 64-bit floating point"`
	LDSCycles        int `toml:"lds_cycles" unit:"cycles" source:"r9nano" min:"1" max:"255" doc:"time of an LDS instruction in the LDS unit, not pipelined"`
}

// Fetch is instruction fetch.
type Fetch struct {
	LineBytes   int `toml:"line_bytes" unit:"bytes" source:"r9nano" pow2:"yes" min:"16" max:"256" doc:"bytes of a fetch"`
	BufferBytes int `toml:"buffer_bytes" unit:"bytes" source:"r9nano" min:"64" max:"4096" doc:"instruction buffer of a wavefront"`
}

// VMem is the vector memory path of a compute unit, up to its L1.
type VMem struct {
	InstructionStages int `toml:"instruction_stages" unit:"stages" source:"r9nano" min:"1" max:"64" doc:"depth of the instruction pipeline"`
	InstructionWidth  int `toml:"instruction_width" unit:"instructions/cycle" source:"r9nano" min:"1" max:"64" doc:"width of the instruction pipeline"`
	TransactionStages int `toml:"transaction_stages" unit:"stages" source:"r9nano" min:"1" max:"64" doc:"depth of the transaction pipeline"`
	TransactionWidth  int `toml:"transaction_width" unit:"transactions/cycle" source:"r9nano" min:"1" max:"64" doc:"width of the transaction pipeline"`
	InFlight          int `toml:"in_flight" unit:"transactions" source:"r9nano" min:"1" max:"65536" doc:"transactions of a compute unit between coalescer and answer"`
}

// Cache is an L1 cache.
type Cache struct {
	Bytes            int `toml:"bytes" unit:"bytes" source:"r9nano" min:"256" max:"16777216" doc:"capacity"`
	Ways             int `toml:"ways" unit:"ways" source:"r9nano" min:"1" max:"64" doc:"associativity"`
	Banks            int `toml:"banks" unit:"banks" source:"r9nano" min:"1" max:"64" doc:"data banks"`
	BankLatency      int `toml:"bank_latency" unit:"cycles" source:"r9nano" min:"1" max:"1000" doc:"stages of a data bank"`
	DirectoryLatency int `toml:"directory_latency" unit:"cycles" source:"r9nano" min:"0" max:"1000" doc:"stages of the tag look-up"`
	MSHRs            int `toml:"mshrs" unit:"lines" source:"r9nano" min:"1" max:"65536" doc:"lines that may be missing at a time"`
	RequestsPerCycle int `toml:"requests_per_cycle" unit:"requests/cycle" source:"r9nano" min:"1" max:"1024" doc:"requests accepted and answered a cycle"`
	ReorderEntries   int `toml:"reorder_entries" unit:"requests" source:"r9nano" min:"1" max:"65536" doc:"reorder buffer in front of the cache"`
	ReorderPerCycle  int `toml:"reorder_per_cycle" unit:"requests/cycle" source:"r9nano" min:"1" max:"1024" doc:"requests through the reorder buffer a cycle, each way"`
}

// L2 is the banked second-level cache.
type L2 struct {
	Banks            int `toml:"banks" unit:"banks" source:"r9nano" pow2:"yes" min:"1" max:"256" doc:"independent banks, each with its memory controller"`
	BankBytes        int `toml:"bank_bytes" unit:"bytes" source:"r9nano" min:"1024" max:"67108864" doc:"capacity of a bank"`
	Ways             int `toml:"ways" unit:"ways" source:"r9nano" min:"1" max:"64" doc:"associativity"`
	InterleaveBytes  int `toml:"interleave_bytes" unit:"bytes" source:"r9nano" pow2:"yes" min:"64" max:"65536" doc:"consecutive bytes in one bank"`
	BankLatency      int `toml:"bank_latency" unit:"cycles" source:"r9nano" min:"1" max:"1000" doc:"stages of a bank's data array"`
	MSHRs            int `toml:"mshrs_per_bank" unit:"lines" source:"r9nano" min:"1" max:"65536" doc:"lines of a bank that may be missing at a time"`
	RequestsPerCycle int `toml:"requests_per_cycle" unit:"requests/cycle" source:"r9nano" min:"1" max:"1024" doc:"requests a bank accepts a cycle"`
}

// TLB is a translation cache.
type TLB struct {
	Sets             int `toml:"sets" unit:"sets" source:"r9nano" pow2:"yes" min:"1" max:"1048576" doc:"sets"`
	Ways             int `toml:"ways" unit:"ways" source:"r9nano" min:"1" max:"1024" doc:"associativity"`
	MSHRs            int `toml:"mshrs" unit:"pages" source:"r9nano" min:"1" max:"65536" doc:"pages that may be missing at a time"`
	RequestsPerCycle int `toml:"requests_per_cycle" unit:"requests/cycle" source:"r9nano" min:"1" max:"65536" doc:"translations a cycle"`
	Latency          int `toml:"latency" unit:"cycles" source:"r9nano" min:"0" max:"1000" doc:"stages of a look-up"`
}

// MMU walks page tables.
type MMU struct {
	WalkCycles int `toml:"walk_cycles" unit:"cycles" source:"r9nano" min:"1" max:"100000" doc:"time of one page walk"`
	InFlight   int `toml:"walks_in_flight" unit:"walks" source:"r9nano" min:"1" max:"4096" doc:"page walks at a time"`
}

// DRAM is the memory behind the L2 banks, one controller a bank.
type DRAM struct {
	Kind             string  `toml:"kind" source:"r9nano" doc:"\"ideal\": fixed latency; \"banked\": channels, banks, rows and refresh"`
	Bytes            uint64  `toml:"bytes" unit:"bytes" source:"r9nano" min:"8192" max:"70368744177664" doc:"device memory"`
	Latency          int     `toml:"latency" unit:"cycles" source:"r9nano" min:"1" max:"100000" doc:"ideal: time of an access"`
	RequestsPerCycle int     `toml:"requests_per_cycle" unit:"requests/cycle" source:"r9nano" min:"1" max:"64" doc:"ideal: accesses a controller begins a cycle"`
	BytesPerCycle    float64 `toml:"bytes_per_cycle" unit:"bytes/cycle" source:"HBM" min:"0" max:"1000000" doc:"banked: data bus of all channels together (512 bytes a cycle at 1 GHz are 512 GB/s)"`
	Channels         int     `toml:"channels" unit:"channels" source:"HBM" pow2:"yes" min:"1" max:"4096" doc:"banked: channels of all controllers together (four stacks of eight, of 128 bits each)"`
	Banks            int     `toml:"banks" unit:"banks" source:"HBM" min:"1" max:"1024" doc:"banked: banks of a channel"`
	RowBytes         int     `toml:"row_bytes" unit:"bytes" source:"HBM" pow2:"yes" min:"64" max:"65536" doc:"banked: row (page) of a bank"`
	Overhead         int     `toml:"controller_cycles" unit:"cycles" source:"ours" min:"0" max:"10000" doc:"banked: controller and physical layer, both ways"`
	RCD              int     `toml:"t_rcd" unit:"cycles" source:"HBM" min:"1" max:"1000" doc:"banked: activate to column command"`
	RP               int     `toml:"t_rp" unit:"cycles" source:"HBM" min:"1" max:"1000" doc:"banked: precharge"`
	CL               int     `toml:"t_cl" unit:"cycles" source:"HBM" min:"1" max:"1000" doc:"banked: column command to data"`
	RAS              int     `toml:"t_ras" unit:"cycles" source:"HBM" min:"1" max:"1000" doc:"banked: activate to precharge"`
	WR               int     `toml:"t_wr" unit:"cycles" source:"HBM" min:"0" max:"1000" doc:"banked: write recovery before precharge"`
	REFI             int     `toml:"t_refi" unit:"cycles" source:"HBM" min:"0" max:"10000000" doc:"banked: time between refreshes of a channel, 0 for none"`
	RFC              int     `toml:"t_rfc" unit:"cycles" source:"HBM" min:"0" max:"1000000" doc:"banked: time of a refresh"`
}

// Link is the crossbar between the L1 caches and the L2 banks.
type Link struct {
	Cycles               int     `toml:"cycles" unit:"cycles" source:"r9nano" min:"0" max:"1000" doc:"added latency each way"`
	BytesPerCycleBank    float64 `toml:"bank_bytes_per_cycle" unit:"bytes/cycle" source:"r9nano, hbm: ours" min:"0" max:"1000000" doc:"width of an L2 bank's port, each way; 0 is unlimited"`
	BytesPerCycleUnit    float64 `toml:"compute_unit_bytes_per_cycle" unit:"bytes/cycle" source:"r9nano, hbm: ours" min:"0" max:"1000000" doc:"width of an L1 cache's port, each way; 0 is unlimited"`
	RequestOverheadBytes int     `toml:"request_bytes" unit:"bytes" source:"ours" min:"0" max:"1024" doc:"bytes of a request or an acknowledgement without data on a finite link"`
}

// Dispatcher sends work-groups to compute units.
type Dispatcher struct {
	Dispatchers int `toml:"dispatchers" unit:"dispatchers" source:"r9nano" min:"1" max:"64" doc:"kernels that can be dispatched at a time; work-groups a cycle in all"`
	TailCycles  int `toml:"tail_cycles" unit:"cycles" source:"run" min:"0" max:"1000000" doc:"from the last work-group's completion to the kernel's"`
}

// Host is what the host's side of a copy costs.
type Host struct {
	LinkCycles     int     `toml:"link_cycles" unit:"cycles" source:"r9nano" min:"0" max:"10000000" doc:"latency of the host link (PCIe switch)"`
	LinkBytes      float64 `toml:"link_bytes_per_cycle" unit:"bytes/cycle" source:"r9nano" min:"0.001" max:"1000000" doc:"bandwidth of the host link (PCIe 4.0 x16)"`
	CopyToCycles   int     `toml:"copy_to_device_cycles" unit:"cycles" source:"r9nano" min:"0" max:"10000000" doc:"fixed cost of a copy to the device"`
	CopyFromCycles int     `toml:"copy_from_device_cycles" unit:"cycles" source:"r9nano" min:"0" max:"10000000" doc:"fixed cost of a copy from the device"`
}
