package capsule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// Recording is a launch that is made to be recorded.
type Recording struct {
	ObjectFile      string
	Kernel          string
	Grid, Workgroup []uint32
	GlobalOffset    []uint64
	Arguments       []Argument
	Origin          string
	GPU             string // name of the GPU that a timed recording's cycles are of
}

// Record executes a launch and writes it as a capsule into directory, which is made, or must be empty.
func Record(ctx context.Context, directory string, s *Recording, o Options) (*Outcome, error) {
	c := &Capsule{Directory: directory, Manifest: Manifest{Format: FormatName, Version: FormatVersion, Origin: s.Origin, Kernel: s.Kernel,
		Grid: s.Grid, Workgroup: s.Workgroup, GlobalOffset: s.GlobalOffset, CodeObject: filepath.Base(s.ObjectFile)}}
	content, err := os.ReadFile(s.ObjectFile)
	if err != nil {
		return nil, &FormatError{File: s.ObjectFile, Reason: fmt.Sprintf("the code object cannot be read: %v", withoutPath(err))}
	}
	object, err := codeobject.Parse(s.ObjectFile, content)
	if err != nil {
		return nil, err
	}
	kernel, err := object.Kernel(s.Kernel)
	if err != nil {
		return nil, err
	}
	m, err := memory.New(memory.DefaultBytes)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := c.layOut(m, kernel, s.Arguments); err != nil {
		return nil, err
	}
	if err := makeEmpty(directory); err != nil {
		return nil, err
	}
	outcome, err := c.record(ctx, m, kernel, s, &o, content)
	if err != nil {
		_ = os.RemoveAll(directory)
	}
	return outcome, err
}

func (c *Capsule) record(ctx context.Context, m *memory.Memory, kernel *codeobject.Kernel, s *Recording, o *Options, object []byte) (*Outcome, error) {
	outcome, err := c.launch(ctx, m, kernel, o)
	if err != nil {
		return outcome, err
	}
	if err := c.write(c.CodeObject, object); err != nil {
		return nil, err
	}
	if len(c.arguments) > 0 {
		c.Manifest.Arguments = "arguments.bin"
		if err := c.write(c.Manifest.Arguments, c.arguments); err != nil {
			return nil, err
		}
	}
	region := 0
	for _, a := range s.Arguments {
		if !a.Buffer {
			continue
		}
		r := &c.Regions[region]
		region++
		after, err := m.Bytes(uint64(r.Address), r.Bytes)
		if err != nil {
			return nil, err
		}
		if err := c.writeRegion(r, a.Content, after); err != nil {
			return nil, err
		}
	}
	c.Expected = &Expected{Instructions: outcome.Instructions}
	if o.Timing {
		c.Expected.Cycles, c.Expected.GPU = outcome.Cycles, s.GPU
	}
	text, err := json.MarshalIndent(&c.Manifest, "", "  ")
	if err != nil {
		return nil, err
	}
	return outcome, c.write(ManifestFile, append(text, '\n'))
}

// writeRegion writes a region's contents; before is nil for zeros.
func (c *Capsule) writeRegion(r *Region, before, after []byte) error {
	if before != nil {
		r.Before = r.Name + ".before.bin"
		if err := c.write(r.Before, before); err != nil {
			return err
		}
		if bytes.Equal(before, after) {
			return nil
		}
	}
	r.After = r.Name + ".after.bin"
	return c.write(r.After, after)
}

func (c *Capsule) write(file string, content []byte) error {
	return os.WriteFile(c.path(file), content, 0o666)
}

// makeEmpty makes a folder; one with something in it is refused.
func makeEmpty(directory string) error {
	if err := os.MkdirAll(directory, 0o777); err != nil {
		return err
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return &FormatError{File: directory, Reason: "expected a new or empty folder for the capsule, got one with something in it"}
	}
	return nil
}

// layOut gives every buffer its place on the device and makes the argument segment.
func (c *Capsule) layOut(m *memory.Memory, kernel *codeobject.Kernel, arguments []Argument) error {
	slots, err := argumentSlots(kernel, arguments)
	if err != nil {
		return fmt.Errorf("kernel %q: %w", kernel.Name, err)
	}
	c.Regions = []Region{}
	names := map[string]bool{}
	local := uint64(kernel.LDSBytes)
	for i := range arguments {
		a, slot := &arguments[i], &slots[i]
		value := a.Value
		switch {
		case a.Buffer:
			name := a.Name
			if name == "" {
				name = regionName(slot.Name, i)
			}
			if names[name] || strings.ContainsAny(name, `/\`) {
				return fmt.Errorf("expected a name for every buffer, each of its own and without slashes, got %q again", name)
			}
			names[name] = true
			address, err := m.Allocate(a.Bytes, name)
			if err == nil && a.Content != nil {
				err = m.Write(address, a.Content)
			}
			if err != nil {
				return err
			}
			c.Regions = append(c.Regions, Region{Name: name, Address: Address(address), Bytes: a.Bytes})
			value = little(address, 8)
		case a.Local:
			align := uint64(max(slot.PointeeAlign, 16))
			local = (local + align - 1) / align * align
			value = little(local, 4)
			local += a.Bytes
		}
		end := int(slot.Offset) + len(value)
		if end > len(c.arguments) {
			c.arguments = append(c.arguments, make([]byte, end-len(c.arguments))...)
		}
		copy(c.arguments[slot.Offset:], value)
	}
	if local > 1<<31 {
		return errors.New("the local arguments take more than 2 GiB")
	}
	c.DynamicLDSBytes = uint32(local - uint64(kernel.LDSBytes))
	return nil
}

func little(x uint64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(x >> (8 * i))
	}
	return b
}

func regionName(name string, index int) string {
	if name == "" {
		return fmt.Sprintf("argument%d", index)
	}
	return name
}

func (a *Argument) size() uint32 {
	switch {
	case a.Buffer:
		return 8
	case a.Local:
		return 4
	}
	return uint32(len(a.Value))
}

// argumentSlots places the arguments: where the metadata says, or, without metadata, aligned to their sizes.
func argumentSlots(kernel *codeobject.Kernel, arguments []Argument) ([]codeobject.Argument, error) {
	var slots []codeobject.Argument
	for _, a := range kernel.Arguments {
		if !a.Hidden() {
			slots = append(slots, a)
		}
	}
	if !kernel.HasMetadata {
		at := uint32(0)
		for i := range arguments {
			size := arguments[i].size()
			align := uint32(1)
			for align < size && align < 16 {
				align *= 2
			}
			at = (at + align - 1) / align * align
			slots = append(slots, codeobject.Argument{Offset: at, Size: size})
			at += size
		}
		return slots, nil
	}
	if len(slots) != len(arguments) {
		return nil, fmt.Errorf("expected %d arguments, got %d", len(slots), len(arguments))
	}
	for i := range arguments {
		if size := arguments[i].size(); size != slots[i].Size {
			return nil, fmt.Errorf("argument %d (%s %s) takes %d bytes, got %d", i, slots[i].TypeName, slots[i].Name, slots[i].Size, size)
		}
		if slots[i].Kind == "global_buffer" != arguments[i].Buffer {
			return nil, fmt.Errorf("argument %d (%s %s): expected a buffer where the kernel takes one, and nowhere else", i, slots[i].TypeName, slots[i].Name)
		}
	}
	return slots, nil
}
