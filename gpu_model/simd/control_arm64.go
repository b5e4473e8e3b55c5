package simd

// Control returns the aux of float operations for a MODE register (its bits 0 and 1 the rounding, 4 and 5 zero where denormal sources and results
// are flushed), and whether the level can do it: NEON functions round to nearest only. The aux has the bits that flushing leaves of a source.
func Control(mode uint32) (aux uint64, ok bool) {
	if mode>>4&1 == 0 {
		return 1 << 31, mode&3 == 0
	}
	return 1<<32 - 1, mode&3 == 0
}
