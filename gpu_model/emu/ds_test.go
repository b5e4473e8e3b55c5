package emu

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// lds returns a copy of the work-group's local memory.
func (b *bench) lds() []byte { return append([]byte(nil), b.w.Group.LDS...) }

// localAddresses fills v4 with random addresses, aligned to n, that leave room for reach bytes.
func (b *bench) localAddresses(n, reach int) [64]uint32 {
	var a [64]uint32
	for lane := range a {
		a[lane] = uint32(b.r.Intn((localBytes-reach)/n) * n)
		b.w.V[4*64+lane] = a[lane]
	}
	return a
}

// widths gives the bytes of DS reads and writes.
var dsWidths = map[string]int{"b8": 1, "u8": 1, "i8": 1, "b16": 2, "u16": 2, "i16": 2, "b32": 4, "b64": 8, "b96": 12, "b128": 16}

func TestLocalReads(t *testing.T) {
	for _, width := range []string{"b32", "b64", "b96", "b128", "u8", "i8", "u16", "i16"} {
		name := "ds_read_" + width
		covers(name)
		b := newBench(t)
		n := dsWidths[width]
		align := n
		if n == 12 {
			align = 4
		}
		const offset = 48
		op := b.op(name, isa.DS, func(in *isa.Inst) { in.Mem.Addr, in.Dst, in.Mem.Offset = v(4), v(8), offset })
		for _, exec := range b.masks() {
			addresses, lds := b.localAddresses(align, offset+n), b.lds()
			before := append([]uint32(nil), b.w.V...)
			b.w.SetExec(exec)
			b.ok(op)
			for lane, a := range addresses {
				registers := max(1, n/4)
				want := b.registers(before, 8, registers, lane)
				if exec>>lane&1 != 0 {
					raw := lds[a+offset:][:n]
					signed := map[bool]string{true: "sbyte", false: "ubyte"}[width == "i8"]
					if n == 2 {
						signed = map[bool]string{true: "sshort", false: "ushort"}[width == "i16"]
					}
					want = extend(signed, raw)
				}
				if got := b.registers(b.w.V, 8, registers, lane); !bytes.Equal(got, want) {
					t.Fatalf("%s, exec 0x%x, lane %d: expected % x, got % x", name, exec, lane, want, got)
				}
			}
		}
	}
}

func TestLocalWrites(t *testing.T) {
	for _, width := range []string{"b8", "b16", "b32", "b64", "b96", "b128"} {
		name := "ds_write_" + width
		covers(name)
		b := newBench(t)
		n := dsWidths[width]
		align := n
		if n == 12 {
			align = 4
		}
		op := b.op(name, isa.DS, func(in *isa.Inst) { in.Mem.Addr, in.Mem.Data, in.Mem.Offset = v(4), v(8), 16 })
		for _, exec := range b.masks() {
			addresses, want := b.localAddresses(align, 16+n), b.lds()
			for lane, a := range addresses {
				if exec>>lane&1 != 0 {
					copy(want[a+16:], b.registers(b.w.V, 8, max(1, n/4), lane)[:n])
				}
			}
			b.w.SetExec(exec)
			b.ok(op)
			if !bytes.Equal(b.w.Group.LDS, want) {
				t.Fatalf("%s, exec 0x%x: local memory differs", name, exec)
			}
		}
	}
}

// TestLocalPairs covers read2, write2 and wrxchg2 with both offset units.
func TestLocalPairs(t *testing.T) {
	for _, stride := range []string{"", "st64"} {
		for _, n := range []int{4, 8} {
			width := map[int]string{4: "b32", 8: "b64"}[n]
			unit := n
			if stride != "" {
				unit *= 64
			}
			const offset0, offset1 = 1, 3
			fields := func(in *isa.Inst) {
				in.Mem.Addr, in.Dst, in.Mem.Data, in.Mem.Data1, in.Mem.Offset = v(4), v(20), v(8), v(12), offset0|offset1<<8
			}
			for _, kind := range []string{"read2", "write2", "wrxchg2"} {
				name := "ds_" + kind + stride + "_" + width
				if kind == "wrxchg2" {
					name = "ds_" + kind + stride + "_rtn_" + width
				}
				covers(name)
				b := newBench(t)
				op := b.op(name, isa.DS, fields)
				for _, exec := range b.masks() {
					addresses, want := b.localAddresses(n, 4*unit), b.lds()
					before := append([]uint32(nil), b.w.V...)
					read := map[int][]byte{}
					for lane, a := range addresses {
						if exec>>lane&1 == 0 {
							continue
						}
						at0, at1 := int(a)+offset0*unit, int(a)+offset1*unit
						read[lane] = append(append([]byte(nil), want[at0:at0+n]...), want[at1:at1+n]...)
						if kind != "read2" {
							copy(want[at0:], b.registers(before, 8, n/4, lane))
							copy(want[at1:], b.registers(before, 12, n/4, lane))
						}
					}
					b.w.SetExec(exec)
					b.ok(op)
					if !bytes.Equal(b.w.Group.LDS, want) {
						t.Fatalf("%s, exec 0x%x: local memory differs", name, exec)
					}
					for lane, want := range read {
						if got := b.registers(b.w.V, 20, n/2, lane); kind != "write2" && !bytes.Equal(got, want) {
							t.Fatalf("%s, lane %d: expected % x, got % x", name, lane, want, got)
						}
					}
				}
			}
		}
	}
}

