package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sarchlab/akita/v4/mem/mem"
	"github.com/sarchlab/mgpusim/v4/amd/protocol"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/server"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/upstream"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/attach"
)

// Version is what a driver is told: upstream's version.
const Version = attach.UpstreamVersion

// DefaultStuck is the wall time without a completed instruction after which a launch is given up.
const DefaultStuck = 60 * time.Second

// Options say how a GPU is driven.
type Options struct {
	// Stuck is the wall time without a completed instruction, waiting for units left out, after which a launch fails; 0: never.
	Stuck time.Duration
	// AllowAll launches kernels that have instructions which upstream does not execute properly.
	AllowAll bool
	// Verify compares upstream's own memory with the mirror after every launch, byte by byte. It flushes upstream's caches.
	Verify bool
	// Log receives what does not fit into one sentence.
	Log func(format string, arguments ...any)
}

// GPU is an R9 Nano of upstream. It implements server.GPU.
type GPU struct {
	options Options
	spec    gpuconfig.Spec
	mem     *memory.Memory
	storage *mem.Storage
	pages   *pageTable
	system  *system
	loader  emu.Loader

	passed  uint64                      // cycles of virtual time outside upstream's present system
	known   map[*memory.Allocation]bool // seen by an earlier launch
	stale   map[uint64]bool             // pages whose contents upstream does not have
	cached  map[uint64]bool             // pages that caches may hold lines of
	checked map[*emu.Program]error
	objects map[*emu.Program]*object
	cold    bool
	hand    uint64 // kernel arguments are placed from here on, downwards
}

// New makes a cold GPU over a memory of at most Bytes; capsules may have allocations beyond it.
func New(m *memory.Memory, o Options) (*GPU, error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	spec, err := gpuconfig.Preset("r9nano")
	if err != nil {
		return nil, err
	}
	g := &GPU{options: o, spec: spec, mem: m, storage: mem.NewStorage(attach.MemoryOffset + Bytes), pages: newPageTable(Bytes),
		known: map[*memory.Allocation]bool{}, stale: map[uint64]bool{}, cached: map[uint64]bool{}, checked: map[*emu.Program]error{},
		objects: map[*emu.Program]*object{}}
	g.loader.Memory = m
	g.hand = argumentsEnd
	return g, g.rebuild()
}

// rebuild replaces the simulation by a cold one over the same memory.
func (g *GPU) rebuild() error {
	if g.system != nil {
		g.passed = g.Now()
	}
	s, err := newSystem(g.storage, g.pages, g.mem, g.passed)
	if err != nil {
		return err
	}
	s.tap.OnAccess(func(device uint64) { g.cached[device&^(memory.PageBytes-1)] = true })
	s.tap.Readable = func(device uint64) bool { return device >= argumentsBegin && device < argumentsEnd }
	g.system, g.cold = s, true
	clear(g.cached)
	return nil
}

// Machine implements server.GPU.
func (g *GPU) Machine() cosim.Machine {
	return cosim.Machine{Model: "mgpusim", Version: Version, ClockHz: g.spec.ClockHz, ComputeUnits: g.spec.Core.ShaderArrays * g.spec.Core.UnitsPerArray,
		L2Banks: attach.L2Banks, HostLinkCycles: g.spec.Host.LinkCycles, HostLinkBytes: g.spec.Host.LinkBytes, Invalidate: g.invalidate}
}

// Memory implements server.GPU.
func (g *GPU) Memory() *memory.Memory { return g.mem }

// Parameters implements server.GPU: upstream's R9 Nano is our preset, whose values were measured on it.
func (g *GPU) Parameters() []*wire.GpuParameter { return server.Parameters(&g.spec) }

// Now implements server.GPU.
func (g *GPU) Now() uint64 { return g.system.tap.Now() }

// Advance implements server.GPU.
func (g *GPU) Advance(cycles uint64) { g.system.tap.Skew += cycles }

// HostWrote implements server.GPU.
func (g *GPU) HostWrote(address, bytes uint64) {
	for page := address &^ (memory.PageBytes - 1); page < address+bytes; page += memory.PageBytes {
		g.stale[page] = true
	}
}

