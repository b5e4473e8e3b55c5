package workload

import (
	"fmt"
	"math"
)

// samples is how many outputs of a workload are compared with float64 arithmetic.
const samples = 500

// compare checks sampled outputs: want returns an output's value and the sum of the magnitudes it was summed from, terms their number.
func compare(y buffer, terms int, want func(i int) (value, magnitude float64)) error {
	got, err := y.values()
	if err != nil {
		return err
	}
	for s := range samples {
		i := int(mix(uint64(s+1)) % uint64(len(got)))
		value, magnitude := want(i)
		if limit := float64(terms+2) * 0x1p-24 * magnitude; !(math.Abs(float64(got[i])-value) <= limit) {
			return fmt.Errorf("output %d is %g; expected %g within %g", i, got[i], value, limit)
		}
	}
	return nil
}

func reluSimple(n int) func(b *builder) (func() error, error) {
	return func(b *builder) (func() error, error) {
		x, y := b.random("x", n, 1), b.empty("y", n)
		b.launch("benchmarks/kernels/relu.hsaco", "relu", []uint32{roundUp(n, 64)}, []uint32{64}, x, y, n)
		return checkReLU(x, y), nil
	}
}

func checkReLU(x, y buffer) func() error {
	return func() error {
		in, err := x.values()
		if err != nil {
			return err
		}
		return compare(y, 0, func(i int) (float64, float64) { return math.Max(float64(in[i]), 0), 0 })
	}
}

func relu(n int) func(b *builder) (func() error, error) {
	return func(b *builder) (func() error, error) {
		x, y := b.random("x", n, 1), b.empty("y", n)
		b.launch("kernels/relu.hsaco", "relu_forward", []uint32{roundUp(ceil(n, 4), 256)}, []uint32{256}, x, y, n)
		return checkReLU(x, y), nil
	}
}

// product returns the element (m, n) of a product and the sum of its terms' magnitudes; at gives the factors of term k.
func product(k int, at func(k int) (a, b float32)) (value, magnitude float64) {
	for t := range k {
		a, b := at(t)
		value += float64(a) * float64(b)
		magnitude += math.Abs(float64(a) * float64(b))
	}
	return value, magnitude
}

// checkProduct checks C[m·ldc + n] against A[k·lda + m] (transposed) or A[m·lda + k], and B[k·ldb + n].
func checkProduct(a, b, c buffer, m, n, k int, transposed bool) func() error {
	return func() error {
		av, err := a.values()
		if err != nil {
			return err
		}
		bv, err := b.values()
		if err != nil {
			return err
		}
		return compare(c, k, func(i int) (float64, float64) {
			return product(k, func(t int) (float32, float32) {
				if transposed {
					return av[t*m+i/n], bv[t*n+i%n]
				}
				return av[i/n*k+t], bv[t*n+i%n]
			})
		})
	}
}

func gemm(n int) func(b *builder) (func() error, error) {
	return func(b *builder) (func() error, error) {
		x, y, z := b.random("a", n*n, 1), b.random("b", n*n, 1), b.empty("c", n*n)
		b.launch("kernels/gemm.hsaco", "gemm_nn", []uint32{uint32(ceil(n, 64) * 64), uint32(ceil(n, 64))}, []uint32{64, 1}, x, y, z, n, n, n, n, n, n)
		return checkProduct(x, y, z, n, n, n, false), nil
	}
}

// launchScalar adds gemm_scalar_32x64 with four wavefronts a work-group along m: C = A·B for A[k·m + i], B[k·n + j], C[i·n + j].
func launchScalar(b *builder, x, y, z buffer, m, n, k int) {
	const waves = 4
	b.launch("kernels/gemm_scalar.hsaco", "gemm_scalar_32x64",
		[]uint32{uint32(ceil(n, 64) * 64 * waves), uint32(ceil(ceil(m, 32), waves)), 1}, []uint32{64 * waves, 1, 1},
		x, y, z, uint64(0), m, n, k, m, n, n, 1, 0, n, k, 0, waves, 0, 0, 0, ceil(ceil(m, 32), waves), k, z)
}

func gemmScalar(n int) func(b *builder) (func() error, error) {
	return func(b *builder) (func() error, error) {
		x, y, z := b.random("a", n*n, 1), b.random("b", n*n, 1), b.empty("c", n*n)
		launchScalar(b, x, y, z, n, n, n)
		return checkProduct(x, y, z, n, n, n, true), nil
	}
}

// tap returns the element of a channels × size × size image that output pixel j of a 3×3 convolution with padding 1 meets at tap i.
func tap(x []float32, size, i, j int) float32 {
	channel, h, w := i/9, j/size+i/3%3-1, j%size+i%3-1
	if h < 0 || h >= size || w < 0 || w >= size {
		return 0
	}
	return x[(channel*size+h)*size+w]
}

