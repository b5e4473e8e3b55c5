package capsule

import (
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseArgument(t *testing.T) {
	for text, want := range map[string]string{
		"i8:-1": "ff", "u8:255": "ff", "i16:-32768": "0080", "u16:0xabcd": "cdab", "i32:-2": "feffffff", "u32:4294967295": "ffffffff",
		"i64:-9223372036854775808": "0000000000000080", "u64:18446744073709551615": "ffffffffffffffff",
		"f16:1": "003c", "f16:-0": "0080", "f16:65504": "ff7b", "f16:0x1p-24": "0100", "f16:0x3ffp-24": "ff03", "f16:0x1p-14": "0004", "f16:-inf": "00fc",
		"f32:1.5": "0000c03f", "f64:-2": "00000000000000c0", "hex:01020304": "01020304", "n=i32:7": "07000000",
	} {
		a, err := ParseArgument(text)
		if got := hex.EncodeToString(a.Value); err != nil || got != want {
			t.Errorf("%s: expected %s, got %s, %v", text, want, got, err)
		}
	}
	for text, want := range map[string]string{
		"5": "expected KIND:VALUE", "i8:128": "from -128 to 127", "u8:-1": "from 0 to 255", "u64:18446744073709551616": "from 0 to", "i32:x": "expected an integer",
		"f16:2049": "no f16 number", "f16:65536": "no f16 number", "f16:0x1p-25": "no f16 number", "hex:0": "hexadecimal", "zeros:0": "number of bytes",
		"local:-1": "number of bytes", "buffer:/none": "no such file", "x:1": "expected a kind",
	} {
		if _, err := ParseArgument(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected an error with %q, got %v", text, want, err)
		}
	}
}

// TestHalf checks all f16 numbers against their definition.
func TestHalf(t *testing.T) {
	for bits := range uint16(0x7c00) {
		exponent, fraction := int(bits>>10), float64(bits&0x3ff)
		x := math.Ldexp(fraction, -24)
		if exponent != 0 {
			x = math.Ldexp(1024+fraction, exponent-25)
		}
		if got, err := half(x); err != nil || got != bits {
			t.Fatalf("%g: expected 0x%04x, got 0x%04x, %v", x, bits, got, err)
		}
	}
}

func TestReadArray(t *testing.T) {
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n"
	write := func(content string) string {
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	v1 := "\x93NUMPY\x01\x00" + string(rune(len(header))) + "\x00" + header
	v2 := "\x93NUMPY\x02\x00" + string(rune(len(header))) + "\x00\x00\x00" + header
	for _, content := range []string{v1, v2} {
		if b, err := readArray(write(content + "12345678")); err != nil || string(b) != "12345678" {
			t.Errorf("expected the array's bytes, got %q, %v", b, err)
		}
	}
	for _, content := range []string{"", "hello, this is text", v1[:20], strings.Replace(v1, "False", "True", 1)} {
		if b, err := readArray(write(content)); err == nil {
			t.Errorf("%q: expected an error, got %q", content, b)
		}
	}
}
