// Package reference reads the cases measured on upstream MGPUSim (outside the repository, beside it) for tests that compare with them.
package reference

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

// Case is one recorded run: a kernel, its buffers and arguments, and what upstream measured.
type Case struct {
	Name        string     `json:"name"`
	Group       string     `json:"group"`
	Object      string     `json:"object"`
	Kernel      string     `json:"kernel"`
	Code        Code       `json:"code"`
	Grid        []uint32   `json:"grid"`
	Workgroup   []uint32   `json:"workgroup"`
	LaunchCount int        `json:"launch_count"`
	Args        []Argument `json:"args"`
	Buffers     []Buffer   `json:"buffers"`
	Launches    []Launch   `json:"launches"`
}

// Code is what the kernel header says.
type Code struct {
	Bytes        uint32 `json:"bytes"`
	KernargBytes uint32 `json:"kernarg_bytes"`
	LDSBytes     uint32 `json:"lds_bytes"`
	SGPRs        uint32 `json:"sgprs"`
	VGPRs        uint32 `json:"vgprs"`
}

// Argument is a kernel argument: an i32, an f32 or the address of a buffer.
type Argument struct {
	Type   string  `json:"type"`
	Value  float64 `json:"value"`
	Buffer string  `json:"buffer"`
}

// Buffer is a device buffer and how its first bytes are generated.
type Buffer struct {
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

// Launch is what upstream measured of one launch, in cycles and counts.
type Launch struct {
	KernelCycles               uint64                     `json:"kernel_cycles"`
	FirstWorkgroupReceivedAt   uint64                     `json:"first_workgroup_received_at"`
	FirstInstructionIssuedAt   uint64                     `json:"first_instruction_issued_at"`
	LastInstructionCompletedAt uint64                     `json:"last_instruction_completed_at"`
	LastWorkgroupCompletedAt   uint64                     `json:"last_workgroup_completed_at"`
	ComputeUnitsUsed           int                        `json:"compute_units_used"`
	MaxInstructionsOnOneCU     uint64                     `json:"max_instructions_on_one_cu"`
	Counters                   map[string]json.RawMessage `json:"counters"`
}

// Counter returns the fields of one group of counters; a plain number is returned under "".
func (l *Launch) Counter(group string) map[string]uint64 {
	raw, ok := l.Counters[group]
	if !ok {
		return nil
	}
	fields := map[string]uint64{}
	if json.Unmarshal(raw, &fields) == nil {
		return fields
	}
	var n uint64
	if json.Unmarshal(raw, &n) == nil {
		return map[string]uint64{"": n}
	}
	return nil
}

// Decode puts all counters into a struct that has their names as JSON names.
func (l *Launch) Decode(counters any) error {
	text, err := json.Marshal(l.Counters)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, counters)
}

// Directory looks for shared/reference beside the repository, in this and all parent folders.
func Directory() (string, bool) {
	dir, err := os.Getwd()
	for err == nil {
		candidate := filepath.Join(dir, "shared", "reference")
		if _, err := os.Stat(filepath.Join(candidate, "reference.json")); err == nil {
			return candidate, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return "", false
}

// Load reads all cases of the directory.
func Load(dir string) ([]Case, error) {
	content, err := os.ReadFile(filepath.Join(dir, "reference.json"))
	if err != nil {
		return nil, err
	}
	var document struct {
		Cases []Case `json:"cases"`
	}
	err = json.Unmarshal(content, &document)
	return document.Cases, err
}

// Arguments returns the kernel-argument segment: arguments in order, naturally aligned, zero padded.
func (c *Case) Arguments(address map[string]uint64) []byte {
	var b []byte
	for _, a := range c.Args {
		switch a.Type {
		case "i32":
			b = binary.LittleEndian.AppendUint32(b, uint32(int64(a.Value)))
		case "f32":
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(a.Value)))
		case "buffer":
			for len(b)%8 != 0 {
				b = append(b, 0)
			}
			b = binary.LittleEndian.AppendUint64(b, address[a.Buffer])
		}
	}
	return b
}

// word is the i-th output of SplitMix64 used as a counter-based generator.
func word(seed, i uint64) uint64 {
	z := seed + (i+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func symmetric(z uint64) float32 { return float32(int64(z>>40)-1<<23) / (1 << 23) }

func sparse(z, threshold uint64) float32 {
	if z&0xFFFFF >= threshold {
		return 0
	}
	if f := symmetric(z); f != 0 {
		return f
	}
	return 1.0 / (1 << 23)
}

// Generate returns the first bytes of a buffer (source: the README of the reference, Generators).
func (b *Buffer) Generate() ([]byte, error) {
	out := make([]byte, b.Bytes)
	put := func(i int, x uint32) { binary.LittleEndian.PutUint32(out[i:], x) }
	parameter := func(name string) int { return int(b.Params[name]) }
	each := func(f func(z uint64) uint32) {
		for i := range b.Bytes / 4 {
			put(4*i, f(word(b.Seed, uint64(i))))
		}
	}
	switch b.Generator {
	case "zero":
	case "fill_u32":
		each(func(uint64) uint32 { return uint32(parameter("value")) })
	case "u32":
		each(func(z uint64) uint32 { return uint32(z >> 32) })
	case "f32_sym":
		each(func(z uint64) uint32 { return math.Float32bits(symmetric(z)) })
	case "f32_pos":
		each(func(z uint64) uint32 { return math.Float32bits(float32(z>>41)/(1<<23) + 0.125) })
	case "f32_sparse":
		each(func(z uint64) uint32 { return math.Float32bits(sparse(z, uint64(parameter("q20")))) })
	case "ell_val", "ell_idx", "ell_cnt":
		b.ellpack(put)
	case "ring":
		for j := range parameter("count") {
			put(j*parameter("stride"), uint32((j+1)%parameter("count")*parameter("stride")))
		}
	case "cycle":
		b.cycle(put, parameter("count"), parameter("stride"))
	default:
		return nil, fmt.Errorf("buffer %q: generator %q is not known", b.Name, b.Generator)
	}
	return out, nil
}

func (b *Buffer) ellpack(put func(int, uint32)) {
	rows, columns, width := int(b.Params["rows"]), int(b.Params["cols"]), int(b.Params["width"])
	for row := range rows {
		n := 0
		for column := range columns {
			f := sparse(word(b.Seed, uint64(row*columns+column)), uint64(b.Params["q20"]))
			if f == 0 {
				continue
			}
			switch b.Generator {
			case "ell_val":
				put(4*(row*width+n), math.Float32bits(f))
			case "ell_idx":
				put(4*(row*width+n), uint32(column))
			}
			n++
		}
		if b.Generator == "ell_cnt" {
			put(4*row, uint32(n))
		}
	}
}

// cycle writes a random permutation that is one cycle.
func (b *Buffer) cycle(put func(int, uint32), count, stride int) {
	next := make([]int, count)
	for i := range next {
		next[i] = i
	}
	for i, k := count-1, uint64(0); i > 0; i, k = i-1, k+1 {
		j := int(word(b.Seed, k) % uint64(i))
		next[i], next[j] = next[j], next[i]
	}
	for i, n := range next {
		put(i*stride, uint32(n*stride))
	}
}
