package emu

import (
	"bytes"
	"context"
	"math/rand"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// TestSkip: under MODE's skip bit every vector instruction, whatever its operands, changes nothing but the PC, and without it does what it does
// in a program that has no s_setvskip.
func TestSkip(t *testing.T) {
	skip := pack(0xbf108081) // s_setvskip 1, 0
	r := rand.New(rand.NewSource(31))
	ran, changed := map[string]bool{}, map[string]bool{}
	for _, known := range isa.KnownInstructions() {
		code := known.Example
		b := newBench(t)
		for i := range b.w.S[:104] {
			b.w.S[i] = r.Uint32()
		}
		load := func(code []byte) *Op {
			p, err := NewProgram("skip", 0x100000, code, 0, 128)
			if err != nil {
				t.Fatal(err)
			}
			b.w.Program = p
			return &p.Ops[0]
		}
		op := load(append(code[:len(code):len(code)], skip...))
		if !op.skippable() {
			continue
		}
		before, mode, lds, memory := (&machine{w: b.w}).state(), b.w.Mode, append([]byte(nil), b.w.Group.LDS...), b.content()
		same := func() bool {
			return b.w.S == before.S && b.w.SCC == before.SCC && b.w.Mode == mode && equalRegisters(b.w.V, before.V) &&
				bytes.Equal(b.w.Group.LDS, lds) && bytes.Equal(b.content(), memory)
		}
		mode |= modeSkip
		b.w.Mode = mode
		b.run(op)
		if a := &b.w.Access; b.w.Fault != nil || b.w.Ended || b.w.PC != op.Next || !same() ||
			op.Address != nil && a.Mask|a.LocalMask|a.ZeroMask|a.ElementMask != 0 {
			t.Fatalf("%s was to be skipped: PC %d, fault %v, access of lanes %x", op.Inst.Op.Name, b.w.PC, b.w.Fault, b.w.Access.Mask)
		}
		name := op.Inst.Op.Name
		ran[name] = true

		mode &^= modeSkip
		b.w.Mode = mode
		b.run(op)
		wrapped := copyState(b.w)
		copy(b.w.V, before.V)
		b.w.S, b.w.SCC, b.w.Mode, b.w.Fault, b.w.Ended = before.S, before.SCC, mode, nil, false
		if op.Unit != isa.UnitVALU {
			continue // it may have changed memory
		}
		b.run(load(code))
		if d := difference32(b.w, wrapped); d != "" {
			t.Fatalf("%s in a program with s_setvskip: %s", op.Inst.Op.Name, d)
		}
		changed[name] = changed[name] || !same()
	}
	for _, row := range isa.Opcodes() {
		if (&Op{Inst: isa.Inst{Format: row.Format}}).skippable() && !ran[row.Name] {
			t.Errorf("%s was not tried", row.Name)
		}
	}
	if len(changed) < 300 {
		t.Errorf("expected 300 of the skipped instructions to have an effect otherwise, got %d", len(changed))
	}
}

// TestSetSkip: s_setvskip and s_setreg set and clear the bit; only programs in which one can set it pay for it.
func TestSetSkip(t *testing.T) {
	m := newMachine(t)
	covers("s_setvskip")
	for range 30 * rounds {
		before := m.shuffle()
		m.w.Mode = Mode(m.r.Uint32())
		want := m.w.Mode &^ modeSkip
		if before.S[40]>>(before.S[41]&31)&1 != 0 {
			want |= modeSkip
		}
		m.at(9, pack(0xbf100000|41<<8|40))
		if m.w.Mode != want || m.w.PC != 10 || m.w.Fault != nil {
			t.Fatalf("s_setvskip 0x%x, 0x%x: expected MODE 0x%x, got 0x%x, %v", before.S[40], before.S[41], want, m.w.Mode, m.w.Fault)
		}
		m.unchanged(&before, "s_setvskip")
	}
	field := func(id, offset, size uint32) uint32 { return id | offset<<6 | (size-1)<<11 }
	for _, c := range []struct {
		code []byte
		want bool
	}{
		{pack(0xbf108080), true},
		{sopk("s_setreg_imm32_b32", 0, field(1, 28, 1), 1), true},
		{sopk("s_setreg_b32", 3, field(1, 0, 32)), true},
		{sopk("s_setreg_b32", 3, field(1, 0, 28)), false},
		{sopk("s_setreg_b32", 3, field(1, 29, 3)), false},
		{sopk("s_setreg_b32", 3, field(3, 28, 1)), false},
		{sopk("s_getreg_b32", 3, field(1, 28, 1)), false},
		{pack(0x7e020280), false},
	} {
		if op := m.bind(c.code); op.setsSkip() != c.want {
			t.Errorf("% x: expected setsSkip %v", c.code, c.want)
		}
	}
}

// skipProgram reaches a trap unless its vector instructions between two s_setvskip are skipped, a store to nowhere among them.
var skipProgram = []uint32{
	0x7e060285,             // v_mov_b32 v3, 5
	0x7e0202c1, 0x7e0402c1, // v_mov_b32 v1, -1; v_mov_b32 v2, -1
	0xbf108081,             // s_setvskip 1, 0
	0x7e060286,             // v_mov_b32 v3, 6
	0xdc700000, 0x00000301, // flat_store_dword v[1:2], v3
	0xdc500000, 0x03000001, // flat_load_dword v3, v[1:2]
	0xd81a0000, 0x00000301, // ds_write_b32 v1, v3
	0xbf8c0070,             // s_waitcnt vmcnt(0) lgkmcnt(0)
	0xbf108080,             // s_setvskip 0, 0
	0x7e0a0503,             // v_readfirstlane_b32 s5, v3
	0xbf068505, 0xbf850001, // s_cmp_eq_u32 s5, 5; s_cbranch_scc1 +1
	0xbf920002, // s_trap 2
	sEndpgm,
}

func TestSkipProgram(t *testing.T) {
	if _, err := RunFunctional(context.Background(), program(t, skipProgram, 128, 64, 1000), 1); err != nil {
		t.Error(err)
	}
	executed := append([]uint32(nil), skipProgram...)
	executed[3] = 0xbf108080
	if _, err := RunFunctional(context.Background(), program(t, executed, 128, 64, 1000), 1); err == nil {
		t.Error("without skipping, expected the store to nowhere to fault")
	}
}
