package server

import (
	"context"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// AttachUnit connects a unit.
func (s *Server) AttachUnit(_ context.Context, r *wire.AttachUnitRequest) (*wire.AttachUnitReply, error) {
	return guarded(s, func() (*wire.AttachUnitReply, error) {
		seat, err := s.session.Attach(cosim.SeatOptions{Kind: r.Kind, Target: r.Target, Unit: r.Unit, ParametersJSON: r.ParametersJson,
			CreditWindow: int(r.CreditWindow), MaxBatch: int(r.MaxBatchEvents), Deadline: time.Duration(r.ReplyDeadlineS * float64(time.Second))})
		if err != nil {
			return nil, err
		}
		return &wire.AttachUnitReply{Unit: seat.Hello, Seat: uint32(r.Kind)}, nil
	})
}

// DetachUnit ends a unit's stream.
func (s *Server) DetachUnit(_ context.Context, r *wire.DetachUnitRequest) (*wire.DetachUnitReply, error) {
	return guarded(s, func() (*wire.DetachUnitReply, error) {
		for _, seat := range s.session.Seats() {
			if uint32(seat.Options.Kind) == r.Seat {
				return &wire.DetachUnitReply{CountersJson: s.session.Detach(seat)}, nil
			}
		}
		return nil, notFound("no unit sits in seat %d", r.Seat)
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

// ReadCounts reads the monitor's registers; the read's latency passes in virtual time.
func (s *Server) ReadCounts(_ context.Context, r *wire.ReadCountsRequest) (*wire.ReadCountsReply, error) {
	return guarded(s, func() (*wire.ReadCountsReply, error) {
		counts, latency, err := s.session.ReadCounts(r.Tensor)
		if err != nil {
			return nil, err
		}
		cycles := s.cycles(latency)
		s.gpu.Advance(cycles)
		return &wire.ReadCountsReply{Counts: counts, Cycles: cycles}, nil
	})
}

// MarkLayer tells the units that a layer begins or ends.
func (s *Server) MarkLayer(_ context.Context, r *wire.MarkLayerRequest) (*wire.MarkLayerReply, error) {
	return guarded(s, func() (*wire.MarkLayerReply, error) {
		return &wire.MarkLayerReply{TimePs: s.session.Now()}, s.session.MarkLayer(r.Begin, r.Label)
	})
}

// Statistics tells what the session did so far.
func (s *Server) Statistics(context.Context, *wire.StatisticsRequest) (*wire.StatisticsReply, error) {
	return guarded(s, func() (*wire.StatisticsReply, error) {
		reply := &wire.StatisticsReply{TraceHash: s.session.TraceHash(), TimePs: s.session.Now(), ModelS: s.modelled.Seconds()}
		for _, seat := range s.session.Seats() {
			reply.PostedEvents += seat.Posted
			reply.Requests += seat.Requests
			reply.Batches += seat.Batches
			reply.UnitsWaitS += seat.Waited.Seconds()
			reply.SerialiseS += seat.Serialised.Seconds()
			reply.UnitsBusyS += seat.Busy.Seconds()
			reply.Seats = append(reply.Seats, &wire.SeatStatistics{Kind: seat.Options.Kind, Name: seat.Name(), Version: seat.Hello.Version, Placement: "grpc",
				PostedEvents: seat.Posted, Requests: seat.Requests, Batches: seat.Batches, WaitS: seat.Waited.Seconds(), BusyS: seat.Busy.Seconds()})
		}
		return reply, nil
	})
}
