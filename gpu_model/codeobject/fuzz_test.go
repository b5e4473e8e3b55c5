package codeobject

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse reads random bytes as a code object: it is refused in one sentence, or gives kernels that lie in an image of sensible
// size.
func FuzzParse(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(checkObject)
}

// FuzzPatch changes a few bytes of a sample object. Each patch is the offset in 3 bytes, a length up to 8, and the bytes.
func FuzzPatch(f *testing.F) {
	originals := samples(f)
	f.Add(uint8(0), []byte{0x10, 0, 0, 2, 3, 0})
	f.Add(uint8(3), []byte{0x28, 0, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0})
	f.Add(uint8(6), []byte{0x3c, 0, 0, 2, 0xff, 0xff, 0x30, 0, 0, 1, 0x2a})
	f.Fuzz(func(t *testing.T, which uint8, patches []byte) {
		content := bytes.Clone(originals[int(which)%len(originals)])
		for len(patches) >= 4 {
			at := (int(patches[0]) | int(patches[1])<<8 | int(patches[2])<<16) % len(content)
			n := min(int(patches[3]%9), len(patches)-4)
			copy(content[at:], patches[4:4+n])
			patches = patches[4+n:]
		}
		checkObject(t, content)
	})
}

func checkObject(t *testing.T, content []byte) {
	o, err := Parse("fuzz", content)
	if err != nil {
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("the error is not one sentence: %q", err)
		}
		return
	}
	if len(o.Image) > len(content)+maxImageBytes+8*len(content) {
		t.Errorf("an image of %d bytes from a file of %d", len(o.Image), len(content))
	}
	if placed := o.Place(0x1000); len(placed) != len(o.Image) {
		t.Errorf("the image has %d bytes, %d when placed", len(o.Image), len(placed))
	}
	for _, k := range o.Kernels {
		if len(k.Code()) == 0 || k.Entry%4 != 0 {
			t.Errorf("kernel %q has no code", k.Name)
		}
	}
}

// FuzzMetadata reads random bytes as the metadata note, in the YAML of version 2 and the MessagePack of the later ones.
func FuzzMetadata(f *testing.F) {
	for _, b := range samples(f) {
		e, err := parseELF(b)
		if err != nil {
			f.Fatal(err)
		}
		err = e.notes(func(_ string, _ uint32, content []byte) error {
			f.Add(content)
			return nil
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	for _, text := range []string{"- - a: b\n", "a:\n- b\n-\n  c: d", "a: [1, 2", "- -", ":", "\xdf\xff\xff\xff\xff", "\x93\x93\x93"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		v2, errV2 := parseYAML(string(content))
		v3, errV3 := parseMessagePack(content)
		for _, err := range []error{errV2, errV3} {
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is not one sentence: %q", err)
			}
		}
		arguments := 0
		for _, k := range append(metadataV2(v2), metadataV3(v3)...) {
			arguments += len(k.arguments) + 1
		}
		if arguments > len(content) {
			t.Errorf("%d kernels and arguments from %d bytes", arguments, len(content))
		}
	})
}

// samples returns the sample objects' bytes.
func samples(f *testing.F) [][]byte {
	names, err := filepath.Glob("testdata/sample_clang*")
	if err != nil || len(names) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	var contents [][]byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		contents = append(contents, b)
	}
	return contents
}
