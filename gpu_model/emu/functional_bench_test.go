package emu

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/codeobject"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/internal/reference"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
)

// processorSeconds returns the processor time that the process has used.
func processorSeconds() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// BenchmarkReference runs the reference case named by SPARTAN_CASE (default: the 64×64-blocked GEMM) on one core and reports wavefront
// instructions per second.
func BenchmarkReference(b *testing.B) {
	dir, ok := reference.Directory()
	if !ok {
		b.Skip("shared/reference is not beside the repository")
	}
	name := os.Getenv("SPARTAN_CASE")
	cases, err := reference.Load(dir)
	if err != nil {
		b.Fatal(err)
	}
	for i := range cases {
		c := &cases[i]
		if c.Name != name {
			continue
		}
		o, err := codeobject.Open(dir + "/" + c.Object)
		if err != nil {
			b.Fatal(err)
		}
		m, err := memory.New(memory.DefaultBytes)
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close()
		address := map[string]uint64{}
		for i := range c.Buffers {
			content, _ := c.Buffers[i].Generate()
			address[c.Buffers[i].Name], _ = m.Allocate(uint64(len(content)), c.Buffers[i].Name)
			if err := m.Write(address[c.Buffers[i].Name], content); err != nil {
				b.Fatal(err)
			}
		}
		k, err := o.Kernel(c.Kernel)
		if err != nil {
			b.Fatal(err)
		}
		p, err := (&Loader{Memory: m}).Load(k)
		if err != nil {
			b.Fatal(err)
		}
		l, err := NewLaunch(LaunchSpec{Program: p, Kernel: k, Memory: m, Grid: c.Grid, GroupSize: c.Workgroup, Arguments: c.Arguments(address)})
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		n, begin := uint64(0), processorSeconds()
		for b.Loop() {
			counts, err := RunFunctional(context.Background(), l, 1)
			if err != nil {
				b.Fatal(err)
			}
			n += counts.Instructions
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Minst/s")
		b.ReportMetric(float64(n)/(processorSeconds()-begin)/1e6, "Minst/cpu-s")
	}
}
