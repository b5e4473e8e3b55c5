package emu

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/simd"
)

// The tests of this file run random instructions from random states once in plain Go and once on every set of vector instructions that the
// host has, and compare all that a wavefront can see.

const levelRegisters = 16

// bound decodes code at a level.
func bound(t *testing.T, level *simd.Level, code []byte) *Program {
	t.Helper()
	forcedLevel = level
	defer func() { forcedLevel = nil }()
	p, err := NewProgram("levels", 0x1000, code, 0, levelRegisters)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// randomWord fills the operand fields of a vector instruction: few registers, so that they coincide often.
func randomWord(r *rand.Rand, o *isa.Opcode, wide bool) []byte {
	source := func() uint32 {
		switch r.Intn(8) {
		case 0:
			return uint32(r.Intn(16)) &^ 1 // SGPR
		case 1:
			return 128 + uint32(r.Intn(81)) // integer
		case 2:
			return 240 + uint32(r.Intn(9)) // float
		case 3:
			if !wide {
				return 255 // literal
			}
			return 106 // vcc
		}
		return 256 + uint32(r.Intn(levelRegisters-2))
	}
	vector := func() uint32 { return uint32(r.Intn(levelRegisters - 2)) }
	var first, second uint32
	literal := floatBits(r)
	code := uint32(o.Code)
	switch {
	case wide && o.HasSDst:
		first = 0xD0000000 | uint32(o.WideCode())<<16 | uint32(r.Intn(16)&^1)<<8 | vector()
		second = source() | source()<<9
		switch o.Slots[2].Words {
		case 1:
			second |= source() << 18
		case 2: // a mask, or a wide addend
			second |= (uint32(r.Intn(16)) &^ 1) << 18
			if r.Intn(2) == 0 {
				second = second&^(511<<18) | (256+vector())<<18
			}
		}
	case wide:
		first = 0xD0000000 | uint32(o.WideCode())<<16 | vector()
		if o.Format == isa.VOPC {
			first = first&^0xFF | uint32(r.Intn(16)&^1)
		}
		second = source() | source()<<9
		if o.Slots[2].Words != 0 {
			second |= source() << 18
		}
		if o.Name == "v_cndmask_b32" {
			second = second&^(511<<18) | uint32(r.Intn(16)&^1)<<18
		}
	case o.Format == isa.VOP2:
		first, second = code<<25|vector()<<17|vector()<<9|source(), literal
	case o.Format == isa.VOP1:
		first, second = 0x7E000000|vector()<<17|code<<9|source(), literal
	case o.Format == isa.VOPC:
		first, second = 0x7C000000|code<<17|vector()<<9|source(), literal
	}
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, first), second)
}

// floatBits returns a pattern that is likely to be a corner case of f32 arithmetic.
func floatBits(r *rand.Rand) uint32 {
	sign := uint32(r.Intn(2)) << 31
	switch r.Intn(10) {
	case 0:
		return sign | uint32(r.Intn(1<<23)) // denormal or zero
	case 1:
		return sign
	case 2:
		return sign | 0x00800000 + uint32(r.Intn(8)) // about the least normal number
	case 3:
		return sign | 0x7F7FFFFF - uint32(r.Intn(4))
	case 4:
		return sign | 0x7F800000
	case 5:
		return sign | 0x3F800000 - 4 + uint32(r.Intn(8)) // about 1
	case 6:
		return sign | uint32(r.Intn(130))<<23 | uint32(r.Intn(1<<23)) // products tend to be tiny
	}
	return math.Float32bits(float32(r.NormFloat64()))
}

// tameBits returns a finite f32 whose sums and products are finite.
func tameBits(r *rand.Rand) uint32 {
	for {
		if x := floatBits(r); x&0x7F800000 < 190<<23 {
			return x
		}
	}
}

// fillRegister gives the lanes of a register values of one kind.
func fillRegister(r *rand.Rand, l []uint32) {
	kind := r.Intn(10)
	for i := range l {
		switch kind {
		case 0:
			l[i] = r.Uint32()
		case 1:
			l[i] = uint32(r.Intn(70)) - 3
		case 2:
			l[i] = 0x7F800000 | uint32(r.Intn(2))<<31 | uint32(r.Intn(3))<<21 // infinities and NaNs
		case 3:
			l[i] = math.Float32bits(float32(r.NormFloat64()))
		case 4, 5, 6, 7, 8:
			l[i] = tameBits(r)
		default:
			l[i] = floatBits(r)
		}
	}
	if r.Intn(20) == 0 { // a NaN in one lane
		l[r.Intn(64)] = 0x7F800001 + uint32(r.Intn(2))<<22 + uint32(r.Intn(2))<<31
	}
}

