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
	switch {
	case bits(d.w0, 25, 1) != 0 && op.bit25:
		d.fail("bit 25 must be 0")
	case len(op.Base) == 0 && !op.globalOnly && bits(d.w0, 0, 17) != 0:
		d.fail("%s has no operands, its fields must be 0", op.Name)
	case op.globalOnly && !m.Gds:
		d.fail("%s works on the GDS only, its gds bit must be 1", op.Name)
	}
	if m.Gds && op.localOnly {
		d.fail("%s works on the LDS only, its gds bit must be 0", op.Name)
	}
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
	if bits(d.w0, 13, 3) != 0 || bits(d.w1, 16, 7) != 0 {
		d.fail("reserved bits of FLAT must be 0")
	}
	if m.Offset = bits(d.w0, 0, 13); m.Offset != 0 {
		d.reserve("FLAT has no offset on GCN3")
	}
	m.Glc, m.Slc, m.Tfe = bits(d.w0, 16, 1) != 0, bits(d.w0, 17, 1) != 0, bits(d.w1, 23, 1) != 0
	m.Addr = d.vectorRegister(vgpr(bits(d.w1, 0, 8)), 2)
	data, destination := bits(d.w1, 8, 8), bits(d.w1, 24, 8)
	if op.DstWords > 0 {
		d.inst.Dst = d.vectorRegister(vgpr(destination), op.DstWords)
		return
	}
	words := op.Base[1].Words
	m.Data = d.vectorRegister(vgpr(data), words)
	if m.Glc && op.isAtomic { // an atomic that returns the old value
		if op.comparesAndSwaps {
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
		if m.Lds || bits(d.w0, 12, 4) != 0 {
			d.fail("%s has no operands, its flags must be 0", op.Name)
		}
		m.Slc = false
		return
	}
	switch fixed := !hasRole(op.Base, 'D'); {
	case fixed && (!m.Lds || bits(d.w0, 12, 2) != 0):
		d.fail("%s has lds set, and no vector address", op.Name)
	case !fixed && m.Lds && !op.loadsToLDS:
		d.fail("%s takes no lds", op.Name)
	case !fixed && m.Lds && bits(d.w1, 23, 1) != 0:
		d.fail("%s takes no tfe with lds", op.Name)
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
		m.DataWords = op.Base[0].Words
		if op.showsTFE() && m.Tfe {
			m.DataWords++
		}
		m.Data = d.vectorRegister(vgpr(bits(d.w1, 8, 8)), m.DataWords)
		d.inst.Dst = m.Data
	}
	m.Base = d.scalarRegister(Reg(bits(d.w1, 16, 5)<<2), 4)
	m.SOff = d.operand(Reg(bits(d.w1, 24, 8)), 1, false)
	if m.SOff == RegLDSDirect {
		d.reserve("soffset code %d means nothing", m.SOff)
	}
}
