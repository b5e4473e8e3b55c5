package gpuconfig

// listed are the parameters that the model does not look at: they are facts about the GPU that is modelled. Where data banks, ports and TLB
// lanes are concerned, their effect was below what a measurement shows; MSHRs of an L1 cache, or of the TLBs of L1S and L1I, never run out before what else a compute
// unit may have under way; what a copy costs is no part of a kernel's time. Scalar loads pass a reorder buffer that is never full.
var listed = map[string]bool{
	"vmem.instruction_width": true, "vmem.transaction_width": true,
	"l1v.banks": true, "l1v.mshrs": true, "l1v.reorder_per_cycle": true,
	"l1s.banks": true, "l1s.mshrs": true, "l1s.reorder_entries": true, "l1s.reorder_per_cycle": true,
	"l1i.banks":                  true,
	"l1v_tlb.requests_per_cycle": true,
	"l1s_tlb.mshrs":              true, "l1s_tlb.requests_per_cycle": true,
	"l1i_tlb.mshrs": true, "l1i_tlb.requests_per_cycle": true,
	"host.copy_to_device_cycles": true, "host.copy_from_device_cycles": true,
}

// Listed reports whether a parameter is listed but has no effect on the model.
func Listed(key string) bool { return listed[key] }
