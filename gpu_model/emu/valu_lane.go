package emu

import (
	"fmt"
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// Instructions that move between lanes, between vector and scalar registers, or by a relative index; and those without
// operands (source: CLRX GcnInstrsVop1, Vop3).
func init() {
	nothing := func(op *Op) error {
		op.Execute = func(w *Wavefront, op *Op) { w.PC = op.Next }
		return nil
	}
	register("v_nop", nothing)
	register("v_clrexcp", nothing)
	register("v_readfirstlane_b32", readLane(func(w *Wavefront, _ *vector) int {
		if exec := w.Exec(); exec != 0 {
			return bits.TrailingZeros64(exec)
		}
		return 0
	}))
	register("v_readlane_b32", readLane(func(w *Wavefront, v *vector) int { return int(w.uniform(&v.src[1]) & 63) }))
	register("v_writelane_b32", bindWriteLane)
	register("v_movreld_b32", relativeMove(false, true))
	register("v_movrels_b32", relativeMove(true, false))
	register("v_movrelsd_b32", relativeMove(true, true))
	register("v_qsad_pk_u16_u8", wideSad(sad8))
	register("v_mqsad_pk_u16_u8", wideSad(maskedSad8))
	register("v_mqsad_u32_u8", bindQuadSad32)
}

// uniform returns a source that is the same in all lanes.
func (w *Wavefront) uniform(s *source) uint32 {
	switch s.kind {
	case sourceSGPR:
		return w.S[s.index]
	case sourceConstant:
		return s.lo[0]
	case sourceStatus:
		return w.status(s.index)
	}
	return 0
}

func readLane(lane func(w *Wavefront, v *vector) int) executor {
	return func(op *Op) error {
		v, err := resolveVector(op)
		if err != nil {
			return err
		}
		op.vec, op.Execute = v, func(w *Wavefront, op *Op) {
			w.PC = op.Next
			lo, _ := w.fetch(op, v, 0)
			if w.Fault == nil {
				w.S[v.sdst] = lo[lane(w, v)]
			}
		}
		return nil
	}
}

func bindWriteLane(op *Op) error {
	v, err := resolveVector(op)
	if err != nil {
		return err
	}
	op.vec, op.Execute = v, func(w *Wavefront, op *Op) {
		w.PC = op.Next
		d, _ := w.destination(op, v)
		if w.Fault == nil {
			d[w.uniform(&v.src[1])&63] = w.uniform(&v.src[0])
		}
	}
	return nil
}

// relativeMove makes v_movrel*: M0 is added to the number of the source or the destination register.
func relativeMove(source, destination bool) executor {
	return func(op *Op) error {
		v, err := resolveVector(op)
		if err != nil {
			return err
		}
		if source && v.src[0].kind != sourceVGPR {
			return fmt.Errorf("%s needs a vector register as its source", op.Inst.Op.Name)
		}
		op.vec, op.Execute = v, func(w *Wavefront, op *Op) {
			w.PC = op.Next
			m0 := w.S[isa.RegM0]
			from, _ := w.fetch(op, v, 0)
			if source {
				from = w.relative(op, v.src[0].index, m0)
			}
			to := (*lanes)(w.V[v.dst*64:])
			if destination {
				to = w.relative(op, v.dst, m0)
			}
			if w.Fault != nil {
				return
			}
			blend(to, from, w.Exec())
		}
		return nil
	}
}

// relative returns register + offset; a register outside the wavefront's is a fault.
func (w *Wavefront) relative(op *Op, register int, offset uint32) *lanes {
	index := int64(register) + int64(int32(offset))
	if index < 0 || (index+1)*64 > int64(len(w.V)) {
		w.Fail(op, "its relative operand v%d lies outside the %d vector registers of the wavefront", index, len(w.V)/64)
		return (*lanes)(w.V)
	}
	return (*lanes)(w.V[index*64:])
}

// wideSad makes four sums of differences between b and the four overlapping dwords of a, added to the words of c; clamp saturates.
func wideSad(sad func(a, b uint32) uint32) executor {
	return func(op *Op) error {
		clamp := op.Inst.Clamp
		return vectorInstruction(resultInt, liftWide(func(_ Mode, a, b, c uint64) (d uint64) {
			for i := range 4 {
				sum := sad(uint32(a>>(8*i)), uint32(b)) + uint32(c>>(16*i)&0xFFFF)
				if clamp {
					sum = min(sum, 0xFFFF)
				}
				d |= uint64(sum&0xFFFF) << (16 * i)
			}
			return d
		}))(op)
	}
}

// bindQuadSad32 resolves v_mqsad_u32_u8: four 32-bit sums, with a four-register accumulator. They saturate (source: CLRX GcnInstrsVop3).
func bindQuadSad32(op *Op) error {
	v, err := resolveVector(op)
	if err != nil {
		return err
	}
	op.vec, op.Execute = v, func(w *Wavefront, op *Op) {
		w.PC = op.Next
		s := w.sources(op, v)
		exec := w.Exec()
		var sums [4]lanes
		for i, a := range s.a {
			wide := join(a, s.ah[i])
			for k := range 4 {
				sum := uint64(maskedSad8(uint32(wide>>(8*k)), s.b[i])) + uint64(w.accumulator(&v.src[2], k, i))
				sums[k][i] = uint32(min(sum, 1<<32-1))
			}
		}
		for k := range 4 {
			blend((*lanes)(w.V[(v.dst+k)*64:]), &sums[k], exec)
		}
	}
	return nil
}

// accumulator returns dword k of a wide source in one lane.
func (w *Wavefront) accumulator(s *source, k, lane int) uint32 {
	switch s.kind {
	case sourceVGPR:
		return w.V[(s.index+k)*64+lane]
	case sourceSGPR:
		return w.S[s.index+k]
	case sourceConstant:
		if k == 0 {
			return s.lo[lane]
		}
	case sourceStatus:
		if k == 0 {
			return w.status(s.index)
		}
	}
	return 0
}
