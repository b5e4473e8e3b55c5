package isa

// lastSGPR is the last scalar register that a wavefront can have. Encodings reach two further, where flat_scratch lies.
const lastSGPR = 101

// scalarRegister checks a scalar register of some dwords and returns it as the hardware takes it: the low bits that the alignment
// of SGPRs and trap registers leaves out are dropped.
func (d *decoder) scalarRegister(reg Reg, words uint8) Reg {
	align := Reg(min(words, 4))
	if words == 3 {
		align = 4
	}
	switch {
	case words <= 1:
	case reg <= lastSGPR:
		reg &^= align - 1
		switch last := int(reg) + int(words) - 1; {
		case last > lastSGPR+2:
			d.fail("s[%d:%d] reaches beyond s%d", reg, last, lastSGPR)
		case last > lastSGPR:
			d.reserve("s[%d:%d] reaches beyond s%d", reg, last, lastSGPR)
		}
	case reg >= 112 && reg <= 123:
		reg = 112 + (reg-112)&^(align-1)
		switch last := int(reg) - 112 + int(words) - 1; {
		case last > 15:
			d.fail("ttmp[%d:%d] reaches beyond ttmp11", reg-112, last)
		case last > 11:
			d.reserve("ttmp[%d:%d] reaches beyond ttmp11", reg-112, last)
		}
	case words <= 4 && reg == regNull:
	case words <= 4 && pairNames[reg] != "":
		if words > 2 {
			d.reserve("%s has two dwords, %d are needed", pairNames[reg], words)
		}
	default:
		d.fail("register code %d can't begin %d dwords", reg, words)
	}
	if reg == regNull {
		d.reserve("register code %d is not defined", reg)
	}
	return reg
}

// vectorRegister checks that a vector register of some dwords ends by v255.
func (d *decoder) vectorRegister(reg Reg, words uint8) Reg {
	if int(reg)+int(words) > int(RegVGPR0)+256 {
		d.fail("v[%d:%d] reaches beyond v255", reg.VGPR(), reg.VGPR()+int(words)-1)
	}
	return reg
}

// operand checks a source code of 8 or 9 bits, whatever the instruction accepts there, and reads the literal where the encoding has
// one.
func (d *decoder) operand(reg Reg, words uint8, literal bool) Reg {
	switch {
	case reg.IsVGPR():
		return d.vectorRegister(reg, words)
	case reg < 128:
		return d.scalarRegister(reg, words)
	case reg == RegLiteral && literal:
		if d.inst.Size == 4 {
			d.second()
			d.inst.Lit = d.w1
		}
	case isConstant(reg) && words <= 4:
		if isAperture(reg) {
			d.reserve("source code %d is not defined", reg)
		}
	case reg == RegLDSDirect && words <= 1:
	default:
		d.fail("source code %d means nothing here", reg)
	}
	return reg
}

// isConstant reports whether a source code is an inline constant, a status bit, or one of those that later machines define.
func isConstant(r Reg) bool {
	return r >= 128 && r <= 208 || isAperture(r) || r >= 240 && r <= 248 || r >= RegVCCZ && r <= RegSCC
}

// isAperture reports whether a source code is one of those for the shared and private apertures, which GCN3 does not have.
func isAperture(r Reg) bool { return r >= 235 && r <= 239 }

// isInline reports whether a source code is a number, from a register's point of view an immediate.
func isInline(r Reg) bool { return r >= 128 && r <= 208 || r >= 240 && r <= 248 || r == RegLiteral }

// accept says, for the text and for Decode, whether a slot takes what stands in it.
func (d *decoder) accept(reg Reg, slot Slot) {
	switch {
	case reg == RegExecLo && d.inst.Op.Format == VOP2 && slot.isMask():
		d.reserve("exec is no mask that a lane is chosen by")
	case reg == RegLDSDirect && slot.VGPR && !slot.SGPR && !d.inst.Op.DstScalar:
		d.reserve("source code %d is the LDS, a VGPR is needed", reg)
	case slot.accepts(reg):
	case reg.IsVGPR():
		d.reserve("source v%d must be scalar", reg.VGPR())
	case isInline(reg):
		d.reserve("source code %d is a constant, a register is needed", reg)
	default:
		d.reserve("source code %d is scalar, a VGPR is needed", reg)
	}
}

// isMask tells a pair of SGPRs with a bit a lane from a 64-bit value: v_cndmask_b32 and the carries.
func (s Slot) isMask() bool { return s.Words == 2 && !s.VGPR && !s.Inline }

// accepts reports whether the slot takes a source. Codes that are in no register file count as scalar registers.
func (s Slot) accepts(reg Reg) bool {
	switch {
	case reg.IsVGPR():
		return s.VGPR
	case isInline(reg):
		return s.Inline
	case reg == RegLDSDirect:
		return s.VGPR
	}
	return s.SGPR || s.Inline && reg == RegM0 || s.Inline && reg > 128
}
