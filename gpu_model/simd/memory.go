package simd

// Memory moves data between lanes and memory. A nil function is one that the level lacks; either all or none are nil.
//
// Lane addresses are base + addr[lane] + offset, where addr[lane] + offset wraps at 32 bits and must be at most last (below 2³¹) and have none of
// the bits of align. The functions return 0, or not 0 with nothing loaded or stored when a lane's address does not comply. addr may be a
// register that is loaded.
type Memory struct {
	// Gather loads one dword a lane into d.
	Gather func(d, addr *uint32, base *byte, offset, last, align uint32) uint64
	// Gather128 loads four dwords a lane into d, d+64, d+128 and d+192.
	Gather128 func(d, addr *uint32, base *byte, offset, last, align uint32) uint64
	// Scatter stores one dword a lane, lanes in ascending order.
	Scatter func(data, addr *uint32, base *byte, offset, last, align uint32) uint64
	// Scatter128 stores four dwords a lane from data, data+64, data+128 and data+192, lanes in ascending order.
	Scatter128 func(data, addr *uint32, base *byte, offset, last, align uint32) uint64
	// Join makes 64-bit addresses of low and high dwords. It returns a bit for every lane whose high dword is aperture or, aperture being even,
	// aperture + 1.
	Join func(addr *uint64, low, high *uint32, aperture uint32) uint64
	// Buffer makes addresses base + (offsets[lane] + offset), the sum in parentheses wrapping at 32 bits. It returns a bit for every lane
	// where that sum exceeds last.
	Buffer func(addr *uint64, offsets *uint32, base uint64, offset, last uint32) uint64
	// Adjacent returns 0 when addr[lane] = addr[0] + lane·step in all lanes.
	Adjacent func(addr *uint64, step uint64) uint64
	// Span finds the least and the greatest address of the lanes in mask, which has at least one, and puts every such lane's distance from
	// the least into offsets; other lanes get that of the first lane in mask.
	Span func(offsets *uint32, addr *uint64, mask uint64) (least, greatest uint64)
}
