package timing

// set is a set of small numbers; its words are walked in the order of the numbers.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) add(i int)    { s[uint(i)/64] |= 1 << (uint(i) % 64) }
func (s set) remove(i int) { s[uint(i)/64] &^= 1 << (uint(i) % 64) }

func (s set) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}
