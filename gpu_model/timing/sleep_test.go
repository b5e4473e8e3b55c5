package timing

import (
	"math/rand"
	"testing"
)

// TestTicks compares the count of marked cycles with that of a plain list, over gaps longer than the ring reaches.
func TestTicks(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	const cycles = 60000
	var k ticks
	awake := make([]bool, cycles+1024)
	counted, want := uint64(0), uint64(0)
	for now := uint64(0); now < cycles; {
		at, n := now+uint64(random.Intn(300)), 1+uint64(random.Intn(150))
		k.markFrom(now, at, n)
		for i := at; i < at+n; i++ {
			awake[i] = true
		}
		if random.Intn(3) == 0 {
			k.count(now)
			for ; counted < now; counted++ {
				if awake[counted] {
					want++
				}
			}
			if k.n != want {
				t.Fatalf("cycle %d: expected %d cycles awake, got %d", now, want, k.n)
			}
		}
		if now += uint64(random.Intn(200)); random.Intn(20) == 0 {
			now += 10000
		}
	}
}

// TestDecodeQueue checks that a queue takes four instructions, and another one in the cycle in which the first of them leaves.
func TestDecodeQueue(t *testing.T) {
	var q decodeQueue
	leave := []uint64{9, 5, 13, 6}
	for i, at := range leave {
		if q.free() > 1 {
			t.Fatalf("expected room for instruction %d, got none until cycle %d", i, q.free())
		}
		q.enter(at)
	}
	for _, want := range []uint64{5, 6, 9, 13} {
		if q.free() != want {
			t.Fatalf("expected room from cycle %d on, got %d", want, q.free())
		}
		q.enter(100)
	}
}
