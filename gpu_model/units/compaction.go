package units

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// compaction encodes tiles as ELLPACK-DIB, or passes them dense (docs/formats.md).
type compaction struct {
	clockHz                                              uint64
	rate, pipeline, buffers, prefetchDepth, lineRequests parameter
	views                                                map[uint32]*wire.View
	perElement, perBufferByte                            parameter // pJ
	tiles, elements, denseBytes, encodedBytes            uint64
}

func (c *compaction) name() string { return "ellpack-dib" }

func (c *compaction) start(machine *wire.ModelHello, parameters []byte) (*wire.UnitHello, error) {
	c.clockHz, c.views = machine.ClockHz, map[uint32]*wire.View{}
	c.rate = parameter{value: 16, low: 0.25, high: 1024}
	c.pipeline = parameter{value: 12, low: 1, high: 10_000, whole: true}
	c.buffers = parameter{value: 64, low: 1, high: 65_536, whole: true}
	c.prefetchDepth = parameter{value: 0, low: 0, high: 4096, whole: true}
	c.perElement = parameter{value: 2, low: 0, high: 1000}
	c.perBufferByte = parameter{value: 1.25, low: 0, high: 1000}
	c.lineRequests = parameter{value: 64, low: 1, high: 4096, whole: true}
	if err := parse(c.name(), parameters, map[string]*parameter{"elements_per_cycle": &c.rate, "pipeline_cycles": &c.pipeline, "buffers": &c.buffers,
		"prefetch_depth": &c.prefetchDepth, "line_requests": &c.lineRequests, "pj_per_element": &c.perElement, "pj_per_buffer_byte": &c.perBufferByte}); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`{"elements_per_cycle":%s,"pipeline_cycles":%d,"buffers":%d,"prefetch_depth":%d,"pj_per_element":%s,"pj_per_buffer_byte":%s,"line_requests":%d}`,
		decimal(c.rate.value), int(c.pipeline.value), int(c.buffers.value), int(c.prefetchDepth.value), decimal(c.perElement.value), decimal(c.perBufferByte.value), int(c.lineRequests.value))
	return &wire.UnitHello{Events: []wire.EventKind{wire.EventKind_EVENT_KIND_COMPACT_TILE, wire.EventKind_EVENT_KIND_MARK},
		LookaheadPs: cyclesToPS(c.pipeline.value+1, c.clockHz), ElementsPerCycle: c.rate.value, BuffersPerInstance: uint32(c.buffers.value),
		PrefetchDepth: uint32(c.prefetchDepth.value), LineRequestsInFlight: uint32(c.lineRequests.value), ParametersJson: text,
		Formats: []string{"ellpack_dib", "ellpack_dib16", "dense"}, Stateless: true}, nil
}

// decimal writes a number as Python's JSON does: a float keeps its point.
func decimal(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e16 {
		return fmt.Sprintf("%.1f", x)
	}
	text, _ := json.Marshal(x)
	return string(text)
}

func (c *compaction) events(batch *wire.EventBatch) (*wire.ReplyBatch, error) {
	columns := batch.GetCompactTile()
	if columns == nil {
		return nil, nil
	}
	n := int(batch.Count)
	if columns.Confirmed {
		for i := range n {
			c.count(columns, i, uint64(binary.LittleEndian.Uint32(columns.EncodedBytes[4*i:])))
		}
		return nil, nil
	}
	dense := columns.Dense.GetInline()
	reply := &wire.CompactTileReply{Size: make([]byte, 0, 4*n)}
	sequences, latencies := make([]byte, 0, 8*n), make([]byte, 0, 8*n)
	encoded := make([]byte, 0, 2*len(dense)+n*128)
	for i := range n {
		view := c.views[binary.LittleEndian.Uint32(columns.View[4*i:])]
		if view == nil {
			return nil, fmt.Errorf("the model asks for a tile of view %d, which is not registered", binary.LittleEndian.Uint32(columns.View[4*i:]))
		}
		t := view.Tensor
		width := elementBytes(t)
		if view.Format != map[int]string{4: "ellpack_dib", 2: "ellpack_dib16"}[width] && (view.Format != "dense" || width != 4) {
			return nil, fmt.Errorf("unit ellpack-dib converts float32 to ellpack_dib or dense and float16 to ellpack_dib16, the view asks for %s of %v", view.Format, t.ElementType)
		}
		size := int(t.TileRows*t.TileColumns) * width
		before := len(encoded)
		if view.Format == "dense" {
			encoded = appendDense(encoded, dense[:size])
		} else {
			encoded = encode(encoded, dense[:size], int(t.TileRows), int(t.TileColumns), width)
		}
		dense = dense[size:]
		reply.Size = binary.LittleEndian.AppendUint32(reply.Size, uint32(len(encoded)-before))
		sequences = binary.LittleEndian.AppendUint64(sequences, batch.FirstSequence+uint64(i))
		elements := float64(binary.LittleEndian.Uint32(columns.Rows[4*i:])) * float64(binary.LittleEndian.Uint32(columns.Columns[4*i:]))
		cycles := max(c.pipeline.value+math.Ceil(elements/c.rate.value), c.pipeline.value+1)
		latencies = binary.LittleEndian.AppendUint64(latencies, uint64(math.Ceil(cycles*(1e12/float64(c.clockHz)))))
		if !columns.Speculative {
			c.count(columns, i, uint64(len(encoded)-before))
		}
	}
	reply.Encoded = &wire.Payload{Where: &wire.Payload_Inline{Inline: encoded}}
	return &wire.ReplyBatch{Count: batch.Count, Sequence: sequences, LatencyPs: latencies, Columns: &wire.ReplyBatch_CompactTile{CompactTile: reply}}, nil
}

