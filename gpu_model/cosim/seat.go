package cosim

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// ProtocolMajor and ProtocolMinor are the version of the wire contract that this model speaks.
const (
	ProtocolMajor = 1
	ProtocolMinor = 3
)

// SeatOptions says how a unit is attached.
type SeatOptions struct {
	Kind           wire.UnitKind
	Target         string // "unix:/path", "tcp://host:port", "builtin:" or "replay:DIR"
	Unit           string
	ParametersJSON string
	CreditWindow   int           // batches under way without acknowledgement
	MaxBatch       int           // events a batch
	Deadline       time.Duration // wall time without an answer that counts as a failure
	Shadow         bool          // compared, not applied

	// For TCP: mutual TLS, or a token over TLS, or neither on loopback when InsecureLoopback allows it. PEM.
	TLSCA, TLSCertificate, TLSKey []byte
	Token                         string
	InsecureLoopback              bool

	// NoSpeculation keeps the model from asking a stateless unit ahead of time; it changes wall time only.
	NoSpeculation bool
	// Waiting is called about once a second while the model waits for the unit.
	Waiting func(unit, event string, since time.Duration)
}

// Bounds of what a driver may ask for, and of what a batch may hold.
const (
	maxCreditWindow = 1024
	maxBatchEvents  = 1 << 16
	maxBatchBytes   = 4 << 20 // of payload, before a batch is cut
	maxLatencyPS    = 1e15    // 1000 s: beyond any run
)

func (o *SeatOptions) check() error {
	if o.CreditWindow < 0 || o.CreditWindow > maxCreditWindow || o.MaxBatch < 0 || o.MaxBatch > maxBatchEvents {
		return fmt.Errorf("a credit window has 1 to %d batches and a batch 1 to %d events, got %d and %d", maxCreditWindow, maxBatchEvents, o.CreditWindow, o.MaxBatch)
	}
	if o.CreditWindow == 0 {
		o.CreditWindow = 4
	}
	if o.MaxBatch == 0 {
		o.MaxBatch = 4096
	}
	if o.Deadline <= 0 {
		o.Deadline = 30 * time.Second
	}
	return nil
}

// Seat is one attached unit as the model sees it.
type Seat struct {
	Number  uint32 // the kind; shadows have numbers from firstShadow on
	Options SeatOptions
	Hello   *wire.UnitHello

	link   link
	shared *sharedMemory
	record *recorder     // nil: nothing is recorded
	layer  func() string // label of the user's layer
	now    func() uint64 // virtual time in ps
	trace  *trace
	failed error

	sequence    uint64    // of the next event
	inFlight    []sent    // batches without acknowledgement
	outstanding []request // requests without answer, in order
	pending     pendingBatch
	backlog     []queuedBatch // batches that wait for credit
	backlogged  int           // payload bytes of these
	replies     map[uint64]reply
	forget      uint64 // answers to requests below this number are of no interest any more
	token       uint64 // of the latest lifecycle message that awaits a reply
	lifeline    *wire.LifecycleReply
	wants       [eventKinds]bool
	compare     *comparison // of a shadow

	// LastCounters are the unit's counters as of its end, a JSON object; "" before.
	LastCounters string

	Posted, Requests, Batches uint64
	account                   [eventKinds]EventTimes
	spans                     spans
}

// sent is a batch under way.
type sent struct {
	through uint64 // sequence number behind its last event
	kind    wire.EventKind
	at      time.Time
	span    int // in Seat.spans
}

// request is a request under way.
type request struct {
	sequence uint64
	kind     wire.EventKind
	time     uint64 // ps
	sent     time.Time
	last     bool // of its batch
	span     int  // of its batch, in Seat.spans
}

// reply is the answer to one request.
type reply struct {
	latency  uint64 // ps
	encoded  []byte
	counts   *wire.CountsReply
	schedule *wire.ScheduleReply
}

// attach opens the link and shakes hands.
func attach(o SeatOptions, hello *wire.ModelHello, layer func() string, now func() uint64, shared *sharedMemory, record *recorder) (*Seat, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Seat{Options: o, shared: shared, layer: layer, now: now, trace: newTrace(), replies: map[uint64]reply{}}
	l, err := connect(&o, shared)
	if err != nil {
		return nil, &UnitFailure{Unit: seatName(o.Kind), Event: "the handshake", Layer: layer(), TimePS: now(), Reason: err.Error()}
	}
	s.link = l
	if l.placement() != "unix" {
		s.shared = nil
	}
	hello.Protocol = &wire.Version{Major: ProtocolMajor, Minor: ProtocolMinor}
	hello.Kind, hello.Unit, hello.ParametersJson = o.Kind, o.Unit, o.ParametersJSON
	hello.CreditWindow, hello.MaxBatchEvents = uint32(o.CreditWindow), uint32(o.MaxBatch)
	if s.shared != nil {
		hello.SharedDirectory = s.shared.directory
	}
	if err := s.shakeHands(hello); err != nil {
		l.close()
		return nil, err
	}
	if record != nil {
		s.record = record
		hello.SharedDirectory = ""
		if err := record.hello(hello, s.Hello); err != nil {
			l.close()
			return nil, err
		}
	}
	return s, nil
}

// connect opens the link that a target names.
func connect(o *SeatOptions, shared *sharedMemory) (link, error) {
	if directory, ok := strings.CutPrefix(o.Target, "replay:"); ok {
		return openReplay(directory, o.Kind)
	}
	if o.Target == "builtin:" {
		return newLocalLink(o)
	}
	return dial(o, shared)
}

