package corpus

import "math/rand/v2"

// slot is one place of one encoding: the words that hold a given opcode number.
type slot struct {
	encoding string // "SOP2", …, "VOP2 SDWA"
	code     uint32
	make     func(r *rand.Rand, code uint32) []uint32
}

// encodings lists the encodings of GCN 1.2 with the width of their opcode field. Source: CLRX documentation, GcnIsa, "Instruction
// encodings"; the layouts in the functions below too.
var encodings = []struct {
	name  string
	codes uint32
	make  func(r *rand.Rand, code uint32) []uint32
}{
	{"SOP2", 96, makeSOP2}, // 96 and up are the prefixes of SOPK, SOP1, SOPC and SOPP
	{"SOPK", 29, makeSOPK}, // so are 29 to 31 here
	{"SOP1", 256, makeSOP1},
	{"SOPC", 128, makeSOPC},
	{"SOPP", 128, makeSOPP},
	{"SMEM", 256, makeSMEM},
	{"VOP2", 62, makeVOP2}, // 62 and 63 are the prefixes of VOPC and VOP1
	{"VOP1", 256, makeVOP1},
	{"VOPC", 256, makeVOPC},
	{"VOP2 SDWA", 62, withSDWA(makeVOP2)},
	{"VOP1 SDWA", 256, withSDWA(makeVOP1)},
	{"VOPC SDWA", 256, withSDWA(makeVOPC)},
	{"VOP2 DPP", 62, withDPP(makeVOP2)},
	{"VOP1 DPP", 256, withDPP(makeVOP1)},
	{"VOPC DPP", 256, withDPP(makeVOPC)},
	{"VOP3", 1024, makeVOP3},
	{"VINTRP", 4, makeVINTRP},
	{"DS", 256, makeDS},
	{"FLAT", 128, makeFLAT},
	{"MUBUF", 128, makeMUBUF},
	{"MTBUF", 16, makeMTBUF},
	{"MIMG", 128, makeMIMG},
	{"EXP", 1, makeEXP},
}

func allSlots() []slot {
	var slots []slot
	for _, e := range encodings {
		for code := range e.codes {
			slots = append(slots, slot{e.name, code, e.make})
		}
	}
	return slots
}