// count adds a tile that took effect.
func (c *compaction) count(columns *wire.CompactTileColumns, i int, encoded uint64) {
	width := 4
	if view := c.views[binary.LittleEndian.Uint32(columns.View[4*i:])]; view != nil {
		width = elementBytes(view.Tensor)
	}
	elements := uint64(binary.LittleEndian.Uint32(columns.Rows[4*i:])) * uint64(binary.LittleEndian.Uint32(columns.Columns[4*i:]))
	c.tiles++
	c.elements += elements
	c.denseBytes += uint64(width) * elements
	c.encodedBytes += encoded
}

func elementBytes(t *wire.Tensor) int {
	if t.ElementType == wire.ElementType_ELEMENT_TYPE_F16 {
		return 2
	}
	return 4
}

// encode appends a tile: a header line (pitch in pairs, non-zeros), a count for each row, and rows of (value, column) pairs, both
// of an element's width.
func encode(out, dense []byte, rows, columns, width int) []byte {
	start := len(out)
	out = append(out, make([]byte, 64+(4*rows+63)&^63)...)
	longest, total := 0, 0
	for r := range rows {
		n := nonzeros(dense[width*r*columns:][:width*columns], width)
		binary.LittleEndian.PutUint32(out[start+64+4*r:], uint32(n))
		longest, total = max(longest, n), total+n
	}
	pairs := 32 / width // of a 64-byte line
	pitch := (longest + pairs - 1) / pairs * pairs
	binary.LittleEndian.PutUint32(out[start:], uint32(pitch))
	binary.LittleEndian.PutUint32(out[start+4:], uint32(total))
	body := len(out)
	out = append(out, make([]byte, 2*width*rows*pitch)...)
	for r := range rows {
		row, at := dense[width*r*columns:][:width*columns], body+2*width*r*pitch
		if width == 2 {
			for i := range columns {
				if bits := binary.LittleEndian.Uint16(row[2*i:]); bits&0x7FFF != 0 {
					binary.LittleEndian.PutUint32(out[at:], uint32(bits)|uint32(i)<<16)
					at += 4
				}
			}
			continue
		}
		for i := range columns {
			if bits := binary.LittleEndian.Uint32(row[4*i:]); bits&math.MaxInt32 != 0 {
				binary.LittleEndian.PutUint64(out[at:], uint64(bits)|uint64(i)<<32)
				at += 8
			}
		}
	}
	return out
}

// appendDense appends a tile of fp32 as it is, zeros of either sign as +0.0, to a multiple of a line.
func appendDense(out, dense []byte) []byte {
	start := len(out)
	out = append(out, make([]byte, (len(dense)+63)&^63)...)
	for i := 0; i < len(dense); i += 4 {
		if bits := binary.LittleEndian.Uint32(dense[i:]); bits&math.MaxInt32 != 0 {
			binary.LittleEndian.PutUint32(out[start+i:], bits)
		}
	}
	return out
}

func nonzeros(row []byte, width int) (n int) {
	if width == 2 {
		for i := 0; i < len(row); i += 2 {
			if binary.LittleEndian.Uint16(row[i:])&0x7FFF != 0 {
				n++
			}
		}
		return n
	}
	for i := 0; i < len(row); i += 4 {
		if binary.LittleEndian.Uint32(row[i:])&math.MaxInt32 != 0 {
			n++
		}
	}
	return n
}

func (c *compaction) lifecycle(e *wire.Lifecycle) error {
	switch e.Phase {
	case wire.Lifecycle_PHASE_VIEW_ADDED:
		c.views[e.View.Id] = e.View
	case wire.Lifecycle_PHASE_VIEW_REMOVED:
		delete(c.views, e.View.Id)
	}
	return nil
}

func (c *compaction) counters() map[string]float64 {
	energy := float64(c.elements) * c.perElement.value
	energy += float64(c.encodedBytes) * c.perBufferByte.value
	m := map[string]float64{"tiles": float64(c.tiles), "dense_bytes": float64(c.denseBytes), "encoded_bytes": float64(c.encodedBytes), "energy_nj": energy / 1000}
	if c.denseBytes > 0 {
		m["encoded_per_dense"] = float64(c.encodedBytes) / float64(c.denseBytes)
	}
	return m
}

type compactionState struct{ Tiles, Elements, DenseBytes, EncodedBytes uint64 }

func (c *compaction) snapshot() ([]byte, error) {
	return json.Marshal(compactionState{c.tiles, c.elements, c.denseBytes, c.encodedBytes})
}

func (c *compaction) restore(text []byte) error {
	var s compactionState
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("the snapshot is none of this unit: %v", err)
	}
	c.tiles, c.elements, c.denseBytes, c.encodedBytes = s.Tiles, s.Elements, s.DenseBytes, s.EncodedBytes
	return nil
}
