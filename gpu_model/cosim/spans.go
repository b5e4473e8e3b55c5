package cosim

import (
	"encoding/binary"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// maxSpans bounds what a seat remembers of its batches, and of its waits.
const maxSpans = 1 << 15

// shortestWait is what a wait must take to be remembered.
const shortestWait = 10 * time.Microsecond

// span is a batch on its way, in virtual and in wall time.
type span struct {
	kind         wire.EventKind
	events       uint32
	ahead        bool
	begin, end   uint64 // ps; end is that of the last event, or of the latest answer
	at           time.Time
	took, inUnit time.Duration
}

// wait is a time in which the model stood still for a unit.
type wait struct {
	kind wire.EventKind
	now  uint64 // ps
	from time.Time
	took time.Duration
}

// spans remembers a seat's batches and waits, for timelines.
type spans struct {
	batches []span
	waits   []wait
	leftOut uint64
}

// sent remembers a batch and returns its place, -1 where there is no more room.
func (s *spans) sent(kind wire.EventKind, batch *wire.EventBatch, at time.Time) int {
	if len(s.batches) == maxSpans {
		s.leftOut++
		return -1
	}
	x := span{kind: kind, events: batch.Count, ahead: batch.GetCompactTile().GetSpeculative(), at: at}
	if n := len(batch.TimePs); n >= 8 {
		x.begin, x.end = binary.LittleEndian.Uint64(batch.TimePs), binary.LittleEndian.Uint64(batch.TimePs[n-8:])
	}
	s.batches = append(s.batches, x)
	return len(s.batches) - 1
}

// answered extends a batch to the time of an answer.
func (s *spans) answered(place int, at uint64) {
	if place >= 0 {
		s.batches[place].end = max(s.batches[place].end, at)
	}
}

// handled ends a batch.
func (s *spans) handled(place int, at time.Time, inUnit time.Duration) {
	if place >= 0 {
		s.batches[place].took, s.batches[place].inUnit = at.Sub(s.batches[place].at), inUnit
	}
}

// waited remembers a wait.
func (s *spans) waited(kind wire.EventKind, now uint64, from time.Time, took time.Duration) {
	switch {
	case took < shortestWait:
	case len(s.waits) == maxSpans:
		s.leftOut++
	default:
		s.waits = append(s.waits, wait{kind, now, from, took})
	}
}

// Timeline returns when the unit was sent what, and when the model stood still for it.
func (s *Seat) Timeline() *wire.SeatTimeline {
	t := &wire.SeatTimeline{Kind: s.Options.Kind, Name: s.Name(), Shadow: s.Options.Shadow, LeftOut: s.spans.leftOut}
	u32, u64 := binary.LittleEndian.AppendUint32, binary.LittleEndian.AppendUint64
	for i := range s.spans.batches {
		x := &s.spans.batches[i]
		t.EventKind, t.Events = u32(t.EventKind, uint32(x.kind)), u32(t.Events, x.events)
		ahead := byte(0)
		if x.ahead {
			ahead = 1
		}
		t.Ahead = append(t.Ahead, ahead)
		t.BeginPs, t.EndPs = u64(t.BeginPs, x.begin), u64(t.EndPs, x.end)
		t.SentNs, t.TookNs, t.UnitNs = u64(t.SentNs, uint64(x.at.UnixNano())), u64(t.TookNs, uint64(x.took)), u64(t.UnitNs, uint64(x.inUnit))
	}
	for _, x := range s.spans.waits {
		t.WaitKind, t.WaitPs = u32(t.WaitKind, uint32(x.kind)), u64(t.WaitPs, x.now)
		t.WaitFromNs, t.WaitNs = u64(t.WaitFromNs, uint64(x.from.UnixNano())), u64(t.WaitNs, uint64(x.took))
	}
	return t
}