func randomState(r *rand.Rand) *Wavefront {
	w := &Wavefront{V: make([]uint32, levelRegisters*64), Workspace: new(Workspace)}
	for i := range levelRegisters {
		fillRegister(r, w.V[64*i:64*i+64])
	}
	for i := range w.S {
		w.S[i] = r.Uint32()
		if r.Intn(4) != 0 {
			w.S[i] = tameBits(r)
		}
	}
	w.SetExec([]uint64{allLanes, allLanes, r.Uint64(), 0, 1 << r.Intn(64), r.Uint64() | r.Uint64()}[r.Intn(6)])
	w.Mode = Mode(r.Intn(1 << 10))
	if r.Intn(2) == 0 {
		w.Mode = w.Mode&^0xFF | 0xC0 // what OpenCL kernels run with
	}
	if r.Intn(8) == 0 {
		w.GPRIndex = GPRIndexMode{On: true}
		w.S[124] = uint32(r.Intn(16)<<12 | r.Intn(4))
	}
	return w
}

// copyState makes a second wavefront in the same state.
func copyState(w *Wavefront) *Wavefront {
	c := *w
	c.Workspace = new(Workspace)
	c.V = append([]uint32(nil), w.V...)
	return &c
}

// difference describes the first thing in which two wavefronts differ, "" when there is none.
func difference32(want, got *Wavefront) string {
	for i := range want.V {
		if want.V[i] != got.V[i] {
			return fmt.Sprintf("v%d lane %d is %08x, plain Go gives %08x", i/64, i%64, got.V[i], want.V[i])
		}
	}
	for i := range want.S {
		if want.S[i] != got.S[i] {
			return fmt.Sprintf("scalar register %d is %08x, plain Go gives %08x", i, got.S[i], want.S[i])
		}
	}
	if fmt.Sprint(want.PC, want.SCC, want.Fault) != fmt.Sprint(got.PC, got.SCC, got.Fault) {
		return fmt.Sprintf("PC, SCC, fault are %v %v %v, plain Go gives %v %v %v", got.PC, got.SCC, got.Fault, want.PC, want.SCC, want.Fault)
	}
	return ""
}

// TestVectorLevels compares the levels on every vector ALU instruction.
func TestVectorLevels(t *testing.T) {
	levels := simd.Levels()
	if len(levels) == 1 {
		t.Skip("this host has no vector instructions that package simd knows")
	}
	r := rand.New(rand.NewSource(20))
	fast := map[string]int{}
	for _, o := range isa.Opcodes() {
		if o.Unit != isa.UnitVALU || o.Refused() || !Implements(o) {
			continue
		}
		n := 12
		if _, ok := fastForms[o.Name]; ok {
			n = vectorLevelRounds
		}
		for round := range n {
			wide := o.HasWide && (!o.HasBase || round%2 == 1)
			code := randomWord(r, o, wide)
			start := randomState(r)
			plain := bound(t, simd.Plain, code)
			op := &plain.Ops[0]
			if op.refusal != "" || op.Inst.Op.Name != o.Name {
				continue
			}
			want := copyState(start)
			want.Program = plain
			op.Execute(want, op)
			for _, level := range levels[:len(levels)-1] {
				p := bound(t, level, code)
				got := copyState(start)
				got.Program = p
				op := &p.Ops[0]
				if general := op.fast.general; general != nil {
					fast[o.Name]++
					op.fast.general = func(w *Wavefront, op *Op) {
						fast[o.Name]--
						general(w, op)
					}
				}
				op.Execute(got, op)
				if d := difference32(want, got); d != "" {
					t.Fatalf("%s on %s, exec %016x, mode %03x: %s\n%x", o.Name, level.Name, start.Exec(), start.Mode, d, code)
				}
			}
		}
	}
	t.Log("runs in fast forms:", fast)
	for name := range fastForms {
		if fast[name] < 20 {
			t.Errorf("%s ran %d times in its fast form to the end; expected 20 at least", name, fast[name])
		}
	}
}

// addresses fills a register with byte addresses in one of the patterns that kernels have; most lie below limit.
func addresses(r *rand.Rand, l []uint32, limit uint32, unit uint32) {
	base := r.Uint32() % (limit / 2) &^ (unit - 1)
	pattern := r.Intn(7)
	for i := range l {
		lane := uint32(i)
		switch pattern {
		case 0:
			l[i] = base + unit*lane
		case 1:
			l[i] = base
		case 2:
			l[i] = base + unit*(lane%8)
		case 3:
			l[i] = base + 3*unit*(lane/16) + unit*(lane%16)
		case 4:
			l[i] = base + 16*unit*(lane/16)
		default:
			l[i] = r.Uint32() % (limit - 64) &^ (unit - 1)
		}
	}
	switch r.Intn(12) {
	case 0:
		l[r.Intn(64)] += 1 + uint32(r.Intn(3))
	case 1:
		l[r.Intn(64)] = limit - uint32(r.Intn(20))
	case 2:
		l[r.Intn(64)] = -uint32(r.Intn(40))
	}
}

