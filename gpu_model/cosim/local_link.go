package cosim

import (
	"fmt"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/units"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// localLink is a link to a unit that is built into the model. It answers before send returns.
type localLink struct {
	unit    units.Unit
	answers []inbound
	ended   bool
}

func newLocalLink(o *SeatOptions) (link, error) {
	unit, err := units.New(o.Kind, o.Unit)
	if err != nil {
		return nil, err
	}
	return &localLink{unit: unit}, nil
}

func (l *localLink) send(_ wire.EventKind, m *wire.ModelMessage, _ time.Duration, release func()) error {
	if l.ended {
		return &goneError{"it has failed before"}
	}
	begin := time.Now()
	answers, err := l.unit.Handle(m)
	end := time.Now()
	if release != nil {
		release()
	}
	if err != nil {
		l.ended = true
		answers = append(answers, &wire.UnitMessage{Body: &wire.UnitMessage_Failure{Failure: &wire.UnitFailure{Message: err.Error(), Event: eventOf(m)}}})
	}
	for _, a := range answers {
		if handled := acknowledgement(a); handled != nil {
			handled.BusyNs = uint64(end.Sub(begin))
			handled.HookNs = handled.BusyNs
		}
		l.answers = append(l.answers, inbound{a, end})
	}
	return nil
}

// eventOf names the event that a message carries.
func eventOf(m *wire.ModelMessage) string {
	switch body := m.Body.(type) {
	case *wire.ModelMessage_Hello:
		return "the handshake"
	case *wire.ModelMessage_Batch:
		return fmt.Sprintf("%s event %d", eventName(kindOf(body.Batch)), body.Batch.FirstSequence)
	case *wire.ModelMessage_Lifecycle:
		return "lifecycle " + body.Lifecycle.Phase.String()
	}
	return ""
}

// kindOf returns the kind of a batch's events.
func kindOf(batch *wire.EventBatch) wire.EventKind {
	switch batch.Columns.(type) {
	case *wire.EventBatch_Store:
		return wire.EventKind_EVENT_KIND_STORE
	case *wire.EventBatch_Mark:
		return wire.EventKind_EVENT_KIND_MARK
	case *wire.EventBatch_ReadCounts:
		return wire.EventKind_EVENT_KIND_READ_COUNTS
	case *wire.EventBatch_CompactTile:
		return wire.EventKind_EVENT_KIND_COMPACT_TILE
	case *wire.EventBatch_Schedule:
		return wire.EventKind_EVENT_KIND_SCHEDULE
	}
	return eventKindLifecycle
}

func (l *localLink) receive(time.Duration) (inbound, error) {
	if len(l.answers) == 0 {
		if l.ended {
			return inbound{}, &goneError{"it has failed before"}
		}
		return inbound{}, errNothing
	}
	m := l.answers[0]
	l.answers = l.answers[:copy(l.answers, l.answers[1:])]
	return m, nil
}

func (l *localLink) cost(wire.EventKind) (uint64, time.Duration) { return 0, 0 }

func (l *localLink) placement() string { return "builtin" }

func (l *localLink) close() {}
