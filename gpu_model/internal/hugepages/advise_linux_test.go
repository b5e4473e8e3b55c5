package hugepages

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// advised returns how many of the bytes from address on lie in mappings of the process that the kernel gives large pages (hg in /proc/self/smaps).
func advised(t *testing.T, address, bytes uint64) (n uint64) {
	t.Helper()
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("this kernel has no transparent huge pages")
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var from, to uint64
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if first, last, ok := strings.Cut(fields[0], "-"); ok {
			from, _ = strconv.ParseUint(first, 16, 64)
			to, _ = strconv.ParseUint(last, 16, 64)
		}
		if fields[0] == "VmFlags:" && slices.Contains(fields, "hg") && from < address+bytes && to > address {
			n += min(to, address+bytes) - max(from, address)
		}
	}
	return n
}

func TestAdvise(t *testing.T) {
	const bytes = 8 << 20
	b, err := syscall.Mmap(-1, 0, bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(b) }()
	address := uint64(uintptr(unsafe.Pointer(&b[0])))
	if n := advised(t, address, bytes); n != 0 {
		t.Fatalf("%d bytes have large pages before anybody asked for them", n)
	}
	Advise(b[:pageBytes-1]) // holds no whole page
	if n := advised(t, address, bytes); n != 0 {
		t.Errorf("advice for less than a page reaches %d bytes", n)
	}
	Advise(b)
	if n := advised(t, address, bytes); n < bytes-2*pageBytes || n%pageBytes != 0 {
		t.Errorf("advice for %d bytes reaches %d", bytes, n)
	}
	Advise(nil)
}

func TestHeap(t *testing.T) {
	const bytes = 16 << 20
	before := advised(t, 0, 1<<63)
	Heap(bytes)
	if n := advised(t, 0, 1<<63) - before; n < bytes-2*pageBytes {
		t.Errorf("%d bytes of the heap have large pages, expected at least %d", n, bytes-2*pageBytes)
	}
}
