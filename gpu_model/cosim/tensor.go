package cosim

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// matrix is a tiled rank-2 view of device memory: element (r, c) lies at address + r·rowStride + c·columnStride, or where im2col says.
type matrix struct {
	*wire.Tensor
	im2col       *im2col // nil: the matrix lies in memory
	elementBytes uint64
	tilesDown    uint64
	tilesAcross  uint64
}

func newMatrix(t *wire.Tensor) (*matrix, error) {
	if t == nil {
		return nil, fmt.Errorf("expected a tensor, got none")
	}
	m := &matrix{Tensor: t}
	switch t.ElementType {
	case wire.ElementType_ELEMENT_TYPE_F32:
		m.elementBytes = 4
	case wire.ElementType_ELEMENT_TYPE_F16:
		m.elementBytes = 2
	default:
		return nil, fmt.Errorf("tensor %q: the element type must be F32 or F16, got %v", t.Name, t.ElementType)
	}
	if t.Rows == 0 || t.Columns == 0 || t.TileRows == 0 || t.TileColumns == 0 {
		return nil, fmt.Errorf("tensor %q: rows, columns and tile must be positive, got %d × %d with tiles of %d × %d", t.Name, t.Rows, t.Columns, t.TileRows, t.TileColumns)
	}
	if t.Im2Col != nil {
		var err error
		if m.im2col, err = newIm2col(t, m.elementBytes); err != nil {
			return nil, err
		}
	} else if t.RowStride%m.elementBytes != 0 || t.ColumnStride%m.elementBytes != 0 || t.RowStride == 0 || t.ColumnStride == 0 {
		return nil, fmt.Errorf("tensor %q: strides must be positive multiples of %d bytes, got %d and %d", t.Name, m.elementBytes, t.RowStride, t.ColumnStride)
	}
	if t.Rows > 1<<32 || t.Columns > 1<<32 || t.RowStride > 1<<31 || t.ColumnStride > 1<<31 || uint64(t.TileRows)*uint64(t.TileColumns) > 1<<20 {
		return nil, fmt.Errorf("tensor %q: at most 2^32 rows and columns, strides of 2^31 bytes and 2^20 elements a tile are possible", t.Name)
	}
	m.tilesDown = (t.Rows + uint64(t.TileRows) - 1) / uint64(t.TileRows)
	m.tilesAcross = (t.Columns + uint64(t.TileColumns) - 1) / uint64(t.TileColumns)
	return m, nil
}

func (m *matrix) tiles() uint64 { return m.tilesDown * m.tilesAcross }

// bytes is the extent of the tensor from its first to behind its last element.
func (m *matrix) bytes() uint64 {
	if m.im2col != nil {
		return m.im2col.bytes()
	}
	return (m.Rows-1)*m.RowStride + (m.Columns-1)*m.ColumnStride + m.elementBytes
}

// tileShape returns origin and extent of a tile inside the tensor.
func (m *matrix) tileShape(tile uint64) (row, column uint64, rows, columns uint32) {
	row = tile / m.tilesAcross * uint64(m.TileRows)
	column = tile % m.tilesAcross * uint64(m.TileColumns)
	rows = uint32(min(uint64(m.TileRows), m.Rows-row))
	columns = uint32(min(uint64(m.TileColumns), m.Columns-column))
	return row, column, rows, columns
}

// tileBytes is the size of a tile's elements, beyond the tensor's edge too.
func (m *matrix) tileBytes() uint64 {
	return uint64(m.TileRows) * uint64(m.TileColumns) * m.elementBytes
}

// readTile puts a tile's elements into dense, row-major tile_rows × tile_columns, zero beyond the tensor's edge.
func (m *matrix) readTile(mem *memory.Memory, tile uint64, dense *[]byte) error {
	row, column, rows, columns := m.tileShape(tile)
	e := m.elementBytes
	if n := m.tileBytes(); uint64(cap(*dense)) < n {
		*dense = make([]byte, n)
	} else {
		*dense = (*dense)[:n]
	}
	to := *dense
	if m.im2col != nil {
		clear(to)
		return m.readGathered(mem, tile, to)
	}
	if rows < m.TileRows || columns < m.TileColumns {
		clear(to)
	}
	from := row*m.RowStride + column*m.ColumnStride
	extent := uint64(rows-1)*m.RowStride + uint64(columns-1)*m.ColumnStride + e
	source, err := mem.Bytes(m.Address+from, extent)
	if err != nil {
		return err
	}
	pitch := uint64(m.TileColumns) * e
	for r := range uint64(rows) {
		line, out := source[r*m.RowStride:], to[r*pitch:]
		switch {
		case m.ColumnStride == e:
			copy(out[:uint64(columns)*e], line)
		case e == 4:
			for c := range uint64(columns) {
				*(*[4]byte)(out[4*c:]) = *(*[4]byte)(line[c*m.ColumnStride:])
			}
		default:
			for c := range uint64(columns) {
				copy(out[c*e:c*e+e], line[c*m.ColumnStride:])
			}
		}
	}
	return nil
}

// lines returns the 64-byte lines that hold a tile, in ascending order of the tile's rows (or columns, where those are
// the contiguous ones), each once.
func (m *matrix) lines(tile uint64) []uint64 {
	if m.im2col != nil {
		return m.gatheredLines(tile)
	}
	row, column, rows, columns := m.tileShape(tile)
	outer, inner := uint64(rows), uint64(columns)
	outerStride, innerStride := m.RowStride, m.ColumnStride
	if innerStride > outerStride {
		outer, inner, outerStride, innerStride = inner, outer, innerStride, outerStride
	}
	base := m.Address + row*m.RowStride + column*m.ColumnStride
	extent := (inner-1)*innerStride + m.elementBytes
	var seen map[uint64]bool
	if extent > outerStride && outer > 1 { // rows lie into one another: a line can come back later
		seen = map[uint64]bool{}
	}
	lines := make([]uint64, 0, outer*min(inner, extent/memory.LineBytes+2))
	last := uint64(1) // no line
	add := func(address uint64) {
		line := address &^ (memory.LineBytes - 1)
		if line == last || seen[line] {
			return
		}
		if seen != nil {
			seen[line] = true
		}
		last = line
		lines = append(lines, line)
	}
	for o := range outer {
		start := base + o*outerStride
		if innerStride <= memory.LineBytes {
			for line := start &^ (memory.LineBytes - 1); line < start+extent; line += memory.LineBytes {
				add(line)
			}
			continue
		}
		for i := range inner {
			add(start + i*innerStride)
		}
	}
	return lines
}

// tileNonzeros counts the non-zeros of every tile as memory holds them now, as little-endian uint32.
func (m *matrix) tileNonzeros(mem *memory.Memory) ([]byte, error) {
	out := make([]byte, 0, 4*m.tiles())
	var dense []byte
	for tile := range m.tiles() {
		if err := m.readTile(mem, tile, &dense); err != nil {
			return nil, err
		}
		out = binary.LittleEndian.AppendUint32(out, m.nonzeros(dense))
	}
	return out, nil
}

func (m *matrix) nonzeros(dense []byte) (n uint32) {
	if m.elementBytes == 2 {
		for i := 0; i < len(dense); i += 2 {
			if binary.LittleEndian.Uint16(dense[i:])&0x7FFF != 0 {
				n++
			}
		}
		return n
	}
	for i := 0; i < len(dense); i += 4 {
		if binary.LittleEndian.Uint32(dense[i:])&math.MaxInt32 != 0 {
			n++
		}
	}
	return n
}
