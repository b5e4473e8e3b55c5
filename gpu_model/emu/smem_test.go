package emu

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

func (b *bench) scalars(first, n int) []byte {
	var out []byte
	for _, x := range b.w.S[first : first+n] {
		out = binary.LittleEndian.AppendUint32(out, x)
	}
	return out
}

// describe puts a buffer descriptor into s[r:r+3].
func (b *bench) describe(r int, base uint64, stride, records, word3 uint32, swizzle bool) {
	b.w.S[r], b.w.S[r+1] = uint32(base), uint32(base>>32)|stride<<16
	if swizzle {
		b.w.S[r+1] |= 1 << 31
	}
	b.w.S[r+2], b.w.S[r+3] = records, word3
}

var scalarSizes = map[string]int{"dword": 4, "dwordx2": 8, "dwordx4": 16, "dwordx8": 32, "dwordx16": 64}

func TestScalarLoads(t *testing.T) {
	for width, n := range scalarSizes {
		for _, buffer := range []string{"", "buffer_"} {
			name := "s_" + buffer + "load_" + width
			covers(name)
			b := newBench(t)
			content := b.content()
			for _, offset := range []uint32{0, 4, 100, 4094, 4100} {
				for _, immediate := range []bool{true, false} {
					op := b.op(name, isa.SMEM, func(in *isa.Inst) {
						in.Mem.Base, in.Dst, in.Mem.Offset, in.Mem.OffsetImm, in.Mem.SOff = 8, 16, offset, immediate, 4
					})
					b.w.S[4] = offset
					b.w.S[8], b.w.S[9] = uint32(b.buffer), uint32(b.buffer>>32)
					if buffer != "" {
						b.describe(8, b.buffer, 0, 4100+4, 0, false)
					}
					b.ok(op)
					at := int(offset &^ 3)
					want := append([]byte(nil), content[at:at+n]...)
					if buffer != "" { // what lies beyond the buffer reads as 0
						clear(want[max(0, min(n, 4104-at)):])
					}
					if got := b.scalars(16, n/4); !bytes.Equal(got, want) {
						t.Errorf("%s, offset %d: expected % x, got % x", name, offset, want, got)
					}
				}
			}
		}
	}
}

func TestScalarStores(t *testing.T) {
	for _, width := range []string{"dword", "dwordx2", "dwordx4"} {
		for _, buffer := range []string{"", "buffer_"} {
			name, n := "s_"+buffer+"store_"+width, scalarSizes[width]
			covers(name)
			b := newBench(t)
			for i := range b.w.S[16:20] {
				b.w.S[16+i] = b.r.Uint32()
			}
			b.w.S[8], b.w.S[9] = uint32(b.buffer), uint32(b.buffer>>32)
			room := n
			if buffer != "" {
				room = 4 // of the buffer at offset 20
				b.describe(8, b.buffer, 0, 24, 0, false)
			}
			want := b.content()
			copy(want[20:20+room], b.scalars(16, n/4))
			b.ok(b.op(name, isa.SMEM, func(in *isa.Inst) {
				in.Mem.Base, in.Dst, in.Mem.Data, in.Mem.Offset, in.Mem.OffsetImm = 8, 16, 16, 20, true
			}))
			if !bytes.Equal(b.content(), want) {
				t.Errorf("%s: memory differs", name)
			}
		}
	}
}

func TestClocksAndCacheControl(t *testing.T) {
	covers("s_memtime")
	covers("s_memrealtime")
	b := newBench(t)
	b.w.Now = 5_000_000_123_000
	b.ok(b.op("s_memtime", isa.SMEM, func(in *isa.Inst) { in.Dst = 16 }))
	if got := read(b.scalars(16, 2), 8); got != 5_000_000_123 {
		t.Errorf("expected s_memtime to read 5000000123 cycles, got %d", got)
	}
	b.ok(b.op("s_memrealtime", isa.SMEM, func(in *isa.Inst) { in.Dst = 16 }))
	if got := read(b.scalars(16, 2), 8); got != 500_000_012 {
		t.Errorf("expected s_memrealtime to read 500000012, got %d", got)
	}
	before, content := b.w.S, b.content()
	for _, name := range []string{"s_dcache_inv", "s_dcache_wb", "s_dcache_inv_vol", "s_dcache_wb_vol", "s_atc_probe", "s_atc_probe_buffer"} {
		covers(name)
		b.ok(b.op(name, isa.SMEM, func(in *isa.Inst) { in.Mem.Base = 8 }))
		if b.w.Access.Kind != AccessCacheControl || b.w.Access.Mask != 0 {
			t.Errorf("%s: expected a cache control access without lanes, got %d, 0x%x", name, b.w.Access.Kind, b.w.Access.Mask)
		}
	}
	for _, name := range []string{"buffer_wbinvl1", "buffer_wbinvl1_vol"} {
		covers(name)
		b.ok(b.op(name, isa.MUBUF, func(*isa.Inst) {}))
		if b.w.Access.Kind != AccessCacheControl {
			t.Errorf("%s: expected a cache control access, got %d", name, b.w.Access.Kind)
		}
	}
	if b.w.S != before || !bytes.Equal(b.content(), content) {
		t.Error("cache control changed registers or memory")
	}
}

func TestScalarFault(t *testing.T) {
	b := newBench(t)
	b.w.S[8], b.w.S[9] = 0x40, 0
	b.run(b.op("s_load_dwordx4", isa.SMEM, func(in *isa.Inst) { in.Mem.Base, in.Dst, in.Mem.OffsetImm = 8, 16, true }))
	if b.w.Fault == nil || !strings.Contains(b.w.Fault.Error(), "load of 16 bytes at 0x40 hits memory that is not allocated") {
		t.Errorf("expected a fault, got %v", b.w.Fault)
	}
}
