package server

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// Allocate gives device memory.
func (s *Server) Allocate(_ context.Context, r *wire.AllocateRequest) (*wire.AllocateReply, error) {
	return guarded(s, func() (*wire.AllocateReply, error) {
		if r.AtAddress != 0 {
			return &wire.AllocateReply{Address: r.AtAddress}, s.mem.AllocateAt(r.AtAddress, r.Bytes, r.Name)
		}
		address, err := s.mem.Allocate(r.Bytes, r.Name)
		return &wire.AllocateReply{Address: address}, err
	})
}

// Free takes device memory back.
func (s *Server) Free(_ context.Context, r *wire.FreeRequest) (*wire.FreeReply, error) {
	return guarded(s, func() (*wire.FreeReply, error) { return &wire.FreeReply{}, s.mem.Free(r.Address) })
}

// Write copies bytes to the device. Copies take no virtual time.
func (s *Server) Write(_ context.Context, r *wire.WriteRequest) (*wire.WriteReply, error) {
	return guarded(s, func() (*wire.WriteReply, error) {
		data, err := s.session.Incoming(r.Data)
		if err != nil {
			return nil, err
		}
		if err := s.mem.Write(r.Address, data); err != nil {
			return nil, err
		}
		s.gpu.HostWrote(r.Address, uint64(len(data)))
		return &wire.WriteReply{TimePs: s.picoseconds(s.gpu.Now())}, s.session.HostWrote(r.Address, uint64(len(data)))
	})
}

// Read copies bytes from the device.
func (s *Server) Read(_ context.Context, r *wire.ReadRequest) (*wire.ReadReply, error) {
	return guarded(s, func() (*wire.ReadReply, error) {
		if r.Bytes > cosim.MessageLimit-1024 {
			return nil, status.Errorf(codes.InvalidArgument, "at most %d bytes can be read at once, got %d", cosim.MessageLimit-1024, r.Bytes)
		}
		data := make([]byte, r.Bytes)
		if err := s.mem.Read(r.Address, data); err != nil {
			return nil, err
		}
		content, err := s.session.Outgoing(data)
		return &wire.ReadReply{Data: content, TimePs: s.picoseconds(s.gpu.Now())}, err
	})
}
