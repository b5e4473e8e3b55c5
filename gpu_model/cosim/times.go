package cosim

import (
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// EventTimes says where the wall time of one kind of event went.
type EventTimes struct {
	Kind            wire.EventKind // unspecified: lifecycle messages and the handshake
	Events, Batches uint64
	Bytes           uint64        // of the messages sent
	Serialise       time.Duration // encoding, beside the simulation
	Unit            time.Duration // in the unit's process
	Hook            time.Duration // part of Unit inside the unit's own code
	Transport       time.Duration // sent to acknowledged, less Unit
	Wait            time.Duration // the model stood still
	RoundTrip       time.Duration // requests: sent to answered, a batch
}

// Events returns the times of every kind of event that occurred.
func (s *Seat) Events() []EventTimes {
	var all []EventTimes
	for kind := range s.account {
		e := s.account[kind]
		e.Kind = wire.EventKind(kind)
		e.Bytes, e.Serialise = s.link.cost(e.Kind)
		if e.Batches > 0 || e.Wait > 0 || e.Bytes > 0 {
			all = append(all, e)
		}
	}
	return all
}

// Waited returns how long the model stood still for the unit.
func (s *Seat) Waited() (d time.Duration) {
	for i := range s.account {
		d += s.account[i].Wait
	}
	return d
}

// Placement tells where the unit runs: "builtin", "unix", "tcp" or "replay".
func (s *Seat) Placement() string { return s.link.placement() }

// Compared tells what came of comparing a shadow's answers; ok is false for a unit whose answers are applied.
func (s *Seat) Compared() (compared, different uint64, first string, ok bool) {
	if s.compare == nil {
		return 0, 0, "", false
	}
	return s.compare.Compared, s.compare.Different, s.compare.First, true
}
