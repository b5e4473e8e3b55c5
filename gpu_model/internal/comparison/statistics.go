package comparison

import (
	"math"
	"slices"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// Statistics are the mean, median and maximum of the absolute relative error of some launches' kernel cycles.
type Statistics struct {
	Count             int
	Mean, Median, Max float64
	Worst             string // case of the maximum
}

// Summarize returns the statistics of the records of a group ("" for all), with the launch tail or without it.
func Summarize(records []Record, group string, tail bool) Statistics {
	var s Statistics
	var errors []float64
	for i := range records {
		r := &records[i]
		if group != "" && r.Group != group {
			continue
		}
		e := math.Abs(r.Error(tail))
		errors = append(errors, e)
		s.Mean += e
		if e >= s.Max {
			s.Max, s.Worst = e, r.Case
		}
	}
	if s.Count = len(errors); s.Count == 0 {
		return s
	}
	s.Mean /= float64(s.Count)
	slices.Sort(errors)
	if s.Median = errors[s.Count/2]; s.Count%2 == 0 {
		s.Median = (s.Median + errors[s.Count/2-1]) / 2
	}
	return s
}

// Row is one counter of a launch beside the reference's.
type Row struct {
	Name            string
	Ours, Reference uint64
}

// Rows lists a record's counters.
func (r *Record) Rows() []Row {
	a, b := &r.Counters, &r.ReferenceCounters
	rows := []Row{
		{"VALU instructions", a.Instructions.VALU, b.Instructions.VALU}, {"Scalar instructions", a.Instructions.Scalar, b.Instructions.Scalar},
		{"VMem instructions", a.Instructions.VMem, b.Instructions.VMem}, {"LDS instructions", a.Instructions.LDS, b.Instructions.LDS},
		{"Branch instructions", a.Instructions.Branch, b.Instructions.Branch},
		{"Special instructions", a.Instructions.Special, b.Instructions.Special},
		{"instruction fetches", a.Fetches, b.Fetches}, {"wavefronts", a.Wavefronts, b.Wavefronts}, {"work-groups", a.Workgroups, b.Workgroups},
	}
	for i, name := range []string{"L1V", "L1S", "L1I", "L2"} {
		x := []*[2]*cacheCounters{{&a.L1V, &b.L1V}, {&a.L1S, &b.L1S}, {&a.L1I, &b.L1I}, {&a.L2, &b.L2}}[i]
		o, t := x[0], x[1]
		rows = append(rows, Row{name + " read_hit", o.ReadHit, t.ReadHit}, Row{name + " read_miss", o.ReadMiss, t.ReadMiss},
			Row{name + " read_mshr_hit", o.ReadMSHRHit, t.ReadMSHRHit}, Row{name + " write_hit", o.WriteHit, t.WriteHit},
			Row{name + " write_miss", o.WriteMiss, t.WriteMiss}, Row{name + " write_mshr_hit", o.WriteMSHRHit, t.WriteMSHRHit},
			Row{name + " requests_read", o.RequestsRead, t.RequestsRead}, Row{name + " requests_write", o.RequestsWrite, t.RequestsWrite},
			Row{name + " requests_completed", o.Completed, t.Completed}, Row{name + " latency_sum", o.LatencySum, t.LatencySum})
	}
	for i, name := range []string{"L1VTLB", "L1STLB", "L1ITLB", "L2TLB"} {
		x := []*[2]*tlbCounters{{&a.L1VTLB, &b.L1VTLB}, {&a.L1STLB, &b.L1STLB}, {&a.L1ITLB, &b.L1ITLB}, {&a.L2TLB, &b.L2TLB}}[i]
		o, t := x[0], x[1]
		rows = append(rows, Row{name + " hit", o.Hit, t.Hit}, Row{name + " miss", o.Miss, t.Miss}, Row{name + " mshr_hit", o.MSHRHit, t.MSHRHit},
			Row{name + " requests_completed", o.Completed, t.Completed}, Row{name + " latency_sum", o.LatencySum, t.LatencySum})
	}
	return append(rows, Row{"DRAM read_trans", a.DRAM.ReadTransactions, b.DRAM.ReadTransactions},
		Row{"DRAM read_bytes", a.DRAM.ReadBytes, b.DRAM.ReadBytes},
		Row{"DRAM write_trans", a.DRAM.WriteTransactions, b.DRAM.WriteTransactions},
		Row{"DRAM write_bytes", a.DRAM.WriteBytes, b.DRAM.WriteBytes})
}

type (
	cacheCounters = timing.CacheCounters
	tlbCounters   = timing.TLBCounters
)
