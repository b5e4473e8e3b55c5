package cosim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// eventName is how messages to the user name a kind of event; the units use the same names.
func eventName(kind wire.EventKind) string {
	switch kind {
	case wire.EventKind_EVENT_KIND_STORE:
		return "store"
	case wire.EventKind_EVENT_KIND_MARK:
		return "mark"
	case wire.EventKind_EVENT_KIND_READ_COUNTS:
		return "read_counts"
	case wire.EventKind_EVENT_KIND_COMPACT_TILE:
		return "compact_tile"
	case wire.EventKind_EVENT_KIND_SCHEDULE:
		return "schedule"
	}
	return "lifecycle"
}

func (s *Seat) send(kind wire.EventKind, message *wire.ModelMessage) error {
	return s.transmit(kind, message, nil)
}

func (s *Seat) transmit(kind wire.EventKind, message *wire.ModelMessage, release func()) error {
	if s.failed != nil {
		return s.failed
	}
	err := s.link.send(kind, message, s.Options.Deadline, release)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNothing):
		return s.fail(eventName(kind), "it took no message within %v of wall time", s.Options.Deadline)
	}
	return s.gone(eventName(kind))
}

// gone takes what the unit still said before its stream ended, and returns the failure.
func (s *Seat) gone(event string) error {
	for {
		m, err := s.link.receive(time.Second)
		if err != nil {
			if errors.Is(err, errNothing) {
				err = errors.New("its stream is broken")
			}
			return s.fail(event, "%v", err)
		}
		if failure := m.message.GetFailure(); failure != nil {
			return s.reported(failure)
		}
	}
}

// next waits for the next message; event says what for, and kind accounts for the time.
func (s *Seat) next(kind wire.EventKind, event string) (inbound, error) {
	if s.failed != nil {
		return inbound{}, s.failed
	}
	begin := time.Now()
	defer func() {
		took := time.Since(begin)
		s.account[kind].Wait += took
		s.spans.waited(kind, s.now(), begin, took)
	}()
	for {
		waited := time.Since(begin)
		m, err := s.link.receive(min(time.Second, s.Options.Deadline-waited))
		switch {
		case err == nil:
			if failure := m.message.GetFailure(); failure != nil {
				return m, s.reported(failure)
			}
			return m, nil
		case !errors.Is(err, errNothing):
			return m, s.fail(event, "%v", err)
		}
		waited = time.Since(begin)
		if waited >= s.Options.Deadline {
			return m, s.fail(event, "no answer within %v of wall time", s.Options.Deadline)
		}
		if s.Options.Waiting != nil {
			s.Options.Waiting(s.Name(), event, waited)
		}
	}
}

// GetHello returns the hello that a message is, or nil.
func (m inbound) GetHello() *wire.UnitHello { return m.message.GetHello() }

// take handles one message that is not the hello.
func (s *Seat) take(m inbound) error {
	switch body := m.message.Body.(type) {
	case *wire.UnitMessage_Acknowledge:
		return s.acknowledged(body.Acknowledge, m.at)
	case *wire.UnitMessage_Replies:
		if err := s.takeReplies(body.Replies, m.at); err != nil || m.message.Handled == nil {
			return err
		}
		return s.acknowledged(m.message.Handled, m.at)
	case *wire.UnitMessage_Lifecycle:
		if s.lifeline != nil || body.Lifecycle.Token == 0 || body.Lifecycle.Token != s.token {
			return s.fail("lifecycle", "it answers lifecycle message %d, which the model did not send or has an answer to", body.Lifecycle.Token)
		}
		s.lifeline = body.Lifecycle
		return nil
	case *wire.UnitMessage_Hello:
		return s.fail(s.message(), "it sent a second hello")
	}
	return s.fail(s.message(), "it sent a message of unknown kind")
}

// acknowledged returns the credit of the oldest batch.
func (s *Seat) acknowledged(a *wire.Acknowledge, at time.Time) error {
	if len(s.inFlight) == 0 {
		return s.fail("an acknowledgement", "it acknowledges events up to %d, and no batch is under way", int64(a.ThroughSequence)-1)
	}
	batch := s.inFlight[0]
	event := fmt.Sprintf("%s event %d", eventName(batch.kind), batch.through-1)
	if a.ThroughSequence != batch.through {
		return s.fail(event, "expected an acknowledgement of events up to %d, got one up to %d", batch.through-1, int64(a.ThroughSequence)-1)
	}
	if len(s.outstanding) > 0 && s.outstanding[0].sequence < batch.through {
		return s.fail(event, "it acknowledged request %d without having answered it", s.outstanding[0].sequence)
	}
	s.inFlight = s.inFlight[:copy(s.inFlight, s.inFlight[1:])]
	s.spans.handled(batch.span, at, time.Duration(a.BusyNs))
	c := &s.account[batch.kind]
	c.Unit += time.Duration(a.BusyNs)
	c.Hook += time.Duration(a.HookNs)
	c.Transport += max(0, at.Sub(batch.at)-time.Duration(a.BusyNs))
	return s.sendBacklog()
}

