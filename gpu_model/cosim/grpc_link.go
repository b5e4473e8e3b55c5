package cosim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// grpcLink is a link to a server of the Units service. One goroutine encodes and writes, one reads, so that neither a slow nor a
// stopped unit ever holds up the simulation beyond its deadline.
type grpcLink struct {
	connection *grpc.ClientConn
	stream     grpc.BidiStreamingClient[wire.ModelMessage, wire.UnitMessage]
	ctx        context.Context
	cancel     context.CancelFunc
	outbox     chan outbound
	messages   chan inbound
	broken     chan struct{} // closed when a message could not be written
	failure    error         // set before messages closes
	place      string
	shared     *sharedMemory // nil: payloads travel in messages

	busy    atomic.Int32 // messages in the outbox or being written
	unacked atomic.Int64 // bytes of batches without acknowledgement
	sizes   chan int64   // of these batches, oldest first

	bytes     [eventKinds]atomic.Uint64
	serialise [eventKinds]atomic.Int64 // ns
}

type outbound struct {
	kind    wire.EventKind
	message *wire.ModelMessage
	release func()
}

const (
	outboxMessages = 16
	inboxMessages  = 64
	windowBytes    = 8 << 20 // of HTTP/2 flow control: several batches
	directBytes    = 16 << 10
	directEvents   = 64
)

// dial opens a stream to a unit server within the deadline.
func dial(o *SeatOptions, shared *sharedMemory) (*grpcLink, error) {
	address, security, err := o.security()
	if err != nil {
		return nil, err
	}
	options := append(security, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MessageLimit), grpc.MaxCallSendMsgSize(MessageLimit)),
		grpc.WithInitialWindowSize(windowBytes), grpc.WithInitialConnWindowSize(windowBytes), grpc.WithWriteBufferSize(128<<10), grpc.WithReadBufferSize(128<<10))
	connection, err := grpc.NewClient(address, options...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &grpcLink{connection: connection, ctx: ctx, cancel: cancel, outbox: make(chan outbound, outboxMessages),
		messages: make(chan inbound, inboxMessages), broken: make(chan struct{}), place: "tcp", sizes: make(chan int64, maxCreditWindow)}
	if strings.HasPrefix(o.Target, "unix:") {
		l.place, l.shared = "unix", shared
	}
	timer := time.AfterFunc(o.Deadline, cancel)
	l.stream, err = wire.NewUnitsClient(connection).Attach(ctx, grpc.WaitForReady(o.waits()))
	if err != nil || !timer.Stop() {
		l.close()
		if err != nil && status.Code(err) != codes.Canceled {
			return nil, fmt.Errorf("no unit server answers at %s: %s", o.Target, status.Convert(err).Message())
		}
		return nil, fmt.Errorf("no unit server answers at %s within %v", o.Target, o.Deadline)
	}
	go l.write()
	go l.read()
	return l, nil
}

func (l *grpcLink) write() {
	for {
		select {
		case m := <-l.outbox:
			err := l.encodeAndSend(m)
			l.busy.Add(-1)
			if err != nil {
				close(l.broken)
				return
			}
		case <-l.ctx.Done():
			return
		}
	}
}

// encodeAndSend writes one message to the stream.
func (l *grpcLink) encodeAndSend(m outbound) error {
	begin := time.Now()
	batch := m.message.GetBatch()
	if batch != nil && l.shared != nil {
		m.message = &wire.ModelMessage{Body: &wire.ModelMessage_Batch{Batch: l.shared.outgoing(batch)}}
	}
	prepared := &grpc.PreparedMsg{}
	err := prepared.Encode(l.stream, m.message)
	l.serialise[m.kind].Add(int64(time.Since(begin)))
	size := proto.Size(m.message)
	l.bytes[m.kind].Add(uint64(size))
	if m.release != nil {
		m.release()
	}
	if err != nil {
		return err
	}
	if batch != nil {
		l.unacked.Add(int64(size))
		l.sizes <- int64(size)
	}
	return l.stream.SendMsg(prepared)
}

// directly reports whether a message can be written without the writing goroutine, which saves waking it: it is small, nothing is
// before it, and so little is under way that writing can't block even if the unit has stopped.
func (l *grpcLink) directly(m *wire.ModelMessage) bool {
	batch := m.GetBatch()
	if batch == nil || l.busy.Load() != 0 || l.unacked.Load() > directBytes {
		return false
	}
	return batch.Count <= directEvents && proto.Size(m) <= directBytes
}

func (l *grpcLink) read() {
	defer close(l.messages)
	for {
		message, err := l.stream.Recv()
		if err != nil {
			l.failure = err
			return
		}
		if acknowledgement(message) != nil {
			select {
			case size := <-l.sizes:
				l.unacked.Add(-size)
			default: // the seat will tell that nothing was to be acknowledged
			}
		}
		select {
		case l.messages <- inbound{message, time.Now()}:
		case <-l.ctx.Done():
			l.failure = l.ctx.Err()
			return
		}
	}
}

func (l *grpcLink) send(kind wire.EventKind, m *wire.ModelMessage, deadline time.Duration, release func()) error {
	if l.directly(m) {
		if err := l.encodeAndSend(outbound{kind, m, release}); err != nil {
			return &goneError{"its stream is broken"}
		}
		return nil
	}
	l.busy.Add(1)
	select {
	case l.outbox <- outbound{kind, m, release}:
		return nil
	default:
	}
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	select {
	case l.outbox <- outbound{kind, m, release}:
		return nil
	case <-l.broken:
		return &goneError{"its stream is broken"}
	case <-timer.C:
		return errNothing
	}
}

func (l *grpcLink) receive(wait time.Duration) (inbound, error) {
	select {
	case m, ok := <-l.messages:
		return l.arrived(m, ok)
	default:
	}
	if wait <= 0 {
		return inbound{}, errNothing
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case m, ok := <-l.messages:
		return l.arrived(m, ok)
	case <-timer.C:
		return inbound{}, errNothing
	}
}

func (l *grpcLink) arrived(m inbound, ok bool) (inbound, error) {
	if ok {
		return m, nil
	}
	switch state := status.Convert(l.failure); {
	case errors.Is(l.failure, io.EOF):
		return m, &goneError{"its server ended the stream"}
	case state.Code() == codes.Unavailable, state.Code() == codes.Canceled:
		return m, &goneError{"its process is gone"}
	case state.Code() == codes.Unimplemented:
		return m, &goneError{"what listens there is no unit server"}
	default:
		return m, &goneError{state.Message()}
	}
}

func (l *grpcLink) cost(kind wire.EventKind) (uint64, time.Duration) {
	return l.bytes[kind].Load(), time.Duration(l.serialise[kind].Load())
}

func (l *grpcLink) placement() string { return l.place }

// close lets what was sent reach the unit, if it still takes it, and ends the stream.
func (l *grpcLink) close() {
	if l.stream != nil {
		deadline := time.Now().Add(200 * time.Millisecond)
		for len(l.outbox) > 0 && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		_ = l.stream.CloseSend()
	}
	l.cancel()
	_ = l.connection.Close()
}
