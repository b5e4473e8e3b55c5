package server

import (
	"context"
	"math"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// AttachUnit connects a unit.
func (s *Server) AttachUnit(_ context.Context, r *wire.AttachUnitRequest) (*wire.AttachUnitReply, error) {
	return guarded(s, func() (*wire.AttachUnitReply, error) {
		seat, err := s.session.Attach(cosim.SeatOptions{Kind: r.Kind, Target: r.Target, Unit: r.Unit, ParametersJSON: r.ParametersJson,
			CreditWindow: int(r.CreditWindow), MaxBatch: int(r.MaxBatchEvents), Deadline: time.Duration(r.ReplyDeadlineS * float64(time.Second)),
			Shadow: r.Shadow, TLSCA: r.TlsCa, TLSCertificate: r.TlsCertificate, TLSKey: r.TlsKey, Token: r.Token, InsecureLoopback: r.InsecureLoopback,
			Waiting: func(unit, event string, since time.Duration) {
				if s.waiting != nil {
					s.waiting(unit, event, since)
				}
			}})
		if err != nil {
			return nil, err
		}
		return &wire.AttachUnitReply{Unit: seat.Hello, Seat: seat.Number}, nil
	})
}

// DetachUnit ends a unit's stream.
func (s *Server) DetachUnit(_ context.Context, r *wire.DetachUnitRequest) (*wire.DetachUnitReply, error) {
	return guarded(s, func() (*wire.DetachUnitReply, error) {
		seat, err := s.seat(r.Seat)
		if err != nil {
			return nil, err
		}
		counters, err := s.session.Detach(seat)
		if err != nil {
			return nil, firstOf(err)
		}
		return &wire.DetachUnitReply{CountersJson: counters, Statistics: seatStatistics(seat)}, nil
	})
}

func (s *Server) seat(number uint32) (*cosim.Seat, error) {
	seat, err := s.session.Seat(number)
	if err != nil {
		return nil, notFound("%v", err)
	}
	return seat, nil
}

// SnapshotUnit asks a unit for its state.
func (s *Server) SnapshotUnit(_ context.Context, r *wire.SnapshotUnitRequest) (*wire.SnapshotUnitReply, error) {
	return guarded(s, func() (*wire.SnapshotUnitReply, error) {
		seat, err := s.seat(r.Seat)
		if err != nil {
			return nil, err
		}
		snapshot, err := seat.Snapshot()
		return &wire.SnapshotUnitReply{Snapshot: snapshot}, err
	})
}

// RestoreUnit gives a unit a state back.
func (s *Server) RestoreUnit(_ context.Context, r *wire.RestoreUnitRequest) (*wire.RestoreUnitReply, error) {
	return guarded(s, func() (*wire.RestoreUnitReply, error) {
		seat, err := s.seat(r.Seat)
		if err != nil {
			return nil, err
		}
		return &wire.RestoreUnitReply{}, seat.Restore(r.Snapshot)
	})
}

// WatchTensor registers a tensor with the monitor.
func (s *Server) WatchTensor(_ context.Context, r *wire.WatchTensorRequest) (*wire.WatchTensorReply, error) {
	return guarded(s, func() (*wire.WatchTensorReply, error) {
		id, err := s.session.Watch(r.Tensor)
		return &wire.WatchTensorReply{Id: id}, err
	})
}

// UnwatchTensor ends what WatchTensor began.
func (s *Server) UnwatchTensor(_ context.Context, r *wire.UnwatchTensorRequest) (*wire.UnwatchTensorReply, error) {
	return guarded(s, func() (*wire.UnwatchTensorReply, error) {
		return &wire.UnwatchTensorReply{}, s.session.Unwatch(r.Id)
	})
}

// CreateView maps a compacted view.
func (s *Server) CreateView(_ context.Context, r *wire.CreateViewRequest) (*wire.CreateViewReply, error) {
	return guarded(s, func() (*wire.CreateViewReply, error) {
		view, err := s.session.CreateView(r.Tensor, r.Format, r.SlotBytes)
		return &wire.CreateViewReply{View: view}, err
	})
}

// DestroyView unmaps a compacted view.
func (s *Server) DestroyView(_ context.Context, r *wire.DestroyViewRequest) (*wire.DestroyViewReply, error) {
	return guarded(s, func() (*wire.DestroyViewReply, error) {
		v, err := s.session.DestroyView(r.Id)
		return &wire.DestroyViewReply{Conversions: v.Conversions, DenseBytes: v.DenseBytes, EncodedBytes: v.EncodedBytes}, err
	})
}

// registerBytes is what the host reads of a tensor: its zeros as a 64-bit register.
const registerBytes = 8

// ReadCounts reads the monitor's registers, those of several tensors in one burst. What passes in virtual time is the slowest
// answer of the unit, and for a read by the host one way there and back over its link, and the registers' bytes.
func (s *Server) ReadCounts(_ context.Context, r *wire.ReadCountsRequest) (*wire.ReadCountsReply, error) {
	return guarded(s, func() (*wire.ReadCountsReply, error) {
		counts, slowest, err := s.session.ReadCounts(r.Tensor)
		if err != nil {
			return nil, err
		}
		reply := &wire.ReadCountsReply{Counts: counts}
		for _, tensor := range r.Further {
			further, latency, err := s.session.ReadCounts(tensor)
			if err != nil {
				return nil, err
			}
			reply.Further = append(reply.Further, further)
			slowest = max(slowest, latency)
		}
		if !r.OnChip {
			bytes := float64(registerBytes * (1 + len(r.Further)))
			link := s.gpu.Machine()
			slowest += s.picoseconds(2*uint64(link.HostLinkCycles) + uint64(math.Ceil(bytes/link.HostLinkBytes)))
		}
		reply.Cycles = s.pass(slowest)
		return reply, nil
	})
}

// MarkLayer tells the units that a layer begins or ends.
func (s *Server) MarkLayer(_ context.Context, r *wire.MarkLayerRequest) (*wire.MarkLayerReply, error) {
	return guarded(s, func() (*wire.MarkLayerReply, error) {
		return &wire.MarkLayerReply{TimePs: s.session.Now()}, s.session.MarkLayer(r.Begin, r.Label)
	})
}

// Statistics tells what the session did so far; the units attached have handled all that they were sent when it returns.
func (s *Server) Statistics(context.Context, *wire.StatisticsRequest) (*wire.StatisticsReply, error) {
	return guarded(s, func() (*wire.StatisticsReply, error) {
		if err := s.session.Settle(); err != nil {
			return nil, err
		}
		reply := &wire.StatisticsReply{TraceHash: s.session.TraceHash(), TimePs: s.session.Now(), ModelS: s.modelled.Seconds()}
		for _, seat := range append(append([]*cosim.Seat(nil), s.session.Ended()...), s.session.Seats()...) {
			x := seatStatistics(seat)
			reply.PostedEvents += x.PostedEvents
			reply.Requests += x.Requests
			reply.Batches += x.Batches
			reply.UnitsWaitS += x.WaitS
			reply.SerialiseS += x.SerialiseS
			reply.UnitsBusyS += x.BusyS
			reply.Seats = append(reply.Seats, x)
		}
		return reply, nil
	})
}

// Timeline tells when each unit was sent what, and when the model stood still for it.
func (s *Server) Timeline(context.Context, *wire.TimelineRequest) (*wire.TimelineReply, error) {
	return guarded(s, func() (*wire.TimelineReply, error) {
		reply := &wire.TimelineReply{}
		for _, seat := range append(append([]*cosim.Seat(nil), s.session.Ended()...), s.session.Seats()...) {
			reply.Seats = append(reply.Seats, seat.Timeline())
		}
		return reply, nil
	})
}

// seatStatistics tells what one seat did, and where its wall time went.
func seatStatistics(seat *cosim.Seat) *wire.SeatStatistics {
	x := &wire.SeatStatistics{Kind: seat.Options.Kind, Name: seat.Name(), Version: seat.Hello.Version, Placement: seat.Placement(), Seat: seat.Number,
		Shadow: seat.Options.Shadow, PostedEvents: seat.Posted, Requests: seat.Requests, Batches: seat.Batches, CountersJson: seat.LastCounters}
	for _, e := range seat.Events() {
		x.Events = append(x.Events, &wire.EventStatistics{Kind: e.Kind, Events: e.Events, Batches: e.Batches, Bytes: e.Bytes, SerialiseS: e.Serialise.Seconds(),
			UnitS: e.Unit.Seconds(), HookS: e.Hook.Seconds(), TransportS: e.Transport.Seconds(), WaitS: e.Wait.Seconds(), RoundTripS: e.RoundTrip.Seconds()})
		x.WaitS += e.Wait.Seconds()
		x.BusyS += e.Unit.Seconds()
		x.HookS += e.Hook.Seconds()
		x.SerialiseS += e.Serialise.Seconds()
		x.RoundTripS += e.RoundTrip.Seconds()
	}
	if compared, different, first, ok := seat.Compared(); ok {
		x.ShadowCompared, x.ShadowDifferent, x.ShadowFirstDifference = compared, different, first
	}
	return x
}