// TestLocalLevels compares the levels on LDS instructions: registers, local memory and faults.
func TestLocalLevels(t *testing.T) {
	levels := simd.Levels()
	r := rand.New(rand.NewSource(21))
	const bytes = 2048
	for _, o := range isa.Opcodes() {
		if o.Format != isa.DS || !Implements(o) {
			continue
		}
		for range localLevelRounds {
			offset := uint32(r.Intn(8)) * 16
			if r.Intn(4) == 0 {
				offset = uint32(r.Intn(1 << 16))
			}
			first := 0xD8000000 | uint32(o.Code)<<17 | offset
			second := uint32(r.Intn(12))<<24 | uint32(r.Intn(12))<<16 | uint32(r.Intn(12))<<8 | uint32(r.Intn(12))
			code := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, first), second)
			plain := bound(t, simd.Plain, code)
			op := &plain.Ops[0]
			if op.refusal != "" || op.Inst.Op.Name != o.Name || op.mem == nil {
				continue
			}
			start := randomState(r)
			start.GPRIndex = GPRIndexMode{}
			lds := make([]byte, bytes)
			r.Read(lds)
			at := second & 0xFF
			addresses(r, start.V[at*64:at*64+64], bytes, max(4, uint32(op.mem.bytes)))
			run := func(p *Program) *Wavefront {
				w := copyState(start)
				w.Program, w.Group = p, &WorkGroup{LDS: append([]byte(nil), lds...)}
				w.Launch = &Launch{}
				p.Ops[0].Execute(w, &p.Ops[0])
				return w
			}
			want := run(plain)
			for _, level := range levels[:len(levels)-1] {
				got := run(bound(t, level, code))
				if want.Fault != nil && got.Fault != nil && want.Fault.Error() == got.Fault.Error() {
					continue // what a faulting instruction leaves is nobody's business
				}
				if d := difference32(want, got); d != "" {
					t.Fatalf("%s on %s: %s\n%x", o.Name, level.Name, d, code)
				}
				if string(want.Group.LDS) != string(got.Group.LDS) {
					t.Fatalf("%s on %s: local memory differs from plain Go's\n%x", o.Name, level.Name, code)
				}
			}
		}
	}
}

// TestFlatLevels compares the levels on FLAT loads and stores: registers, memory and faults.
func TestFlatLevels(t *testing.T) {
	levels := simd.Levels()
	b := newBench(t)
	r, initial := b.r, b.content()
	for _, o := range isa.Opcodes() {
		if o.Format != isa.FLAT || !Implements(o) {
			continue
		}
		for range flatLevelRounds {
			at := uint32(r.Intn(12))
			first := 0xDC000000 | uint32(o.Code)<<18
			second := at | uint32(r.Intn(12))<<8 | uint32(r.Intn(12))<<24
			code := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, first), second)
			plain := bound(t, simd.Plain, code)
			op := &plain.Ops[0]
			if op.refusal != "" || op.Inst.Op.Name != o.Name {
				continue
			}
			start := randomState(r)
			start.GPRIndex = GPRIndexMode{}
			low, high := start.V[at*64:at*64+64], start.V[at*64+64:at*64+128]
			addresses(r, low, bufferBytes, max(4, uint32(op.mem.bytes)))
			for i := range low {
				address := b.buffer + uint64(int64(int32(low[i])))
				low[i], high[i] = uint32(address), uint32(address>>32)
			}
			if r.Intn(8) == 0 {
				low[r.Intn(64)], high[r.Intn(64)] = uint32(r.Intn(1000)*4), localApertureHigh
			}
			run := func(p *Program) (*Wavefront, []byte) {
				if err := b.memory.Write(b.buffer, initial); err != nil {
					t.Fatal(err)
				}
				w := copyState(start)
				w.Program, w.Group, w.Launch = p, &WorkGroup{LDS: make([]byte, localBytes)}, b.launch
				op := &p.Ops[0]
				op.Execute(w, op)
				if op.Address(w, op); w.Fault == nil {
					op.Perform(w, op, &w.Access)
				}
				return w, append(b.content(), w.Group.LDS...)
			}
			want, wantMemory := run(plain)
			for _, level := range levels[:len(levels)-1] {
				got, gotMemory := run(bound(t, level, code))
				if want.Fault != nil && got.Fault != nil && want.Fault.Error() == got.Fault.Error() {
					continue
				}
				if d := difference32(want, got); d != "" {
					t.Fatalf("%s on %s: %s\n%x", o.Name, level.Name, d, code)
				}
				if string(wantMemory) != string(gotMemory) {
					t.Fatalf("%s on %s: memory differs from plain Go's\n%x", o.Name, level.Name, code)
				}
			}
		}
	}
}
