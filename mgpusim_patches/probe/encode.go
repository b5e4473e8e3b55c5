package probe

import (
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/upstream"
)

// Registers of a probe kernel. Sources and destinations of up to four registers lie at these, and hold random bits.
const (
	vSource0, vSource1, vSource2 = 8, 12, 16
	vResult                      = 40
	vLine                        = 44 // lane × 16: LDS address
	sSource0, sSource1           = 16, 20
	sResult                      = 48
	sCarry                       = 20 // a pair that VOP3B and v_cndmask read
)

// probe is one use of an instruction and words that ask for it.
type probe struct {
	use   upstream.Use
	words []uint32
	float bool // inputs are ordinary numbers of the instruction's own type
	f64   bool
	f16   bool
	in    isa.Inst
}

// all returns the probes of an opcode: itself in each of its encodings, then with each modifier.
func all(op *isa.Opcode) []probe {
	var found []probe
	add := func(words ...uint32) {
		code := make([]byte, 0, 8)
		for _, w := range words {
			code = append(code, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
		}
		in, err := isa.Decode(append(code, 0, 0, 0, 0, 0, 0, 0, 0))
		if err != nil || in.Op != op || int(in.Size) != len(code) {
			return
		}
		uses := upstream.Uses(&in)
		if len(uses) > 2 {
			return // more than one thing at once
		}
		p := probe{use: uses[len(uses)-1], words: words, in: in}
		name := op.Name
		p.f64 = strings.Contains(name, "f64") && !strings.HasPrefix(name, "v_cvt_f64")
		p.f16 = strings.Contains(name, "f16")
		p.float = strings.Contains(name, "_f32") || strings.Contains(name, "_f64") || strings.Contains(name, "_f16") || strings.HasPrefix(name, "v_cvt_rpi") || strings.HasPrefix(name, "v_cvt_flr")
		if strings.HasPrefix(name, "v_cvt_f") && (strings.HasSuffix(name, "i32") || strings.HasSuffix(name, "u32") || strings.Contains(name, "ubyte")) {
			p.float = false
		}
		for _, other := range found {
			if other.use == p.use {
				return
			}
		}
		found = append(found, p)
	}
	switch op.Format {
	case isa.VOP1, isa.VOP2, isa.VOPC, isa.VOP3A, isa.VOP3B:
		vector(op, add)
	case isa.SOP1, isa.SOP2, isa.SOPC, isa.SOPK:
		scalar(op, add)
	case isa.SOPP:
		add(0xbf800000 | uint32(op.Code)<<16)
		add(0xbf800000 | uint32(op.Code)<<16 | 1)
	case isa.SMEM:
		scalarMemory(op, add)
	case isa.DS:
		localMemory(op, add)
	case isa.FLAT:
		flat(op, add)
	}
	return found
}

const (
	literal       = 255
	literalF32    = 0x3fc00000 // 1.5
	floatConstant = 242        // 1.0
	integerThree  = 131
	sdwaSource    = 249
	dppSource     = 250
)

func vector(op *isa.Opcode, add func(...uint32)) {
	code := uint32(op.Code)
	base := func(src0 uint32) uint32 {
		switch op.Format {
		case isa.VOP1:
			return 0x7e000000 | vResult<<17 | code<<9 | src0
		case isa.VOP2:
			return code<<25 | vResult<<17 | vSource1<<9 | src0
		}
		return 0x7c000000 | code<<17 | vSource1<<9 | src0
	}
	scalarResult := func(w uint32) uint32 { return w&^(0xff<<17) | sResult<<17 } // v_readfirstlane_b32
	if op.HasBase {
		fix := func(w uint32) uint32 {
			if op.Format == isa.VOP1 && op.DstScalar {
				return scalarResult(w)
			}
			return w
		}
		last := []uint32{}
		if strings.HasPrefix(op.Name, "v_madmk") || strings.HasPrefix(op.Name, "v_madak") {
			last = append(last, literalF32)
		}
		add(append([]uint32{fix(base(256 + vSource0))}, last...)...)
		add(append([]uint32{fix(base(sSource0))}, last...)...)
		add(fix(base(integerThree)))
		add(fix(base(floatConstant)))
		add(fix(base(literal)), literalF32)
		if op.HasSDWA {
			add(base(sdwaSource), vSource0|6<<8|6<<16|6<<24)
			add(base(sdwaSource), vSource0|5<<8|4<<16|5<<24)
		}
		if op.HasDPP {
			add(base(dppSource), vSource0|0x111<<8|0xff<<24) // row_shr:1
		}
	}
	if op.HasWide || op.Format == isa.VOP3A {
		wide(op, add)
	}
}

func wide(op *isa.Opcode, add func(...uint32)) {
	first := 0xd0000000 | uint32(op.WideCode())<<16 | vResult
	if op.DstScalar || op.Format == isa.VOPC {
		first = first&^0xff | sResult
	}
	if op.HasSDst {
		first |= (sResult + 2) << 8
	}
	slots := []uint32{256 + vSource0, 256 + vSource1, 256 + vSource2}
	if s := op.Slots[2]; s.Words == 2 && s.SGPR && !s.VGPR { // a mask
		slots[2] = sCarry
	}
	if s := op.Slots[1]; s.Words > 0 && s.SGPR && !s.VGPR { // a lane
		slots[1] = sSource1
	}
	for i := range slots {
		if op.Slots[i].Words == 0 {
			slots[i] = 0
		}
	}
	second := func(src0 uint32) uint32 { return src0 | slots[1]<<9 | slots[2]<<18 }
	add(first, second(slots[0]))
	if slots[2] != sCarry && slots[1] != sSource1 {
		add(first, second(sSource0))
	}
	add(first, second(integerThree))
	add(first, second(floatConstant))
	if !op.HasSDst {
		add(first|1<<8, second(slots[0]))
		add(first|2<<8, second(slots[0]))
	}
	add(first, second(slots[0])|1<<29)
	add(first, second(slots[0])|2<<29)
	if op.Clamp {
		add(first|1<<15, second(slots[0]))
	}
	if op.OMod {
		add(first, second(slots[0])|1<<27)
	}
}

func scalar(op *isa.Opcode, add func(...uint32)) {
	code := uint32(op.Code)
	switch op.Format {
	case isa.SOP2:
		head := 0x80000000 | code<<23 | sResult<<16 | sSource1<<8
		add(head | sSource0)
		add(head | integerThree)
		add(head | floatConstant)
		add(head|literal, 0x12345678)
	case isa.SOP1:
		head := 0xbe800000 | sResult<<16 | code<<8
		add(head | sSource0)
		add(head | integerThree)
		add(head | floatConstant)
		add(head|literal, 0x12345678)
	case isa.SOPC:
		head := 0xbf000000 | code<<16 | sSource1<<8
		add(head | sSource0)
		add(head | integerThree)
		add(head | floatConstant)
		add(head|literal, 0x12345678)
	case isa.SOPK:
		add(0xb0000000 | code<<23 | sResult<<16 | 0x1234)
	}
}

// scalarMemory addresses the input with s[4:5].
func scalarMemory(op *isa.Opcode, add func(...uint32)) {
	head := 0xc0000000 | uint32(op.Code)<<18 | sResult<<6 | 4>>1
	add(head|1<<17, 0x40)
	add(head, 9) // offset in s9
}

// localMemory addresses the LDS with lane × 16; the first 16 bytes of every lane are filled.
func localMemory(op *isa.Opcode, add func(...uint32)) {
	head := 0xd8000000 | uint32(op.Code)<<17
	data := uint32(0)
	for _, o := range op.Base {
		switch o.Role {
		case 'A':
			data |= vLine
		case 'D':
			data |= vSource0 << 8
		case 'E':
			data |= vSource1 << 16
		case 'd':
			data |= vResult << 24
		}
	}
	if op.TwoOffsets {
		add(head, data)
		add(head|1<<8, data)
		return
	}
	add(head, data)
	add(head|8, data)
}

// flat addresses the output with v[2:3] where the instruction stores, else the input.
func flat(op *isa.Opcode, add func(...uint32)) {
	head := 0xdc000000 | uint32(op.Code)<<18
	data := uint32(2 | vSource0<<8 | vResult<<24)
	if strings.HasPrefix(op.Name, "flat_store") {
		data &^= 0xff << 24
	}
	if strings.HasPrefix(op.Name, "flat_load") {
		data &^= 0xff << 8
	}
	add(head, data)
	add(head|1<<16, data)
}
