package cosim

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// ProtocolMajor and ProtocolMinor are the version of the wire contract that this model speaks.
const (
	ProtocolMajor = 1
	ProtocolMinor = 1
)

// SeatOptions says how a unit is attached.
type SeatOptions struct {
	Kind           wire.UnitKind
	Target         string // "unix:/path" or "host:port"
	Unit           string
	ParametersJSON string
	CreditWindow   int           // batches under way without acknowledgement
	MaxBatch       int           // events a batch
	Deadline       time.Duration // wall time without an answer that counts as a failure
}

func (o *SeatOptions) fillDefaults() {
	if o.CreditWindow <= 0 {
		o.CreditWindow = 4
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = 4096
	}
	if o.Deadline <= 0 {
		o.Deadline = 30 * time.Second
	}
}

// Seat is one attached unit as the model sees it.
type Seat struct {
	Options SeatOptions
	Hello   *wire.UnitHello

	link   link
	layer  func() string // label of the user's layer
	now    func() uint64 // virtual time in ps
	trace  *trace
	failed error

	sequence uint64 // of the next event
	inFlight []uint64
	pending  pendingBatch
	replies  map[uint64]reply
	lifeline map[uint64]*wire.LifecycleReply
	token    uint64
	wants    map[wire.EventKind]bool

	Posted, Requests, Batches uint64
	Waited, Busy, Serialised  time.Duration
}

// reply is the answer to one request.
type reply struct {
	latency  uint64 // ps
	encoded  []byte
	counts   *wire.CountsReply
	schedule *wire.ScheduleReply
}

// attach opens the link and shakes hands.
func attach(o SeatOptions, hello *wire.ModelHello, layer func() string, now func() uint64) (*Seat, error) {
	o.fillDefaults()
	s := &Seat{Options: o, layer: layer, now: now, trace: newTrace(), replies: map[uint64]reply{}, lifeline: map[uint64]*wire.LifecycleReply{},
		wants: map[wire.EventKind]bool{}}
	l, err := dial(o.Target, o.Deadline)
	if err != nil {
		return nil, &UnitFailure{Unit: seatName(o.Kind), Event: "the handshake", Reason: err.Error()}
	}
	s.link = l
	hello.Protocol = &wire.Version{Major: ProtocolMajor, Minor: ProtocolMinor}
	hello.Kind, hello.Unit, hello.ParametersJson = o.Kind, o.Unit, o.ParametersJSON
	hello.CreditWindow, hello.MaxBatchEvents = uint32(o.CreditWindow), uint32(o.MaxBatch)
	if err := s.send(&wire.ModelMessage{Body: &wire.ModelMessage_Hello{Hello: hello}}); err != nil {
		l.close()
		return nil, err
	}
	message, err := s.next("the handshake")
	if err != nil {
		l.close()
		return nil, err
	}
	s.Hello = message.GetHello()
	if err := s.checkHello(); err != nil {
		l.close()
		return nil, err
	}
	for _, kind := range s.Hello.Events {
		s.wants[kind] = true
	}
	return s, nil
}

func seatName(kind wire.UnitKind) string {
	switch kind {
	case wire.UnitKind_UNIT_KIND_MONITOR:
		return "monitor"
	case wire.UnitKind_UNIT_KIND_COMPACTION:
		return "compaction"
	case wire.UnitKind_UNIT_KIND_SCHEDULER:
		return "scheduler"
	}
	return "of unknown kind"
}

func (s *Seat) checkHello() error {
	h := s.Hello
	switch {
	case h == nil:
		return s.fail("the handshake", "expected its hello as the first message, got another one")
	case h.GetProtocol().GetMajor() != ProtocolMajor:
		return s.fail("the handshake", "it speaks protocol %d.%d, the model %d.%d: install matching versions",
			h.GetProtocol().GetMajor(), h.GetProtocol().GetMinor(), ProtocolMajor, ProtocolMinor)
	case h.Kind != s.Options.Kind:
		return s.fail("the handshake", "expected a unit of kind %s, got kind %s", seatName(s.Options.Kind), seatName(h.Kind))
	case h.ElementsPerCycle < 0 || h.WriteStallCycles < 0:
		return s.fail("the handshake", "its service rate and write stall must not be negative, got %g and %g", h.ElementsPerCycle, h.WriteStallCycles)
	}
	return nil
}

