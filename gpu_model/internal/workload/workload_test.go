package workload

import (
	"context"
	"testing"
)

const root = "../../.."

// TestResults runs every workload once in each mode on two threads; each run checks the results.
func TestResults(t *testing.T) {
	for _, w := range Functional {
		t.Run("functional/"+w.Name, func(t *testing.T) {
			i, err := Open(root, w)
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			if _, err := i.RunFunctional(context.Background(), 2); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, w := range Timing {
		t.Run("timing/"+w.Name, func(t *testing.T) {
			i, err := Open(root, w)
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			first, err := i.RunTiming(context.Background(), "r9nano", 2)
			if err != nil {
				t.Fatal(err)
			}
			again, err := i.RunTiming(context.Background(), "r9nano", 1)
			if err != nil {
				t.Fatal(err)
			}
			if first.Cycles != again.Cycles || first.Instructions != again.Instructions {
				t.Errorf("a new GPU takes %d cycles for %d instructions, a cooled one %d for %d", first.Cycles, first.Instructions, again.Cycles, again.Instructions)
			}
		})
	}
}

// TestSteadyState repeats workloads on one GPU until its queues have grown to what they need. What a launch allocates from then on is
// its result and its metrics: the more for the number of components, not of instructions.
func TestSteadyState(t *testing.T) {
	for _, w := range Timing {
		if w.Name != "relu" && w.Name != "fir" {
			continue
		}
		i, err := Open(root, w)
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		var m Measurement
		for range 4 {
			if m, err = i.RunTiming(context.Background(), "r9nano", 1); err != nil {
				t.Fatal(err)
			}
		}
		if most := uint64(400); m.Allocations > most {
			t.Errorf("%s: the fourth run allocates %d objects, expected at most %d", w.Name, m.Allocations, most)
		}
	}
}

func report(b *testing.B, run func() (Measurement, error)) {
	var total Measurement
	for b.Loop() {
		m, err := run()
		if err != nil {
			b.Fatal(err)
		}
		total.Instructions += m.Instructions
		total.Seconds += m.Seconds
		total.ProcessorSeconds += m.ProcessorSeconds
		total.Allocations += m.Allocations
	}
	b.ReportMetric(float64(total.Instructions)/total.Seconds/1e6, "Minst/s")
	b.ReportMetric(float64(total.Instructions)/total.ProcessorSeconds/1e6, "Minst/cpu-s")
	b.ReportMetric(float64(total.Allocations)/float64(b.N), "allocs")
	b.ReportMetric(0, "ns/op") // the harness's own work is in it
}

// BenchmarkFunctional measures functional mode on one core.
func BenchmarkFunctional(b *testing.B) {
	for _, w := range Functional {
		b.Run(w.Name, func(b *testing.B) {
			i, err := Open(root, w)
			if err != nil {
				b.Fatal(err)
			}
			defer i.Close()
			report(b, func() (Measurement, error) { return i.RunFunctional(context.Background(), 1) })
		})
	}
}

// BenchmarkTiming measures timing mode on one thread.
func BenchmarkTiming(b *testing.B) {
	for _, w := range Timing {
		b.Run(w.Name, func(b *testing.B) {
			i, err := Open(root, w)
			if err != nil {
				b.Fatal(err)
			}
			defer i.Close()
			report(b, func() (Measurement, error) { return i.RunTiming(context.Background(), "r9nano", 1) })
		})
	}
}
