package isa

// Reg is a GCN3 operand code as the ISA numbers it: 0–101 SGPRs, 102/103 flat_scratch, 104/105 xnack_mask,
// 106/107 vcc, 108–111 tba/tma, 112–123 ttmp0–11, 124 m0, 126/127 exec, 128–192 integers 0–64,
// 193–208 integers −1…−16, 240–248 float constants, 251 vccz, 252 execz, 253 scc, 255 literal,
// 256–511 VGPRs. Destinations use the same numbering (VGPR n is 256+n, SGPR n is n).
type Reg uint16

// Operand codes with a name of their own.
const (
	RegFlatScratchLo Reg = 102
	RegXnackMaskLo   Reg = 104
	RegVCCLo         Reg = 106
	RegVCCHi         Reg = 107
	RegM0            Reg = 124
	regNull          Reg = 125 // no register on GCN3
	RegExecLo        Reg = 126
	RegExecHi        Reg = 127
	RegConstZero     Reg = 128
	RegSDWA          Reg = 249
	RegDPP           Reg = 250
	RegVCCZ          Reg = 251
	RegExecZ         Reg = 252
	RegSCC           Reg = 253
	RegLDSDirect     Reg = 254
	RegLiteral       Reg = 255
	RegVGPR0         Reg = 256
	RegNone          Reg = 0xFFFF
)

// IsVGPR reports whether r names a vector register.
func (r Reg) IsVGPR() bool { return r >= RegVGPR0 && r < RegVGPR0+256 }

// VGPR returns the number of the vector register r names.
func (r Reg) VGPR() int { return int(r - RegVGPR0) }

// Format is an instruction encoding of GCN3 (GCN 1.2).
type Format uint8

// The encodings. A VOP1, VOP2 or VOPC opcode in 64-bit form decodes with Format VOP3A or VOP3B.
const (
	FormatInvalid Format = iota
	SOP2
	SOPK
	SOP1
	SOPC
	SOPP
	SMEM
	VOP2
	VOP1
	VOPC
	VINTRP
	VOP3A
	VOP3B
	DS
	FLAT
	MUBUF
	MTBUF
	MIMG
	EXP
)

// Unit is the execution unit of a compute unit that an instruction issues to.
type Unit uint8

// The units, in the terms of the timing model's instruction counters.
const (
	UnitVALU    Unit = iota // vector ALU (a SIMD)
	UnitScalar              // SALU and scalar memory
	UnitVMem                // FLAT, MUBUF, MTBUF
	UnitLDS                 // DS
	UnitBranch              // s_branch, s_cbranch_*, s_setpc, s_swappc …
	UnitSpecial             // s_waitcnt, s_barrier, s_endpgm, s_nop and other SOPP without result
)

// Inst is one decoded instruction. Fields that its format lacks are zero (registers: RegNone).
type Inst struct {
	Op     *Opcode // row of the opcode table
	Format Format  // encoding found in the code
	Size   uint8   // bytes: 4 or 8 (an SDWA, DPP or literal dword included)

	Dst  Reg    // destination: vdst, sdst, vdata of a load, or the source vdata of a store
	SDst Reg    // second, scalar destination: carry out of VOP3B, of VOP2 v_add_u32 … (VCC)
	Src  [3]Reg // sources in encoding order; SOPK's tied destination is not repeated here
	Lit  uint32 // the literal constant when a source is RegLiteral

	SImm16 uint16 // SOPP and SOPK immediate

	// VOP3 and SDWA input and output modifiers; bit i belongs to Src[i].
	Abs, Neg uint8
	Clamp    bool
	Sext     uint8 // integer sources with the bit of neg, which LLVM writes as sext; Decode refuses them
	High     bool  // v_interp_*_f16: the high half of the attribute
	OMod     uint8 // 0 none, 1 ×2, 2 ×4, 3 ÷2

	SDWA *SDWA // nil unless Src[0] of the encoding was 249; Src[0] holds the real VGPR
	DPP  *DPP  // nil unless Src[0] of the encoding was 250; Src[0] holds the real VGPR

	Mem MemFields // SMEM, DS, FLAT, MUBUF, MTBUF, MIMG, EXP, VINTRP
}

// SDWA holds the sub-dword addressing fields (GCN3 manual, SDWA).
type SDWA struct {
	DstSel, Src0Sel, Src1Sel uint8 // 0–3 byte, 4–5 word, 6 dword
	DstUnused                uint8 // 0 pad, 1 sign-extend, 2 preserve
	Src0Sext, Src1Sext       bool
}

// DPP holds the data-parallel-primitive fields (GCN3 manual, DPP).
type DPP struct {
	Ctrl              uint16 // 9 bits
	BoundCtrl         bool   // bound_ctrl:0, i.e. invalid lanes read 0
	BankMask, RowMask uint8
}

// MemFields holds the fields of the memory formats. Registers are operand codes.
type MemFields struct {
	Addr       Reg    // vaddr (FLAT, DS, MUBUF, MTBUF, MIMG)
	Data       Reg    // first data register: vdata, or DS data0
	Data1      Reg    // DS data1
	Base       Reg    // SMEM sbase; MUBUF, MTBUF, MIMG srsrc (first SGPR of the descriptor)
	Samp       Reg    // MIMG ssamp
	SOff       Reg    // MUBUF, MTBUF soffset; SMEM register offset when !OffsetImm
	Offset     uint32 // SMEM 20-bit, MUBUF/MTBUF 12-bit; DS offset0 | offset1<<8
	DMask      uint8  // MIMG dmask, EXP en
	Target     uint8  // EXP target, VINTRP attribute and channel
	DFmt, NFmt uint8  // MTBUF

	OffsetImm, Glc, Slc, Tfe, Lds, Gds    bool
	OffEn, IdxEn, Addr64                  bool
	Unorm, DA, R128, LWE, Done, VM, Compr bool
	D16                                   bool // MIMG

	DataWords uint8 // MIMG, MUBUF: dwords from Data on, the status that tfe asks for included
}
