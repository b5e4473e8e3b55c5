package cosim

import (
	"encoding/binary"
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// eventCursor walks over the events of a batch.
type eventCursor struct {
	batch   *wire.EventBatch
	columns []column
	index   int
}

// column is one field of a batch: width bytes an event.
type column struct {
	name  string
	data  []byte
	width int
}

func newEventCursor(batch *wire.EventBatch) eventCursor {
	c := eventCursor{batch: batch, columns: []column{{"time_ps", batch.TimePs, 8}}}
	add := func(name string, data []byte, width int) { c.columns = append(c.columns, column{name, data, width}) }
	switch x := batch.Columns.(type) {
	case *wire.EventBatch_Store:
		add("tensor", x.Store.Tensor, 4)
		add("address", x.Store.Address, 8)
		add("mask", x.Store.Mask, 8)
		add("old", x.Store.Old.GetInline(), memory.LineBytes)
		add("new", x.Store.New.GetInline(), memory.LineBytes)
	case *wire.EventBatch_Mark:
		add("kind", x.Mark.Kind, 4)
	case *wire.EventBatch_ReadCounts:
		add("tensor", x.ReadCounts.Tensor, 4)
	case *wire.EventBatch_CompactTile:
		add("view", x.CompactTile.View, 4)
		add("tile", x.CompactTile.Tile, 8)
		add("rows", x.CompactTile.Rows, 4)
		add("columns", x.CompactTile.Columns, 4)
		if dense := x.CompactTile.Dense.GetInline(); batch.Count > 0 {
			add("dense", dense, len(dense)/int(batch.Count))
		}
	case *wire.EventBatch_Schedule:
		add("tile_nonzeros", x.Schedule.TileNonzeros, len(x.Schedule.TileNonzeros))
	}
	return c
}

func (c *eventCursor) more() bool { return c.batch != nil && c.index < int(c.batch.Count) }

func (c *eventCursor) sequence() uint64 { return c.batch.FirstSequence + uint64(c.index) }

func (c *eventCursor) time() uint64 {
	if len(c.batch.TimePs) < 8*(c.index+1) {
		return 0
	}
	return binary.LittleEndian.Uint64(c.batch.TimePs[8*c.index:])
}

// difference returns the first field in which the cursors' events differ, with both values; "" where they are equal.
func (c *eventCursor) difference(d *eventCursor) (field, first, second string) {
	if a, b := eventName(kindOf(c.batch)), eventName(kindOf(d.batch)); a != b {
		return "its kind", a, b
	}
	if c.sequence() != d.sequence() {
		return "its number", fmt.Sprint(c.sequence()), fmt.Sprint(d.sequence())
	}
	if a, b := c.batch.GetCompactTile(), d.batch.GetCompactTile(); a != nil && (a.Confirmed != b.Confirmed || a.Speculative != b.Speculative) {
		return "its being speculative or confirmed", fmt.Sprint(a.Speculative, " ", a.Confirmed), fmt.Sprint(b.Speculative, " ", b.Confirmed)
	}
	for i := range c.columns {
		a, b := &c.columns[i], &d.columns[i]
		width := a.width
		if width > 8 {
			width = 4
		}
		if field, first, second = bytesDifference(a.name, a.of(c.index), b.of(d.index), width); field != "" {
			return field, first, second
		}
	}
	if m, n := c.batch.GetMark(), d.batch.GetMark(); m != nil && m.Label[c.index] != n.Label[d.index] {
		return "label", fmt.Sprintf("%q", m.Label[c.index]), fmt.Sprintf("%q", n.Label[d.index])
	}
	if a, b := c.batch.GetSchedule(), d.batch.GetSchedule(); a != nil && (a.Kernel != b.Kernel || a.Workgroups != b.Workgroups) {
		return "kernel and work-groups", fmt.Sprintf("%s, %d", a.Kernel, a.Workgroups), fmt.Sprintf("%s, %d", b.Kernel, b.Workgroups)
	}
	return "", "", ""
}

func (c *column) of(index int) []byte {
	from, to := min(c.width*index, len(c.data)), min(c.width*(index+1), len(c.data))
	return c.data[from:to]
}
