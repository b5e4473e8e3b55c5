package isa

func (d *decoder) sop2() {
	op := d.lookup(SOP2, bits(d.w0, 23, 7))
	if op == nil {
		return
	}
	d.scalarDestination(op, bits(d.w0, 16, 7))
	d.scalarSource(0, bits(d.w0, 0, 8))
	d.scalarSource(1, bits(d.w0, 8, 8))
}

func (d *decoder) sop1() {
	op := d.lookup(SOP1, bits(d.w0, 8, 8))
	if op == nil {
		return
	}
	d.scalarDestination(op, bits(d.w0, 16, 7))
	if op.Slots[0].Words > 0 {
		d.scalarSource(0, bits(d.w0, 0, 8))
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
}

func (d *decoder) sopk() {
	op := d.lookup(SOPK, bits(d.w0, 23, 5))
	if op == nil {
		return
	}
	d.inst.SImm16 = uint16(d.w0)
	if hasRole(op.Base, 'L') {
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
	accepts := d.inst.Op.Slots[slot]
	reg := Reg(code)
	if reg == RegLDSDirect {
		d.reserve("source code %d means nothing to a scalar instruction", code)
	}
	reg = d.operand(reg, accepts.Words, true)
	d.accept(reg, accepts)
	d.inst.Src[slot] = reg
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
		if d.inst.Dst >= RegM0 {
			d.reserve("%s does not move m0 or exec", op.Name)
		}
	} else if len(op.Base) > 0 {
		d.inst.SImm16 = uint16(bits(d.w0, 6, 7)) // s_atc_probe: the permission bits
	}
	if len(op.Base) < 2 {
		if m.Glc = false; bits(d.w0, 17, 1) != 0 {
			d.fail("%s has no offset", op.Name)
		}
		return
	}
	m.Base = d.scalarRegister(Reg(bits(d.w0, 0, 6)<<1), op.Base[1].Words)
	if m.OffsetImm = bits(d.w0, 17, 1) != 0; m.OffsetImm {
		m.Offset = bits(d.w1, 0, 20)
	} else {
		m.SOff = d.scalarRegister(Reg(bits(d.w1, 0, 7)), 1)
	}
}
