// Package memory is the device memory of the GPU model: contents, allocation, and the pages that units observe.
package memory

// Memory is the GPU's device memory. Addresses below Size lie in one lazily committed mapping, so that an
// access is an index; other addresses (capsules recorded elsewhere) live in pages on demand.
type Memory struct {
	data []byte      // Size bytes of address space, committed by the OS page by page
	page []PageFlags // one entry a 4 KiB page
}

// PageFlags tells what is special about a 4 KiB page.
type PageFlags uint8

// The flags of a page. An access to a page without PageAllocated is a fault.
const (
	PageAllocated PageFlags = 1 << iota
	PageWatched             // stores into it are reported to the Observer
	PageView                // part of a compacted view: loads go through the ViewReader
	PageReadOnly            // dense tensor behind a mapped view: a store is a fault
)
