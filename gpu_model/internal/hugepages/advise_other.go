//go:build !linux

package hugepages

// Advise does nothing on this system.
func Advise([]byte) {}

// Heap does nothing on this system.
func Heap(int) {}
