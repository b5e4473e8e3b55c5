package units

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// monitor counts zeros exactly: those in the new bytes of a line less those in the bytes they replace.
type monitor struct {
	stall, fullStall, latency parameter
	tensors                   map[uint32]*watched
	lines, reads              uint64
}

type watched struct {
	*wire.Tensor
	width       uint64
	tilesAcross uint64
	nonzeros    []int64
}

func (m *monitor) name() string { return "line-counting" }

func (m *monitor) start(_ *wire.ModelHello, parameters []byte) (*wire.UnitHello, error) {
	m.tensors = map[uint32]*watched{}
	m.stall = parameter{value: 1, low: 0, high: 1000}
	m.fullStall = parameter{value: 0.03125, low: 0, high: 1000}
	m.latency = parameter{value: 16, low: 0, high: 1e6}
	if err := parse(m.name(), parameters, map[string]*parameter{"write_stall_cycles": &m.stall, "full_line_stall_cycles": &m.fullStall, "read_latency_ns": &m.latency}); err != nil {
		return nil, err
	}
	return &wire.UnitHello{Events: []wire.EventKind{wire.EventKind_EVENT_KIND_STORE, wire.EventKind_EVENT_KIND_MARK, wire.EventKind_EVENT_KIND_READ_COUNTS},
		LookaheadPs: m.readPS(), WriteStallCycles: m.stall.value, FullLineStallCycles: &m.fullStall.value, ReadLatencyPs: m.readPS(),
		ParametersJson: fmt.Sprintf(`{"write_stall_cycles":%s,"full_line_stall_cycles":%s,"read_latency_ns":%s}`, decimal(m.stall.value), decimal(m.fullStall.value), decimal(m.latency.value))}, nil
}

func (m *monitor) readPS() uint64 { return uint64(math.RoundToEven(m.latency.value * 1000)) }

func (m *monitor) events(batch *wire.EventBatch) (*wire.ReplyBatch, error) {
	if c := batch.GetStore(); c != nil {
		old, new := c.Old.GetInline(), c.New.GetInline()
		for i := range int(batch.Count) {
			m.lines++
			if t := m.tensors[binary.LittleEndian.Uint32(c.Tensor[4*i:])]; t != nil {
				t.store(binary.LittleEndian.Uint64(c.Address[8*i:]), binary.LittleEndian.Uint64(c.Mask[8*i:]), old[64*i:64*i+64], new[64*i:64*i+64])
			}
		}
	}
	if c := batch.GetReadCounts(); c != nil {
		return m.read(batch.FirstSequence, binary.LittleEndian.Uint32(c.Tensor))
	}
	return nil, nil
}

// store updates the counts of the tiles that a line touches.
func (t *watched) store(line, mask uint64, old, new []byte) {
	full := uint64(1)<<t.width - 1
	for at := uint64(0); at < 64; at += t.width {
		if mask>>at&full != full {
			continue
		}
		before, after := isNonzero(old[at:], t.width), isNonzero(new[at:], t.width)
		if before == after || line+at < t.Address {
			continue
		}
		tile, inside := t.tile(line + at - t.Address)
		if !inside {
			continue
		}
		if after {
			t.nonzeros[tile]++
		} else {
			t.nonzeros[tile]--
		}
	}
}

func isNonzero(b []byte, width uint64) bool {
	if width == 2 {
		return binary.LittleEndian.Uint16(b)&0x7FFF != 0
	}
	return binary.LittleEndian.Uint32(b)&math.MaxInt32 != 0
}

// tile returns the tile of the element at a byte offset into the tensor; the larger stride is divided out first. Strides are equal
// only where one dimension has extent 1; the other one is divided out then.
func (t *watched) tile(offset uint64) (tile uint64, inside bool) {
	var row, column, rest uint64
	if t.RowStride > t.ColumnStride || t.RowStride == t.ColumnStride && t.Rows > t.Columns {
		row, rest = offset/t.RowStride, offset%t.RowStride
		column, rest = rest/t.ColumnStride, rest%t.ColumnStride
	} else {
		column, rest = offset/t.ColumnStride, offset%t.ColumnStride
		row, rest = rest/t.RowStride, rest%t.RowStride
	}
	if rest != 0 || row >= t.Rows || column >= t.Columns {
		return 0, false
	}
	return row/uint64(t.TileRows)*t.tilesAcross + column/uint64(t.TileColumns), true
}

func (m *monitor) read(sequence uint64, id uint32) (*wire.ReplyBatch, error) {
	t := m.tensors[id]
	if t == nil {
		return nil, fmt.Errorf("the model reads the counts of tensor %d, which is not registered", id)
	}
	m.reads++
	total := int64(0)
	tiles := make([]byte, 0, 4*len(t.nonzeros))
	for _, n := range t.nonzeros {
		total += n
		tiles = binary.LittleEndian.AppendUint32(tiles, uint32(n))
	}
	elements := t.Rows * t.Columns
	return &wire.ReplyBatch{Count: 1, Sequence: binary.LittleEndian.AppendUint64(nil, sequence), LatencyPs: binary.LittleEndian.AppendUint64(nil, m.readPS()),
		Columns: &wire.ReplyBatch_Counts{Counts: &wire.CountsReply{Elements: elements, Zeros: uint64(int64(elements) - total), TileNonzeros: tiles, Sampled: true}}}, nil
}

func (m *monitor) lifecycle(e *wire.Lifecycle) error {
	switch e.Phase {
	case wire.Lifecycle_PHASE_TENSOR_ADDED:
		t := &watched{Tensor: e.Tensor, width: 4, tilesAcross: (e.Tensor.Columns + uint64(e.Tensor.TileColumns) - 1) / uint64(e.Tensor.TileColumns)}
		if e.Tensor.ElementType == wire.ElementType_ELEMENT_TYPE_F16 {
			t.width = 2
		}
		tiles := t.tilesAcross * ((e.Tensor.Rows + uint64(e.Tensor.TileRows) - 1) / uint64(e.Tensor.TileRows))
		t.nonzeros = make([]int64, tiles)
		for i := range t.nonzeros {
			if 4*i+4 <= len(e.TileNonzeros) {
				t.nonzeros[i] = int64(binary.LittleEndian.Uint32(e.TileNonzeros[4*i:]))
			}
		}
		m.tensors[e.Tensor.Id] = t
	case wire.Lifecycle_PHASE_TENSOR_REMOVED:
		delete(m.tensors, e.Tensor.Id)
	}
	return nil
}

func (m *monitor) counters() map[string]float64 {
	return map[string]float64{"lines": float64(m.lines), "reads": float64(m.reads)}
}

type monitorState struct {
	Lines, Reads uint64
	Nonzeros     map[uint32][]int64
}

func (m *monitor) snapshot() ([]byte, error) {
	s := monitorState{m.lines, m.reads, map[uint32][]int64{}}
	for id, t := range m.tensors {
		s.Nonzeros[id] = t.nonzeros
	}
	return json.Marshal(s)
}

func (m *monitor) restore(text []byte) error {
	var s monitorState
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("the snapshot is none of this unit: %v", err)
	}
	for id, nonzeros := range s.Nonzeros {
		t := m.tensors[id]
		if t == nil || len(t.nonzeros) != len(nonzeros) {
			return fmt.Errorf("the snapshot counts tensor %d, which is not registered in that shape", id)
		}
		t.nonzeros = nonzeros
	}
	m.lines, m.reads = s.Lines, s.Reads
	return nil
}
