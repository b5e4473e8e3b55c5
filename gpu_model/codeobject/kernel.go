package codeobject

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Kernel is one kernel of a code object, its header and metadata in one form for all versions.
type Kernel struct {
	Name   string
	Object *Object

	Entry uint64 // image offset of the first instruction
	End   uint64 // image offset after the kernel's own code, by its symbol's size; the end of the code range where that is unknown

	SGPRs, VGPRs   uint32 // registers used, as the header or metadata counts them
	AllocatedVGPRs uint32 // registers per lane that the hardware gives, a multiple of 4
	AllocatedSGPRs uint32 // a multiple of 16

	LDSBytes      uint32 // static local memory of a work-group
	PrivateBytes  uint32 // private segment (scratch) of a work-item
	KernargBytes  uint32 // kernel arguments, hidden ones included
	DynamicStack  bool   // the compiler could not bound PrivateBytes (recursion, indirect calls)
	Rsrc1, Rsrc2  uint32 // COMPUTE_PGM_RSRC1 and 2: MODE, user SGPR count, …
	Enable        Enable
	Arguments     []Argument // empty where the object carries no metadata
	HasMetadata   bool
	ReqdWorkgroup [3]uint32 // reqd_work_group_size; zeros when the source does not ask for one
	MaxWorkgroup  uint32    // largest work-group the kernel was compiled for; 0 when unknown
}

// Enable tells which values the hardware puts into registers before the first instruction, in this order.
type Enable struct {
	PrivateSegmentBuffer                          bool // 4 SGPRs
	DispatchPtr, QueuePtr, KernargPtr, DispatchID bool // 2 each
	FlatScratchInit                               bool // 2
	PrivateSegmentSize                            bool // 1
	GridWorkgroupCount                            [3]bool
	UserSGPRs                                     uint8 // SGPRs that the above may fill
	WorkgroupID                                   [3]bool
	WorkgroupInfo                                 bool
	ScratchWaveOffset                             bool
	WorkitemID                                    uint8 // VGPR work-item ids: 0 x, 1 x and y, 2 x, y and z
}

// Argument is one kernel argument as the metadata describes it.
type Argument struct {
	Name, TypeName string
	Offset, Size   uint32
	Kind           string // "by_value", "global_buffer", "dynamic_shared_pointer", "hidden_global_offset_x", …
	Access         string
	PointeeAlign   uint32
}

// Hidden reports whether the runtime fills the argument, not the caller.
func (a *Argument) Hidden() bool { return strings.HasPrefix(a.Kind, "hidden_") }

// Mode returns the initial MODE register: rounding in bits 0–3, denormals in 4–7, dx10_clamp 8, ieee 9.
func (k *Kernel) Mode() uint32 {
	return k.Rsrc1>>12&0xff | k.Rsrc1>>21&1<<8 | k.Rsrc1>>23&1<<9
}

// Code returns the kernel's own instructions. They may refer to the rest of the image.
func (k *Kernel) Code() []byte { return k.Object.Image[k.Entry:k.End] }

const (
	headerV2Bytes   = 256 // amd_kernel_code_t
	descriptorBytes = 64  // kernel descriptor of v3 and later
)

func (o *Object) findKernels(table []symbol, meta []kernelMetadata) error {
	byName := map[string]*kernelMetadata{}
	for i := range meta {
		byName[meta[i].name] = &meta[i]
	}
	functions := map[string]*symbol{}
	for i := range table {
		if t := &table[i]; t.kind == symbolFunction && t.value != unresolved {
			functions[t.name] = t
		}
	}
	seen := map[string]bool{}
	for i := range table {
		s := &table[i]
		var k *Kernel
		var err error
		switch {
		case s.value == unresolved:
			continue
		case o.Version == 2 && s.kind == symbolKernelV2:
			k, err = o.kernelV2(s)
		case o.Version > 2 && s.kind == symbolObject && strings.HasSuffix(s.name, ".kd"):
			k, err = o.kernelV3(s, functions)
		}
		if err != nil {
			return fmt.Errorf("kernel %q: %w", strings.TrimSuffix(s.name, ".kd"), err)
		}
		if k == nil || seen[k.Name] {
			continue
		}
		seen[k.Name] = true
		k.Object = o
		k.LDSBytes = max(k.LDSBytes, o.LDSBytes)
		k.decodeRegisters()
		if m := byName[k.Name]; m != nil {
			k.addMetadata(m)
		}
		if err := k.check(); err != nil {
			return fmt.Errorf("kernel %q: %w", k.Name, err)
		}
		if o.Kernels = append(o.Kernels, k); len(o.Kernels) > maxKernels {
			return fmt.Errorf("expected at most %d kernels", maxKernels)
		}
	}
	return nil
}

