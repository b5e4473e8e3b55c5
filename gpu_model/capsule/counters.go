package capsule

// Counters returns what a timing model counted of a launch, under the names of the reference's record; nil in functional mode.
func (o *Outcome) Counters() map[string]any {
	r := o.Result
	if r == nil {
		return nil
	}
	return map[string]any{"L1V": r.L1V, "L1S": r.L1S, "L1I": r.L1I, "L2": r.L2, "L1VTLB": r.L1VTLB, "L1STLB": r.L1STLB, "L1ITLB": r.L1ITLB, "L2TLB": r.L2TLB,
		"DRAM": r.DRAM, "instructions": r.Instructions, "instruction_fetches": r.InstructionFetches, "wavefronts": r.Wavefronts, "workgroups": r.Workgroups,
		"compute_units_used": r.ComputeUnitsUsed, "launch_tail_cycles": r.TailCycles, "first_workgroup_received_at": r.FirstWorkgroup,
		"first_instruction_issued_at": r.FirstInstruction, "last_instruction_completed_at": r.LastInstruction, "last_workgroup_completed_at": r.LastWorkgroup}
}
