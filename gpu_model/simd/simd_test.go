package simd

import (
	"strings"
	"testing"
)

// TestDefault chooses levels by name, and refuses names that this host does not have.
func TestDefault(t *testing.T) {
	levels := Levels()
	if last := levels[len(levels)-1]; last != Plain {
		t.Fatalf("the last level is %s; expected plain Go", last.Name)
	}
	for _, want := range levels {
		t.Setenv(Variable, want.Name)
		if got, err := Default(); err != nil || got.Name != want.Name {
			t.Fatalf("%s=%s gives %v, %v", Variable, want.Name, got, err)
		}
	}
	t.Setenv(Variable, "")
	if got, err := Default(); err != nil || got.Name != levels[0].Name {
		t.Fatalf("without %s the level is %v, %v; expected %s", Variable, got, err, levels[0].Name)
	}
	t.Setenv(Variable, "mmx")
	if _, err := Default(); err == nil || !strings.Contains(err.Error(), `SPARTAN_SIMD="mmx": this host has the levels`) || !strings.HasSuffix(err.Error(), "go") {
		t.Fatalf("an unknown level gives %v", err)
	}
}

// TestComplete checks that every level has every operation, scalar forms included.
func TestComplete(t *testing.T) {
	for _, l := range Levels() {
		for op := Op(0); op < operations; op++ {
			if l != Plain && (l.Vector(op) == nil || l.Scalar(op) == nil) {
				t.Errorf("%s lacks operation %d", l.Name, op)
			}
		}
		m := l.Memory()
		functions := []bool{m.Gather != nil, m.Gather128 != nil, m.Scatter != nil, m.Scatter128 != nil, m.Join != nil, m.Buffer != nil, m.Adjacent != nil, m.Span != nil}
		for _, has := range functions {
			if has != functions[0] {
				t.Errorf("%s has some of the memory functions; expected all or none", l.Name)
			}
		}
	}
}
