package timing

import "testing"

// TestFetchPathHoldsUp checks where fetches wait when the instruction cache takes none: four in its port, eight in the one before and eight in the
// reorder buffer's; and that what it takes makes room there in the next cycle.
func TestFetchPathHoldsUp(t *testing.T) {
	p := newFetchPath(128)
	for i := range 5 {
		at := uint64(10 + i)
		if room := p.room(at); room < 4 {
			t.Fatalf("cycle %d: expected room for four fetches, got %d", at, room)
		}
		for range 4 {
			p.push(at)
		}
		p.advance(4)
	}
	if p.taken != cacheIn+reorderOut || p.passed != cacheIn || p.room(14) != 0 || p.next(14) != never {
		t.Fatalf("expected 12 fetches taken, 4 at the cache and no room, got %d, %d and %d, the next in cycle %d", p.taken, p.passed, p.room(14), p.next(14))
	}
	const take = 20 // the cache takes four
	for range cacheIn {
		p.enter(take)
	}
	if first := p.advance(4); first != take+1 {
		t.Errorf("expected the reorder buffer to take the next fetch in cycle %d, got %d", take+1, first)
	}
	if before, after := p.room(take), p.room(take+1); before != 0 || after != 4 {
		t.Errorf("expected room for 0 and 4 fetches in cycles %d and %d, got %d and %d", take, take+1, before, after)
	}
	if p.passedAt[pathIndex(4)] != take {
		t.Errorf("expected the fifth fetch in the cache's port in cycle %d, got %d", take, p.passedAt[pathIndex(4)])
	}
}

// TestFetchPathIdle checks that a lone fetch takes the same time whether the path is followed step by step or at once.
func TestFetchPathIdle(t *testing.T) {
	for _, burst := range []int{1, 4, 6} {
		a, b := newFetchPath(128), newFetchPath(128)
		for i := range burst {
			at := a.pass(50, 4)
			a.enter(at + 1)
			a.leave(at + 8)
			b.push(50)
			b.advance(4)
			if want := b.passedAt[pathIndex(i)]; at != want {
				t.Errorf("fetch %d of %d: expected it at the cache in cycle %d, got %d", i, burst, want, at)
			}
			b.enter(b.passedAt[pathIndex(i)] + 1)
			b.leave(b.passedAt[pathIndex(i)] + 8)
		}
	}
}

// TestFetchPathEntries checks that a reorder buffer of few entries takes no fetch before an older one has left it.
func TestFetchPathEntries(t *testing.T) {
	p := newFetchPath(3)
	for range 4 {
		p.push(5)
	}
	p.advance(4)
	if p.taken != 3 {
		t.Fatalf("expected 3 fetches taken, got %d", p.taken)
	}
	p.leave(40)
	if first := p.advance(4); first != 40 {
		t.Errorf("expected the fourth taken in cycle 40, got %d", first)
	}
}
