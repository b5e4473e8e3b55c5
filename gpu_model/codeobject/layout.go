package codeobject

import (
	"fmt"
	"sort"
)

// layOut fills Image, code ranges, relocations and symbols. It returns the symbols with values as image offsets.
func (o *Object) layOut(f *file) ([]symbol, error) {
	var err error
	if f.kind == typeRelocatable {
		err = o.layOutSections(f)
	} else {
		err = o.layOutSegments(f)
	}
	if err != nil {
		return nil, err
	}
	table, err := o.readSymbols(f)
	if err != nil {
		return nil, err
	}
	if err := o.readRelocations(f); err != nil {
		return nil, err
	}
	for _, s := range table {
		if s.value < uint64(len(o.Image)) && s.name != "" {
			o.symbols = append(o.symbols, Symbol{Name: s.name, Offset: s.value, Bytes: s.size})
		}
	}
	sort.SliceStable(o.symbols, func(i, j int) bool { return o.symbols[i].Offset < o.symbols[j].Offset })
	return table, nil
}

// layOutSegments copies the PT_LOAD segments of a linked object; image offsets are its virtual addresses.
func (o *Object) layOutSegments(f *file) error {
	var end uint64
	limit := uint64(len(f.data)) + maxImageBytes
	for _, s := range f.segments {
		if s.kind != segmentLoad {
			continue
		}
		if s.fileBytes > s.memBytes || s.address > limit || s.memBytes > limit-s.address {
			return fmt.Errorf("a segment at 0x%x of %d file bytes and %d memory bytes is outside the supported image of %d bytes",
				s.address, s.fileBytes, s.memBytes, limit)
		}
		if _, err := f.bytes("a segment", s.offset, s.fileBytes); err != nil {
			return err
		}
		end = max(end, s.address+s.memBytes)
	}
	if end == 0 {
		return fmt.Errorf("the linked code object has no loadable segment")
	}
	o.Image = make([]byte, end)
	for _, s := range f.segments {
		if s.kind != segmentLoad {
			continue
		}
		copy(o.Image[s.address:], f.data[s.offset:s.offset+s.fileBytes])
		if s.flags&segmentExec != 0 {
			o.addCode(Range{s.address, s.address + s.fileBytes}) // zeros beyond are no code
		}
	}
	// The section says more exactly than the segment where instructions are.
	var exact []Range
	for _, s := range f.sections {
		if s.flags&flagExec != 0 && s.kind != sectionNoBits && s.size > 0 && s.address < end && s.size <= end-s.address {
			exact = append(exact, Range{s.address, s.address + s.size})
		}
	}
	if len(exact) > 0 {
		o.code = exact
	}
	return o.checkCode()
}

// layOutSections places the allocatable sections of a relocatable object one after the other.
func (o *Object) layOutSections(f *file) error {
	limit := uint64(len(f.data)) + maxImageBytes
	var end uint64
	for i := range f.sections {
		s := &f.sections[i]
		s.placed = ^uint64(0)
		if s.flags&flagAlloc == 0 || s.kind == sectionNote || s.kind == sectionRela || s.size == 0 {
			continue
		}
		align := max(s.align, 1)
		if align&(align-1) != 0 || align > 4096 {
			return fmt.Errorf("section %q asks for an alignment of %d bytes; a power of two up to 4096 is supported", s.name, s.align)
		}
		end = (end + align - 1) &^ (align - 1)
		if s.size > limit || end+s.size > limit {
			return fmt.Errorf("section %q of %d bytes is outside the supported image of %d bytes", s.name, s.size, limit)
		}
		if _, err := f.contents(s); err != nil {
			return err
		}
		s.placed = end
		end += s.size
	}
	o.Image = make([]byte, end)
	for i := range f.sections {
		s := &f.sections[i]
		if s.placed == ^uint64(0) {
			continue
		}
		content, _ := f.contents(s)
		copy(o.Image[s.placed:], content)
		if s.flags&flagExec != 0 && s.kind != sectionNoBits {
			o.addCode(Range{s.placed, s.placed + s.size})
		}
	}
	return o.checkCode()
}

func (o *Object) checkCode() error {
	if len(o.code) > maxCodeRanges {
		return fmt.Errorf("expected at most %d executable sections, got %d", maxCodeRanges, len(o.code))
	}
	return nil
}

func (o *Object) addCode(r Range) {
	if r.End > r.Begin {
		o.code = append(o.code, r)
	}
}

// readSymbols returns the symbol table (the dynamic one where a linked object is stripped), values turned into image offsets.
func (o *Object) readSymbols(f *file) ([]symbol, error) {
	for _, kind := range []uint32{sectionSymbols, sectionDynamic} {
		for i := range f.sections {
			if f.sections[i].kind != kind {
				continue
			}
			table, err := f.symbols(&f.sections[i])
			if err != nil {
				return nil, err
			}
			if len(table) <= 1 {
				continue
			}
			for j := range table {
				o.resolve(f, &table[j])
			}
			return table, nil
		}
	}
	return nil, nil
}

// unresolved is the image offset of a symbol that lies outside the object.
const unresolved = ^uint64(0)

// resolve turns a symbol's value into an image offset; LDS symbols of relocatable objects get their local address.
func (o *Object) resolve(f *file, s *symbol) {
	switch {
	case s.section == sectionIndexLDS:
		align := uint32(max(1, min(s.value, 65536)))
		at := (o.LDSBytes + align - 1) / align * align
		o.LDSBytes = at + uint32(min(s.size, 1<<20))
		s.value = uint64(at)
	case s.section == 0 || int(s.section) >= len(f.sections):
		s.value = unresolved
	case f.kind == typeRelocatable:
		p := f.sections[s.section].placed
		if p == ^uint64(0) || s.value > f.sections[s.section].size {
			s.value = unresolved
			return
		}
		s.value += p
	}
}
