package cosim

import (
	"errors"
	"math"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// KernelBegin prepares a launch: dense tensors behind views become read-only, units learn of it.
func (s *Session) KernelBegin(label string) error {
	s.err, s.running = nil, s.clock()
	if c := s.compaction; c != nil {
		c.reset()
		c.prefetch, s.prefetch = s.prefetch, nil
		for _, v := range c.views {
			s.invalidate(v)
			if err := s.mem.SetReadOnly(v.matrix.Address, v.matrix.bytes(), true); err != nil {
				return err
			}
		}
	}
	if err := s.markKernel(wire.MarkKind_MARK_KIND_KERNEL_BEGIN, label); err != nil {
		return err
	}
	if s.compaction != nil {
		return s.compaction.askPlanned(s.Now())
	}
	return nil
}

// KernelEnd ends a launch, also a failed one, and returns the first failure of a unit during it.
func (s *Session) KernelEnd(label string) error {
	var err error
	if c := s.compaction; c != nil {
		for _, v := range c.views {
			err = errors.Join(err, s.mem.SetReadOnly(v.matrix.Address, v.matrix.bytes(), false))
		}
		if c.err != nil && s.err == nil {
			s.err = c.err
		}
		c.err, c.engine = nil, nil
	}
	if s.err != nil {
		return s.err
	}
	if err != nil {
		return err
	}
	s.running = s.clock()
	for _, seat := range s.seats {
		if seat.pending.what == pendingMarks { // marks alone may gather on
			continue
		}
		if err := seat.flush(); err != nil {
			return err
		}
	}
	return s.markKernel(wire.MarkKind_MARK_KIND_KERNEL_END, label)
}

func (s *Session) markKernel(kind wire.MarkKind, label string) error {
	for _, seat := range s.seats {
		if err := seat.mark(s.Now(), kind, label); err != nil {
			return err
		}
	}
	return nil
}

// Store implements memory.Observer.
func (s *Session) Store(now, line, mask uint64, before, after *[memory.LineBytes]byte) {
	if s.monitor == nil || s.err != nil {
		return
	}
	s.running = max(s.running, now)
	for _, m := range s.tensors {
		if line+memory.LineBytes <= m.Address || line >= m.Address+m.bytes() {
			continue
		}
		if err := s.monitor.store(now, m.Id, line, mask, before, after); err != nil {
			s.err = err
			return
		}
		for _, shadow := range s.shadows[wire.UnitKind_UNIT_KIND_MONITOR] {
			if err := shadow.store(now, m.Id, line, mask, before, after); err != nil {
				s.err = err
				return
			}
		}
	}
}

// Failed returns the first failure of a unit in the launch under way.
func (s *Session) Failed() error {
	if s.err == nil && s.compaction != nil {
		return s.compaction.err
	}
	return s.err
}

// Begin implements timing.Units.
func (s *Session) Begin(e timing.Engine) error {
	s.engine = e
	if s.compaction != nil {
		s.compaction.begin(e)
	}
	return nil
}

// WantsDispatch implements timing.Units.
func (s *Session) WantsDispatch() bool {
	return s.compaction != nil && s.compaction.prefetch != nil && s.compaction.prefetch.depth > 0
}

// Dispatched implements timing.Units.
func (s *Session) Dispatched(now uint64, workgroup uint32, _ int) error {
	s.compaction.dispatched(now, workgroup)
	return s.err
}

// StoreStall implements timing.Units: the monitor's declared cycles a line, fractions carried over.
func (s *Session) StoreStall(_ uint64, whole bool) uint64 {
	if s.monitor == nil {
		return 0
	}
	cycles := s.monitor.Hello.WriteStallCycles
	if whole && s.monitor.Hello.FullLineStallCycles != nil {
		cycles = *s.monitor.Hello.FullLineStallCycles
	}
	s.stall += cycles
	now := math.Floor(s.stall)
	s.stall -= now
	return uint64(now)
}

// ViewLine implements timing.Units.
func (s *Session) ViewLine(now, line uint64) (ready, token uint64, err error) {
	if s.compaction == nil {
		return 0, 0, errors.New("a kernel reads a compacted view whose engine is detached")
	}
	s.running = max(s.running, s.engine.Picoseconds(now))
	t, err := s.compaction.lookup(now, line)
	if err != nil {
		return 0, 0, err
	}
	if t.known {
		ready = max(t.ready, now)
	} else {
		token = t.token
	}
	s.compaction.prefetchBehind(now, t) // may evict the tile itself: the line that was asked for is on its way then
	return ready, token, nil
}

// LinesRead implements timing.Units.
func (s *Session) LinesRead(token, now uint64) error {
	s.running = max(s.running, s.engine.Picoseconds(now))
	return s.compaction.linesRead(token, now)
}

// Influence implements timing.Units. It also sends what has gathered when it is time to.
func (s *Session) Influence() (cycle uint64, outstanding bool) {
	c := s.compaction
	if c == nil {
		return 0, false
	}
	if len(c.seat.backlog) > 0 {
		if err := c.seat.drain(); err != nil && s.err == nil {
			s.err = err
		}
	}
	if len(c.outstanding) == 0 {
		return 0, false
	}
	if err := c.flushDue(c.engine.Now()); err != nil && s.err == nil {
		s.err = err
	}
	return c.influence()
}

// Wait implements timing.Units.
func (s *Session) Wait(before uint64) ([]timing.Answer, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.compaction == nil {
		return nil, nil
	}
	return s.compaction.wait(before)
}

// End implements timing.Units.
func (s *Session) End(now uint64) error {
	s.running = max(s.running, s.engine.Picoseconds(now))
	s.engine = nil
	return s.err
}
