package attach_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/sarchlab/akita/v4/simulation"
	"github.com/sarchlab/mgpusim/v4/amd/driver"
	"github.com/sarchlab/mgpusim/v4/amd/insts"
	"github.com/sarchlab/mgpusim/v4/amd/samples/runner/timingconfig"
	"github.com/sarchlab/mgpusim/v4/amd/sampling"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/capsule"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/attach"
)

const elements = 5000

// outcome is what one run of the experiment gave.
type outcome struct {
	cycles, zeros uint64
	y             []float32
}

// experiment is a program with upstream's own platform and driver: a ReLU, with a monitor beside it where one is wanted.
func experiment(t *testing.T, monitor bool, capsules string) outcome {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	sampling.InitSampledEngine()
	s := simulation.MakeBuilder().WithoutMonitoring().WithOutputFileName(filepath.Join(t.TempDir(), "akita")).Build()
	timingconfig.MakeBuilder().WithSimulation(s).Build()
	gpu := s.GetComponentByName("Driver").(*driver.Driver)

	e, err := attach.Open(s)
	check(err)
	if capsules != "" {
		check(e.Capture(capsules, 0))
	}
	gpu.Run()
	program := gpu.Init()
	gpu.SelectGPU(program, 1)
	x := make([]float32, elements)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range x {
		x[i] = float32(random.NormFloat64())
	}
	dx, dy := gpu.AllocateMemory(program, 4*elements), gpu.AllocateMemory(program, 4*elements)
	var watched uint32
	if monitor {
		_, err := e.Attach(cosim.SeatOptions{Kind: wire.UnitKind_UNIT_KIND_MONITOR, Target: "builtin:", ParametersJSON: `{"write_stall_cycles": 0}`})
		check(err)
		watched, err = e.Watch(&wire.Tensor{Name: "y", Address: uint64(dy), ElementType: wire.ElementType_ELEMENT_TYPE_F32, Rows: 50, Columns: 100, RowStride: 400,
			ColumnStride: 4, TileRows: 10, TileColumns: 100})
		check(err)
	}
	gpu.MemCopyH2D(program, dx, x)
	kernel := insts.LoadKernelCodeObjectFromFS("../../kernels/portable/relu.hsaco", "relu_forward")
	gpu.LaunchKernel(program, kernel, [3]uint32{1280, 1, 1}, [3]uint16{256, 1, 1}, &struct {
		X, Y   driver.Ptr
		N, End uint32
	}{dx, dy, elements, 0})
	o := outcome{cycles: e.Results[0].Cycles, y: make([]float32, elements)}
	gpu.MemCopyD2H(program, o.y, dy)
	for i := range x {
		if o.y[i] != max(x[i], 0) {
			t.Fatalf("y[%d] is %g, expected %g", i, o.y[i], max(x[i], 0))
		}
	}
	if monitor {
		counts, _, err := e.Session.ReadCounts(watched)
		check(err)
		o.zeros = counts.Zeros
	}
	check(e.Close())
	gpu.Terminate()
	s.Terminate()
	return o
}

func TestAMonitorBesideAnExperimentCountsAndMovesNothing(t *testing.T) {
	alone, watched := experiment(t, false, ""), experiment(t, true, "")
	if alone.cycles != watched.cycles || alone.cycles == 0 {
		t.Errorf("%d cycles alone, %d with the monitor", alone.cycles, watched.cycles)
	}
	zeros := uint64(0)
	for _, y := range watched.y {
		if y == 0 {
			zeros++
		}
	}
	if watched.zeros != zeros {
		t.Errorf("the monitor counts %d zeros, there are %d", watched.zeros, zeros)
	}
}

func TestLaunchesOfAnExperimentBecomeCapsules(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "capsules")
	experiment(t, false, directory)
	folders, err := os.ReadDir(directory)
	if err != nil || len(folders) != 1 || folders[0].Name() != "000-relu_forward" {
		t.Fatalf("expected one capsule, got %v, %v", folders, err)
	}
	c, err := capsule.Open(filepath.Join(directory, folders[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Run(context.Background(), capsule.Options{Cores: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Differences) > 0 || got.Instructions != c.Expected.Instructions {
		t.Errorf("our model: %d instructions, %v; the capsule: %d", got.Instructions, got.Differences, c.Expected.Instructions)
	}
}
