package reference

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestGenerate compares every generated buffer with the checksum recorded for it.
func TestGenerate(t *testing.T) {
	dir, ok := Directory()
	if !ok {
		t.Skip("shared/reference is not beside the repository")
	}
	cases, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 214 {
		t.Errorf("expected 214 cases, got %d", len(cases))
	}
	for _, c := range cases {
		for _, b := range c.Buffers {
			if b.Bytes > 1<<20 {
				continue // the functional comparison covers the large ones
			}
			content, err := b.Generate()
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			sum := sha256.Sum256(content)
			if got := hex.EncodeToString(sum[:]); got != b.InitialSHA256 {
				t.Errorf("%s, buffer %s (%s): expected %s, got %s", c.Name, b.Name, b.Generator, b.InitialSHA256, got)
			}
		}
	}
}
