package server

import (
	"context"
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/metrics"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/profile"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// embedded is the model of this module.
type embedded struct{}

// embeddedGPU is a GPU of it.
type embeddedGPU struct {
	spec       gpuconfig.Spec
	functional bool
	threads    int
	mem        *memory.Memory
	gpu        *timing.GPU
	loader     emu.Loader
}

// Spec returns the preset that a driver asks for, with its overrides.
func Spec(r *wire.HandshakeRequest) (gpuconfig.Spec, error) {
	spec, err := gpuconfig.Preset(r.Gpu)
	if err != nil {
		return spec, err
	}
	for _, key := range slices.Sorted(maps.Keys(r.GpuOverrides)) { // sorted, so that the same mistake is told each time
		if err := spec.Set(key, r.GpuOverrides[key]); err != nil {
			return spec, err
		}
	}
	return spec, spec.Validate()
}

func (embedded) Open(r *wire.HandshakeRequest) (GPU, error) {
	spec, err := Spec(r)
	if err != nil {
		return nil, err
	}
	g := &embeddedGPU{spec: spec, functional: r.Mode == wire.Mode_MODE_FUNCTIONAL, threads: int(r.HostThreads)}
	if g.mem, err = memory.New(spec.DRAM.Bytes); err != nil {
		return nil, status.Errorf(codes.ResourceExhausted, "the host can't map %d bytes of device memory (dram.bytes): %v", spec.DRAM.Bytes, err)
	}
	if g.gpu, err = timing.New(spec, g.mem); err != nil {
		g.mem.Close()
		return nil, err
	}
	g.loader.Memory = g.mem
	return g, nil
}

func (g *embeddedGPU) Machine() cosim.Machine {
	return cosim.Machine{Model: "embedded", Version: Version, ClockHz: g.spec.ClockHz, ComputeUnits: g.spec.Core.ShaderArrays * g.spec.Core.UnitsPerArray,
		L2Banks: g.spec.L2.Banks, HostLinkCycles: g.spec.Host.LinkCycles, HostLinkBytes: g.spec.Host.LinkBytes, Invalidate: g.gpu.Invalidate}
}

func (g *embeddedGPU) Memory() *memory.Memory                          { return g.mem }
func (g *embeddedGPU) Parameters() []*wire.GpuParameter                { return Parameters(&g.spec) }
func (g *embeddedGPU) Now() uint64                                     { return g.gpu.Now() }
func (g *embeddedGPU) Advance(cycles uint64)                           { g.gpu.Advance(cycles) }
func (g *embeddedGPU) Load(k *codeobject.Kernel) (*emu.Program, error) { return g.loader.Load(k) }
func (g *embeddedGPU) HostWrote(uint64, uint64)                        {}
func (g *embeddedGPU) Close()                                          { g.mem.Close() }

// Parameters lists a preset's parameters.
func Parameters(spec *gpuconfig.Spec) []*wire.GpuParameter {
	var rows []*wire.GpuParameter
	for _, p := range spec.List() {
		rows = append(rows, &wire.GpuParameter{Key: p.Key, Value: p.Value, Unit: p.Unit, Source: p.Source, Description: p.Description})
	}
	return rows
}

func (g *embeddedGPU) Launch(ctx context.Context, l *emu.Launch, o LaunchOptions) (*wire.LaunchResult, error) {
	if g.functional {
		counts, err := emu.RunFunctional(ctx, l, g.threads)
		return &wire.LaunchResult{Instructions: counts.Instructions, BeginPs: l.Now, EndPs: l.Now, Workgroups: counts.WorkGroups}, err
	}
	result, err := g.gpu.Launch(ctx, l, timing.Options{Order: o.Order, Placement: o.Placement, Units: o.Units, Threads: g.threads, Cold: o.Cold,
		Profile: o.Profile, Progress: o.Progress})
	if err != nil {
		return nil, err
	}
	reply := Result(&result, &g.spec)
	if o.Profile {
		reply.Profile = profileMessage(profile.Of(l.Program, &result))
	}
	return reply, nil
}

// Result tells what a launch did, with its rows of MGPUSim's metric table.
func Result(r *timing.Result, spec *gpuconfig.Spec) *wire.LaunchResult {
	rows := metrics.Rows(r, spec)
	period := 1_000_000_000_000 / spec.ClockHz
	reply := &wire.LaunchResult{Cycles: r.Cycles, LaunchTailCycles: r.TailCycles, Instructions: r.Instructions.Total, BeginPs: r.Begin * period,
		EndPs: r.End * period, L2Bytes: r.L2Bytes, DramBytes: r.DRAMBytes, Workgroups: r.Workgroups, WorkgroupsSkipped: r.WorkgroupsSkipped,
		BusyComputeUnits: r.BusyShare, Cold: r.Cold, Metrics: make([]*wire.Metric, len(rows))}
	for i, row := range rows {
		reply.Metrics[i] = &wire.Metric{Location: row.Location, What: row.What, Value: row.Value, Unit: row.Unit}
	}
	return reply
}

// profileMessage packs a profile into columns.
func profileMessage(k *profile.Kernel) *wire.KernelProfile {
	m := &wire.KernelProfile{Cause: k.Causes}
	floats := func(to []byte, values []float64) []byte {
		for _, x := range values {
			to = binary.LittleEndian.AppendUint64(to, math.Float64bits(x))
		}
		return to
	}
	m.Elsewhere = floats(nil, k.Elsewhere)
	for i := range k.Instructions {
		x := &k.Instructions[i]
		m.Offset = binary.LittleEndian.AppendUint32(m.Offset, x.Offset)
		m.Text = append(m.Text, x.Text)
		m.Issues = binary.LittleEndian.AppendUint64(m.Issues, x.Issues)
		m.Cycles = floats(m.Cycles, x.Cycles)
	}
	return m
}
