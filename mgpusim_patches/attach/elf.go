package attach

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"

	"github.com/sarchlab/mgpusim/v4/amd/insts"
)

// Places in the file that objectFile writes: its image is the file itself.
const (
	descriptorAt = 0x100
	codeAt       = 0x200
	machGFX803   = 0x2a
)

// objectFile writes a kernel in upstream's form as a code object of version 3, so that any simulator reads it. Source of the layout: LLVM,
// User Guide for AMDGPU Backend, Kernel Descriptor.
func objectFile(name string, co *insts.KernelCodeObject) ([]byte, error) {
	m := co.KernelCodeObjectMeta
	if m.EnableSgprGridWorkgroupCountX || m.EnableSgprGridWorkgroupCountY || m.EnableSgprGridWorkgroupCountZ {
		return nil, fmt.Errorf("kernel %q asks for its work-group counts in registers, which only code objects of version 2 have", name)
	}
	if m.KernelCodeEntryByteOffset > uint64(len(co.Data)) {
		return nil, fmt.Errorf("kernel %q begins at offset %d of %d bytes of code", name, m.KernelCodeEntryByteOffset, len(co.Data))
	}
	code := co.Data[m.KernelCodeEntryByteOffset:]
	le := binary.LittleEndian
	file := make([]byte, codeAt, codeAt+len(code)+1024)
	d := file[descriptorAt:]
	le.PutUint32(d, m.GroupSegmentByteSize)
	le.PutUint32(d[4:], m.PrivateSegmentByteSize)
	le.PutUint32(d[8:], uint32(m.KernargSegmentByteSize))
	le.PutUint64(d[16:], codeAt-descriptorAt)
	le.PutUint32(d[48:], m.ComputePgmRsrc1)
	le.PutUint32(d[52:], m.ComputePgmRsrc2)
	properties := uint16(0)
	for bit, set := range []bool{m.EnableSgprPrivateSegmentBuffer, m.EnableSgprDispatchPtr, m.EnableSgprQueuePtr, m.EnableSgprKernargSegmentPtr,
		m.EnableSgprDispatchID, m.EnableSgprFlatScratchInit, m.EnableSgprPrivateSegmentSize} {
		if set {
			properties |= 1 << bit
		}
	}
	le.PutUint16(d[56:], properties)
	file = append(file, code...)
	loaded := uint64(len(file))

	align := func() uint64 {
		for len(file)%8 != 0 {
			file = append(file, 0)
		}
		return uint64(len(file))
	}
	strings := append([]byte{0}, name+"\x00"+name+".kd\x00"...)
	stringsAt := align()
	file = append(file, strings...)
	symbolsAt := align()
	put := func(x any) {
		var b bytes.Buffer
		_ = binary.Write(&b, le, x) // of fixed-size structures into memory
		file = append(file, b.Bytes()...)
	}
	put(elf.Sym64{})
	put(elf.Sym64{Name: 1, Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), Shndx: 1, Value: codeAt, Size: uint64(len(code))})
	put(elf.Sym64{Name: uint32(2 + len(name)), Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_OBJECT), Shndx: 2, Value: descriptorAt, Size: 64})
	symbolsEnd := uint64(len(file))
	const names = "\x00.text\x00.rodata\x00.symtab\x00.strtab\x00.shstrtab\x00"
	namesAt := align()
	file = append(file, names...)
	sectionsAt := align()
	section := func(name uint32, kind elf.SectionType, flags elf.SectionFlag, address, offset, size uint64, link uint32, entry uint64) {
		put(elf.Section64{Name: name, Type: uint32(kind), Flags: uint64(flags), Addr: address, Off: offset, Size: size, Link: link, Addralign: 1, Entsize: entry})
	}
	put(elf.Section64{})
	section(1, elf.SHT_PROGBITS, elf.SHF_ALLOC|elf.SHF_EXECINSTR, codeAt, codeAt, uint64(len(code)), 0, 0)
	section(7, elf.SHT_PROGBITS, elf.SHF_ALLOC, descriptorAt, descriptorAt, 64, 0, 0)
	section(15, elf.SHT_SYMTAB, 0, 0, symbolsAt, symbolsEnd-symbolsAt, 4, 24)
	section(23, elf.SHT_STRTAB, 0, 0, stringsAt, uint64(len(strings)), 0, 0)
	section(31, elf.SHT_STRTAB, 0, 0, namesAt, uint64(len(names)), 0, 0)

	var head bytes.Buffer
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT), 64, 1} // HSA, ABI version 1
	_ = binary.Write(&head, le, elf.Header64{Ident: ident, Type: uint16(elf.ET_DYN), Machine: 224, Version: 1, Phoff: 64, Shoff: sectionsAt, Flags: machGFX803,
		Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64, Shnum: 6, Shstrndx: 5})
	_ = binary.Write(&head, le, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Filesz: loaded, Memsz: loaded, Align: 4096})
	copy(file, head.Bytes())
	return file, nil
}
