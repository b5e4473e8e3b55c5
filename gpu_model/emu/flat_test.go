package emu

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// addresses are the patterns of lane addresses that memory tests use: adjacent, reversed, strided, all equal, random and unaligned.
func (b *bench) addresses(n int) map[string][64]uint64 {
	all := map[string][64]uint64{}
	for name, at := range map[string]func(lane int) int{
		"adjacent":  func(lane int) int { return lane * n },
		"reversed":  func(lane int) int { return (63 - lane) * n },
		"strided":   func(lane int) int { return lane * 128 },
		"equal":     func(int) int { return 4096 - n },
		"random":    func(int) int { return b.r.Intn(bufferBytes/n-1) * n },
		"unaligned": func(int) int { return b.r.Intn(bufferBytes - n) },
		"crossing":  func(lane int) int { return 4096*(lane%3+1) - n/2 },
	} {
		var a [64]uint64
		for lane := range a {
			a[lane] = b.buffer + uint64(at(lane))
		}
		all[name] = a
	}
	return all
}

// loadShapes gives the bytes of a load and how they become registers, from the instruction's name alone.
func extend(name string, raw []byte) []byte {
	out := make([]byte, max(4, len(raw)))
	copy(out, raw)
	if (strings.HasSuffix(name, "sbyte") || strings.HasSuffix(name, "sshort")) && raw[len(raw)-1]&0x80 != 0 {
		for i := len(raw); i < 4; i++ {
			out[i] = 0xff
		}
	}
	return out
}

func sizeOf(name string) int {
	for suffix, n := range map[string]int{"byte": 1, "short": 2, "dword": 4, "dwordx2": 8, "dwordx3": 12, "dwordx4": 16} {
		if strings.HasSuffix(name, suffix) {
			return n
		}
	}
	return 0
}

func TestFlatLoads(t *testing.T) {
	for _, name := range []string{"ubyte", "sbyte", "ushort", "sshort", "dword", "dwordx2", "dwordx3", "dwordx4"} {
		name = "flat_load_" + name
		covers(name)
		b := newBench(t)
		content, n := b.content(), sizeOf(name)
		op := b.op(name, isa.FLAT, func(in *isa.Inst) { in.Mem.Addr, in.Dst = v(4), v(6) })
		for pattern, addresses := range b.addresses(n) {
			for _, exec := range b.masks() {
				for lane, a := range addresses {
					b.setPair(4, lane, a)
					if exec>>lane&1 == 0 {
						b.setPair(4, lane, 0xdead_0000_0000_0000) // inactive lanes may hold anything
					}
				}
				before := append([]uint32(nil), b.w.V...)
				b.w.SetExec(exec)
				b.ok(op)
				for lane, a := range addresses {
					registers := max(1, n/4)
					got := b.registers(b.w.V, 6, registers, lane)
					want := b.registers(before, 6, registers, lane)
					if exec>>lane&1 != 0 {
						want = extend(name, content[a-b.buffer:][:n])
					}
					if !bytes.Equal(got, want) {
						t.Fatalf("%s, %s, exec 0x%x, lane %d: expected % x, got % x", name, pattern, exec, lane, want, got)
					}
				}
			}
		}
	}
}

func TestFlatStores(t *testing.T) {
	for _, name := range []string{"byte", "short", "dword", "dwordx2", "dwordx3", "dwordx4"} {
		name = "flat_store_" + name
		covers(name)
		b := newBench(t)
		n := sizeOf(name)
		op := b.op(name, isa.FLAT, func(in *isa.Inst) { in.Mem.Addr, in.Mem.Data = v(4), v(6) })
		for pattern, addresses := range b.addresses(n) {
			for _, exec := range b.masks() {
				want := b.content()
				for lane, a := range addresses {
					b.setPair(4, lane, a)
					if exec>>lane&1 != 0 {
						copy(want[a-b.buffer:], b.registers(b.w.V, 6, max(1, n/4), lane)[:n])
					}
				}
				b.w.SetExec(exec)
				b.ok(op)
				if !bytes.Equal(b.content(), want) {
					t.Fatalf("%s, %s, exec 0x%x: memory differs", name, pattern, exec)
				}
			}
		}
	}
}

