package capsule

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
)

// Show describes a capsule in text.
func (c *Capsule) Show(out io.Writer) error {
	kernel, err := c.open()
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: kernel %s of %s, code object version %d\n", c.Directory, c.Kernel, c.CodeObject, kernel.Object.Version)
	if c.Origin != "" {
		fmt.Fprintf(&b, "from %s\n", c.Origin)
	}
	fmt.Fprintf(&b, "grid %s work-items in work-groups of %s", product(c.Grid), product(c.Workgroup))
	if len(c.GlobalOffset) > 0 {
		fmt.Fprintf(&b, ", global offset %v", c.GlobalOffset)
	}
	fmt.Fprintf(&b, "\n%d VGPRs, %d SGPRs, %d bytes of local memory (%d dynamic), %d bytes of private memory a work-item\n",
		kernel.VGPRs, kernel.SGPRs, kernel.LDSBytes+c.DynamicLDSBytes, c.DynamicLDSBytes, kernel.PrivateBytes)
	c.showArguments(&b, kernel)
	fmt.Fprintf(&b, "regions:\n")
	for i := range c.Regions {
		r := &c.Regions[i]
		fmt.Fprintf(&b, "  %-16s 0x%012x %12d bytes  before: %s, after: %s\n", r.Name, uint64(r.Address), r.Bytes, orElse(r.Before, "zeros"), r.afterText())
	}
	if e := c.Expected; e != nil {
		fmt.Fprintf(&b, "expected:")
		if e.Instructions != 0 {
			fmt.Fprintf(&b, " %d wavefront instructions", e.Instructions)
		}
		if e.Cycles != 0 {
			fmt.Fprintf(&b, " %d cycles on %s", e.Cycles, orElse(e.GPU, "an unnamed GPU"))
		}
		fmt.Fprintln(&b)
	}
	_, err = io.WriteString(out, b.String())
	return err
}

func (r *Region) afterText() string {
	switch {
	case r.Ignore:
		return "not compared"
	case r.After != "":
		return r.After
	}
	return "unchanged"
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func product(sizes []uint32) string {
	text := make([]string, len(sizes))
	for i, n := range sizes {
		text[i] = fmt.Sprint(n)
	}
	return strings.Join(text, " × ")
}

// showArguments lists the arguments that the metadata names, or the raw bytes.
func (c *Capsule) showArguments(b *strings.Builder, kernel *codeobject.Kernel) {
	fmt.Fprintf(b, "arguments (%d bytes):\n", len(c.arguments))
	if !kernel.HasMetadata {
		for at := 0; at < len(c.arguments); at += 16 {
			fmt.Fprintf(b, "  %4d  % x\n", at, c.arguments[at:min(at+16, len(c.arguments))])
		}
		return
	}
	for i := range kernel.Arguments {
		a := &kernel.Arguments[i]
		if end := uint64(a.Offset) + uint64(a.Size); !a.Hidden() && end <= uint64(len(c.arguments)) {
			fmt.Fprintf(b, "  %4d  %-20s %s\n", a.Offset, strings.TrimSpace(a.TypeName+" "+a.Name), c.argumentValue(a, c.arguments[a.Offset:end]))
		}
	}
}

func (c *Capsule) argumentValue(a *codeobject.Argument, b []byte) string {
	le := binary.LittleEndian
	switch {
	case a.Kind == "global_buffer" && len(b) == 8:
		address := le.Uint64(b)
		for i := range c.Regions {
			if r := &c.Regions[i]; address >= uint64(r.Address) && address-uint64(r.Address) < r.Bytes {
				return fmt.Sprintf("0x%x = %s + %d", address, r.Name, address-uint64(r.Address))
			}
		}
		return fmt.Sprintf("0x%x, in no region", address)
	case a.Kind == "dynamic_shared_pointer" && len(b) == 4:
		return fmt.Sprintf("local memory from byte %d", le.Uint32(b))
	case a.TypeName == "float" && len(b) == 4:
		return fmt.Sprint(math.Float32frombits(le.Uint32(b)))
	case a.TypeName == "double" && len(b) == 8:
		return fmt.Sprint(math.Float64frombits(le.Uint64(b)))
	case len(b) == 4:
		return fmt.Sprintf("%d (0x%x)", int32(le.Uint32(b)), le.Uint32(b))
	case len(b) == 8:
		return fmt.Sprintf("%d (0x%x)", int64(le.Uint64(b)), le.Uint64(b))
	case len(b) == 2:
		return fmt.Sprintf("%d (0x%x)", int16(le.Uint16(b)), le.Uint16(b))
	case len(b) == 1:
		return fmt.Sprintf("%d (0x%x)", int8(b[0]), b[0])
	}
	return fmt.Sprintf("% x", b)
}
