package memory

import (
	"bytes"
	"errors"
	"math/bits"
	"math/rand"
	"strings"
	"testing"
)

// mirror rebuilds a watched range from the reports alone.
type mirror struct {
	t       *testing.T
	base    uint64
	content []byte
	calls   int
	bytes   int
}

func (m *mirror) Store(now, line, mask uint64, old, new *[LineBytes]byte) {
	m.calls++
	m.bytes += bits.OnesCount64(mask)
	if now != 42 {
		m.t.Errorf("expected time 42, got %d", now)
	}
	at := m.content[line-m.base:][:LineBytes]
	if !bytes.Equal(at, old[:]) {
		m.t.Errorf("line 0x%x: the old bytes are not those before the store", line)
	}
	for i := range new {
		if mask>>i&1 == 0 && old[i] != new[i] {
			m.t.Errorf("line 0x%x: byte %d changed outside the mask", line, i)
		}
	}
	copy(at, new[:])
}

// TestReportsRebuildTheTensor stores random ranges and compares the mirror with the memory.
func TestReportsRebuildTheTensor(t *testing.T) {
	m := newMemory(t, 1<<20)
	before := allocate(t, m, PageBytes, "before")
	a := allocate(t, m, 4*PageBytes, "tensor")
	o := &mirror{t: t, base: a, content: make([]byte, 4*PageBytes)}
	m.SetObserver(o)
	if err := m.Watch(a, 4*PageBytes); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewSource(2))
	wrote := 0
	for range 500 {
		w := LineWriter{M: m, Now: 42}
		at := a + uint64(r.Intn(4*PageBytes-1024))
		for range r.Intn(20) + 1 {
			data := make([]byte, r.Intn(17)+1)
			r.Read(data)
			if err := w.Put(at, data); err != nil {
				t.Fatal(err)
			}
			wrote += len(data)
			at += uint64(len(data)) + uint64(r.Intn(3)*8)
		}
		w.Flush()
	}
	got := make([]byte, 4*PageBytes)
	if err := m.Read(a, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, o.content) {
		t.Error("the reports do not rebuild the tensor")
	}
	if o.bytes != wrote {
		t.Errorf("expected masks over %d bytes, got %d", wrote, o.bytes)
	}
	calls := o.calls
	if err := m.Store(42, before, make([]byte, 64)); err != nil || o.calls != calls {
		t.Errorf("expected no report of a store beside the tensor, got %d, %v", o.calls-calls, err)
	}
	if err := m.Write(a, make([]byte, 64)); err != nil || o.calls != calls {
		t.Errorf("expected no report of a host copy, got %d, %v", o.calls-calls, err)
	}
}

// TestOneCallPerLine checks that the lanes of one instruction that write a line are reported together.
func TestOneCallPerLine(t *testing.T) {
	m := newMemory(t, 1<<20)
	a := allocate(t, m, PageBytes, "tensor")
	o := &mirror{t: t, base: a, content: make([]byte, PageBytes)}
	m.SetObserver(o)
	if err := m.Watch(a, PageBytes); err != nil {
		t.Fatal(err)
	}
	w := LineWriter{M: m, Now: 42}
	for lane := range uint64(64) {
		if err := w.Put(a+lane*4, []byte{1, 2, 3, 4}); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	if o.calls != 4 || o.bytes != 256 {
		t.Errorf("expected 4 calls over 256 bytes, got %d over %d", o.calls, o.bytes)
	}
}

type counter struct{ fail bool }

func (c counter) Read(now, address uint64, dst []byte) error {
	if c.fail {
		return errors.New("the unit has no tile here")
	}
	for i := range dst {
		dst[i] = byte(address + uint64(i) + now)
	}
	return nil
}

func TestView(t *testing.T) {
	m := newMemory(t, 1<<20)
	dense := allocate(t, m, 2*PageBytes, "dense")
	a := allocate(t, m, 2*PageBytes, "view")
	if err := m.MapView(a, 2*PageBytes, counter{}); err != nil {
		t.Fatal(err)
	}
	if err := m.SetReadOnly(dense, 2*PageBytes, true); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 64)
	at := a + PageBytes - 32
	if err := m.Load(3, at, got); err != nil {
		t.Fatal(err)
	}
	for i, b := range got {
		if b != byte(at+uint64(i)+3) {
			t.Fatalf("byte %d: expected what the reader gave, got %d", i, b)
		}
	}
	if m.Plain(a, 4) != nil || m.Plain(dense, 4) != nil {
		t.Error("expected no direct access to a view or a read-only tensor")
	}
	for want, err := range map[string]error{
		"hits a compacted view, which is read-only":                                    m.Store(0, a, got),
		`hits "dense"+0x10, which is read-only while a compacted view of it is mapped`: m.Store(0, dense+16, got),
		"overlaps the view at":                       m.MapView(a+PageBytes, PageBytes, counter{}),
		"cannot be freed while the view":             m.Free(a),
		"a view must be whole 4096-byte pages":       m.MapView(dense+1, 1, counter{}),
		"no view begins at":                          m.UnmapView(dense),
		"page flags of 4096 bytes at device address": m.Watch(0, PageBytes),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error with %q, got %v", want, err)
		}
	}
	if err := m.UnmapView(a); err != nil {
		t.Fatal(err)
	}
	if err := m.Store(0, a, got); err != nil {
		t.Errorf("expected an unmapped view to take stores again, got %v", err)
	}
	if err := m.MapView(a, PageBytes, counter{fail: true}); err != nil {
		t.Fatal(err)
	}
	if err := m.Load(0, a, got); err == nil || err.Error() != "the unit has no tile here" {
		t.Errorf("expected the reader's error, got %v", err)
	}
}

func TestCountZeros32(t *testing.T) {
	var line [LineBytes]byte
	line[4], line[60] = 1, 1
	for mask, want := range map[uint64]int{^uint64(0): 14, 0: 0, 0xF0: 0, 0xF: 1, 1 << 63: 0, 0xF << 8: 1} {
		if got := CountZeros32(&line, mask); got != want {
			t.Errorf("mask 0x%x: expected %d zeros, got %d", mask, want, got)
		}
	}
}
