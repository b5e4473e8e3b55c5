package hugepages

import (
	"runtime"
	"syscall"
	"unsafe"
)

const (
	pageBytes    = 2 << 20
	madvHugePage = 14 // linux/mman.h: MADV_HUGEPAGE
)

// Advise asks for large pages behind the bytes, as far as whole ones lie in them. What has been touched already stays as it is.
func Advise(b []byte) {
	if len(b) == 0 {
		return
	}
	from := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	to := (from + uintptr(len(b))) &^ (pageBytes - 1)
	if from = (from + pageBytes - 1) &^ (pageBytes - 1); from < to {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, madvHugePage) // a host without large pages refuses
	}
}

// Heap lets Go's heap grow by the given number of bytes that get large pages when something is allocated there. The runtime has no such
// setting, so it is lent the range for an object that nothing touches.
func Heap(bytes int) {
	b := make([]byte, bytes)
	Advise(b)
	runtime.KeepAlive(b)
	runtime.GC()
}
