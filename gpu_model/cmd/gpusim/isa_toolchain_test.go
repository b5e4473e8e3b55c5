//go:build toolchain

package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
)

var instructionLine = regexp.MustCompile(`(?m)^\t.* // ([0-9A-F]{12}): .*$`)

// TestToolchainDump compares the listing of every linked object of the test library and the product with llvm-objdump-16's, line by
// line. That of version 2 shows kernels as bytes, so there is nothing to compare with.
func TestToolchainDump(t *testing.T) {
	var names []string
	for _, pattern := range []string{"tests/kernels/library/objects/*/*.hsaco", "kernels/*.hsaco", "gpu_model/codeobject/testdata/*.hsaco"} {
		found, err := filepath.Glob("../../../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	lines := 0
	for _, name := range names {
		object, err := codeobject.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if object.Version == 2 {
			continue
		}
		theirs, err := exec.Command("llvm-objdump-16", "-d", "--mcpu=gfx803", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for _, match := range instructionLine.FindAllSubmatch(theirs, -1) {
			want[string(match[1])] = string(match[0])
		}
		var ours bytes.Buffer
		listing := newListing(object)
		for _, f := range listing.functions {
			listing.write(&ours, f)
		}
		for _, match := range instructionLine.FindAllSubmatch(ours.Bytes(), -1) {
			lines++
			if expected := want[string(match[1])]; string(match[0]) != expected {
				t.Errorf("%s: expected\n%s\ngot\n%s", name, expected, match[0])
			}
		}
	}
	if lines < 10000 {
		t.Errorf("only %d lines were compared", lines)
	}
	t.Logf("%d lines of %d objects", lines, len(names))
}