// at returns n image bytes at offset.
func (o *Object) at(what string, offset, n uint64) ([]byte, error) {
	if offset > uint64(len(o.Image)) || n > uint64(len(o.Image))-offset {
		return nil, fmt.Errorf("%s of %d bytes at image offset 0x%x lies outside the image of %d bytes", what, n, offset, len(o.Image))
	}
	return o.Image[offset : offset+n], nil
}

func (o *Object) kernelV2(s *symbol) (*Kernel, error) {
	h, err := o.at("the kernel header", s.value, headerV2Bytes)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if major, minor := le.Uint32(h), le.Uint32(h[4:]); major != 1 {
		return nil, fmt.Errorf("expected a kernel header of version 1.x, got %d.%d", major, minor)
	}
	if machine, major := le.Uint16(h[8:]), le.Uint16(h[10:]); machine != 1 || major != 8 {
		return nil, fmt.Errorf("expected a header for AMDGPU gfx8, got machine kind %d, gfx version %d.%d.%d", machine, major,
			le.Uint16(h[12:]), le.Uint16(h[14:]))
	}
	if h[103] != 6 {
		return nil, fmt.Errorf("expected wavefronts of 64 lanes, got 2 to the power of %d", h[103])
	}
	properties := le.Uint32(h[56:])
	k := &Kernel{
		Name: s.name, Entry: s.value + le.Uint64(h[16:]), End: s.value + s.size,
		Rsrc1: le.Uint32(h[48:]), Rsrc2: le.Uint32(h[52:]),
		PrivateBytes: le.Uint32(h[60:]), LDSBytes: le.Uint32(h[64:]),
		SGPRs: uint32(le.Uint16(h[84:])), VGPRs: uint32(le.Uint16(h[86:])),
	}
	kernarg := le.Uint64(h[72:])
	if kernarg > maxKernargBytes {
		return nil, fmt.Errorf("expected at most %d bytes of kernel arguments, got %d", maxKernargBytes, kernarg)
	}
	k.KernargBytes = uint32(kernarg)
	k.Enable.setProperties(properties)
	for i := range k.Enable.GridWorkgroupCount {
		k.Enable.GridWorkgroupCount[i] = properties>>(7+i)&1 != 0
	}
	return k, nil
}

func (o *Object) kernelV3(s *symbol, functions map[string]*symbol) (*Kernel, error) {
	d, err := o.at("the kernel descriptor", s.value, descriptorBytes)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	properties := uint32(le.Uint16(d[56:]))
	if properties>>10&1 != 0 {
		return nil, fmt.Errorf("expected wavefronts of 64 lanes; the descriptor asks for 32")
	}
	k := &Kernel{
		Name: strings.TrimSuffix(s.name, ".kd"), Entry: s.value + le.Uint64(d[16:]),
		LDSBytes: le.Uint32(d), PrivateBytes: le.Uint32(d[4:]), KernargBytes: le.Uint32(d[8:]),
		Rsrc1: le.Uint32(d[48:]), Rsrc2: le.Uint32(d[52:]), DynamicStack: properties>>11&1 != 0,
	}
	k.Enable.setProperties(properties)
	if t := functions[k.Name]; t != nil {
		k.End = t.value + t.size
	}
	return k, nil
}

func (e *Enable) setProperties(p uint32) {
	e.PrivateSegmentBuffer = p&1 != 0
	e.DispatchPtr = p>>1&1 != 0
	e.QueuePtr = p>>2&1 != 0
	e.KernargPtr = p>>3&1 != 0
	e.DispatchID = p>>4&1 != 0
	e.FlatScratchInit = p>>5&1 != 0
	e.PrivateSegmentSize = p>>6&1 != 0
}

