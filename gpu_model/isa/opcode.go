package isa

// Opcode is one row of the opcode table: everything the decoder, the disassembler and the executor need to know.
type Opcode struct {
	Name   string // LLVM's mnemonic without encoding suffix: "v_add_f32"
	Format Format // home encoding
	Code   uint16 // opcode number in the home encoding
	Unit   Unit
	Source string // section of the ISA documentation that defines it
}
