package cosim

import (
	"errors"
	"fmt"
	"sort"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// Machine is what a session must know of the GPU.
type Machine struct {
	Model, Version string
	ClockHz        uint64
	ComputeUnits   int
	L2Banks        int
	HostLinkCycles int     // one way over the host link
	HostLinkBytes  float64 // that it moves in a cycle

	// Invalidate drops the lines of an address range from the L1 caches; nil where there are none.
	Invalidate func(address, bytes uint64)
}

// Session holds the attached units, the watched tensors and the compacted views of one simulated GPU. It implements
// timing.Units and memory.Observer. All methods run on one goroutine.
type Session struct {
	machine Machine
	mem     *memory.Memory
	clock   func() uint64 // virtual time in ps between launches

	seats      []*Seat // in the order of attachment, shadows among them
	shadows    map[wire.UnitKind][]*Seat
	monitor    *Seat
	scheduler  *Seat
	compaction *compaction
	shared     *sharedMemory
	recording  *recording

	tensors    []*matrix // watched, by address
	nextTensor uint32
	nextView   uint32
	ended      []*Seat // detached; their traces and times still count
	layer      string
	prefetch   *prefetchPlan // of the next launch
	running    uint64        // virtual time of the launch under way, as far as the session knows it
	engine     timing.Engine
	stall      float64 // fraction of a write-stall cycle carried over
	err        error   // first failure inside a callback that can't return one
}

// NewSession makes a session without units.
func NewSession(machine Machine, mem *memory.Memory, clock func() uint64) *Session {
	return &Session{machine: machine, mem: mem, clock: clock, shadows: map[wire.UnitKind][]*Seat{}}
}

// Share lets payloads of 64 KiB and more pass through files in a private directory, mode 0700.
func (s *Session) Share(directory string) (err error) {
	s.shared, err = newSharedMemory(directory)
	return err
}

// Incoming returns the bytes of a driver's payload.
func (s *Session) Incoming(p *wire.Payload) ([]byte, error) {
	if p.GetShared() == nil {
		return p.GetInline(), nil
	}
	if s.shared == nil {
		return nil, errors.New("the payload is in shared memory, and the session has no private directory")
	}
	return s.shared.incoming(p.GetShared())
}

// Outgoing makes a payload for the driver, in shared memory where there is any and it pays.
func (s *Session) Outgoing(data []byte) (*wire.Payload, error) {
	if s.shared == nil || len(data) < sharedThreshold {
		return inline(data), nil
	}
	return s.shared.put(data)
}

// Record writes all events and replies of the units attached from now on into a directory.
func (s *Session) Record(directory string) (err error) {
	if directory != "" {
		s.recording, err = newRecording(directory, &s.machine)
	}
	return err
}

// Now returns virtual time in picoseconds.
func (s *Session) Now() uint64 { return max(s.running, s.clock()) }

// Seats returns the attached units in the order of attachment.
func (s *Session) Seats() []*Seat { return s.seats }

// Attach connects a unit to its seat, or, as a shadow, beside the unit in that seat.
func (s *Session) Attach(o SeatOptions) (*Seat, error) {
	switch o.Kind {
	case wire.UnitKind_UNIT_KIND_MONITOR, wire.UnitKind_UNIT_KIND_COMPACTION, wire.UnitKind_UNIT_KIND_SCHEDULER:
	default:
		return nil, fmt.Errorf("expected a unit of kind monitor, compaction or scheduler, got %v", o.Kind)
	}
	switch holder := s.seat(uint32(o.Kind)); {
	case holder != nil && !o.Shadow:
		return nil, fmt.Errorf("the seat %s is taken by unit %s; detach it first", seatName(o.Kind), holder.Name())
	case holder == nil && o.Shadow:
		return nil, fmt.Errorf("a shadow is compared with the unit in the seat %s, and none is there", seatName(o.Kind))
	}
	var record *recorder
	if s.recording != nil {
		var err error
		if record, err = s.recording.seat(o.Kind, o.Shadow); err != nil {
			return nil, err
		}
	}
	hello := &wire.ModelHello{Model: s.machine.Model, ModelVersion: s.machine.Version, ClockHz: s.machine.ClockHz,
		ComputeUnits: uint32(s.machine.ComputeUnits), L2Banks: uint32(s.machine.L2Banks)}
	seat, err := attach(o, hello, func() string { return s.layer }, s.Now, s.shared, record)
	if err != nil {
		return nil, err
	}
	seat.Number = uint32(o.Kind)
	if o.Shadow {
		seat.Number, seat.compare = s.freeShadow(), &comparison{}
		s.shadows[o.Kind] = append(s.shadows[o.Kind], seat)
	}
	s.seats = append(s.seats, seat)
	if err := s.introduce(seat); err != nil {
		s.Detach(seat)
		return nil, err
	}
	return seat, nil
}

// introduce tells a new unit what is there already, and puts it to work.
func (s *Session) introduce(seat *Seat) error {
	switch kind := seat.Options.Kind; {
	case kind == wire.UnitKind_UNIT_KIND_MONITOR:
		if !seat.Options.Shadow {
			s.monitor = seat
			s.mem.SetObserver(s)
		}
		for _, m := range s.tensors {
			if err := s.announce(seat, m); err != nil {
				return err
			}
		}
	case kind == wire.UnitKind_UNIT_KIND_COMPACTION && !seat.Options.Shadow:
		s.compaction = newCompaction(seat, s.mem, s.machine.L2Banks, func() []*Seat { return s.shadows[kind] })
	case kind == wire.UnitKind_UNIT_KIND_COMPACTION:
		for _, v := range s.compaction.views {
			if _, err := seat.lifecycle(&wire.Lifecycle{Phase: wire.Lifecycle_PHASE_VIEW_ADDED, View: v.wire}, false); err != nil {
				return err
			}
		}
	case !seat.Options.Shadow:
		s.scheduler = seat
	}
	return nil
}

// tell sends a lifecycle message to the unit in a seat and to its shadows.
func (s *Session) tell(seat *Seat, event *wire.Lifecycle) error {
	for _, x := range s.withShadows(seat) {
		copied := &wire.Lifecycle{Phase: event.Phase, Label: event.Label, Tensor: event.Tensor, View: event.View, TileNonzeros: event.TileNonzeros}
		if _, err := x.lifecycle(copied, false); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) withShadows(seat *Seat) []*Seat {
	return append([]*Seat{seat}, s.shadows[seat.Options.Kind]...)
}

// seat returns the seat of a number, nil where nobody sits.
func (s *Session) seat(number uint32) *Seat {
	for _, seat := range s.seats {
		if seat.Number == number {
			return seat
		}
	}
	return nil
}

// Seat returns the seat of a number.
func (s *Session) Seat(number uint32) (*Seat, error) {
	if seat := s.seat(number); seat != nil {
		return seat, nil
	}
	return nil, fmt.Errorf("no unit sits in seat %d", number)
}

func (s *Session) freeShadow() uint32 {
	number := uint32(firstShadow)
	for s.seat(number) != nil {
		number++
	}
	return number
}

// Detach ends a unit's stream, and those of its shadows, and returns the unit's counters as JSON. Views end with their engine. The
// seat is free afterwards even where that fails.
func (s *Session) Detach(seat *Seat) (counters string, err error) {
	if !seat.Options.Shadow {
		for _, shadow := range append([]*Seat(nil), s.shadows[seat.Options.Kind]...) {
			_, e := s.Detach(shadow)
			err = errors.Join(err, e)
		}
		if s.compaction != nil && seat == s.compaction.seat {
			for len(s.compaction.views) > 0 {
				if _, e := s.DestroyView(s.compaction.views[0].wire.Id); e != nil && seat.failed == nil {
					err = errors.Join(err, e)
				}
			}
		}
	}
	counters, e := seat.detach()
	if seat.compare != nil {
		seat.compareArrived()
	}
	err = errors.Join(err, e)
	s.seats = remove(s.seats, seat)
	switch {
	case seat.Options.Shadow:
		s.shadows[seat.Options.Kind] = remove(s.shadows[seat.Options.Kind], seat)
	case seat == s.monitor:
		s.monitor = nil
		s.mem.SetObserver(nil)
	case seat == s.scheduler:
		s.scheduler = nil
	case s.compaction != nil && seat == s.compaction.seat:
		s.compaction = nil
	}
	s.ended = append(s.ended, seat)
	return counters, err
}

func remove(seats []*Seat, seat *Seat) []*Seat {
	var rest []*Seat
	for _, other := range seats {
		if other != seat {
			rest = append(rest, other)
		}
	}
	return rest
}

// Close ends all streams.
func (s *Session) Close() {
	for len(s.seats) > 0 {
		_, _ = s.Detach(s.seats[0])
	}
	s.shared.clean()
}

// Settle waits until all units have handled what they were sent.
func (s *Session) Settle() error {
	for _, seat := range s.seats {
		if err := seat.settle(); err != nil {
			return err
		}
		if seat.compare != nil {
			seat.compareArrived()
		}
	}
	return nil
}

// askAll sends a request to the unit in a seat and to its shadows, and returns its sequence number at each.
func (s *Session) askAll(seat *Seat, now uint64, kind wire.EventKind, batch func() *wire.EventBatch) ([]uint64, error) {
	var sequences []uint64
	for _, x := range s.withShadows(seat) {
		sequence, err := x.single(now, kind, batch())
		if err != nil {
			return nil, err
		}
		sequences = append(sequences, sequence)
	}
	return sequences, nil
}

// compareAll lets the shadows of a seat compare the answer that was applied with theirs.
func (s *Session) compareAll(seat *Seat, sequences []uint64, now uint64, applied reply) {
	for i, x := range s.shadows[seat.Options.Kind] {
		x.expect(sequences[i+1], now, applied)
	}
}

// MarkLayer tells all units that a layer of the user's job begins or ends. At its end they have handled all of it, so that a failure
// is told with the layer that it belongs to.
func (s *Session) MarkLayer(begin bool, label string) error {
	phase, kind := wire.Lifecycle_PHASE_LAYER_END, wire.MarkKind_MARK_KIND_LAYER_END
	if begin {
		phase, kind = wire.Lifecycle_PHASE_LAYER_BEGIN, wire.MarkKind_MARK_KIND_LAYER_BEGIN
		s.layer = label
	}
	for _, seat := range s.seats {
		if err := seat.mark(s.Now(), kind, label); err != nil {
			return err
		}
		if _, err := seat.lifecycle(&wire.Lifecycle{Phase: phase, Label: label}, false); err != nil {
			return err
		}
	}
	if begin {
		return nil
	}
	err := s.Settle()
	s.layer = ""
	return err
}

// TraceHash returns the hash over all events and replies so far, of units that were detached meanwhile too, in the order of the seats'
// kinds and of attachment. Shadows are no part of it.
func (s *Session) TraceHash() string {
	var seats []*Seat
	for _, seat := range append(append([]*Seat(nil), s.ended...), s.seats...) {
		if !seat.Options.Shadow {
			seats = append(seats, seat)
		}
	}
	sort.SliceStable(seats, func(i, j int) bool { return seats[i].Options.Kind < seats[j].Options.Kind })
	traces := make([]*trace, len(seats))
	for i, seat := range seats {
		traces[i] = seat.trace
	}
	return combine(traces)
}

// Ended returns the seats whose units were detached.
func (s *Session) Ended() []*Seat { return s.ended }