// decodeRegisters reads COMPUTE_PGM_RSRC1 and 2.
func (k *Kernel) decodeRegisters() {
	k.AllocatedVGPRs = (k.Rsrc1&0x3f + 1) * 4
	k.AllocatedSGPRs = (k.Rsrc1>>6&0xf/2 + 1) * 16 // gfx8 counts in eights and allocates in sixteens
	if k.VGPRs == 0 {
		k.VGPRs = k.AllocatedVGPRs
	}
	if k.SGPRs == 0 {
		k.SGPRs = (k.Rsrc1>>6&0xf + 1) * 8
	}
	r := k.Rsrc2
	k.Enable.ScratchWaveOffset = r&1 != 0
	k.Enable.UserSGPRs = uint8(r >> 1 & 0x1f)
	for i := range k.Enable.WorkgroupID {
		k.Enable.WorkgroupID[i] = r>>(7+i)&1 != 0
	}
	k.Enable.WorkgroupInfo = r>>10&1 != 0
	k.Enable.WorkitemID = uint8(r >> 11 & 3)
}

// Limits of gfx803 (source: LLVM, AMDGPU backend; R9 Nano figures).
const (
	maxKernargBytes = 1 << 20
	maxVGPRs        = 256
	maxSGPRs        = 102
	maxLDSBytes     = 64 << 10
	maxPrivateBytes = 8 << 20
)

// check refuses what no gfx803 can run, and code ranges outside the image.
func (k *Kernel) check() error {
	code, ok := k.Object.CodeAt(k.Entry)
	if !ok || k.Entry%4 != 0 {
		return fmt.Errorf("its first instruction at image offset 0x%x is not in executable memory on a 4-byte boundary", k.Entry)
	}
	if k.End <= k.Entry || k.End > code.End {
		k.End = code.End
	}
	switch {
	case k.VGPRs > maxVGPRs || k.AllocatedVGPRs > maxVGPRs:
		return fmt.Errorf("expected at most %d vector registers, got %d", maxVGPRs, max(k.VGPRs, k.AllocatedVGPRs))
	case k.AllocatedVGPRs < k.VGPRs:
		return fmt.Errorf("the header allocates %d vector registers and uses %d", k.AllocatedVGPRs, k.VGPRs)
	case k.AllocatedSGPRs > 112 || k.SGPRs > maxSGPRs+10:
		return fmt.Errorf("expected at most %d scalar registers, got %d", maxSGPRs, max(k.SGPRs, k.AllocatedSGPRs))
	case k.LDSBytes > maxLDSBytes:
		return fmt.Errorf("expected at most %d bytes of local memory, got %d", maxLDSBytes, k.LDSBytes)
	case k.PrivateBytes > maxPrivateBytes:
		return fmt.Errorf("expected at most %d bytes of private memory a work-item, got %d", maxPrivateBytes, k.PrivateBytes)
	case k.KernargBytes > maxKernargBytes:
		return fmt.Errorf("expected at most %d bytes of kernel arguments, got %d", maxKernargBytes, k.KernargBytes)
	case k.Enable.WorkitemID > 2:
		return fmt.Errorf("the header asks for %d work-item id registers; 1 to 3 exist", k.Enable.WorkitemID+1)
	case k.Enable.UserSGPRs > 16:
		return fmt.Errorf("expected at most 16 user SGPRs, got %d", k.Enable.UserSGPRs)
	}
	return nil
}

func (k *Kernel) addMetadata(m *kernelMetadata) {
	k.HasMetadata = true
	k.Arguments = m.arguments
	k.ReqdWorkgroup = m.reqdWorkgroup
	k.MaxWorkgroup = m.maxWorkgroup
	if k.Object.Version > 2 {
		if m.vgprs != 0 {
			k.VGPRs = min(m.vgprs, k.AllocatedVGPRs)
		}
		if m.sgprs != 0 {
			k.SGPRs = m.sgprs
		}
	}
	k.KernargBytes = max(k.KernargBytes, min(m.kernargBytes, maxKernargBytes))
	k.DynamicStack = k.DynamicStack || m.dynamicStack
}
