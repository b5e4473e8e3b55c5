package emu

import "github.com/spartan-cosim/spartan-cosim/gpu_model/isa"

// selectPart returns the byte, word or dword of x that an SDWA selection names (source: CLRX GcnSdwaDpp).
func selectPart(x uint32, selection uint8, signed bool) uint32 {
	switch {
	case selection < 4:
		x = x >> (8 * selection) & 0xFF
		if signed {
			x = uint32(int32(int8(x)))
		}
	case selection < 6:
		x = x >> (16 * (selection - 4)) & 0xFFFF
		if signed {
			x = uint32(int32(int16(x)))
		}
	}
	return x
}

func sdwaSource(w *Wavefront, v *vector, i int, lo *lanes) *lanes {
	selection, signed := v.sdwa.Src0Sel, v.sdwa.Src0Sext
	if i == 1 {
		selection, signed = v.sdwa.Src1Sel, v.sdwa.Src1Sext
	}
	if selection == 6 {
		return lo
	}
	target := &w.temp[2*i]
	for lane, x := range lo {
		target[lane] = selectPart(x, selection, signed)
	}
	return target
}

// sdwaResult puts results into the part of the destination that SDWA selects; old are the destination's contents.
func sdwaResult(s *isa.SDWA, t, old *lanes) {
	if s.DstSel == 6 {
		return
	}
	width, shift := uint32(8), uint32(8*s.DstSel)
	if s.DstSel >= 4 {
		width, shift = 16, uint32(16*(s.DstSel-4))
	}
	mask := uint32(1<<width-1) << shift
	for lane, x := range t {
		part := x << shift & mask
		switch s.DstUnused {
		case 1: // sign extension above, zeros below
			if part>>(shift+width-1)&1 != 0 {
				part |= ^uint32(0) << (shift + width - 1)
			}
		case 2: // preserve
			part |= old[lane] &^ mask
		}
		t[lane] = part
	}
}

// dppLane returns the lane that lane reads under a DPP control, −1 where it has none (source: CLRX GcnSdwaDpp).
func dppLane(ctrl uint16, lane int) int {
	row, in := lane&^15, lane&15
	switch {
	case ctrl <= 0xFF: // quad permutation
		return lane&^3 | int(ctrl>>(2*(lane&3))&3)
	case ctrl <= 0x10F: // row shift left
		if in += int(ctrl & 15); in > 15 {
			return -1
		}
	case ctrl <= 0x11F: // row shift right
		if in -= int(ctrl & 15); in < 0 {
			return -1
		}
	case ctrl <= 0x12F: // row rotate right
		in = (in - int(ctrl&15)) & 15
	case ctrl == 0x130: // wavefront shift left by 1
		if lane == 63 {
			return -1
		}
		return lane + 1
	case ctrl == 0x134: // wavefront rotate left by 1
		return (lane + 1) & 63
	case ctrl == 0x138: // wavefront shift right by 1
		return lane - 1
	case ctrl == 0x13C: // wavefront rotate right by 1
		return (lane - 1) & 63
	case ctrl == 0x140: // row mirror
		in = 15 - in
	case ctrl == 0x141: // half-row mirror
		in = in&8 | 7 - in&7
	case ctrl == 0x142: // lane 15 of each row to the next row
		if row == 0 {
			return -1
		}
		return row - 1
	case ctrl == 0x143: // lane 31 to rows 2 and 3
		if lane < 32 {
			return -1
		}
		return 31
	}
	return row | in
}

// dppSource moves source 0 between lanes. Lanes without a valid source read 0 with bound_ctrl:0 and are not
// written otherwise; lanes that EXEC leaves out count as invalid.
func dppSource(w *Wavefront, v *vector, lo *lanes) *lanes {
	target, exec := &w.temp[8], w.Exec()
	for lane := range target {
		from := dppLane(v.dpp.Ctrl, lane)
		if from < 0 || exec>>from&1 == 0 {
			target[lane] = 0
			continue
		}
		target[lane] = lo[from]
	}
	return target
}

// dppWriteMask returns the lanes that a DPP instruction may write, as far as its masks tell.
func dppWriteMask(p *isa.DPP) (mask uint64) {
	for lane := range 64 {
		if p.RowMask>>(lane/16)&1 != 0 && p.BankMask>>(lane%16/4)&1 != 0 {
			mask |= 1 << lane
		}
	}
	return mask
}

// dppValid returns the lanes whose source lane exists and is active; the others are not written without bound_ctrl:0.
func dppValid(p *isa.DPP, exec uint64) (mask uint64) {
	for lane := range 64 {
		if from := dppLane(p.Ctrl, lane); from >= 0 && exec>>from&1 != 0 {
			mask |= 1 << lane
		}
	}
	return mask
}

// dppMask returns the lanes that the instruction writes.
func (v *vector) dppMask(exec uint64) uint64 {
	mask := dppWriteMask(v.dpp)
	if !v.dpp.BoundCtrl {
		mask &= dppValid(v.dpp, exec)
	}
	return mask
}
