package emu

import "fmt"

// scratch is the private memory of a launch: one slot for every wavefront that can be resident at once. Within a slot the dwords of the
// 64 lanes are interleaved, as the private segment buffer's swizzle has it.
type scratch struct {
	base      uint64 // device address; 0 when the kernel uses none
	waveBytes uint64 // of a slot
	laneBytes uint32 // of a work-item
	used      []bool // slots taken
	lowest    int    // no slot below it is free
}

const (
	// scratchBase is where scratch lies in the device's 48-bit address space, far from what Allocate hands out.
	scratchBase = 0x7000_0000_0000
	// maxResident is the number of wavefronts that are resident at once: 64 compute units of 40 slots, and as many again for a
	// functional runner that suspends work-groups.
	maxResident = 2 * 64 * SIMDsPerCU * SlotsPerSIMD
	// dynamicStackBytes is what a work-item gets on top when the compiler could not bound its stack.
	dynamicStackBytes = 16 << 10
	maxScratchBytes   = 4 << 30 // a wavefront's offset has 32 bits
)

// openScratch reserves the private memory when the first work-group asks for it.
func (l *Launch) openScratch() error {
	s := &l.scratch
	if s.laneBytes == 0 {
		s.laneBytes = (l.Kernel.PrivateBytes + 3) &^ 3
		if l.Kernel.DynamicStack {
			s.laneBytes += dynamicStackBytes
		}
		s.waveBytes = (uint64(s.laneBytes)*64 + 1023) &^ 1023
	}
	if s.base != 0 || s.waveBytes == 0 {
		return nil
	}
	slots := min(l.Groups()*uint64(l.WavesPerGroup()), maxResident, maxScratchBytes/s.waveBytes)
	for base := uint64(scratchBase); ; base += maxScratchBytes {
		if l.Memory.At(base) != nil {
			continue // another launch's
		}
		if err := l.Memory.AllocateAt(base, slots*s.waveBytes, l.Kernel.Name+" scratch"); err != nil {
			return err
		}
		s.base = base
		break
	}
	s.used = make([]bool, slots)
	return nil
}

// takeScratch gives a wavefront a slot, zeroed: a kernel that reads private memory before writing it gives the same result always.
func (l *Launch) takeScratch() (int, error) {
	s := &l.scratch
	if s.waveBytes == 0 {
		return -1, nil
	}
	for i := s.lowest; i < len(s.used); i++ {
		if !s.used[i] {
			s.used[i], s.lowest = true, i+1
			b, err := l.Memory.Bytes(s.base+uint64(i)*s.waveBytes, s.waveBytes)
			if err != nil {
				return -1, err
			}
			clear(b)
			return i, nil
		}
	}
	return -1, fmt.Errorf("kernel %q: private memory for %d wavefronts of %d bytes is in use", l.Kernel.Name, len(s.used), s.waveBytes)
}

func (l *Launch) giveScratch(slot int) {
	if slot >= 0 {
		l.scratch.used[slot] = false
		l.scratch.lowest = min(l.scratch.lowest, slot)
	}
}

// descriptor returns the private segment buffer's resource descriptor: 4-byte elements, interleaved over 64 lanes, the lane number added
// (source: GCN3 manual, buffer resource descriptor; LLVM, AMDGPU user guide, Private Segment Buffer).
func (s *scratch) descriptor() [4]uint32 {
	const swizzle = 1 << 31
	const element4, index64, addThread = 1 << 19, 3 << 21, 1 << 23
	return [4]uint32{uint32(s.base), uint32(s.base>>32)&0xffff | swizzle, 0xffffffff, element4 | index64 | addThread}
}
