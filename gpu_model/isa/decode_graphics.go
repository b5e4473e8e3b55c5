package isa

func (d *decoder) vintrp() {
	op := d.lookup(VINTRP, bits(d.w0, 16, 2))
	if op == nil {
		return
	}
	d.inst.Dst = vgpr(bits(d.w0, 18, 8))
	source := bits(d.w0, 0, 8)
	d.inst.Mem.Target = uint8(bits(d.w0, 10, 6))<<2 | uint8(bits(d.w0, 8, 2))
	if hasRole(op.Base, 'P') {
		d.inst.Src[0] = Reg(source)
	} else {
		d.inst.Src[0] = vgpr(source)
	}
}

// wideInterpolation enters the sources of v_interp_* in the VOP3 encoding: attribute and channel lie in source 0.
func (d *decoder) wideInterpolation() {
	source := bits(d.w1, 0, 9)
	if source>>8 != 0 {
		d.fail("bit 8 of the attribute field must be 0")
	}
	d.inst.Mem.Target = uint8(source&63)<<2 | uint8(source>>6&3)
	d.inst.Src[1] = Reg(bits(d.w1, 9, 9))
	if hasRole(d.inst.Op.Wide, 'c') {
		d.inst.Src[2] = Reg(bits(d.w1, 18, 9))
	} else if bits(d.w1, 18, 9) != 0 {
		d.fail("%s has no source 2, its field must be 0", d.inst.Op.Name)
	}
}

func (d *decoder) mimg() {
	d.second()
	op := d.lookup(MIMG, bits(d.w0, 18, 7))
	if op == nil {
		return
	}
	m := &d.inst.Mem
	m.DMask = uint8(bits(d.w0, 8, 4))
	m.Unorm, m.Glc, m.DA, m.R128 = bits(d.w0, 12, 1) != 0, bits(d.w0, 13, 1) != 0, bits(d.w0, 14, 1) != 0, bits(d.w0, 15, 1) != 0
	m.Tfe, m.LWE, m.Slc = bits(d.w0, 16, 1) != 0, bits(d.w0, 17, 1) != 0, bits(d.w0, 25, 1) != 0
	m.Addr, m.Data = vgpr(bits(d.w1, 0, 8)), vgpr(bits(d.w1, 8, 8))
	m.Base = Reg(bits(d.w1, 16, 5) << 2)
	if hasRole(op.Base, 'P') {
		m.Samp = Reg(bits(d.w1, 21, 5) << 2)
	} else if bits(d.w1, 21, 5) != 0 {
		d.fail("%s has no sampler, its field must be 0", op.Name)
	}
}

func (d *decoder) exp() {
	d.second()
	op := d.lookup(EXP, 0)
	if op == nil {
		return
	}
	m := &d.inst.Mem
	m.DMask, m.Target = uint8(bits(d.w0, 0, 4)), uint8(bits(d.w0, 4, 6))
	m.Compr, m.Done, m.VM = bits(d.w0, 10, 1) != 0, bits(d.w0, 11, 1) != 0, bits(d.w0, 12, 1) != 0
	m.Addr = vgpr(bits(d.w1, 0, 8))
	for slot := range d.inst.Src {
		d.inst.Src[slot] = vgpr(bits(d.w1, uint(8*slot+8), 8))
	}
}
