package platform

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sarchlab/akita/v4/mem/mem"
	"github.com/sarchlab/akita/v4/mem/vm/mmu"
	"github.com/sarchlab/akita/v4/noc/networking/pcie"
	"github.com/sarchlab/akita/v4/sim"
	"github.com/sarchlab/akita/v4/simulation"
	"github.com/sarchlab/mgpusim/v4/amd/samples/runner/timingconfig/r9nano"
	"github.com/sarchlab/mgpusim/v4/amd/sampling"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/attach"
)

// Bytes is the memory of upstream's R9 Nano.
const Bytes = 4 << 30

// system is one simulation of upstream: a GPU, its MMU behind PCIe as in upstream's own platform, and our host.
type system struct {
	simulation *simulation.Simulation
	host       *host
	tap        *attach.Tap
	directory  string // of the file that upstream's recorder insists on
}

// newSystem builds a cold GPU over a storage. Page walks pass PCIe in upstream, so its network is part of what is measured.
func newSystem(storage *mem.Storage, pages *pageTable, m *memory.Memory, frozen uint64) (s *system, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			_ = os.RemoveAll(s.directory)
			err = fmt.Errorf("upstream MGPUSim %s can't be built: %v", attach.UpstreamVersion, problem)
		}
	}()
	sampling.InitSampledEngine()
	s = &system{}
	if s.directory, err = os.MkdirTemp("", "mgpusim-bridge-"); err != nil {
		return nil, err
	}
	s.simulation = simulation.MakeBuilder().WithoutMonitoring().WithOutputFileName(filepath.Join(s.directory, "akita")).Build()
	_ = os.RemoveAll(s.directory) // the recorder keeps its file open, and nothing of it is read
	engine := s.simulation.GetEngine()
	walker := mmu.MakeBuilder().WithEngine(engine).WithFreq(1 * sim.GHz).WithPageWalkingLatency(100).WithLog2PageSize(12).WithPageTable(pages).Build("MMU")
	s.simulation.RegisterComponent(walker)
	s.host = newHost(engine)
	s.simulation.RegisterComponent(s.host)
	walker.MigrationServiceProvider = s.host.mmu.AsRemote()

	network := pcie.NewConnector().WithEngine(engine).WithVersion(4, 16).WithSwitchLatency(140)
	network.CreateNetwork("PCIe")
	root := network.AddRootComplex([]sim.Port{s.host.gpu, s.host.mmu, walker.GetPortByName("Migration"), walker.GetPortByName("Top")})
	remote := &mem.BankedAddressPortMapper{BankSize: Bytes, LowModules: []sim.RemotePort{"CPU"}}
	gpu := r9nano.MakeBuilder().WithSimulation(s.simulation).WithMMU(walker).WithLog2PageSize(12).WithGlobalStorage(storage).
		WithGPUID(1).WithMemAddrOffset(attach.MemoryOffset).WithRDMAAddressMapper(remote).Build("GPU[1]")
	remote.LowModules = append(remote.LowModules, gpu.GetPortByName("RDMAData").AsRemote())
	network.PlugInDevice(network.AddSwitch(root), gpu.Ports())
	network.EstablishRoute()

	found, err := attach.Find(s.simulation, "GPU[1]")
	if err != nil {
		return nil, err
	}
	if s.tap, err = attach.NewTap(found, m); err != nil {
		return nil, err
	}
	s.tap.Device, s.tap.Physical, s.tap.Skew = pages.device, pages.physical, frozen
	return s, nil
}
