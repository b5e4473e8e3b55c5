package isa

import (
	"encoding/binary"
	"fmt"
)

// DecodeError says why a word is no gfx803 instruction.
type DecodeError struct {
	Words []uint32 // the dwords looked at, lowest address first; none where the code ends before the first
	Why   string
}

func (e *DecodeError) Error() string {
	if len(e.Words) == 0 {
		return e.Why
	}
	text := ""
	for i, word := range e.Words {
		if i > 0 {
			text += " "
		}
		text += fmt.Sprintf("0x%08x", word)
	}
	return fmt.Sprintf("%s is not a gfx803 instruction: %s", text, e.Why)
}

// Decode decodes the instruction at the start of code. Code beyond the instruction is not looked at.
func Decode(code []byte) (Inst, error) {
	d, err := decodeAny(code)
	if err != nil {
		return Inst{}, err
	}
	if d.reserved != "" {
		return Inst{}, d.failure(d.reserved)
	}
	return d.inst, nil
}

// decodeAny decodes what has a text, words with no defined meaning included.
func decodeAny(code []byte) (*decoder, error) {
	d := &decoder{code: code}
	if len(code) < 4 {
		return nil, &DecodeError{Why: fmt.Sprintf("an instruction has 4 bytes or 8, %d are left", len(code))}
	}
	d.w0 = binary.LittleEndian.Uint32(code)
	d.inst.Size = 4
	d.clear()
	d.decode()
	if d.why != "" {
		return nil, d.failure(d.why)
	}
	return d, nil
}

func (d *decoder) failure(why string) error {
	words := []uint32{d.w0}
	if d.inst.Size == 8 && len(d.code) >= 8 {
		words = append(words, binary.LittleEndian.Uint32(d.code[4:]))
	}
	return &DecodeError{Words: words, Why: why}
}

// decoder holds one decode under way; the first failure sticks in why, and the first reason why the words, though they have a
// text, mean nothing to the machine in reserved.
type decoder struct {
	code          []byte
	w0, w1        uint32
	inst          Inst
	why, reserved string
}

func (d *decoder) clear() {
	i := &d.inst
	i.Dst, i.SDst = RegNone, RegNone
	i.Src = [3]Reg{RegNone, RegNone, RegNone}
	m := &i.Mem
	m.Addr, m.Data, m.Data1, m.Base, m.Samp, m.SOff = RegNone, RegNone, RegNone, RegNone, RegNone, RegNone
}

func (d *decoder) fail(format string, arguments ...any) {
	if d.why == "" {
		d.why = fmt.Sprintf(format, arguments...)
	}
}

func (d *decoder) reserve(format string, arguments ...any) {
	if d.reserved == "" {
		d.reserved = fmt.Sprintf(format, arguments...)
	}
}

// second reads the second dword.
func (d *decoder) second() {
	if len(d.code) < 8 {
		d.fail("its second dword is missing")
		return
	}
	d.w1 = binary.LittleEndian.Uint32(d.code[4:])
	d.inst.Size = 8
}

// lookup finds the row and enters it with its format.
func (d *decoder) lookup(format Format, code uint32) *Opcode {
	rows := byFormat[format]
	if int(code) >= len(rows) || rows[code] == nil {
		d.fail("%v has no opcode %d", format, code)
		return nil
	}
	d.inst.Op, d.inst.Format = rows[code], format
	return rows[code]
}

func bits(word uint32, low, width uint) uint32 { return word >> low & (1<<width - 1) }

func (d *decoder) decode() {
	w := d.w0
	switch {
	case w>>31 == 0:
		switch bits(w, 25, 6) {
		case 0x3F:
			d.vop1()
		case 0x3E:
			d.vopc()
		default:
			d.vop2()
		}
	case w>>30 == 2:
		switch {
		case w>>23 == 0x17D:
			d.sop1()
		case w>>23 == 0x17E:
			d.sopc()
		case w>>23 == 0x17F:
			d.sopp()
		case w>>28 == 0xB:
			d.sopk()
		default:
			d.sop2()
		}
	default:
		d.decodeWide()
	}
}

func (d *decoder) decodeWide() {
	switch d.w0 >> 26 {
	case 0x30:
		d.smem()
	case 0x34:
		d.vop3()
	case 0x35:
		d.vintrp()
	case 0x36:
		d.ds()
	case 0x37:
		d.flat()
	case 0x38:
		d.mubuf()
	case 0x3A:
		d.mtbuf()
	case 0x3C:
		d.mimg()
	case 0x31:
		d.exp()
	default:
		d.fail("no encoding starts with 0b%06b", d.w0>>26)
	}
}