// TestFlatTakesDataAtIssue changes registers between Address and Perform: a store's data are those at issue.
func TestFlatTakesDataAtIssue(t *testing.T) {
	b := newBench(t)
	op := b.op("flat_store_dwordx2", isa.FLAT, func(in *isa.Inst) { in.Mem.Addr, in.Mem.Data = v(4), v(6) })
	for lane := range 64 {
		b.setPair(4, lane, b.buffer+uint64(lane)*8)
	}
	want := b.registers(b.w.V, 6, 2, 9)
	op.Address(b.w, op)
	a := b.w.Access
	clear(b.w.V)
	op.Perform(b.w, op, &a)
	if got := b.content()[72:80]; !bytes.Equal(got, want) {
		t.Errorf("expected % x, got % x", want, got)
	}
}

// atomicWant computes an atomic on integers of any width up to 64 bits, independently of the executor's tables.
func atomicWant(name string, width uint, old, data, data1 uint64) uint64 {
	mask := ^uint64(0) >> (64 - width)
	signed := func(x uint64) int64 { return int64(x<<(64-width)) >> (64 - width) }
	switch name {
	case "swap":
		return data
	case "cmpswap": // data is the new value, data1 the comparand
		if old == data1 {
			return data
		}
		return old
	case "add":
		return (old + data) & mask
	case "sub":
		return (old - data) & mask
	case "rsub":
		return (data - old) & mask
	case "smin":
		if signed(data) < signed(old) {
			return data
		}
		return old
	case "smax":
		if signed(data) > signed(old) {
			return data
		}
		return old
	case "umin":
		return min(old, data)
	case "umax":
		return max(old, data)
	case "and":
		return old & data
	case "or":
		return old | data
	case "xor":
		return old ^ data
	case "inc":
		if old >= data {
			return 0
		}
		return old + 1
	case "dec":
		if old == 0 || old > data {
			return data
		}
		return old - 1
	}
	panic("no atomic " + name)
}

var atomicNames = []string{"swap", "cmpswap", "add", "sub", "smin", "umin", "smax", "umax", "and", "or", "xor", "inc", "dec"}

func read(b []byte, bytes int) uint64 {
	if bytes == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return uint64(binary.LittleEndian.Uint32(b))
}

func write(b []byte, bytes int, x uint64) {
	if bytes == 8 {
		binary.LittleEndian.PutUint64(b, x)
		return
	}
	binary.LittleEndian.PutUint32(b, uint32(x))
}

// checkAtomic runs op on addresses with many collisions, lanes in order, and compares memory and returned values.
func (b *bench) checkAtomic(op *Op, name string, n int, returns bool, dst int) {
	b.t.Helper()
	words := n / 4
	for _, exec := range b.masks() {
		want := b.content()
		before := append([]uint32(nil), b.w.V...)
		returned := map[int]uint64{}
		for lane := range 64 {
			at := b.r.Intn(8) * n
			b.setPair(4, lane, b.buffer+uint64(at))
			old := read(want[at:], n)
			data := read(b.registers(before, 8, words, lane), n)
			data1 := uint64(0)
			if name == "cmpswap" {
				if lane%3 == 0 { // make comparisons succeed now and then
					for i, x := range []uint32{uint32(old), uint32(old >> 32)}[:words] {
						b.w.V[(8+words+i)*64+lane] = x
					}
				}
				data1 = read(b.registers(b.w.V, 8+words, words, lane), n)
			}
			if exec>>lane&1 != 0 {
				returned[lane] = old
				write(want[at:], n, atomicWant(name, uint(8*n), old, data, data1))
			}
		}
		b.w.SetExec(exec)
		b.ok(op)
		if !bytes.Equal(b.content(), want) {
			b.t.Fatalf("%s, exec 0x%x: memory differs", op.Inst.Op.Name, exec)
		}
		for lane, old := range returned {
			if got := read(b.registers(b.w.V, dst, words, lane), n); returns && got != old {
				b.t.Fatalf("%s, lane %d: expected the old value 0x%x, got 0x%x", op.Inst.Op.Name, lane, old, got)
			}
		}
	}
}

