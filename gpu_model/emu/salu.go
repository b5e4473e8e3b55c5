package emu

import (
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// Scalar ALU instructions SOP2, SOP1, SOPC and SOPK without control flow (source: CLRX GcnInstrsSop2, Sop1, Sopc, Sopk).
func init() {
	registerScalarArithmetic()
	registerScalarLogic()
	registerScalarBits()
	registerScalarCompare()
	registerScalarConstant()
}

func keep32(f func(a, b uint32) uint32) executor {
	return scalar32Instruction(sccKeep, func(a, b uint32, _ bool) (uint32, bool) { return f(a, b), false })
}

func test32(f func(a, b uint32) uint32) executor {
	return scalar32Instruction(sccNonzero, func(a, b uint32, _ bool) (uint32, bool) { return f(a, b), false })
}

func keep64(f func(a, b uint64) uint64) executor {
	return scalar64Instruction(sccKeep, func(a, b uint64, _ bool) (uint64, bool) { return f(a, b), false })
}

func test64(f func(a, b uint64) uint64) executor {
	return scalar64Instruction(sccNonzero, func(a, b uint64, _ bool) (uint64, bool) { return f(a, b), false })
}

func registerScalarArithmetic() {
	flag := func(name string, f func(a, b uint32, scc bool) (uint32, bool)) {
		register(name, scalar32Instruction(sccFlag, f))
	}
	flag("s_add_u32", func(a, b uint32, _ bool) (uint32, bool) { return a + b, a+b < a })
	flag("s_sub_u32", func(a, b uint32, _ bool) (uint32, bool) { return a - b, b > a })
	flag("s_add_i32", addOverflow)
	flag("s_sub_i32", func(a, b uint32, _ bool) (uint32, bool) {
		d := a - b
		return d, int32((a^b)&(a^d)) < 0
	})
	flag("s_addc_u32", addCarry)
	flag("s_subb_u32", subtractBorrow)
	flag("s_min_i32", func(a, b uint32, _ bool) (uint32, bool) { return uint32(min(int32(a), int32(b))), int32(a) < int32(b) })
	flag("s_max_i32", func(a, b uint32, _ bool) (uint32, bool) { return uint32(max(int32(a), int32(b))), int32(a) > int32(b) })
	flag("s_min_u32", func(a, b uint32, _ bool) (uint32, bool) { return min(a, b), a < b })
	flag("s_max_u32", func(a, b uint32, _ bool) (uint32, bool) { return max(a, b), a > b })
	register("s_mul_i32", keep32(func(a, b uint32) uint32 { return a * b }))
	register("s_absdiff_i32", test32(func(a, b uint32) uint32 { return absolute(a - b) }))
	register("s_abs_i32", test32(func(a, _ uint32) uint32 { return absolute(a) }))
}

func addOverflow(a, b uint32, _ bool) (uint32, bool) {
	d := a + b
	return d, int32((a^d)&(b^d)) < 0
}

func absolute(a uint32) uint32 {
	if int32(a) < 0 {
		return -a
	}
	return a
}

func registerScalarLogic() {
	logic := map[string]func(a, b uint64) uint64{
		"and": func(a, b uint64) uint64 { return a & b }, "or": func(a, b uint64) uint64 { return a | b },
		"xor": func(a, b uint64) uint64 { return a ^ b }, "andn2": func(a, b uint64) uint64 { return a &^ b },
		"orn2": func(a, b uint64) uint64 { return a | ^b }, "nand": func(a, b uint64) uint64 { return ^(a & b) },
		"nor": func(a, b uint64) uint64 { return ^(a | b) }, "xnor": func(a, b uint64) uint64 { return ^(a ^ b) },
	}
	for name, f := range logic {
		register("s_"+name+"_b32", test32(func(a, b uint32) uint32 { return uint32(f(uint64(a), uint64(b))) }))
		register("s_"+name+"_b64", test64(f))
		register("s_"+name+"_saveexec_b64", saveExec(f))
	}
	register("s_not_b32", test32(func(a, _ uint32) uint32 { return ^a }))
	register("s_not_b64", test64(func(a, _ uint64) uint64 { return ^a }))
	register("s_lshl_b32", test32(func(a, b uint32) uint32 { return a << (b & 31) }))
	register("s_lshl_b64", test64(func(a, b uint64) uint64 { return a << (b & 63) }))
	register("s_lshr_b32", test32(func(a, b uint32) uint32 { return a >> (b & 31) }))
	register("s_lshr_b64", test64(func(a, b uint64) uint64 { return a >> (b & 63) }))
	register("s_ashr_i32", test32(func(a, b uint32) uint32 { return uint32(int32(a) >> (b & 31)) }))
	register("s_ashr_i64", test64(func(a, b uint64) uint64 { return uint64(int64(a) >> (b & 63)) }))
	register("s_wqm_b32", test32(func(a, _ uint32) uint32 { return uint32(wholeQuads(uint64(a))) }))
	register("s_wqm_b64", test64(func(a, _ uint64) uint64 { return wholeQuads(a) }))
	register("s_quadmask_b32", test32(func(a, _ uint32) uint32 { return uint32(quadMask(uint64(a))) }))
	register("s_quadmask_b64", test64(func(a, _ uint64) uint64 { return quadMask(a) }))
}

// saveExec makes s_*_saveexec: the old EXEC goes to the destination, the combination of source and EXEC to EXEC.
func saveExec(f func(a, b uint64) uint64) executor {
	return func(op *Op) error {
		if err := resolveScalar(op); err != nil {
			return err
		}
		op.Execute = func(w *Wavefront, op *Op) {
			w.PC = op.Next
			source, old := w.scalar64(&op.sd.src[0]), w.Exec()
			w.setMask64(op.sd.dst, old)
			mask := f(source, old)
			w.SetExec(mask)
			w.SCC = mask != 0
		}
		return nil
	}
}

// wholeQuads sets all four bits of a quad that has one set.
func wholeQuads(a uint64) (d uint64) {
	for i := 0; i < 64; i += 4 {
		if a>>i&15 != 0 {
			d |= 15 << i
		}
	}
	return d
}

// quadMask returns a bit a quad: whether one of the quad's bits is set.
func quadMask(a uint64) (d uint64) {
	for i := range 16 {
		if a>>(4*i)&15 != 0 {
			d |= 1 << i
		}
	}
	return d
}

func registerScalarBits() {
	register("s_mov_b32", keep32(func(a, _ uint32) uint32 { return a }))
	register("s_mov_b64", keep64(func(a, _ uint64) uint64 { return a }))
	register("s_brev_b32", keep32(func(a, _ uint32) uint32 { return bits.Reverse32(a) }))
	register("s_brev_b64", keep64(func(a, _ uint64) uint64 { return bits.Reverse64(a) }))
	register("s_bcnt0_i32_b32", test32(func(a, _ uint32) uint32 { return uint32(bits.OnesCount32(^a)) }))
	register("s_bcnt0_i32_b64", test64(func(a, _ uint64) uint64 { return uint64(bits.OnesCount64(^a)) }))
	register("s_bcnt1_i32_b32", test32(func(a, _ uint32) uint32 { return uint32(bits.OnesCount32(a)) }))
	register("s_bcnt1_i32_b64", test64(func(a, _ uint64) uint64 { return uint64(bits.OnesCount64(a)) }))
	register("s_ff0_i32_b32", keep32(func(a, _ uint32) uint32 { return firstLow(^a) }))
	register("s_ff1_i32_b32", keep32(func(a, _ uint32) uint32 { return firstLow(a) }))
	register("s_ff0_i32_b64", keep64(func(a, _ uint64) uint64 { return firstLow64(^a) }))
	register("s_ff1_i32_b64", keep64(func(a, _ uint64) uint64 { return firstLow64(a) }))
	register("s_flbit_i32_b32", keep32(func(a, _ uint32) uint32 { return firstHigh(a) }))
	register("s_flbit_i32_b64", keep64(func(a, _ uint64) uint64 { return firstHigh64(a) }))
	register("s_flbit_i32", keep32(func(a, _ uint32) uint32 { return firstOpposite(a) }))
	register("s_flbit_i32_i64", keep64(func(a, _ uint64) uint64 {
		if int64(a) < 0 {
			a = ^a
		}
		return firstHigh64(a)
	}))
	register("s_sext_i32_i8", keep32(func(a, _ uint32) uint32 { return uint32(int32(int8(a))) }))
	register("s_sext_i32_i16", keep32(func(a, _ uint32) uint32 { return uint32(int32(int16(a))) }))
	register("s_bfm_b32", keep32(func(a, b uint32) uint32 { return (1<<(a&31) - 1) << (b & 31) }))
	register("s_bfm_b64", keep64(func(a, b uint64) uint64 { return (1<<(a&63) - 1) << (b & 63) }))
	register("s_bfe_u32", test32(func(a, b uint32) uint32 { return uint32(field64(uint64(a), b&31, b>>16&127)) }))
	register("s_bfe_i32", test32(func(a, b uint32) uint32 {
		width := b >> 16 & 127
		return uint32(extend64(field64(uint64(int64(int32(a))), b&31, min(width, 32)), min(width, 32)))
	}))
	register("s_bfe_u64", test64(func(a, b uint64) uint64 { return field64(a, uint32(b)&63, uint32(b)>>16&127) }))
	register("s_bfe_i64", test64(func(a, b uint64) uint64 {
		offset, width := uint32(b)&63, uint32(b)>>16&127
		width = min(width, 64-offset)
		return extend64(field64(a, offset, width), width)
	}))
	for _, width := range []string{"b32", "b64"} {
		register("s_bitset0_"+width, bitSet(width == "b64", func(old, bit uint64) uint64 { return old &^ bit }))
		register("s_bitset1_"+width, bitSet(width == "b64", func(old, bit uint64) uint64 { return old | bit }))
	}
	register("s_cmov_b32", conditionalMove(false))
	register("s_cmov_b64", conditionalMove(true))
	register("s_cselect_b32", scalar32Instruction(sccKeep, func(a, b uint32, scc bool) (uint32, bool) {
		if scc {
			return a, false
		}
		return b, false
	}))
	register("s_cselect_b64", scalar64Instruction(sccKeep, func(a, b uint64, scc bool) (uint64, bool) {
		if scc {
			return a, false
		}
		return b, false
	}))
}

func firstLow64(a uint64) uint64 {
	if a == 0 {
		return uint64(^uint32(0))
	}
	return uint64(bits.TrailingZeros64(a))
}

func firstHigh64(a uint64) uint64 {
	if a == 0 {
		return uint64(^uint32(0))
	}
	return uint64(bits.LeadingZeros64(a))
}

func field64(a uint64, offset, width uint32) uint64 {
	if width >= 64 {
		return a >> offset
	}
	return a >> offset & (1<<width - 1)
}

func extend64(a uint64, width uint32) uint64 {
	if width == 0 || width >= 64 {
		return a
	}
	return uint64(int64(a<<(64-width)) >> (64 - width))
}

// bitSet makes s_bitset0 and s_bitset1, which change one bit of their destination.
func bitSet(wide bool, f func(old, bit uint64) uint64) executor {
	return func(op *Op) error {
		if err := resolveScalar(op); err != nil {
			return err
		}
		op.Execute = func(w *Wavefront, op *Op) {
			w.PC = op.Next
			place := w.scalar32(&op.sd.src[0])
			if wide {
				w.setMask64(op.sd.dst, f(w.mask64(op.sd.dst), 1<<(place&63)))
				return
			}
			w.S[op.sd.dst] = uint32(f(uint64(w.S[op.sd.dst]), 1<<(place&31)))
		}
		return nil
	}
}

func conditionalMove(wide bool) executor {
	return func(op *Op) error {
		if err := resolveScalar(op); err != nil {
			return err
		}
		op.Execute = func(w *Wavefront, op *Op) {
			w.PC = op.Next
			switch {
			case !w.SCC:
			case wide:
				w.setMask64(op.sd.dst, w.scalar64(&op.sd.src[0]))
			default:
				w.S[op.sd.dst] = w.scalar32(&op.sd.src[0])
			}
		}
		return nil
	}
}

func registerScalarCompare() {
	compare := func(name string, f func(a, b uint32) bool) {
		register(name, scalar32Instruction(sccFlag, func(a, b uint32, _ bool) (uint32, bool) { return 0, f(a, b) }))
	}
	signed := map[string]func(a, b int32) bool{
		"eq": func(a, b int32) bool { return a == b }, "lg": func(a, b int32) bool { return a != b },
		"gt": func(a, b int32) bool { return a > b }, "ge": func(a, b int32) bool { return a >= b },
		"lt": func(a, b int32) bool { return a < b }, "le": func(a, b int32) bool { return a <= b },
	}
	unsigned := map[string]func(a, b uint32) bool{
		"eq": func(a, b uint32) bool { return a == b }, "lg": func(a, b uint32) bool { return a != b },
		"gt": func(a, b uint32) bool { return a > b }, "ge": func(a, b uint32) bool { return a >= b },
		"lt": func(a, b uint32) bool { return a < b }, "le": func(a, b uint32) bool { return a <= b },
	}
	for relation, f := range signed {
		compare("s_cmp_"+relation+"_i32", func(a, b uint32) bool { return f(int32(a), int32(b)) })
		register("s_cmpk_"+relation+"_i32", compareConstant(func(a, k uint32) bool { return f(int32(a), int32(int16(k))) }))
	}
	for relation, f := range unsigned {
		compare("s_cmp_"+relation+"_u32", f)
		register("s_cmpk_"+relation+"_u32", compareConstant(f))
	}
	compare("s_bitcmp0_b32", func(a, b uint32) bool { return a>>(b&31)&1 == 0 })
	compare("s_bitcmp1_b32", func(a, b uint32) bool { return a>>(b&31)&1 != 0 })
	wide := func(name string, f func(a, b uint64) bool) {
		register(name, scalar64Instruction(sccFlag, func(a, b uint64, _ bool) (uint64, bool) { return 0, f(a, b) }))
	}
	wide("s_bitcmp0_b64", func(a, b uint64) bool { return a>>(b&63)&1 == 0 })
	wide("s_bitcmp1_b64", func(a, b uint64) bool { return a>>(b&63)&1 != 0 })
	wide("s_cmp_eq_u64", func(a, b uint64) bool { return a == b })
	wide("s_cmp_lg_u64", func(a, b uint64) bool { return a != b })
}

// compareConstant makes s_cmpk_*: the register that the encoding calls destination against the immediate.
func compareConstant(f func(a, k uint32) bool) executor {
	return constantInstruction(func(w *Wavefront, op *Op) { w.SCC = f(w.S[op.sd.dst], op.sd.imm) })
}

func constantInstruction(f func(w *Wavefront, op *Op)) executor {
	return func(op *Op) error {
		if err := resolveScalar(op); err != nil {
			return err
		}
		op.Execute = func(w *Wavefront, op *Op) {
			w.PC = op.Next
			f(w, op)
		}
		return nil
	}
}

func registerScalarConstant() {
	signed := func(op *Op) uint32 { return uint32(int32(int16(op.sd.imm))) }
	register("s_movk_i32", constantInstruction(func(w *Wavefront, op *Op) { w.S[op.sd.dst] = signed(op) }))
	register("s_cmovk_i32", constantInstruction(func(w *Wavefront, op *Op) {
		if w.SCC {
			w.S[op.sd.dst] = signed(op)
		}
	}))
	register("s_addk_i32", constantInstruction(func(w *Wavefront, op *Op) {
		w.S[op.sd.dst], w.SCC = addOverflow(w.S[op.sd.dst], signed(op), false)
	}))
	register("s_mulk_i32", constantInstruction(func(w *Wavefront, op *Op) { w.S[op.sd.dst] *= signed(op) }))
	for _, width := range []string{"b32", "b64"} {
		register("s_movrels_"+width, scalarRelative(width == "b64", true))
		register("s_movreld_"+width, scalarRelative(width == "b64", false))
	}
}

// scalarRelative makes s_movrels and s_movreld: M0 is added to the number of the source or the destination register.
func scalarRelative(wide, source bool) executor {
	return func(op *Op) error {
		if err := resolveScalar(op); err != nil {
			return err
		}
		op.Execute = func(w *Wavefront, op *Op) {
			w.PC = op.Next
			from, to := op.sd.src[0], op.sd.dst
			base := to
			if source {
				base = int(from.index)
			}
			words := int64(1)
			if wide {
				words = 2
			}
			register := int64(base) + int64(int32(w.S[isa.RegM0]))
			if base < 0 || register < 0 || register+words > 104 {
				w.Fail(op, "its relative operand s%d lies outside s0 to s103", register)
				return
			}
			if source {
				from.index = int32(register)
			} else {
				to = int(register)
			}
			if wide {
				w.setMask64(to, w.scalar64(&from))
			} else {
				w.S[to] = w.scalar32(&from)
			}
		}
		return nil
	}
}