// chance is true once in n.
func chance(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// field gives a random field of some bits that is often 0: many fields must be.
func field(r *rand.Rand, width uint) uint32 {
	if chance(r, 2) {
		return 0
	}
	return r.Uint32N(1 << width)
}

// reserved gives bits that the encoding leaves unused: seldom set.
func reserved(r *rand.Rand, width uint) uint32 {
	if chance(r, 24) {
		return r.Uint32N(1 << width)
	}
	return 0
}

// scalarSource gives an 8-bit source code: SGPRs, constants, literals, anything.
func scalarSource(r *rand.Rand) uint32 {
	switch r.IntN(8) {
	case 0, 1:
		return r.Uint32N(102) &^ 3
	case 2:
		return r.Uint32N(102)
	case 3:
		return 128 + r.Uint32N(81) // integers
	case 4:
		return 240 + r.Uint32N(9) // floats
	case 5:
		return 255
	case 6:
		return 102 + r.Uint32N(26) // flat_scratch … exec
	}
	return r.Uint32N(256)
}

// scalarDestination gives a 7-bit scalar register code.
func scalarDestination(r *rand.Rand) uint32 {
	switch r.IntN(4) {
	case 0:
		return r.Uint32N(102)
	case 1:
		return r.Uint32N(128)
	case 2:
		return 0
	}
	return r.Uint32N(24) * 4
}

// vectorSource gives a 9-bit source code.
func vectorSource(r *rand.Rand) uint32 {
	switch r.IntN(4) {
	case 0:
		return scalarSource(r)
	case 1:
		return 0
	}
	return 256 + r.Uint32N(256)
}

// firstSource gives a 9-bit source code of a 32-bit encoding, without those that announce SDWA and DPP.
func firstSource(r *rand.Rand) uint32 {
	for {
		if a := vectorSource(r); a != 249 && a != 250 {
			return a
		}
	}
}

func vectorRegister(r *rand.Rand) uint32 { return r.Uint32N(256) }

// optionalVector gives an 8-bit VGPR number, often 0, because fields that an instruction lacks must be.
func optionalVector(r *rand.Rand) uint32 { return field(r, 8) }

// literal gives the dword after an instruction: bit patterns of floats, small integers, anything.
func literal(r *rand.Rand) uint32 {
	switch r.IntN(4) {
	case 0:
		return uint32(r.IntN(200) - 100)
	case 1:
		constants := [...]uint32{0, 0x3F000000, 0xBF000000, 0x3F800000, 0xBF800000, 0x40000000, 0xC0000000, 0x40800000, 0xC0800000, 0x3E22F983,
			0x3C00, 0xBC00, 0x3118, 0x7FC00000, 0x80000000, 0xFFFF, 0x8000}
		return constants[r.IntN(len(constants))]
	}
	return r.Uint32()
}

func immediate16(r *rand.Rand) uint32 {
	switch r.IntN(4) {
	case 0:
		return 0
	case 1:
		return r.Uint32N(128)
	case 2:
		return 1 << r.IntN(16)
	}
	return r.Uint32N(1 << 16)
}

func makeSOP2(r *rand.Rand, code uint32) []uint32 {
	a, b := scalarSource(r), scalarSource(r)
	words := []uint32{2<<30 | code<<23 | scalarDestination(r)<<16 | b<<8 | a}
	if a == 255 || b == 255 {
		words = append(words, literal(r))
	}
	return words
}

func makeSOPK(r *rand.Rand, code uint32) []uint32 {
	words := []uint32{0xB<<28 | code<<23 | scalarDestination(r)<<16 | immediate16(r)}
	if code == 20 { // s_setreg_imm32_b32 is the one with a dword more
		words = append(words, literal(r))
	}
	return words
}

func makeSOP1(r *rand.Rand, code uint32) []uint32 {
	a := scalarSource(r)
	if chance(r, 3) {
		a = 0
	}
	words := []uint32{0x17D<<23 | scalarDestination(r)<<16 | code<<8 | a}
	if a == 255 {
		words = append(words, literal(r))
	}
	return words
}

func makeSOPC(r *rand.Rand, code uint32) []uint32 {
	a, b := scalarSource(r), scalarSource(r)
	words := []uint32{0x17E<<23 | code<<16 | b<<8 | a}
	if a == 255 || b == 255 {
		words = append(words, literal(r))
	}
	return words
}

func makeSOPP(r *rand.Rand, code uint32) []uint32 {
	return []uint32{0x17F<<23 | code<<16 | immediate16(r)}
}

func makeSMEM(r *rand.Rand, code uint32) []uint32 {
	w0 := 0x30<<26 | code<<18 | field(r, 1)<<17 | field(r, 1)<<16 | reserved(r, 3)<<13 | field(r, 6)
	if !chance(r, 4) {
		w0 |= scalarDestination(r) << 6
	}
	var offset uint32
	switch r.IntN(4) {
	case 0:
		offset = r.Uint32N(1 << 20)
	case 1:
		offset = r.Uint32N(128)
	case 2:
		offset = r.Uint32N(1 << 21)
	}
	return []uint32{w0, offset | reserved(r, 11)<<21}
}

func makeVOP2(r *rand.Rand, code uint32) []uint32 {
	a := firstSource(r)
	words := []uint32{code<<25 | vectorRegister(r)<<17 | vectorRegister(r)<<9 | a}
	if a == 255 || code == 23 || code == 24 || code == 36 || code == 37 { // v_madmk and v_madak hold a constant
		words = append(words, literal(r))
	}
	return words
}

func makeVOP1(r *rand.Rand, code uint32) []uint32 {
	a := firstSource(r)
	d := vectorRegister(r)
	if chance(r, 4) {
		d = scalarDestination(r)
	} else if chance(r, 6) {
		d = 0 // some instructions have none
	}
	words := []uint32{0x3F<<25 | d<<17 | code<<9 | a}
	if a == 255 {
		words = append(words, literal(r))
	}
	return words
}

func makeVOPC(r *rand.Rand, code uint32) []uint32 {
	a := firstSource(r)
	words := []uint32{0x3E<<25 | code<<17 | vectorRegister(r)<<9 | a}
	if a == 255 {
		words = append(words, literal(r))
	}
	return words
}

// withSDWA gives the SDWA form of an encoding.
func withSDWA(f func(r *rand.Rand, code uint32) []uint32) func(r *rand.Rand, code uint32) []uint32 {
	return func(r *rand.Rand, code uint32) []uint32 {
		w0 := f(r, code)[0]&^0x1FF | 249
		// Selection 7 crashes LLVM; see crashes.
		w1 := vectorRegister(r) | r.Uint32N(7)<<8 | r.Uint32N(4)<<11 | field(r, 1)<<13 | reserved(r, 2)<<14 |
			r.Uint32N(7)<<16 | field(r, 3)<<19 | reserved(r, 2)<<22 | r.Uint32N(7)<<24 | field(r, 3)<<27 | reserved(r, 2)<<30
		switch r.IntN(4) {
		case 0:
			w1 &= 0xFFFFFF // one source
		case 1:
			w1 &= 0x7C7FFFF // no modifier
		case 2:
			w1 &= 0x7FFFF // neither
		}
		return []uint32{w0, w1}
	}
}

// withDPP gives the DPP form of an encoding.
func withDPP(f func(r *rand.Rand, code uint32) []uint32) func(r *rand.Rand, code uint32) []uint32 {
	return func(r *rand.Rand, code uint32) []uint32 {
		w0 := f(r, code)[0]&^0x1FF | 250
		control := r.Uint32N(512)
		if chance(r, 2) {
			controls := [...]uint32{0x101, 0x10F, 0x111, 0x11F, 0x121, 0x12F, 0x130, 0x134, 0x138, 0x13C, 0x140, 0x141, 0x142, 0x143}
			control = controls[r.IntN(len(controls))]
		}
		w1 := vectorRegister(r) | control<<8 | reserved(r, 2)<<17 | field(r, 1)<<19 | field(r, 4)<<20 | r.Uint32()&0xFF000000
		if chance(r, 2) {
			w1 &^= 0xF << 20 // no modifier
		}
		return []uint32{w0, w1}
	}
}

func makeVOP3(r *rand.Rand, code uint32) []uint32 {
	w0 := 0x34<<26 | code<<16 | field(r, 1)<<15 | reserved(r, 4)<<11 | field(r, 3)<<8
	switch r.IntN(6) {
	case 0:
		w0 |= scalarDestination(r)
	case 1:
	default:
		w0 |= vectorRegister(r)
	}
	if chance(r, 3) {
		w0 = w0&^0x7F00 | scalarDestination(r)<<8
	}
	w1 := vectorSource(r) | vectorSource(r)<<9 | field(r, 2)<<27 | field(r, 3)<<29
	if chance(r, 2) {
		w1 |= vectorSource(r) << 18
	}
	if chance(r, 3) {
		w1 &= 0x7FFFFFF // no modifier
		w0 &^= 0x8000
	}
	switch r.IntN(16) {
	case 0:
		w0 &^= 0xFFFF // no operand
		w1 = 0
	case 1, 2, 3:
		w0 &^= 0xFF00 // one source, no modifier
		w1 &= 0x1FF
	}
	return []uint32{w0, w1}
}

func makeVINTRP(r *rand.Rand, code uint32) []uint32 {
	return []uint32{0x35<<26 | vectorRegister(r)<<18 | code<<16 | field(r, 6)<<10 | r.Uint32N(4)<<8 | vectorRegister(r)}
}

func makeDS(r *rand.Rand, code uint32) []uint32 {
	w0 := 0x36<<26 | code<<17 | field(r, 1)<<16 | immediate16(r)
	w1 := optionalVector(r)<<24 | optionalVector(r)<<16 | optionalVector(r)<<8 | optionalVector(r)
	if chance(r, 8) { // some instructions have no operands
		w0, w1 = w0&^0xFFFF, 0
	}
	return []uint32{w0, w1}
}

func makeFLAT(r *rand.Rand, code uint32) []uint32 {
	w0 := 0x37<<26 | reserved(r, 1)<<25 | code<<18 | field(r, 1)<<17 | field(r, 1)<<16 | reserved(r, 16)
	w1 := optionalVector(r)<<24 | field(r, 1)<<23 | reserved(r, 7)<<16 | optionalVector(r)<<8 | optionalVector(r)
	return []uint32{w0, w1}
}

func makeMUBUF(r *rand.Rand, code uint32) []uint32 {
	w0 := 0x38<<26 | reserved(r, 1)<<25 | code<<18 | field(r, 1)<<17 | field(r, 1)<<16 | reserved(r, 1)<<15 | field(r, 3)<<12 | field(r, 12)
	w1 := scalarOffset(r)<<24 | field(r, 1)<<23 | reserved(r, 2)<<21 | field(r, 5)<<16 | optionalVector(r)<<8 | optionalVector(r)
	return []uint32{w0, w1}
}

func makeMTBUF(r *rand.Rand, code uint32) []uint32 {
	w0 := 0x3A<<26 | r.Uint32N(8)<<23 | r.Uint32N(16)<<19 | code<<15 | field(r, 3)<<12 | field(r, 12)
	w1 := scalarOffset(r)<<24 | field(r, 2)<<22 | reserved(r, 1)<<21 | field(r, 5)<<16 | optionalVector(r)<<8 | optionalVector(r)
	return []uint32{w0, w1}
}

// scalarOffset gives the soffset of buffer instructions.
func scalarOffset(r *rand.Rand) uint32 {
	if chance(r, 3) {
		return 0
	}
	return scalarSource(r)
}

func makeMIMG(r *rand.Rand, code uint32) []uint32 {
	w0 := 0x3C<<26 | field(r, 1)<<25 | code<<18 | field(r, 2)<<16 | field(r, 4)<<12 | r.Uint32N(16)<<8 | reserved(r, 8)
	w1 := reserved(r, 6)<<26 | field(r, 5)<<21 | field(r, 5)<<16 | optionalVector(r)<<8 | optionalVector(r)
	return []uint32{w0, w1}
}

func makeEXP(r *rand.Rand, _ uint32) []uint32 {
	w0 := 0x31<<26 | reserved(r, 13)<<13 | field(r, 3)<<10 | r.Uint32N(64)<<4 | r.Uint32N(16)
	return []uint32{w0, r.Uint32()}
}
