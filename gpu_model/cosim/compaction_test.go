package cosim

import (
	"math/rand"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// paper is a timing.Engine on which a test decides when line reads are complete.
type paper struct {
	now   uint64
	reads []paperRead
}

type paperRead struct{ token, start uint64 }

func (p *paper) Read(token uint64, _ int, start uint64, _ []uint64, _ int) {
	p.reads = append(p.reads, paperRead{token, max(start, p.now)})
}
func (p *paper) Now() uint64                     { return p.now }
func (p *paper) Picoseconds(cycle uint64) uint64 { return cycle * 1000 }
func (p *paper) Cycle(picoseconds uint64) uint64 { return (picoseconds + 999) / 1000 }

// TestBuffersAreFinite plays random loads against an engine: an instance never holds more tiles than it has buffers, every tile that
// is demanded arrives, no answer is ready before its lookahead, and prefetched tiles never push out one another.
func TestBuffersAreFinite(t *testing.T) {
	for seed := range int64(30) {
		r := rand.New(rand.NewSource(seed))
		mem := newMemory(t)
		session := NewSession(Machine{Model: "test", ClockHz: 1_000_000_000, ComputeUnits: 4, L2Banks: 1 + r.Intn(3)}, mem, func() uint64 { return 0 })
		parameters := `{"buffers":` + string(rune('1'+r.Intn(3))) + `,"prefetch_depth":` + string(rune('0'+r.Intn(4))) + `}`
		if _, err := session.Attach(SeatOptions{Kind: wire.UnitKind_UNIT_KIND_COMPACTION, Target: "builtin:", ParametersJSON: parameters}); err != nil {
			t.Fatal(err)
		}
		address, err := mem.Allocate(96*96*4, "x")
		if err != nil {
			t.Fatal(err)
		}
		v, err := session.CreateView(&wire.Tensor{Name: "x", Address: address, ElementType: wire.ElementType_ELEMENT_TYPE_F32, Rows: 96, Columns: 96, RowStride: 384,
			ColumnStride: 4, TileRows: 16, TileColumns: 16}, "ellpack_dib", 4096)
		if err != nil {
			t.Fatal(err)
		}
		list := make([]byte, 4*36)
		for i := range 36 {
			list[4*i] = byte(i)
		}
		first := make([]byte, 8)
		first[4] = 36
		if err := session.SetPrefetch([]*wire.Prefetch{{View: v.Id, First: first, Tiles: list}}, 1); err != nil {
			t.Fatal(err)
		}
		if err := session.KernelBegin("kernel"); err != nil {
			t.Fatal(err)
		}
		play(t, r, session, v)
		if err := session.KernelEnd("kernel"); err != nil {
			t.Fatal(err)
		}
		session.Close()
	}
}

func play(t *testing.T, r *rand.Rand, session *Session, v *wire.View) {
	t.Helper()
	engine := &paper{}
	if err := session.Begin(engine); err != nil {
		t.Fatal(err)
	}
	c := session.compaction
	if session.WantsDispatch() {
		if err := session.Dispatched(0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	waiting := map[uint64]bool{}
	for step := range 400 {
		engine.now += uint64(r.Intn(40))
		if step < 300 {
			ready, token, err := session.ViewLine(engine.now, v.Address+uint64(r.Intn(36))*v.SlotBytes)
			switch {
			case err != nil:
				t.Fatal(err)
			case token != 0:
				waiting[token] = true
			case ready < engine.now:
				t.Fatalf("a line is ready at cycle %d, asked for at %d", ready, engine.now)
			}
		}
		var rest []paperRead
		for _, read := range engine.reads {
			if read.start > engine.now || r.Intn(3) == 0 {
				rest = append(rest, read)
				continue
			}
			if err := session.LinesRead(read.token, engine.now); err != nil {
				t.Fatal(err)
			}
		}
		engine.reads = append(rest, engine.reads[len(engine.reads):]...)
		if cycle, outstanding := session.Influence(); outstanding && cycle < engine.now+1 {
			answers, err := session.Wait(engine.now + 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range answers {
				delete(waiting, a.Token)
			}
		}
		for _, i := range c.instances {
			if i.buffers.Len() > c.capacity {
				t.Fatalf("an instance holds %d tiles in %d buffers", i.buffers.Len(), c.capacity)
			}
			unused := 0
			for e := i.buffers.Front(); e != nil; e = e.Next() {
				if e.Value.(*tile).ahead {
					unused++
				}
			}
			if unused != i.unused {
				t.Fatalf("%d prefetched tiles are unused, %d are counted", unused, i.unused)
			}
		}
	}
	for range 1000 {
		if len(waiting) == 0 {
			break
		}
		engine.now += 100
		reads := engine.reads
		engine.reads = nil
		for _, read := range reads {
			if err := session.LinesRead(read.token, max(engine.now, read.start)); err != nil {
				t.Fatal(err)
			}
		}
		answers, err := session.Wait(^uint64(0))
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answers {
			delete(waiting, a.Token)
		}
	}
	if len(waiting) > 0 {
		t.Fatalf("%d demanded tiles never arrive", len(waiting))
	}
	if err := session.End(engine.now); err != nil {
		t.Fatal(err)
	}
}

func TestTargetsThatNothingProtectsAreRefused(t *testing.T) {
	for target, o := range map[string]SeatOptions{
		"tcp://127.0.0.1:1":   {},
		"tcp://192.0.2.1:1":   {InsecureLoopback: true},
		"tcp://127.0.0.1:2":   {TLSCA: []byte("no PEM"), Token: "t"},
		"tcp://127.0.0.1:3":   {TLSCA: []byte("no PEM")},
		"somewhere":           {InsecureLoopback: true},
		"unix:":               {},
		"tcp://example.org:1": {InsecureLoopback: true},
	} {
		o.Target = target
		if _, _, err := o.security(); err == nil {
			t.Errorf("%s is accepted with %+v", target, o)
		}
	}
	for _, target := range []string{"tcp://127.0.0.1:1", "tcp://[::1]:1", "127.0.0.1:1", "localhost:1"} {
		o := SeatOptions{Target: target, InsecureLoopback: true}
		if _, _, err := o.security(); err != nil {
			t.Errorf("%s is refused: %v", target, err)
		}
	}
}

func TestHowBytesAreGatheredDoesNotChangeADigest(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	data := make([]byte, 100_000)
	r.Read(data)
	sum := func(pieces func() int) [16]byte {
		d := newDigest()
		for rest := data; len(rest) > 0; {
			n := min(pieces(), len(rest))
			d.buf = append(d.buf, rest[:n]...)
			d.end()
			if r.Intn(5) == 0 {
				d.flush()
			}
			rest = rest[n:]
		}
		return [16]byte(d.sum())
	}
	want := sum(func() int { return len(data) })
	for range 10 {
		if got := sum(func() int { return 1 + r.Intn(3000) }); got != want {
			t.Fatalf("digest %x, expected %x", got, want)
		}
	}
}
