package emu

// text returns the instruction as the disassembler writes it; "" for a word that is none.
func (op *Op) text() string {
	if op.Inst.Op == nil {
		return ""
	}
	return op.Inst.Text()
}
