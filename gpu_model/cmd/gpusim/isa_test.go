package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// TestCoverage: everything that LLVM knows is decoded, and all but the graphics formats is executed.
func TestCoverage(t *testing.T) {
	c := countCoverage()
	if c.Known < 1241 || c.Decoded != c.Known {
		t.Errorf("expected 1241 known instructions or more, all decoded; got %d known, %d decoded", c.Known, c.Decoded)
	}
	if c.Executed+len(c.Refused) != c.Known {
		t.Errorf("expected executed and refused to make up known, got %d, %d, %d", c.Executed, len(c.Refused), c.Known)
	}
	for _, name := range c.Refused {
		if !strings.HasPrefix(name, "image_") && !strings.HasPrefix(name, "v_interp_") && name != "exp" {
			t.Errorf("%s is no graphics instruction, and not executed", name)
		}
	}
}

// TestDisassembleLines checks what each line of input becomes.
func TestDisassembleLines(t *testing.T) {
	cases := []struct{ in, out string }{
		{"bf810000", "s_endpgm"},
		{"0xBF8C0F70", "s_waitcnt vmcnt(0)"},
		{"be8000ff 12345678", "s_mov_b32 s0, 0x12345678"},
		{"0xd1c10000, 0x040e0501\r", "v_mad_f32 v0, v1, v2, v3"},
		{"bf800000 ffffffff", "s_nop 0"}, // what follows is another instruction's
		{"be8000ff", "error: 0xbe8000ff is not a gfx803 instruction: its second dword is missing"},
		{"ffffffff", "error: 0xffffffff is not a gfx803 instruction: no encoding starts with 0b111111"},
		{"", "error: an instruction is expected, one or two dwords in hex; the line is empty"},
		{"s_endpgm", `error: a dword in hex is expected, got "s_endpgm"`},
		{"100000000", `error: a dword in hex is expected, got "100000000"`},
		{strings.Repeat("0 ", 4000), "error: an instruction is expected, one or two dwords in hex; the line is longer than 4096 bytes"},
	}
	var in strings.Builder
	for _, c := range cases {
		in.WriteString(c.in + "\n")
	}
	var out bytes.Buffer
	if status := disassemble(strings.NewReader(strings.TrimSuffix(in.String(), "\n")), &out); status != 0 {
		t.Errorf("expected status 0, got %d", status)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(cases) {
		t.Fatalf("expected %d lines, got %d", len(cases), len(lines))
	}
	for i, c := range cases {
		if lines[i] != c.out {
			t.Errorf("%.40q: expected %q, got %q", c.in, c.out, lines[i])
		}
	}
}

// TestDisassembleAnswersAtOnce: a program that waits for each answer gets it.
func TestDisassembleAnswersAtOnce(t *testing.T) {
	ourIn, theirOut := io.Pipe()
	theirIn, ourOut := io.Pipe()
	go func() {
		disassemble(ourIn, ourOut)
		_ = ourOut.Close()
	}()
	for _, want := range []string{"s_nop 0", "s_endpgm"} {
		word := map[string]string{"s_nop 0": "bf800000\n", "s_endpgm": "bf810000\n"}[want]
		if _, err := io.WriteString(theirOut, word); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 100)
		n, err := theirIn.Read(buffer)
		if err != nil || string(buffer[:n]) != want+"\n" {
			t.Fatalf("expected %q, got %q, %v", want, buffer[:n], err)
		}
	}
	_ = theirOut.Close()
}

func BenchmarkDisassemble(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var in bytes.Buffer
	known := isa.KnownInstructions()
	const lines = 10000
	for range lines {
		for code := known[r.IntN(len(known))].Example; len(code) > 0; code = code[4:] {
			fmt.Fprintf(&in, "%08x ", binary.LittleEndian.Uint32(code))
		}
		in.WriteByte('\n')
	}
	b.ResetTimer()
	for range b.N {
		disassemble(bytes.NewReader(in.Bytes()), io.Discard)
	}
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "instructions/s")
}
