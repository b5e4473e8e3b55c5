//go:build toolchain

package codeobject

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestToolchainSamples rebuilds the sample objects of clang 16 and expects the committed bytes.
func TestToolchainSamples(t *testing.T) {
	folder := t.TempDir()
	if out, err := exec.Command("sh", "testdata/build.sh", folder, "16").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made, err := filepath.Glob(folder + "/sample_clang16_v*")
	if err != nil || len(made) != 8 {
		t.Fatalf("expected 8 objects, got %d (%v)", len(made), err)
	}
	for _, name := range made {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", filepath.Base(name)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what build.sh makes", filepath.Base(name))
		}
	}
}
