package isa

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// FuzzDecode decodes random words. Whatever they are, decoder and disassembler agree, look at no more than they say, and name the
// words that they refuse.
func FuzzDecode(f *testing.F) {
	entries := readCorpus(f)
	for i := 0; i < len(entries); i += 40 {
		f.Add(entries[i].Bytes())
	}
	for _, short := range []string{"", "\x00", "\x00\x00\x81", "\xff\xff\xff\xff"} {
		f.Add([]byte(short))
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		text, size, err := Disassemble(code)
		in, strict := Decode(code)
		for _, e := range []error{err, strict} {
			var refusal *DecodeError
			if e == nil {
				continue
			}
			if !errors.As(e, &refusal) || strings.Contains(e.Error(), "\n") || len(code) >= 4 && len(refusal.Words) == 0 {
				t.Fatalf("% x: the error does not name the words in one sentence: %v", code, e)
			}
		}
		if err != nil {
			if strict == nil {
				t.Fatalf("% x decodes and has no text: %v", code, err)
			}
			return
		}
		if size != 4 && size != 8 || size > len(code) {
			t.Fatalf("% x: %q has %d bytes of %d", code, text, size, len(code))
		}
		if text == "" || text != strings.TrimSpace(text) || strings.ContainsAny(text, "\n\t") {
			t.Fatalf("% x: unexpected text %q", code, text)
		}
		if again, _, _ := Disassemble(bytes.Clone(code[:size])); again != text {
			t.Fatalf("% x: %q alone, %q with what follows", code, again, text)
		}
		if strict != nil {
			return
		}
		if int(in.Size) != size || in.Text() != text || !strings.HasPrefix(text, in.Mnemonic()) {
			t.Fatalf("% x: decoded as %q of %d bytes, disassembled as %q of %d", code, in.Text(), in.Size, text, size)
		}
		if strings.Contains(text, "nvalid") && !in.Op.Refused() {
			t.Fatalf("% x: %q decodes", code, text)
		}
	})
}
