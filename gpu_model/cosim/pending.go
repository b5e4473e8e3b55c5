package cosim

import (
	"encoding/binary"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// pendingBatch gathers events of one kind until they are sent.
type pendingBatch struct {
	first uint64
	count int
	time  []byte
	store *storeColumns
	marks *wire.MarkColumns
	tiles *tileColumns
}

type storeColumns struct{ tensor, address, mask, old, new []byte }

type tileColumns struct{ view, tile, rows, columns, dense []byte }

// begin makes room for one more event of a kind; same tells whether the batch under way is of that kind.
func (s *Seat) begin(now uint64, same bool) error {
	if s.failed != nil {
		return s.failed
	}
	if s.pending.count > 0 && (!same || s.pending.count >= s.Options.MaxBatch) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	p := &s.pending
	if p.count == 0 {
		p.first = s.sequence
	}
	p.count++
	p.time = binary.LittleEndian.AppendUint64(p.time, now)
	s.sequence++
	return nil
}

// store posts a line written into a tensor.
func (s *Seat) store(now uint64, tensor uint32, line, mask uint64, before, after *[memory.LineBytes]byte) error {
	if err := s.begin(now, s.pending.store != nil); err != nil {
		return err
	}
	if s.pending.store == nil {
		s.pending.store = &storeColumns{}
	}
	c := s.pending.store
	c.tensor = binary.LittleEndian.AppendUint32(c.tensor, tensor)
	c.address = binary.LittleEndian.AppendUint64(c.address, line)
	c.mask = binary.LittleEndian.AppendUint64(c.mask, mask)
	c.old = append(c.old, before[:]...)
	c.new = append(c.new, after[:]...)
	s.Posted++
	s.trace.record(s.trace.events, []uint64{uint64(wire.EventKind_EVENT_KIND_STORE), now, uint64(tensor), line, mask}, before[:], after[:])
	return nil
}

// mark posts a kernel or layer boundary.
func (s *Seat) mark(now uint64, kind wire.MarkKind, label string) error {
	if !s.wants[wire.EventKind_EVENT_KIND_MARK] {
		return nil
	}
	if err := s.begin(now, s.pending.marks != nil); err != nil {
		return err
	}
	if s.pending.marks == nil {
		s.pending.marks = &wire.MarkColumns{}
	}
	c := s.pending.marks
	c.Kind = binary.LittleEndian.AppendUint32(c.Kind, uint32(kind))
	c.Label = append(c.Label, label)
	s.Posted++
	s.trace.record(s.trace.events, []uint64{uint64(wire.EventKind_EVENT_KIND_MARK), now, uint64(kind)}, []byte(label))
	return nil
}

// compactTile requests a tile and returns the request's sequence number.
func (s *Seat) compactTile(now uint64, view uint32, tile uint64, rows, columns uint32, dense []byte) (uint64, error) {
	if err := s.begin(now, s.pending.tiles != nil); err != nil {
		return 0, err
	}
	if s.pending.tiles == nil {
		s.pending.tiles = &tileColumns{}
	}
	c := s.pending.tiles
	c.view = binary.LittleEndian.AppendUint32(c.view, view)
	c.tile = binary.LittleEndian.AppendUint64(c.tile, tile)
	c.rows = binary.LittleEndian.AppendUint32(c.rows, rows)
	c.columns = binary.LittleEndian.AppendUint32(c.columns, columns)
	c.dense = append(c.dense, dense...)
	s.Requests++
	s.trace.record(s.trace.events, []uint64{uint64(wire.EventKind_EVENT_KIND_COMPACT_TILE), now, uint64(view), tile, uint64(rows), uint64(columns)}, dense)
	return s.sequence - 1, nil
}

// request sends a request of which there is one a batch, and returns its sequence number.
func (s *Seat) request(now uint64, kind wire.EventKind, batch *wire.EventBatch, fields []byte) (uint64, error) {
	if err := s.flush(); err != nil {
		return 0, err
	}
	batch.FirstSequence, batch.Count = s.sequence, 1
	batch.TimePs = binary.LittleEndian.AppendUint64(nil, now)
	s.sequence++
	s.Requests++
	s.trace.record(s.trace.events, []uint64{uint64(kind), now}, fields)
	return batch.FirstSequence, s.sendBatch(batch)
}

// flush sends the events gathered so far.
func (s *Seat) flush() error {
	p := s.pending
	if p.count == 0 || s.failed != nil {
		return s.failed
	}
	s.pending = pendingBatch{}
	batch := &wire.EventBatch{FirstSequence: p.first, Count: uint32(p.count), TimePs: p.time}
	switch {
	case p.store != nil:
		batch.Columns = &wire.EventBatch_Store{Store: &wire.StoreColumns{Tensor: p.store.tensor, Address: p.store.address, Mask: p.store.mask,
			Old: inline(p.store.old), New: inline(p.store.new)}}
	case p.marks != nil:
		batch.Columns = &wire.EventBatch_Mark{Mark: p.marks}
	case p.tiles != nil:
		batch.Columns = &wire.EventBatch_CompactTile{CompactTile: &wire.CompactTileColumns{View: p.tiles.view, Tile: p.tiles.tile, Rows: p.tiles.rows,
			Columns: p.tiles.columns, Dense: inline(p.tiles.dense)}}
	}
	return s.sendBatch(batch)
}

func inline(data []byte) *wire.Payload {
	return &wire.Payload{Where: &wire.Payload_Inline{Inline: data}}
}
