package timing

import (
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
)

// pages runs requests for one page each, given their arrivals, through an L2 TLB with so many MSHRs, and returns the order in which the pages come
// and when they do.
func pages(mshrs int, arrivals []uint64) (order []int, at []uint64) {
	m := newMMU(&gpuconfig.TLB{Sets: 64, Ways: 64, MSHRs: mshrs, RequestsPerCycle: 1024, Latency: 4}, gpuconfig.MMU{WalkCycles: 100, InFlight: 16}, &gpuconfig.Core{ShaderArrays: 16, UnitsPerArray: 4}, 690)
	for i, t := range arrivals {
		m.add(pageRequest{at: t, page: uint64(i)})
	}
	for t := uint64(0); len(order) < len(arrivals); t++ {
		before := map[uint64]bool{}
		for _, set := range m.tlb.sets {
			for _, e := range set {
				before[e.page] = true
			}
		}
		m.run(t + 1)
		for page := range uint64(len(arrivals)) {
			if !before[page] && m.tlb.find(page) {
				order, at = append(order, int(page)), append(at, t)
			}
		}
	}
	return order, at
}

// TestTLBInOrder checks that pages are walked in the order of their requests while there are MSHRs, each in the time of one walk.
func TestTLBInOrder(t *testing.T) {
	order, at := pages(64, []uint64{10, 10, 11, 50})
	for i := range order {
		if order[i] != i {
			t.Fatalf("expected the order of the requests, got %v", order)
		}
	}
	// Taken, looked up 5 cycles later, there 689 later; one walk begins a cycle.
	for i, want := range []uint64{704, 705, 706, 744} {
		if at[i] != want {
			t.Errorf("page %d: expected it in cycle %d, got %d", i, want, at[i])
		}
	}
}

// TestTLBOvertakes checks that new requests pass old ones when the MSHRs are used up and the buffer is full: they enter the lanes that are
// served first.
func TestTLBOvertakes(t *testing.T) {
	var arrivals []uint64
	for range 200 {
		arrivals = append(arrivals, 10)
	}
	for range 8 {
		arrivals = append(arrivals, 3000) // when most of the others have not been looked up
	}
	order, _ := pages(8, arrivals)
	place := make([]int, len(order))
	for i, page := range order {
		place[page] = i
	}
	last := place[199]
	for late := 200; late < len(order); late++ {
		if place[late] > last {
			t.Errorf("request %d: expected it before the last of the old ones, which was answered as number %d, got number %d", late, last, place[late])
		}
	}
	if place[8] > place[199] {
		t.Errorf("expected the lowest lanes first, got request 8 as number %d and request 199 as number %d", place[8], place[199])
	}
}
