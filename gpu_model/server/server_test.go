package server

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/units"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// connect serves a model on a Unix socket and returns its client.
func connect(t *testing.T) wire.GpuModelClient {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "gpu"))
	if err != nil {
		t.Fatal(err)
	}
	model := &Server{Log: t.Logf}
	grpcServer := grpc.NewServer()
	wire.RegisterGpuModelServer(grpcServer, model)
	go func() { _ = grpcServer.Serve(listener) }()
	connection, err := grpc.NewClient("unix:"+listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = connection.Close()
		grpcServer.Stop()
		model.Close()
	})
	return wire.NewGpuModelClient(connection)
}

func handshake(t *testing.T, client wire.GpuModelClient) {
	t.Helper()
	if _, err := client.Handshake(context.Background(), &wire.HandshakeRequest{Protocol: &wire.Version{Major: cosim.ProtocolMajor}, Mode: wire.Mode_MODE_TIMING,
		Gpu: "r9nano", HostThreads: 1}); err != nil {
		t.Fatal(err)
	}
}

// must fails the test on an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// slowUnits serves a built-in unit over gRPC with random delays.
type slowUnits struct{ wire.UnimplementedUnitsServer }

func (slowUnits) Attach(stream grpc.BidiStreamingServer[wire.ModelMessage, wire.UnitMessage]) error {
	var unit units.Unit
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil
		}
		if hello := m.GetHello(); hello != nil {
			if unit, err = units.New(hello.Kind, hello.Unit); err != nil {
				return err
			}
		}
		time.Sleep(time.Duration(rand.Intn(2000)) * time.Microsecond)
		answers, err := unit.Handle(m)
		if err != nil {
			return err
		}
		for _, a := range answers {
			if err := stream.Send(a); err != nil {
				return err
			}
		}
	}
}

func serveSlowUnits(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "unit"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	wire.RegisterUnitsServer(server, slowUnits{})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return "unix:" + listener.Addr().String()
}

const elements = 5000

// outcome is what must not depend on where the monitor runs.
type outcome struct {
	cycles, zeros uint64
	traceHash     string
}

// reluUnderWatch runs kernels/relu.hsaco on random data with a monitor attached.
func reluUnderWatch(t *testing.T, target string, batch uint32) outcome {
	t.Helper()
	ctx, client := context.Background(), connect(t)
	handshake(t, client)
	content, err := os.ReadFile("../../kernels/relu.hsaco")
	if err != nil {
		t.Fatal(err)
	}
	loaded := must[*wire.LoadCodeObjectReply](t)(client.LoadCodeObject(ctx, &wire.LoadCodeObjectRequest{File: "relu.hsaco", Content: content}))
	var kernel uint32
	for _, k := range loaded.Kernels {
		if k.Name == "relu_forward" {
			kernel = k.Id
		}
	}
	allocate := must[*wire.AllocateReply](t)
	x := allocate(client.Allocate(ctx, &wire.AllocateRequest{Bytes: 4 * elements, Name: "x"})).Address
	y := allocate(client.Allocate(ctx, &wire.AllocateRequest{Bytes: 4 * elements, Name: "y"})).Address
	random := rand.New(rand.NewSource(1))
	data, zeros := []byte{}, uint64(0)
	for range elements {
		value := float32(random.NormFloat64())
		if value <= 0 {
			zeros++
		}
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(value))
	}
	must[*wire.WriteReply](t)(client.Write(ctx, &wire.WriteRequest{Address: x, Data: &wire.Payload{Where: &wire.Payload_Inline{Inline: data}}}))
	must[*wire.AttachUnitReply](t)(client.AttachUnit(ctx, &wire.AttachUnitRequest{Kind: wire.UnitKind_UNIT_KIND_MONITOR, Target: target, MaxBatchEvents: batch, ReplyDeadlineS: 20}))
	id := must[*wire.WatchTensorReply](t)(client.WatchTensor(ctx, &wire.WatchTensorRequest{Tensor: &wire.Tensor{Name: "y", Address: y,
		ElementType: wire.ElementType_ELEMENT_TYPE_F32, Rows: 50, Columns: elements / 50, RowStride: 4 * elements / 50, ColumnStride: 4, TileRows: 16, TileColumns: 32}})).Id
	arguments := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, x), y)
	arguments = binary.LittleEndian.AppendUint32(arguments, elements)
	stream := must[grpc.ServerStreamingClient[wire.LaunchUpdate]](t)(client.Launch(ctx, &wire.LaunchRequest{Kernel: kernel, Grid: []uint32{(elements/4 + 255) / 256 * 256},
		Workgroup: []uint32{256}, Arguments: arguments}))
	var result *wire.LaunchResult
	for result == nil {
		result = must[*wire.LaunchUpdate](t)(stream.Recv()).GetResult()
	}
	counts := must[*wire.ReadCountsReply](t)(client.ReadCounts(ctx, &wire.ReadCountsRequest{Tensor: id})).Counts
	if counts.Zeros != zeros {
		t.Errorf("%s, batches of %d: the monitor counts %d zeros, there are %d", target, batch, counts.Zeros, zeros)
	}
	statistics := must[*wire.StatisticsReply](t)(client.Statistics(ctx, &wire.StatisticsRequest{}))
	snapshot := must[*wire.SnapshotUnitReply](t)(client.SnapshotUnit(ctx, &wire.SnapshotUnitRequest{Seat: uint32(wire.UnitKind_UNIT_KIND_MONITOR)}))
	must[*wire.RestoreUnitReply](t)(client.RestoreUnit(ctx, &wire.RestoreUnitRequest{Seat: uint32(wire.UnitKind_UNIT_KIND_MONITOR), Snapshot: snapshot.Snapshot}))
	detached := must[*wire.DetachUnitReply](t)(client.DetachUnit(ctx, &wire.DetachUnitRequest{Seat: uint32(wire.UnitKind_UNIT_KIND_MONITOR)}))
	if !strings.Contains(detached.CountersJson, `"reads":1`) {
		t.Errorf("expected one read in the counters, got %s", detached.CountersJson)
	}
	return outcome{result.Cycles, counts.Zeros, statistics.TraceHash}
}

