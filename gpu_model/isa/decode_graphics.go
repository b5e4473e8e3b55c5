package isa

import bits8 "math/bits"

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
	op := d.inst.Op
	source := bits(d.w1, 0, 9)
	d.inst.Mem.Target = uint8(source&63)<<2 | uint8(source>>6&3)
	if d.inst.High = source>>8 != 0; d.inst.High && op.Format == VINTRP {
		d.fail("bit 8 of the attribute field must be 0")
	}
	if hasRole(op.Wide, 'P') {
		d.inst.Src[0] = Reg(bits(d.w1, 9, 9))
	} else {
		d.inst.Src[1] = d.operand(Reg(bits(d.w1, 9, 9)), 1, false)
		d.accept(d.inst.Src[1], op.Slots[1])
	}
	if hasRole(op.Wide, 'c') {
		d.inst.Src[2] = d.operand(Reg(bits(d.w1, 18, 9)), 1, false)
		d.accept(d.inst.Src[2], op.Slots[2])
	} else if bits(d.w1, 18, 9) != 0 {
		d.fail("%s has no source 2, its field must be 0", op.Name)
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
	if bits(d.w0, 0, 1) != 0 {
		d.fail("bit 0 must be 0")
	}
	m.D16 = d.w1>>31 != 0
	if m.D16 && !op.takesD16 {
		d.fail("%s takes no d16", op.Name)
	}
	m.Addr = d.vectorRegister(vgpr(bits(d.w1, 0, 8)), op.Base[1].Words)
	m.Data = d.imageData(vgpr(bits(d.w1, 8, 8)), op)
	m.Base = d.scalarRegister(Reg(bits(d.w1, 16, 5)<<2), 8)
	if hasRole(op.Base, 'P') {
		m.Samp = d.scalarRegister(Reg(bits(d.w1, 21, 5)<<2), 4)
	} else if bits(d.w1, 21, 5) != 0 {
		d.fail("%s has no sampler, its field must be 0", op.Name)
	}
}

// imageData checks the data register of a MIMG instruction and enters how many registers it takes: one for each bit of dmask, four for
// gather4, and one more for the status that tfe asks for. Atomics have one value or two, of one or two dwords.
func (d *decoder) imageData(reg Reg, op *Opcode) Reg {
	m := &d.inst.Mem
	words := max(uint8(bits8.OnesCount8(m.DMask)), 1)
	if op.Base[0].Words == 4 {
		words = 4
	}
	if m.Tfe {
		words++
	}
	m.DataWords = words
	if least := op.Base[0].Words; op.isAtomic && words != 2*least {
		m.DataWords = least // whatever dmask says
	}
	if int(reg)+int(m.DataWords) > int(RegVGPR0)+256 {
		d.reserve("v[%d:%d] reaches beyond v255", reg.VGPR(), reg.VGPR()+int(words)-1)
		m.DataWords = op.Base[0].Words
		return d.vectorRegister(reg, m.DataWords)
	}
	return reg
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