func (s *Seat) shakeHands(hello *wire.ModelHello) error {
	if err := s.send(eventKindLifecycle, &wire.ModelMessage{Body: &wire.ModelMessage_Hello{Hello: hello}}); err != nil {
		return err
	}
	message, err := s.next(eventKindLifecycle, "the handshake")
	if err != nil {
		return err
	}
	s.Hello = message.GetHello()
	if err := s.checkHello(); err != nil {
		return err
	}
	for _, kind := range s.Hello.Events {
		if kind >= 0 && int(kind) < eventKinds {
			s.wants[kind] = true
		}
	}
	return nil
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
	case !(h.ElementsPerCycle >= 0) || math.IsInf(h.ElementsPerCycle, 1) || !(h.WriteStallCycles >= 0 && h.WriteStallCycles <= 1e6):
		return s.fail("the handshake", "its service rate must be a number from 0 on and its write stall 0 to 1e6 cycles, got %g and %g", h.ElementsPerCycle, h.WriteStallCycles)
	case !(h.GetFullLineStallCycles() >= 0 && h.GetFullLineStallCycles() <= 1e6):
		return s.fail("the handshake", "its write stall for full lines must be 0 to 1e6 cycles, got %g", h.GetFullLineStallCycles())
	case h.LookaheadPs > maxLatencyPS:
		return s.fail("the handshake", "its lookahead must be at most %g ps, got %d", float64(maxLatencyPS), h.LookaheadPs)
	case h.Instances > 1<<16 || h.BuffersPerInstance > 1<<20 || h.PrefetchDepth > 1<<20 || h.LineRequestsInFlight > 1<<20:
		return s.fail("the handshake", "expected at most 65536 instances and 2^20 buffers, tiles ahead and line requests, got %d, %d, %d and %d",
			h.Instances, h.BuffersPerInstance, h.PrefetchDepth, h.LineRequestsInFlight)
	}
	return nil
}

// Name returns the unit's name, before the handshake its seat's.
func (s *Seat) Name() string {
	name := seatName(s.Options.Kind)
	if s.Hello != nil && s.Hello.Name != "" {
		name = s.Hello.Name
	}
	if s.Options.Shadow {
		name += " (shadow)"
	}
	return name
}

// fail makes the seat unusable and returns why; the first reason stays.
func (s *Seat) fail(event, format string, arguments ...any) error {
	if s.failed == nil {
		s.failed = &UnitFailure{Unit: s.Name(), Event: event, Layer: s.layer(), TimePS: s.now(), Reason: fmt.Sprintf(format, arguments...)}
	}
	return s.failed
}

// reported files a failure that the unit tells itself.
func (s *Seat) reported(failure *wire.UnitFailure) error {
	if s.failed == nil {
		when := failure.TimePs
		if when == 0 {
			when = s.now()
		}
		s.failed = &UnitFailure{Unit: s.Name(), Event: failure.Event, Layer: s.layer(), TimePS: when, Reason: failure.Message, Detail: failure.Detail}
	}
	return s.failed
}

// lifecycle sends a lifecycle message, and waits for its reply when asked to.
func (s *Seat) lifecycle(event *wire.Lifecycle, wait bool) (*wire.LifecycleReply, error) {
	if err := s.flush(); err != nil {
		return nil, err
	}
	if err := s.sendAll(); err != nil {
		return nil, err
	}
	event.TimePs = s.now()
	if wait {
		s.token++
		event.Token = s.token
	}
	if s.record != nil {
		if err := s.record.event(&wire.RecordBlock{Body: &wire.RecordBlock_Lifecycle{Lifecycle: event}}); err != nil {
			return nil, err
		}
	}
	if err := s.send(eventKindLifecycle, &wire.ModelMessage{Body: &wire.ModelMessage_Lifecycle{Lifecycle: event}}); err != nil || !wait {
		return nil, err
	}
	name := "lifecycle " + event.Phase.String()
	for s.lifeline == nil {
		message, err := s.next(eventKindLifecycle, name)
		if err != nil {
			return nil, err
		}
		if err := s.take(message); err != nil {
			return nil, err
		}
	}
	r := s.lifeline
	s.lifeline = nil
	if s.record != nil {
		return r, s.record.answer(&wire.RecordBlock{Body: &wire.RecordBlock_LifecycleReply{LifecycleReply: r}})
	}
	return r, nil
}

// Snapshot asks the unit for its state, Restore gives it one back.
func (s *Seat) Snapshot() ([]byte, error) {
	r, err := s.lifecycle(&wire.Lifecycle{Phase: wire.Lifecycle_PHASE_SNAPSHOT}, true)
	if err != nil {
		return nil, err
	}
	return r.Snapshot, nil
}

// Restore returns the unit to the state of a snapshot.
func (s *Seat) Restore(snapshot []byte) error {
	_, err := s.lifecycle(&wire.Lifecycle{Phase: wire.Lifecycle_PHASE_RESTORE, Snapshot: snapshot}, true)
	return err
}

// Counters asks the unit for its counters, a JSON object.
func (s *Seat) Counters() (string, error) {
	r, err := s.lifecycle(&wire.Lifecycle{Phase: wire.Lifecycle_PHASE_COUNTERS}, true)
	if err != nil {
		return "", err
	}
	return r.CountersJson, nil
}

// detach ends the stream; the unit's counters come back, where it still can tell them, and what ended the seat.
func (s *Seat) detach() (counters string, err error) {
	if s.failed == nil {
		if err = s.settle(); err == nil {
			counters, err = s.Counters()
			s.LastCounters = counters
		}
		if err == nil {
			err = s.send(eventKindLifecycle, &wire.ModelMessage{Body: &wire.ModelMessage_Goodbye{Goodbye: &wire.Goodbye{Reason: "detached"}}})
		}
	}
	if s.record != nil {
		if e := s.record.close(s.failed == nil); err == nil {
			err = e
		}
	}
	s.link.close()
	return counters, err
}