// dsAtomics gives each DS operation atomicWant's name.
var dsAtomics = map[string]string{"add_u": "add", "sub_u": "sub", "rsub_u": "rsub", "inc_u": "inc", "dec_u": "dec", "min_i": "smin",
	"max_i": "smax", "min_u": "umin", "max_u": "umax", "and_b": "and", "or_b": "or", "xor_b": "xor"}

// checkLocalAtomic runs op with collisions and compares with want, which gets old value and both data operands.
func (b *bench) checkLocalAtomic(op *Op, n int, returns bool, want func(old, data, data1 uint64) uint64) {
	b.t.Helper()
	for _, exec := range b.masks() {
		for i := range b.w.V {
			b.w.V[i] = b.r.Uint32()
			if b.r.Intn(4) == 0 {
				b.w.V[i] &= 3
			}
		}
		addresses := b.localAddresses(n, localBytes-8*n)
		for lane := range 64 {
			if lane%5 == 0 { // meet the value that is there
				copy(b.w.Group.LDS[addresses[lane]:], b.registers(b.w.V, 8, n/4, lane))
			}
		}
		memory, before := b.lds(), append([]uint32(nil), b.w.V...)
		old := map[int]uint64{}
		for lane, a := range addresses {
			if exec>>lane&1 == 0 {
				continue
			}
			old[lane] = read(memory[a:], n)
			write(memory[a:], n, want(old[lane], read(b.registers(before, 8, n/4, lane), n), read(b.registers(before, 12, n/4, lane), n)))
		}
		b.w.SetExec(exec)
		b.ok(op)
		if !bytes.Equal(b.w.Group.LDS, memory) {
			b.t.Fatalf("%s, exec 0x%x: local memory differs", op.Inst.Op.Name, exec)
		}
		for lane, x := range old {
			if got := read(b.registers(b.w.V, 20, n/4, lane), n); returns && got != x {
				b.t.Fatalf("%s, lane %d: expected the old value 0x%x, got 0x%x", op.Inst.Op.Name, lane, x, got)
			}
		}
	}
}

