package emu

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// bufferFormat converts between registers and the components of a typed buffer (source: GCN3 ISA manual, Buffer Data Formats).
type bufferFormat struct {
	components int  // registers a lane moves
	d16        bool // registers hold 16-bit values in their low half
	typed      bool // MTBUF: the instruction names the format; else the descriptor does
	data, num  uint8
}

// dataFormats lists the widths of a data format's components from the lowest bit up.
var dataFormats = [16][]uint8{
	1: {8}, 2: {16}, 3: {8, 8}, 4: {32}, 5: {16, 16}, 6: {11, 11, 10}, 7: {10, 11, 11}, 8: {2, 10, 10, 10}, 9: {10, 10, 10, 2},
	10: {8, 8, 8, 8}, 11: {32, 32}, 12: {16, 16, 16, 16}, 13: {32, 32, 32}, 14: {32, 32, 32, 32},
}

// Number formats.
const (
	numUNorm = iota
	numSNorm
	numUScaled
	numSScaled
	numUInt
	numSInt
	numSNormOGL
	numFloat
)

func (m *memOp) bindFormat(op *Op, name string) error {
	rest, d16 := strings.CutPrefix(strings.TrimPrefix(name, "format_"), "d16_")
	n := len(rest)
	if n < 1 || n > 4 || rest != "xyzw"[:n] {
		return fmt.Errorf("no buffer access of format %q exists", name)
	}
	m.format = &bufferFormat{components: n, d16: d16, typed: isTyped(&op.Inst), data: op.Inst.Mem.DFmt, num: op.Inst.Mem.NFmt}
	m.dwords, m.bytes = uint8(n), uint8(4*n)
	return nil
}

// resolve returns data and number format and the selectors of the four results: 0 zero, 1 one, 4 to 7 a component.
func (f *bufferFormat) resolve(word3 uint32) (data, num uint8, selectors [4]uint8) {
	if f.typed {
		return f.data & 15, f.num & 7, [4]uint8{4, 5, 6, 7}
	}
	for i := range selectors {
		selectors[i] = uint8(word3 >> (3 * i) & 7)
	}
	return uint8(word3 >> 15 & 15), uint8(word3 >> 12 & 7), selectors
}

// begin puts the format of this access into it: bytes a lane, and the descriptor's word for Perform.
func (f *bufferFormat) begin(w *Wavefront, op *Op, a *MemoryAccess, word3 uint32) bool {
	data, _, _ := f.resolve(word3)
	total := 0
	for _, width := range dataFormats[data] {
		total += int(width)
	}
	if total == 0 {
		w.Fail(op, "data format %d is not a buffer format", data)
		return false
	}
	a.Bytes, a.Format = uint8(total/8), word3
	return true
}

// field extracts width bits at bit of little-endian bytes; fields never cross more than five bytes.
func bitField(b []byte, bit, width int) uint32 {
	var buffer [24]byte
	copy(buffer[:], b)
	x := binary.LittleEndian.Uint64(buffer[bit/8:]) >> (bit % 8)
	return uint32(x & (1<<width - 1))
}

// decode turns a component into a register value: a float for normalised, scaled and float formats, else an integer.
func decode(raw uint32, width int, num uint8) uint32 {
	signed := int32(raw<<(32-width)) >> (32 - width)
	largest := float64(uint64(1)<<(width-1) - 1)
	switch num {
	case numUNorm:
		return math.Float32bits(float32(float64(raw) / float64(uint64(1)<<width-1)))
	case numSNorm:
		return math.Float32bits(float32(max(-1, float64(signed)/max(largest, 1))))
	case numSNormOGL:
		return math.Float32bits(float32((2*float64(signed) + 1) / float64(uint64(1)<<width-1)))
	case numUScaled:
		return math.Float32bits(float32(raw))
	case numSScaled:
		return math.Float32bits(float32(signed))
	case numSInt:
		return uint32(signed)
	case numFloat:
		return floatOfWidth(raw, width)
	}
	return raw
}

// floatOfWidth widens a float of 32, 16, 11 or 10 bits; the last two have no sign, 5 exponent bits and 6 or 5 fraction bits.
func floatOfWidth(raw uint32, width int) uint32 {
	switch width {
	case 32:
		return raw
	case 16:
		return math.Float32bits(halfToFloat(uint16(raw)))
	case 11:
		return math.Float32bits(halfToFloat(uint16(raw << 4)))
	case 10:
		return math.Float32bits(halfToFloat(uint16(raw << 5)))
	}
	return 0
}

// encode is decode's inverse, rounding to nearest even and saturating.
func encode(value uint32, width int, num uint8) uint32 {
	mask := uint32(1<<width - 1)
	f := float64(math.Float32frombits(value))
	if f != f {
		f = 0
	}
	limit := float64(uint64(1)<<(width-1) - 1)
	switch num {
	case numUNorm:
		return uint32(math.RoundToEven(min(max(f, 0), 1) * float64(mask)))
	case numSNorm, numSNormOGL:
		return uint32(int32(math.RoundToEven(min(max(f, -1), 1)*max(limit, 1)))) & mask
	case numUScaled:
		return uint32(min(max(math.RoundToEven(f), 0), float64(mask)))
	case numSScaled:
		return uint32(int32(min(max(math.RoundToEven(f), -limit-1), limit))) & mask
	case numUInt:
		return min(value, mask)
	case numSInt:
		return uint32(min(max(int64(int32(value)), -int64(limit)-1), int64(limit))) & mask
	}
	switch width {
	case 32:
		return value
	case 16:
		return uint32(floatToHalf(math.Float32frombits(value)))
	case 10, 11:
		return smallFloatOf(math.Float32frombits(value), width-5)
	}
	return 0 // there are no floats of 8 or 2 bits
}

