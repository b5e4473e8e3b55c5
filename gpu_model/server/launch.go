package server

import (
	"bytes"
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// progressEvery is the least wall time between two progress messages of a launch.
const progressEvery = 100 * time.Millisecond

// LoadCodeObject reads an ELF file and describes its kernels.
func (s *Server) LoadCodeObject(_ context.Context, r *wire.LoadCodeObjectRequest) (*wire.LoadCodeObjectReply, error) {
	return guarded(s, func() (*wire.LoadCodeObjectReply, error) {
		object, err := codeobject.Parse(r.File, r.Content)
		if err != nil {
			return nil, err
		}
		reply := &wire.LoadCodeObjectReply{}
		for _, k := range object.Kernels {
			s.kernels = append(s.kernels, &loadedKernel{kernel: k})
			reply.Kernels = append(reply.Kernels, describe(k, uint32(len(s.kernels)), object.Version))
		}
		return reply, nil
	})
}

func describe(k *codeobject.Kernel, id uint32, version int) *wire.Kernel {
	d := &wire.Kernel{Id: id, Name: k.Name, KernargBytes: k.KernargBytes, LdsBytes: k.LDSBytes, PrivateBytes: k.PrivateBytes, Sgprs: k.SGPRs, Vgprs: k.VGPRs,
		CodeObjectVersion: uint32(version)}
	if k.ReqdWorkgroup != [3]uint32{} {
		d.RequiredWorkgroup = k.ReqdWorkgroup[:]
	}
	for _, a := range k.Arguments {
		d.Arguments = append(d.Arguments, &wire.KernelArgument{Name: a.Name, Offset: a.Offset, Size: a.Size, Kind: a.Kind, TypeName: a.TypeName})
	}
	return d
}

// Launch runs a kernel to its end.
func (s *Server) Launch(r *wire.LaunchRequest, stream grpc.ServerStreamingServer[wire.LaunchUpdate]) error {
	result, err := guarded(s, func() (*wire.LaunchResult, error) { return s.launch(stream.Context(), r, stream.Send) })
	if err != nil {
		return err
	}
	return stream.Send(&wire.LaunchUpdate{Body: &wire.LaunchUpdate_Result{Result: result}})
}

func (s *Server) launch(ctx context.Context, r *wire.LaunchRequest, send func(*wire.LaunchUpdate) error) (*wire.LaunchResult, error) {
	l, err := s.newLaunch(r)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	label := r.Label
	if label == "" {
		label = l.Kernel.Name
	}
	s.waiting = func(unit, event string, since time.Duration) {
		_ = send(&wire.LaunchUpdate{Body: &wire.LaunchUpdate_Progress{Progress: &wire.Progress{WaitingFor: "unit " + unit + " at " + event, WaitingS: since.Seconds()}}})
	}
	defer func() { s.waiting = nil }()
	plan, planned, err := s.plan(r, l)
	if err != nil {
		return nil, err
	}
	if err := s.session.SetPrefetch(r.Prefetch, l.Groups()); err != nil {
		return nil, err
	}
	before := s.eventCounts()
	if err := s.session.KernelBegin(label); err != nil {
		return nil, err
	}
	begin, waited := time.Now(), s.waited()
	result, err := s.run(ctx, r, l, plan, progressSender(send))
	s.modelled += max(0, time.Since(begin)-(s.waited()-waited))
	if err := errors.Join(err, s.session.KernelEnd(label)); err != nil {
		return nil, firstOf(err)
	}
	after := s.eventCounts()
	result.PostedEvents, result.Requests = after.posted-before.posted, after.requests-before.requests
	if result.Cycles > 0 {
		result.Cycles += planned
	}
	return result, nil
}

// firstOf returns a unit's failure where one is among joined errors, since the rest follows from it.
func firstOf(err error) error {
	var failure *cosim.UnitFailure
	if errors.As(err, &failure) {
		return failure
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

func (s *Server) newLaunch(r *wire.LaunchRequest) (*emu.Launch, error) {
	if r.Kernel == 0 || int(r.Kernel) > len(s.kernels) {
		return nil, notFound("no kernel %d is loaded, %d are", r.Kernel, len(s.kernels))
	}
	k := s.kernels[r.Kernel-1]
	if k.program == nil {
		program, err := s.gpu.Load(k.kernel)
		if err != nil {
			return nil, err
		}
		k.program = program
	}
	offsets := make([]uint64, len(r.GlobalOffset))
	for i, o := range r.GlobalOffset {
		offsets[i] = uint64(o)
	}
	s.launches++
	return emu.NewLaunch(emu.LaunchSpec{Program: k.program, Kernel: k.kernel, Memory: s.mem, Grid: r.Grid, GroupSize: r.Workgroup, GlobalOffset: offsets,
		Arguments: r.Arguments, DynamicLDS: r.DynamicLdsBytes, DispatchID: s.launches, MaxInstructions: s.budget})
}

// plan asks the scheduler, where the launch wants it; the plan is in force after the scheduler's latency.
func (s *Server) plan(r *wire.LaunchRequest, l *emu.Launch) (plan *cosim.Plan, cycles uint64, err error) {
	if !r.GetSchedule().GetAsk() {
		return nil, 0, nil
	}
	plan, err = s.session.Plan(&wire.ScheduleRequest{Kernel: l.Kernel.Name, Workgroups: uint32(l.Groups()), TilesPerWorkgroup: r.Schedule.TilesPerWorkgroup,
		TileNonzeros: r.Schedule.TileNonzeros, TileElements: r.Schedule.TileElements, WorkgroupTiles: r.Schedule.WorkgroupTiles})
	if err != nil {
		return nil, 0, err
	}
	if address := r.Schedule.PathTableAddress; address != 0 {
		path := plan.TilePath
		if len(path) == 0 { // all sparse
			path = bytes.Repeat([]byte{1, 0, 0, 0}, len(r.Schedule.TileNonzeros)/4)
		}
		if err := s.mem.Write(address, path); err != nil {
			return nil, 0, err
		}
		s.gpu.HostWrote(address, uint64(len(path)))
	}
	return plan, s.pass(plan.LatencyPS), nil
}

func (s *Server) run(ctx context.Context, r *wire.LaunchRequest, l *emu.Launch, plan *cosim.Plan, progress func(timing.Progress)) (*wire.LaunchResult, error) {
	l.Now = s.session.Now()
	options := LaunchOptions{Progress: progress, Cold: r.Cold, Profile: r.Profile}
	if len(s.session.Seats()) > 0 {
		options.Units = s.session
	}
	if plan != nil {
		options.Order, options.Placement = plan.Order, plan.Placement
	}
	result, err := s.gpu.Launch(ctx, l, options)
	if failed := s.session.Failed(); failed != nil {
		err = failed
	}
	return result, err
}

// progressSender returns a callback that sends progress at a bounded rate.
func progressSender(send func(*wire.LaunchUpdate) error) func(timing.Progress) {
	var last time.Time
	return func(p timing.Progress) {
		if now := time.Now(); now.Sub(last) >= progressEvery {
			last = now
			_ = send(&wire.LaunchUpdate{Body: &wire.LaunchUpdate_Progress{Progress: &wire.Progress{WorkgroupsDone: p.WorkgroupsDone,
				WorkgroupsTotal: p.WorkgroupsTotal, Instructions: p.Instructions, Cycle: p.Cycle}}})
		}
	}
}

type eventCounts struct{ posted, requests uint64 }

func (s *Server) eventCounts() (c eventCounts) {
	for _, seat := range s.session.Seats() {
		c.posted += seat.Posted
		c.requests += seat.Requests
	}
	return c
}

func (s *Server) waited() (d time.Duration) {
	for _, seat := range s.session.Seats() {
		d += seat.Waited()
	}
	return d
}
