package memory

import "fmt"

// AccessError says why an access is refused. Its text is a clause that completes "… at PC …: ".
type AccessError struct {
	Address uint64
	Bytes   uint64
	Write   bool
	Reason  string
}

// Error returns the sentence.
func (e *AccessError) Error() string {
	verb := "load of"
	if e.Write {
		verb = "store of"
	}
	return fmt.Sprintf("%s %d bytes at 0x%x %s", verb, e.Bytes, e.Address, e.Reason)
}

// accessError explains why a kernel access of n bytes at address cannot be done.
func (m *Memory) accessError(address, n uint64, write bool) error {
	flags := m.Flags(address)
	reason := ""
	switch {
	case flags&PageAllocated != 0 && write && flags&PageView != 0:
		reason = "hits a compacted view, which is read-only"
	case flags&PageAllocated != 0 && write && flags&PageReadOnly != 0:
		reason = fmt.Sprintf("hits %s, which is read-only while a compacted view of it is mapped", m.Describe(address))
	default:
		reason = "hits memory that is not allocated; " + m.nearest(address)
	}
	return &AccessError{Address: address, Bytes: n, Write: write, Reason: reason}
}

// Load fills dst with what a kernel load at address sees at virtual time now (ps).
func (m *Memory) Load(now, address uint64, dst []byte) error {
	for len(dst) > 0 {
		n := min(PageBytes-address%PageBytes, uint64(len(dst)))
		r := m.find(address)
		if r == nil {
			return m.accessError(address, n, false)
		}
		offset := address - r.base
		flags := r.page[offset/PageBytes]
		switch {
		case flags&PageAllocated == 0:
			return m.accessError(address, n, false)
		case flags&PageView != 0:
			if err := m.viewAt(address).Read(now, address, dst[:n]); err != nil {
				return err
			}
		default:
			copy(dst[:n], r.data[offset:])
		}
		address, dst = address+n, dst[n:]
	}
	return nil
}

// Store performs a kernel store of src at address at virtual time now (ps).
func (m *Memory) Store(now, address uint64, src []byte) error {
	w := LineWriter{M: m, Now: now}
	err := w.Put(address, src)
	w.Flush()
	return err
}

// Read copies device memory to the host. The range must be allocated; a view reads as its backing bytes.
func (m *Memory) Read(address uint64, dst []byte) error {
	return m.hostRange("read", address, uint64(len(dst)), func(b []byte) { dst = dst[copy(dst, b):] })
}

// Write copies host bytes to device memory. The range must be allocated. Observers are not told.
func (m *Memory) Write(address uint64, src []byte) error {
	return m.hostRange("write", address, uint64(len(src)), func(b []byte) { src = src[copy(b, src):] })
}

// Bytes returns the device memory itself for [address, address+n): a host copy without copying. The range must be allocated.
func (m *Memory) Bytes(address, n uint64) ([]byte, error) {
	var all []byte
	err := m.hostRange("access", address, n, func(b []byte) { all = b })
	return all, err
}

// hostRange checks that [address, address+n) is allocated and calls do with its bytes.
func (m *Memory) hostRange(verb string, address, n uint64, do func([]byte)) error {
	if n == 0 {
		return nil
	}
	r := m.find(address)
	if r == nil || !r.holds(address, n) {
		return m.rangeError(verb, address, n)
	}
	offset := address - r.base
	for p := offset / PageBytes; p <= (offset+n-1)/PageBytes; p++ {
		if r.page[p]&PageAllocated == 0 {
			return m.rangeError(verb, address, n)
		}
	}
	do(r.data[offset : offset+n : offset+n])
	return nil
}

func (m *Memory) rangeError(verb string, address, n uint64) error {
	return fmt.Errorf("%s of %d bytes at device address 0x%x leaves allocated memory; %s", verb, n, address, m.nearest(address))
}
