package emu

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand"
	"path/filepath"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// sample is a kernel of codeobject/testdata on a device of its own.
type sample struct {
	t      *testing.T
	memory *memory.Memory
	kernel *codeobject.Kernel
	loader Loader
}

// samples runs f on every sample object: versions 2 to 6, linked and relocatable, of three compilers.
func samples(t *testing.T, kernel string, f func(s *sample)) {
	names, err := filepath.Glob("../codeobject/testdata/sample_clang*")
	if err != nil || len(names) != 22 {
		t.Fatalf("expected 22 sample objects, got %d (%v)", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			o, err := codeobject.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			k, err := o.Kernel(kernel)
			if err != nil {
				t.Fatal(err)
			}
			m := testMemory(t)
			f(&sample{t: t, memory: m, kernel: k, loader: Loader{Memory: m}})
		})
	}
}

// buffer allocates words on the device.
func (s *sample) buffer(words []uint32) uint64 {
	s.t.Helper()
	b := make([]byte, 0, 4*len(words))
	for _, x := range words {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	a, err := s.memory.Allocate(uint64(len(b)), "buffer")
	if err == nil {
		err = s.memory.Write(a, b)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *sample) words(address uint64, n int) []uint32 {
	s.t.Helper()
	b := make([]byte, 4*n)
	if err := s.memory.Read(address, b); err != nil {
		s.t.Fatal(err)
	}
	words := make([]uint32, n)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return words
}

func (s *sample) launch(spec LaunchSpec) {
	s.t.Helper()
	p, err := s.loader.Load(s.kernel)
	if err != nil {
		s.t.Fatal(err)
	}
	spec.Kernel, spec.Program, spec.Memory = s.kernel, p, s.memory
	l, err := NewLaunch(spec)
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	if _, err := RunFunctional(context.Background(), l, 2); err != nil {
		s.t.Fatal(err)
	}
}

func floats(x []float32) []uint32 {
	words := make([]uint32, len(x))
	for i, f := range x {
		words[i] = math.Float32bits(f)
	}
	return words
}

// TestConstantTable: add reads a __constant table of its object, under a global offset and with a partial work-group.
func TestConstantTable(t *testing.T) {
	samples(t, "add", func(s *sample) {
		r := rand.New(rand.NewSource(1))
		const n, offset = 1000, 100
		a, b, want := make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range a {
			a[i], b[i] = float32(r.Intn(1000)), float32(r.Intn(1000))
			want[i] = a[i]
			if i >= offset {
				want[i] += b[i]*0.5 + float32(i&7+1)
			}
		}
		da, db := s.buffer(floats(a)), s.buffer(floats(b))
		arguments := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, da), db)
		arguments = binary.LittleEndian.AppendUint32(arguments, n)
		arguments = binary.LittleEndian.AppendUint32(arguments, math.Float32bits(0.5))
		s.launch(LaunchSpec{Grid: []uint32{950}, GroupSize: []uint32{128}, GlobalOffset: []uint64{offset}, Arguments: arguments})
		for i, x := range s.words(da, n) {
			if got := math.Float32frombits(x); got != want[i] {
				s.t.Fatalf("a[%d]: expected %v, got %v", i, want[i], got)
			}
		}
	})
}

// TestFunctionCall: call calls a function and exchanges values through static and dynamic local memory in a two-dimensional grid.
func TestFunctionCall(t *testing.T) {
	samples(t, "call", func(s *sample) {
		const width, height = 48, 8
		a, want := make([]float32, width*height), make([]float32, width*height)
		for i := range a {
			a[i] = float32(i)
		}
		// Work-groups overwrite what others read at their start: all but the first 64 elements are read by none.
		copy(want, a)
		const scale = 3
		for y := range height {
			for x := range width {
				i := x%16 + 16*(y%4)
				f := func(i int) float32 { return float32(i)*scale + 1 }
				want[x+y*width] = f(63-i) + f(i^1)
			}
		}
		da, db := s.buffer(floats(a)), s.buffer(floats([]float32{scale}))
		arguments := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, da), db)
		arguments = binary.LittleEndian.AppendUint32(arguments, 256) // tmp, behind the static 256 bytes
		// One work-group a launch, so that each reads the first elements unchanged: later ones are offset in the grid.
		s.launch(LaunchSpec{Grid: []uint32{16, 4}, GroupSize: []uint32{16, 4}, Arguments: arguments, DynamicLDS: 256})
		got := s.words(da, 64)
		for i, x := range got {
			y, x2 := i/16, i%16
			if f := math.Float32frombits(x); f != want[x2+y*width] {
				s.t.Fatalf("a[%d]: expected %v, got %v", i, want[x2+y*width], f)
			}
		}
	})
}