// Name returns the unit's name, before the handshake its seat's.
func (s *Seat) Name() string {
	if s.Hello != nil && s.Hello.Name != "" {
		return s.Hello.Name
	}
	return seatName(s.Options.Kind)
}

// fail makes the seat unusable and returns why; the first reason stays.
func (s *Seat) fail(event, format string, arguments ...any) error {
	if s.failed == nil {
		s.failed = &UnitFailure{Unit: s.Name(), Event: event, Layer: s.layer(), TimePS: s.now(), Reason: fmt.Sprintf(format, arguments...)}
	}
	return s.failed
}

func (s *Seat) send(message *wire.ModelMessage) error {
	if s.failed != nil {
		return s.failed
	}
	begin := time.Now()
	err := s.link.send(message)
	s.Serialised += time.Since(begin)
	if err != nil {
		return s.gone("sending")
	}
	return nil
}

// gone takes what the unit still said before its stream ended, and returns the failure.
func (s *Seat) gone(event string) error {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for {
		select {
		case message, ok := <-s.link.received():
			if !ok {
				reason := "its stream ended"
				if err := s.link.err(); err != nil {
					reason = err.Error()
				}
				return s.fail(event, "%s", reason)
			}
			if failure := message.GetFailure(); failure != nil {
				return s.reported(failure)
			}
		case <-timer.C:
			return s.fail(event, "its stream is broken")
		}
	}
}

func (s *Seat) reported(failure *wire.UnitFailure) error {
	if s.failed == nil {
		s.failed = &UnitFailure{Unit: s.Name(), Event: failure.Event, Layer: s.layer(), TimePS: s.now(), Reason: failure.Message, Detail: failure.Detail}
	}
	return s.failed
}

// next waits for the next message; event says what for.
func (s *Seat) next(event string) (*wire.UnitMessage, error) {
	if s.failed != nil {
		return nil, s.failed
	}
	begin := time.Now()
	defer func() { s.Waited += time.Since(begin) }()
	timer := time.NewTimer(s.Options.Deadline)
	defer timer.Stop()
	select {
	case message, ok := <-s.link.received():
		if !ok {
			reason := "its stream ended"
			if err := s.link.err(); err != nil {
				reason = err.Error()
			}
			return nil, s.fail(event, "%s", reason)
		}
		if failure := message.GetFailure(); failure != nil {
			return nil, s.reported(failure)
		}
		return message, nil
	case <-timer.C:
		return nil, s.fail(event, "no answer within %v of wall time", s.Options.Deadline)
	}
}

// take handles one message that is not the hello.
func (s *Seat) take(message *wire.UnitMessage) error {
	switch body := message.Body.(type) {
	case *wire.UnitMessage_Acknowledge:
		s.Busy += time.Duration(body.Acknowledge.BusyNs)
		for len(s.inFlight) > 0 && s.inFlight[0] <= body.Acknowledge.ThroughSequence {
			s.inFlight = s.inFlight[1:]
		}
		return nil
	case *wire.UnitMessage_Replies:
		return s.takeReplies(body.Replies)
	case *wire.UnitMessage_Lifecycle:
		s.lifeline[body.Lifecycle.Token] = body.Lifecycle
		return nil
	}
	return s.fail("", "it sent a message of unknown kind")
}

