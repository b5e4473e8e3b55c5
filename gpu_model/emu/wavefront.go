package emu

// Wavefront is the architectural state of 64 lanes that execute one instruction stream.
//
// S is indexed by the ISA's operand codes 0–127: SGPRs 0–101, flat_scratch 102, xnack_mask 104, vcc 106,
// tba/tma/ttmp 108–123, m0 124, exec 126. V holds the vector registers side by side: lane l of register r
// is V[r*64+l].
type Wavefront struct {
	S   [128]uint32
	V   []uint32 // len = VGPRs × 64
	SCC bool

	// PC is the dword index into Program.Ops of the instruction to execute next.
	PC   uint32
	Mode Mode // rounding, denormals, dx10_clamp, ieee, … (GCN3 manual, MODE register)

	Program *Program
	Group   *WorkGroup // LDS and barrier state shared with the other wavefronts
	Launch  *Launch    // the kernel launch this wavefront belongs to

	IndexInGroup int // wavefront number within its work-group
	Slot         HardwareSlot

	TrapStatus uint32
	GPRIndex   GPRIndexMode // s_set_gpr_idx_* state

	Ended     bool   // s_endpgm was executed
	AtBarrier bool   // s_barrier was executed and not yet released
	Fault     error  // a *Fault once the wavefront did something the machine refuses
	Executed  uint64 // instructions executed

	// Now is the virtual time in picoseconds at which the access being performed takes effect: the timing model keeps it, in functional mode it
	// stays at the launch's time. Observers, views and s_memtime see it.
	Now uint64

	*Workspace

	scratchSlot int    // of the launch's private memory; −1 none
	waveSync    uint64 // global wave sync: 1 + the barrier's phase at arrival while the wavefront waits

	_ [48]byte // whole cache lines of the host's: neighbours in a Pool's block may belong to different threads
}

// Workspace is what an instruction needs beyond registers. Nothing in it outlives the instruction, a memory instruction's Address and Perform
// taken together, so that wavefronts which take turns share one.
type Workspace struct {
	// Access is what the latest memory instruction asks for; filled by Op.Address, carried out by Op.Perform.
	Access MemoryAccess

	// temp holds sources that are not registers as they are (SGPRs, modifiers, SDWA, DPP) and results under EXEC:
	// low and high dwords of the three sources and of the result.
	temp [10][64]uint32

	operands operands // of the vector instruction that executes in its general form

	bytes [64]byte // of a lane of a load or store, or of a scalar one
}

// Exec returns the EXEC mask.
func (w *Wavefront) Exec() uint64 { return uint64(w.S[126]) | uint64(w.S[127])<<32 }

// SetExec writes the EXEC mask.
func (w *Wavefront) SetExec(m uint64) { w.S[126], w.S[127] = uint32(m), uint32(m>>32) }

// VCC returns the vector condition code.
func (w *Wavefront) VCC() uint64 { return uint64(w.S[106]) | uint64(w.S[107])<<32 }

// SetVCC writes the vector condition code.
func (w *Wavefront) SetVCC(m uint64) { w.S[106], w.S[107] = uint32(m), uint32(m>>32) }

// Lanes returns the 64 lanes of vector register r.
func (w *Wavefront) Lanes(r int) *[64]uint32 { return (*[64]uint32)(w.V[r*64:]) }

// HardwareSlot says where a wavefront runs; s_getreg HW_ID reads it.
type HardwareSlot struct {
	ShaderArray, ComputeUnit, SIMD, Slot uint8
}

// Mode is the MODE register, laid out as s_getreg and s_setreg see it.
type Mode uint32

// GPRIndexMode is the state of s_set_gpr_idx_on and off. M0[15:12] enables src0, src1, src2 and dst; the index is M0[7:0].
type GPRIndexMode struct {
	On bool // bit 27 of MODE
}

// WorkGroup is what the wavefronts of one work-group share.
type WorkGroup struct {
	ID        [3]uint32 // work-group id in the grid
	LDS       []byte
	Waves     []*Wavefront
	AtBarrier int    // wavefronts that wait at the barrier
	Running   int    // wavefronts that have not ended
	Sequence  uint64 // dispatch order, from 0

	launch    *Launch
	pool      *Pool
	workspace *Workspace // of groups that were not given one
	scratch   bool       // its wavefronts have private memory

	_ [8]byte // see Wavefront
}
