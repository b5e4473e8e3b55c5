package cosim

import (
	"errors"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// MessageLimit is the size of the largest message either way, in bytes.
const MessageLimit = 64 << 20

// link carries messages to and from one unit, wherever it runs. Messages arrive in order.
type link interface {
	// send hands a message over; it must not change until release (which may be nil) is called. kind accounts for it.
	send(kind wire.EventKind, m *wire.ModelMessage, deadline time.Duration, release func()) error
	// receive returns the next message, errNothing where none comes within wait, or why the unit is gone.
	receive(wait time.Duration) (inbound, error)
	// cost returns what messages of a kind took to send, so far.
	cost(kind wire.EventKind) (bytes uint64, serialise time.Duration)
	placement() string
	close()
}

// inbound is a message with the wall time of its arrival.
type inbound struct {
	message *wire.UnitMessage
	at      time.Time
}

// errNothing says that no message has arrived; goneError why none will.
var errNothing = errors.New("no message")

type goneError struct{ reason string }

func (e *goneError) Error() string { return e.reason }

// eventKindLifecycle accounts for all that is no batch of events.
const eventKindLifecycle = wire.EventKind_EVENT_KIND_UNSPECIFIED

// eventKinds is one more than the largest event kind.
const eventKinds = int(wire.EventKind_EVENT_KIND_SCHEDULE) + 1

// acknowledgement returns what a message says to have been handled, beside replies or alone, or nil.
func acknowledgement(m *wire.UnitMessage) *wire.Acknowledge {
	if m.Handled != nil {
		return m.Handled
	}
	return m.GetAcknowledge()
}
