package emu

import (
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// Control flow and machine state (source: CLRX GcnInstrsSopp, Sop1, Sopk).
func init() {
	next := func(op *Op) error { return constantInstruction(func(*Wavefront, *Op) {})(op) }
	for _, name := range []string{"s_nop", "s_waitcnt", "s_sleep", "s_setprio", "s_wakeup", "s_icache_inv",
		"s_incperflevel", "s_decperflevel", "s_ttracedata", "s_sendmsg"} {
		register(name, next)
	}
	halt := func(w *Wavefront, op *Op) {
		w.Fail(op, "it halts the wavefront for good: no debugger is there to resume it")
	}
	register("s_sendmsghalt", constantInstruction(halt))
	register("s_sethalt", constantInstruction(func(w *Wavefront, op *Op) {
		if op.sd.imm&1 != 0 {
			halt(w, op)
		}
	}))
	end := constantInstruction(func(w *Wavefront, _ *Op) { w.Ended = true })
	register("s_endpgm", end)
	register("s_endpgm_saved", end)
	register("s_barrier", constantInstruction(func(w *Wavefront, _ *Op) { w.AtBarrier = true }))
	register("s_setkill", constantInstruction(func(w *Wavefront, op *Op) { w.Ended = op.sd.imm&1 != 0 }))
	register("s_trap", constantInstruction(func(w *Wavefront, op *Op) {
		w.Fail(op, "trap %d: this machine has no trap handler", op.sd.imm&0xFF)
	}))

	branches := map[string]func(w *Wavefront) bool{
		"s_branch":         func(*Wavefront) bool { return true },
		"s_cbranch_scc0":   func(w *Wavefront) bool { return !w.SCC },
		"s_cbranch_scc1":   func(w *Wavefront) bool { return w.SCC },
		"s_cbranch_vccz":   func(w *Wavefront) bool { return w.VCC() == 0 },
		"s_cbranch_vccnz":  func(w *Wavefront) bool { return w.VCC() != 0 },
		"s_cbranch_execz":  func(w *Wavefront) bool { return w.Exec() == 0 },
		"s_cbranch_execnz": func(w *Wavefront) bool { return w.Exec() != 0 },
	}
	for name, taken := range branches {
		register(name, branch(taken))
	}
	for _, name := range []string{"s_cbranch_cdbgsys", "s_cbranch_cdbguser", "s_cbranch_cdbgsys_or_user", "s_cbranch_cdbgsys_and_user"} {
		register(name, branch(func(*Wavefront) bool { return false })) // no debugger is attached
	}
	register("s_getpc_b64", constantInstruction(func(w *Wavefront, op *Op) {
		w.setMask64(op.sd.dst, w.Program.Base+4*uint64(op.Next))
	}))
	register("s_setpc_b64", constantInstruction(func(w *Wavefront, op *Op) { w.jump(op, w.scalar64(&op.sd.src[0])) }))
	// They leave the trap handler, in which no wavefront of this machine ever is, and go on at their source; the second also sets INST_ATC, which
	// chooses among address spaces of the host's that this machine does not have (source: GCN3 ISA manual, S_RFE_B64, S_RFE_RESTORE_B64).
	for _, name := range []string{"s_rfe_b64", "s_rfe_restore_b64"} {
		register(name, constantInstruction(func(w *Wavefront, op *Op) { w.jump(op, w.scalar64(&op.sd.src[0])) }))
	}
	register("s_swappc_b64", constantInstruction(func(w *Wavefront, op *Op) {
		target := w.scalar64(&op.sd.src[0])
		w.setMask64(op.sd.dst, w.Program.Base+4*uint64(op.Next))
		w.jump(op, target)
	}))
	register("s_cbranch_g_fork", fork(func(w *Wavefront, op *Op) (mask, target uint64) {
		return w.scalar64(&op.sd.src[0]), w.scalar64(&op.sd.src[1])
	}))
	register("s_cbranch_i_fork", fork(func(w *Wavefront, op *Op) (mask, target uint64) {
		return w.mask64(op.sd.dst), w.Program.Base + 4*uint64(op.Target)
	}))
	register("s_cbranch_join", constantInstruction(executeJoin))

	register("s_getreg_b32", constantInstruction(executeGetRegister))
	register("s_setreg_b32", constantInstruction(func(w *Wavefront, op *Op) { w.setRegister(op, w.S[op.sd.dst]) }))
	register("s_setreg_imm32_b32", constantInstruction(func(w *Wavefront, op *Op) { w.setRegister(op, op.Inst.Lit) }))

	register("s_set_gpr_idx_on", constantInstruction(func(w *Wavefront, op *Op) {
		w.setIndexing(true)
		w.S[isa.RegM0] = w.S[isa.RegM0]&^0xF0FF | w.scalar32(&op.sd.src[0])&0xFF | op.sd.imm&15<<12
	}))
	register("s_set_gpr_idx_off", constantInstruction(func(w *Wavefront, _ *Op) { w.setIndexing(false) }))
	register("s_set_gpr_idx_mode", constantInstruction(func(w *Wavefront, op *Op) {
		w.S[isa.RegM0] = w.S[isa.RegM0]&^0xF000 | op.sd.imm&15<<12
	}))
	register("s_set_gpr_idx_idx", constantInstruction(func(w *Wavefront, op *Op) {
		w.S[isa.RegM0] = w.S[isa.RegM0]&^0xFF | w.scalar32(&op.sd.src[0])&0xFF
	}))
	register("s_setvskip", constantInstruction(func(w *Wavefront, op *Op) {
		w.setSkip(w.scalar32(&op.sd.src[0])>>(w.scalar32(&op.sd.src[1])&31)&1 != 0)
	}))
}

// modeIndexing is the bit of MODE that turns register indexing on (source: CLRX GcnState).
const modeIndexing Mode = 1 << 27

func (w *Wavefront) setIndexing(on bool) {
	w.GPRIndex.On = on
	if w.Mode &^= modeIndexing; on {
		w.Mode |= modeIndexing
	}
}

func branch(taken func(w *Wavefront) bool) executor {
	return func(op *Op) error {
		op.sd.dst = -1
		op.Execute = func(w *Wavefront, op *Op) {
			w.PC = op.Next
			if taken(w) {
				w.PC = op.Target
			}
		}
		return nil
	}
}

// jump sets the PC to a device address.
func (w *Wavefront) jump(op *Op, address uint64) {
	offset := address - w.Program.Base
	if address < w.Program.Base || offset >= uint64(len(w.Program.Code)) || offset%4 != 0 {
		w.Fail(op, "its target 0x%x lies outside the code at 0x%x, which has %d bytes", address, w.Program.Base, len(w.Program.Code))
		return
	}
	w.PC = uint32(offset / 4)
}

// The control-flow stack of fork and join lies in SGPRs, four to an entry; CSP is its depth (source: CLRX GcnInstrsSop2,
// S_CBRANCH_G_FORK). It is kept in MODE bits 29 to 31.
func (w *Wavefront) stackDepth() int { return int(w.Mode >> 29) }

func (w *Wavefront) setStackDepth(depth int) { w.Mode = w.Mode&^(7<<29) | Mode(depth)<<29 }

func fork(operands func(w *Wavefront, op *Op) (mask, target uint64)) executor {
	return constantInstruction(func(w *Wavefront, op *Op) {
		mask, target := operands(w, op)
		exec := w.Exec()
		pass, fail := mask&exec, ^mask&exec
		switch {
		case pass == exec:
			w.jump(op, target)
			return
		case fail == exec:
			return
		}
		depth := w.stackDepth()
		if depth > 6 {
			w.Fail(op, "the control-flow stack holds 7 forks, this is the 8th")
			return
		}
		here := w.Program.Base + 4*uint64(op.Next)
		first := depth * 4
		if countOnes(fail) < countOnes(pass) { // the smaller half runs first
			w.setMask64(first, pass)
			w.setMask64(first+2, target)
			w.SetExec(fail)
		} else {
			w.setMask64(first, fail)
			w.setMask64(first+2, here)
			w.SetExec(pass)
			w.jump(op, target)
		}
		w.setStackDepth(depth + 1)
	})
}

func countOnes(mask uint64) (n int) {
	for ; mask != 0; mask &= mask - 1 {
		n++
	}
	return n
}

func executeJoin(w *Wavefront, op *Op) {
	depth := w.stackDepth()
	if int(w.scalar32(&op.sd.src[0])&7) == depth {
		return // both halves have arrived
	}
	if depth == 0 {
		w.Fail(op, "the control-flow stack is empty")
		return
	}
	depth--
	w.setStackDepth(depth)
	w.SetExec(w.mask64(depth * 4))
	w.jump(op, w.mask64(depth*4+2))
}

// Hardware registers of s_getreg and s_setreg (source: CLRX GcnInstrsSopk).
const (
	hardwareMode = 1 + iota
	hardwareStatus
	hardwareTrapStatus
	hardwareID
	hardwareGPRAlloc
	hardwareLDSAlloc
	hardwareIBStatus
)

func (w *Wavefront) hardwareRegister(id uint32) (uint32, error) {
	switch id {
	case hardwareMode:
		return uint32(w.Mode), nil
	case hardwareStatus:
		return w.statusRegister(), nil
	case hardwareTrapStatus:
		return w.TrapStatus, nil
	case hardwareID:
		s := w.Slot
		return uint32(s.Slot&15) | uint32(s.SIMD&3)<<4 | uint32(s.ComputeUnit&15)<<8 | uint32(s.ShaderArray&1)<<12 | uint32(s.ShaderArray>>1&3)<<13, nil
	case hardwareGPRAlloc:
		return uint32(len(w.V)/64/4-1) << 8 & 0x3F00, nil
	case hardwareLDSAlloc:
		if w.Group == nil {
			return 0, nil
		}
		return uint32(len(w.Group.LDS)/512) << 12, nil
	case hardwareIBStatus:
		return 0, nil
	}
	return 0, fmt.Errorf("hardware register %d does not exist", id)
}

// statusRegister is the STATUS register: SCC in bit 0, EXECZ 9, VCCZ 10, in a barrier 12, VALID 16.
func (w *Wavefront) statusRegister() uint32 {
	bit := func(on bool, place uint) uint32 {
		if on {
			return 1 << place
		}
		return 0
	}
	return bit(w.SCC, 0) | bit(w.Exec() == 0, 9) | bit(w.VCC() == 0, 10) | bit(w.AtBarrier, 12) | 1<<16
}

func registerField(imm uint32) (id, offset, size uint32) {
	return imm & 63, imm >> 6 & 31, imm>>11&31 + 1
}

func executeGetRegister(w *Wavefront, op *Op) {
	id, offset, size := registerField(op.sd.imm)
	value, err := w.hardwareRegister(id)
	if err != nil {
		w.Fail(op, "%v", err)
		return
	}
	w.S[op.sd.dst] = uint32(field64(uint64(value), offset, size))
}

func (w *Wavefront) setRegister(op *Op, value uint32) {
	id, offset, size := registerField(op.sd.imm)
	mask := uint32(uint64(1)<<size-1) << offset
	switch id {
	case hardwareMode:
		w.Mode = w.Mode&^Mode(mask) | Mode(value<<offset&mask)
		w.GPRIndex.On = w.Mode&modeIndexing != 0
	case hardwareTrapStatus:
		w.TrapStatus = w.TrapStatus&^mask | value<<offset&mask
	default:
		if _, err := w.hardwareRegister(id); err != nil {
			w.Fail(op, "%v", err)
		} else {
			w.Fail(op, "hardware register %d can't be written by a kernel", id)
		}
	}
}
