package isa

// checkSDWA refuses selections that mean nothing. Compares have no destination selection, whatever stands there.
func (d *decoder) checkSDWA(s *SDWA) {
	if d.inst.Op.Format == VOPC {
		s.DstSel, s.DstUnused = 6, 0
	}
	if s.DstSel == 7 || s.Src0Sel == 7 || s.Src1Sel == 7 {
		d.fail("an SDWA selection is out of range")
	}
	if s.DstUnused == 3 {
		d.reserve("SDWA destination mode 3 is not defined")
	}
}

// checkDPP refuses controls that GCN3 does not define (ISA documentation, DPP).
func (d *decoder) checkDPP(p *DPP) {
	switch c := p.Ctrl; {
	case c <= 0xFF, c >= 0x101 && c <= 0x10F, c >= 0x111 && c <= 0x11F, c >= 0x121 && c <= 0x12F:
	case c == 0x130, c == 0x134, c == 0x138, c == 0x13C, c >= 0x140 && c <= 0x143:
	default:
		d.reserve("DPP control 0x%x is not defined", c)
	}
}

// subDwordModifiers refuses SDWA modifiers that the instruction does not have: floats take neg and abs, integers take sext.
func (d *decoder) subDwordModifiers() {
	op, i := d.inst.Op, &d.inst
	sources := uint8(1)
	if hasRole(op.Base, 'b') {
		sources = 3
	} else if bits(d.w1, 24, 3) != 0 {
		d.fail("%s has no source 1, its selection must be 0", op.Name)
	}
	var sext uint8
	if i.SDWA.Src0Sext {
		sext = 1
	}
	if i.SDWA.Src1Sext {
		sext |= 2
	}
	floats := op.NegMask & sources
	switch {
	case sext&^(sources&^floats) != 0:
		d.fail("%s takes no sext on these sources", op.Name)
	case (i.Neg|i.Abs)&^floats != 0:
		d.fail("%s takes no neg and abs on these sources", op.Name)
	}
}

// integerSources takes away the modifiers of integer sources among floats (v_ldexp's exponent): LLVM writes the bit of neg as sext and
// the bit of abs not at all, the ISA documentation gives neither a meaning.
func (d *decoder) integerSources() {
	op, i := d.inst.Op, &d.inst
	if mask := op.SextMask; (i.Neg|i.Abs)&mask != 0 {
		i.Sext, i.Neg, i.Abs = i.Neg&mask, i.Neg&^mask, i.Abs&^mask
		d.reserve("%s takes no modifiers on integer sources", op.Name)
	}
}

// laneModifiers refuses DPP modifiers that the instruction does not have.
func (d *decoder) laneModifiers() {
	op, i := d.inst.Op, &d.inst
	d.integerSources()
	if (i.Neg|i.Abs)&^op.NegMask != 0 {
		d.fail("%s takes no neg and abs on these sources", op.Name)
	}
}

// checkModifiers refuses VOP3 modifiers that the instruction does not have.
func (d *decoder) checkModifiers(op *Opcode) {
	i := &d.inst
	d.integerSources()
	switch {
	case i.Neg&^op.NegMask != 0:
		d.fail("%s takes no neg on these sources", op.Name)
	case i.Abs&^op.AbsMask != 0:
		d.fail("%s takes no abs on these sources", op.Name)
	case i.Clamp && !op.Clamp:
		d.fail("%s takes no clamp", op.Name)
	case i.OMod != 0 && !op.OMod:
		d.fail("%s takes no output modifier", op.Name)
	}
}
