package codeobject

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// Constants of the ELF format and of the AMDGPU processor supplement (source: LLVM, "User Guide for AMDGPU Backend", Code Object).
const (
	machineAMDGPU = 224 // EM_AMDGPU
	osABIHSA      = 64  // ELFOSABI_AMDGPU_HSA
	machGFX803    = 0x2a

	typeRelocatable  = 1 // ET_REL
	typeSharedObject = 3 // ET_DYN

	sectionSymbols  = 2 // SHT_SYMTAB
	sectionRela     = 4
	sectionNote     = 7
	sectionNoBits   = 8
	sectionDynamic  = 11 // SHT_DYNSYM
	sectionIndexLDS = 0xff00

	flagAlloc = 2 // SHF_ALLOC
	flagExec  = 4 // SHF_EXECINSTR

	segmentLoad = 1 // PT_LOAD
	segmentNote = 4 // PT_NOTE
	segmentExec = 1 // PF_X

	symbolObject   = 1
	symbolFunction = 2
	symbolKernelV2 = 10 // STT_AMDGPU_HSA_KERNEL
)

// Limits on what a file may ask for, so that hostile input costs bounded memory.
const (
	maxImageBytes = 64 << 20 // beyond the file's own size: .bss and gaps between segments
	maxSymbols    = 1 << 20
	maxNameBytes  = 1 << 16 // a symbol's or section's name
	maxCodeRanges = 1 << 12 // executable sections
	maxKernels    = 1 << 14
	maxFixups     = 1 << 20 // relocations
	maxNotes      = 1 << 10
)

// file is a 64-bit little-endian ELF file, every offset checked.
type file struct {
	data       []byte
	kind       uint16
	abiVersion uint8
	flags      uint32
	sections   []section
	segments   []segment
	tables     map[*section][]symbol // symbol tables read so far
}

type section struct {
	name                         string
	kind                         uint32
	flags                        uint64
	address, offset, size, align uint64
	link, info                   uint32
	entry                        uint64
	placed                       uint64 // offset in the image
}

type segment struct {
	kind, flags                                uint32
	offset, address, fileBytes, memBytes, algn uint64
}

type symbol struct {
	name    string
	kind    uint8
	section uint16
	value   uint64
	size    uint64
}

func parseELF(data []byte) (*file, error) {
	if len(data) < 64 || string(data[:4]) != "\x7fELF" {
		return nil, fmt.Errorf("not an ELF file: expected the magic 7f 45 4c 46 and a 64-byte header, got %d bytes beginning % x",
			len(data), data[:min(4, len(data))])
	}
	if data[4] != 2 || data[5] != 1 {
		return nil, fmt.Errorf("expected a 64-bit little-endian ELF file (class 2, data 1), got class %d, data %d", data[4], data[5])
	}
	le := binary.LittleEndian
	if m := le.Uint16(data[18:]); m != machineAMDGPU {
		return nil, fmt.Errorf("expected an AMDGPU code object (ELF machine %d), got ELF machine %d; compile with -target amdgcn-amd-amdhsa -mcpu=gfx803",
			machineAMDGPU, m)
	}
	if data[7] != osABIHSA {
		return nil, fmt.Errorf("expected the HSA ABI (ELF OS ABI %d), got %d; compile with -target amdgcn-amd-amdhsa", osABIHSA, data[7])
	}
	f := &file{data: data, kind: le.Uint16(data[16:]), abiVersion: data[8], flags: le.Uint32(data[48:])}
	if f.kind != typeRelocatable && f.kind != typeSharedObject {
		return nil, fmt.Errorf("expected a linked (ET_DYN, 3) or relocatable (ET_REL, 1) code object, got ELF type %d", f.kind)
	}
	if err := f.parseSegments(le.Uint64(data[32:]), le.Uint16(data[54:]), le.Uint16(data[56:])); err != nil {
		return nil, err
	}
	err := f.parseSections(le.Uint64(data[40:]), le.Uint16(data[58:]), le.Uint16(data[60:]), le.Uint16(data[62:]))
	return f, err
}

// bytes returns file bytes [offset, offset+n).
func (f *file) bytes(what string, offset, n uint64) ([]byte, error) {
	if offset > uint64(len(f.data)) || n > uint64(len(f.data))-offset {
		return nil, fmt.Errorf("%s lies at file offset 0x%x with %d bytes, beyond the file's %d bytes", what, offset, n, len(f.data))
	}
	return f.data[offset : offset+n], nil
}

func (f *file) parseSegments(offset uint64, entry, count uint16) error {
	if count == 0 {
		return nil
	}
	if entry != 56 {
		return fmt.Errorf("expected program headers of 56 bytes, got %d", entry)
	}
	table, err := f.bytes("the program header table", offset, 56*uint64(count))
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	for ; len(table) > 0; table = table[56:] {
		f.segments = append(f.segments, segment{kind: le.Uint32(table), flags: le.Uint32(table[4:]), offset: le.Uint64(table[8:]),
			address: le.Uint64(table[16:]), fileBytes: le.Uint64(table[32:]), memBytes: le.Uint64(table[40:]), algn: le.Uint64(table[48:])})
	}
	return nil
}

