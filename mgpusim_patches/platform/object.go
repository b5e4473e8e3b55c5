package platform

import (
	"fmt"

	"github.com/sarchlab/akita/v4/sim"
	"github.com/sarchlab/mgpusim/v4/amd/insts"
	"github.com/sarchlab/mgpusim/v4/amd/kernels"
	"github.com/sarchlab/mgpusim/v4/amd/protocol"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/mgpusim_patches/attach"
)

type requestMessage = sim.Msg

// object is a kernel in upstream's form.
type object = insts.KernelCodeObject

// Arguments of launches lie at the end of the device's memory, each launch's in pages of its own: upstream's scalar caches are not emptied
// between launches, and a page used again would show them the arguments of an earlier one.
const (
	argumentsEnd   = Bytes - 64<<20 // beyond it are the pages of far allocations
	argumentsBegin = Bytes - 128<<20
)

// codeObject puts a kernel of any code object version into upstream's structure.
func codeObject(k *codeobject.Kernel, p *emu.Program) (*object, error) {
	e := &k.Enable
	switch {
	case k.PrivateBytes > 0:
		return nil, unsupported(k, "%d bytes of private memory for each work-item", k.PrivateBytes)
	case e.QueuePtr:
		return nil, unsupported(k, "the address of its queue")
	case e.DispatchID:
		return nil, unsupported(k, "its dispatch number")
	case e.PrivateSegmentSize:
		return nil, unsupported(k, "the size of its private memory in a register")
	case e.WorkgroupInfo:
		return nil, unsupported(k, "work-group info in a register")
	}
	return &object{Version: insts.CodeObjectV3, Data: p.Code, KernelCodeObjectMeta: &insts.KernelCodeObjectMeta{
		ComputePgmRsrc1: k.Rsrc1, ComputePgmRsrc2: k.Rsrc2, KernargSegmentByteSize: uint64(k.KernargBytes), GroupSegmentByteSize: k.LDSBytes,
		KernelCodeEntryByteOffset: uint64(p.Entry) * 4, EnableSgprPrivateSegmentBuffer: e.PrivateSegmentBuffer, EnableSgprDispatchPtr: e.DispatchPtr,
		EnableSgprKernargSegmentPtr: e.KernargPtr, EnableSgprFlatScratchInit: e.FlatScratchInit, EnableSgprGridWorkgroupCountX: e.GridWorkgroupCount[0],
		EnableSgprGridWorkgroupCountY: e.GridWorkgroupCount[1], EnableSgprGridWorkgroupCountZ: e.GridWorkgroupCount[2],
		WFSgprCount: uint16(k.AllocatedSGPRs), WIVgprCount: uint16(k.AllocatedVGPRs)}}, nil
}

func unsupported(k *codeobject.Kernel, format string, arguments ...any) error {
	return refused(fmt.Errorf("kernel %q needs %s, which upstream MGPUSim %s does not give", k.Name, fmt.Sprintf(format, arguments...), attach.UpstreamVersion))
}

// request makes the launch request of a launch. Its arguments and its packet get pages of their own.
func (g *GPU) request(l *emu.Launch) (*protocol.LaunchKernelReq, error) {
	o := g.objects[l.Program]
	if o == nil {
		var err error
		if o, err = codeObject(l.Kernel, l.Program); err != nil {
			return nil, err
		}
		g.objects[l.Program] = o
	}
	bytes := (uint64(l.Kernel.KernargBytes)+memory.PageBytes-1)&^(memory.PageBytes-1) + memory.PageBytes
	if g.hand-bytes < argumentsBegin {
		if err := g.flush(); err != nil {
			return nil, err
		}
		g.hand = argumentsEnd
	}
	g.hand -= bytes
	for _, copied := range []struct{ to, from, bytes uint64 }{
		{g.hand, l.PacketAddress, packetBytes},
		{g.hand + memory.PageBytes, l.KernargAddress, uint64(l.Kernel.KernargBytes)},
	} {
		b, err := g.mem.Bytes(copied.from, copied.bytes)
		if err == nil {
			err = g.storage.Write(g.pages.physical(copied.to), b)
		}
		if err != nil {
			return nil, err
		}
	}
	packet := &kernels.HsaKernelDispatchPacket{WorkgroupSizeX: uint16(l.GroupSize[0]), WorkgroupSizeY: uint16(l.GroupSize[1]), WorkgroupSizeZ: uint16(l.GroupSize[2]),
		GridSizeX: l.Grid[0], GridSizeY: l.Grid[1], GridSizeZ: l.Grid[2], GroupSegmentSize: l.LDSBytes(), KernelObject: l.Program.Base,
		KernargAddress: g.hand + memory.PageBytes}
	request := protocol.NewLaunchKernelReq(g.system.host.gpu, g.system.tap.GPU.CommandProcessor.ToDriver)
	request.PID, request.CodeObject, request.Packet, request.PacketAddress = process, o, packet, g.hand
	return request, nil
}

// packetBytes is the size of an AQL dispatch packet.
const packetBytes = 64

// filter turns a choice of work-groups into upstream's form.
func filter(include func(x, y, z int) bool) kernels.WGFilterFunc {
	return func(_ *kernels.HsaKernelDispatchPacket, g *kernels.WorkGroup) bool {
		return include(g.IDX, g.IDY, g.IDZ)
	}
}
