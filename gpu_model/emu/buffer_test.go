package emu

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// addressing is one combination of a buffer instruction's address fields.
type addressing struct {
	name            string
	offEn, idxEn    bool
	stride, records uint32
	word3           uint32
	swizzle         bool
	soffset         uint32
}

const instOffset = 12

// elements 4 bytes, 64 lanes, the thread added: the private segment's layout.
const scratchWord3 = 1<<19 | 3<<21 | 1<<23

var addressings = []addressing{
	{name: "raw", offEn: true, records: bufferBytes - 512},
	{name: "raw with soffset", offEn: true, records: bufferBytes - 512, soffset: 256},
	{name: "structured", offEn: true, idxEn: true, stride: 48, records: bufferBytes - 512},
	{name: "index only", idxEn: true, stride: 64, records: bufferBytes - 512},
	{name: "neither", records: bufferBytes},
	{name: "swizzled", offEn: true, idxEn: true, stride: 64, records: 100, word3: 1<<19 | 1<<21, swizzle: true},
	{name: "scratch", offEn: true, records: 64, word3: scratchWord3, swizzle: true},
}

// place computes where a lane's i-th dword lies, or that the access of n bytes is out of range; written from the manual's formulas.
func (a *addressing) place(index, offset, lane uint32, n, i int) (int, bool) {
	if a.word3>>23&1 != 0 {
		index += lane
	}
	if !a.swizzle {
		at := int(index)*int(a.stride) + int(offset)
		return at + int(a.soffset) + 4*i, at+n+int(a.soffset) <= int(a.records)
	}
	elementBytes, indexStride := 2<<(a.word3>>19&3), 8<<(a.word3>>21&3)
	inRange := int(offset)+n <= int(a.records)
	if a.stride != 0 {
		inRange = index < a.records && int(offset)+n <= int(a.stride)
	}
	o := int(offset) + 4*i
	at := (int(index)/indexStride*int(a.stride)+o/elementBytes*elementBytes)*indexStride + int(index)%indexStride*elementBytes + o%elementBytes
	return at + int(a.soffset), inRange
}

// setUp fills descriptor and address registers and returns every lane's index and offset.
func (a *addressing) setUp(b *bench) (index, offset [64]uint32) {
	b.describe(8, b.buffer, a.stride, a.records, a.word3, a.swizzle)
	b.w.S[20] = a.soffset
	for lane := range 64 {
		offset[lane] = instOffset
		r := 4
		if a.idxEn {
			index[lane] = uint32(b.r.Intn(100))
			if lane == 40 {
				index[lane] = 5000
			}
			b.w.V[r*64+lane] = index[lane]
			r++
		}
		if a.offEn {
			x := uint32(b.r.Intn(8) * 4)
			if !a.idxEn && !a.swizzle {
				x = uint32(b.r.Intn(bufferBytes/4) * 4)
			}
			b.w.V[r*64+lane] = x
			offset[lane] += x
		}
	}
	return index, offset
}

func (a *addressing) fields(in *isa.Inst, data int) {
	in.Mem.Addr, in.Mem.Base, in.Mem.SOff, in.Mem.Offset = v(4), 8, 20, instOffset
	in.Mem.OffEn, in.Mem.IdxEn = a.offEn, a.idxEn
	in.Mem.Data, in.Dst = v(data), v(data)
}

func TestBufferLoads(t *testing.T) {
	for _, shape := range []string{"ubyte", "sbyte", "ushort", "sshort", "dword", "dwordx2", "dwordx3", "dwordx4"} {
		name := "buffer_load_" + shape
		covers(name)
		n := sizeOf(name)
		for _, a := range addressings {
			b := newBench(t)
			content := b.content()
			op := b.op(name, isa.MUBUF, func(in *isa.Inst) { a.fields(in, 8) })
			for _, exec := range b.masks() {
				index, offset := a.setUp(b)
				before := append([]uint32(nil), b.w.V...)
				b.w.SetExec(exec)
				b.ok(op)
				for lane := range 64 {
					registers := max(1, n/4)
					want := b.registers(before, 8, registers, lane)
					if exec>>lane&1 != 0 {
						raw := make([]byte, n)
						for i := range registers {
							if at, ok := a.place(index[lane], offset[lane], uint32(lane), n, i); ok {
								copy(raw[4*i:], content[at:])
							}
						}
						want = extend(name, raw)
					}
					if got := b.registers(b.w.V, 8, registers, lane); !bytes.Equal(got, want) {
						t.Fatalf("%s, %s, exec 0x%x, lane %d (index %d, offset %d): expected % x, got % x", name, a.name, exec, lane,
							index[lane], offset[lane], want, got)
					}
				}
			}
		}
	}
}

