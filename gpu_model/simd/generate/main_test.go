package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestCurrent checks that the committed assembly is what the recipes give.
func TestCurrent(t *testing.T) {
	for name, want := range Files() {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("simd/%s is not what the recipes give: run `go generate ./simd` in gpu_model", name)
		}
	}
}
