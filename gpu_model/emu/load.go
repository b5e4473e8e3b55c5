package emu

import (
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// Loader puts code objects into device memory and decodes their kernels.
type Loader struct {
	Memory *memory.Memory
	images map[*codeobject.Object]uint64 // device address of the whole image, where a kernel needed it
}

// Load makes a kernel ready to run. A kernel that refers to nothing but its own instructions is placed alone, page-aligned, as upstream
// MGPUSim does; one that calls functions or reads constants gets its object's whole image, shared with the object's other kernels.
func (d *Loader) Load(k *codeobject.Kernel) (*Program, error) {
	if selfContained(k) {
		return d.place(k)
	}
	base, ok := d.images[k.Object]
	if !ok {
		var err error
		if base, err = d.Memory.Allocate(uint64(len(k.Object.Image)), k.Object.File); err != nil {
			return nil, err
		}
		if err := d.Memory.Write(base, k.Object.Place(base)); err != nil {
			return nil, err
		}
		if d.images == nil {
			d.images = map[*codeobject.Object]uint64{}
		}
		d.images[k.Object] = base
	}
	text, _ := k.Object.CodeAt(k.Entry)
	text.End = text.Begin + (text.End-text.Begin)&^3
	code, err := d.Memory.Bytes(base+text.Begin, text.End-text.Begin)
	if err != nil {
		return nil, err
	}
	return NewProgram(k.Name, base+text.Begin, append([]byte(nil), code...), k.Entry-text.Begin, int(k.AllocatedVGPRs))
}

// place puts the kernel's own instructions into an allocation of their own.
func (d *Loader) place(k *codeobject.Kernel) (*Program, error) {
	code := append([]byte(nil), k.Code()...)
	code = code[:len(code)&^3]
	base, err := d.Memory.Allocate(uint64(len(code)), k.Name+" code")
	if err != nil {
		return nil, err
	}
	if err := d.Memory.Write(base, code); err != nil {
		return nil, err
	}
	return NewProgram(k.Name, base, code, 0, int(k.AllocatedVGPRs))
}

// Unload frees what Load placed for a self-contained kernel; images stay until the device is closed.
func (d *Loader) Unload(p *Program) error {
	if a := d.Memory.At(p.Base); a == nil || a.Address != p.Base || a.Name != p.Name+" code" {
		return fmt.Errorf("kernel %q shares its image with others and stays loaded", p.Name)
	}
	return d.Memory.Free(p.Base)
}

// selfContained reports whether a kernel can run away from its image: no relocation touches it, it does not ask for its own address, and no
// branch leaves it.
func selfContained(k *codeobject.Kernel) bool {
	if k.Object.Relocated(codeobject.Range{Begin: k.Entry, End: k.End}) {
		return false
	}
	code := k.Code()
	for at := 0; at+4 <= len(code); {
		in, err := isa.Decode(code[at:])
		if err != nil {
			at += 4 // data between instructions
			continue
		}
		at += int(in.Size)
		switch name := in.Op.Name; {
		case name == "s_getpc_b64", name == "s_swappc_b64", name == "s_call_b64":
			return false
		case in.Op.Unit == isa.UnitBranch && in.Format == isa.SOPP:
			if target := at + 4*int(int16(in.SImm16)); target < 0 || target >= len(code) {
				return false
			}
		}
	}
	return true
}