func TestBufferStores(t *testing.T) {
	for _, shape := range []string{"byte", "short", "dword", "dwordx2", "dwordx3", "dwordx4"} {
		name := "buffer_store_" + shape
		covers(name)
		n := sizeOf(name)
		for _, a := range addressings {
			b := newBench(t)
			op := b.op(name, isa.MUBUF, func(in *isa.Inst) { a.fields(in, 8) })
			for _, exec := range b.masks() {
				index, offset := a.setUp(b)
				want := b.content()
				for lane := range 64 {
					data := b.registers(b.w.V, 8, max(1, n/4), lane)
					for i := 0; 4*i < n && exec>>lane&1 != 0; i++ {
						if at, ok := a.place(index[lane], offset[lane], uint32(lane), n, i); ok {
							copy(want[at:], data[4*i:min(n, 4*i+4)])
						}
					}
				}
				b.w.SetExec(exec)
				b.ok(op)
				if !bytes.Equal(b.content(), want) {
					t.Fatalf("%s, %s, exec 0x%x: memory differs", name, a.name, exec)
				}
			}
		}
	}
}

func TestBufferAtomics(t *testing.T) {
	for _, name := range atomicNames {
		for _, n := range []int{4, 8} {
			for _, glc := range []bool{false, true} {
				full := "buffer_atomic_" + name
				if n == 8 {
					full += "_x2"
				}
				covers(full)
				b := newBench(t)
				op := b.op(full, isa.MUBUF, func(in *isa.Inst) {
					in.Mem.Addr, in.Mem.Base, in.Mem.SOff, in.Mem.OffEn, in.Mem.Glc = v(2), 8, 128, true, glc
					in.Mem.Data, in.Dst = v(8), v(8)
				})
				b.describe(8, b.buffer, 0, bufferBytes, 0, false)
				// checkAtomic puts 64-bit addresses into v[4:5]; the buffer wants their distance from its base.
				inner := op.Address
				op.Address = func(w *Wavefront, op *Op) {
					for lane := range 64 {
						w.V[2*64+lane] = w.V[4*64+lane] - uint32(b.buffer)
					}
					inner(w, op)
				}
				b.checkAtomic(op, name, n, glc, 8)
			}
		}
	}
	b := newBench(t)
	b.describe(8, b.buffer, 0, 0, 0, false)
	before := b.content()
	b.ok(b.op("buffer_atomic_add", isa.MUBUF, func(in *isa.Inst) {
		in.Mem.Base, in.Mem.SOff, in.Mem.Glc, in.Mem.Data, in.Dst = 8, 128, true, v(8), v(8)
	}))
	if !bytes.Equal(b.content(), before) || b.w.V[8*64+3] != 0 {
		t.Error("expected an atomic out of the buffer's range to return 0 and change nothing")
	}
}

// TestBufferToLDS loads with the lds bit.
func TestBufferToLDS(t *testing.T) {
	b := newBench(t)
	b.describe(8, b.buffer, 0, bufferBytes, 0, false)
	content := b.content()
	b.w.S[124] = 512
	op := b.op("buffer_load_sbyte", isa.MUBUF, func(in *isa.Inst) {
		in.Mem.Addr, in.Mem.OffEn, in.Mem.Base, in.Mem.SOff, in.Mem.Lds, in.Mem.Offset = v(4), true, 8, 128, true, 8
	})
	for lane := range 64 {
		b.w.V[4*64+lane] = uint32(lane * 3)
	}
	b.w.SetExec(^uint64(0) &^ 2)
	before := b.lds()
	b.ok(op)
	for lane := range 64 {
		at := 520 + 4*lane
		want := extend("sbyte", content[8+lane*3:][:1])
		if lane == 1 {
			want = before[at : at+4]
		}
		if got := b.w.Group.LDS[at : at+4]; !bytes.Equal(got, want) {
			t.Errorf("lane %d: expected % x, got % x", lane, want, got)
		}
	}
}

