package cosim

import (
	"encoding/binary"
	"errors"
	"fmt"

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
	fields := append([]byte(request.Kernel), request.TileNonzeros...)
	fields = append(fields, request.WorkgroupTiles...)
	for _, n := range []uint32{request.Workgroups, request.TilesPerWorkgroup, request.TileElements} {
		fields = binary.LittleEndian.AppendUint32(fields, n)
	}
	sequence, err := s.scheduler.request(s.Now(), wire.EventKind_EVENT_KIND_SCHEDULE, &wire.EventBatch{Columns: &wire.EventBatch_Schedule{Schedule: request}}, fields)
	if err != nil {
		return nil, err
	}
	r, err := s.scheduler.await(sequence, "schedule")
	if err != nil {
		return nil, err
	}
	plan, err := s.checkPlan(request, &r)
	if err != nil {
		return nil, s.scheduler.fail(fmt.Sprintf("schedule event %d", sequence), "%v", err)
	}
	s.scheduler.trace.record(s.scheduler.trace.replies, []uint64{sequence, r.latency}, r.schedule.Order, r.schedule.Placement, r.schedule.TilePath)
	return plan, nil
}

func (s *Session) checkPlan(request *wire.ScheduleRequest, r *reply) (*Plan, error) {
	if r.schedule == nil {
		return nil, errors.New("expected a schedule, got another answer")
	}
	order, placement := r.schedule.Order, r.schedule.Placement
	if len(order)%4 != 0 || len(placement) != len(order) {
		return nil, fmt.Errorf("expected as many placements as work-groups in the order, got %d and %d bytes", len(placement), len(order))
	}
	tiles := len(request.TileNonzeros)
	if n := len(r.schedule.TilePath); n != 0 && tiles != 0 && n != tiles {
		return nil, fmt.Errorf("expected a path for each of %d tiles, got %d", tiles/4, n/4)
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
