package memory

import "syscall"

// zero clears freed pages; large ranges are given back to the operating system, which hands out zeros when they are touched again.
func zero(b []byte) {
	if len(b) >= 1<<20 && syscall.Madvise(b, syscall.MADV_DONTNEED) == nil {
		return
	}
	clear(b)
}