// drain handles what has arrived, without waiting.
func (s *Seat) drain() error {
	for {
		select {
		case message, ok := <-s.link.received():
			if !ok {
				return s.gone("an event")
			}
			if failure := message.GetFailure(); failure != nil {
				return s.reported(failure)
			}
			if err := s.take(message); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// sendBatch sends a batch when credit allows.
func (s *Seat) sendBatch(batch *wire.EventBatch) error {
	if err := s.drain(); err != nil {
		return err
	}
	for len(s.inFlight) >= s.Options.CreditWindow {
		message, err := s.next(fmt.Sprintf("events up to %d", s.inFlight[0]))
		if err != nil {
			return err
		}
		if err := s.take(message); err != nil {
			return err
		}
	}
	s.inFlight = append(s.inFlight, batch.FirstSequence+uint64(batch.Count))
	s.Batches++
	return s.send(&wire.ModelMessage{Body: &wire.ModelMessage_Batch{Batch: batch}})
}

// await returns the reply to a request.
func (s *Seat) await(sequence uint64, event string) (reply, error) {
	for {
		if r, ok := s.replies[sequence]; ok {
			delete(s.replies, sequence)
			return r, nil
		}
		message, err := s.next(fmt.Sprintf("%s event %d", event, sequence))
		if err != nil {
			return reply{}, err
		}
		if err := s.take(message); err != nil {
			return reply{}, err
		}
	}
}

// takeReplies checks a batch of replies and files them.
func (s *Seat) takeReplies(batch *wire.ReplyBatch) error {
	n := int(batch.Count)
	if len(batch.Sequence) != 8*n || len(batch.LatencyPs) != 8*n {
		return s.fail("a reply", "expected %d sequence numbers and latencies of 8 bytes, got %d and %d bytes", n, len(batch.Sequence), len(batch.LatencyPs))
	}
	var sizes []byte
	var encoded []byte
	if tiles := batch.GetCompactTile(); tiles != nil {
		sizes, encoded = tiles.Size, tiles.GetEncoded().GetInline()
		if len(sizes) != 4*n {
			return s.fail("a reply", "expected %d tile sizes of 4 bytes, got %d bytes", n, len(sizes))
		}
	}
	for i := range n {
		sequence := binary.LittleEndian.Uint64(batch.Sequence[8*i:])
		r := reply{latency: binary.LittleEndian.Uint64(batch.LatencyPs[8*i:]), counts: batch.GetCounts(), schedule: batch.GetSchedule()}
		event := fmt.Sprintf("the reply to event %d", sequence)
		if sequence >= s.sequence {
			return s.fail(event, "no such event was sent, the last one was %d", int64(s.sequence)-1)
		}
		if _, twice := s.replies[sequence]; twice {
			return s.fail(event, "it was answered twice")
		}
		if r.latency < s.Hello.LookaheadPs {
			return s.fail(event, "its latency of %d ps is below the lookahead of %d ps that the unit declared", r.latency, s.Hello.LookaheadPs)
		}
		if sizes != nil {
			size := uint64(binary.LittleEndian.Uint32(sizes[4*i:]))
			if size > uint64(len(encoded)) {
				return s.fail(event, "expected %d bytes of encoded tile, %d are left", size, len(encoded))
			}
			r.encoded, encoded = encoded[:size:size], encoded[size:]
		}
		s.replies[sequence] = r
	}
	if len(encoded) != 0 {
		return s.fail("a reply", "%d bytes are left over after the last tile", len(encoded))
	}
	return nil
}

// lifecycle sends a lifecycle message, and waits for its reply when asked to.
func (s *Seat) lifecycle(event *wire.Lifecycle, wait bool) (*wire.LifecycleReply, error) {
	if err := s.flush(); err != nil {
		return nil, err
	}
	event.TimePs = s.now()
	if wait {
		s.token++
		event.Token = s.token
	}
	if err := s.send(&wire.ModelMessage{Body: &wire.ModelMessage_Lifecycle{Lifecycle: event}}); err != nil || !wait {
		return nil, err
	}
	for {
		if r, ok := s.lifeline[event.Token]; ok {
			delete(s.lifeline, event.Token)
			return r, nil
		}
		message, err := s.next("lifecycle " + event.Phase.String())
		if err != nil {
			return nil, err
		}
		if err := s.take(message); err != nil {
			return nil, err
		}
	}
}

// detach ends the stream; the unit's counters come back, where it still can tell them.
func (s *Seat) detach() (counters string) {
	if s.failed == nil {
		if r, err := s.lifecycle(&wire.Lifecycle{Phase: wire.Lifecycle_PHASE_COUNTERS}, true); err == nil {
			counters = r.CountersJson
		}
		_ = s.link.send(&wire.ModelMessage{Body: &wire.ModelMessage_Goodbye{Goodbye: &wire.Goodbye{Reason: "detached"}}})
	}
	s.link.close()
	return counters
}
