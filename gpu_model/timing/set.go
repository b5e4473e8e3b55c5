package timing

// set is a set of small numbers; its words are walked in the order of the numbers.
type set []uint64

// newSet makes an empty set of numbers below n. It has cache lines of the host's of its own, since sets are written by different threads.
func newSet(n int) set { return make(set, (n+63)/64, (n+511)/512*8) }

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
