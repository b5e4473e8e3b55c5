package emu

import (
	"math/bits"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

func sopp(name string, imm uint32) []byte {
	return pack(0xbf800000 | uint32(isa.OpcodeByName(name).Code)<<16 | imm&0xffff)
}

func sop1(name string, dst, src uint32) []byte {
	return pack(0xbe800000 | dst<<16 | uint32(isa.OpcodeByName(name).Code)<<8 | src)
}

func sopk(name string, dst, imm uint32, more ...uint32) []byte {
	return pack(append([]uint32{0xb0000000 | uint32(isa.OpcodeByName(name).Code)<<23 | dst<<16 | imm&0xffff}, more...)...)
}

// at executes an instruction at PC and returns it; its operands are those of a long program.
func (m *machine) at(pc uint32, code []byte) *Op {
	m.t.Helper()
	if m.code == nil {
		m.code = make([]byte, 1<<19)
	}
	copy(m.code[4*pc:], code)
	p := &Program{Name: "test", Base: 0x40000000, Code: m.code, vgprs: 256}
	op := p.bind(pc)
	if op.refusal != "" {
		m.t.Fatalf("% x: %s", code, op.refusal)
	}
	m.w.Program, m.w.PC = p, pc
	op.Execute(m.w, &op)
	return &op
}

// unchanged checks that registers are as before, but those listed.
func (m *machine) unchanged(before *state, what string, registers ...int) {
	m.t.Helper()
	for i, x := range m.w.S {
		listed := false
		for _, r := range registers {
			listed = listed || r == i
		}
		if !listed && x != before.S[i] {
			m.t.Fatalf("%s changed s%d from 0x%x to 0x%x", what, i, before.S[i], x)
		}
	}
	if m.w.SCC != before.SCC || !equalRegisters(m.w.V, before.V) {
		m.t.Fatalf("%s changed SCC or vector registers", what)
	}
}

func (m *machine) shuffle() state {
	for i := range m.w.S {
		m.w.S[i] = m.r.Uint32()
	}
	m.w.SCC = m.r.Intn(2) == 0
	m.w.SetVCC(m.r.Uint64() * uint64(m.r.Intn(2)))
	m.w.SetExec(m.r.Uint64() * uint64(m.r.Intn(2)))
	return m.state()
}

func TestBranches(t *testing.T) {
	m := newMachine(t)
	for name, taken := range map[string]func(s *state) bool{
		"s_branch":                   func(*state) bool { return true },
		"s_cbranch_scc0":             func(s *state) bool { return !s.SCC },
		"s_cbranch_scc1":             func(s *state) bool { return s.SCC },
		"s_cbranch_vccz":             func(s *state) bool { return s.S[106]|s.S[107] == 0 },
		"s_cbranch_vccnz":            func(s *state) bool { return s.S[106]|s.S[107] != 0 },
		"s_cbranch_execz":            func(s *state) bool { return s.S[126]|s.S[127] == 0 },
		"s_cbranch_execnz":           func(s *state) bool { return s.S[126]|s.S[127] != 0 },
		"s_cbranch_cdbgsys":          func(*state) bool { return false }, // no debugger
		"s_cbranch_cdbguser":         func(*state) bool { return false },
		"s_cbranch_cdbgsys_or_user":  func(*state) bool { return false },
		"s_cbranch_cdbgsys_and_user": func(*state) bool { return false },
	} {
		for range 30 * rounds {
			before := m.shuffle()
			imm := m.r.Uint32() & 0xffff
			m.at(40000, sopp(name, imm))
			want := uint32(40001)
			if taken(&before) {
				want += uint32(int32(int16(imm)))
			}
			if m.w.PC != want || m.w.Fault != nil {
				t.Fatalf("%s 0x%x: expected PC %d, got %d, %v", name, imm, want, m.w.PC, m.w.Fault)
			}
			m.unchanged(&before, name)
		}
		covers(name)
	}
}

// TestProgramCounter: addresses of instructions in SGPRs.
func TestProgramCounter(t *testing.T) {
	m := newMachine(t)
	const base = 0x40000000
	for range 30 {
		before := m.shuffle()
		pc := uint32(m.r.Intn(1000))
		m.at(pc, sop1("s_getpc_b64", 10, 0))
		if got := m.w.mask64(10); got != base+4*uint64(pc)+4 || m.w.PC != pc+1 {
			t.Fatalf("s_getpc_b64 at %d: got 0x%x, PC %d", pc, got, m.w.PC)
		}
		m.unchanged(&before, "s_getpc_b64", 10, 11)
		target := uint32(m.r.Intn(100000))
		m.w.setMask64(20, base+4*uint64(target))
		before = m.state()
		m.at(pc, sop1("s_setpc_b64", 0, 20))
		if m.w.PC != target {
			t.Fatalf("s_setpc_b64: expected PC %d, got %d", target, m.w.PC)
		}
		m.unchanged(&before, "s_setpc_b64")
		for name, code := range map[string][]byte{
			"s_rfe_b64":         sop1("s_rfe_b64", 0, 20),
			"s_rfe_restore_b64": pack(0x80000000 | uint32(isa.OpcodeByName("s_rfe_restore_b64").Code)<<23 | 4<<8 | 20),
		} {
			m.at(pc, code)
			if m.w.PC != target || m.w.Fault != nil {
				t.Fatalf("%s: expected PC %d, got %d, %v", name, target, m.w.PC, m.w.Fault)
			}
			m.unchanged(&before, name)
			covers(name)
		}
		m.at(pc, sop1("s_swappc_b64", 20, 20)) // the target is read before the return address is written
		if m.w.PC != target || m.w.mask64(20) != base+4*uint64(pc)+4 {
			t.Fatalf("s_swappc_b64: PC %d, s[20:21] 0x%x", m.w.PC, m.w.mask64(20))
		}
		m.unchanged(&before, "s_swappc_b64", 20, 21)
	}
	for _, target := range []uint64{0, base - 4, base + 2, base + 1<<19, 1 << 63} {
		m.w.setMask64(20, target)
		m.at(0, sop1("s_setpc_b64", 0, 20))
		if m.w.Fault == nil || !strings.Contains(m.w.Fault.Error(), "lies outside the code") {
			t.Errorf("jump to 0x%x: expected a fault, got %v", target, m.w.Fault)
		}
		m.w.Fault, m.w.Ended = nil, false
	}
	for _, name := range []string{"s_getpc_b64", "s_setpc_b64", "s_swappc_b64"} {
		covers(name)
	}
}

// TestForks follows the documentation's stack of paths.
func TestForks(t *testing.T) {
	m := newMachine(t)
	const base, pc = 0x40000000, 500
	for range 60 * rounds {
		before := m.shuffle()
		depth := m.r.Intn(7)
		m.w.Mode = Mode(depth)<<29 | 0xc0
		if m.r.Intn(4) == 0 { // all pass, or none
			m.w.setMask64(60, m.w.Exec()*uint64(m.r.Intn(2)))
		}
		target := uint32(m.r.Intn(30000))
		m.w.setMask64(70, base+4*uint64(target))
		before = m.state()
		name := "s_cbranch_g_fork"
		code := pack(0x80000000 | uint32(isa.OpcodeByName(name).Code)<<23 | 70<<8 | 60)
		if m.r.Intn(2) == 0 {
			name = "s_cbranch_i_fork"
			code = sopk(name, 60, target-pc-1)
		}
		exec, mask := m.w.Exec(), m.w.mask64(60)
		m.at(pc, code)
		pass, fail := exec&mask, exec&^mask
		wantPC, wantExec := uint32(pc+1), exec
		var pushed []uint64
		switch {
		case pass == exec:
			wantPC = target
		case fail == exec:
		case bits.OnesCount64(fail) < bits.OnesCount64(pass):
			wantExec, pushed = fail, []uint64{pass, base + 4*uint64(target)}
		default:
			wantExec, wantPC, pushed = pass, target, []uint64{fail, base + 4*(pc+1)}
		}
		slot, wantDepth := 4*depth, depth
		touched := []int{126, 127}
		if pushed != nil {
			wantDepth++
			touched = append(touched, slot, slot+1, slot+2, slot+3)
			if m.w.mask64(slot) != pushed[0] || m.w.mask64(slot+2) != pushed[1] {
				t.Fatalf("%s: expected 0x%x pushed, got 0x%x, 0x%x", name, pushed, m.w.mask64(slot), m.w.mask64(slot+2))
			}
		}
		if m.w.PC != wantPC || m.w.Exec() != wantExec || int(m.w.Mode>>29) != wantDepth || m.w.Fault != nil {
			t.Fatalf("%s: expected PC %d, EXEC 0x%x, depth %d, got %d, 0x%x, %d, %v", name, wantPC, wantExec, wantDepth, m.w.PC, m.w.Exec(), m.w.Mode>>29, m.w.Fault)
		}
		m.unchanged(&before, name, touched...)
		covers(name)

		// The join takes the other path, or goes on where the stack is as deep as before the fork.
		for _, arrived := range []bool{false, true} {
			if depth = int(m.w.Mode >> 29); depth == 0 {
				break
			}
			stop := depth - 1
			if arrived {
				stop = depth
			}
			m.w.S[80] = uint32(stop)
			slot = 4 * (depth - 1)
			m.w.setMask64(slot+2, base+4*77)
			before = m.state()
			m.at(pc, sop1("s_cbranch_join", 0, 80))
			wantPC, wantExec, wantDepth = uint32(pc+1), uint64(before.S[126])|uint64(before.S[127])<<32, depth
			if !arrived {
				wantPC, wantExec, wantDepth = 77, uint64(before.S[slot])|uint64(before.S[slot+1])<<32, depth-1
			}
			if m.w.PC != wantPC || m.w.Exec() != wantExec || int(m.w.Mode>>29) != wantDepth {
				t.Fatalf("s_cbranch_join: expected PC %d, EXEC 0x%x, depth %d, got %d, 0x%x, %d", wantPC, wantExec, wantDepth, m.w.PC, m.w.Exec(), m.w.Mode>>29)
			}
			m.unchanged(&before, "s_cbranch_join", 126, 127)
			covers("s_cbranch_join")
		}
	}
}

// TestWithoutEffect: what tunes or tells the hardware something changes no state of the program.
func TestWithoutEffect(t *testing.T) {
	m := newMachine(t)
	for name, imm := range map[string]uint32{"s_nop": 7, "s_waitcnt": 0x7f, "s_sleep": 3, "s_setprio": 3, "s_sethalt": 0, "s_wakeup": 0, "s_icache_inv": 0,
		"s_incperflevel": 1, "s_decperflevel": 1, "s_ttracedata": 0, "s_sendmsg": 1, "s_setkill": 0} {
		before := m.shuffle()
		mode := m.w.Mode
		m.at(9, sopp(name, imm))
		if m.w.PC != 10 || m.w.Fault != nil || m.w.Ended || m.w.AtBarrier || m.w.Mode != mode {
			t.Errorf("%s: PC %d, fault %v, ended %v", name, m.w.PC, m.w.Fault, m.w.Ended)
		}
		m.unchanged(&before, name)
		covers(name)
	}
}

// TestEnds: what ends a wavefront, and what stops it at the barrier.
func TestEnds(t *testing.T) {
	m := newMachine(t)
	for name, imm := range map[string]uint32{"s_endpgm": 0, "s_endpgm_saved": 0, "s_setkill": 1} {
		m.at(9, sopp(name, imm))
		if !m.w.Ended || m.w.Fault != nil {
			t.Errorf("%s: expected the wavefront to end, got %v", name, m.w.Fault)
		}
		m.w.Ended = false
		covers(name)
	}
	m.at(9, sopp("s_barrier", 0))
	if !m.w.AtBarrier || m.w.PC != 10 {
		t.Error("s_barrier: expected the wavefront to wait with its PC behind the instruction")
	}
	m.w.AtBarrier = false
	covers("s_barrier")
	for name, c := range map[string]struct {
		code []byte
		want string
	}{
		"s_trap":        {sopp("s_trap", 2), "trap 2"},
		"s_sendmsghalt": {sopp("s_sendmsghalt", 1), "halts"},
		"s_sethalt":     {sopp("s_sethalt", 1), "halts"},
	} {
		m.at(9, c.code)
		if m.w.Fault == nil || !strings.Contains(m.w.Fault.Error(), c.want) || !strings.Contains(m.w.Fault.Error(), name) || !m.w.Ended {
			t.Errorf("%s: expected a fault with %q that names the instruction, got %v", name, c.want, m.w.Fault)
		}
		m.w.Fault, m.w.Ended = nil, false
		covers(name)
	}
}

// TestHardwareRegisters: fields of MODE, STATUS, TRAPSTS, HW_ID, GPR_ALLOC and LDS_ALLOC.
func TestHardwareRegisters(t *testing.T) {
	m := newMachine(t)
	field := func(id, offset, size uint32) uint32 { return id | offset<<6 | (size-1)<<11 }
	get := func(id, offset, size uint32) uint32 {
		t.Helper()
		before := m.state()
		m.at(9, sopk("s_getreg_b32", 33, field(id, offset, size)))
		if m.w.Fault != nil || m.w.PC != 10 {
			t.Fatalf("s_getreg_b32 %d: %v", id, m.w.Fault)
		}
		m.unchanged(&before, "s_getreg_b32", 33)
		return m.w.S[33]
	}
	for range 30 * rounds {
		m.shuffle()
		mode, offset := m.r.Uint32()&^(1<<27), uint32(m.r.Intn(32))
		size := uint32(1 + m.r.Intn(32-int(offset)))
		m.w.Mode = Mode(mode)
		part := uint32(uint64(mode) >> offset & (1<<size - 1))
		if got := get(1, offset, size); got != part {
			t.Fatalf("MODE 0x%x, %d bits from %d: expected 0x%x, got 0x%x", mode, size, offset, part, got)
		}
		x := m.r.Uint32()
		want := mode
		for i := range size {
			want = want&^(1<<(offset+i)) | x>>i&1<<(offset+i)
		}
		code := sopk("s_setreg_b32", 34, field(1, offset, size))
		m.w.S[34] = x
		if m.r.Intn(2) == 0 {
			code = sopk("s_setreg_imm32_b32", 0, field(1, offset, size), x)
		}
		before := m.state()
		m.at(9, code)
		if uint32(m.w.Mode) != want || m.w.Fault != nil || m.w.GPRIndex.On != (want>>27&1 != 0) {
			t.Fatalf("MODE 0x%x, %d bits from %d set to 0x%x: expected 0x%x, got 0x%x, %v", mode, size, offset, x, want, m.w.Mode, m.w.Fault)
		}
		m.unchanged(&before, "s_setreg")
		m.w.Mode = 0
		m.w.GPRIndex.On = false

		status := get(2, 0, 32)
		for place, set := range map[uint32]bool{0: m.w.SCC, 9: m.w.Exec() == 0, 10: m.w.VCC() == 0, 12: false, 16: true} {
			if status>>place&1 != 0 != set {
				t.Fatalf("STATUS 0x%x: expected bit %d to be %v", status, place, set)
			}
		}
	}
	m.w.S[34] = 0x1ff
	m.at(9, sopk("s_setreg_b32", 34, field(3, 0, 9)))
	if got := get(3, 0, 32); got != 0x1ff {
		t.Errorf("TRAPSTS: expected 0x1ff, got 0x%x", got)
	}
	m.w.Slot = HardwareSlot{ShaderArray: 5, ComputeUnit: 3, SIMD: 2, Slot: 9}
	if got := []uint32{get(4, 0, 4), get(4, 4, 2), get(4, 8, 4), get(4, 12, 1), get(4, 13, 2)}; got[0] != 9 || got[1] != 2 || got[2] != 3 || got[3] != 1 || got[4] != 2 {
		t.Errorf("HW_ID: got slot, SIMD, compute unit, array, engine %v", got)
	}
	if got := get(5, 8, 6); got != 63 { // VGPR_SIZE, in fours less one: 256 registers
		t.Errorf("GPR_ALLOC: expected 63 in its VGPR field, got %d", got)
	}
	if got := get(6, 12, 9); got != 1024/512 {
		t.Errorf("LDS_ALLOC: expected 2 blocks, got %d", got)
	}
	for _, code := range [][]byte{sopk("s_getreg_b32", 33, 63), sopk("s_setreg_b32", 33, 2), sopk("s_setreg_imm32_b32", 0, 40, 1)} {
		m.at(9, code)
		if m.w.Fault == nil || !strings.Contains(m.w.Fault.Error(), "hardware register") {
			t.Errorf("% x: expected a fault that names the register, got %v", code, m.w.Fault)
		}
		m.w.Fault, m.w.Ended = nil, false
	}
	for _, name := range []string{"s_getreg_b32", "s_setreg_b32", "s_setreg_imm32_b32"} {
		covers(name)
	}
}

// TestIndexState: s_set_gpr_idx_* keep index and selection in M0 and the switch in MODE.
func TestIndexState(t *testing.T) {
	m := newMachine(t)
	for range 10 * rounds {
		before := m.shuffle()
		m.w.Mode = Mode(m.r.Uint32()) &^ (1 << 27)
		mode, m0, x := m.w.Mode, before.S[124], before.S[40]
		expect := func(name string, want uint32, on bool) {
			t.Helper()
			wantMode := mode
			if on {
				wantMode |= 1 << 27
			}
			if m.w.S[124] != want || m.w.Mode != wantMode || m.w.GPRIndex.On != on || m.w.Fault != nil || m.w.PC != 10 {
				t.Fatalf("%s: expected M0 0x%x, MODE 0x%x, got 0x%x, 0x%x, %v", name, want, wantMode, m.w.S[124], m.w.Mode, m.w.Fault)
			}
			m.unchanged(&before, name, 124)
			covers(name)
		}
		k := uint32(m.r.Intn(16))
		m.at(9, pack(0xbf000000|uint32(isa.OpcodeByName("s_set_gpr_idx_on").Code)<<16|k<<8|40))
		m0 = m0&0xffff0f00 | k<<12 | x&0xff
		expect("s_set_gpr_idx_on", m0, true)
		k = uint32(m.r.Intn(16))
		m.at(9, sopp("s_set_gpr_idx_mode", k))
		m0 = m0&0xffff0fff | k<<12
		expect("s_set_gpr_idx_mode", m0, true)
		m.at(9, sop1("s_set_gpr_idx_idx", 0, 41))
		m0 = m0&0xffffff00 | before.S[41]&0xff
		expect("s_set_gpr_idx_idx", m0, true)
		m.at(9, sopp("s_set_gpr_idx_off", 0))
		expect("s_set_gpr_idx_off", m0, false)
	}
}
