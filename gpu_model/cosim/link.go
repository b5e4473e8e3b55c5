package cosim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// MessageLimit is the size of the largest message either way, in bytes.
const MessageLimit = 64 << 20

// link carries messages to and from one unit, wherever it runs. Messages arrive in order; the channel of received ones
// closes when the unit is gone, and err then tells why.
type link interface {
	send(*wire.ModelMessage) error
	received() <-chan *wire.UnitMessage
	err() error
	close()
}

// grpcLink is a link to a server of the Units service.
type grpcLink struct {
	connection *grpc.ClientConn
	stream     grpc.BidiStreamingClient[wire.ModelMessage, wire.UnitMessage]
	cancel     context.CancelFunc
	messages   chan *wire.UnitMessage
	failure    error // set before messages closes
}

// dial opens a stream to target, "unix:/path" or "host:port", within the deadline.
func dial(target string, deadline time.Duration) (link, error) {
	if !strings.HasPrefix(target, "unix:") && !strings.Contains(target, ":") {
		return nil, fmt.Errorf("a unit's address is unix:/path or host:port, got %q", target)
	}
	address := target
	if !strings.HasPrefix(target, "unix:") {
		address = "passthrough:///" + target
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MessageLimit), grpc.MaxCallSendMsgSize(MessageLimit)))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &grpcLink{connection: connection, cancel: cancel, messages: make(chan *wire.UnitMessage, 64)}
	timer := time.AfterFunc(deadline, cancel)
	l.stream, err = wire.NewUnitsClient(connection).Attach(ctx, grpc.WaitForReady(true))
	if err != nil || !timer.Stop() {
		l.close()
		return nil, fmt.Errorf("no unit server answers at %s within %v", target, deadline)
	}
	go l.receive()
	return l, nil
}

func (l *grpcLink) receive() {
	defer close(l.messages)
	for {
		message, err := l.stream.Recv()
		if err != nil {
			l.failure = err
			return
		}
		l.messages <- message
	}
}

func (l *grpcLink) send(message *wire.ModelMessage) error { return l.stream.Send(message) }

func (l *grpcLink) received() <-chan *wire.UnitMessage { return l.messages }

// err says why the stream ended, as a clause.
func (l *grpcLink) err() error {
	switch {
	case l.failure == nil:
		return nil
	case errors.Is(l.failure, io.EOF):
		return errors.New("its server ended the stream")
	case status.Code(l.failure) == codes.Unavailable:
		return errors.New("its process is gone")
	}
	return errors.New(status.Convert(l.failure).Message())
}

func (l *grpcLink) close() {
	if l.stream != nil {
		_ = l.stream.CloseSend()
	}
	l.cancel()
	_ = l.connection.Close()
}
