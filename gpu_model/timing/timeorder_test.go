package timing

import (
	"math/rand"
	"sort"
	"testing"
)

// TestTimeOrder compares with the library's stable sort, for few and many events, close together and far apart.
func TestTimeOrder(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	var o timeOrder
	for range 2000 {
		n, span := r.Intn(100), int64(1)<<r.Intn(14)
		times := make([]uint64, n)
		want := make([]int32, n)
		begin := uint64(r.Int63n(1 << 40))
		o.reset()
		for i := range times {
			times[i], want[i] = begin+uint64(r.Int63n(span)), int32(i)
			o.add(times[i])
		}
		sort.SliceStable(want, func(i, j int) bool { return times[want[i]] < times[want[j]] })
		for i, x := range o.sorted() {
			if x != want[i] {
				t.Fatalf("times %v: event %d is number %d; expected %d", times, i, x, want[i])
			}
		}
	}
}
