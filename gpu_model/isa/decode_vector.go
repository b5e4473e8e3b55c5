package isa

func vgpr(number uint32) Reg { return RegVGPR0 + Reg(number) }

func (d *decoder) vop1() {
	op := d.lookup(VOP1, bits(d.w0, 9, 8))
	if op == nil {
		return
	}
	destination, source := bits(d.w0, 17, 8), bits(d.w0, 0, 9)
	if len(op.Base) == 0 {
		if destination != 0 {
			d.fail("%s has no destination, its field must be 0", op.Name)
		}
		if Reg(source) == RegSDWA || Reg(source) == RegDPP {
			d.second() // the modifiers of no operand, which LLVM writes in one case
			if d.w1 == 0 && op.HasDPP {
				d.inst.DPP = &DPP{}
			}
		}
		return
	}
	if op.DstScalar {
		d.scalarResult(Reg(destination), true)
	} else {
		d.inst.Dst = d.vectorRegister(vgpr(destination), op.DstWords)
	}
	d.firstSource(source)
}

func (d *decoder) vop2() {
	op := d.lookup(VOP2, bits(d.w0, 25, 6))
	if op == nil {
		return
	}
	d.inst.Dst = vgpr(bits(d.w0, 17, 8))
	d.inst.Src[1] = vgpr(bits(d.w0, 9, 8))
	d.implicitVCC(op)
	for place, operand := range op.Base {
		if operand.Role == 'L' { // v_madmk: d = a·K + b; v_madak: d = a·b + K
			d.constantOperand(place, bits(d.w0, 0, 9))
			return
		}
	}
	d.firstSource(bits(d.w0, 0, 9))
}

// constantOperand enters the sources of v_madmk and v_madak so that the result is Src[0] × Src[1] + Src[2].
func (d *decoder) constantOperand(place int, source uint32) {
	d.second()
	d.inst.Lit = d.w1
	if place == 2 {
		d.inst.Src[1], d.inst.Src[2] = RegLiteral, d.inst.Src[1]
	} else {
		d.inst.Src[2] = RegLiteral
	}
	d.inst.Src[0] = d.operand(Reg(source), 1, true)
}

func (d *decoder) vopc() {
	op := d.lookup(VOPC, bits(d.w0, 17, 8))
	if op == nil {
		return
	}
	d.inst.Dst = RegVCCLo
	d.inst.Src[1] = d.vectorRegister(vgpr(bits(d.w0, 9, 8)), op.Slots[1].Words)
	d.firstSource(bits(d.w0, 0, 9))
}

// implicitVCC enters the carries and the mask that the 32-bit encodings leave unsaid.
func (d *decoder) implicitVCC(op *Opcode) {
	for place, operand := range op.Base {
		if operand.Role != 'v' {
			continue
		}
		if place == 1 {
			d.inst.SDst = RegVCCLo
		} else {
			d.inst.Src[2] = RegVCCLo
		}
	}
}

// firstSource enters the 9-bit source of a 32-bit vector encoding and the dword it may ask for.
func (d *decoder) firstSource(code uint32) {
	op := d.inst.Op
	switch Reg(code) {
	case RegSDWA:
		if !op.HasSDWA {
			d.fail("%s has no SDWA form", op.Name)
			return
		}
		d.second()
		d.sdwa()
	case RegDPP:
		if !op.HasDPP {
			d.fail("%s has no DPP form", op.Name)
			return
		}
		d.second()
		d.dpp()
	default:
		d.inst.Src[0] = d.operand(Reg(code), op.Slots[0].Words, true)
		d.accept(d.inst.Src[0], op.Slots[0])
	}
}

// scalarResult enters the destination of a vector instruction that writes an SGPR. The field has 8 bits; what is no register there
// has a text, but no meaning.
func (d *decoder) scalarResult(reg Reg, literal bool) {
	d.inst.Dst = d.operand(reg, d.inst.Op.DstWords, literal)
	if reg >= 128 {
		d.reserve("destination code %d is no scalar register", reg)
	}
}

func (d *decoder) sdwa() {
	w := d.w1
	d.inst.Src[0] = vgpr(bits(w, 0, 8))
	s := &SDWA{
		DstSel: uint8(bits(w, 8, 3)), DstUnused: uint8(bits(w, 11, 2)),
		Src0Sel: uint8(bits(w, 16, 3)), Src0Sext: bits(w, 19, 1) != 0,
		Src1Sel: uint8(bits(w, 24, 3)), Src1Sext: bits(w, 27, 1) != 0,
	}
	d.inst.SDWA = s
	d.inst.Clamp = bits(w, 13, 1) != 0
	d.inst.Neg = uint8(bits(w, 20, 1) | bits(w, 28, 1)<<1)
	d.inst.Abs = uint8(bits(w, 21, 1) | bits(w, 29, 1)<<1)
	d.checkSDWA(s)
	d.subDwordModifiers()
}

func (d *decoder) dpp() {
	w := d.w1
	d.inst.Src[0] = vgpr(bits(w, 0, 8))
	d.inst.DPP = &DPP{
		Ctrl: uint16(bits(w, 8, 9)), BoundCtrl: bits(w, 19, 1) != 0,
		BankMask: uint8(bits(w, 24, 4)), RowMask: uint8(bits(w, 28, 4)),
	}
	d.inst.Neg = uint8(bits(w, 20, 1) | bits(w, 22, 1)<<1)
	d.inst.Abs = uint8(bits(w, 21, 1) | bits(w, 23, 1)<<1)
	d.checkDPP(d.inst.DPP)
	d.laneModifiers()
}

func (d *decoder) vop3() {
	d.second()
	code := bits(d.w0, 16, 10)
	op := byWide[code]
	if op == nil {
		d.fail("VOP3 has no opcode %d", code)
		return
	}
	d.inst.Op, d.inst.Format = op, VOP3A
	if op.HasSDst {
		d.inst.Format = VOP3B
		d.inst.SDst = d.scalarRegister(Reg(bits(d.w0, 8, 7)), 2)
	} else {
		d.inst.Abs = uint8(bits(d.w0, 8, 3))
	}
	d.inst.Clamp = bits(d.w0, 15, 1) != 0
	d.inst.Neg = uint8(bits(d.w1, 29, 3))
	d.inst.OMod = uint8(bits(d.w1, 27, 2))
	d.wideOperands(op)
	d.checkModifiers(op)
}

func (d *decoder) wideOperands(op *Opcode) {
	destination := bits(d.w0, 0, 8)
	switch {
	case op.DstWords == 0:
		if destination != 0 {
			d.fail("%s has no destination, its field must be 0", op.Name)
		}
	case op.DstScalar || op.Format == VOPC:
		d.scalarResult(Reg(destination), false)
	default:
		d.inst.Dst = d.vectorRegister(vgpr(destination), op.DstWords)
	}
	if op.Refused() {
		d.wideInterpolation()
		return
	}
	for slot := range d.inst.Src {
		source := Reg(bits(d.w1, uint(9*slot), 9))
		if !hasRole(op.Wide, byte('a'+slot)) {
			if source != 0 {
				d.fail("%s has no source %d, its field must be 0", op.Name, slot)
			}
			continue
		}
		d.inst.Src[slot] = d.operand(source, op.Slots[slot].Words, false)
		d.accept(d.inst.Src[slot], op.Slots[slot])
	}
}

func hasRole(operands []Operand, role byte) bool {
	for _, operand := range operands {
		if operand.Role == role {
			return true
		}
	}
	return false
}
