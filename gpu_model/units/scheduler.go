package units

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sort"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// scheduler starts work-groups with most non-zeros first.
type scheduler struct {
	clockHz                uint64
	latency, denseAbove    parameter
	launches, tilesSkipped uint64
}

// Code paths of a tile, as the kernel reads them.
const (
	pathSkip   = 0
	pathSparse = 1
	pathDense  = 2
)

func (s *scheduler) name() string { return "longest-first" }

func (s *scheduler) start(machine *wire.ModelHello, parameters []byte) (*wire.UnitHello, error) {
	s.clockHz = machine.ClockHz
	s.latency = parameter{value: 64, low: 1, high: 1_000_000, whole: true}
	s.denseAbove = parameter{value: 1, low: 0, high: 1}
	if err := parse(s.name(), parameters, map[string]*parameter{"latency_cycles": &s.latency, "dense_above": &s.denseAbove}); err != nil {
		return nil, err
	}
	return &wire.UnitHello{Events: []wire.EventKind{wire.EventKind_EVENT_KIND_SCHEDULE, wire.EventKind_EVENT_KIND_MARK}, LookaheadPs: cyclesToPS(s.latency.value, s.clockHz),
		ParametersJson: fmt.Sprintf(`{"latency_cycles":%d,"dense_above":%s}`, int(s.latency.value), decimal(s.denseAbove.value))}, nil
}

func (s *scheduler) events(batch *wire.EventBatch) (*wire.ReplyBatch, error) {
	request := batch.GetSchedule()
	if request == nil {
		return nil, nil
	}
	s.launches++
	order := make([]uint32, request.Workgroups)
	load := make([]uint64, request.Workgroups)
	for i := range order {
		order[i] = uint32(i)
	}
	reply := &wire.ScheduleReply{}
	if tiles := request.TileNonzeros; len(tiles) > 0 {
		for t := range len(tiles) / 4 {
			n := binary.LittleEndian.Uint32(tiles[4*t:])
			if k := uint64(request.TilesPerWorkgroup); len(request.WorkgroupTiles) == 0 && k > 0 && uint64(t)/k < uint64(len(load)) {
				load[uint64(t)/k] += uint64(n)
			}
			reply.TilePath = binary.LittleEndian.AppendUint32(reply.TilePath, s.path(n, request.TileElements))
		}
		for i := range len(request.WorkgroupTiles) / 4 { // numbers beyond the last tile stand for none
			if t := int(binary.LittleEndian.Uint32(request.WorkgroupTiles[4*i:])); 4*t < len(tiles) {
				load[i/int(request.TilesPerWorkgroup)] += uint64(binary.LittleEndian.Uint32(tiles[4*t:]))
			}
		}
		sort.SliceStable(order, func(i, j int) bool { return load[order[i]] > load[order[j]] })
	}
	for _, group := range order {
		reply.Order = binary.LittleEndian.AppendUint32(reply.Order, group)
		reply.Placement = binary.LittleEndian.AppendUint32(reply.Placement, ^uint32(0))
	}
	return &wire.ReplyBatch{Count: 1, Sequence: binary.LittleEndian.AppendUint64(nil, batch.FirstSequence),
		LatencyPs: binary.LittleEndian.AppendUint64(nil, cyclesToPS(s.latency.value, s.clockHz)), Columns: &wire.ReplyBatch_Schedule{Schedule: reply}}, nil
}

// path chooses a tile's code path: empty tiles are skipped, tiles denser than the threshold go dense.
func (s *scheduler) path(nonzeros, elements uint32) uint32 {
	switch {
	case nonzeros == 0:
		s.tilesSkipped++
		return pathSkip
	case float64(nonzeros)/float64(max(elements, 1)) > s.denseAbove.value:
		return pathDense
	}
	return pathSparse
}

func (s *scheduler) lifecycle(*wire.Lifecycle) error { return nil }

func (s *scheduler) counters() map[string]float64 {
	return map[string]float64{"launches": float64(s.launches), "tiles_skipped": float64(s.tilesSkipped)}
}

type schedulerState struct{ Launches, TilesSkipped uint64 }

func (s *scheduler) snapshot() ([]byte, error) {
	return json.Marshal(schedulerState{s.launches, s.tilesSkipped})
}

func (s *scheduler) restore(text []byte) error {
	var state schedulerState
	if err := json.Unmarshal(text, &state); err != nil {
		return fmt.Errorf("the snapshot is none of this unit: %v", err)
	}
	s.launches, s.tilesSkipped = state.Launches, state.TilesSkipped
	return nil
}