// smallFloatOf narrows to the unsigned floats of packed formats, 5 exponent bits and the given fraction bits, towards 0. Negative
// values become 0.
func smallFloatOf(f float32, fraction int) uint32 {
	infinite := uint32(31) << fraction
	switch b := math.Float32bits(f); {
	case f != f:
		return infinite | 1<<(fraction-1)
	case b>>31 != 0:
		return 0
	case b == 0x7f800000:
		return infinite
	case b >= 0x38800000: // normal
		return min((b-112<<23)>>(23-fraction), infinite-1)
	}
	return uint32(float64(f) * math.Exp2(float64(14+fraction)))
}

// narrow turns a register value into what a d16 instruction keeps, widen does the reverse.
func narrow(x uint32, num uint8) uint32 {
	if num == numUInt || num == numSInt {
		return x & 0xffff
	}
	return uint32(floatToHalf(math.Float32frombits(x)))
}

func widen(x uint32, num uint8) uint32 {
	switch num {
	case numUInt:
		return x & 0xffff
	case numSInt:
		return uint32(int32(int16(x)))
	}
	return math.Float32bits(halfToFloat(uint16(x)))
}

// performFormatLoad loads and converts; components that the format lacks are 0, the fourth 1.
func performFormatLoad(w *Wavefront, op *Op, a *MemoryAccess) {
	m, f := op.mem, op.mem.format
	data, num, selectors := f.resolve(a.Format)
	one := math.Float32bits(1)
	if num == numUInt || num == numSInt {
		one = 1
	}
	if !m.toLDS {
		m.zero(w, a.ZeroMask, m.results())
	}
	for mask := a.Mask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		var raw [16]byte
		for i := 0; i < int(a.Bytes); i += 4 {
			n := min(4, int(a.Bytes)-i)
			at := a.DwordAddress(lane, i/4)
			if err := w.Launch.Memory.Load(w.Now, at, raw[i:i+n]); err != nil {
				w.FailLane(op, lane, at, "%v", err)
				return
			}
		}
		component := [4]uint32{0, 0, 0, one}
		bit := 0
		for i, width := range dataFormats[data] {
			component[i] = decode(bitField(raw[:], bit, int(width)), int(width), num)
			bit += int(width)
		}
		for i := range f.components {
			x := uint32(0)
			switch s := selectors[i]; {
			case s == 1:
				x = one
			case s >= 4:
				x = component[s-4]
			}
			if f.d16 {
				x = narrow(x, num)
			}
			if m.toLDS {
				if b := w.localBytes(op, lane, m.ldsAddress(w, lane), 4); b != nil {
					binary.LittleEndian.PutUint32(b, x)
				}
				continue
			}
			w.V[(m.dst+i)*64+lane] = x
		}
	}
	if m.tfe && !m.toLDS {
		clearStatus(w, m.dst+int(m.dwords), a.Mask)
	}
}

// pack converts the data of a format store at issue into the bytes to be written; components that the instruction lacks are 0.
func (f *bufferFormat) pack(w *Wavefront, m *memOp, a *MemoryAccess) {
	data, num, _ := f.resolve(a.Format)
	for mask := a.Mask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		for i := range a.Data {
			a.Data[i][lane] = 0
		}
		bit := 0
		for i, width := range dataFormats[data] {
			if i < f.components {
				x := w.V[(m.data+i)*64+lane]
				if f.d16 {
					x = widen(x, num)
				}
				a.Data[bit/32][lane] |= encode(x, int(width), num) << (bit % 32)
			}
			bit += int(width)
		}
	}
}

func performFormatStore(w *Wavefront, op *Op, a *MemoryAccess) {
	for mask := a.Mask; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros64(mask)
		for i := 0; i < int(a.Bytes); i += 4 {
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], a.Data[i/4][lane])
			at := a.DwordAddress(lane, i/4)
			if err := w.Launch.Memory.Store(w.Now, at, b[:min(4, int(a.Bytes)-i)]); err != nil {
				w.FailLane(op, lane, at, "%v", err)
				return
			}
		}
	}
}

// halfToFloat widens an IEEE half exactly.
func halfToFloat(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&0x3ff)
	switch exponent {
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	case 0:
		f := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(f) | sign)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// floatToHalf narrows to nearest even; values beyond the range become infinite.
func floatToHalf(f float32) uint16 {
	b := math.Float32bits(f)
	sign, magnitude := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case magnitude > 0x7f800000:
		return sign | 0x7e00 | uint16(magnitude>>13&0x1ff)
	case magnitude >= 0x477ff000: // 65520 and above round to infinity
		return sign | 0x7c00
	case magnitude >= 0x38800000: // normal halves
		magnitude -= 112 << 23
		return sign | uint16((magnitude+0xfff+magnitude>>13&1)>>13)
	}
	scaled := float64(math.Float32frombits(magnitude)) * (1 << 24)
	return sign | uint16(math.RoundToEven(scaled))
}
