package codeobject

import (
	"encoding/binary"
	"fmt"
)

// Relocation types of the AMDGPU processor supplement.
const (
	relAbs32Lo      = 1
	relAbs32Hi      = 2
	relAbs64        = 3
	relRel32        = 4
	relRel64        = 5
	relAbs32        = 6
	relGotPCRel     = 7
	relGotPCRel32Lo = 8
	relGotPCRel32Hi = 9
	relRel32Lo      = 10
	relRel32Hi      = 11
	relRelative64   = 13
	relRel16        = 14
)

// fixup is a relocation whose value depends on the load address: field = base + addend.
type fixup struct {
	kind   uint32
	offset uint64 // of the field in the image
	addend uint64
}

func (x fixup) apply(image []byte, base uint64) {
	value, le := base+x.addend, binary.LittleEndian
	switch x.kind {
	case relAbs32Lo, relAbs32:
		le.PutUint32(image[x.offset:], uint32(value))
	case relAbs32Hi:
		le.PutUint32(image[x.offset:], uint32(value>>32))
	case relAbs64:
		le.PutUint64(image[x.offset:], value)
	}
}

// readRelocations applies what does not depend on the load address and keeps the rest as fixups.
func (o *Object) readRelocations(f *file) error {
	for i := range f.sections {
		s := &f.sections[i]
		if s.kind != sectionRela {
			continue
		}
		var place uint64 // image offset that relocation offsets count from
		if f.kind == typeRelocatable {
			if uint64(s.info) >= uint64(len(f.sections)) {
				return fmt.Errorf("relocations %q apply to section %d of %d", s.name, s.info, len(f.sections))
			}
			target := &f.sections[s.info]
			if target.flags&flagAlloc == 0 || target.placed == ^uint64(0) {
				continue // debug information is not loaded
			}
			place = target.placed
		} else if s.flags&flagAlloc == 0 {
			continue // already applied by the linker
		}
		if err := o.relocateSection(f, s, place); err != nil {
			return fmt.Errorf("relocations %q: %w", s.name, err)
		}
	}
	return nil
}

func (o *Object) relocateSection(f *file, s *section, place uint64) error {
	table, err := f.contents(s)
	if err != nil {
		return err
	}
	if uint64(s.link) >= uint64(len(f.sections)) {
		return fmt.Errorf("symbol table %d of %d sections", s.link, len(f.sections))
	}
	var symbols []symbol
	if k := f.sections[s.link].kind; k == sectionSymbols || k == sectionDynamic {
		if symbols, err = f.symbols(&f.sections[s.link]); err != nil {
			return err
		}
	}
	lds := o.LDSBytes
	o.LDSBytes = 0 // assigned again, to the same addresses
	for i := range symbols {
		o.resolve(f, &symbols[i])
	}
	o.LDSBytes = max(lds, o.LDSBytes)
	le := binary.LittleEndian
	if o.relocations += len(table) / 24; o.relocations > maxFixups {
		return fmt.Errorf("expected at most %d relocations", maxFixups)
	}
	for ; len(table) >= 24; table = table[24:] {
		info := le.Uint64(table[8:])
		r := relocation{offset: place + le.Uint64(table), kind: uint32(info), addend: le.Uint64(table[16:])}
		if n := info >> 32; n != 0 || r.kind != relRelative64 {
			if n >= uint64(len(symbols)) {
				return fmt.Errorf("symbol %d of %d", n, len(symbols))
			}
			r.symbol = &symbols[n]
		}
		if err := o.relocate(r); err != nil {
			return err
		}
	}
	return nil
}

type relocation struct {
	offset uint64
	kind   uint32
	addend uint64
	symbol *symbol
}

func (o *Object) relocate(r relocation) error {
	width := uint64(4)
	switch r.kind {
	case 0:
		return nil
	case relAbs64, relRel64, relRelative64:
		width = 8
	case relRel16:
		width = 2
	}
	if r.offset > uint64(len(o.Image)) || width > uint64(len(o.Image))-r.offset {
		return fmt.Errorf("a relocation at image offset 0x%x lies outside the image of %d bytes", r.offset, len(o.Image))
	}
	field, le := o.Image[r.offset:], binary.LittleEndian
	if r.kind == relRelative64 {
		o.fixups = append(o.fixups, fixup{relAbs64, r.offset, r.addend})
		return nil
	}
	if r.symbol.value == unresolved {
		return fmt.Errorf("symbol %q is not defined in the object; link the object with what defines it", r.symbol.name)
	}
	target := r.symbol.value + r.addend
	absolute := r.symbol.section == sectionIndexLDS || r.symbol.section == 0xfff1 // an LDS address, or SHN_ABS
	relative := target - r.offset
	switch r.kind {
	case relAbs32Lo, relAbs32, relAbs32Hi, relAbs64:
		x := fixup{r.kind, r.offset, target}
		if absolute {
			x.apply(o.Image, 0)
		} else {
			o.fixups = append(o.fixups, x)
		}
	case relRel32, relRel32Lo:
		le.PutUint32(field, uint32(relative))
	case relRel32Hi:
		le.PutUint32(field, uint32(relative>>32))
	case relRel64:
		le.PutUint64(field, relative)
	case relRel16: // s_branch and s_call: dwords after the instruction
		distance := int64(relative-4) / 4
		if distance != int64(int16(distance)) {
			return fmt.Errorf("the branch to %q is %d dwords away, beyond the reach of 16 bits", r.symbol.name, distance)
		}
		le.PutUint16(field, uint16(distance))
	case relGotPCRel, relGotPCRel32Lo, relGotPCRel32Hi:
		// The field wants the distance to a table entry that holds the symbol's address.
		relative = o.gotEntry(r.symbol.value) + r.addend - r.offset
		if r.kind == relGotPCRel32Hi {
			relative >>= 32
		}
		le.PutUint32(o.Image[r.offset:], uint32(relative))
	default:
		return fmt.Errorf("type %d at image offset 0x%x is not an AMDGPU relocation", r.kind, r.offset)
	}
	return nil
}

// gotEntry returns the image offset of an 8-byte entry that holds the address of image offset target, adding one when there is none.
func (o *Object) gotEntry(target uint64) uint64 {
	if at, ok := o.got[target]; ok {
		return at
	}
	for len(o.Image)%8 != 0 {
		o.Image = append(o.Image, 0)
	}
	at := uint64(len(o.Image))
	o.Image = append(o.Image, make([]byte, 8)...)
	o.fixups = append(o.fixups, fixup{relAbs64, at, target})
	if o.got == nil {
		o.got = map[uint64]uint64{}
	}
	o.got[target] = at
	return at
}
