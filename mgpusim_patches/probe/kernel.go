package probe

import (
	"encoding/binary"
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
)

// Layout of the buffers.
const (
	inputBytes  = 8192 // 24 vector registers of 64 lanes, then 32 dwords for scalar registers at scalarOffset
	scalarBase  = 6144
	outputBytes = 8192 // results, then what memory instructions touch at touchedBase
	touchedBase = 4096
)

// assembler gathers words.
type assembler struct{ words []uint32 }

func (a *assembler) emit(words ...uint32) { a.words = append(a.words, words...) }

func vop1(code, dst, src uint32) uint32        { return 0x7e000000 | dst<<17 | code<<9 | src }
func vop2(code, dst, src1, src0 uint32) uint32 { return code<<25 | dst<<17 | src1<<9 | src0 }

const (
	endProgram  = 0xbf810000
	waitAll     = 0xbf8c0070 // vmcnt(0) lgkmcnt(0) expcnt(7)
	moveOp      = 1
	addOp       = 25 // v_add_u32
	addCarryOp  = 28 // v_addc_u32
	shiftLeft   = 18 // v_lshlrev_b32
	flatLoad    = 0xdc500000
	flatStore   = 0xdc700000
	moveScalar  = 0xbe800000 // s_mov_b32
	moveScalar2 = 0xbe800100 // s_mov_b64
)

// build makes the kernel around a probe: sources are loaded, the instruction runs, and all that it may have changed is stored.
func build(p *probe) []byte {
	a := &assembler{}
	a.emit(0xc0000000|2<<18|4<<6|1<<17, 0) // s_load_dwordx4 s[4:7], s[0:1], 0: input, output
	a.emit(waitAll)
	a.emit(moveScalar|8<<16|255, 256)
	a.emit(vop2(shiftLeft, 1, 0, 128+2))
	// s[16:31] and s[48:51]
	a.emit(0xc0000000|3<<18|16<<6|4>>1|1<<17, scalarBase)
	a.emit(0xc0000000|3<<18|24<<6|4>>1|1<<17, scalarBase+32)
	a.emit(0xc0000000|2<<18|48<<6|4>>1|1<<17, scalarBase+64)
	a.emit(moveScalar|9<<16|255, 0x40)
	address := func(pair uint32) { // v[2:3] = s[pair] + lane × 4
		a.emit(vop1(moveOp, 3, pair+1), vop2(addOp, 2, 1, pair), vop2(addCarryOp, 3, 3, 128))
	}
	advance := func() { a.emit(vop2(addOp, 2, 2, 8), vop2(addCarryOp, 3, 3, 128)) }
	address(4)
	for r := uint32(8); r < 24; r++ {
		a.emit(flatLoad, 2|r<<24)
		advance()
	}
	for r := uint32(vResult); r < vResult+4; r++ {
		a.emit(flatLoad, 2|r<<24)
		advance()
	}
	a.emit(waitAll)
	memory := strings.HasPrefix(p.use.Name, "ds_") || strings.HasPrefix(p.use.Name, "flat_")
	if memory {
		a.emit(vop2(shiftLeft, vLine, 0, 128+4))
		for i := uint32(0); i < 4; i++ { // LDS: 16 bytes a lane
			a.emit(vop1(moveOp, 45, 128+4*i), vop2(addOp, 45, 45, 256+vLine))
			a.emit(0xd8000000|13<<17, 45|(20+i)<<8) // ds_write_b32
		}
		a.emit(waitAll)
		// v[2:3]: lane × 16 in the touched part of the output
		a.emit(moveScalar|10<<16|255, touchedBase)
		a.emit(vop1(moveOp, 3, 7), vop2(addOp, 2, vLine, 6), vop2(addCarryOp, 3, 3, 128), vop2(addOp, 2, 2, 10), vop2(addCarryOp, 3, 3, 128))
	}
	a.emit(moveScalar2 | 106<<16 | sCarry)  // vcc
	a.emit(0xbf000000 | 6<<16 | 16<<8 | 16) // s_cmp_eq_u32 s16, s16: scc = 1
	a.emit(0xbe800000|124<<16|255, 0xffff)  // m0
	if strings.HasPrefix(p.use.Name, "s_cbranch_scc0") {
		a.emit(0xbf000000 | 7<<16 | 16<<8 | 16) // s_cmp_lg_u32
	}
	a.emit(p.words...)
	if strings.Contains(p.use.Name, "branch") {
		a.emit(vop1(moveOp, vResult, 128+5)) // jumped over
	}
	a.emit(waitAll)
	a.emit(0x85000000 | 52<<16 | 128<<8 | 129) // s_cselect_b32 s52, 1, 0
	a.emit(moveScalar2|54<<16|106, moveScalar2|56<<16|126, moveScalar2|126<<16|193)
	if strings.HasPrefix(p.use.Name, "ds_") {
		for i := uint32(0); i < 4; i++ { // what the LDS holds now
			a.emit(vop1(moveOp, 45, 128+4*i), vop2(addOp, 45, 45, 256+vLine))
			a.emit(0xd8000000|54<<17, 45|(24+i)<<24)
		}
		a.emit(waitAll)
	}
	address(6)
	store := func(r uint32) {
		a.emit(flatStore, 2|r<<8)
		advance()
	}
	for r := uint32(vResult); r < vResult+4; r++ {
		store(r)
	}
	for _, s := range []uint32{48, 49, 50, 51, 52, 54, 55} {
		a.emit(vop1(moveOp, 4, s))
		store(4)
	}
	a.emit(vop1(moveOp, 4, 56))
	store(4)
	if strings.HasPrefix(p.use.Name, "ds_") {
		for r := uint32(24); r < 28; r++ {
			store(r)
		}
	}
	a.emit(endProgram)
	code := make([]byte, 0, 4*len(a.words))
	for _, w := range a.words {
		code = binary.LittleEndian.AppendUint32(code, w)
	}
	return code
}

// kernel wraps code as a kernel with two pointers as arguments.
func kernel(name string, code []byte) *codeobject.Kernel {
	const mode = 0xc0<<12 | 1<<21 | 1<<23 // denormals of f64 and f16, DX10 clamp, IEEE
	return &codeobject.Kernel{Name: name, Object: &codeobject.Object{File: name, Version: 2, Image: code}, End: uint64(len(code)), SGPRs: 96, VGPRs: 64,
		AllocatedSGPRs: 96, AllocatedVGPRs: 64, LDSBytes: 4096, KernargBytes: 16, Rsrc1: mode, Rsrc2: 2 << 1,
		Enable: codeobject.Enable{KernargPtr: true, UserSGPRs: 2}}
}
