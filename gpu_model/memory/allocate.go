package memory

import (
	"fmt"
	"sort"
)

// Allocation is a named range of device memory. Bytes is what was asked for; whole pages are taken.
type Allocation struct {
	Address uint64
	Bytes   uint64
	Name    string
}

func (a *Allocation) end() uint64 { return a.Address + roundUp(a.Bytes) }

// OutOfMemoryError says that device memory has no free range that is large enough.
type OutOfMemoryError struct {
	Name                 string
	Bytes                uint64
	Free, Largest, Total uint64 // bytes free, the largest free range, all of device memory
}

// Error returns the sentence.
func (e *OutOfMemoryError) Error() string {
	return fmt.Sprintf("out of device memory: %q needs %d bytes, and of %d bytes %d are free, the largest free range being %d",
		e.Name, e.Bytes, e.Total, e.Free, e.Largest)
}

// Allocate takes whole pages for bytes at the lowest free address, from 0x1000 up: consecutive allocations are adjacent.
// Page 0 stays free, so that a null pointer faults. Fresh memory reads as zeros. name stands in errors.
func (m *Memory) Allocate(bytes uint64, name string) (uint64, error) {
	need := roundUp(max(bytes, 1))
	at, free, largest := uint64(PageBytes), uint64(0), uint64(0)
	found := false
	var place uint64
	try := func(end uint64) {
		if end > at {
			free, largest = free+end-at, max(largest, end-at)
			if !found && need <= end-at && need >= bytes {
				found, place = true, at
			}
		}
	}
	for _, a := range m.allocations {
		if a.Address >= m.Size() {
			break
		}
		try(a.Address)
		at = a.end()
		if found {
			break
		}
	}
	if !found {
		try(m.Size())
	}
	if !found {
		return 0, &OutOfMemoryError{Name: name, Bytes: bytes, Free: free, Largest: largest, Total: m.Size()}
	}
	m.insert(&Allocation{Address: place, Bytes: bytes, Name: name}, &m.near)
	return place, nil
}

// maxFarBytes is the largest allocation beyond Size (more on a larger device).
const maxFarBytes = 4 << 30

// AllocateAt takes whole pages at exactly address, which must be page-aligned and free. Addresses beyond Size get a region of their
// own, committed as it is touched, so that a launch recorded elsewhere keeps its 64-bit addresses.
func (m *Memory) AllocateAt(address, bytes uint64, name string) error {
	if address%PageBytes != 0 {
		return fmt.Errorf("allocation %q must begin at a multiple of %d bytes, got address 0x%x", name, PageBytes, address)
	}
	need := roundUp(max(bytes, 1))
	if need < bytes || address+need < address {
		return fmt.Errorf("allocation %q of %d bytes at 0x%x passes the end of the 64-bit address space", name, bytes, address)
	}
	i := sort.Search(len(m.allocations), func(i int) bool { return m.allocations[i].end() > address })
	if i < len(m.allocations) && m.allocations[i].Address < address+need {
		return fmt.Errorf("allocation %q of %d bytes at 0x%x overlaps %q at 0x%x", name, bytes, address,
			m.allocations[i].Name, m.allocations[i].Address)
	}
	r := &m.near
	switch {
	case address+need <= m.Size():
	case address < m.Size():
		return fmt.Errorf("allocation %q of %d bytes at 0x%x crosses the end of device memory at 0x%x", name, bytes, address, m.Size())
	case need > max(m.Size(), maxFarBytes):
		// The host's address space bounds what bad input can ask for.
		return &OutOfMemoryError{Name: name, Bytes: bytes, Free: m.Size(), Largest: m.Size(), Total: m.Size()}
	default:
		var err error
		if r, err = newRegion(address, need); err != nil {
			return err
		}
		j := sort.Search(len(m.far), func(j int) bool { return m.far[j].base > address })
		m.far = append(m.far, nil)
		copy(m.far[j+1:], m.far[j:])
		m.far[j] = r
	}
	m.insert(&Allocation{Address: address, Bytes: bytes, Name: name}, r)
	return nil
}

// insert records a and marks its pages allocated.
func (m *Memory) insert(a *Allocation, r *region) {
	i := sort.Search(len(m.allocations), func(i int) bool { return m.allocations[i].Address > a.Address })
	m.allocations = append(m.allocations, nil)
	copy(m.allocations[i+1:], m.allocations[i:])
	m.allocations[i] = a
	a.Bytes = max(a.Bytes, 1)
	for p := (a.Address - r.base) / PageBytes; p < (a.end()-r.base)/PageBytes; p++ {
		r.page[p] = PageAllocated
	}
}

// Free gives back the allocation that begins at address. Its views must be unmapped first; watches end with it.
func (m *Memory) Free(address uint64) error {
	i := sort.Search(len(m.allocations), func(i int) bool { return m.allocations[i].Address >= address })
	if i == len(m.allocations) || m.allocations[i].Address != address {
		return fmt.Errorf("no allocation begins at device address 0x%x; %s", address, m.nearest(address))
	}
	a := m.allocations[i]
	for _, v := range m.views {
		if v.base < a.end() && v.end > a.Address {
			return fmt.Errorf("allocation %q at 0x%x cannot be freed while the view at 0x%x is mapped", a.Name, a.Address, v.base)
		}
	}
	m.allocations = append(m.allocations[:i], m.allocations[i+1:]...)
	r := m.find(address)
	if r != &m.near {
		r.release()
		for j, f := range m.far {
			if f == r {
				m.far = append(m.far[:j], m.far[j+1:]...)
				break
			}
		}
		return nil
	}
	clear(r.page[a.Address/PageBytes : a.end()/PageBytes])
	zero(r.data[a.Address:a.end()])
	return nil
}

// At returns the allocation that holds address, or nil.
func (m *Memory) At(address uint64) *Allocation {
	i := sort.Search(len(m.allocations), func(i int) bool { return m.allocations[i].end() > address })
	if i < len(m.allocations) && m.allocations[i].Address <= address {
		return m.allocations[i]
	}
	return nil
}

// Allocations returns all allocations in order of address.
func (m *Memory) Allocations() []*Allocation { return append([]*Allocation(nil), m.allocations...) }

// Describe names the allocation that holds address: `"weights"+0x40`.
func (m *Memory) Describe(address uint64) string {
	a := m.At(address)
	if a == nil {
		return fmt.Sprintf("unallocated address 0x%x", address)
	}
	return fmt.Sprintf("%q+0x%x", a.Name, address-a.Address)
}

// nearest tells where address lies among the allocations.
func (m *Memory) nearest(address uint64) string {
	if len(m.allocations) == 0 {
		return "nothing is allocated"
	}
	i := sort.Search(len(m.allocations), func(i int) bool { return m.allocations[i].Address > address })
	if i == 0 {
		a := m.allocations[0]
		return fmt.Sprintf("the first allocation is %q at 0x%x", a.Name, a.Address)
	}
	a := m.allocations[i-1]
	return fmt.Sprintf("the allocation before it is %q, %d bytes at 0x%x", a.Name, a.Bytes, a.Address)
}
