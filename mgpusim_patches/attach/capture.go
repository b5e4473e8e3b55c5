package attach

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sarchlab/mgpusim/v4/amd/protocol"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/capsule"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// capture writes launches as capsules.
type capture struct {
	experiment *Experiment
	directory  string
	most       int
	made       int
	number     int             // of the next folder
	pages      map[uint64]bool // that the host or a kernel has touched

	manifest *capsule.Manifest // of the launch under way; nil: it is not recorded
	files    map[string][]byte
	before   map[uint64][]byte // pages as they were when the launch began
	runtime  []memory.Allocation
}

// Capture writes the launches to come as capsules (docs/capsules.md), each in a folder of its own below directory, most of them at most
// (0: all). Call it before the program copies anything to the device.
func (e *Experiment) Capture(directory string, most int) error {
	if err := os.MkdirAll(directory, 0o777); err != nil {
		return err
	}
	c := &capture{experiment: e, directory: directory, most: most, pages: map[uint64]bool{}}
	e.capture = c
	e.OnAccess(func(device uint64) { c.pages[device&^(memory.PageBytes-1)] = true })
	return nil
}

func (c *capture) copied(address, bytes uint64) {
	for page := address &^ (memory.PageBytes - 1); page < address+bytes; page += memory.PageBytes {
		c.pages[page] = true
	}
}

func (c *capture) begin(name string, request *protocol.LaunchKernelReq) error {
	c.manifest = nil
	if c.most > 0 && c.made >= c.most {
		return nil
	}
	object, err := objectFile(name, request.CodeObject)
	if err != nil {
		return err
	}
	p, co := request.Packet, request.CodeObject
	arguments := make([]byte, co.KernargSegmentByteSize)
	if err := c.experiment.Memory.Read(p.KernargAddress, arguments); err != nil {
		return err
	}
	c.manifest = &capsule.Manifest{Format: capsule.FormatName, Version: capsule.FormatVersion, Origin: "upstream MGPUSim " + UpstreamVersion, CodeObject: "kernel.hsaco",
		Kernel: name, Arguments: "arguments.bin", Grid: []uint32{p.GridSizeX, p.GridSizeY, p.GridSizeZ},
		Workgroup: []uint32{uint32(p.WorkgroupSizeX), uint32(p.WorkgroupSizeY), uint32(p.WorkgroupSizeZ)}}
	if p.GroupSegmentSize > co.GroupSegmentByteSize {
		c.manifest.DynamicLDSBytes = p.GroupSegmentSize - co.GroupSegmentByteSize
	}
	c.files = map[string][]byte{"kernel.hsaco": object, "arguments.bin": arguments}
	c.runtime = []memory.Allocation{{Address: p.KernelObject, Bytes: uint64(len(co.Data))}, {Address: p.KernargAddress, Bytes: max(1, co.KernargSegmentByteSize)},
		{Address: request.PacketAddress, Bytes: 64}}
	c.before = map[uint64][]byte{}
	for page := range c.pages {
		if !c.ofRuntime(page) {
			b, err := c.page(page)
			if err != nil {
				return err
			}
			c.before[page] = b
		}
	}
	return nil
}

// ofRuntime tells whether a page holds what the runtime gives to the launch, which is no region of a capsule.
func (c *capture) ofRuntime(page uint64) bool {
	for _, a := range c.runtime {
		if page < a.Address+a.Bytes && a.Address < page+memory.PageBytes {
			return true
		}
	}
	return false
}

func (c *capture) page(page uint64) ([]byte, error) {
	b := make([]byte, memory.PageBytes)
	return b, c.experiment.Memory.Read(page, b)
}

// end writes the capsule of the launch that is over.
func (c *capture) end(r *timing.Result) error {
	if c.manifest == nil {
		return nil
	}
	var pages []uint64
	for page := range c.pages {
		if !c.ofRuntime(page) {
			pages = append(pages, page)
		}
	}
	slices.Sort(pages)
	zeros := make([]byte, memory.PageBytes) // of a page that nobody had touched
	for len(pages) > 0 {
		n := 1
		for n < len(pages) && pages[n] == pages[0]+uint64(n)*memory.PageBytes {
			n++
		}
		region := capsule.Region{Name: fmt.Sprintf("at_%x", pages[0]), Address: capsule.Address(pages[0]), Bytes: uint64(n) * memory.PageBytes}
		var before, after []byte
		for _, page := range pages[:n] {
			b, ok := c.before[page]
			if !ok {
				b = zeros
			}
			now, err := c.page(page)
			if err != nil {
				return err
			}
			before, after = append(before, b...), append(after, now...)
		}
		region.Before = region.Name + ".before.bin"
		c.files[region.Before] = before
		if !slices.Equal(before, after) {
			region.After = region.Name + ".after.bin"
			c.files[region.After] = after
		}
		c.manifest.Regions = append(c.manifest.Regions, region)
		pages = pages[n:]
	}
	c.manifest.Expected = &capsule.Expected{Instructions: r.Instructions.Total}
	if len(c.experiment.Results) == 1 { // a capsule begins with cold caches
		c.manifest.Expected.Cycles, c.manifest.Expected.GPU = r.Cycles, "r9nano"
	}
	return c.write()
}

func (c *capture) write() error {
	var folder string
	for { // another experiment of the program may have written here
		folder = filepath.Join(c.directory, fmt.Sprintf("%03d-%s", c.number, c.manifest.Kernel))
		c.number++
		err := os.Mkdir(folder, 0o777)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	c.made++
	for name, content := range c.files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o666); err != nil {
			return err
		}
	}
	manifest, err := json.MarshalIndent(c.manifest, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, capsule.ManifestFile), append(manifest, '\n'), 0o666) // last: a folder with a manifest is whole
}
