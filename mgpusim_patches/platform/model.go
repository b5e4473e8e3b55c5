package platform

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/server"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// Model makes upstream's GPU for a server.
type Model struct{ Options Options }

// Open implements server.Model.
func (m *Model) Open(r *wire.HandshakeRequest) (server.GPU, error) {
	if r.Mode != wire.Mode_MODE_TIMING {
		return nil, fmt.Errorf("the mgpusim back end has timing mode only, got %v; use the embedded back end to compute without time", r.Mode)
	}
	if r.Gpu != "r9nano" {
		return nil, fmt.Errorf("the mgpusim back end has the GPU r9nano only, got %q", r.Gpu)
	}
	if keys := slices.Sorted(maps.Keys(r.GpuOverrides)); len(keys) > 0 {
		return nil, fmt.Errorf("the mgpusim back end runs upstream's R9 Nano as it is, and can't set %s", keys[0])
	}
	device, err := memory.New(Bytes)
	if err != nil {
		return nil, status.Errorf(codes.ResourceExhausted, "the host can't map %d bytes of device memory: %v", uint64(Bytes), err)
	}
	g, err := New(device, m.Options)
	if err != nil {
		device.Close()
		return nil, status.Error(codes.Internal, err.Error())
	}
	return g, nil
}