func TestLocalAtomics(t *testing.T) {
	type semantics = func(old, data, data1 uint64) uint64
	all := map[string]semantics{}
	for _, n := range []int{4, 8} {
		suffix := map[int]string{4: "32", 8: "64"}[n]
		width := uint(8 * n)
		for ds, name := range dsAtomics {
			all[ds+suffix] = func(old, data, _ uint64) uint64 { return atomicWant(name, width, old, data, 0) }
		}
		all["mskor_b"+suffix] = func(old, data, data1 uint64) uint64 { return old&^data | data1 }
		all["cmpst_b"+suffix] = func(old, data, data1 uint64) uint64 {
			if old == data {
				return data1
			}
			return old
		}
		real := func(x uint64) float64 {
			if n == 4 {
				return float64(math.Float32frombits(uint32(x)))
			}
			return math.Float64frombits(x)
		}
		all["cmpst_f"+suffix] = func(old, data, data1 uint64) uint64 {
			if real(old) == real(data) {
				return data1
			}
			return old
		}
		all["min_f"+suffix] = func(old, data, _ uint64) uint64 {
			if real(data) < real(old) {
				return data
			}
			return old
		}
		all["max_f"+suffix] = func(old, data, _ uint64) uint64 {
			if real(data) > real(old) {
				return data
			}
			return old
		}
		all["wrxchg_b"+suffix] = func(_, data, _ uint64) uint64 { return data }
	}
	all["add_f32"] = func(old, data, _ uint64) uint64 {
		return uint64(math.Float32bits(math.Float32frombits(uint32(old)) + math.Float32frombits(uint32(data))))
	}
	all["wrap_b32"] = func(old, data, data1 uint64) uint64 {
		if old >= data {
			return old - data
		}
		return uint64(uint32(old + data1))
	}
	all["condxchg32_b64"] = func(old, data, _ uint64) uint64 {
		for _, half := range []uint{0, 32} {
			if d := uint32(data >> half); d>>31 != 0 {
				old = old&^(0xffffffff<<half) | uint64(d&0x7fffffff)<<half
			}
		}
		return old
	}
	for name, want := range all {
		n := 4
		if strings.HasSuffix(name, "64") {
			n = 8
		}
		stem, suffix, _ := strings.Cut(name, "_")
		for _, full := range []string{"ds_" + name, "ds_" + stem + "_rtn_" + suffix} {
			if isa.OpcodeByName(full) == nil {
				continue // some exist in one form only
			}
			covers(full)
			b := newBench(t)
			returns := strings.Contains(full, "_rtn_")
			op := b.op(full, isa.DS, func(in *isa.Inst) { in.Mem.Addr, in.Dst, in.Mem.Data, in.Mem.Data1 = v(4), v(20), v(8), v(12) })
			b.checkLocalAtomic(op, n, returns, want)
		}
		if src2 := "ds_" + stem + "_src2_" + suffix; isa.OpcodeByName(src2) != nil {
			covers(src2)
			checkSrc2(t, src2, n, want)
		}
	}
	for n, name := range map[int]string{4: "ds_write_src2_b32", 8: "ds_write_src2_b64"} {
		covers(name)
		checkSrc2(t, name, n, func(_, data, _ uint64) uint64 { return data })
	}
}

// checkSrc2 runs an instruction whose second operand is in the LDS, at a distance from the offset or from the address.
func checkSrc2(t *testing.T, name string, n int, want func(old, data, data1 uint64) uint64) {
	t.Helper()
	for _, offset := range []uint32{64, 0x7ffe, 0x8000} { // 64 dwords up, 2 dwords down (15 bits), by the address
		b := newBench(t)
		op := b.op(name, isa.DS, func(in *isa.Inst) { in.Mem.Addr, in.Mem.Offset = v(4), offset })
		memory := b.lds()
		for lane := range 64 {
			at := 1024 + b.r.Intn(32)*n
			distance := 256
			if offset == 0x7ffe {
				distance = -8
			}
			word := uint32(at)
			if offset == 0x8000 {
				distance = -16 * n
				word |= uint32(distance/4) << 17
			}
			b.w.V[4*64+lane] = word
			write(memory[at:], n, want(read(memory[at:], n), read(memory[at+distance:], n), 0))
		}
		b.ok(op)
		if !bytes.Equal(b.w.Group.LDS, memory) {
			t.Fatalf("%s, offset 0x%x: local memory differs", name, offset)
		}
	}
}

func TestCrossLane(t *testing.T) {
	covers("ds_swizzle_b32")
	covers("ds_permute_b32")
	covers("ds_bpermute_b32")
	b := newBench(t)
	for _, exec := range b.masks() {
		for _, offset := range []uint32{0x8000 | 0b00011011, 0x8000 | 0xE4, 0x001f, 0x041f, 0x7c1f, 0x03e0, 0x3a5a} {
			swizzle := b.op("ds_swizzle_b32", isa.DS, func(in *isa.Inst) { in.Mem.Addr, in.Dst, in.Mem.Offset = v(4), v(5), offset })
			before := append([]uint32(nil), b.w.V...)
			b.w.SetExec(exec)
			b.ok(swizzle)
			for lane := range 64 {
				if exec>>lane&1 == 0 {
					continue
				}
				from := lane/4*4 + int(offset>>(lane%4*2))%4
				if offset < 0x8000 {
					from = (lane%32&int(offset%32) | int(offset/32%32)) ^ int(offset/1024%32) + lane/32*32
				}
				want := uint32(0)
				if exec>>from&1 != 0 {
					want = before[4*64+from]
				}
				if got := b.w.V[5*64+lane]; got != want {
					t.Fatalf("swizzle 0x%x, exec 0x%x, lane %d: expected lane %d's 0x%x, got 0x%x", offset, exec, lane, from, want, got)
				}
			}
		}
		for _, name := range []string{"ds_permute_b32", "ds_bpermute_b32"} {
			op := b.op(name, isa.DS, func(in *isa.Inst) { in.Mem.Addr, in.Mem.Data, in.Dst, in.Mem.Offset = v(4), v(5), v(6), 8 })
			for lane := range 64 {
				b.w.V[4*64+lane] = b.r.Uint32()
			}
			var sent [64]uint32
			before := append([]uint32(nil), b.w.V...)
			for lane := range 64 {
				if exec>>lane&1 != 0 {
					sent[(before[4*64+lane]+8)>>2&63] = before[5*64+lane]
				}
			}
			b.w.SetExec(exec)
			b.ok(op)
			for lane := range 64 {
				want := before[6*64+lane]
				if exec>>lane&1 != 0 {
					if want = sent[lane]; name == "ds_bpermute_b32" {
						from := (before[4*64+lane] + 8) >> 2 & 63
						want = 0
						if exec>>from&1 != 0 {
							want = before[5*64+int(from)]
						}
					}
				}
				if got := b.w.V[6*64+lane]; got != want {
					t.Fatalf("%s, exec 0x%x, lane %d: expected 0x%x, got 0x%x", name, exec, lane, want, got)
				}
			}
		}
	}
}

