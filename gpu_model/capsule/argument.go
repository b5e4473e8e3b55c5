package capsule

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
)

// ArgumentSyntax describes what ParseArgument reads.
const ArgumentSyntax = `  i8: u8: i16: u16: i32: u32: i64: u64:NUMBER   an integer by value, decimal or 0x…
  f16: f32: f64:NUMBER                         a floating-point number by value
  hex:BYTES                                    any value as its bytes, lowest address first (vectors, structs)
  buffer:FILE                                  a device buffer with the file's contents (.npy: the array's)
  zeros:BYTES                                  a device buffer of zeros
  local:BYTES                                  a pointer to that much local memory
  NAME=… before any of these names the buffer's region; the kernel's metadata does otherwise`

// Argument is one argument of a launch to be recorded.
type Argument struct {
	Name    string // of the region of a buffer; may be empty
	Value   []byte // by value
	Buffer  bool
	Content []byte // of a buffer; nil: zeros
	Bytes   uint64 // of a buffer or of local memory
	Local   bool
}

// ParseArgument reads one argument in ArgumentSyntax.
func ParseArgument(text string) (Argument, error) {
	var a Argument
	name, rest, named := strings.Cut(text, "=")
	if named && !strings.Contains(name, ":") {
		a.Name = name
	} else {
		rest = text
	}
	kind, value, ok := strings.Cut(rest, ":")
	if !ok {
		return a, fmt.Errorf("argument %q: expected KIND:VALUE, such as i32:100 or buffer:x.bin", text)
	}
	if err := a.parse(kind, value); err != nil {
		return a, fmt.Errorf("argument %q: %w", text, err)
	}
	return a, nil
}

func (a *Argument) parse(kind, value string) (err error) {
	switch kind {
	case "buffer":
		a.Buffer = true
		if a.Content, err = readArray(value); err != nil {
			return err
		}
		if a.Bytes = uint64(len(a.Content)); a.Bytes == 0 {
			return fmt.Errorf("the file is empty")
		}
	case "zeros", "local":
		a.Buffer, a.Local = kind == "zeros", kind == "local"
		if a.Bytes, err = strconv.ParseUint(value, 0, 64); err != nil || a.Bytes == 0 || a.Bytes > maxRegionBytes {
			return fmt.Errorf("expected a number of bytes from 1 to %d", uint64(maxRegionBytes))
		}
	case "hex":
		if a.Value, err = hex.DecodeString(value); err != nil || len(a.Value) == 0 {
			return fmt.Errorf("expected an even number of hexadecimal digits")
		}
	case "f16", "f32", "f64":
		return a.parseFloat(kind, value)
	case "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64":
		return a.parseInteger(kind, value)
	default:
		return fmt.Errorf("expected a kind among i8 … u64, f16, f32, f64, hex, buffer, zeros and local, got %q", kind)
	}
	return nil
}

func (a *Argument) parseInteger(kind, value string) error {
	bits, _ := strconv.Atoi(kind[1:])
	x, ok := new(big.Int).SetString(value, 0)
	if !ok {
		return fmt.Errorf("expected an integer")
	}
	one := big.NewInt(1)
	low, high := new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(one, uint(bits)), one)
	if kind[0] == 'i' {
		high.Rsh(high, 1)
		low.Not(high)
	}
	if x.Cmp(low) < 0 || x.Cmp(high) > 0 {
		return fmt.Errorf("expected a number from %v to %v", low, high)
	}
	a.Value = binary.LittleEndian.AppendUint64(nil, x.Uint64())[:bits/8]
	if x.Sign() < 0 {
		a.Value = binary.LittleEndian.AppendUint64(nil, uint64(x.Int64()))[:bits/8]
	}
	return nil
}

func (a *Argument) parseFloat(kind, value string) error {
	x, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return fmt.Errorf("expected a floating-point number")
	}
	switch kind {
	case "f64":
		a.Value = binary.LittleEndian.AppendUint64(nil, math.Float64bits(x))
	case "f32":
		a.Value = binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(x)))
	default:
		half, err := half(x)
		if err != nil {
			return err
		}
		a.Value = binary.LittleEndian.AppendUint16(nil, half)
	}
	return nil
}

// half returns the f16 of a number that has one.
func half(x float64) (uint16, error) {
	sign := uint16(math.Float64bits(x) >> 48 & 0x8000)
	switch m := math.Abs(x); {
	case math.IsNaN(x):
		return 0x7e00, nil
	case math.IsInf(x, 0):
		return sign | 0x7c00, nil
	case m == 0:
		return sign, nil
	case m < 0x1p-14 && m == math.Trunc(m*0x1p24)*0x1p-24:
		return sign | uint16(m*0x1p24), nil
	case m < 65536:
		fraction, exponent := math.Frexp(m)
		if scaled := fraction * 2048; exponent >= -13 && scaled == math.Trunc(scaled) {
			return sign | uint16(exponent+14)<<10 | uint16(scaled)&0x3ff, nil
		}
	}
	return 0, fmt.Errorf("%g is no f16 number; give its bytes with hex: to choose a rounding", x)
}

// readArray reads a file of raw bytes, or the array of an .npy file (source: NumPy, NEP 1).
func readArray(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil || !strings.HasSuffix(file, ".npy") {
		return b, err
	}
	bad := fmt.Errorf("%s is no .npy file of version 1 to 3", file)
	if len(b) < 12 || string(b[:6]) != "\x93NUMPY" {
		return nil, bad
	}
	header := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	if b[6] >= 2 {
		header = 12 + int(binary.LittleEndian.Uint32(b[8:]))
	}
	if b[6] < 1 || b[6] > 3 || header > len(b) {
		return nil, bad
	}
	if strings.Contains(string(b[10:header]), "'fortran_order': True") {
		return nil, fmt.Errorf("%s holds an array in Fortran order; save numpy.ascontiguousarray of it", file)
	}
	return b[header:], nil
}
