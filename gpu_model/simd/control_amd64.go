package simd

// Control returns the aux of float operations for a MODE register (its bits 0 and 1 the rounding, 4 and 5 zero where denormal sources and results
// are flushed), and whether the level can do it.
func Control(mode uint32) (aux uint64, ok bool) { return uint64(mxcsr[mode&0x3F]), true }

// mxcsr is the control register for every value of MODE's low six bits: exceptions masked, rounding, flush to zero, denormals are zeros.
var mxcsr = func() (table [64]uint32) {
	rounding := [4]uint32{0, 2, 1, 3} // nearest, up, down, towards zero
	for mode := range table {
		table[mode] = 0x1F80 | rounding[mode&3]<<13
		if mode>>4&1 == 0 {
			table[mode] |= 1 << 6
		}
		if mode>>5&1 == 0 {
			table[mode] |= 1 << 15
		}
	}
	return table
}()