func TestAppendConsume(t *testing.T) {
	for _, name := range []string{"ds_append", "ds_consume"} {
		covers(name)
		b := newBench(t)
		op := b.op(name, isa.DS, func(in *isa.Inst) { in.Dst, in.Mem.Offset = v(4), 8 })
		b.w.S[124] = 64
		for _, exec := range b.masks() {
			old := binary.LittleEndian.Uint32(b.w.Group.LDS[72:])
			b.w.SetExec(exec)
			b.ok(op)
			delta := uint32(bits.OnesCount64(exec))
			if name == "ds_consume" {
				delta = -delta
			}
			if got := binary.LittleEndian.Uint32(b.w.Group.LDS[72:]); got != old+delta {
				t.Errorf("%s, exec 0x%x: expected the counter to become %d, got %d", name, exec, old+delta, got)
			}
			for lane := range 64 {
				if got := b.w.V[4*64+lane]; exec>>lane&1 != 0 && got != old {
					t.Errorf("%s, lane %d: expected %d, got %d", name, lane, old, got)
				}
			}
		}
	}
	covers("ds_nop")
	b := newBench(t)
	before := b.lds()
	b.ok(b.op("ds_nop", isa.DS, func(*isa.Inst) {}))
	if !bytes.Equal(b.w.Group.LDS, before) {
		t.Error("ds_nop changed local memory")
	}
}

// TestGlobalDataShare runs the LDS instructions on the GDS: M0 gives base and size.
func TestGlobalDataShare(t *testing.T) {
	b := newBench(t)
	b.w.S[124] = 256<<16 | 128 // bytes 256 to 383
	b.w.SetExec(1)
	b.w.V[4*64], b.w.V[8*64] = 16, 0x12345678
	local := b.lds()
	b.ok(b.op("ds_write_b32", isa.DS, func(in *isa.Inst) { in.Mem.Addr, in.Mem.Data, in.Mem.Offset, in.Mem.Gds = v(4), v(8), 4, true }))
	if got := binary.LittleEndian.Uint32(b.launch.gds.memory[276:]); got != 0x12345678 {
		t.Errorf("expected the word at 276, got 0x%x", got)
	}
	if !bytes.Equal(b.w.Group.LDS, local) {
		t.Error("a GDS write changed local memory")
	}
	b.ok(b.op("ds_append", isa.DS, func(in *isa.Inst) { in.Dst, in.Mem.Offset, in.Mem.Gds = v(9), 20, true }))
	if got := binary.LittleEndian.Uint32(b.launch.gds.memory[276:]); got != 0x12345679 || b.w.V[9*64] != 0x12345678 {
		t.Errorf("expected the counter to rise by one lane, got 0x%x, returned 0x%x", got, b.w.V[9*64])
	}
	b.w.V[4*64] = 128
	b.run(b.op("ds_read_b32", isa.DS, func(in *isa.Inst) { in.Mem.Addr, in.Dst, in.Mem.Gds = v(4), v(8), true }))
	if b.w.Fault == nil {
		t.Error("expected a read past M0's size to fault")
	}
	covers("ds_ordered_count")
	b = newBench(t)
	b.w.SetExec(3)
	b.w.V[4*64], b.w.V[4*64+1] = 5, 9
	count := b.op("ds_ordered_count", isa.DS, func(in *isa.Inst) { in.Mem.Addr, in.Dst, in.Mem.Gds = v(4), v(6), true })
	for _, want := range []uint32{0, 5, 10} {
		b.ok(count)
		if b.w.V[6*64] != want || b.w.V[6*64+1] != want {
			t.Errorf("expected %d in both lanes, got %d, %d", want, b.w.V[6*64], b.w.V[6*64+1])
		}
	}
}

