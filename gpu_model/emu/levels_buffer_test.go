package emu

import (
	"encoding/binary"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/simd"
)

// TestBufferLevels compares the levels on MUBUF loads and stores, raw and structured buffers, in and out of range: registers, memory and
// faults.
func TestBufferLevels(t *testing.T) {
	levels := simd.Levels()
	b := newBench(t)
	r, initial := b.r, b.content()
	for _, o := range isa.Opcodes() {
		if o.Format != isa.MUBUF || !Implements(o) {
			continue
		}
		for range flatLevelRounds / 3 {
			at := uint32(r.Intn(12))
			first := 0xE0000000 | uint32(o.Code)<<18 | 1<<12 | uint32(r.Intn(4))*16
			if r.Intn(4) == 0 {
				first |= uint32(r.Intn(2))<<13 | uint32(r.Intn(4))<<12
			}
			second := at | uint32(r.Intn(12))<<8 | 2<<16 | uint32([]int{128, 128, 132, 16}[r.Intn(4)])<<24
			code := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, first), second)
			plain := bound(t, simd.Plain, code)
			op := &plain.Ops[0]
			if op.refusal != "" || op.Inst.Op.Name != o.Name {
				continue
			}
			start := randomState(r)
			start.GPRIndex = GPRIndexMode{}
			d := start.S[8:12]
			d[0], d[1], d[2], d[3] = uint32(b.buffer), uint32(b.buffer>>32), bufferBytes, uint32(r.Intn(1<<19))
			if r.Intn(4) == 0 {
				d[1] |= uint32(r.Intn(20)) << 16
				d[2] = uint32(r.Intn(bufferBytes / 20))
			}
			switch r.Intn(8) {
			case 0:
				d[2] = uint32(r.Intn(bufferBytes))
			case 1:
				d[2] = uint32(r.Intn(20))
			}
			start.S[16] = uint32(r.Intn(64)) * 4
			addresses(r, start.V[at*64:at*64+64], bufferBytes-1024, max(4, uint32(op.mem.bytes)))
			run := func(p *Program) (*Wavefront, []byte) {
				if err := b.memory.Write(b.buffer, initial); err != nil {
					t.Fatal(err)
				}
				w := copyState(start)
				w.Program, w.Group, w.Launch = p, &WorkGroup{LDS: make([]byte, localBytes)}, b.launch
				op := &p.Ops[0]
				op.Execute(w, op)
				if op.Address != nil {
					if op.Address(w, op); w.Fault == nil {
						// As the timing model does for what takes effect later.
						kept := MemoryAccess{Kind: AccessAtomic, Mask: r.Uint64(), ElementMask: r.Uint64(), LocalMask: r.Uint64()}
						w.Access.CopyTo(&kept)
						op.Perform(w, op, &kept)
					}
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
