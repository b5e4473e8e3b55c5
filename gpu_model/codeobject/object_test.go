package codeobject

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// each runs f on every sample object: versions 2 to 6, linked and relocatable, of three compilers.
func each(t *testing.T, f func(t *testing.T, o *Object, version int, linked bool)) {
	names, err := filepath.Glob("testdata/sample_clang*_v*.*")
	if err != nil || len(names) != 22 {
		t.Fatalf("expected 22 sample objects, got %d (%v)", len(names), err)
	}
	for _, name := range names {
		var compiler, version int
		var extension string
		if _, err := fmt.Sscanf(filepath.Base(name), "sample_clang%d_v%d.%s", &compiler, &version, &extension); err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			o, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			f(t, o, version, extension == "hsaco")
		})
	}
}

// TestKernels compares headers with what the compiler was asked for; the same source gives the same kernel in every version.
func TestKernels(t *testing.T) {
	each(t, func(t *testing.T, o *Object, version int, _ bool) {
		if o.Version != version {
			t.Errorf("expected version %d, got %d", version, o.Version)
		}
		if len(o.Kernels) != 4 {
			t.Fatalf("expected 4 kernels, got %d", len(o.Kernels))
		}
		add, call, spill := kernel(t, o, "add"), kernel(t, o, "call"), kernel(t, o, "spill")
		if call.LDSBytes != 256 || add.LDSBytes != 0 {
			t.Errorf("expected 256 and 0 bytes of local memory, got %d and %d", call.LDSBytes, add.LDSBytes)
		}
		if call.ReqdWorkgroup != [3]uint32{16, 4, 1} || add.ReqdWorkgroup != [3]uint32{} {
			t.Errorf("expected a required work-group of 16×4×1 for call only, got %v and %v", call.ReqdWorkgroup, add.ReqdWorkgroup)
		}
		if spill.PrivateBytes < 256 || !spill.Enable.PrivateSegmentBuffer || !spill.Enable.ScratchWaveOffset {
			t.Errorf("expected ≥ 256 bytes of private memory with its registers enabled, got %d, %+v", spill.PrivateBytes, spill.Enable)
		}
		if call.Enable.WorkitemID != 1 || add.Enable.WorkitemID != 0 || !add.Enable.KernargPtr {
			t.Errorf("unexpected enable bits %+v, %+v", call.Enable, add.Enable)
		}
		// clang's defaults for gfx803: f32 denormals flushed, f16 and f64 ones kept, dx10_clamp and ieee on.
		if add.Mode() != 0x3c0 {
			t.Errorf("expected MODE 0x3c0, got 0x%x", add.Mode())
		}
	})
}

