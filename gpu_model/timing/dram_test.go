package timing

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
)

func hbm(t *testing.T) gpuconfig.Spec {
	t.Helper()
	s, err := gpuconfig.Preset("r9nano-hbm")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lineOf returns a line of a controller's channel 0 by bank, row and column.
func lineOf(c *controller, d *gpuconfig.DRAM, bank, row, column int) uint64 {
	number := uint64(row*d.Banks + bank)
	return (number<<c.rowShift | uint64(column)) << c.channelShift
}

// TestRowLatencies compares single accesses to a closed row, an open row and a row behind another with the arithmetic of random
// parameters.
func TestRowLatencies(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		s := hbm(t)
		d := &s.DRAM
		d.REFI = 0
		d.RCD, d.RP, d.CL, d.Overhead, d.RAS = 1+random.IntN(50), 1+random.IntN(50), 1+random.IntN(50), random.IntN(100), 1+random.IntN(200)
		d.RAS = max(d.RAS, d.RCD)
		d.BytesPerCycle = float64(int(32) << random.IntN(6)) // 1 to 32 bytes a cycle and channel
		transfer := int(math.Ceil(lineBytes * float64(d.Channels) / d.BytesPerCycle))
		c := newController(d, s.L2.Banks)
		bank, row := random.IntN(d.Banks), random.IntN(1000)
		at := uint64(10_000)
		check := func(what string, column, row, want int) {
			t.Helper()
			if got := c.read(at, lineOf(&c, d, bank, row, column)) - at; got != uint64(want) {
				t.Fatalf("%s: expected %d cycles, got %d with %+v", what, want, got, *d)
			}
			at += 10_000
		}
		check("closed row", 0, row, d.Overhead+d.RCD+d.CL+transfer)
		check("open row", 1+random.IntN(30), row, d.Overhead+d.CL+transfer)
		check("another row open", 0, row+1, d.Overhead+d.RP+d.RCD+d.CL+transfer)
		if k := c.counters; k.RowHits != 1 || k.RowMisses != 1 || k.RowConflicts != 1 {
			t.Fatalf("expected a hit, a miss and a conflict, got %+v", k)
		}
	}
}

// TestRowCycle checks that accesses to ever other rows of one bank come every max(tRAS, tRCD + transfer) + tRP cycles.
func TestRowCycle(t *testing.T) {
	s := hbm(t)
	d := &s.DRAM
	d.REFI = 0
	c := newController(d, s.L2.Banks)
	transfer := lineBytes * d.Channels / int(d.BytesPerCycle)
	want := uint64(max(d.RAS, d.RCD+transfer) + d.RP)
	last := c.read(0, lineOf(&c, d, 3, 0, 0))
	for row := 1; row < 50; row++ {
		now := c.read(0, lineOf(&c, d, 3, row, 0))
		if now-last != want {
			t.Fatalf("row %d: expected %d cycles after the one before, got %d", row, want, now-last)
		}
		last = now
	}
	// Rows of different banks overlap: only the bus and the first activation count.
	c = newController(d, s.L2.Banks)
	for bank := range d.Banks {
		last = c.read(0, lineOf(&c, d, bank, 0, 0))
	}
	if want := uint64(d.Overhead + d.RCD + d.CL + d.Banks*transfer); last != want {
		t.Errorf("%d rows of as many banks: expected the last after %d cycles, got %d", d.Banks, want, last)
	}
}

// TestRefresh checks that an access meets a refresh as a closed row behind tRFC.
func TestRefresh(t *testing.T) {
	s := hbm(t)
	d := &s.DRAM
	c := newController(d, s.L2.Banks)
	transfer := lineBytes * d.Channels / int(d.BytesPerCycle)
	first := lineOf(&c, d, 0, 0, 0)
	c.read(100, first)
	due := uint64(d.REFI)
	at := due - uint64(d.Overhead/2) // its command comes to the channel when the refresh is due
	want := due + uint64(d.RP+d.RFC+d.RCD+d.CL+transfer+(d.Overhead+1)/2)
	if got := c.read(at, first); got != want {
		t.Errorf("expected the data at cycle %d, got %d", want, got)
	}
	// Long idle: the refreshes in between are over, the row is closed.
	at = 1000*due + due/2
	if got, want := c.read(at, first), at+uint64(d.Overhead+d.RCD+d.CL+transfer); got != want {
		t.Errorf("after idling: expected the data at cycle %d, got %d", want, got)
	}
	if c.counters.Refreshes != 1000 {
		t.Errorf("expected 1000 refreshes, got %d", c.counters.Refreshes)
	}
}

