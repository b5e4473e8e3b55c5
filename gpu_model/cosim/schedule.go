package cosim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// Plan is a scheduler's answer, checked.
type Plan struct {
	Order     []uint32 // work-groups in dispatch order
	Placement []int32  // compute unit of each, −1 for any
	TilePath  []byte   // little-endian uint32 a tile; empty: all sparse
	LatencyPS uint64
}

// Plan asks the scheduler for a launch of `workgroups` work-groups.
func (s *Session) Plan(request *wire.ScheduleRequest) (*Plan, error) {
	if s.scheduler == nil {
		return nil, errors.New("the launch asks for a schedule, and no scheduler is attached")
	}
	request.ComputeUnits = uint32(s.machine.ComputeUnits)
	if n := uint64(len(request.WorkgroupTiles)); n != 0 && n != 4*uint64(request.Workgroups)*uint64(request.TilesPerWorkgroup) {
		return nil, fmt.Errorf("expected %d tile numbers for each of %d work-groups, got %d in all", request.TilesPerWorkgroup, request.Workgroups, n/4)
	}
	now := s.Now()
	const kind = wire.EventKind_EVENT_KIND_SCHEDULE
	sequences, err := s.askAll(s.scheduler, now, kind, func() *wire.EventBatch {
		return &wire.EventBatch{Columns: &wire.EventBatch_Schedule{Schedule: request}}
	})
	if err != nil {
		return nil, err
	}
	asked := s.scheduler.trace.request(kind, now, slices.Concat([]byte(request.Kernel), request.TileNonzeros, request.WorkgroupTiles), uint64(request.Workgroups),
		uint64(request.TilesPerWorkgroup), uint64(request.TileElements))
	r, err := s.scheduler.await(sequences[0], kind)
	if err != nil {
		return nil, err
	}
	plan, err := s.checkPlan(request, &r)
	if err != nil {
		return nil, s.scheduler.fail(fmt.Sprintf("schedule event %d", sequences[0]), "%v", err)
	}
	s.scheduler.trace.reply(asked, r.latency, nil, r.schedule.Order, r.schedule.Placement, r.schedule.TilePath)
	s.compareAll(s.scheduler, sequences, now, r)
	return plan, nil
}

func (s *Session) checkPlan(request *wire.ScheduleRequest, r *reply) (*Plan, error) {
	order, placement := r.schedule.Order, r.schedule.Placement
	if len(order)%4 != 0 || len(placement) != len(order) {
		return nil, fmt.Errorf("expected as many placements as work-groups in the order, got %d and %d bytes", len(placement), len(order))
	}
	tiles := len(request.TileNonzeros)
	if n := len(r.schedule.TilePath); n != 0 && n != tiles {
		return nil, fmt.Errorf("expected a path for each of %d tiles, got %d", tiles/4, n/4)
	}
	for i := 0; i < len(r.schedule.TilePath); i += 4 {
		if path := binary.LittleEndian.Uint32(r.schedule.TilePath[i:]); path > 2 {
			return nil, fmt.Errorf("expected a path of 0 (skip), 1 (sparse) or 2 (dense), got %d for tile %d", path, i/4)
		}
	}
	plan := &Plan{TilePath: r.schedule.TilePath, LatencyPS: r.latency}
	seen := make([]bool, request.Workgroups)
	for i := 0; i < len(order); i += 4 {
		group, unit := binary.LittleEndian.Uint32(order[i:]), int32(binary.LittleEndian.Uint32(placement[i:]))
		if group >= request.Workgroups {
			return nil, fmt.Errorf("expected work-groups below %d, got %d", request.Workgroups, group)
		}
		if seen[group] {
			return nil, fmt.Errorf("work-group %d stands twice in the order", group)
		}
		if unit < -1 || int(unit) >= s.machine.ComputeUnits {
			return nil, fmt.Errorf("expected compute units below %d or -1, got %d for work-group %d", s.machine.ComputeUnits, unit, group)
		}
		seen[group] = true
		plan.Order, plan.Placement = append(plan.Order, group), append(plan.Placement, unit)
	}
	return plan, nil
}
