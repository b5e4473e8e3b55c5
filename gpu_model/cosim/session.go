package cosim

import (
	"encoding/binary"
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
}

// Session holds the attached units, the watched tensors and the compacted views of one simulated GPU. It implements
// timing.Units and memory.Observer. All methods run on one goroutine.
type Session struct {
	machine Machine
	mem     *memory.Memory
	clock   func() uint64 // virtual time in ps between launches

	seats      []*Seat
	monitor    *Seat
	scheduler  *Seat
	compaction *compaction

	tensors    []*matrix // watched, by address
	nextTensor uint32
	nextView   uint32
	layer      string
	running    uint64 // virtual time of the launch under way, as far as the session knows it
	engine     timing.Engine
	stall      float64 // fraction of a write-stall cycle carried over
	err        error   // first failure inside a callback that can't return one
}

// NewSession makes a session without units.
func NewSession(machine Machine, mem *memory.Memory, clock func() uint64) *Session {
	return &Session{machine: machine, mem: mem, clock: clock}
}

// Now returns virtual time in picoseconds.
func (s *Session) Now() uint64 { return max(s.running, s.clock()) }

// Seats returns the attached units in the order of attachment.
func (s *Session) Seats() []*Seat { return s.seats }

// Attach connects a unit to its seat.
func (s *Session) Attach(o SeatOptions) (*Seat, error) {
	for _, seat := range s.seats {
		if seat.Options.Kind == o.Kind {
			return nil, fmt.Errorf("the seat %s is taken by unit %s; detach it first", seatName(o.Kind), seat.Name())
		}
	}
	switch o.Kind {
	case wire.UnitKind_UNIT_KIND_MONITOR, wire.UnitKind_UNIT_KIND_COMPACTION, wire.UnitKind_UNIT_KIND_SCHEDULER:
	default:
		return nil, fmt.Errorf("expected a unit of kind monitor, compaction or scheduler, got %v", o.Kind)
	}
	seat, err := attach(o, &wire.ModelHello{Model: s.machine.Model, ModelVersion: s.machine.Version, ClockHz: s.machine.ClockHz,
		ComputeUnits: uint32(s.machine.ComputeUnits), L2Banks: uint32(s.machine.L2Banks)}, func() string { return s.layer }, s.Now)
	if err != nil {
		return nil, err
	}
	s.seats = append(s.seats, seat)
	switch o.Kind {
	case wire.UnitKind_UNIT_KIND_MONITOR:
		s.monitor = seat
		s.mem.SetObserver(s)
	case wire.UnitKind_UNIT_KIND_COMPACTION:
		s.compaction = newCompaction(seat, s.mem, s.machine.L2Banks)
	case wire.UnitKind_UNIT_KIND_SCHEDULER:
		s.scheduler = seat
	}
	return seat, nil
}

// Detach ends a unit's stream and returns its counters as JSON, "" where it could not tell them.
func (s *Session) Detach(seat *Seat) string {
	counters := seat.detach()
	for i, other := range s.seats {
		if other == seat {
			s.seats = append(s.seats[:i], s.seats[i+1:]...)
			break
		}
	}
	switch {
	case seat == s.monitor:
		s.monitor = nil
		s.mem.SetObserver(nil)
	case seat == s.scheduler:
		s.scheduler = nil
	case s.compaction != nil && seat == s.compaction.seat:
		s.compaction = nil
	}
	return counters
}

// Close ends all streams.
func (s *Session) Close() {
	for len(s.seats) > 0 {
		s.Detach(s.seats[0])
	}
}

// Watch registers a tensor with the monitor.
func (s *Session) Watch(t *wire.Tensor) (uint32, error) {
	if s.monitor == nil {
		return 0, errors.New("watching a tensor needs a monitor, none is attached")
	}
	m, err := newMatrix(t)
	if err != nil {
		return 0, err
	}
	counts, err := m.tileNonzeros(s.mem)
	if err != nil {
		return 0, err
	}
	if err := s.mem.Watch(m.Address, m.bytes()); err != nil {
		return 0, err
	}
	s.nextTensor++
	t.Id = s.nextTensor
	s.tensors = append(s.tensors, m)
	sort.Slice(s.tensors, func(i, j int) bool { return s.tensors[i].Address < s.tensors[j].Address })
	_, err = s.monitor.lifecycle(&wire.Lifecycle{Phase: wire.Lifecycle_PHASE_TENSOR_ADDED, Tensor: t, TileNonzeros: counts}, false)
	return t.Id, err
}

// Unwatch ends what Watch began.
func (s *Session) Unwatch(id uint32) error {
	for i, m := range s.tensors {
		if m.Id != id {
			continue
		}
		s.tensors = append(s.tensors[:i], s.tensors[i+1:]...)
		if err := s.mem.Unwatch(m.Address, m.bytes()); err != nil {
			return err
		}
		for _, other := range s.tensors { // another tensor may share its pages
			if err := s.mem.Watch(other.Address, other.bytes()); err != nil {
				return err
			}
		}
		if s.monitor == nil {
			return nil
		}
		_, err := s.monitor.lifecycle(&wire.Lifecycle{Phase: wire.Lifecycle_PHASE_TENSOR_REMOVED, Tensor: m.Tensor}, false)
		return err
	}
	return fmt.Errorf("no tensor %d is watched", id)
}

