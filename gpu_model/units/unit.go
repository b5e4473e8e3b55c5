// Package units holds the reference implementations of the three Spartan units that are built into the model. They speak the
// messages of the wire contract without a wire, and give bit for bit the answers of the Python units of the same names.
package units

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"sort"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// Unit is a unit on its stream: Handle takes the model's next message and returns the unit's. An error ends the stream.
type Unit interface {
	Handle(*wire.ModelMessage) ([]*wire.UnitMessage, error)
}

// version is what the built-in units tell as theirs: that of the Python units.
const version = "1.0"

// protocol is the version of the wire contract that the built-in units speak; they are built with the model.
func protocol() *wire.Version { return &wire.Version{Major: 1, Minor: 3} }

// New returns the built-in unit of a kind. name is empty or the name of that unit.
func New(kind wire.UnitKind, name string) (Unit, error) {
	var b behaviour
	switch kind {
	case wire.UnitKind_UNIT_KIND_MONITOR:
		b = &monitor{}
	case wire.UnitKind_UNIT_KIND_COMPACTION:
		b = &compaction{}
	case wire.UnitKind_UNIT_KIND_SCHEDULER:
		b = &scheduler{}
	default:
		return nil, fmt.Errorf("no unit of kind %v is built in", kind)
	}
	if name != "" && name != b.name() {
		return nil, fmt.Errorf("the built-in unit is %q, not %q", b.name(), name)
	}
	return &host{behaviour: b}, nil
}

// behaviour is what the kinds differ in.
type behaviour interface {
	name() string
	// start validates the parameters and declares the costs.
	start(machine *wire.ModelHello, parameters []byte) (*wire.UnitHello, error)
	// events handles a batch, and returns the replies where it holds requests.
	events(*wire.EventBatch) (*wire.ReplyBatch, error)
	lifecycle(*wire.Lifecycle) error
	counters() map[string]float64
	snapshot() ([]byte, error)
	restore([]byte) error
}

// host runs a behaviour on its stream.
type host struct{ behaviour }

// Handle implements Unit.
func (h *host) Handle(m *wire.ModelMessage) ([]*wire.UnitMessage, error) {
	switch body := m.Body.(type) {
	case *wire.ModelMessage_Hello:
		hello, err := h.start(body.Hello, []byte(body.Hello.ParametersJson))
		if err != nil {
			return nil, err
		}
		hello.Protocol, hello.Name, hello.Version, hello.Kind = protocol(), h.name(), version, body.Hello.Kind
		return []*wire.UnitMessage{{Body: &wire.UnitMessage_Hello{Hello: hello}}}, nil
	case *wire.ModelMessage_Batch:
		replies, err := h.events(body.Batch)
		if err != nil {
			return nil, err
		}
		handled := &wire.Acknowledge{ThroughSequence: body.Batch.FirstSequence + uint64(body.Batch.Count)}
		if replies != nil {
			return []*wire.UnitMessage{{Body: &wire.UnitMessage_Replies{Replies: replies}, Handled: handled}}, nil
		}
		return []*wire.UnitMessage{{Body: &wire.UnitMessage_Acknowledge{Acknowledge: handled}}}, nil
	case *wire.ModelMessage_Lifecycle:
		return h.live(body.Lifecycle)
	case *wire.ModelMessage_Goodbye:
		return nil, nil
	}
	return nil, fmt.Errorf("the model sent a message of unknown kind")
}

func (h *host) live(e *wire.Lifecycle) ([]*wire.UnitMessage, error) {
	reply := &wire.LifecycleReply{Token: e.Token}
	var err error
	switch e.Phase {
	case wire.Lifecycle_PHASE_SNAPSHOT:
		reply.Snapshot, err = h.snapshot()
	case wire.Lifecycle_PHASE_RESTORE:
		err = h.restore(e.Snapshot)
	case wire.Lifecycle_PHASE_COUNTERS:
		var text []byte
		text, err = json.Marshal(h.counters())
		reply.CountersJson = string(text)
	default:
		err = h.lifecycle(e)
	}
	if err != nil || e.Token == 0 {
		return nil, err
	}
	return []*wire.UnitMessage{{Body: &wire.UnitMessage_Lifecycle{Lifecycle: reply}}}, nil
}

// parameter is one number of a unit, with its range. The defaults are those of spartan_units/spartan.toml.
type parameter struct {
	value     float64
	low, high float64
	whole     bool
}

// parse fills in the values that the JSON object names.
func parse(unit string, text []byte, known map[string]*parameter) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	given := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &given); err != nil {
		return fmt.Errorf("unit %s: the parameters must be a JSON object: %v", unit, err)
	}
	keys := make([]string, 0, len(given))
	for key := range given {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		p := known[key]
		if p == nil {
			return fmt.Errorf("unit %s: parameter %s is not known", unit, key)
		}
		var value float64
		if err := json.Unmarshal(given[key], &value); err != nil || value < p.low || value > p.high || p.whole && value != math.Trunc(value) {
			what := "a number"
			if p.whole {
				what = "a whole number"
			}
			return fmt.Errorf("unit %s: parameter %s must be %s from %g to %g, got %s", unit, key, what, p.low, p.high, given[key])
		}
		p.value = value
	}
	return nil
}

// cyclesToPS returns the picoseconds of cycles of the GPU clock, rounded up.
func cyclesToPS(cycles float64, clockHz uint64) uint64 {
	return uint64(math.Ceil(cycles * 1e12 / float64(clockHz)))
}
