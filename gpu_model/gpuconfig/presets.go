package gpuconfig

import (
	"fmt"
	"sort"
	"strings"
)

// Presets returns the names of the presets, sorted.
func Presets() []string {
	names := make([]string, 0, len(presets))
	for n := range presets {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Preset returns the parameters of a preset.
func Preset(name string) (Spec, error) {
	make, ok := presets[name]
	if !ok {
		return Spec{}, fmt.Errorf("unknown GPU preset %q: expected one of %s", name, strings.Join(Presets(), ", "))
	}
	return make(), nil
}

// Describe returns one sentence on a preset.
func Describe(name string) string { return descriptions[name] }

var descriptions = map[string]string{
	"r9nano":     "MGPUSim v4.2's R9 Nano as coded: 64 compute units, 2 MiB L2, ideal DRAM of 100 cycles, links without cost",
	"r9nano-hbm": "the same GPU with banked HBM of 512 GB/s and links of finite width between L1 and L2",
}

var presets = map[string]func() Spec{"r9nano": r9nano, "r9nano-hbm": r9nanoHBM}

func r9nano() Spec {
	return Spec{
		Name:    "r9nano",
		ClockHz: 1_000_000_000,
		Core: Core{
			ShaderArrays: 16, UnitsPerArray: 4, SIMDs: 4, WavefrontSlots: 10,
			VGPRs: 16384, SGPRs: 3200, LDSBytes: 65536,
			VGPRGranularity: 4, SGPRGranularity: 16, LDSGranularity: 256,
			VALUCycles: 4, VALUDoubleCycles: 8, LDSCycles: 14,
		},
		Fetch: Fetch{LineBytes: 64, BufferBytes: 256},
		VMem: VMem{InstructionStages: 6, InstructionWidth: 4, TransactionStages: 10, TransactionWidth: 1,
			InFlight: 512},
		L1V: Cache{Bytes: 16384, Ways: 4, Banks: 4, BankLatency: 20, DirectoryLatency: 2, MSHRs: 128,
			RequestsPerCycle: 8, ReorderEntries: 512, ReorderPerCycle: 32},
		L1S: Cache{Bytes: 16384, Ways: 4, Banks: 1, BankLatency: 1, DirectoryLatency: 0, MSHRs: 128,
			RequestsPerCycle: 32, ReorderEntries: 512, ReorderPerCycle: 32},
		L1I: Cache{Bytes: 32768, Ways: 4, Banks: 1, BankLatency: 1, DirectoryLatency: 0, MSHRs: 16,
			RequestsPerCycle: 4, ReorderEntries: 128, ReorderPerCycle: 4},
		L2: L2{Banks: 16, BankBytes: 131072, Ways: 16, InterleaveBytes: 128, BankLatency: 10, MSHRs: 64,
			RequestsPerCycle: 16},
		L1VTLB: TLB{Sets: 4, Ways: 64, MSHRs: 64, RequestsPerCycle: 32, Latency: 1},
		L1STLB: TLB{Sets: 1, Ways: 64, MSHRs: 64, RequestsPerCycle: 32, Latency: 4},
		L1ITLB: TLB{Sets: 1, Ways: 64, MSHRs: 4, RequestsPerCycle: 16, Latency: 4},
		L2TLB:  TLB{Sets: 16384, Ways: 64, MSHRs: 64, RequestsPerCycle: 1024, Latency: 4},
		MMU:    MMU{WalkCycles: 100, InFlight: 16},
		DRAM: DRAM{Kind: "ideal", Bytes: 4 << 30, Latency: 100, RequestsPerCycle: 1, BytesPerCycle: 512,
			Channels: 32, Banks: 16, RowBytes: 2048, Overhead: 50, RCD: 14, RP: 14, CL: 14, RAS: 33, WR: 16, REFI: 3900, RFC: 260},
		Link:       Link{RequestOverheadBytes: 16},
		Dispatcher: Dispatcher{Dispatchers: 8, TailCycles: 3600},
		Host:       Host{LinkCycles: 140, LinkBytes: 32, CopyToCycles: 500, CopyFromCycles: 300},
	}
}

// r9nanoHBM differs from r9nano only in what bytes cost. Row timing is that of first-generation HBM at 500 MHz double data
// rate (tRCD, tRP, CL 14 ns, tRAS 33 ns, tRFC 260 ns, tREFI 3.9 µs); 32 channels of 16 bytes a GPU cycle are
// 512 GB/s. An L2 bank sends and receives 64 bytes a cycle.
func r9nanoHBM() Spec {
	s := r9nano()
	s.Name = "r9nano-hbm"
	s.DRAM.Kind = "banked"
	s.Link.BytesPerCycleBank = 64
	s.Link.BytesPerCycleUnit = 64
	return s
}