// TestBufferStoreFromLDS stores a dword of the LDS a lane, each at its own index: the descriptor adds the lane's number.
func TestBufferStoreFromLDS(t *testing.T) {
	covers("buffer_store_lds_dword")
	b := newBench(t)
	b.describe(8, b.buffer, 4, bufferBytes, 0, false)
	b.w.S[11] = 1 << 23 // the lane's number counts as an index; bits 18 to 15 are the stride's upper bits then
	b.w.S[124] = 512
	op := b.op("buffer_store_lds_dword", isa.MUBUF, func(in *isa.Inst) {
		in.Mem.Base, in.Mem.SOff, in.Mem.Lds, in.Mem.Offset = 8, 128, true, 16
	})
	b.w.SetExec(^uint64(0) &^ 2)
	before := b.content()
	b.ok(op)
	after := b.content()
	for lane := range 64 {
		at := 16 + 4*lane
		want := b.w.Group.LDS[512+at : 512+at+4]
		if lane == 1 {
			want = before[at : at+4]
		}
		if got := after[at : at+4]; !bytes.Equal(got, want) {
			t.Errorf("lane %d: expected % x, got % x", lane, want, got)
		}
	}
}

// component returns what a component of raw bits is worth, by the manual's table of number formats.
func component(raw uint64, width int, num int) float64 {
	signed := float64(int64(raw<<(64-width)) >> (64 - width))
	full := math.Exp2(float64(width))
	switch num {
	case 0:
		return float64(raw) / (full - 1)
	case 1:
		return max(-1, signed/(full/2-1))
	case 2, 4:
		return float64(raw)
	case 3, 5:
		return signed
	case 6:
		return (2*signed + 1) / (full - 1)
	}
	return smallFloat(raw, width)
}

// smallFloat evaluates IEEE-like floats by their definition: 5 exponent bits for 16, 11 and 10 bits, no sign for the last two.
func smallFloat(raw uint64, width int) float64 {
	if width == 32 {
		return float64(math.Float32frombits(uint32(raw)))
	}
	fraction, sign := width-5, 1.0
	if width == 16 {
		fraction = 10
		if raw>>15 != 0 {
			sign = -1
		}
	}
	e, f := int(raw>>fraction&31), float64(raw&(1<<fraction-1))/math.Exp2(float64(fraction))
	switch e {
	case 0:
		return sign * math.Ldexp(f, -14)
	case 31:
		if f != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1+f, e-15)
}

// formats are data formats with the widths of their components from the lowest bit, by the manual's table.
var formats = map[int][]int{1: {8}, 2: {16}, 3: {8, 8}, 4: {32}, 5: {16, 16}, 6: {11, 11, 10}, 7: {10, 11, 11}, 8: {2, 10, 10, 10},
	9: {10, 10, 10, 2}, 10: {8, 8, 8, 8}, 11: {32, 32}, 12: {16, 16, 16, 16}, 13: {32, 32, 32}, 14: {32, 32, 32, 32}}

// floats tells which data formats have float components.
func formatExists(data, num int) bool {
	widths := formats[data]
	if num == 7 {
		return widths[0] != 8 && widths[0] != 2 && !(widths[0] == 10 && widths[1] == 10)
	}
	return widths[0] != 32 || num == 4 || num == 5 // 32-bit components are integers or floats
}

func TestFormatLoads(t *testing.T) {
	const x, y, z, one = 4, 5, 6, 1
	for _, typed := range []bool{false, true} {
		for _, d16 := range []bool{false, true} {
			for components := 1; components <= 4; components++ {
				name := formatName("load", typed, d16, components)
				format := isa.MUBUF
				if typed {
					format = isa.MTBUF
				}
				for data, widths := range formats {
					for num := range 8 {
						if !formatExists(data, num) {
							continue
						}
						b := newBench(t)
						selectors := []int{y, x, one, z}
						word3 := uint32(y|x<<3|one<<6|z<<9) | uint32(num)<<12 | uint32(data)<<15
						op := b.op(name, format, func(in *isa.Inst) {
							in.Mem.Addr, in.Mem.OffEn, in.Mem.Base, in.Mem.SOff = v(4), true, 8, 128
							in.Mem.Data, in.Dst, in.Mem.DFmt, in.Mem.NFmt = v(8), v(8), uint8(data), uint8(num)
						})
						if typed {
							selectors, word3 = []int{4, 5, 6, 7}, 0
						}
						b.describe(8, b.buffer, 0, bufferBytes, word3, false)
						content := b.content()
						for lane := range 64 {
							b.w.V[4*64+lane] = uint32(lane * 16)
						}
						b.ok(op)
						for lane := range 64 {
							values := [4]float64{0, 0, 0, 1}
							bit := 0
							for i, width := range widths {
								values[i] = component(bitsOf(content[lane*16:], bit, width), width, num)
								bit += width
							}
							for i := range components {
								var want float64
								switch s := selectors[i]; {
								case s == one:
									want = 1
								default:
									want = values[s-4]
								}
								checkComponent(t, name, data, num, d16, b.w.V[(8+i)*64+lane], want)
							}
						}
					}
				}
				covers(name)
			}
		}
	}
}

