package cosim

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// measuredSeat attaches a unit without a GPU: what is measured then is the bridge alone.
func measuredSeat(kind wire.UnitKind, target, directory string, batch int) (*Seat, func(), error) {
	shared, err := newSharedMemory(directory)
	if err != nil {
		return nil, nil, err
	}
	hello := &wire.ModelHello{Model: "measure", ClockHz: 1_000_000_000, ComputeUnits: 64, L2Banks: 16}
	seat, err := attach(SeatOptions{Kind: kind, Target: target, MaxBatch: batch}, hello, func() string { return "" }, func() uint64 { return 0 }, shared, nil)
	if err != nil {
		return nil, nil, err
	}
	return seat, func() {
		_, _ = seat.detach()
		shared.clean()
	}, nil
}

// MeasurePosted returns how many store events a second reach and return from a monitor, hashing included.
func MeasurePosted(target, directory string, events, batch int) (perSecond float64, err error) {
	seat, end, err := measuredSeat(wire.UnitKind_UNIT_KIND_MONITOR, target, directory, batch)
	if err != nil {
		return 0, err
	}
	defer end()
	var before, after [memory.LineBytes]byte
	begin := time.Now()
	for i := range events {
		binary.LittleEndian.PutUint64(after[:], uint64(i))
		if err := seat.store(uint64(i)*1000, 1, uint64(i)*memory.LineBytes, ^uint64(0), &before, &after); err != nil {
			return 0, err
		}
	}
	if err := seat.settle(); err != nil {
		return 0, err
	}
	return float64(events) / time.Since(begin).Seconds(), nil
}

// MeasureRoundTrips returns the times of n requests for one small tile, and of n small messages there and back on a bare stream, a
// few of these after a few of those, so that whatever else the machine does meets both.
func MeasureRoundTrips(target, echo string, n int) (bridge, raw []time.Duration, err error) {
	request, endRequests, err := tileRequests(target)
	if err != nil {
		return nil, nil, err
	}
	defer endRequests()
	message, endMessages, err := rawMessages(echo)
	if err != nil {
		return nil, nil, err
	}
	defer endMessages()
	const few = 25
	for len(bridge) < n {
		for range few {
			begin := time.Now()
			if err := request(); err != nil {
				return nil, nil, err
			}
			bridge = append(bridge, time.Since(begin))
		}
		for range few {
			begin := time.Now()
			if err := message(); err != nil {
				return nil, nil, err
			}
			raw = append(raw, time.Since(begin))
		}
	}
	return bridge, raw, nil
}

// tileRequests returns a function that asks a compaction engine for one small tile and waits for it.
func tileRequests(target string) (ask func() error, end func(), err error) {
	seat, end, err := measuredSeat(wire.UnitKind_UNIT_KIND_COMPACTION, target, "", 1)
	if err != nil {
		return nil, nil, err
	}
	view := &wire.View{Id: 1, Address: 1 << 20, Format: "ellpack_dib", SlotBytes: 1024, Tiles: 1, Tensor: &wire.Tensor{Id: 1, Name: "measured",
		Address: 1 << 16, ElementType: wire.ElementType_ELEMENT_TYPE_F32, Rows: 1, Columns: 16, RowStride: 64, ColumnStride: 4, TileRows: 1, TileColumns: 16}}
	if _, err := seat.lifecycle(&wire.Lifecycle{Phase: wire.Lifecycle_PHASE_VIEW_ADDED, View: view}, false); err != nil {
		end()
		return nil, nil, err
	}
	dense, now := make([]byte, 64), uint64(0)
	return func() error {
		now++
		sequence, err := seat.requestTile(pendingTiles, tileEvent{now: now, view: 1, rows: 1, columns: 16}, dense)
		if err == nil {
			err = seat.flush()
		}
		if err == nil {
			_, err = seat.await(sequence, wire.EventKind_EVENT_KIND_COMPACT_TILE)
		}
		return err
	}, end, nil
}

// rawStream opens a bare stream of byte messages to an echo server.
func rawStream(target string) (grpc.ClientStream, func(), error) {
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MessageLimit), grpc.MaxCallSendMsgSize(MessageLimit), grpc.ForceCodec(rawCodec{})),
		grpc.WithInitialWindowSize(windowBytes), grpc.WithInitialConnWindowSize(windowBytes), grpc.WithWriteBufferSize(128<<10), grpc.WithReadBufferSize(128<<10))
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	description := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := connection.NewStream(ctx, description, "/spartan.bench.Raw/Echo", grpc.WaitForReady(true))
	end := func() {
		cancel()
		_ = connection.Close()
	}
	if err != nil {
		end()
		return nil, nil, err
	}
	return stream, end, nil
}

// rawCodec sends and receives byte slices as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = slices.Clone(data)
	return nil
}

func (rawCodec) Name() string { return "raw" }

// storeBytes is what a store event takes on the wire: time, tensor, address, mask and the line before and after.
const storeBytes = 8 + 4 + 8 + 8 + 2*memory.LineBytes

// MeasureRawPosted returns how many events a second a bare stream carries when it sends the bytes of as many store events, four
// messages under way, to a server that does not look at them.
func MeasureRawPosted(target string, events, batch int) (perSecond float64, err error) {
	stream, end, err := rawStream(target)
	if err != nil {
		return 0, err
	}
	defer end()
	message, answer := make([]byte, storeBytes*batch), []byte{}
	begin := time.Now()
	messages, answered := events/batch, 0
	for sent := range messages {
		if err := stream.SendMsg(&message); err != nil {
			return 0, fmt.Errorf("the echo server ended: %w", err)
		}
		for ; answered < sent-3; answered++ {
			if err := stream.RecvMsg(&answer); err != nil {
				return 0, fmt.Errorf("the echo server ended: %w", err)
			}
		}
	}
	for ; answered < messages; answered++ {
		if err := stream.RecvMsg(&answer); err != nil && err != io.EOF {
			return 0, fmt.Errorf("the echo server ended: %w", err)
		}
	}
	return float64(messages*batch) / time.Since(begin).Seconds(), nil
}

// rawMessages returns a function that sends a small message on a bare stream and waits for the answer.
func rawMessages(target string) (send func() error, end func(), err error) {
	stream, end, err := rawStream(target)
	if err != nil {
		return nil, nil, err
	}
	message, answer := make([]byte, 128), []byte{}
	return func() error {
		err := stream.SendMsg(&message)
		if err == nil {
			err = stream.RecvMsg(&answer)
		}
		if err != nil {
			return fmt.Errorf("the echo server ended: %w", err)
		}
		return nil
	}, end, nil
}