// drain handles what has arrived, without waiting.
func (s *Seat) drain() error {
	for {
		m, err := s.link.receive(0)
		switch {
		case errors.Is(err, errNothing):
			return nil
		case err != nil:
			return s.fail(s.waitedFor(), "%v", err)
		}
		if failure := m.message.GetFailure(); failure != nil {
			return s.reported(failure)
		}
		if err := s.take(m); err != nil {
			return err
		}
	}
}

// waitedFor names the oldest thing that the unit owes.
func (s *Seat) waitedFor() string {
	switch {
	case len(s.outstanding) > 0:
		return fmt.Sprintf("%s event %d", eventName(s.outstanding[0].kind), s.outstanding[0].sequence)
	case len(s.inFlight) > 0:
		return fmt.Sprintf("%s event %d", eventName(s.inFlight[0].kind), s.inFlight[0].through-1)
	}
	return ""
}

// message names a message that can't be right by what the unit owes.
func (s *Seat) message() string {
	if owed := s.waitedFor(); owed != "" {
		return owed
	}
	return "a message that nobody awaits"
}

// backlogBytes bounds what waits for credit.
const backlogBytes = 32 << 20

// queuedBatch is a batch that waits for credit.
type queuedBatch struct {
	kind        wire.EventKind
	batch       *wire.EventBatch
	awaitsReply bool
	release     func()
	bytes       int
}

// sendBatch sends a batch as soon as credit allows, and lets the model go on meanwhile unless too much waits; release is called when
// its columns are no longer needed.
func (s *Seat) sendBatch(kind wire.EventKind, batch *wire.EventBatch, awaitsReply bool, release func()) error {
	if s.record != nil {
		if err := s.record.event(&wire.RecordBlock{Body: &wire.RecordBlock_Events{Events: batch}}); err != nil {
			return err
		}
	}
	if err := s.drain(); err != nil {
		return err
	}
	q := queuedBatch{kind, batch, awaitsReply, release, payloadBytes(batch)}
	for len(s.backlog) > 0 && s.backlogged+q.bytes > backlogBytes {
		if err := s.takeNext(kind); err != nil {
			return err
		}
	}
	s.backlog = append(s.backlog, q)
	s.backlogged += q.bytes
	return s.sendBacklog()
}

func payloadBytes(batch *wire.EventBatch) int {
	return len(batch.GetStore().GetOld().GetInline())*2 + len(batch.GetCompactTile().GetDense().GetInline()) + 64*int(batch.Count)
}

// sendBacklog sends what waits for credit as far as there is some.
func (s *Seat) sendBacklog() error {
	for len(s.backlog) > 0 && len(s.inFlight) < s.Options.CreditWindow {
		q := s.backlog[0]
		s.backlog = s.backlog[1:]
		s.backlogged -= q.bytes
		if err := s.sendNow(&q); err != nil {
			return err
		}
	}
	return nil
}

func (s *Seat) sendNow(q *queuedBatch) error {
	now, count := time.Now(), uint64(q.batch.Count)
	place := s.spans.sent(q.kind, q.batch, now)
	s.inFlight = append(s.inFlight, sent{q.batch.FirstSequence + count, q.kind, now, place})
	if q.awaitsReply {
		for i := range count {
			s.outstanding = append(s.outstanding, request{sequence: q.batch.FirstSequence + i, kind: q.kind,
				time: binary.LittleEndian.Uint64(q.batch.TimePs[8*i:]), sent: now, last: i+1 == count, span: place})
		}
	}
	s.Batches++
	s.account[q.kind].Batches++
	s.account[q.kind].Events += count
	return s.transmit(q.kind, &wire.ModelMessage{Body: &wire.ModelMessage_Batch{Batch: q.batch}}, q.release)
}

// takeNext waits for the next message that the unit owes, and handles it.
func (s *Seat) takeNext(kind wire.EventKind) error {
	m, err := s.next(kind, s.waitedFor())
	if err != nil {
		return err
	}
	return s.take(m)
}

// sendAll waits until nothing waits for credit.
func (s *Seat) sendAll() error {
	for len(s.backlog) > 0 {
		if err := s.takeNext(s.backlog[0].kind); err != nil {
			return err
		}
	}
	return nil
}

// await returns the reply to a request.
func (s *Seat) await(sequence uint64, kind wire.EventKind) (reply, error) {
	for {
		if r, ok := s.replies[sequence]; ok {
			delete(s.replies, sequence)
			return r, nil
		}
		m, err := s.next(kind, fmt.Sprintf("%s event %d", eventName(kind), sequence))
		if err != nil {
			return reply{}, err
		}
		if err := s.take(m); err != nil {
			return reply{}, err
		}
	}
}