func TestFlatAtomics(t *testing.T) {
	for _, name := range atomicNames {
		for _, n := range []int{4, 8} {
			for _, glc := range []bool{false, true} {
				full := "flat_atomic_" + name
				if n == 8 {
					full += "_x2"
				}
				covers(full)
				b := newBench(t)
				op := b.op(full, isa.FLAT, func(in *isa.Inst) {
					in.Mem.Addr, in.Mem.Data, in.Mem.Glc, in.Dst = v(4), v(8), glc, v(20)
				})
				b.checkAtomic(op, name, n, glc, 20)
				if got := b.w.Access.Kind; (got == AccessAtomicReturn) != glc {
					t.Errorf("%s: access kind %d with glc %v", full, got, glc)
				}
			}
		}
	}
}

// TestFlatApertures sends lanes of one instruction to global, local and private memory.
func TestFlatApertures(t *testing.T) {
	b := newBench(t)
	b.w.S[102], b.w.S[103] = 64, uint32(b.launch.scratch.waveBytes>>8) // wavefront 1's private memory
	store := b.op("flat_store_dwordx2", isa.FLAT, func(in *isa.Inst) { in.Mem.Addr, in.Mem.Data = v(4), v(6) })
	load := b.op("flat_load_dwordx2", isa.FLAT, func(in *isa.Inst) { in.Mem.Addr, in.Dst = v(4), v(10) })
	for lane := range 64 {
		switch lane % 3 {
		case 0:
			b.setPair(4, lane, b.buffer+uint64(lane)*8)
		case 1:
			b.setPair(4, lane, localApertureHigh<<32|uint64(lane)*8)
		case 2:
			b.setPair(4, lane, privateApertureHigh<<32|16)
		}
	}
	b.ok(store)
	for lane := range 64 {
		want := b.registers(b.w.V, 6, 2, lane)
		var got []byte
		switch lane % 3 {
		case 0:
			got = b.content()[lane*8:][:8]
		case 1:
			got = b.w.Group.LDS[lane*8:][:8]
		case 2: // dwords of the lanes are interleaved
			base := b.launch.scratch.base + b.launch.scratch.waveBytes
			got = make([]byte, 8)
			for i := range uint64(2) {
				if err := b.memory.Read(base+(16/4+i)*256+uint64(lane)*4, got[4*i:4*i+4]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("lane %d: expected % x stored, got % x", lane, want, got)
		}
	}
	b.ok(load)
	for lane := range 64 {
		if got, want := b.registers(b.w.V, 10, 2, lane), b.registers(b.w.V, 6, 2, lane); !bytes.Equal(got, want) {
			t.Fatalf("lane %d: expected % x loaded back, got % x", lane, want, got)
		}
	}
}

// TestFlatFaults checks that faults name kernel, PC, instruction, wavefront, lane and address.
func TestFlatFaults(t *testing.T) {
	for _, c := range []struct {
		name    string
		address uint64
		want    string
	}{
		{"flat_load_dword", 0x10, "load of 4 bytes at 0x10 hits memory that is not allocated"},
		{"flat_store_dword", 1 << 50, "store of 4 bytes at 0x4000000000000 hits memory that is not allocated"},
		{"flat_load_dwordx4", localApertureHigh<<32 | localBytes - 8, "16 bytes at local address 0x1ff8 leave the work-group's local memory of 8192 bytes"},
		{"flat_load_dword", privateApertureHigh<<32 | 4096, "leave the work-item's private memory of 64 bytes"},
		{"flat_atomic_add", 0, "an atomic on 4 bytes at 0x%x must be aligned to its size"},
	} {
		b := newBench(t)
		if c.address == 0 {
			c.address = b.buffer + 2
			c.want = fmt.Sprintf(c.want, c.address)
		}
		op := b.op(c.name, isa.FLAT, func(in *isa.Inst) { in.Mem.Addr, in.Dst, in.Mem.Data = v(4), v(6), v(6) })
		for lane := range 64 {
			b.setPair(4, lane, b.buffer)
		}
		b.w.S[102], b.w.S[103] = 64, 0
		b.setPair(4, 37, c.address)
		b.run(op)
		if b.w.Fault == nil {
			t.Fatalf("%s at 0x%x: expected a fault", c.name, c.address)
		}
		text := b.w.Fault.Error()
		for _, part := range []string{c.want, `kernel "test" at PC 0x100000 (offset 0x0, `, c.name, "work-group (0, 0, 0), wavefront 1, lane 37: "} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: expected %q in %q", c.name, part, text)
			}
		}
		if !b.w.Ended {
			t.Errorf("%s: a fault must end the wavefront", c.name)
		}
	}
}
