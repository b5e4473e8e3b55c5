package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// referenceFile is reference.json: kernels measured on upstream MGPUSim, with everything needed to run them again.
type referenceFile struct {
	Format int             `json:"format"`
	Cases  []referenceCase `json:"cases"`
}

type referenceCase struct {
	Name        string              `json:"name"`
	Group       string              `json:"group"`
	Object      string              `json:"object"`
	Kernel      string              `json:"kernel"`
	Code        referenceCode       `json:"code"`
	Grid        []uint32            `json:"grid"`
	Workgroup   []uint32            `json:"workgroup"`
	LaunchCount int                 `json:"launch_count"`
	Args        []referenceArgument `json:"args"`
	Buffers     []referenceBuffer   `json:"buffers"`
	Launches    []referenceLaunch   `json:"launches"`
}

type referenceCode struct {
	Bytes        int `json:"bytes"`
	KernargBytes int `json:"kernarg_bytes"`
}

type referenceArgument struct {
	Type   string  `json:"type"` // "i32", "f32" or "buffer"
	Value  float64 `json:"value"`
	Buffer string  `json:"buffer"`
}

type referenceBuffer struct {
	Name           string             `json:"name"`
	Bytes          int                `json:"bytes"`
	Generator      string             `json:"generator"`
	Seed           uint64             `json:"seed"`
	Params         map[string]float64 `json:"params"`
	Output         bool               `json:"output"`
	VirtualAddress uint64             `json:"virtual_address"`
	InitialSHA256  string             `json:"initial_sha256"`
	FinalSHA256    string             `json:"final_sha256"`
}

type referenceLaunch struct {
	KernelCycles     uint64            `json:"kernel_cycles"`
	FirstInstruction uint64            `json:"first_instruction_issued_at"`
	LastWorkgroup    uint64            `json:"last_workgroup_completed_at"`
	Counters         referenceCounters `json:"counters"`
}

// referenceCounters are the counters of one launch, ours or upstream's.
type referenceCounters struct {
	Instructions timing.InstructionCounts `json:"instructions"`
	Fetches      uint64                   `json:"instruction_fetches"`
	Wavefronts   uint64                   `json:"wavefronts"`
	Workgroups   uint64                   `json:"workgroups"`
	L1V          timing.CacheCounters     `json:"L1V"`
	L1S          timing.CacheCounters     `json:"L1S"`
	L1I          timing.CacheCounters     `json:"L1I"`
	L2           timing.CacheCounters     `json:"L2"`
	L1VTLB       timing.TLBCounters       `json:"L1VTLB"`
	L1STLB       timing.TLBCounters       `json:"L1STLB"`
	L1ITLB       timing.TLBCounters       `json:"L1ITLB"`
	L2TLB        timing.TLBCounters       `json:"L2TLB"`
	DRAM         timing.DRAMCounters      `json:"DRAM"`
}

// loadReference reads reference.json of a directory.
func loadReference(dir string) (*referenceFile, error) {
	path := filepath.Join(dir, "reference.json")
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the reference: %w", err)
	}
	f := new(referenceFile)
	if err := json.Unmarshal(content, f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.Format != 1 {
		return nil, fmt.Errorf("%s: expected format 1, got %d", path, f.Format)
	}
	return f, nil
}

// splitMix returns the i-th word of a SplitMix64 generator (Steele, Lea, Flood 2014) used as a counter.
func splitMix(seed, i uint64) uint64 {
	z := seed + (i+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// symmetric maps a word to a float32 in [-1, 1), exactly.
func symmetric(z uint64) float32 { return float32(int64(z>>40)-1<<23) / (1 << 23) }

// sparseElement is symmetric with probability q20/2^20, and otherwise 0.
func sparseElement(z, q20 uint64) float32 {
	if z&0xFFFFF >= q20 {
		return 0
	}
	if x := symmetric(z); x != 0 {
		return x
	}
	return 1.0 / (1 << 23)
}

// generate returns the initial bytes of the buffer, as the reference's README defines the generators.
func (b *referenceBuffer) generate() ([]byte, error) {
	out := make([]byte, b.Bytes)
	words := b.Bytes / 4
	each := func(f func(z uint64) uint32) {
		for i := range words {
			binary.LittleEndian.PutUint32(out[4*i:], f(splitMix(b.Seed, uint64(i))))
		}
	}
	parameter := func(name string) uint64 { return uint64(b.Params[name]) }
	switch b.Generator {
	case "zero":
	case "u32":
		each(func(z uint64) uint32 { return uint32(z >> 32) })
	case "f32_sym":
		each(func(z uint64) uint32 { return math.Float32bits(symmetric(z)) })
	case "f32_pos":
		each(func(z uint64) uint32 { return math.Float32bits(float32(z>>41)/(1<<23) + 0.125) })
	case "f32_sparse":
		q := parameter("q20")
		each(func(z uint64) uint32 { return math.Float32bits(sparseElement(z, q)) })
	case "ell_val", "ell_idx", "ell_cnt":
		b.ellpack(out, parameter("rows"), parameter("cols"), parameter("width"), parameter("q20"))
	case "ring", "cycle":
		count, stride := parameter("count"), parameter("stride")
		next := make([]uint64, count)
		for j := range next {
			next[j] = (uint64(j) + 1) % count
		}
		if b.Generator == "cycle" { // Sattolo's algorithm
			for j := range next {
				next[j] = uint64(j)
			}
			for i, k := count-1, uint64(0); i > 0; i, k = i-1, k+1 {
				j := splitMix(b.Seed, k) % i
				next[i], next[j] = next[j], next[i]
			}
		}
		for j, n := range next {
			binary.LittleEndian.PutUint32(out[uint64(j)*stride:], uint32(n*stride))
		}
	default:
		return nil, fmt.Errorf("buffer %s: unknown generator %q", b.Name, b.Generator)
	}
	return out, nil
}

// ellpack packs the rows of a sparse matrix to the left and writes the values, column numbers or row counts.
func (b *referenceBuffer) ellpack(out []byte, rows, cols, width, q20 uint64) {
	put := func(i uint64, v uint32) { binary.LittleEndian.PutUint32(out[4*i:], v) }
	for r := range rows {
		n := uint64(0)
		for c := range cols {
			x := sparseElement(splitMix(b.Seed, r*cols+c), q20)
			if x == 0 {
				continue
			}
			switch b.Generator {
			case "ell_val":
				put(r*width+n, math.Float32bits(x))
			case "ell_idx":
				put(r*width+n, uint32(c))
			}
			n++
		}
		if b.Generator == "ell_cnt" {
			put(r, uint32(n))
		}
	}
}

// arguments returns the kernel-argument segment: naturally aligned, zero padded.
func (c *referenceCase) arguments() []byte {
	out := make([]byte, 0, c.Code.KernargBytes)
	for _, a := range c.Args {
		size := 4
		if a.Type == "buffer" {
			size = 8
		}
		for len(out)%size != 0 {
			out = append(out, 0)
		}
		switch a.Type {
		case "buffer":
			out = binary.LittleEndian.AppendUint64(out, c.buffer(a.Buffer).VirtualAddress)
		case "f32":
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(a.Value)))
		default:
			out = binary.LittleEndian.AppendUint32(out, uint32(int64(a.Value)))
		}
	}
	for len(out) < c.Code.KernargBytes {
		out = append(out, 0)
	}
	return out
}

func (c *referenceCase) buffer(name string) *referenceBuffer {
	for i := range c.Buffers {
		if c.Buffers[i].Name == name {
			return &c.Buffers[i]
		}
	}
	return &referenceBuffer{Name: name}
}