func (f *file) parseSections(offset uint64, entry, count, names uint16) error {
	if count == 0 {
		return nil
	}
	if entry != 64 {
		return fmt.Errorf("expected section headers of 64 bytes, got %d", entry)
	}
	table, err := f.bytes("the section header table", offset, 64*uint64(count))
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	nameOffsets := make([]uint32, 0, count)
	for ; len(table) > 0; table = table[64:] {
		nameOffsets = append(nameOffsets, le.Uint32(table))
		f.sections = append(f.sections, section{kind: le.Uint32(table[4:]), flags: le.Uint64(table[8:]), address: le.Uint64(table[16:]),
			offset: le.Uint64(table[24:]), size: le.Uint64(table[32:]), link: le.Uint32(table[40:]), info: le.Uint32(table[44:]),
			align: le.Uint64(table[48:]), entry: le.Uint64(table[56:])})
	}
	if int(names) >= len(f.sections) {
		return fmt.Errorf("the section name table is section %d of %d", names, len(f.sections))
	}
	strings, err := f.contents(&f.sections[names])
	if err != nil {
		return err
	}
	for i := range f.sections {
		f.sections[i].name = stringAt(strings, nameOffsets[i])
	}
	return nil
}

// contents returns a section's bytes in the file.
func (f *file) contents(s *section) ([]byte, error) {
	if s.kind == sectionNoBits {
		return nil, nil
	}
	return f.bytes(fmt.Sprintf("section %q", s.name), s.offset, s.size)
}

// stringAt returns the NUL-terminated string at offset, "" where there is none.
func stringAt(table []byte, offset uint32) string {
	if uint64(offset) >= uint64(len(table)) {
		return ""
	}
	table = table[offset:]
	end := bytes.IndexByte(table[:min(len(table), maxNameBytes)], 0)
	return string(table[:max(end, 0)])
}

// symbols returns the entries of symbol table s, a copy of its own for each caller.
func (f *file) symbols(s *section) ([]symbol, error) {
	table, ok := f.tables[s]
	if !ok {
		var err error
		if table, err = f.readSymbolTable(s); err != nil {
			return nil, err
		}
		if f.tables == nil {
			f.tables = map[*section][]symbol{}
		}
		f.tables[s] = table
	}
	return slices.Clone(table), nil
}

func (f *file) readSymbolTable(s *section) ([]symbol, error) {
	table, err := f.contents(s)
	if err != nil {
		return nil, err
	}
	if len(table)/24 > maxSymbols {
		return nil, fmt.Errorf("symbol table %q has %d entries, more than the %d supported", s.name, len(table)/24, maxSymbols)
	}
	if uint64(s.link) >= uint64(len(f.sections)) {
		return nil, fmt.Errorf("symbol table %q names string table %d of %d sections", s.name, s.link, len(f.sections))
	}
	strings, err := f.contents(&f.sections[s.link])
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	var all []symbol
	for ; len(table) >= 24; table = table[24:] {
		all = append(all, symbol{name: stringAt(strings, le.Uint32(table)), kind: table[4] & 15, section: le.Uint16(table[6:]),
			value: le.Uint64(table[8:]), size: le.Uint64(table[16:])})
	}
	return all, nil
}

// notes calls do with every note of the file until it returns an error. Notes of sections and of segments are both visited.
func (f *file) notes(do func(owner string, kind uint32, content []byte) error) error {
	count := 0
	visit := func(block []byte) error {
		le := binary.LittleEndian
		for len(block) >= 12 {
			if count++; count > maxNotes {
				return fmt.Errorf("expected at most %d notes", maxNotes)
			}
			nameBytes, contentBytes, kind := uint64(le.Uint32(block)), uint64(le.Uint32(block[4:])), le.Uint32(block[8:])
			rest := block[12:]
			namePadded, contentPadded := (nameBytes+3)&^3, (contentBytes+3)&^3
			if namePadded > uint64(len(rest)) || contentBytes > uint64(len(rest))-namePadded {
				return fmt.Errorf("a note of %d + %d bytes passes the end of its section", nameBytes, contentBytes)
			}
			owner := stringAt(append(append([]byte(nil), rest[:min(nameBytes, 32)]...), 0), 0)
			if err := do(owner, kind, rest[namePadded:namePadded+contentBytes]); err != nil {
				return err
			}
			block = rest[min(namePadded+contentPadded, uint64(len(rest))):]
		}
		return nil
	}
	seen := false
	for i := range f.sections {
		if s := &f.sections[i]; s.kind == sectionNote {
			seen = true
			block, err := f.contents(s)
			if err == nil {
				err = visit(block)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, s := range f.segments {
		if s.kind == segmentNote && !seen {
			block, err := f.bytes("a note segment", s.offset, s.fileBytes)
			if err == nil {
				err = visit(block)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
