package capsule

import (
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// ordered returns the regions in order of address.
func (m *Manifest) ordered() []*Region {
	regions := make([]*Region, len(m.Regions))
	for i := range m.Regions {
		regions[i] = &m.Regions[i]
	}
	sort.SliceStable(regions, func(i, j int) bool { return regions[i].Address < regions[j].Address })
	return regions
}

// span is a run of whole pages that regions lie in.
type span struct {
	begin, end uint64
	regions    []*Region
}

// spans returns the pages that the regions cover; regions that share a page, or lie in neighbouring pages, share a span.
func (m *Manifest) spans() ([]span, error) {
	var all []span
	for _, r := range m.ordered() {
		begin := uint64(r.Address) &^ (memory.PageBytes - 1)
		end := (uint64(r.Address) + r.Bytes + memory.PageBytes - 1) &^ (memory.PageBytes - 1)
		switch {
		case begin == 0:
			return nil, fmt.Errorf("region %q at 0x%x lies in page 0, which stays free so that null pointers fault", r.Name, uint64(r.Address))
		case end < begin:
			return nil, fmt.Errorf("region %q at 0x%x lies in the last page of the address space", r.Name, uint64(r.Address))
		}
		if n := len(all); n > 0 && all[n-1].end >= begin {
			all[n-1].end = max(all[n-1].end, end)
			all[n-1].regions = append(all[n-1].regions, r)
			continue
		}
		all = append(all, span{begin, end, []*Region{r}})
	}
	return all, nil
}

// place makes a device memory with the regions at their addresses and their contents before the launch.
func (c *Capsule) place() (*memory.Memory, []span, error) {
	spans, err := c.spans()
	if err != nil {
		return nil, nil, c.wrong(ManifestFile, "%v", err)
	}
	size := uint64(memory.DefaultBytes)
	for _, s := range spans { // no span lies half inside the device's own memory
		if s.begin < size && s.end > size {
			size = s.end
		}
	}
	m, err := memory.New(size)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range spans {
		name := s.regions[0].Name
		if n := len(s.regions); n > 1 {
			name = fmt.Sprintf("%s to %s", name, s.regions[n-1].Name)
		}
		if err := m.AllocateAt(s.begin, s.end-s.begin, name); err != nil {
			m.Close()
			return nil, nil, c.wrong(ManifestFile, "%v", err)
		}
		for _, r := range s.regions {
			if err := c.load(m, r); err != nil {
				m.Close()
				return nil, nil, err
			}
		}
	}
	return m, spans, nil
}

// load copies a region's contents before the launch into device memory.
func (c *Capsule) load(m *memory.Memory, r *Region) error {
	if r.Before == "" {
		return nil
	}
	b, err := m.Bytes(uint64(r.Address), r.Bytes)
	if err != nil {
		return err
	}
	f, err := os.Open(c.path(r.Before))
	if err != nil {
		return c.wrong(r.Before, "%v", withoutPath(err))
	}
	defer f.Close()
	if _, err := io.ReadFull(f, b); err != nil {
		return c.wrong(r.Before, "%v", withoutPath(err))
	}
	return nil
}
