package capsule

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// Difference is what differs in one region.
type Difference struct {
	Region    string  `json:"region"`  // "" for memory outside every region
	Address   Address `json:"address"` // of the first byte that differs
	Offset    uint64  `json:"offset"`  // the same within the region
	Expected  []byte  `json:"-"`       // up to 4 bytes from the dword that holds the first difference
	Got       []byte  `json:"-"`
	Word      uint64  `json:"word_offset"` // where Expected and Got begin
	Bytes     uint64  `json:"bytes"`       // of the region
	Differing uint64  `json:"differing"`   // bytes that differ
	Text      string  `json:"text"`
}

// String returns the sentence.
func (d *Difference) String() string {
	where := fmt.Sprintf("region %q, offset %d (address 0x%x)", d.Region, d.Offset, uint64(d.Address))
	if d.Region == "" {
		where = fmt.Sprintf("address 0x%x, outside every region", uint64(d.Address))
	}
	return fmt.Sprintf("%s: expected %s, got %s; %d of %d bytes differ", where, value(d.Expected), value(d.Got), d.Differing, d.Bytes)
}

// value shows bytes as a number and, for a dword, as the float that it may be.
func value(b []byte) string {
	if len(b) != 4 {
		return fmt.Sprintf("bytes % x", b)
	}
	x := binary.LittleEndian.Uint32(b)
	return fmt.Sprintf("0x%08x (%d, %g)", x, int32(x), math.Float32frombits(x))
}

// chunkBytes is how much of a file is compared at a time.
const chunkBytes = 1 << 20

// compare compares a region's memory after the launch with what the capsule says; nil where nothing differs.
func (c *Capsule) compare(m *memory.Memory, r *Region) (*Difference, error) {
	got, err := m.Bytes(uint64(r.Address), r.Bytes)
	if err != nil || r.Ignore {
		return nil, err
	}
	file := r.After
	if file == "" {
		file = r.Before
	}
	var want io.Reader = zeros{}
	if file != "" {
		f, err := os.Open(c.path(file))
		if err != nil {
			return nil, c.wrong(file, "%v", withoutPath(err))
		}
		defer f.Close()
		want = f
	}
	d := &Difference{Region: r.Name, Bytes: r.Bytes}
	chunk := make([]byte, min(chunkBytes, r.Bytes))
	for at := uint64(0); at < r.Bytes; at += chunkBytes {
		part := chunk[:min(chunkBytes, r.Bytes-at)]
		if _, err := io.ReadFull(want, part); err != nil {
			return nil, c.wrong(file, "%v", withoutPath(err))
		}
		d.add(uint64(r.Address), at, part, got[at:])
	}
	return d.found(), nil
}

// add compares one part of a region, which begins at offset at.
func (d *Difference) add(base, at uint64, want, got []byte) {
	got = got[:len(want)]
	if bytes.Equal(want, got) {
		return
	}
	for i := range want {
		if want[i] == got[i] {
			continue
		}
		if d.Differing == 0 {
			begin := i &^ 3
			end := min(begin+4, len(want))
			d.Offset, d.Address, d.Word = at+uint64(i), Address(base+at+uint64(i)), at+uint64(begin)
			d.Expected, d.Got = bytes.Clone(want[begin:end]), bytes.Clone(got[begin:end])
		}
		d.Differing++
	}
}

func (d *Difference) found() *Difference {
	if d.Differing == 0 {
		return nil
	}
	d.Text = d.String()
	return d
}

// stray finds bytes outside every region, in the pages that regions share, which the kernel changed: they were zeros.
func (s *span) stray(m *memory.Memory) (*Difference, error) {
	all, err := m.Bytes(s.begin, s.end-s.begin)
	if err != nil {
		return nil, err
	}
	d := &Difference{}
	gap := func(begin, end uint64) {
		d.Bytes += end - begin
		if begin < end {
			d.add(begin, 0, make([]byte, end-begin), all[begin-s.begin:])
		}
	}
	at := s.begin
	for _, r := range s.regions {
		gap(at, uint64(r.Address))
		at = uint64(r.Address) + r.Bytes
	}
	gap(at, s.end)
	return d.found(), nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
