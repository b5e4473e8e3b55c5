package cosim

import (
	"encoding/binary"
	"math/bits"
	"sync"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// pendingBatch gathers events of one kind until they are sent.
type pendingBatch struct {
	what  pendingKind
	first uint64
	count int
	time  []byte
	store *storeColumns // with its own column of times
	marks *wire.MarkColumns
	tiles tileColumns
}

type pendingKind uint8

const (
	pendingNothing pendingKind = iota
	pendingStores
	pendingMarks
	pendingTiles
	pendingAhead     // tiles asked ahead of time
	pendingConfirmed // tiles whose answers, asked ahead of time, take effect
)

// storeColumns holds the columns of stores, with room for a batch. Columns are filled by index, and come back to the pool when
// their message has been encoded: neither costs the collector anything.
type storeColumns struct{ time, tensor, address, mask, old, new []byte }

// columnsPool keeps columns by the number of events that they have room for.
var columnsPool [17]sync.Pool

// newStoreColumns returns columns for n events or more, n at most maxBatchEvents.
func newStoreColumns(n int) *storeColumns {
	class := bits.Len(uint(n - 1))
	if c, ok := columnsPool[class].Get().(*storeColumns); ok {
		return c
	}
	n = 1 << class
	return &storeColumns{make([]byte, 8*n), make([]byte, 4*n), make([]byte, 8*n), make([]byte, 8*n), make([]byte, memory.LineBytes*n), make([]byte, memory.LineBytes*n)}
}

func (c *storeColumns) release() {
	columnsPool[bits.Len(uint(len(c.tensor)/4-1))].Put(c)
}

type tileColumns struct{ view, tile, rows, columns, dense, encoded []byte }

// begin makes room for one more event of a kind.
func (s *Seat) begin(now uint64, what pendingKind) error {
	if s.failed != nil {
		return s.failed
	}
	p := &s.pending
	if p.count > 0 && (p.what != what || p.count >= s.Options.MaxBatch || len(p.tiles.dense) >= maxBatchBytes) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if p.count == 0 {
		p.what, p.first = what, s.sequence
		if what == pendingStores {
			p.store = newStoreColumns(s.Options.MaxBatch)
		}
	}
	p.count++
	s.sequence++
	if what != pendingStores {
		p.time = binary.LittleEndian.AppendUint64(p.time, now)
	}
	return nil
}

// store posts a line written into a tensor.
func (s *Seat) store(now uint64, tensor uint32, line, mask uint64, before, after *[memory.LineBytes]byte) error {
	s.trace.store(now, tensor, line, mask, after)
	if !s.wants[wire.EventKind_EVENT_KIND_STORE] {
		return nil
	}
	if err := s.begin(now, pendingStores); err != nil {
		return err
	}
	c, i := s.pending.store, s.pending.count-1
	binary.LittleEndian.PutUint64(c.time[8*i:], now)
	binary.LittleEndian.PutUint32(c.tensor[4*i:], tensor)
	binary.LittleEndian.PutUint64(c.address[8*i:], line)
	binary.LittleEndian.PutUint64(c.mask[8*i:], mask)
	*(*[memory.LineBytes]byte)(c.old[memory.LineBytes*i:]) = *before
	*(*[memory.LineBytes]byte)(c.new[memory.LineBytes*i:]) = *after
	s.Posted++
	return nil
}

// mark posts a kernel or layer boundary.
func (s *Seat) mark(now uint64, kind wire.MarkKind, label string) error {
	s.trace.event(wire.EventKind_EVENT_KIND_MARK, now, []byte(label), uint64(kind))
	if !s.wants[wire.EventKind_EVENT_KIND_MARK] {
		return nil
	}
	if err := s.begin(now, pendingMarks); err != nil {
		return err
	}
	if s.pending.marks == nil {
		s.pending.marks = &wire.MarkColumns{}
	}
	c := s.pending.marks
	c.Kind = binary.LittleEndian.AppendUint32(c.Kind, uint32(kind))
	c.Label = append(c.Label, label)
	s.Posted++
	return nil
}

// tileEvent is one event about a tile of a view.
type tileEvent struct {
	now, tile     uint64
	view          uint32
	rows, columns uint32
}

// tile adds an event about a tile and returns its sequence number.
func (s *Seat) tile(what pendingKind, e tileEvent) (uint64, error) {
	if err := s.begin(e.now, what); err != nil {
		return 0, err
	}
	c := &s.pending.tiles
	c.view = binary.LittleEndian.AppendUint32(c.view, e.view)
	c.tile = binary.LittleEndian.AppendUint64(c.tile, e.tile)
	c.rows = binary.LittleEndian.AppendUint32(c.rows, e.rows)
	c.columns = binary.LittleEndian.AppendUint32(c.columns, e.columns)
	if what == pendingConfirmed {
		s.Posted++
	} else {
		s.Requests++
	}
	return s.sequence - 1, nil
}

// requestTile asks for a tile with the elements dense, and returns the request's sequence number.
func (s *Seat) requestTile(what pendingKind, e tileEvent, dense []byte) (uint64, error) {
	if p := &s.pending; p.what == what && p.count > 0 && len(p.tiles.dense) != p.count*len(dense) { // tiles of a batch have one size
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	sequence, err := s.tile(what, e)
	s.pending.tiles.dense = append(s.pending.tiles.dense, dense...)
	return sequence, err
}

// confirmTile tells that an answer asked for ahead of time takes effect.
func (s *Seat) confirmTile(e tileEvent, size int) error {
	_, err := s.tile(pendingConfirmed, e)
	s.pending.tiles.encoded = binary.LittleEndian.AppendUint32(s.pending.tiles.encoded, uint32(size))
	return err
}

// single sends a request of which there is one a batch, and returns its sequence number.
func (s *Seat) single(now uint64, kind wire.EventKind, batch *wire.EventBatch) (uint64, error) {
	if err := s.flush(); err != nil {
		return 0, err
	}
	batch.FirstSequence, batch.Count = s.sequence, 1
	batch.TimePs = binary.LittleEndian.AppendUint64(nil, now)
	s.sequence++
	s.Requests++
	return batch.FirstSequence, s.sendBatch(kind, batch, true, nil)
}

// flush sends the events gathered so far.
func (s *Seat) flush() error {
	if s.pending.count == 0 || s.failed != nil {
		return s.failed
	}
	p := s.pending
	s.pending = pendingBatch{}
	batch := &wire.EventBatch{FirstSequence: p.first, Count: uint32(p.count), TimePs: p.time}
	kind, awaitsReply := wire.EventKind_EVENT_KIND_COMPACT_TILE, false
	var release func()
	switch p.what {
	case pendingStores:
		kind = wire.EventKind_EVENT_KIND_STORE
		n, c := p.count, p.store
		batch.TimePs = c.time[:8*n]
		batch.Columns = &wire.EventBatch_Store{Store: &wire.StoreColumns{Tensor: c.tensor[:4*n], Address: c.address[:8*n], Mask: c.mask[:8*n],
			Old: inline(c.old[:memory.LineBytes*n]), New: inline(c.new[:memory.LineBytes*n])}}
		release = c.release
	case pendingMarks:
		kind = wire.EventKind_EVENT_KIND_MARK
		batch.Columns = &wire.EventBatch_Mark{Mark: p.marks}
	default:
		awaitsReply = p.what != pendingConfirmed
		batch.Columns = &wire.EventBatch_CompactTile{CompactTile: &wire.CompactTileColumns{View: p.tiles.view, Tile: p.tiles.tile, Rows: p.tiles.rows,
			Columns: p.tiles.columns, Dense: inline(p.tiles.dense), Speculative: p.what == pendingAhead, Confirmed: p.what == pendingConfirmed,
			EncodedBytes: p.tiles.encoded}}
	}
	return s.sendBatch(kind, batch, awaitsReply, release)
}

func inline(data []byte) *wire.Payload {
	return &wire.Payload{Where: &wire.Payload_Inline{Inline: data}}
}