// TestStreamingBandwidth checks that all controllers together stream at the configured rate, less what refreshes take, and that a
// thinner stream is not slowed down.
func TestStreamingBandwidth(t *testing.T) {
	for _, rate := range []float64{64, 256, 512} {
		s := hbm(t)
		d := &s.DRAM
		d.BytesPerCycle = rate
		c := newController(d, s.L2.Banks)
		lines := 200_000
		const outstanding = 128
		var done [outstanding]uint64
		last := uint64(0)
		for i := range lines {
			done[i%outstanding] = c.read(done[i%outstanding], uint64(i))
			last = max(last, done[i%outstanding])
		}
		// Per refresh interval: the rows are closed, refreshed, and opened again.
		lost := float64(d.RP+d.RFC+d.RCD) / float64(d.REFI)
		want := rate / float64(s.L2.Banks) * (1 - lost)
		if got := float64(lines*lineBytes) / float64(last); math.Abs(got/want-1) > 0.01 {
			t.Errorf("%v bytes a cycle: expected %.2f a controller, got %.2f", rate, want, got)
		}
		if k := c.counters; k.RowHits < 9*uint64(lines)/10 {
			t.Errorf("expected a stream to hit open rows, got %+v", k)
		}
	}
}

// TestWriteRecovery checks that a row stays open for tWR after a write's data.
func TestWriteRecovery(t *testing.T) {
	s := hbm(t)
	d := &s.DRAM
	d.REFI, d.RAS, d.WR = 0, d.RCD, 100
	c := newController(d, s.L2.Banks)
	transfer := lineBytes * d.Channels / int(d.BytesPerCycle)
	c.write(0, lineOf(&c, d, 0, 0, 0))
	want := uint64(d.Overhead + d.RCD + d.CL + transfer + d.WR + d.RP + d.RCD + d.CL + transfer)
	if got := c.read(0, lineOf(&c, d, 0, 1, 0)); got != want {
		t.Errorf("read behind a write to another row: expected cycle %d, got %d", want, got)
	}
}

// TestLink checks a link's arithmetic: messages in order queue exactly, and no interval carries more than its width.
func TestLink(t *testing.T) {
	l := newLink(16, 5)
	for i := range 40 {
		if got, want := l.pass(800, 64), uint64(800+4*(i+1)+5); got != want {
			t.Fatalf("message %d at once: expected cycle %d, got %d", i, want, got)
		}
	}
	if got := l.pass(2000, 16); got != 2006 {
		t.Errorf("a short message on an idle link: expected cycle 2006, got %d", got)
	}
	if u := newLink(0, 7); u.pass(100, 1<<20) != 107 {
		t.Error("expected an unlimited link to add its latency alone")
	}
	random := rand.New(rand.NewPCG(3, 4))
	for _, width := range []float64{1, 7.5, 64} {
		l = newLink(width, 0)
		const messages = 4000
		last := uint64(0)
		for i := range messages { // twice what the link carries, a little out of order
			at := uint64(float64(i)*64/width/2) + random.Uint64N(300)
			now := l.pass(at, 64)
			if now < at+uint64(64/width) {
				t.Fatalf("a message at cycle %d was through at %d", at, now)
			}
			last = max(last, now)
		}
		want := messages * 64 / width
		if got := float64(last); got < 0.99*want || got > 1.02*want+300 {
			t.Errorf("%v bytes a cycle: expected the last of %d messages near cycle %.0f, got %.0f", width, messages, want, got)
		}
	}
	// A message that is timed far ahead does not hold up those before it.
	l = newLink(64, 0)
	l.pass(5000, 64)
	if got := l.pass(100, 64); got != 101 {
		t.Errorf("before a message far ahead: expected cycle 101, got %d", got)
	}
}
