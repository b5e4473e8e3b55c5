package isa

// checkSDWA refuses selections that mean nothing.
func (d *decoder) checkSDWA(s *SDWA) {
	if s.DstSel == 7 || s.Src0Sel == 7 || s.Src1Sel == 7 || s.DstUnused == 3 {
		d.fail("an SDWA selection is out of range")
	}
}

// checkDPP refuses controls that GCN3 does not define (ISA documentation, DPP).
func (d *decoder) checkDPP(p *DPP) {
	switch c := p.Ctrl; {
	case c <= 0xFF, c >= 0x101 && c <= 0x10F, c >= 0x111 && c <= 0x11F, c >= 0x121 && c <= 0x12F:
	case c == 0x130, c == 0x134, c == 0x138, c == 0x13C, c >= 0x140 && c <= 0x143:
	default:
		d.fail("DPP control 0x%x is not defined", c)
	}
}
