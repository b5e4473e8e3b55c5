package emu

import (
	"encoding/binary"
	"fmt"
)

// Apertures of the flat address space: an address whose upper half is one of these goes to local or private memory
// (source: the Linux amdkfd driver's layout for gfx8).
const (
	localApertureHigh   = 0x20000000
	privateApertureHigh = 0x20000001
)

const (
	packetBytes = 64    // AQL kernel dispatch packet
	queueOffset = 0x100 // of the queue structure from the packet, in the same page
	queueBytes  = 256   // amd_queue_t
)

// writeArguments allocates and fills the kernel arguments, the dispatch packet and the queue structure, each allocation in pages of its own.
func (l *Launch) writeArguments(arguments []byte, dimensions int) error {
	k, m := l.Kernel, l.Memory
	address, err := m.Allocate(uint64(max(k.KernargBytes, 1)), k.Name+" arguments")
	if err != nil {
		return err
	}
	l.KernargAddress = address
	if l.PacketAddress, err = m.Allocate(queueOffset+queueBytes, k.Name+" dispatch packet"); err != nil {
		return err
	}
	l.QueueAddress = l.PacketAddress + queueOffset

	segment := make([]byte, k.KernargBytes)
	copy(segment, arguments)
	if err := l.fillHidden(segment, dimensions); err != nil {
		return err
	}
	if err := m.Write(l.KernargAddress, segment); err != nil {
		return err
	}
	if err := m.Write(l.QueueAddress, l.queue()); err != nil {
		return err
	}
	return m.Write(l.PacketAddress, l.packet(dimensions))
}

// packet returns the AQL kernel dispatch packet (source: HSA Platform System Architecture Specification, AQL).
func (l *Launch) packet(dimensions int) []byte {
	p, le := make([]byte, packetBytes), binary.LittleEndian
	le.PutUint16(p, 2) // packet type: kernel dispatch
	le.PutUint16(p[2:], uint16(dimensions))
	for d := range 3 {
		le.PutUint16(p[4+2*d:], uint16(l.GroupSize[d]))
		le.PutUint32(p[12+4*d:], l.Grid[d])
	}
	le.PutUint32(p[24:], l.Kernel.PrivateBytes)
	le.PutUint32(p[28:], l.LDSBytes())
	if l.Program != nil {
		le.PutUint64(p[32:], l.Program.Base)
	}
	le.PutUint64(p[40:], l.KernargAddress)
	return p
}

// queue returns the part of amd_queue_t that kernels read: the upper halves of the apertures (source: LLVM, AMDGPU user guide).
func (l *Launch) queue() []byte {
	q := make([]byte, queueBytes)
	binary.LittleEndian.PutUint32(q[0x40:], localApertureHigh)
	binary.LittleEndian.PutUint32(q[0x44:], privateApertureHigh)
	return q
}

// fillHidden writes the arguments that the runtime owes the kernel. Printf, hostcall, heap, default queue and multigrid arguments are null: this
// machine has no host services for kernels.
func (l *Launch) fillHidden(segment []byte, dimensions int) error {
	for i := range l.Kernel.Arguments {
		a := &l.Kernel.Arguments[i]
		if !a.Hidden() {
			continue
		}
		if a.Size > 8 || uint64(a.Offset)+uint64(a.Size) > uint64(len(segment)) {
			return fmt.Errorf("its metadata places %s, %d bytes, at offset %d of a %d-byte argument segment", a.Kind, a.Size, a.Offset, len(segment))
		}
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], l.hidden(a.Kind, dimensions))
		copy(segment[a.Offset:], b[:a.Size])
	}
	return nil
}

func (l *Launch) hidden(kind string, dimensions int) uint64 {
	last := len(kind) - 1
	axis := int(kind[last]) - 'x'
	if axis >= 0 && axis <= 2 && kind[last-1] == '_' {
		switch kind[:last] {
		case "hidden_global_offset_":
			return l.GlobalOffset[axis]
		case "hidden_block_count_": // complete work-groups
			return uint64(l.Grid[axis] / l.GroupSize[axis])
		case "hidden_group_size_":
			return uint64(l.GroupSize[axis])
		case "hidden_remainder_": // work-items of the partial work-group
			return uint64(l.Grid[axis] % l.GroupSize[axis])
		}
	}
	switch kind {
	case "hidden_grid_dims":
		return uint64(dimensions)
	case "hidden_private_base":
		return privateApertureHigh
	case "hidden_shared_base":
		return localApertureHigh
	case "hidden_queue_ptr":
		return l.QueueAddress
	case "hidden_dynamic_lds_size":
		return uint64(l.DynamicLDS)
	}
	return 0
}
