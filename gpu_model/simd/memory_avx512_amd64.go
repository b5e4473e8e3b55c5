package simd

//go:noescape
func avx512Gather(d, addr *uint32, base *byte, offset, last, align uint32) uint64

//go:noescape
func avx512Gather128(d, addr *uint32, base *byte, offset, last, align uint32) uint64

//go:noescape
func avx512Scatter(data, addr *uint32, base *byte, offset, last, align uint32) uint64

//go:noescape
func avx512Scatter128(data, addr *uint32, base *byte, offset, last, align uint32) uint64

//go:noescape
func avx512Join(addr *uint64, low, high *uint32, aperture uint32) uint64

//go:noescape
func avx512Buffer(addr *uint64, offsets *uint32, base uint64, offset, last uint32) uint64

//go:noescape
func avx512Adjacent(addr *uint64, step uint64) uint64

//go:noescape
func avx512Span(offsets *uint32, addr *uint64, mask uint64) (least, greatest uint64)

var avx512Memory = Memory{Gather: avx512Gather, Gather128: avx512Gather128, Scatter: avx512Scatter, Scatter128: avx512Scatter128,
	Join: avx512Join, Buffer: avx512Buffer, Adjacent: avx512Adjacent, Span: avx512Span}
