package timing

// set is a set of small numbers; its words are walked in the order of the numbers.
type set []uint64

// newSets makes two empty sets of numbers below n. Together they have cache lines of the host's of their own, since sets of different owners are
// written by different threads.
func newSets(n int) (a, b set) {
	words := (n + 63) / 64
	both := make(set, (2*words+7)/8*8)
	return both[:words:words], both[words : 2*words : 2*words]
}

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
