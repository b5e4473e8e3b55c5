//go:build linux || darwin || freebsd

package memory

import "syscall"

// reserve returns bytes of zeroed host memory that the operating system commits page by page when first touched.
func reserve(bytes uint64) ([]byte, func(), error) {
	data, err := syscall.Mmap(-1, 0, int(bytes), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|mapNoReserve)
	if err != nil {
		return nil, nil, err
	}
	return data, func() { _ = syscall.Munmap(data) }, nil
}
