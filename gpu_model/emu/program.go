package emu

// Program is a kernel's code, decoded once. Ops has one entry a dword of code; entries in the middle of an
// instruction and words that do not decode hold an Op whose Execute faults the wavefront with a sentence that names
// the PC and the word.
type Program struct {
	Name string
	Base uint64 // device address of dword 0
	// Entry is the dword index of the kernel's first instruction.
	Entry uint32
	// ordered tells that the program has atomics whose results depend on the order of work-groups.
	ordered bool
	// vgprs is the number of vector registers that the code addresses.
	vgprs int
	Ops   []Op
	Code  []byte
}

// Operand is a source or destination, resolved at decode.
type Operand struct {
	Kind  OperandKind
	Index uint16 // SGPR or VGPR number
	Value uint64 // constants, widened to 64 bits as the operand's type asks
}

// OperandKind tells where an operand lies.
type OperandKind uint8

// The kinds of operand.
const (
	OperandNone OperandKind = iota
	OperandVGPR
	OperandSGPR
	OperandConstant
	OperandSpecial // vccz, execz, scc, lds_direct
)

// laneKernel computes 64 lanes of a vector instruction at once, under EXEC.
type laneKernel func(w *Wavefront, op *Op)