func TestWhereAMonitorRunsChangesNothing(t *testing.T) {
	want := reluUnderWatch(t, "builtin:", 0)
	for _, batch := range []uint32{1, 64, 4096} {
		for _, target := range []string{"builtin:", serveSlowUnits(t)} {
			if got := reluUnderWatch(t, target, batch); got != want {
				t.Errorf("%s, batches of %d: %+v, expected %+v", target, batch, got, want)
			}
		}
	}
}

func TestCallsThatCanNotBeRightAreRefusedInOneSentence(t *testing.T) {
	ctx, client := context.Background(), connect(t)
	refused := func(what string, code codes.Code, err error) {
		t.Helper()
		if status.Code(err) != code || strings.Contains(status.Convert(err).Message(), "\n") {
			t.Errorf("%s: expected %v, got %v", what, code, err)
		}
	}
	_, err := client.Allocate(ctx, &wire.AllocateRequest{Bytes: 4})
	refused("a call before the handshake", codes.FailedPrecondition, err)
	_, err = client.Handshake(ctx, &wire.HandshakeRequest{Protocol: &wire.Version{Major: 9}, Mode: wire.Mode_MODE_TIMING, Gpu: "r9nano"})
	refused("another protocol", codes.FailedPrecondition, err)
	_, err = client.Handshake(ctx, &wire.HandshakeRequest{Protocol: &wire.Version{Major: cosim.ProtocolMajor}, Mode: wire.Mode_MODE_TIMING, Gpu: "r10nano"})
	refused("an unknown preset", codes.InvalidArgument, err)
	_, err = client.Handshake(ctx, &wire.HandshakeRequest{Protocol: &wire.Version{Major: cosim.ProtocolMajor}, Mode: wire.Mode_MODE_TIMING, Gpu: "r9nano", PrivateDirectory: "/"})
	refused("a private directory that is open to all", codes.InvalidArgument, err)
	handshake(t, client)
	_, err = client.Handshake(ctx, &wire.HandshakeRequest{Protocol: &wire.Version{Major: cosim.ProtocolMajor}, Mode: wire.Mode_MODE_TIMING, Gpu: "r9nano"})
	refused("a second handshake", codes.FailedPrecondition, err)
	_, err = client.DetachUnit(ctx, &wire.DetachUnitRequest{Seat: 1})
	refused("an empty seat", codes.NotFound, err)
	_, err = client.AttachUnit(ctx, &wire.AttachUnitRequest{Kind: wire.UnitKind_UNIT_KIND_MONITOR, Target: "unix:" + t.TempDir() + "/none", ReplyDeadlineS: 0.2})
	refused("a unit that is not there", codes.Aborted, err)
	_, err = client.AttachUnit(ctx, &wire.AttachUnitRequest{Kind: wire.UnitKind_UNIT_KIND_MONITOR, Target: "builtin:", CreditWindow: 1 << 20})
	refused("a credit window without bounds", codes.InvalidArgument, err)
	_, err = client.CreateView(ctx, &wire.CreateViewRequest{})
	refused("a view without an engine", codes.InvalidArgument, err)
	_, err = client.Write(ctx, &wire.WriteRequest{Address: 0, Data: &wire.Payload{Where: &wire.Payload_Shared{Shared: &wire.SharedMemory{Name: "x"}}}})
	refused("a shared payload without a directory", codes.InvalidArgument, err)
}
