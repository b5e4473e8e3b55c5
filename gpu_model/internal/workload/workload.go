// Package workload holds the kernel launches that the speed of the GPU model is measured with, each verified against float64 arithmetic.
package workload

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/timing"
)

// Workload is one thing to measure.
type Workload struct {
	Name string
	What string // sizes and kernels
	// build allocates buffers, adds launches and returns the check of their results.
	build func(b *builder) (check func() error, err error)
}

// Functional and Timing are the workloads of the two modes.
var (
	Functional = []Workload{
		{"gemm", "gemm_nn 512×512×512", gemm(512)},
		{"gemm_scalar", "gemm_scalar_32x64 512×512×512", gemmScalar(512)},
		{"relu", "relu_forward, 4,194,304 elements", relu(4 << 20)},
		{"im2col", "im2col 3×3 of 1×64×56×56", im2col(64, 56)},
		{"softmax", "softmax, 512 rows of 4,096", softmax(512, 4096)},
		{"fir", "fir, 262,144 outputs, 64 taps", fir(262144, 64)},
	}
	Timing = []Workload{
		{"relu", "relu, one element a work-item, 262,144 elements", reluSimple(262144)},
		{"gemm", "gemm_nn 256×256×256", gemm(256)},
		{"conv", "3×3 convolution, 64 filters on 1×64×56×56: im2col, gemm_scalar_32x64", convolution(64, 56, 64)},
		{"sparse_gemm", "sparse_gemm_32x128 512×512×512 at density 0.3, tiles made before", sparseGEMM(512, 512, 512, 0.3)},
		{"fir", "fir, 65,536 outputs, 64 taps", fir(65536, 64)},
		{"relu_wide", "relu_forward, four elements a work-item, 262,144 elements", relu(262144)},
	}
)

// Core lists the timing workloads whose geometric mean is the speed of timing mode.
var Core = []string{"relu", "gemm", "conv", "sparse_gemm", "fir"}

// Instance is a workload in device memory, ready to run any number of times.
type Instance struct {
	Workload Workload
	memory   *memory.Memory
	launches []*emu.Launch
	check    func() error
	gpu      *timing.GPU // of the latest run in timing mode
	preset   string
	runs     int
}

// Close gives the device memory back.
func (i *Instance) Close() {
	for _, l := range i.launches {
		l.Close()
	}
	i.memory.Close()
}

// Open makes an instance of a workload. root is the repository's folder, where the kernels are.
func Open(root string, w Workload) (*Instance, error) {
	m, err := memory.New(memory.DefaultBytes)
	if err != nil {
		return nil, err
	}
	b := &builder{root: root, memory: m, loader: emu.Loader{Memory: m}, objects: map[string]*codeobject.Object{}}
	i := &Instance{Workload: w, memory: m}
	i.check, err = w.build(b)
	if err == nil {
		err = b.err
	}
	for _, l := range b.preparation {
		if err == nil {
			_, err = emu.RunFunctional(context.Background(), l, 0)
		}
		l.Close()
	}
	i.launches = b.launches
	if err != nil {
		i.Close()
		return nil, fmt.Errorf("workload %s: %w", w.Name, err)
	}
	return i, nil
}

// builder collects launches; the first error sticks.
type builder struct {
	root     string
	memory   *memory.Memory
	loader   emu.Loader
	objects  map[string]*codeobject.Object
	launches []*emu.Launch
	// preparation runs once, in functional mode, before anything is measured.
	preparation []*emu.Launch
	seed        uint64
	err         error
}

// buffer is device memory of f32 elements.
type buffer struct {
	address uint64
	memory  *memory.Memory
	n       int
}

func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// empty allocates n elements of zeros.
func (b *builder) empty(name string, n int) buffer {
	address, err := b.memory.Allocate(4*uint64(n), name)
	if err != nil {
		b.fail(err)
	}
	return buffer{address, b.memory, n}
}

// random allocates n elements in [-1, 1) of which a share of density is not zero.
func (b *builder) random(name string, n int, density float64) buffer {
	x := b.empty(name, n)
	if b.err != nil {
		return x
	}
	content := make([]byte, 0, 4*n)
	for range n {
		b.seed++
		z := mix(b.seed)
		value := float32(int64(z>>40)-1<<23) / (1 << 23)
		if float64(z&0xFFFFF)/(1<<20) >= density {
			value = 0
		}
		content = binary.LittleEndian.AppendUint32(content, math.Float32bits(value))
	}
	if err := b.memory.Write(x.address, content); err != nil {
		b.fail(err)
	}
	return x
}

// mix is the output function of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
func mix(counter uint64) uint64 {
	z := counter * 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// values copies the elements to the host.
func (x buffer) values() ([]float32, error) {
	content := make([]byte, 4*x.n)
	if err := x.memory.Read(x.address, content); err != nil {
		return nil, err
	}
	out := make([]float32, x.n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(content[4*i:]))
	}
	return out, nil
}

// launch adds a kernel launch. Arguments are buffers, device addresses (uint64) and 32-bit numbers (int).
func (b *builder) launch(object, kernel string, grid, group []uint32, arguments ...any) {
	if b.err != nil {
		return
	}
	o := b.objects[object]
	if o == nil {
		var err error
		if o, err = codeobject.Open(filepath.Join(b.root, object)); err != nil {
			b.fail(err)
			return
		}
		b.objects[object] = o
	}
	k, err := o.Kernel(kernel)
	if err != nil {
		b.fail(err)
		return
	}
	p, err := b.loader.Load(k)
	if err != nil {
		b.fail(err)
		return
	}
	l, err := emu.NewLaunch(emu.LaunchSpec{Program: p, Kernel: k, Memory: b.memory, Grid: grid, GroupSize: group, Arguments: pack(arguments)})
	if err != nil {
		b.fail(err)
		return
	}
	b.launches = append(b.launches, l)
}

// prepare makes the latest launch one that runs before anything is measured.
func (b *builder) prepare() {
	if last := len(b.launches) - 1; last >= 0 {
		b.preparation, b.launches = append(b.preparation, b.launches[last]), b.launches[:last]
	}
}

// pack lays kernel arguments out in order, naturally aligned.
func pack(arguments []any) (segment []byte) {
	for _, argument := range arguments {
		switch x := argument.(type) {
		case int:
			segment = binary.LittleEndian.AppendUint32(segment, uint32(x))
			continue
		case buffer:
			argument = x.address
		}
		for len(segment)%8 != 0 {
			segment = append(segment, 0)
		}
		segment = binary.LittleEndian.AppendUint64(segment, argument.(uint64))
	}
	return segment
}

func ceil(n, unit int) int       { return (n + unit - 1) / unit }
func roundUp(n, unit int) uint32 { return uint32(ceil(n, unit) * unit) }
