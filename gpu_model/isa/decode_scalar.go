package isa

func (d *decoder) sop2() {
	op := d.lookup(SOP2, bits(d.w0, 23, 7))
	if op == nil {
		return
	}
	d.scalarDestination(op, bits(d.w0, 16, 7))
	d.scalarSource(0, bits(d.w0, 0, 8))
	d.scalarSource(1, bits(d.w0, 8, 8))
	d.scalarLiteral()
}

func (d *decoder) sop1() {
	op := d.lookup(SOP1, bits(d.w0, 8, 8))
	if op == nil {
		return
	}
	d.scalarDestination(op, bits(d.w0, 16, 7))
	if op.Slots[0].Words > 0 {
		d.scalarSource(0, bits(d.w0, 0, 8))
		d.scalarLiteral()
	}
}

func (d *decoder) sopc() {
	op := d.lookup(SOPC, bits(d.w0, 16, 7))
	if op == nil {
		return
	}
	d.scalarSource(0, bits(d.w0, 0, 8))
	if op.Slots[1].Words > 0 {
		d.scalarSource(1, bits(d.w0, 8, 8))
	} else {
		d.inst.SImm16 = uint16(bits(d.w0, 8, 8)) // s_set_gpr_idx_on: the mode
	}
	d.scalarLiteral()
}

func (d *decoder) sopk() {
	op := d.lookup(SOPK, bits(d.w0, 23, 5))
	if op == nil {
		return
	}
	d.inst.SImm16 = uint16(d.w0)
	if op.Name == "s_setreg_imm32_b32" {
		d.second()
		d.inst.Lit = d.w1
		return
	}
	d.scalarDestination(op, bits(d.w0, 16, 7))
}

func (d *decoder) sopp() {
	op := d.lookup(SOPP, bits(d.w0, 16, 7))
	if op == nil {
		return
	}
	d.inst.SImm16 = uint16(d.w0)
	if len(op.Base) == 0 && d.inst.SImm16 != 0 {
		d.fail("%s has no operand, its immediate field must be 0", op.Name)
	}
}

// scalarDestination enters the 7-bit destination of an instruction that has one.
func (d *decoder) scalarDestination(op *Opcode, code uint32) {
	if op.DstWords > 0 {
		d.inst.Dst = d.scalarRegister(Reg(code), op.DstWords)
	}
}

// scalarSource enters an 8-bit scalar source.
func (d *decoder) scalarSource(slot int, code uint32) {
	reg := Reg(code)
	words := d.inst.Op.Slots[slot].Words
	switch {
	case reg < 128:
		reg = d.scalarRegister(reg, words)
	case reg == RegSDWA || reg == RegDPP || reg == RegLDSDirect || !isConstant(reg) && reg != RegLiteral:
		d.fail("source code %d means nothing to a scalar instruction", code)
	}
	d.inst.Src[slot] = reg
}

// scalarLiteral reads the literal, where a source asks for it.
func (d *decoder) scalarLiteral() {
	for _, source := range d.inst.Src {
		if source == RegLiteral {
			d.second()
			d.inst.Lit = d.w1
			return
		}
	}
}

// isConstant reports whether a source code is an inline constant or a status bit.
func isConstant(r Reg) bool {
	return r >= 128 && r <= 208 || r >= 239 && r <= 248 || r >= RegVCCZ && r <= RegSCC
}

// scalarRegister checks a scalar register of `words` dwords and returns it as the hardware takes it: the low bits
// that the alignment of SGPRs and trap registers leaves out are dropped.
func (d *decoder) scalarRegister(reg Reg, words uint8) Reg {
	if words <= 1 {
		return reg
	}
	align := Reg(2)
	if words > 2 {
		align = 4
	}
	switch {
	case reg <= 101:
		reg &^= align - 1
		if int(reg)+int(words) > 102 {
			d.fail("s[%d:%d] reaches beyond s101", reg, int(reg)+int(words)-1)
		}
	case reg >= 112 && reg <= 123:
		reg = 112 + (reg-112)&^(align-1)
		if int(reg)+int(words) > 124 {
			d.fail("ttmp[%d:%d] reaches beyond ttmp11", reg-112, int(reg)-112+int(words)-1)
		}
	case words == 2 && reg%2 == 0 && reg != RegM0:
	default:
		d.fail("register code %d can't begin %d dwords", reg, words)
	}
	return reg
}

func (d *decoder) smem() {
	op := d.lookup(SMEM, bits(d.w0, 18, 8))
	if op == nil {
		return
	}
	d.second()
	m := &d.inst.Mem
	m.Glc = bits(d.w0, 16, 1) != 0
	if op.DstWords > 0 {
		d.inst.Dst = d.scalarRegister(Reg(bits(d.w0, 6, 7)), op.DstWords)
		m.Data = d.inst.Dst
	} else if len(op.Base) > 0 {
		d.inst.SImm16 = uint16(bits(d.w0, 6, 7)) // s_atc_probe: the permission bits
	}
	if len(op.Base) < 2 {
		if d.w1 != 0 || bits(d.w0, 16, 2) != 0 || bits(d.w0, 0, 6) != 0 || len(op.Base) == 0 && bits(d.w0, 6, 7) != 0 {
			d.fail("%s has no address, its fields must be 0", op.Name)
		}
		return
	}
	m.Base = d.scalarRegister(Reg(bits(d.w0, 0, 6)<<1), op.Base[1].Words)
	if m.OffsetImm = bits(d.w0, 17, 1) != 0; m.OffsetImm {
		m.Offset = bits(d.w1, 0, 20)
	} else {
		m.SOff = Reg(bits(d.w1, 0, 7))
	}
}
