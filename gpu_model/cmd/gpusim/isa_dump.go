package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

// dumpObject lists the instructions of a code object's kernels and functions, in the form of llvm-objdump.
func dumpObject(arguments []string) int {
	flags := flag.NewFlagSet("dump", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, isaUsage) }
	kernel := flags.String("kernel", "", "")
	if flags.Parse(arguments) != nil {
		return 2
	}
	if flags.NArg() != 1 {
		fmt.Fprintf(os.Stderr, "gpusim isa dump: expected one code object, got %d\n", flags.NArg())
		return 2
	}
	object, err := codeobject.Open(flags.Arg(0))
	if err == nil && *kernel != "" {
		_, err = object.Kernel(*kernel)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "gpusim isa dump: %v\n", err)
		return 2
	}
	out := bufio.NewWriter(os.Stdout)
	listing := newListing(object)
	for _, f := range listing.functions {
		if *kernel == "" || *kernel == f.Name {
			listing.write(out, f)
		}
	}
	if out.Flush() != nil {
		return 4
	}
	return 0
}

// listing is a code object's functions, in the order of the image; image offsets are the addresses.
type listing struct {
	object    *codeobject.Object
	functions []codeobject.Symbol
}

func newListing(object *codeobject.Object) *listing {
	l := &listing{object: object}
	kernels := map[string]bool{}
	for _, k := range object.Kernels {
		kernels[k.Name] = true
		l.functions = append(l.functions, codeobject.Symbol{Name: k.Name, Offset: k.Entry, Bytes: k.End - k.Entry})
	}
	for _, s := range object.Symbols() {
		if code, ok := object.CodeAt(s.Offset); ok && !kernels[s.Name] && s.Bytes > 0 && s.Bytes <= code.End-s.Offset {
			l.functions = append(l.functions, s)
		}
	}
	sort.SliceStable(l.functions, func(i, j int) bool { return l.functions[i].Offset < l.functions[j].Offset })
	return l
}

// write lists one function. A word that is no instruction stands as data.
func (l *listing) write(w io.Writer, f codeobject.Symbol) {
	fmt.Fprintf(w, "%016x <%s>:\n", f.Offset, f.Name)
	code := l.object.Image[f.Offset : f.Offset+f.Bytes]
	for at := 0; at+4 <= len(code); {
		text, size, err := isa.Disassemble(code[at:])
		if err != nil {
			text, size = fmt.Sprintf(".long 0x%08x", binary.LittleEndian.Uint32(code[at:])), 4
		}
		address := f.Offset + uint64(at)
		fmt.Fprintf(w, "\t%-59s// %012X:", text, address)
		for i := 0; i < size; i += 4 {
			fmt.Fprintf(w, " %08X", binary.LittleEndian.Uint32(code[at+i:]))
		}
		if in, err := isa.Decode(code[at:]); err == nil && in.Format == isa.SOPP && in.Op.Unit == isa.UnitBranch {
			fmt.Fprint(w, l.label(address+4+uint64(int64(int16(in.SImm16))*4)))
		}
		fmt.Fprintln(w)
		at += size
	}
	fmt.Fprintln(w)
}

// label names an address as a distance from the function before it.
func (l *listing) label(address uint64) string {
	n := sort.Search(len(l.functions), func(i int) bool { return l.functions[i].Offset > address })
	if n == 0 {
		return ""
	}
	f := l.functions[n-1]
	if address == f.Offset {
		return fmt.Sprintf(" <%s>", f.Name)
	}
	return fmt.Sprintf(" <%s+0x%x>", f.Name, address-f.Offset)
}