func kernel(t *testing.T, o *Object, name string) *Kernel {
	t.Helper()
	k, err := o.Kernel(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestArguments compares the metadata with the source.
func TestArguments(t *testing.T) {
	each(t, func(t *testing.T, o *Object, version int, _ bool) {
		var explicit, hidden []string
		for _, a := range kernel(t, o, "add").Arguments {
			if a.Hidden() {
				hidden = append(hidden, fmt.Sprintf("%s@%d", a.Kind, a.Offset))
			} else {
				explicit = append(explicit, fmt.Sprintf("%s %s@%d+%d", a.Kind, a.TypeName, a.Offset, a.Size))
			}
		}
		want := []string{"global_buffer float*@0+8", "global_buffer float*@8+8", "by_value int@16+4", "by_value float@20+4"}
		if !reflect.DeepEqual(explicit, want) {
			t.Errorf("expected %q, got %q", want, explicit)
		}
		first := "hidden_global_offset_x@24"
		if version >= 5 {
			first = "hidden_block_count_x@24"
		}
		if len(hidden) == 0 || hidden[0] != first {
			t.Errorf("expected hidden arguments to begin with %s, got %q", first, hidden)
		}
		if k := kernel(t, o, "call"); k.Arguments[2].Kind != "dynamic_shared_pointer" || k.Arguments[2].PointeeAlign != 4 {
			t.Errorf("expected a local pointer aligned to 4, got %+v", k.Arguments[2])
		}
	})
}

// TestRelocations follows the address that add computes with s_getpc and s_add_u32: it must lead to the constant table.
func TestRelocations(t *testing.T) {
	each(t, func(t *testing.T, o *Object, _ int, _ bool) {
		const base = 0x123456789000
		image := o.Place(base)
		k := kernel(t, o, "add")
		for pc := k.Entry; pc+24 <= k.End; pc += 4 {
			word := func(i uint64) uint32 { return binary.LittleEndian.Uint32(image[pc+i:]) }
			// s_getpc_b64 (SOP1 opcode 28), s_add_u32 with literal, s_addc_u32 with literal
			if word(0)&0xff80ffff != 0xbe801c00 || word(4)&0xff80ff00 != 0x8000ff00 || word(12)&0xff80ff00 != 0x8200ff00 {
				continue
			}
			low, carry := uint64(uint32(pc+4)), uint64(0)
			sum := low + uint64(word(8))
			carry = sum >> 32
			table := sum&0xffffffff | uint64(uint32(word(16))+uint32(carry))<<32
			if table+32 > uint64(len(image)) {
				t.Fatalf("the table's offset 0x%x is outside the image", table)
			}
			for i := range uint64(8) {
				if got := binary.LittleEndian.Uint32(image[table+4*i:]); got != [8]uint32{0x3f800000, 0x40000000, 0x40400000, 0x40800000,
					0x40a00000, 0x40c00000, 0x40e00000, 0x41000000}[i] {
					t.Errorf("table[%d]: got 0x%08x", i, got)
				}
			}
			return
		}
		t.Error("found no s_getpc_b64 sequence in add")
	})
}

// TestSameCode: relocation aside, linked and relocatable objects hold the same instructions.
func TestSameCode(t *testing.T) {
	each(t, func(t *testing.T, o *Object, _ int, linked bool) {
		if !linked {
			return
		}
		loose, err := Open(strings.TrimSuffix(o.File, "hsaco") + "o")
		if err != nil {
			t.Fatal(err)
		}
		a, b := kernel(t, o, "spill").Code(), kernel(t, loose, "spill").Code()
		if string(a) != string(b) {
			t.Errorf("spill differs between the linked and the relocatable object (%d and %d bytes)", len(a), len(b))
		}
	})
}

// TestRefusals checks the sentences for files that are not what the loader reads.
func TestRefusals(t *testing.T) {
	good, err := os.ReadFile("testdata/sample_clang16_v5.hsaco")
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(b []byte)) []byte {
		b := append([]byte(nil), good...)
		f(b)
		return b
	}
	for want, content := range map[string][]byte{
		"not an ELF file":                                            []byte("hello"),
		"expected a 64-bit little-endian ELF file":                   change(func(b []byte) { b[4] = 1 }),
		"expected an AMDGPU code object":                             change(func(b []byte) { b[18] = 62 }),
		"expected the HSA ABI":                                       change(func(b []byte) { b[7] = 0 }),
		"expected code for gfx803 (ELF machine flag 0x2a), got 0x2c": change(func(b []byte) { b[48] = 0x2c }),
		"expected a code object of version 2 to 6":                   change(func(b []byte) { b[8] = 9 }),
		"beyond the file's":                                          good[:len(good)/2],
		"expected a linked (ET_DYN, 3) or relocatable":               change(func(b []byte) { b[16] = 2 }),
	} {
		_, err := Parse("x.hsaco", content)
		if err == nil || !strings.HasPrefix(err.Error(), "x.hsaco: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error with %q, got %v", want, err)
		}
	}
	if _, err := Open("testdata/none.hsaco"); err == nil || !strings.Contains(err.Error(), "testdata/none.hsaco") {
		t.Errorf("expected an error that names the missing file, got %v", err)
	}
	o, err := Parse("x.hsaco", good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Kernel("relu"); err == nil || err.Error() != `x.hsaco has no kernel "relu"; it has ["add" "call" "geometry" "spill"]` {
		t.Errorf("unexpected error %v", err)
	}
}
