// Package memory is the device memory of the GPU model: contents, allocation, and the pages that units observe.
//
// Host copies (Read, Write) and kernel accesses (Load, Store, LineWriter, Plain) are told apart: only kernel stores are reported to
// the Observer, and only kernel loads go through a ViewReader.
package memory

import (
	"fmt"
	"sort"
	"sync"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/hugepages"
)

// PageBytes is the size of a page, the granularity of allocation and of flags.
const PageBytes = 4096

// LineBytes is the size of a cache line, the granularity in which stores are reported.
const LineBytes = 64

// DefaultBytes is the device memory of both GPU presets (source: r9nano figures).
const DefaultBytes = 4 << 30

// PageFlags tells what is special about a 4 KiB page.
type PageFlags uint8

// The flags of a page. An access to a page without PageAllocated is a fault.
const (
	PageAllocated PageFlags = 1 << iota
	PageWatched             // kernel stores into it are reported to the Observer
	PageView                // part of a compacted view: kernel loads go through its ViewReader
	PageReadOnly            // dense tensor behind a mapped view: a kernel store is a fault
)

// Memory is the GPU's device memory. Addresses below Size lie in one lazily committed mapping, so that an
// access is an index; other addresses (capsules recorded elsewhere, scratch) lie in regions of their own.
//
// Kernel accesses may come from several goroutines at once; allocation, flags and host copies may not run beside them.
type Memory struct {
	near region
	far  []*region // sorted by base, disjoint

	allocations []*Allocation // sorted by address, disjoint
	views       []view        // sorted by base, disjoint
	observer    Observer

	atomics [64]sync.Mutex // one lock per hashed line: atomics of concurrent goroutines
}

// region is one contiguous range of device addresses with host memory behind it.
type region struct {
	base    uint64
	data    []byte      // committed by the operating system page by page where it can
	page    []PageFlags // one entry a page
	release func()
}

// holds reports whether the n bytes at address lie in the region.
func (r *region) holds(address, n uint64) bool {
	offset := address - r.base
	return address >= r.base && offset <= uint64(len(r.data)) && n <= uint64(len(r.data))-offset
}

// New makes a device memory of the given number of bytes, rounded up to whole pages. Nothing is committed before it is
// touched, so that a 4 GiB device costs nothing on a small host.
func New(bytes uint64) (*Memory, error) {
	if bytes < 2*PageBytes || bytes > 1<<46 {
		return nil, fmt.Errorf("device memory must be between %d bytes and 64 TiB, got %d bytes", 2*PageBytes, bytes)
	}
	near, err := newRegion(0, roundUp(bytes))
	if err != nil {
		return nil, err
	}
	hugepages.Advise(near.data)
	return &Memory{near: *near}, nil
}

func newRegion(base, bytes uint64) (*region, error) {
	data, release, err := reserve(bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot reserve %d bytes of host address space for device memory: %w", bytes, err)
	}
	return &region{base: base, data: data, page: make([]PageFlags, bytes/PageBytes), release: release}, nil
}

// Close gives the host memory back. The Memory must not be used afterwards.
func (m *Memory) Close() {
	m.near.release()
	for _, r := range m.far {
		r.release()
	}
	*m = Memory{near: region{release: func() {}}}
}

// Size returns the bytes of device memory that Allocate hands out from.
func (m *Memory) Size() uint64 { return uint64(len(m.near.data)) }

// find returns the region that holds address, or nil.
func (m *Memory) find(address uint64) *region {
	if address < uint64(len(m.near.data)) {
		return &m.near
	}
	i := sort.Search(len(m.far), func(i int) bool { return m.far[i].base > address }) - 1
	if i >= 0 && m.far[i].holds(address, 1) {
		return m.far[i]
	}
	return nil
}

// Near returns the bytes of the addresses below Size and their page flags, for executors that index them directly: an
// access may do so when every page it touches has exactly the flag PageAllocated.
func (m *Memory) Near() ([]byte, []PageFlags) { return m.near.data, m.near.page }

// Flags returns the flags of the page that holds address; 0 for an address outside any region.
func (m *Memory) Flags(address uint64) PageFlags {
	r := m.find(address)
	if r == nil {
		return 0
	}
	return r.page[(address-r.base)/PageBytes]
}

// Plain returns the n bytes at address when they may be loaded and stored directly: allocated, not watched, not part of a
// view, not read-only. Otherwise it returns nil, and Load or Store must be used.
func (m *Memory) Plain(address, n uint64) []byte { return m.direct(address, n, ^PageFlags(0)) }

// Loadable is Plain for loads only: watched and read-only pages may be loaded directly.
func (m *Memory) Loadable(address, n uint64) []byte {
	return m.direct(address, n, PageAllocated|PageView)
}

// direct returns the bytes when every page they touch has PageAllocated as its only flag among those of care.
func (m *Memory) direct(address, n uint64, care PageFlags) []byte {
	r := &m.near
	if address >= uint64(len(r.data)) {
		if r = m.find(address); r == nil {
			return nil
		}
	}
	if n == 0 || !r.holds(address, n) {
		return nil
	}
	offset := address - r.base
	for p, last := offset/PageBytes, (offset+n-1)/PageBytes; p <= last; p++ {
		if r.page[p]&care != PageAllocated {
			return nil
		}
	}
	return r.data[offset : offset+n : offset+n]
}

// AtomicLock serialises atomics on the line that holds address between goroutines; call Unlock on what it returns.
func (m *Memory) AtomicLock(address uint64) *sync.Mutex {
	l := &m.atomics[(address/LineBytes)%uint64(len(m.atomics))]
	l.Lock()
	return l
}

func roundUp(bytes uint64) uint64 { return (bytes + PageBytes - 1) &^ (PageBytes - 1) }
