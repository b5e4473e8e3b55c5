package isa

// Opcode is one row of the opcode table: everything the decoder, the disassembler and the executor need to know.
type Opcode struct {
	Index  int    // place in Opcodes(); executors are arrays over it
	Name   string // mnemonic without encoding suffix: "v_add_f32"
	Format Format // home encoding
	Code   uint16 // opcode number in the home encoding
	Unit   Unit
	Source string // section of the ISA documentation that defines it

	// Base and Wide are the operands of the home encoding and of the 64-bit VOP3 encoding, in the order of the text.
	Base, Wide []Operand
	HasBase    bool // false: the instruction exists in VOP3 only
	HasWide    bool
	HasSDWA    bool
	HasDPP     bool
	HasSDst    bool // VOP3B: the encoding holds a scalar destination instead of abs bits

	NegMask, AbsMask uint8 // sources that take the modifier, bit i for Src[i]
	SextMask         uint8 // integer sources among float ones
	Clamp, OMod      bool
	TwoOffsets       bool // DS: two 8-bit offsets in place of a 16-bit one

	// The table's legend explains these flags.
	branches, refused, isAtomic, comparesAndSwaps, globalOnly, localOnly, bit25, loadsToLDS, takesD16 bool

	// Slots describes sources 0 to 2, over all encodings of the instruction.
	Slots [3]Slot
	// DstWords and SDstWords are the widths of the destinations in dwords, 0 where there is none.
	DstWords, SDstWords uint8
	DstScalar           bool // the destination is an SGPR
}

// ConstantType says how an inline constant or literal in a source slot is widened.
type ConstantType uint8

// The constant types. A 32-bit literal in a 64-bit slot is zero-extended (integers) or the high half (f64): the executor
// knows which from the instruction.
const (
	Constant32    ConstantType = iota // 32-bit; float constants as float32
	Constant64                        // 64-bit; float constants as float64
	ConstantF16                       // float constants as float16
	ConstantInt16                     // as ConstantF16; the text shows float constants as their bits
)

// Slot describes one source of an instruction.
type Slot struct {
	Words    uint8 // width in dwords; 0: the instruction has no such source
	Constant ConstantType
	VGPR     bool // what it accepts
	SGPR     bool
	Inline   bool // constants and literals
}

// Operand is one operand in the text of an instruction.
type Operand struct {
	Role     byte // a letter of the table's legend, or 'v' for a literal "vcc"
	Words    uint8
	Constant ConstantType
}

// Refused reports whether the instruction belongs to the graphics formats, which the model decodes but does not execute.
func (o *Opcode) Refused() bool { return o.refused }

// showsTFE tells that LLVM writes the tfe bit of a buffer instruction and counts the register of the status. It passes over the bit in
// atomics, MTBUF and FLAT.
func (o *Opcode) showsTFE() bool { return o.Format == MUBUF && !o.isAtomic }

// WideCode returns the instruction's number in the 64-bit VOP3 encoding.
func (o *Opcode) WideCode() uint16 {
	switch o.Format {
	case VOP2:
		return o.Code + 0x100
	case VOP1:
		return o.Code + 0x140
	case VINTRP:
		return o.Code + 0x270
	}
	return o.Code
}

func (o *Opcode) String() string { return o.Name }
