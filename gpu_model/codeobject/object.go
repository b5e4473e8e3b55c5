// Package codeobject reads AMDGPU code objects for gfx803: the ELF files that a compiler makes of kernels, in the
// code object versions 2 to 6, linked or relocatable.
//
// Source of every layout: LLVM, "User Guide for AMDGPU Backend" (Code Object, Kernel Dispatch).
package codeobject

import (
	"fmt"
	"os"
	"sort"
)

// Object is a parsed code object: an image to be placed in device memory, and the kernels in it.
type Object struct {
	File     string // for messages
	Version  int    // 2 to 6
	Image    []byte // the loadable bytes, laid out from offset 0; relocations that need the load address are in fixups
	Kernels  []*Kernel
	LDSBytes uint32 // local memory that the object's own LDS symbols take (relocatable objects)

	fixups  []fixup
	got     map[uint64]uint64 // global offset table made for a relocatable object: target → entry, image offsets
	code    []Range           // executable ranges of the image
	symbols []Symbol

	relocations int // read so far
}

// Range is a half-open range of image offsets.
type Range struct{ Begin, End uint64 }

// Symbol is a named place in the image: a kernel, a function or a constant.
type Symbol struct {
	Name   string
	Offset uint64
	Bytes  uint64
}

// Open reads and parses the code object in a file.
func Open(path string) (*Object, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the code object: %w", err)
	}
	const limit = 1 << 30
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: expected a code object of at most %d bytes, got %d", path, limit, info.Size())
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the code object: %w", err)
	}
	return Parse(path, content)
}

// Parse reads a code object. name is the file's name for messages. content is not kept.
func Parse(name string, content []byte) (*Object, error) {
	o, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	o.File = name
	return o, nil
}

func parse(content []byte) (*Object, error) {
	f, err := parseELF(content)
	if err != nil {
		return nil, err
	}
	o := &Object{Version: int(f.abiVersion) + 2}
	if o.Version > 6 {
		return nil, fmt.Errorf("expected a code object of version 2 to 6 (ELF ABI version 0 to 4), got ABI version %d; compile with -mcode-object-version=5",
			f.abiVersion)
	}
	if mach := f.flags & 0xff; mach != machGFX803 && (mach != 0 || o.Version > 2) {
		return nil, fmt.Errorf("expected code for gfx803 (ELF machine flag 0x%x), got 0x%x; compile with -mcpu=gfx803", machGFX803, mach)
	}
	table, err := o.layOut(f)
	if err != nil {
		return nil, err
	}
	meta, err := readMetadata(f, o.Version)
	if err != nil {
		return nil, err
	}
	if err := o.findKernels(table, meta); err != nil {
		return nil, err
	}
	if len(o.Kernels) == 0 {
		return nil, fmt.Errorf("the code object (version %d) holds no kernel", o.Version)
	}
	return o, nil
}

// Kernel returns the kernel of that name.
func (o *Object) Kernel(name string) (*Kernel, error) {
	for _, k := range o.Kernels {
		if k.Name == name {
			return k, nil
		}
	}
	names := make([]string, 0, len(o.Kernels))
	for _, k := range o.Kernels {
		names = append(names, k.Name)
	}
	sort.Strings(names)
	if len(names) > 20 {
		names = append(names[:20], "…")
	}
	return nil, fmt.Errorf("%s has no kernel %q; it has %q", o.File, name, names)
}

// CodeAt returns the executable range of the image that holds offset.
func (o *Object) CodeAt(offset uint64) (Range, bool) {
	for _, r := range o.code {
		if r.Begin <= offset && offset < r.End {
			return r, true
		}
	}
	return Range{}, false
}

// Relocated reports whether a relocation changes bytes of r when the image is placed.
func (o *Object) Relocated(r Range) bool {
	for _, x := range o.fixups {
		if x.offset < r.End && x.offset+8 > r.Begin {
			return true
		}
	}
	return false
}

// Symbols returns the named places of the image in order of offset.
func (o *Object) Symbols() []Symbol { return o.symbols }

// Place returns the image as it must stand in device memory at address base, its relocations applied.
func (o *Object) Place(base uint64) []byte {
	image := append([]byte(nil), o.Image...)
	for _, x := range o.fixups {
		x.apply(image, base)
	}
	return image
}