func formatName(kind string, typed, d16 bool, components int) string {
	name := "buffer_" + kind + "_format_"
	if typed {
		name = "t" + name
	}
	if d16 {
		name += "d16_"
	}
	return name + "xyzw"[:components]
}

func bitsOf(b []byte, bit, width int) (x uint64) {
	for i := range width {
		x |= uint64(b[(bit+i)/8]>>((bit+i)%8)&1) << i
	}
	return x
}

func checkComponent(t *testing.T, name string, data, num int, d16 bool, got uint32, want float64) {
	t.Helper()
	var value float64
	switch {
	case num == 4 && d16:
		if got != uint32(uint64(want))&0xffff {
			t.Fatalf("%s, formats %d and %d: expected the low half of %v, got 0x%x", name, data, num, want, got)
		}
		return
	case num == 5 && d16:
		if got != uint32(int64(want))&0xffff {
			t.Fatalf("%s, formats %d and %d: expected the low half of %v, got 0x%x", name, data, num, want, got)
		}
		return
	case num == 4:
		value = float64(got)
	case num == 5:
		value = float64(int32(got))
	case d16:
		value = smallFloat(uint64(got), 16)
		if math.Abs(want) >= 65520 {
			want = math.Copysign(math.Inf(1), want)
		}
		if math.IsNaN(want) != math.IsNaN(value) || math.Abs(value-want) > max(math.Abs(want)/2048, 0x1p-25) {
			t.Fatalf("%s, formats %d and %d: expected the half nearest to %v, got %v", name, data, num, want, value)
		}
		return
	default:
		value, want = float64(math.Float32frombits(got)), float64(float32(want))
	}
	if value != want && !(math.IsNaN(value) && math.IsNaN(want)) {
		t.Fatalf("%s, formats %d and %d: expected %v, got %v", name, data, num, want, value)
	}
}

// TestFormatStores stores values that the format holds exactly and others, and checks that what is written is the nearest value.
func TestFormatStores(t *testing.T) {
	for _, typed := range []bool{false, true} {
		for _, d16 := range []bool{false, true} {
			for components := 1; components <= 4; components++ {
				name := formatName("store", typed, d16, components)
				format := isa.MUBUF
				if typed {
					format = isa.MTBUF
				}
				for data, widths := range formats {
					for num := range 8 {
						if formatExists(data, num) {
							checkFormatStore(t, name, format, data, num, widths, components, d16)
						}
					}
				}
				covers(name)
			}
		}
	}
}

