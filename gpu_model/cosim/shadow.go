package cosim

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// firstShadow is the number of the first shadow seat.
const firstShadow = 16

// comparison holds what a shadow's answers are compared with: the answers that the model applied.
type comparison struct {
	expected  []expectation
	Compared  uint64
	Different uint64
	First     string // one sentence; empty: none
}

type expectation struct {
	sequence uint64 // of the shadow's request
	time     uint64 // virtual time of the request, ps
	applied  reply
}

// expect notes the answer that was applied where the shadow was asked under a sequence number.
func (s *Seat) expect(sequence, time uint64, applied reply) {
	s.compare.expected = append(s.compare.expected, expectation{sequence, time, applied})
	if len(s.compare.expected) >= 4096 {
		s.compareArrived()
	}
}

// compareArrived compares the answers that the shadow has given so far.
func (s *Seat) compareArrived() {
	c := s.compare
	rest := c.expected[:0]
	for _, e := range c.expected {
		answer, ok := s.replies[e.sequence]
		if !ok {
			rest = append(rest, e)
			continue
		}
		delete(s.replies, e.sequence)
		c.Compared++
		if field, applied, got := difference(&e.applied, &answer); field != "" {
			c.Different++
			if c.First == "" {
				c.First = fmt.Sprintf("unit %s differs first at event %d, virtual time %d ps, in %s: applied was %s, it answers %s",
					s.Name(), e.sequence, e.time, field, applied, got)
			}
		}
	}
	c.expected = rest
}

// difference returns the first field in which two answers differ, with both values; "" where they are equal.
func difference(a, b *reply) (field, first, second string) {
	if a.latency != b.latency {
		return "latency_ps", fmt.Sprint(a.latency), fmt.Sprint(b.latency)
	}
	if field, first, second = bytesDifference("encoded", a.encoded, b.encoded, 4); field != "" {
		return field, first, second
	}
	if a.counts != nil && b.counts != nil {
		return countsDifference(a.counts, b.counts)
	}
	if a.schedule != nil && b.schedule != nil {
		return scheduleDifference(a.schedule, b.schedule)
	}
	return "", "", ""
}

func countsDifference(a, b *wire.CountsReply) (field, first, second string) {
	switch {
	case a.Elements != b.Elements:
		return "elements", fmt.Sprint(a.Elements), fmt.Sprint(b.Elements)
	case a.Zeros != b.Zeros:
		return "zeros", fmt.Sprint(a.Zeros), fmt.Sprint(b.Zeros)
	case a.Sampled != b.Sampled:
		return "sampled", fmt.Sprint(a.Sampled), fmt.Sprint(b.Sampled)
	}
	return bytesDifference("tile_nonzeros", a.TileNonzeros, b.TileNonzeros, 4)
}

func scheduleDifference(a, b *wire.ScheduleReply) (field, first, second string) {
	if field, first, second = bytesDifference("order", a.Order, b.Order, 4); field == "" {
		if field, first, second = bytesDifference("placement", a.Placement, b.Placement, 4); field == "" {
			return bytesDifference("tile_path", a.TilePath, b.TilePath, 4)
		}
	}
	return field, first, second
}

// bytesDifference names the first element of a column, of a width in bytes, that differs.
func bytesDifference(name string, a, b []byte, width int) (field, first, second string) {
	if bytes.Equal(a, b) {
		return "", "", ""
	}
	if len(a) != len(b) {
		return "the size of " + name, fmt.Sprintf("%d bytes", len(a)), fmt.Sprintf("%d bytes", len(b))
	}
	i := 0
	for a[i] == b[i] {
		i++
	}
	i = i / width * width
	value := func(c []byte) string {
		switch part := c[i:min(i+width, len(c))]; len(part) {
		case 8:
			return fmt.Sprintf("0x%x", binary.LittleEndian.Uint64(part))
		case 4:
			return fmt.Sprintf("0x%x", binary.LittleEndian.Uint32(part))
		default:
			return fmt.Sprintf("%x", part)
		}
	}
	return fmt.Sprintf("%s[%d]", name, i/width), value(a), value(b)
}
