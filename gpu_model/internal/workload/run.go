package workload

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/metrics"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// Measurement is one run of a workload: all its launches, without the time to make buffers and check results.
type Measurement struct {
	Workload         string  `json:"workload"`
	Mode             string  `json:"mode"` // functional or timing
	Threads          int     `json:"threads"`
	Run              int     `json:"run"`                  // of this workload in this process, from 1: the first one touches the host's memory for the first time
	Instructions     uint64  `json:"instructions"`         // wavefront instructions
	Cycles           uint64  `json:"cycles,omitempty"`     // GPU cycles of all launches, launch tails included
	Seconds          float64 `json:"seconds"`              // wall time
	ProcessorSeconds float64 `json:"processor_seconds"`    // user and system time of the process
	Allocations      uint64  `json:"allocations"`          // heap objects allocated
	AllocatedBytes   uint64  `json:"allocated_bytes"`      //
	Rate             float64 `json:"instructions_per_s"`   // by wall time
	ProcessorRate    float64 `json:"instructions_per_cpu"` // by processor time: what one core does that nothing else uses
}

// measure times f, which returns instructions and cycles.
func measure(f func() (instructions, cycles uint64, err error)) (m Measurement, err error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	processor, begin := ProcessorSeconds(), time.Now()
	m.Instructions, m.Cycles, err = f()
	m.Seconds, m.ProcessorSeconds = time.Since(begin).Seconds(), ProcessorSeconds()-processor
	runtime.ReadMemStats(&after)
	m.Allocations, m.AllocatedBytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	m.Rate = float64(m.Instructions) / m.Seconds
	if m.ProcessorSeconds > 0 {
		m.ProcessorRate = float64(m.Instructions) / m.ProcessorSeconds
	}
	return m, err
}

// RunFunctional runs the workload in functional mode on up to cores host cores and checks its results.
func (i *Instance) RunFunctional(ctx context.Context, cores int) (Measurement, error) {
	m, err := measure(func() (n, cycles uint64, err error) {
		for _, l := range i.launches {
			counts, err := emu.RunFunctional(ctx, l, cores)
			n += counts.Instructions
			if err != nil {
				return n, 0, err
			}
		}
		return n, 0, nil
	})
	m.Mode = "functional"
	return i.finish(m, cores, err)
}

// RunTiming runs the workload in timing mode on a GPU of the given preset with cold caches and checks its results. Runs of one instance
// share the GPU, so that all but the first find its host memory in place.
func (i *Instance) RunTiming(ctx context.Context, preset string, threads int) (Measurement, error) {
	spec, err := gpuconfig.Preset(preset)
	if err != nil {
		return Measurement{}, err
	}
	if i.gpu == nil || i.preset != preset {
		if i.gpu, err = timing.New(spec, i.memory); err != nil {
			return Measurement{}, err
		}
		i.preset = preset
	}
	i.gpu.Cool()
	m, err := measure(func() (n, cycles uint64, err error) {
		for _, l := range i.launches {
			result, err := i.gpu.Launch(ctx, l, timing.Options{Threads: threads})
			n, cycles = n+result.Instructions.Total, cycles+result.Cycles
			if err != nil {
				return n, cycles, err
			}
			metrics.Rows(&result, &spec) // as a server reports them with every launch
		}
		return n, cycles, nil
	})
	m.Mode = "timing"
	return i.finish(m, threads, err)
}

func (i *Instance) finish(m Measurement, threads int, err error) (Measurement, error) {
	i.runs++
	m.Workload, m.Threads, m.Run = i.Workload.Name, threads, i.runs
	if err == nil {
		err = i.check()
	}
	if err != nil {
		return m, fmt.Errorf("workload %s in %s mode: %w", m.Workload, m.Mode, err)
	}
	return m, nil
}

// CoreMean returns the geometric means, over the Core workloads, of the medians of their rates in timing mode, over first runs in a process or
// over later ones; ok is false when a workload has none.
func CoreMean(records []Measurement, first bool) (mean Measurement, ok bool) {
	logRate, logProcessor := 0.0, 0.0
	for _, name := range Core {
		var rates, processor []float64
		for _, m := range records {
			if m.Workload == name && m.Mode == "timing" && (m.Run == 1) == first {
				rates, processor = append(rates, m.Rate), append(processor, m.ProcessorRate)
			}
		}
		if len(rates) == 0 {
			return Measurement{}, false
		}
		slices.Sort(rates)
		slices.Sort(processor)
		logRate += math.Log(rates[len(rates)/2]) / float64(len(Core))
		logProcessor += math.Log(processor[len(processor)/2]) / float64(len(Core))
	}
	return Measurement{Workload: "core", Mode: "timing", Rate: math.Exp(logRate), ProcessorRate: math.Exp(logProcessor)}, true
}
