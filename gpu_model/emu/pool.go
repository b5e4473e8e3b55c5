package emu

// Pool keeps the state of work-groups that have ended for those that come: launches that run one after another and share a pool allocate
// nothing once it has grown to what is resident at a time. The zero value is an empty pool. It is not safe for concurrent use.
type Pool struct {
	groups []*WorkGroup
	waves  []*Wavefront

	// Rests of the latest blocks: many small objects cost the garbage collector more than a few large ones.
	freshGroups    []WorkGroup
	freshLists     []*Wavefront
	freshWaves     []Wavefront
	freshRegisters []uint32
}

const (
	perBlock          = 64
	registersPerBlock = 64 << 10 // dwords
)

// take returns a work-group of some wavefronts and bytes of local memory, all with whatever they held last. It touches no wavefront's state.
func (p *Pool) take(waves, lds int) *WorkGroup {
	var g *WorkGroup
	if n := len(p.groups); n > 0 {
		g = p.groups[n-1]
		p.groups = p.groups[:n-1]
	} else {
		if len(p.freshGroups) == 0 {
			p.freshGroups = make([]WorkGroup, perBlock)
		}
		g, p.freshGroups = &p.freshGroups[0], p.freshGroups[1:]
	}
	if cap(g.Waves) < waves {
		if len(p.freshLists) < waves {
			p.freshLists = make([]*Wavefront, waves*perBlock)
		}
		g.Waves, p.freshLists = p.freshLists[:0:waves], p.freshLists[waves:]
	}
	if cap(g.LDS) < lds {
		g.LDS = make([]byte, lds)
	}
	g.LDS = g.LDS[:lds]
	for range waves {
		g.Waves = append(g.Waves, p.wave())
	}
	return g
}

// give takes back a work-group.
func (p *Pool) give(g *WorkGroup) {
	p.waves = append(p.waves, g.Waves...)
	g.Waves = g.Waves[:0]
	p.groups = append(p.groups, g)
}

func (p *Pool) wave() *Wavefront {
	if n := len(p.waves); n > 0 {
		w := p.waves[n-1]
		p.waves = p.waves[:n-1]
		return w
	}
	if len(p.freshWaves) == 0 {
		p.freshWaves = make([]Wavefront, perBlock)
	}
	w := &p.freshWaves[0]
	p.freshWaves = p.freshWaves[1:]
	return w
}

// registers returns the given number of dwords for the vector registers of a wavefront that has fewer.
func (p *Pool) registers(n int) []uint32 {
	if len(p.freshRegisters) < n {
		p.freshRegisters = make([]uint32, max(n, registersPerBlock))
	}
	v := p.freshRegisters[:n:n]
	p.freshRegisters = p.freshRegisters[n:]
	return v
}
