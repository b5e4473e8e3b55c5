package emu

import (
	"encoding/binary"
	"math/rand"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// bench is one wavefront on a small device, for tests of single instructions.
type bench struct {
	t      *testing.T
	r      *rand.Rand
	memory *memory.Memory
	launch *Launch
	w      *Wavefront
	buffer uint64 // device address of bufferBytes of random bytes
}

const (
	bufferBytes = 16 << 10
	localBytes  = 8 << 10
)

func newBench(t *testing.T) *bench {
	t.Helper()
	m, err := memory.New(4 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	k := &codeobject.Kernel{Name: "test", AllocatedVGPRs: 128, AllocatedSGPRs: 112, LDSBytes: localBytes, PrivateBytes: 64}
	k.Enable.PrivateSegmentBuffer, k.Enable.FlatScratchInit, k.Enable.ScratchWaveOffset, k.Enable.UserSGPRs = true, true, true, 6
	l, err := NewLaunch(LaunchSpec{Kernel: k, Program: &Program{Name: "test", Base: 0x100000}, Memory: m, Grid: []uint32{256}, GroupSize: []uint32{256}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := l.NewGroup([3]uint32{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, r: rand.New(rand.NewSource(7)), memory: m, launch: l, w: g.Waves[1]}
	if b.buffer, err = m.Allocate(bufferBytes, "buffer"); err != nil {
		t.Fatal(err)
	}
	content := make([]byte, bufferBytes)
	b.r.Read(content)
	if err := m.Write(b.buffer, content); err != nil {
		t.Fatal(err)
	}
	b.r.Read(g.LDS)
	for i := range b.w.V {
		b.w.V[i] = b.r.Uint32()
	}
	return b
}

// content returns the buffer's bytes.
func (b *bench) content() []byte {
	b.t.Helper()
	c := make([]byte, bufferBytes)
	if err := b.memory.Read(b.buffer, c); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// op resolves an instruction of the opcode table with the given fields.
func (b *bench) op(name string, format isa.Format, fill func(in *isa.Inst)) *Op {
	b.t.Helper()
	for _, o := range isa.Opcodes() {
		if o.Name == name && o.Format == format {
			op := &Op{Inst: isa.Inst{Op: o, Format: format, Size: 8}, Unit: o.Unit, Next: 2}
			fill(&op.Inst)
			if err := bindMemory(op); err != nil {
				b.t.Fatalf("%s: %v", name, err)
			}
			return op
		}
	}
	b.t.Fatalf("the opcode table has no %s", name)
	return nil
}

// run executes an instruction as the functional runner does.
func (b *bench) run(op *Op) {
	b.w.PC = 0
	op.Execute(b.w, op)
	if op.Address != nil {
		op.Address(b.w, op)
		if b.w.Fault == nil {
			op.Perform(b.w, op, &b.w.Access)
		}
	}
}

// ok runs an instruction that must not fault.
func (b *bench) ok(op *Op) {
	b.t.Helper()
	b.run(op)
	if b.w.Fault != nil {
		b.t.Fatalf("%v", b.w.Fault)
	}
	if b.w.PC != op.Next {
		b.t.Fatalf("expected PC %d after the instruction, got %d", op.Next, b.w.PC)
	}
}

// masks are the EXEC masks that tests run under.
func (b *bench) masks() []uint64 {
	return []uint64{^uint64(0), 0, 1, 1 << 63, b.r.Uint64(), b.r.Uint64()}
}

// setPair puts a 64-bit value into lane of the register pair r.
func (b *bench) setPair(r, lane int, x uint64) {
	b.w.V[r*64+lane], b.w.V[(r+1)*64+lane] = uint32(x), uint32(x>>32)
}

// registers returns n registers of a lane as bytes.
func (b *bench) registers(v []uint32, r, n, lane int) []byte {
	var out []byte
	for i := range n {
		out = binary.LittleEndian.AppendUint32(out, v[(r+i)*64+lane])
	}
	return out
}

func v(n int) isa.Reg { return isa.RegVGPR0 + isa.Reg(n) }
