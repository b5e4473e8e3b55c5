package memory

import (
	"bytes"
	"errors"
	"math/rand"
	"strings"
	"testing"
)

func newMemory(t *testing.T, size uint64) *Memory {
	t.Helper()
	m, err := New(size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func allocate(t *testing.T, m *Memory, n uint64, name string) uint64 {
	t.Helper()
	a, err := m.Allocate(n, name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAddresses checks the layout that upstream has: whole pages, consecutive, from 0x1000.
func TestAddresses(t *testing.T) {
	m := newMemory(t, DefaultBytes)
	want := uint64(0x1000)
	for _, n := range []uint64{1, 4096, 4097, 100000, 0} {
		if got := allocate(t, m, n, "a"); got != want {
			t.Errorf("%d bytes: expected address 0x%x, got 0x%x", n, want, got)
		}
		want += roundUp(max(n, 1))
	}
}

func TestFreeIsReusedAndZero(t *testing.T) {
	m := newMemory(t, 64<<20)
	a := allocate(t, m, 2<<20, "a")
	b := allocate(t, m, 8192, "b")
	allocate(t, m, 1, "c")
	for _, x := range []uint64{a, b} {
		if err := m.Write(x, bytes.Repeat([]byte{7}, 8192)); err != nil {
			t.Fatal(err)
		}
		if err := m.Free(x); err != nil {
			t.Fatal(err)
		}
	}
	if got := allocate(t, m, 3<<20, "d"); got < b {
		t.Errorf("expected 3 MiB not to fit before 0x%x, got 0x%x", b, got)
	}
	again := allocate(t, m, 2<<20+8192, "e")
	if again != a {
		t.Errorf("expected the freed range 0x%x, got 0x%x", a, again)
	}
	content := make([]byte, 2<<20+8192)
	if err := m.Read(again, content); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(content, make([]byte, len(content))) {
		t.Error("expected a fresh allocation to read as zeros")
	}
}

func TestFarAllocation(t *testing.T) {
	m := newMemory(t, 1<<20)
	const far = 0x7fff_1234_5000
	if err := m.AllocateAt(far, 10000, "recorded"); err != nil {
		t.Fatal(err)
	}
	if err := m.Store(0, far+9990, []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	var b [10]byte
	if err := m.Load(0, far+9990, b[:]); err != nil || string(b[:]) != "0123456789" {
		t.Errorf("expected the stored bytes, got %q, %v", b, err)
	}
	if err := m.Load(0, far+3*PageBytes-4, b[:]); err == nil {
		t.Error("expected a load past the end of a far allocation to fail")
	}
	if err := m.Free(far); err != nil {
		t.Fatal(err)
	}
	if err := m.Load(0, far, b[:]); err == nil {
		t.Error("expected a load from freed far memory to fail")
	}
}

// TestSentences checks what errors say.
func TestSentences(t *testing.T) {
	m := newMemory(t, 1<<20)
	a := allocate(t, m, 100, "weights")
	if err := m.AllocateAt(0x40000, 1, "fixed"); err != nil {
		t.Fatal(err)
	}
	_, tooLarge := m.Allocate(1<<20, "activations")
	var out *OutOfMemoryError
	if !errors.As(tooLarge, &out) {
		t.Errorf("expected an OutOfMemoryError, got %v", tooLarge)
	}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"out of memory", tooLarge, `out of device memory: "activations" needs 1048576 bytes`},
		{"null pointer", m.Load(0, 0, make([]byte, 4)), `load of 4 bytes at 0x0 hits memory that is not allocated; the first allocation is "weights"`},
		{"past the end", m.Store(0, a+4096, make([]byte, 4)), `store of 4 bytes at 0x2000 hits memory that is not allocated; the allocation before it is "weights", 100 bytes at 0x1000`},
		{"host copy", m.Read(a, make([]byte, 5000)), "read of 5000 bytes at device address 0x1000 leaves allocated memory"},
		{"overlap", m.AllocateAt(0x40000, 1, "x"), `overlaps "fixed" at 0x40000`},
		{"unaligned", m.AllocateAt(0x41001, 1, "x"), "must begin at a multiple of 4096"},
		{"crossing", m.AllocateAt(0xff000, 1<<20, "x"), "crosses the end of device memory"},
		{"wrapping", m.AllocateAt(^uint64(0)&^0xfff, 1<<13, "x"), "passes the end of the 64-bit address space"},
		{"huge", m.AllocateAt(1<<40, 1<<60, "x"), "out of device memory"},
		{"free", m.Free(a + 4096), "no allocation begins at device address 0x2000"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: expected an error with %q, got %v", c.name, c.want, c.err)
		}
	}
	if _, err := New(1); err == nil {
		t.Error("expected a device of one byte to be refused")
	}
}

// TestAllocatorAgainstModel compares random operations with a list of the pages in use.
func TestAllocatorAgainstModel(t *testing.T) {
	m := newMemory(t, 256*PageBytes)
	r := rand.New(rand.NewSource(1))
	used := make([]bool, 256) // page 0 is never handed out
	used[0] = true
	live := map[uint64]uint64{}
	for range 3000 {
		if r.Intn(2) == 0 {
			pages := uint64(r.Intn(20) + 1)
			want := -1
			for i := 1; i+int(pages) <= len(used) && want < 0; i++ {
				free := true
				for j := range int(pages) {
					free = free && !used[i+j]
				}
				if free {
					want = i
				}
			}
			got, err := m.Allocate(pages*PageBytes-uint64(r.Intn(PageBytes)), "x")
			if want < 0 {
				if err == nil {
					t.Fatalf("expected no room for %d pages, got 0x%x", pages, got)
				}
				continue
			}
			if err != nil || got != uint64(want)*PageBytes {
				t.Fatalf("expected page %d for %d pages, got 0x%x, %v", want, pages, got, err)
			}
			live[got] = pages
			for j := range pages {
				used[uint64(want)+j] = true
			}
			continue
		}
		for a, pages := range live {
			if err := m.Free(a); err != nil {
				t.Fatal(err)
			}
			for j := range pages {
				used[a/PageBytes+j] = false
			}
			delete(live, a)
			break
		}
	}
	for p := range used {
		if got := m.Flags(uint64(p)*PageBytes)&PageAllocated != 0; got != (used[p] && p != 0) {
			t.Errorf("page %d: expected allocated %v, got %v", p, used[p], got)
		}
	}
}