// launchIm2col lowers a channels × size × size image for a 3×3 convolution with padding 1.
func launchIm2col(b *builder, x, col buffer, channels, size int) {
	pixels := size * size
	b.launch("kernels/im2col.hsaco", "im2col", []uint32{roundUp(pixels, 256), uint32(channels)}, []uint32{256, 1},
		x, col, pixels, 0, channels, size, size, size, size, 3, 3, 1, 1, 1, 1, 1, 1)
}

func im2col(channels, size int) func(b *builder) (func() error, error) {
	return func(b *builder) (func() error, error) {
		pixels := size * size
		x, col := b.random("x", channels*pixels, 1), b.empty("col", 9*channels*pixels)
		launchIm2col(b, x, col, channels, size)
		return func() error {
			in, err := x.values()
			if err != nil {
				return err
			}
			return compare(col, 0, func(i int) (float64, float64) { return float64(tap(in, size, i/pixels, i%pixels)), 0 })
		}, nil
	}
}

func convolution(channels, size, filters int) func(b *builder) (func() error, error) {
	return func(b *builder) (func() error, error) {
		pixels, taps := size*size, 9*channels
		x, weights := b.random("x", channels*pixels, 1), b.random("weights", taps*filters, 1)
		col, y := b.empty("col", taps*pixels), b.empty("y", filters*pixels)
		launchIm2col(b, x, col, channels, size)
		launchScalar(b, weights, col, y, filters, pixels, taps)
		return func() error {
			in, err := x.values()
			if err != nil {
				return err
			}
			w, err := weights.values()
			if err != nil {
				return err
			}
			return compare(y, taps, func(i int) (float64, float64) {
				return product(taps, func(t int) (float32, float32) { return w[t*filters+i/pixels], tap(in, size, t, i%pixels) })
			})
		}, nil
	}
}

// sparseGEMM multiplies a sparse A (k × m, transposed), converted to ELLPACK-DIB tiles of 32 × 32 (docs/formats.md) before, by a dense B,
// with four wavefronts a work-group along m.
func sparseGEMM(m, n, k int, density float64) func(b *builder) (func() error, error) {
	return func(b *builder) (func() error, error) {
		const waves, tile, slot = 4, 32, 8384
		tiles := ceil(k, tile) * ceil(m, tile)
		x, y, z := b.random("a", k*m, density), b.random("b", k*n, 1), b.empty("c", m*n)
		view := b.empty("tiles", tiles*slot/4)
		b.launch("kernels/ellpack.hsaco", "dense_to_ellpack_dib", []uint32{uint32(64 * tiles)}, []uint32{64},
			x, view, k, m, m, 1, tile, tile, ceil(m, tile), slot)
		b.prepare()
		b.launch("kernels/sparse_gemm_idx.hsaco", "sparse_gemm_32x128",
			[]uint32{uint32(ceil(n, 128) * 64 * waves), uint32(ceil(ceil(m, 32), waves)), 1}, []uint32{64 * waves, 1, 1},
			view, y, z, uint64(0), uint64(0), uint64(0), m, n, k, n, m, n, 1, 0, m, k, 0, slot, waves, 0, 0)
		return checkProduct(x, y, z, m, n, k, true), nil
	}
}

func fir(n, count int) func(b *builder) (func() error, error) {
	return func(b *builder) (func() error, error) {
		x, taps, y := b.random("x", n+count-1, 1), b.random("taps", count, 1), b.empty("y", n)
		b.launch("benchmarks/kernels/fir.hsaco", "fir", []uint32{roundUp(n, 256)}, []uint32{256}, x, taps, y, n, count)
		return func() error {
			in, err := x.values()
			if err != nil {
				return err
			}
			w, err := taps.values()
			if err != nil {
				return err
			}
			return compare(y, count, func(i int) (float64, float64) {
				return product(count, func(t int) (float32, float32) { return w[t], in[i+t] })
			})
		}, nil
	}
}

func softmax(rows, columns int) func(b *builder) (func() error, error) {
	return func(b *builder) (func() error, error) {
		x, y := b.random("x", rows*columns, 1), b.empty("y", rows*columns)
		b.launch("benchmarks/kernels/softmax.hsaco", "softmax", []uint32{uint32(256 * rows)}, []uint32{256}, x, y, columns)
		return func() error {
			in, err := x.values()
			if err != nil {
				return err
			}
			sums := make([]float64, rows)
			for i, v := range in {
				sums[i/columns] += math.Exp(float64(v))
			}
			return compare(y, 64, func(i int) (float64, float64) {
				want := math.Exp(float64(in[i])) / sums[i/columns]
				return want, want
			})
		}, nil
	}
}