// invalidate makes the next launch drop what caches hold of a range.
func (g *GPU) invalidate(address, bytes uint64) { g.HostWrote(address, bytes) }

// Load implements server.GPU: it refuses what upstream does not execute properly.
func (g *GPU) Load(k *codeobject.Kernel) (*emu.Program, error) {
	p, err := g.loader.Load(k)
	if err != nil {
		return nil, err
	}
	if !g.options.AllowAll {
		if err := upstream.Check(k, p.Base+uint64(p.Entry)*4); err != nil {
			return nil, refused(err)
		}
	}
	return p, nil
}

// Close implements server.GPU.
func (g *GPU) Close() { g.mem.Close() }

// Launch implements server.GPU.
func (g *GPU) Launch(ctx context.Context, l *emu.Launch, o server.LaunchOptions) (*wire.LaunchResult, error) {
	if o.Profile {
		return nil, errors.New("the mgpusim back end has no profile of instructions; use the embedded one")
	}
	result, err := g.run(ctx, l, &o)
	if err != nil {
		return nil, err
	}
	reply := server.Result(&result, &g.spec)
	rows := reply.Metrics[:0]
	for _, m := range reply.Metrics {
		if !strings.HasPrefix(m.What, "cycles.") && !strings.HasPrefix(m.What, "CPIStack") { // what upstream does not tell
			rows = append(rows, m)
		}
	}
	reply.Metrics = append(rows, &wire.Metric{Location: "GPU[1].CommandProcessor", What: "placements_missed",
		Value: float64(g.system.tap.PlacementsMissed()), Unit: "count"})
	return reply, nil
}

// Execute runs a launch of a capsule.
func (g *GPU) Execute(ctx context.Context, l *emu.Launch) (timing.Result, error) {
	if !g.options.AllowAll {
		if err := upstream.Check(l.Kernel, l.Program.Base+uint64(l.Program.Entry)*4); err != nil {
			return timing.Result{}, err
		}
	}
	return g.run(ctx, l, &server.LaunchOptions{})
}

func (g *GPU) run(ctx context.Context, l *emu.Launch, o *server.LaunchOptions) (result timing.Result, err error) {
	if err := g.prepare(o.Cold); err != nil {
		return result, err
	}
	cold := g.cold
	g.cold = false
	request, err := g.request(l)
	if err != nil {
		return result, err
	}
	tap := g.system.tap
	tap.Budget = l.MaxInstructions
	if err := tap.Begin(o.Units, l.GroupCount(), o.Order, o.Placement); err != nil {
		return result, err
	}
	if include := tap.Filter(); include != nil {
		if len(o.Order) == 0 {
			return result, fmt.Errorf("kernel %q: a schedule that skips all work-groups can't be launched on upstream, which never ends such a launch", l.Kernel.Name)
		}
		request.WGFilter = filter(include)
	}
	stop := context.AfterFunc(ctx, func() { tap.Interrupt(context.Cause(ctx)) })
	defer stop()
	stopProgress := g.reportProgress(l, o)
	err = g.engine(request)
	stopProgress()
	if result, err = tap.End(err); err != nil {
		if e := g.rebuild(); e != nil {
			return result, errors.Join(err, e)
		}
		return result, g.explain(l, err)
	}
	result.Cold = cold
	if g.options.Verify {
		return result, g.verify()
	}
	return result, nil
}

// engine runs upstream until a request is answered.
func (g *GPU) engine(request requestMessage) error {
	g.system.host.ask(request)
	return g.system.tap.RunEngine(g.options.Stuck, debug.Stack, func(e *attach.StuckError) {
		fmt.Fprintf(os.Stderr, "%v\n", e)
		os.Exit(4)
	})
}

// explain turns what upstream failed with into a sentence about the kernel, with a code of the protocol.
func (g *GPU) explain(l *emu.Launch, err error) error {
	var stopped *attach.PanicError
	var access *memory.AccessError
	switch {
	case errors.As(err, &stopped):
		g.options.Log("%v\n%s", err, stopped.Stack)
	case errors.As(err, &access):
	case errors.Is(err, context.Canceled), errors.As(err, new(*cosim.UnitFailure)):
		return err
	}
	return &Failure{Kernel: l.Kernel.Name, Err: err}
}