// ReadCounts asks the monitor for the counts of a tensor; latency is what the register read costs, in ps.
func (s *Session) ReadCounts(id uint32) (counts *wire.CountsReply, latency uint64, err error) {
	if s.monitor == nil {
		return nil, 0, errors.New("reading counts needs a monitor, none is attached")
	}
	for _, m := range s.tensors {
		if m.Id != id {
			continue
		}
		column := binary.LittleEndian.AppendUint32(nil, id)
		sequence, err := s.monitor.request(s.Now(), wire.EventKind_EVENT_KIND_READ_COUNTS,
			&wire.EventBatch{Columns: &wire.EventBatch_ReadCounts{ReadCounts: &wire.ReadCountsColumns{Tensor: column}}}, column)
		if err != nil {
			return nil, 0, err
		}
		r, err := s.monitor.await(sequence, "read_counts")
		if err != nil {
			return nil, 0, err
		}
		if r.counts == nil || uint64(len(r.counts.TileNonzeros)) != 4*m.tiles() || r.counts.Elements != m.Rows*m.Columns || r.counts.Zeros > r.counts.Elements {
			return nil, 0, s.monitor.fail(fmt.Sprintf("read_counts event %d", sequence), "expected counts of %d elements in %d tiles of tensor %q, got %d elements, %d zeros and %d bytes of tile counts",
				m.Rows*m.Columns, m.tiles(), m.Name, r.counts.GetElements(), r.counts.GetZeros(), len(r.counts.GetTileNonzeros()))
		}
		s.monitor.trace.record(s.monitor.trace.replies, []uint64{sequence, r.latency, r.counts.Elements, r.counts.Zeros}, r.counts.TileNonzeros)
		return r.counts, r.latency, nil
	}
	return nil, 0, fmt.Errorf("no tensor %d is watched", id)
}

// CreateView maps a compacted view of a tensor into device memory.
func (s *Session) CreateView(t *wire.Tensor, format string, slot uint64) (*wire.View, error) {
	if s.compaction == nil {
		return nil, errors.New("a compacted view needs a compaction engine, none is attached")
	}
	m, err := newMatrix(t)
	if err != nil {
		return nil, err
	}
	if slot == 0 || slot%memory.LineBytes != 0 || slot > 1<<26 {
		return nil, fmt.Errorf("view of tensor %q: the slot must be a positive multiple of %d bytes, got %d", t.Name, memory.LineBytes, slot)
	}
	bytes := (m.tiles()*slot + memory.PageBytes - 1) &^ (memory.PageBytes - 1)
	address, err := s.mem.Allocate(bytes, "view of "+t.Name)
	if err != nil {
		return nil, err
	}
	if err := s.mem.MapView(address, bytes, s.compaction); err != nil {
		return nil, errors.Join(err, s.mem.Free(address))
	}
	s.nextView++
	v := &view{matrix: m, address: address, slot: slot, tiles: map[uint64]*tile{},
		wire: &wire.View{Id: s.nextView, Address: address, Tensor: t, Format: format, SlotBytes: slot, Tiles: m.tiles()}}
	s.compaction.views = append(s.compaction.views, v)
	sort.Slice(s.compaction.views, func(i, j int) bool { return s.compaction.views[i].address < s.compaction.views[j].address })
	_, err = s.compaction.seat.lifecycle(&wire.Lifecycle{Phase: wire.Lifecycle_PHASE_VIEW_ADDED, View: v.wire}, false)
	return v.wire, err
}

// ViewStatistics is what a view moved in its life.
type ViewStatistics struct{ Conversions, DenseBytes, EncodedBytes uint64 }

// DestroyView unmaps a view.
func (s *Session) DestroyView(id uint32) (ViewStatistics, error) {
	if s.compaction != nil {
		for i, v := range s.compaction.views {
			if v.wire.Id != id {
				continue
			}
			s.compaction.views = append(s.compaction.views[:i], s.compaction.views[i+1:]...)
			statistics := ViewStatistics{v.conversions, v.denseBytes, v.encodedBytes}
			if err := errors.Join(s.mem.UnmapView(v.address), s.mem.Free(v.address)); err != nil {
				return statistics, err
			}
			_, err := s.compaction.seat.lifecycle(&wire.Lifecycle{Phase: wire.Lifecycle_PHASE_VIEW_REMOVED, View: v.wire}, false)
			return statistics, err
		}
	}
	return ViewStatistics{}, fmt.Errorf("no view %d exists", id)
}

// MarkLayer tells all units that a layer of the user's job begins or ends.
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
	if !begin {
		s.layer = ""
	}
	return nil
}

// TraceHash returns the hash over all events and replies so far, in the order of the seats' kinds.
func (s *Session) TraceHash() string {
	seats := append([]*Seat(nil), s.seats...)
	sort.SliceStable(seats, func(i, j int) bool { return seats[i].Options.Kind < seats[j].Options.Kind })
	traces := make([]*trace, len(seats))
	for i, seat := range seats {
		traces[i] = seat.trace
	}
	return combine(traces)
}