// settle sends what has gathered and waits until the unit has handled all of it.
func (s *Seat) settle() error {
	if err := s.flush(); err != nil {
		return err
	}
	for len(s.inFlight) > 0 {
		if err := s.takeNext(s.inFlight[0].kind); err != nil {
			return err
		}
	}
	return nil
}

// discard makes answers that nobody has asked for yet of no interest.
func (s *Seat) discard() {
	s.forget = s.sequence
	clear(s.replies)
}

// takeReplies checks a batch of replies and files them.
func (s *Seat) takeReplies(batch *wire.ReplyBatch, at time.Time) error {
	n := int(batch.Count)
	if n == 0 || len(batch.Sequence) != 8*n || len(batch.LatencyPs) != 8*n {
		return s.fail(s.message(), "expected one or more replies with as many sequence numbers and latencies of 8 bytes, got %d with %d and %d bytes",
			n, len(batch.Sequence), len(batch.LatencyPs))
	}
	var sizes, encoded, all []byte
	if tiles := batch.GetCompactTile(); tiles != nil {
		var err error
		if all, err = s.incoming(tiles.GetEncoded()); err != nil {
			return s.fail(s.message(), "%v", err)
		}
		encoded = all
		if sizes = tiles.Size; len(sizes) != 4*n {
			return s.fail(s.message(), "expected %d tile sizes of 4 bytes, got %d bytes", n, len(sizes))
		}
	}
	for i := range n {
		sequence := binary.LittleEndian.Uint64(batch.Sequence[8*i:])
		r := reply{latency: binary.LittleEndian.Uint64(batch.LatencyPs[8*i:]), counts: batch.GetCounts(), schedule: batch.GetSchedule()}
		asked, err := s.answered(sequence, &r, sizes != nil, at)
		if err != nil {
			return err
		}
		if sizes != nil {
			size := uint64(binary.LittleEndian.Uint32(sizes[4*i:]))
			if size > uint64(len(encoded)) {
				return s.fail(fmt.Sprintf("compact_tile event %d", asked.sequence), "expected %d bytes of encoded tile, %d are left", size, len(encoded))
			}
			r.encoded, encoded = encoded[:size:size], encoded[size:]
		}
		if sequence >= s.forget {
			s.replies[sequence] = r
		}
	}
	if len(encoded) != 0 {
		return s.fail(s.message(), "%d bytes are left over after the last encoded tile", len(encoded))
	}
	if s.record != nil {
		return s.record.replies(batch, all)
	}
	return nil
}

// answered checks one reply against the oldest request, and returns the request.
func (s *Seat) answered(sequence uint64, r *reply, tiles bool, at time.Time) (request, error) {
	if len(s.outstanding) == 0 || s.outstanding[0].sequence != sequence {
		var asked request
		event := fmt.Sprintf("the reply to event %d", sequence)
		switch {
		case sequence >= s.sequence:
			return asked, s.fail(event, "no such event was sent, the last one was %d", int64(s.sequence)-1)
		case len(s.outstanding) == 0 || sequence < s.outstanding[0].sequence:
			return asked, s.fail(event, "no answer to it is awaited: it was answered before, or needs none")
		}
		return asked, s.fail(event, "it came out of order, the answer to event %d is due before", s.outstanding[0].sequence)
	}
	asked := s.outstanding[0]
	name := func() string { return fmt.Sprintf("%s event %d", eventName(asked.kind), sequence) }
	fits := tiles
	switch asked.kind {
	case wire.EventKind_EVENT_KIND_READ_COUNTS:
		fits = r.counts != nil
	case wire.EventKind_EVENT_KIND_SCHEDULE:
		fits = r.schedule != nil
	}
	switch {
	case !fits:
		return asked, s.fail(name(), "the answer is of another kind than the request")
	case r.latency < s.Hello.LookaheadPs:
		return asked, s.fail(name(), "its latency of %d ps is below the lookahead of %d ps that the unit declared: the answer comes too early", r.latency, s.Hello.LookaheadPs)
	case r.latency > maxLatencyPS:
		return asked, s.fail(name(), "its latency of %d ps is beyond %g ps", r.latency, float64(maxLatencyPS))
	}
	s.outstanding = s.outstanding[1:]
	s.spans.answered(asked.span, asked.time+r.latency)
	if asked.last {
		s.account[asked.kind].RoundTrip += at.Sub(asked.sent)
	}
	return asked, nil
}

// incoming returns the bytes of a payload.
func (s *Seat) incoming(p *wire.Payload) ([]byte, error) {
	if p.GetShared() == nil {
		return p.GetInline(), nil
	}
	if s.shared == nil {
		return nil, errors.New("it answered through shared memory, which this stream does not have")
	}
	return s.shared.incoming(p.GetShared())
}
