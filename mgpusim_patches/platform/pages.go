package platform

import (
	"fmt"

	"github.com/sarchlab/akita/v4/mem/vm"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/attach"
)

// Process is the process that kernels belong to.
const process vm.PID = 1

// pageTable maps device addresses to upstream's physical addresses. Addresses within the device's memory map to themselves; pages of
// capsules recorded elsewhere, at any 64-bit address, take physical pages from the memory's end.
type pageTable struct {
	bytes uint64            // of device memory
	far   map[uint64]uint64 // device page → page of device memory
	back  map[uint64]uint64
	next  uint64 // far pages are taken below it
}

func newPageTable(bytes uint64) *pageTable {
	return &pageTable{bytes: bytes, far: map[uint64]uint64{}, back: map[uint64]uint64{}, next: bytes}
}

// place returns where a device page lies in the device's memory.
func (p *pageTable) place(page uint64) uint64 {
	if page < p.bytes {
		return page
	}
	at, ok := p.far[page]
	if !ok {
		p.next -= memory.PageBytes
		at = p.next
		p.far[page], p.back[at] = at, page
	}
	return at
}

func (p *pageTable) physical(device uint64) uint64 {
	offset := device % memory.PageBytes
	return p.place(device-offset) + offset + attach.MemoryOffset
}

func (p *pageTable) device(physical uint64) uint64 {
	address := physical - attach.MemoryOffset
	offset := address % memory.PageBytes
	if page, ok := p.back[address-offset]; ok {
		return page + offset
	}
	return address
}

// Find implements vm.PageTable. Every page is mapped, since fetching runs ahead of the code; loads and stores are checked where they leave
// the L1 caches.
func (p *pageTable) Find(pid vm.PID, address uint64) (vm.Page, bool) {
	page := address &^ (memory.PageBytes - 1)
	return vm.Page{PID: pid, VAddr: page, PAddr: p.physical(page), PageSize: memory.PageBytes, Valid: true, DeviceID: 1}, true
}

// ReverseLookup implements vm.PageTable.
func (p *pageTable) ReverseLookup(physical uint64) (vm.Page, bool) {
	return p.Find(process, p.device(physical))
}

// Insert, Remove and Update implement vm.PageTable: pages are not migrated here.
func (p *pageTable) Insert(page vm.Page) {
	panic(fmt.Sprintf("platform: page 0x%x was inserted", page.VAddr))
}
func (p *pageTable) Remove(vm.PID, uint64) { panic("platform: a page was removed") }
func (p *pageTable) Update(page vm.Page) {
	panic(fmt.Sprintf("platform: page 0x%x was updated", page.VAddr))
}