// TestPrivateMemory: spill keeps an array of 64 integers a work-item in private memory.
func TestPrivateMemory(t *testing.T) {
	samples(t, "spill", func(s *sample) {
		const n, items = 300, 1000
		r := rand.New(rand.NewSource(2))
		a := make([]uint32, 64+items)
		for i := range a {
			a[i] = r.Uint32()
		}
		v := append([]uint32(nil), a[:64]...)
		for i := range uint32(n) {
			if i < 64 {
				v[a[i]&63] += i
			}
		}
		sum := uint32(0)
		for i := range uint32(64) {
			sum ^= v[i] * i
		}
		da := s.buffer(a)
		arguments := binary.LittleEndian.AppendUint64(nil, da)
		arguments = binary.LittleEndian.AppendUint32(arguments, 64)
		s.launch(LaunchSpec{Grid: []uint32{items}, GroupSize: []uint32{192}, Arguments: arguments})
		want := sum + (items+191)/192*1000 + 1
		for i, got := range s.words(da+256, items) {
			if got != want {
				s.t.Fatalf("work-item %d: expected %d, got %d", i, want, got)
			}
		}
	})
}

// TestGeometry: every work-item reports its place, through the dispatch packet up to version 4 and the implicit arguments from version 5
// on, in grids of 1 to 3 dimensions, with global offsets and partial work-groups.
func TestGeometry(t *testing.T) {
	grids := []struct {
		grid, group []uint32
		offset      []uint64
	}{
		{[]uint32{100}, []uint32{64}, nil},
		{[]uint32{64}, []uint32{64}, []uint64{1 << 20}},
		{[]uint32{1}, []uint32{1}, nil},
		{[]uint32{21, 7}, []uint32{8, 4}, []uint64{3, 5}},
		{[]uint32{5, 9, 7}, []uint32{2, 4, 3}, []uint64{10, 200, 3000}},
		{[]uint32{8, 4, 4}, []uint32{4, 4, 4}, nil},
	}
	samples(t, "geometry", func(s *sample) {
		for _, g := range grids {
			full := func(x []uint32) [3]uint64 {
				out := [3]uint64{1, 1, 1}
				for d := range x {
					out[d] = uint64(x[d])
				}
				return out
			}
			grid, group := full(g.grid), full(g.group)
			var offset [3]uint64
			copy(offset[:], g.offset)
			items := grid[0] * grid[1] * grid[2]
			out := s.buffer(make([]uint32, 50*items))
			s.launch(LaunchSpec{Grid: g.grid, GroupSize: g.group, GlobalOffset: g.offset, Arguments: binary.LittleEndian.AppendUint64(nil, out)})
			got := s.words(out, int(50*items))
			for item := range items {
				p := [3]uint64{item % grid[0], item / grid[0] % grid[1], item / grid[0] / grid[1]}
				var want [25]uint64
				for d := range 3 {
					id := p[d] / group[d]
					want[d], want[3+d], want[6+d] = offset[d]+p[d], p[d]%group[d], id
					want[9+d], want[12+d] = grid[d], min(group[d], grid[d]-id*group[d])
					want[15+d], want[18+d], want[21+d] = (grid[d]+group[d]-1)/group[d], offset[d], group[d]
				}
				want[24] = uint64(len(g.grid))
				for i, x := range want {
					at := 50*item + 2*uint64(i)
					if y := uint64(got[at]) | uint64(got[at+1])<<32; y != x {
						s.t.Fatalf("grid %v of %v, offset %v, work-item %v: value %d: expected %d, got %d", g.grid, g.group, g.offset, p, i, x, y)
					}
				}
			}
		}
	})
}
