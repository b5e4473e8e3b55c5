package emu

import (
	"encoding/binary"
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// Random instructions of an opcode, and registers with operands that matter to them.

// word returns random bits with some fixed.
func (m *machine) word(fixed, mask uint32) uint32 { return m.r.Uint32()&^mask | fixed&mask }

// sourceCode returns a random 9-bit source: mostly registers.
func (m *machine) sourceCode() uint32 {
	switch m.r.Intn(10) {
	case 0, 1:
		return uint32(m.r.Intn(104))
	case 2:
		return uint32([]int{106, 107, 124, 126, 127, 251, 252, 253}[m.r.Intn(8)])
	case 3:
		return uint32(128 + m.r.Intn(81))
	case 4:
		return uint32(240 + m.r.Intn(9))
	case 5:
		return 255
	}
	return uint32(256 + m.r.Intn(256))
}

type encoding uint8

const (
	encodingBase encoding = iota
	encodingWide
	encodingSDWA
	encodingDPP
)

// encode returns a random instruction of a row in an encoding; nil where the row has none or the draw does not decode.
func (m *machine) encode(row *isa.Opcode, how encoding) []byte {
	code := uint32(row.Code)
	var a, b uint32
	source := m.sourceCode()
	switch how {
	case encodingSDWA:
		if !row.HasSDWA {
			return nil
		}
		source = 249
		b = m.subDword(row)
	case encodingDPP:
		if !row.HasDPP {
			return nil
		}
		source = 250
		ctrl := []uint32{uint32(m.r.Intn(256)), 0x101 + uint32(m.r.Intn(15)), 0x111 + uint32(m.r.Intn(15)), 0x121 + uint32(m.r.Intn(15)),
			[]uint32{0x130, 0x134, 0x138, 0x13c, 0x140, 0x141, 0x142, 0x143}[m.r.Intn(8)]}[m.r.Intn(5)]
		b = uint32(m.r.Intn(256)) | ctrl<<8 | uint32(m.r.Intn(2))<<19 | 0xff000000
		for i := range uint32(2) {
			if row.NegMask>>i&1 != 0 {
				b |= uint32(m.r.Intn(4)) << (20 + 2*i)
			}
		}
		if m.r.Intn(3) == 0 {
			b = b&0xffffff | m.r.Uint32()&0xff000000
		}
	case encodingWide:
		if !row.HasWide {
			return nil
		}
		return m.encodeWide(row)
	default:
		b = m.r.Uint32()
		if !row.HasBase {
			return nil
		}
	}
	switch row.Format {
	case isa.VOP1:
		a = m.word(0x7e000000|code<<9|source, 0xfe01ffff)
	case isa.VOP2:
		a = m.word(code<<25|source, 0xfe0001ff)
	case isa.VOPC:
		a = m.word(0x7c000000|code<<17|source, 0xfffe01ff)
	}
	if row.Format == isa.VOP1 && len(row.Base) == 0 {
		a = 0x7e000000 | code<<9
	}
	if row.DstScalar && row.Format == isa.VOP1 {
		a = a&^(0xff<<17) | uint32(m.r.Intn(100))<<17
	}
	return pack(a, b)
}

// subDword returns the second dword of an SDWA instruction: floats take neg and abs, integers sign extension.
func (m *machine) subDword(row *isa.Opcode) uint32 {
	b := uint32(m.r.Intn(256)) | uint32(m.r.Intn(7))<<8 | uint32(m.r.Intn(3))<<11
	if m.r.Intn(3) == 0 && row.Clamp {
		b |= 1 << 13
	}
	for i, role := range []byte{'a', 'b'} {
		for _, o := range row.Base {
			if o.Role != role {
				continue
			}
			at := 16 + 8*i
			b |= uint32(m.r.Intn(7)) << at
			if row.NegMask>>i&1 != 0 {
				b |= uint32(m.r.Intn(4)) << (at + 4)
			} else {
				b |= uint32(m.r.Intn(2)) << (at + 3)
			}
		}
	}
	return b
}

func pack(words ...uint32) []byte {
	var b []byte
	for _, x := range words {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

func (m *machine) encodeWide(row *isa.Opcode) []byte {
	a := uint32(0xd0000000) | uint32(row.WideCode())<<16
	var b uint32
	for i := range 3 {
		slot := row.Slots[i]
		if !hasSource(row, i) {
			continue
		}
		source := m.sourceCode()
		for source == 255 || slot.VGPR && m.r.Intn(3) == 0 {
			source = 256 + uint32(m.r.Intn(256))
			if !slot.VGPR {
				source = uint32(m.r.Intn(100))
			}
			break
		}
		b |= source << (9 * i)
	}
	switch {
	case row.DstScalar || row.Format == isa.VOPC:
		a |= uint32(m.r.Intn(51)) * 2
	case row.DstWords > 0:
		a |= uint32(m.r.Intn(256))
	}
	if row.HasSDst {
		a |= uint32(m.r.Intn(51)) * 2 << 8
	} else if m.r.Intn(3) == 0 {
		a |= m.r.Uint32() & uint32(row.AbsMask) << 8
	}
	if row.Clamp && m.r.Intn(3) == 0 {
		a |= 1 << 15
	}
	if m.r.Intn(2) == 0 {
		b |= m.r.Uint32() & uint32(row.NegMask) << 29
	}
	if row.OMod && m.r.Intn(3) == 0 {
		b |= uint32(m.r.Intn(4)) << 27
	}
	return pack(a, b)
}

func hasSource(row *isa.Opcode, i int) bool {
	for _, o := range row.Wide {
		if o.Role == byte('a'+i) {
			return true
		}
	}
	return false
}

// draw returns a decodable instruction of a row in an encoding.
func (m *machine) draw(row *isa.Opcode, how encoding) ([]byte, *isa.Inst) {
	for range 2000 {
		code := m.encode(row, how)
		if code == nil {
			return nil, nil
		}
		in, err := isa.Decode(code)
		if err != nil || in.Op != row {
			continue
		}
		if overlapping(&in) {
			continue
		}
		// Negation and absolute value are for floating-point sources.
		in.Neg &= row.NegMask
		in.Abs &= row.AbsMask
		return code[:in.Size], &in
	}
	m.t.Fatalf("%s: no random instruction of encoding %d decodes", row.Name, how)
	return nil, nil
}

// overlapping tells that a wide destination overlaps a source in another alignment, which hardware leaves undefined.
func overlapping(in *isa.Inst) bool {
	if !in.Dst.IsVGPR() || in.Op.DstWords < 2 {
		return false
	}
	d := in.Dst.VGPR()
	for i, r := range in.Src {
		if r.IsVGPR() && r.VGPR() != d && r.VGPR() < d+int(in.Op.DstWords) && d < r.VGPR()+int(max(in.Op.Slots[i].Words, 1)) {
			return true
		}
		if r.IsVGPR() && in.Op.DstWords == 4 && r.VGPR() < d+4 && d < r.VGPR()+4 {
			return true
		}
	}
	return false
}

// prepare fills the sources of an instruction, EXEC, VCC and MODE.
func (m *machine) prepare(in *isa.Inst, types [3]operandType) {
	m.w.SCC = m.r.Intn(2) == 0
	m.w.SetVCC(m.r.Uint64())
	for i, r := range in.Src {
		words := max(int(in.Op.Slots[i].Words), 1)
		switch {
		case r.IsVGPR():
			m.fill(r.VGPR(), words, types[i])
		case r < 126:
			m.scalarFill(r, words, types[i])
		}
	}
	if in.Dst.IsVGPR() {
		t := types[0]
		if in.Op.DstWords == 1 && t == typeF64 {
			t = typeInt
		}
		if in.Dst != in.Src[0] && in.Dst != in.Src[1] && in.Dst != in.Src[2] {
			m.fill(in.Dst.VGPR(), int(in.Op.DstWords), t)
		}
	}
	m.cancel(in, types)
	switch m.r.Intn(5) {
	case 0:
		m.w.SetExec(m.r.Uint64())
	case 1:
		m.w.SetExec([]uint64{0, 1, 1 << 63, 0xffffffff, m.r.Uint64() & m.r.Uint64()}[m.r.Intn(5)])
	default:
		m.w.SetExec(^uint64(0))
	}
	m.w.Mode = Mode(m.r.Intn(1 << 10))
	if m.r.Intn(3) == 0 {
		m.w.Mode = 0x3c0 // what compilers ask for
	}
}

// cancel makes the third source of some lanes nearly the negated product of the others: there one rounding differs from two.
func (m *machine) cancel(in *isa.Inst, types [3]operandType) {
	if types[2] == typeInt || !in.Src[0].IsVGPR() || !in.Src[1].IsVGPR() || !in.Src[2].IsVGPR() || in.Src[2] == in.Src[0] || in.Src[2] == in.Src[1] {
		return
	}
	f := types[2].format()
	s := m.state()
	for lane := range 64 {
		if m.r.Intn(3) != 0 {
			continue
		}
		a, _ := s.read(in, 0, lane, types[0])
		b, _ := s.read(in, 1, lane, types[1])
		c := f.under(0xf0).product(a, b) ^ f.sign()
		c += uint64(m.r.Intn(3)) - 1
		at := in.Src[2].VGPR()*64 + lane
		m.w.V[at] = uint32(c & f.mask())
		if f == binary64 {
			m.w.V[at+64] = uint32(c >> 32)
		}
	}
}

func countBits(x uint64) uint64 { return uint64(bits.OnesCount64(x)) }
