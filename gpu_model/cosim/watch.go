package cosim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// Watch registers a tensor with the monitor.
func (s *Session) Watch(t *wire.Tensor) (uint32, error) {
	if s.monitor == nil {
		return 0, errors.New("watching a tensor needs a monitor, none is attached")
	}
	m, err := newMatrix(t)
	if err != nil {
		return 0, err
	}
	if m.im2col != nil {
		return 0, fmt.Errorf("tensor %q: the monitor counts tensors as they lie in memory; watch the tensor, not its im2col matrix", t.Name)
	}
	if err := s.mem.Watch(m.Address, m.bytes()); err != nil {
		return 0, err
	}
	s.nextTensor++
	t.Id = s.nextTensor
	s.tensors = append(s.tensors, m)
	sort.Slice(s.tensors, func(i, j int) bool { return s.tensors[i].Address < s.tensors[j].Address })
	for _, seat := range s.withShadows(s.monitor) {
		if err := s.announce(seat, m); err != nil {
			return 0, err
		}
	}
	return t.Id, nil
}

// HostWrote tells the monitor what the host has copied into watched tensors: they are registered again, as they are now.
func (s *Session) HostWrote(address, bytes uint64) error {
	if s.monitor == nil {
		return nil
	}
	for _, m := range s.tensors {
		if address >= m.Address+m.bytes() || m.Address >= address+bytes {
			continue
		}
		for _, seat := range s.withShadows(s.monitor) {
			if err := s.announce(seat, m); err != nil {
				return err
			}
		}
	}
	return nil
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
		return s.tell(s.monitor, &wire.Lifecycle{Phase: wire.Lifecycle_PHASE_TENSOR_REMOVED, Tensor: m.Tensor})
	}
	return fmt.Errorf("no tensor %d is watched", id)
}

// ReadCounts asks the monitor for the counts of a tensor; latency is what the register read costs, in ps.
func (s *Session) ReadCounts(id uint32) (counts *wire.CountsReply, latency uint64, err error) {
	if s.monitor == nil {
		return nil, 0, errors.New("reading counts needs a monitor, none is attached")
	}
	for _, m := range s.tensors {
		if m.Id == id {
			return s.readCounts(m)
		}
	}
	return nil, 0, fmt.Errorf("no tensor %d is watched", id)
}

func (s *Session) readCounts(m *matrix) (*wire.CountsReply, uint64, error) {
	const kind = wire.EventKind_EVENT_KIND_READ_COUNTS
	now := s.Now()
	sequences, err := s.askAll(s.monitor, now, kind, func() *wire.EventBatch {
		return &wire.EventBatch{Columns: &wire.EventBatch_ReadCounts{ReadCounts: &wire.ReadCountsColumns{Tensor: binary.LittleEndian.AppendUint32(nil, m.Id)}}}
	})
	if err != nil {
		return nil, 0, err
	}
	request := s.monitor.trace.request(kind, now, nil, uint64(m.Id))
	r, err := s.monitor.await(sequences[0], kind)
	if err != nil {
		return nil, 0, err
	}
	if uint64(len(r.counts.TileNonzeros)) != 4*m.tiles() || r.counts.Elements != m.Rows*m.Columns || r.counts.Zeros > r.counts.Elements {
		return nil, 0, s.monitor.fail(fmt.Sprintf("read_counts event %d", sequences[0]), "expected counts of %d elements in %d tiles of tensor %q, got %d elements, %d zeros and %d bytes of tile counts",
			m.Rows*m.Columns, m.tiles(), m.Name, r.counts.Elements, r.counts.Zeros, len(r.counts.TileNonzeros))
	}
	s.monitor.trace.reply(request, r.latency, []uint64{r.counts.Elements, r.counts.Zeros}, r.counts.TileNonzeros)
	s.compareAll(s.monitor, sequences, now, r)
	return r.counts, r.latency, nil
}

// announce registers a tensor with a monitor, with the counts that it has now.
func (s *Session) announce(seat *Seat, m *matrix) error {
	counts, err := m.tileNonzeros(s.mem)
	if err != nil {
		return err
	}
	_, err = seat.lifecycle(&wire.Lifecycle{Phase: wire.Lifecycle_PHASE_TENSOR_ADDED, Tensor: m.Tensor, TileNonzeros: counts}, false)
	return err
}
