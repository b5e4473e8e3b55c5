package cosim

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// CreateView maps a compacted view of a tensor into device memory.
func (s *Session) CreateView(t *wire.Tensor, format string, slot uint64) (*wire.View, error) {
	if s.compaction == nil {
		return nil, errors.New("a compacted view needs a compaction engine, none is attached")
	}
	m, err := newMatrix(t)
	if err != nil {
		return nil, err
	}
	if formats := s.compaction.seat.Hello.Formats; len(formats) > 0 && !slices.Contains(formats, format) {
		return nil, fmt.Errorf("view of tensor %q: unit %s converts to %s, the view asks for %q", t.Name, s.compaction.seat.Name(), strings.Join(formats, ", "), format)
	}
	if _, err := s.mem.Bytes(m.Address, m.bytes()); err != nil {
		return nil, fmt.Errorf("view of tensor %q: %w", t.Name, err)
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
	v := s.compaction.newView(m, s.nextView, address, format, slot)
	s.invalidate(v)
	return v.wire, s.tell(s.compaction.seat, &wire.Lifecycle{Phase: wire.Lifecycle_PHASE_VIEW_ADDED, View: v.wire})
}

// invalidate drops what the L1 caches hold of a view.
func (s *Session) invalidate(v *view) {
	if s.machine.Invalidate != nil {
		s.machine.Invalidate(v.address, v.matrix.tiles()*v.slot)
	}
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
			s.compaction.latest = nil
			s.invalidate(v)
			statistics := ViewStatistics{v.conversions, v.denseBytes, v.encodedBytes}
			if err := errors.Join(s.mem.UnmapView(v.address), s.mem.Free(v.address)); err != nil {
				return statistics, err
			}
			return statistics, s.tell(s.compaction.seat, &wire.Lifecycle{Phase: wire.Lifecycle_PHASE_VIEW_REMOVED, View: v.wire})
		}
	}
	return ViewStatistics{}, fmt.Errorf("no view %d exists", id)
}
