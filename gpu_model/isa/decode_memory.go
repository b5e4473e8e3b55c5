package isa

func (d *decoder) ds() {
	d.second()
	op := d.lookup(DS, bits(d.w0, 17, 8))
	if op == nil {
		return
	}
	m := &d.inst.Mem
	m.Offset = bits(d.w0, 0, 16)
	m.Gds = bits(d.w0, 16, 1) != 0
	fields := map[byte]uint32{'A': bits(d.w1, 0, 8), 'D': bits(d.w1, 8, 8), 'E': bits(d.w1, 16, 8), 'd': bits(d.w1, 24, 8)}
	for _, operand := range op.Base {
		reg := d.vectorRegister(vgpr(fields[operand.Role]), operand.Words)
		delete(fields, operand.Role)
		switch operand.Role {
		case 'A':
			m.Addr = reg
		case 'D':
			m.Data = reg
		case 'E':
			m.Data1 = reg
		case 'd':
			d.inst.Dst = reg
		}
	}
	for _, left := range fields {
		if left != 0 {
			d.fail("%s does not have all of addr, data0, data1 and vdst: fields it lacks must be 0", op.Name)
		}
	}
}

func (d *decoder) flat() {
	d.second()
	op := d.lookup(FLAT, bits(d.w0, 18, 7))
	if op == nil {
		return
	}
	m := &d.inst.Mem
	m.Glc, m.Slc, m.Tfe = bits(d.w0, 16, 1) != 0, bits(d.w0, 17, 1) != 0, bits(d.w1, 23, 1) != 0
	m.Addr = d.vectorRegister(vgpr(bits(d.w1, 0, 8)), 2)
	data, destination := bits(d.w1, 8, 8), bits(d.w1, 24, 8)
	if op.DstWords > 0 {
		d.inst.Dst = d.vectorRegister(vgpr(destination), op.DstWords)
		return
	}
	words := op.Base[1].Words
	m.Data = d.vectorRegister(vgpr(data), words)
	if m.Glc && op.Code >= 64 { // an atomic that returns the old value
		if op.Name == "flat_atomic_cmpswap" || op.Name == "flat_atomic_cmpswap_x2" {
			words /= 2
		}
		d.inst.Dst = d.vectorRegister(vgpr(destination), words)
	}
}

func (d *decoder) mubuf() {
	d.second()
	op := d.lookup(MUBUF, bits(d.w0, 18, 7))
	if op == nil {
		return
	}
	m := &d.inst.Mem
	m.Lds, m.Slc = bits(d.w0, 16, 1) != 0, bits(d.w0, 17, 1) != 0
	if len(op.Base) == 0 {
		if d.w0&0x3FFFF != 0 || d.w1 != 0 {
			d.fail("%s has no operands, its fields must be 0", op.Name)
		}
		return
	}
	d.buffer(op)
}

func (d *decoder) mtbuf() {
	d.second()
	op := d.lookup(MTBUF, bits(d.w0, 15, 4))
	if op == nil {
		return
	}
	m := &d.inst.Mem
	m.DFmt, m.NFmt = uint8(bits(d.w0, 19, 4)), uint8(bits(d.w0, 23, 3))
	m.Slc = bits(d.w1, 22, 1) != 0
	d.buffer(op)
}

// buffer enters what MUBUF and MTBUF share.
func (d *decoder) buffer(op *Opcode) {
	m := &d.inst.Mem
	m.Offset = bits(d.w0, 0, 12)
	m.OffEn, m.IdxEn, m.Glc = bits(d.w0, 12, 1) != 0, bits(d.w0, 13, 1) != 0, bits(d.w0, 14, 1) != 0
	m.Tfe = bits(d.w1, 23, 1) != 0
	words := uint8(1)
	if m.OffEn && m.IdxEn {
		words = 2
	}
	if m.OffEn || m.IdxEn {
		m.Addr = d.vectorRegister(vgpr(bits(d.w1, 0, 8)), words)
	} else {
		m.Addr = vgpr(bits(d.w1, 0, 8))
	}
	if !m.Lds {
		m.Data = d.vectorRegister(vgpr(bits(d.w1, 8, 8)), op.Base[0].Words)
		d.inst.Dst = m.Data
	}
	m.Base = d.scalarRegister(Reg(bits(d.w1, 16, 5)<<2), 4)
	m.SOff = Reg(bits(d.w1, 24, 8))
	if m.SOff >= 128 && !isConstant(m.SOff) {
		d.fail("soffset code %d means nothing", m.SOff)
	}
}
