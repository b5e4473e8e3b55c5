package server

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// Version is the version of the embedded model.
const Version = "0.1.0"

// Server implements wire.GpuModelServer for one driver. Calls are served one at a time.
type Server struct {
	wire.UnimplementedGpuModelServer

	// Model makes the GPU; nil stands for the model of this module.
	Model Model
	// Log receives what does not fit into one sentence: stacks and tracebacks.
	Log func(format string, arguments ...any)
	// Stop is called when the driver asks for the end.
	Stop func()

	mu       sync.Mutex
	ready    bool
	mode     wire.Mode
	clockHz  uint64
	budget   uint64
	gpu      GPU
	mem      *memory.Memory // the GPU's
	session  *cosim.Session
	kernels  []*loadedKernel
	launches uint64
	waiting  func(unit, event string, since time.Duration) // of the launch under way
	modelled time.Duration                                 // wall time inside launches, waiting for units left out
}

// loadedKernel is a kernel whose program is placed on its first launch.
type loadedKernel struct {
	kernel  *codeobject.Kernel
	program *emu.Program
}

// guarded runs one call: the driver must have shaken hands, calls don't overlap, and a programming error in the model is
// told in one sentence instead of ending the process.
func guarded[R any](s *Server, call func() (R, error)) (result R, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ready {
		return result, status.Error(codes.FailedPrecondition, "the first call must be Handshake")
	}
	defer func() {
		if problem := recover(); problem != nil {
			s.Log("panic: %v\n%s", problem, debug.Stack())
			err = status.Errorf(codes.Internal, "the GPU model failed: %v", problem)
		}
	}()
	result, err = call()
	return result, s.statusOf(err)
}

// statusOf gives an error the code that the contract names for it.
func (s *Server) statusOf(err error) error {
	var failure *cosim.UnitFailure
	var memoryFull *memory.OutOfMemoryError
	var fault *emu.Fault
	switch {
	case err == nil:
		return nil
	case status.Code(err) != codes.Unknown:
		return err
	case errors.As(err, &failure):
		if failure.Detail != "" {
			s.Log("%v\n%s", failure, failure.Detail)
		}
		return status.Error(codes.Aborted, failure.Error())
	case errors.As(err, &memoryFull):
		return status.Error(codes.ResourceExhausted, err.Error())
	case errors.As(err, &fault):
		return status.Error(codes.FailedPrecondition, fault.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.Canceled, "the driver cancelled the call")
	}
	return status.Error(codes.InvalidArgument, err.Error())
}

// Handshake makes the GPU.
func (s *Server) Handshake(_ context.Context, r *wire.HandshakeRequest) (*wire.HandshakeReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready {
		return nil, status.Error(codes.FailedPrecondition, "Handshake was called twice: start another model for another session")
	}
	if major := r.GetProtocol().GetMajor(); major != cosim.ProtocolMajor {
		return nil, status.Errorf(codes.FailedPrecondition, "the model speaks protocol %d.%d, the driver %d.%d: install matching versions",
			cosim.ProtocolMajor, cosim.ProtocolMinor, major, r.GetProtocol().GetMinor())
	}
	if r.Mode != wire.Mode_MODE_TIMING && r.Mode != wire.Mode_MODE_FUNCTIONAL {
		return nil, status.Errorf(codes.InvalidArgument, "expected mode timing or functional, got %v", r.Mode)
	}
	model := s.Model
	if model == nil {
		model = embedded{}
	}
	gpu, err := model.Open(r)
	if err != nil {
		if status.Code(err) == codes.Unknown {
			err = status.Error(codes.InvalidArgument, err.Error())
		}
		return nil, err
	}
	machine := gpu.Machine()
	s.gpu, s.mem, s.mode, s.clockHz, s.budget = gpu, gpu.Memory(), r.Mode, machine.ClockHz, r.MaxInstructions
	s.session = cosim.NewSession(machine, s.mem, func() uint64 { return s.picoseconds(s.gpu.Now()) })
	if err := errors.Join(s.session.Share(r.PrivateDirectory), s.session.Record(r.RecordDirectory)); err != nil {
		s.gpu.Close()
		s.gpu, s.mem = nil, nil
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	s.ready = true
	return &wire.HandshakeReply{
		Protocol: &wire.Version{Major: cosim.ProtocolMajor, Minor: cosim.ProtocolMinor},
		Model:    machine.Model, ModelVersion: machine.Version, ClockHz: machine.ClockHz, DeviceMemoryBytes: s.mem.Size(),
		ComputeUnits: uint32(machine.ComputeUnits), L2Banks: uint32(machine.L2Banks), Parameters: gpu.Parameters(),
	}, nil
}

// picoseconds converts cycles to virtual time.
func (s *Server) picoseconds(cycles uint64) uint64 {
	return cycles * (1_000_000_000_000 / s.clockHz)
}

// cycles converts virtual time to cycles, rounded up.
func (s *Server) cycles(picoseconds uint64) uint64 {
	period := 1_000_000_000_000 / s.clockHz
	return (picoseconds + period - 1) / period
}

// pass lets virtual time pass between launches and returns the cycles; functional mode has no time.
func (s *Server) pass(picoseconds uint64) uint64 {
	if s.mode == wire.Mode_MODE_FUNCTIONAL {
		return 0
	}
	cycles := s.cycles(picoseconds)
	s.gpu.Advance(cycles)
	return cycles
}

// Close ends all unit streams and gives the device memory back.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session != nil {
		s.session.Close()
		s.session = nil
	}
	if s.gpu != nil {
		s.gpu.Close()
		s.gpu, s.mem = nil, nil
	}
	s.ready = false
}

// Shutdown ends the server after its reply.
func (s *Server) Shutdown(context.Context, *wire.ShutdownRequest) (*wire.ShutdownReply, error) {
	if s.Stop != nil {
		time.AfterFunc(10*time.Millisecond, s.Stop)
	}
	return &wire.ShutdownReply{}, nil
}

func notFound(format string, arguments ...any) error {
	return status.Error(codes.NotFound, fmt.Sprintf(format, arguments...))
}