// TestWaveSync drives semaphores and a barrier with two wavefronts: one that waits stays at its instruction.
func TestWaveSync(t *testing.T) {
	b := newBench(t)
	waves := []*Wavefront{b.w, b.w.Group.Waves[2]}
	gws := func(name string) *Op {
		covers("ds_gws_" + name)
		return b.op("ds_gws_"+name, isa.DS, func(in *isa.Inst) { in.Mem.Addr, in.Mem.Data, in.Mem.Gds = v(8), v(8), true })
	}
	step := func(w *Wavefront, op *Op) bool {
		w.PC = 0
		op.Execute(w, op)
		return w.PC == op.Next
	}
	value := func(w *Wavefront, x uint32) {
		for lane := range 64 {
			w.V[8*64+lane] = x
		}
	}
	value(waves[0], 1)
	value(waves[1], 1)
	init, barrier, p, v, br, all := gws("init"), gws("barrier"), gws("sema_p"), gws("sema_v"), gws("sema_br"), gws("sema_release_all")
	// passes runs op on one wavefront and counts how often the other then passes p, up to 3.
	passes := func(w *Wavefront, op *Op) (n int) {
		if !step(w, op) {
			t.Errorf("%s must not wait", op.Inst.Op.Name)
		}
		for n < 3 && step(waves[0], p) {
			n++
		}
		return n
	}
	if n := passes(waves[0], init); n != 1 {
		t.Errorf("expected a semaphore of 1 to let one wavefront through, got %d", n)
	}
	if n := passes(waves[1], v); n != 1 {
		t.Errorf("expected v to let one more through, got %d", n)
	}
	value(waves[1], 2)
	if n := passes(waves[1], br); n != 2 {
		t.Errorf("expected br to let two more through, got %d", n)
	}
	if !step(waves[1], all) || !step(waves[0], p) {
		t.Error("expected release_all to let all through")
	}
	value(waves[1], 1)
	for round := range 3 {
		first, second := waves[round%2], waves[(round+1)%2]
		for range 2 {
			if step(first, barrier) {
				t.Errorf("round %d: the first wavefront must wait", round)
			}
		}
		if !step(second, barrier) || !step(first, barrier) {
			t.Errorf("round %d: the second wavefront must release both", round)
		}
	}
}

func TestLocalFaults(t *testing.T) {
	for _, c := range []struct {
		name    string
		address uint32
		want    string
	}{
		{"ds_read_b32", localBytes, "4 bytes at local address 0x2000 leave the work-group's local memory of 8192 bytes"},
		{"ds_read_b32", 0xfffffffc, "4 bytes at local address 0xfffffffc leave"},
		{"ds_read_b32", 2, "4 bytes at local address 0x2 must be aligned to 4 bytes"},
		{"ds_read_b64", 4, "8 bytes at local address 0x4 must be aligned to 8 bytes"},
		{"ds_read_b128", 8, "16 bytes at local address 0x8 must be aligned to 16 bytes"},
		{"ds_write_b16", localBytes - 1, "2 bytes at local address 0x1fff leave"},
		{"ds_add_rtn_u32", localBytes, "4 bytes at local address 0x2000 leave"},
		{"ds_read2_b32", localBytes - 4, "4 bytes at local address 0x2000 leave"},
	} {
		b := newBench(t)
		op := b.op(c.name, isa.DS, func(in *isa.Inst) {
			in.Mem.Addr, in.Mem.Data, in.Dst = v(4), v(8), v(20)
			if c.name == "ds_read2_b32" {
				in.Mem.Offset = 0 | 1<<8
			}
		})
		clear(b.w.Lanes(4)[:])
		b.w.V[4*64+17] = c.address
		b.run(op)
		if b.w.Fault == nil || !strings.Contains(b.w.Fault.Error(), c.want) || !strings.Contains(b.w.Fault.Error(), "lane 17") {
			t.Errorf("%s at 0x%x: expected %q on lane 17, got %v", c.name, c.address, c.want, b.w.Fault)
		}
	}
}
