package memory

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sort"
)

// Observer is told of kernel stores into watched pages, after the bytes changed. One store instruction of a wavefront gives one
// call per run of lanes that write the same line. Bit i of mask says that byte i of the line at address line was written; old and new
// are the whole line before and after, valid during the call only. now is virtual time in picoseconds. Calls come from the
// goroutine that performs the store.
type Observer interface {
	Store(now, line, mask uint64, old, new *[LineBytes]byte)
}

// ViewReader gives the contents of a compacted view. Read fills dst with the bytes at address for a load that completes at now
// (virtual time in picoseconds); dst lies in one page. An error faults the loading wavefront.
type ViewReader interface {
	Read(now, address uint64, dst []byte) error
}

type view struct {
	base, end uint64
	reader    ViewReader
}

// SetObserver makes o the receiver of stores into watched pages; nil removes it.
func (m *Memory) SetObserver(o Observer) { m.observer = o }

// Watch starts reporting kernel stores into the pages that [address, address+bytes) touches.
func (m *Memory) Watch(address, bytes uint64) error {
	return m.setFlags(address, bytes, PageWatched, 0)
}

// Unwatch ends what Watch began.
func (m *Memory) Unwatch(address, bytes uint64) error {
	return m.setFlags(address, bytes, 0, PageWatched)
}

// SetReadOnly makes kernel stores into the pages that [address, address+bytes) touches a fault, or allows them again.
func (m *Memory) SetReadOnly(address, bytes uint64, readOnly bool) error {
	if readOnly {
		return m.setFlags(address, bytes, PageReadOnly, 0)
	}
	return m.setFlags(address, bytes, 0, PageReadOnly)
}

// MapView routes kernel loads from [address, address+bytes) through r. The range must be allocated, whole pages, and in no other
// view. Kernel stores into it become faults.
func (m *Memory) MapView(address, bytes uint64, r ViewReader) error {
	if r == nil {
		return fmt.Errorf("the view at 0x%x needs a reader", address)
	}
	if address%PageBytes != 0 || bytes%PageBytes != 0 || bytes == 0 {
		return fmt.Errorf("a view must be whole %d-byte pages, got %d bytes at 0x%x", PageBytes, bytes, address)
	}
	i := sort.Search(len(m.views), func(i int) bool { return m.views[i].end > address })
	if i < len(m.views) && m.views[i].base < address+bytes {
		return fmt.Errorf("the view of %d bytes at 0x%x overlaps the view at 0x%x", bytes, address, m.views[i].base)
	}
	if err := m.setFlags(address, bytes, PageView|PageReadOnly, 0); err != nil {
		return err
	}
	m.views = append(m.views, view{})
	copy(m.views[i+1:], m.views[i:])
	m.views[i] = view{base: address, end: address + bytes, reader: r}
	return nil
}

// UnmapView ends the view that begins at address.
func (m *Memory) UnmapView(address uint64) error {
	for i, v := range m.views {
		if v.base == address {
			m.views = append(m.views[:i], m.views[i+1:]...)
			return m.setFlags(v.base, v.end-v.base, 0, PageView|PageReadOnly)
		}
	}
	return fmt.Errorf("no view begins at 0x%x", address)
}

// HasObservers reports whether a kernel access can have an effect outside the memory: then accesses must come in a fixed order.
func (m *Memory) HasObservers() bool { return m.observer != nil || len(m.views) > 0 }

func (m *Memory) setFlags(address, bytes uint64, set, clear PageFlags) error {
	if bytes == 0 {
		return nil
	}
	r := m.find(address)
	if r == nil || !r.holds(address, bytes) {
		return m.rangeError("page flags", address, bytes)
	}
	first, last := (address-r.base)/PageBytes, (address-r.base+bytes-1)/PageBytes
	for p := first; p <= last; p++ {
		if r.page[p]&PageAllocated == 0 {
			return m.rangeError("page flags", address, bytes)
		}
	}
	for p := first; p <= last; p++ {
		r.page[p] = r.page[p]&^clear | set
	}
	return nil
}

func (m *Memory) viewAt(address uint64) ViewReader {
	i := sort.Search(len(m.views), func(i int) bool { return m.views[i].end > address })
	if i < len(m.views) && m.views[i].base <= address {
		return m.views[i].reader
	}
	return nil
}

// LineWriter performs the stores of one instruction and reports them line by line: consecutive Puts into one line become one report.
// The zero value with M set is ready; Flush ends the instruction.
type LineWriter struct {
	M   *Memory
	Now uint64

	line uint64
	mask uint64
	old  [LineBytes]byte
	cur  []byte // the open line's bytes in memory; nil when none is open
}

// Put stores src at address.
func (w *LineWriter) Put(address uint64, src []byte) error {
	for len(src) > 0 {
		n := min(LineBytes-address%LineBytes, uint64(len(src)))
		if err := w.putInLine(address, src[:n]); err != nil {
			return err
		}
		address, src = address+n, src[n:]
	}
	return nil
}

func (w *LineWriter) putInLine(address uint64, src []byte) error {
	line := address &^ (LineBytes - 1)
	if w.cur == nil || w.line != line {
		w.Flush()
		r := w.M.find(address)
		if r == nil {
			return w.M.accessError(address, uint64(len(src)), true)
		}
		offset := line - r.base
		flags := r.page[offset/PageBytes]
		if flags&PageAllocated == 0 || flags&(PageReadOnly|PageView) != 0 {
			return w.M.accessError(address, uint64(len(src)), true)
		}
		if flags&PageWatched == 0 || w.M.observer == nil {
			copy(r.data[address-r.base:], src)
			return nil
		}
		w.line, w.mask, w.cur = line, 0, r.data[offset:offset+LineBytes]
		copy(w.old[:], w.cur)
	}
	first := address - line
	copy(w.cur[first:], src)
	w.mask |= (1<<uint(len(src)) - 1) << first
	return nil
}

// Flush reports the open line, if any.
func (w *LineWriter) Flush() {
	if w.cur == nil {
		return
	}
	cur := (*[LineBytes]byte)(w.cur)
	w.cur = nil
	w.M.observer.Store(w.Now, w.line, w.mask, &w.old, cur)
}

// CountZeros32 returns how many whole, 4-byte aligned zero words lie in the bytes of line that mask selects; words selected in part count
// when any of their bytes is. Observers use it on old and new.
func CountZeros32(line *[LineBytes]byte, mask uint64) int {
	n := 0
	for mask != 0 {
		word := bits.TrailingZeros64(mask) / 4
		mask &^= 0xF << (4 * word)
		if binary.LittleEndian.Uint32(line[4*word:]) == 0 {
			n++
		}
	}
	return n
}
