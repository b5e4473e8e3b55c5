package isa

import (
	"fmt"
	"strconv"
)

func (w *writer) flag(set bool, name string) {
	if set {
		w.WriteString(" " + name)
	}
}

func (w *writer) smem() {
	i := w.inst
	m := &i.Mem
	for _, operand := range i.Op.Base {
		switch operand.Role {
		case 'r':
			w.put(in(dataClass(operand.Words), i.Dst, operand.Words))
		case 'B':
			w.put(in(scalarClass(operand.Words), m.Base, operand.Words))
		case 'K':
			switch {
			case w.count == 0:
				w.put(constant32(uint32(i.SImm16)))
			case m.OffsetImm:
				w.put(hex(uint64(m.Offset)))
			default:
				w.put(register(m.SOff, 1))
			}
		}
	}
	w.flag(m.Glc && hasRole(i.Op.Base, 'r'), "glc")
}

// dataClass names the class of the data registers of scalar memory instructions.
func dataClass(words uint8) string {
	switch words {
	case 1:
		return "SReg_32_XM0_XEXEC"
	case 2:
		return "SReg_64_XEXEC"
	}
	return scalarClass(words)
}

func (w *writer) ds() {
	i := w.inst
	m := &i.Mem
	for _, operand := range i.Op.Base {
		r := map[byte]Reg{'d': i.Dst, 'A': m.Addr, 'D': m.Data, 'E': m.Data1}[operand.Role]
		w.put(register(r, operand.Words))
	}
	switch {
	case i.Op.TwoOffsets:
		if low := m.Offset & 0xFF; low != 0 {
			fmt.Fprintf(w, " offset0:%d", low)
		}
		if high := m.Offset >> 8; high != 0 {
			fmt.Fprintf(w, " offset1:%d", high)
		}
	case m.Offset == 0:
	case i.Op.Name == "ds_swizzle_b32":
		w.WriteString(" offset:" + swizzle(m.Offset))
	default:
		fmt.Fprintf(w, " offset:%d", m.Offset)
	}
	w.flag(m.Gds, "gds")
}

func (w *writer) flat() {
	i := w.inst
	m := &i.Mem
	if i.Dst != RegNone {
		words := i.Op.DstWords
		if words == 0 { // an atomic that returns
			words = i.Op.Base[1].Words
			if i.Op.comparesAndSwaps {
				words /= 2
			}
		}
		w.put(register(i.Dst, words))
	}
	w.put(register(m.Addr, 2))
	if m.Data != RegNone {
		w.put(register(m.Data, i.Op.Base[1].Words))
	}
	if m.Offset != 0 {
		fmt.Fprintf(w, " offset:%d", m.Offset)
	}
	w.flag(m.Glc, "glc")
	w.flag(m.Slc, "slc")
}

var dataFormats = [...]string{"INVALID", "8", "16", "8_8", "32", "16_16", "10_11_11", "11_11_10", "10_10_10_2", "2_10_10_10", "8_8_8_8",
	"32_32", "16_16_16_16", "32_32_32", "32_32_32_32", "RESERVED_15"}

var numberFormats = [...]string{"UNORM", "SNORM", "USCALED", "SSCALED", "UINT", "SINT", "RESERVED_6", "FLOAT"}

func (w *writer) buffer() {
	i := w.inst
	m := &i.Mem
	if len(i.Op.Base) == 0 {
		return
	}
	if m.Data != RegNone {
		w.put(register(m.Data, m.DataWords))
	}
	switch {
	case !hasRole(i.Op.Base, 'D'):
	case m.OffEn && m.IdxEn:
		w.put(register(m.Addr, 2))
	case m.OffEn || m.IdxEn:
		w.put(register(m.Addr, 1))
	default:
		w.put("off")
	}
	w.put(in("SReg_128", m.Base, 4))
	if isInline(m.SOff) {
		w.put(w.value(m.SOff, Operand{Words: 1}))
	} else {
		w.put(in("SReg_32", m.SOff, 1))
	}
	if i.Format == MTBUF {
		w.format()
	}
	w.flag(m.IdxEn, "idxen")
	w.flag(m.OffEn, "offen")
	if m.Offset != 0 {
		fmt.Fprintf(w, " offset:%d", m.Offset)
	}
	toMemory := m.Lds && !hasRole(i.Op.Base, 'D')
	w.flag(toMemory, "lds")
	w.flag(m.Glc, "glc")
	w.flag(m.Slc, "slc")
	w.flag(m.Tfe && i.Op.showsTFE() && !toMemory, "tfe")
	w.flag(m.Lds && !toMemory, "lds")
}

func (w *writer) format() {
	m := &w.inst.Mem
	data, number := "BUF_DATA_FORMAT_"+dataFormats[m.DFmt], "BUF_NUM_FORMAT_"+numberFormats[m.NFmt]
	switch {
	case m.DFmt == 1 && m.NFmt == 0:
	case m.NFmt == 0:
		w.WriteString(" format:[" + data + "]")
	case m.DFmt == 1:
		w.WriteString(" format:[" + number + "]")
	default:
		w.WriteString(" format:[" + data + "," + number + "]")
	}
}

func (w *writer) mimg() {
	i := w.inst
	m := &i.Mem
	w.put(register(m.Data, m.DataWords))
	for _, operand := range i.Op.Base {
		switch operand.Role {
		case 'A':
			w.put(register(m.Addr, operand.Words))
		case 'R':
			w.put(register(m.Base, 8))
		case 'P':
			w.put(in("SReg_128", m.Samp, 4))
		}
	}
	if m.DMask != 0 {
		fmt.Fprintf(w, " dmask:0x%x", m.DMask)
	}
	w.flag(m.Unorm, "unorm")
	w.flag(m.Glc, "glc")
	w.flag(m.Slc, "slc")
	w.flag(m.R128, "r128")
	w.flag(m.Tfe, "tfe")
	w.flag(m.LWE, "lwe")
	w.flag(m.DA, "da")
	w.flag(m.D16, "d16")
}

func (w *writer) export() {
	i := w.inst
	m := &i.Mem
	target := int(m.Target)
	var name string
	switch {
	case target < 8:
		name = "mrt" + strconv.Itoa(target)
	case target == 8:
		name = "mrtz"
	case target == 9:
		name = "null"
	case target >= 12 && target < 16:
		name = "pos" + strconv.Itoa(target-12)
	case target >= 32:
		name = "param" + strconv.Itoa(target-32)
	default:
		name = "invalid_target_" + strconv.Itoa(target)
	}
	w.put(name)
	for slot := range 4 {
		source := slot
		if m.Compr { // two registers hold four halves
			source = slot / 2
		}
		r := m.Addr
		if source > 0 {
			r = i.Src[source-1]
		}
		text := "off"
		if m.DMask>>slot&1 != 0 {
			text = register(r, 1)
		}
		if slot == 0 {
			w.WriteString(" " + text)
		} else {
			w.put(text)
		}
	}
	w.flag(m.Done, "done")
	w.flag(m.Compr, "compr")
	w.flag(m.VM, "vm")
}
