package isa

import "testing"

// TestKnown checks that the table has every instruction that LLVM knows, in every encoding, and none beside.
func TestKnown(t *testing.T) {
	list := KnownInstructions()
	if len(list) < 1241 {
		t.Errorf("LLVM knows 1241 instructions or more, the list has %d", len(list))
	}
	type place struct {
		encoding string
		code     uint32
	}
	known := map[place]bool{}
	for i := range list {
		k := &list[i]
		if !k.Decoded() {
			in, err := Decode(k.Example)
			t.Errorf("%s %d %s does not decode: got %q, %v", k.Encoding, k.Code, k.Name, in.Op, err)
		}
		known[place{k.Encoding, k.Code}] = true
	}
	expect := func(encoding string, code uint16, name string) {
		if p := (place{encoding, uint32(code)}); !known[p] {
			t.Errorf("the table has %s as %s %d, LLVM has not", name, encoding, code)
		}
	}
	for _, op := range Opcodes() {
		if op.HasBase {
			expect(op.Format.String(), op.Code, op.Name)
		}
		if op.HasWide {
			expect("VOP3", op.WideCode(), op.Name)
		}
		if op.HasSDWA {
			expect(op.Format.String()+" SDWA", op.Code, op.Name)
		}
		if op.HasDPP {
			expect(op.Format.String()+" DPP", op.Code, op.Name)
		}
	}
}