// flush writes upstream's caches back and empties them.
func (g *GPU) flush() error {
	if err := g.engine(protocol.NewFlushReq(g.system.host.gpu, g.system.tap.GPU.CommandProcessor.ToDriver)); err != nil {
		return err
	}
	if !g.system.host.answered {
		return errors.New("upstream did not end the flush of its caches")
	}
	clear(g.cached)
	return nil
}

// prepare brings what the host wrote since the last launch into upstream's memory.
func (g *GPU) prepare(cold bool) error {
	seen := map[*memory.Allocation]bool{}
	for _, a := range g.mem.Allocations() {
		seen[a] = true
		if !g.known[a] {
			g.HostWrote(a.Address, a.Bytes)
		}
	}
	g.known = seen
	flush := cold && !g.cold
	for page := range g.stale {
		flush = flush || g.cached[page]
	}
	if flush && !g.cold {
		if err := g.flush(); err != nil {
			return err
		}
	}
	if cold && !g.cold {
		if err := g.rebuild(); err != nil {
			return err
		}
	}
	for page := range g.stale {
		if g.mem.Flags(page)&memory.PageAllocated == 0 {
			continue
		}
		b, err := g.mem.Bytes(page, memory.PageBytes)
		if err == nil {
			err = g.storage.Write(g.pages.physical(page), b)
		}
		if err != nil {
			return err
		}
	}
	clear(g.stale)
	return nil
}

// verify compares upstream's memory with the mirror.
func (g *GPU) verify() error {
	if err := g.flush(); err != nil {
		return err
	}
	for _, a := range g.mem.Allocations() {
		if g.mem.Flags(a.Address)&memory.PageView != 0 {
			continue
		}
		want, err := g.mem.Bytes(a.Address, a.Bytes)
		if err != nil {
			return err
		}
		for at := uint64(0); at < a.Bytes; at += memory.PageBytes {
			n := min(memory.PageBytes, a.Bytes-at)
			got, err := g.storage.Read(g.pages.physical(a.Address+at), n)
			if err != nil {
				return err
			}
			for i := range got {
				if got[i] != want[at+uint64(i)] {
					return fmt.Errorf("%s: upstream's memory holds byte 0x%02x, the mirror of its stores 0x%02x", g.mem.Describe(a.Address+at+uint64(i)), got[i], want[at+uint64(i)])
				}
			}
		}
	}
	return nil
}

// reportProgress calls the driver's callback now and then, from another goroutine, until the returned function is called.
func (g *GPU) reportProgress(l *emu.Launch, o *server.LaunchOptions) (stop func()) {
	if o.Progress == nil {
		return func() {}
	}
	total := l.Groups()
	if o.Order != nil {
		total = uint64(len(o.Order))
	}
	tap, begin := g.system.tap, g.Now()
	before := tap.Completed()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				o.Progress(timing.Progress{WorkgroupsTotal: total, WorkgroupsDone: tap.WorkgroupsDone(), Instructions: tap.Completed() - before, Cycle: tap.Now() - begin})
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// refused tells of a kernel that upstream can't run with the code that the protocol has for that.
func refused(err error) error { return status.Error(codes.FailedPrecondition, err.Error()) }

// Failure is a launch that upstream could not end. The server reports it as the model's failure.
type Failure struct {
	Kernel string
	Err    error
}

// Error returns the sentence.
func (f *Failure) Error() string { return fmt.Sprintf("kernel %q: %v", f.Kernel, f.Err) }

// Unwrap returns what happened.
func (f *Failure) Unwrap() error { return f.Err }

// GRPCStatus gives the failure the code that the protocol names for it.
func (f *Failure) GRPCStatus() *status.Status {
	var access *memory.AccessError
	if errors.As(f.Err, &access) {
		return status.New(codes.FailedPrecondition, f.Error())
	}
	return status.New(codes.Internal, f.Error())
}