func checkFormatStore(t *testing.T, name string, format isa.Format, data, num int, widths []int, components int, d16 bool) {
	t.Helper()
	b := newBench(t)
	b.describe(8, b.buffer, 0, bufferBytes, uint32(4|5<<3|6<<6|7<<9)|uint32(num)<<12|uint32(data)<<15, false)
	op := b.op(name, format, func(in *isa.Inst) {
		in.Mem.Addr, in.Mem.OffEn, in.Mem.Base, in.Mem.SOff = v(4), true, 8, 128
		in.Mem.Data, in.Dst, in.Mem.DFmt, in.Mem.NFmt = v(8), v(8), uint8(data), uint8(num)
	})
	var values [64][4]float64
	for lane := range 64 {
		b.w.V[4*64+lane] = uint32(lane * 16)
		for i := range 4 {
			var register uint32
			switch {
			case num == 4 || num == 5:
				register = b.r.Uint32() >> b.r.Intn(32)
				values[lane][i] = float64(register)
				if num == 5 {
					values[lane][i] = float64(int32(register))
				}
				if d16 {
					register &= 0xffff
					values[lane][i] = float64(register)
					if num == 5 {
						values[lane][i] = float64(int16(register))
					}
				}
			case d16:
				register = uint32(b.r.Intn(0x7c00) | b.r.Intn(2)<<15)
				values[lane][i] = smallFloat(uint64(register), 16)
			default:
				f := float32(b.r.NormFloat64())
				if num == 2 || num == 3 {
					f *= 300
				}
				register = math.Float32bits(f)
				values[lane][i] = float64(f)
			}
			b.w.V[(8+i)*64+lane] = register
		}
	}
	before := b.content()
	b.ok(op)
	content := b.content()
	total := 0
	for _, width := range widths {
		total += width
	}
	for lane := range 64 {
		at := lane * 16
		if !bytes.Equal(content[at+total/8:at+16], before[at+total/8:at+16]) {
			t.Fatalf("%s, formats %d and %d: bytes behind the element changed", name, data, num)
		}
		bit := 0
		for i, width := range widths {
			raw := bitsOf(content[at:], bit, width)
			bit += width
			if i >= components {
				if raw != 0 {
					t.Fatalf("%s, formats %d and %d: component %d must be 0, got 0x%x", name, data, num, i, raw)
				}
				continue
			}
			checkStored(t, name, data, num, width, raw, values[lane][i])
		}
	}
}

// checkStored checks that no neighbouring code of the format is nearer to the value than raw.
func checkStored(t *testing.T, name string, data, num, width int, raw uint64, value float64) {
	t.Helper()
	if num == 6 {
		num = 1 // written as the ordinary signed normalised format
	}
	mask := uint64(1)<<width - 1
	if num == 7 && width == 32 {
		if float64(math.Float32frombits(uint32(raw))) != value {
			t.Fatalf("%s, formats %d and %d: expected %v, got 0x%x", name, data, num, value, raw)
		}
		return
	}
	if num == 7 && width < 16 { // no sign, and rounded towards 0
		got := smallFloat(raw, width)
		if next := smallFloat(raw+1, width); value > 0 && (got > value || next <= value*(1-0x1p-11)) || value <= 0 && got != 0 {
			t.Fatalf("%s, formats %d and %d: %v was stored as %v", name, data, num, value, got)
		}
		return
	}
	distance := func(r uint64) float64 { return math.Abs(component(r&mask, width, num) - value) }
	for _, other := range []uint64{raw + 1, raw - 1} {
		if d := distance(other); d < distance(raw)*(1-1e-6) && !math.IsInf(component(other&mask, width, num), 0) {
			t.Fatalf("%s, formats %d and %d, %d bits: %v was stored as 0x%x = %v, 0x%x = %v is nearer", name, data, num, width, value,
				raw, component(raw, width, num), other&mask, component(other&mask, width, num))
		}
	}
}

func TestBufferFaults(t *testing.T) {
	b := newBench(t)
	b.describe(8, b.buffer, 0, bufferBytes, 0, false)
	b.run(b.op("buffer_load_format_x", isa.MUBUF, func(in *isa.Inst) {
		in.Mem.Base, in.Mem.SOff, in.Mem.Data, in.Dst = 8, 128, v(8), v(8)
	}))
	if b.w.Fault == nil || !strings.Contains(b.w.Fault.Error(), "data format 0 is not a buffer format") {
		t.Errorf("expected a fault about the format, got %v", b.w.Fault)
	}
	b = newBench(t)
	b.describe(8, b.buffer+bufferBytes, 0, 4096, 0, false)
	b.run(b.op("buffer_load_dword", isa.MUBUF, func(in *isa.Inst) { in.Mem.Base, in.Mem.SOff, in.Dst, in.Mem.Data = 8, 128, v(8), v(8) }))
	if b.w.Fault == nil || !strings.Contains(b.w.Fault.Error(), "hits memory that is not allocated") {
		t.Errorf("expected a fault, got %v", b.w.Fault)
	}
	op := &Op{Inst: isa.Inst{Op: isa.OpcodeByName("buffer_load_dword"), Format: isa.MUBUF}}
	op.Inst.Mem.SOff, op.Inst.Mem.Data, op.Inst.Dst = 240, v(0), v(0)
	if err := bindMemory(op); err == nil || !strings.Contains(err.Error(), "operand soffset") {
		t.Errorf("expected a float soffset to be refused, got %v", err)
	}
}
