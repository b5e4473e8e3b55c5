package cosim

import (
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// im2col is the geometry of a matrix that is the im2col matrix of an NCHW tensor: nothing holds it, the engine gathers its tiles.
type im2col struct {
	*wire.Im2Col
	elementBytes int64
}

// most bounds every extent of an im2col matrix, so that no product of three of them overflows.
const most = 1 << 20

func newIm2col(t *wire.Tensor, elementBytes uint64) (*im2col, error) {
	g := t.Im2Col
	if t.RowStride != 0 || t.ColumnStride != 0 {
		return nil, fmt.Errorf("tensor %q: an im2col matrix has no strides of its own, got %d and %d", t.Name, t.RowStride, t.ColumnStride)
	}
	for _, extent := range []uint32{g.Images, g.Channels, g.Height, g.Width, g.FilterHeight, g.FilterWidth, g.OutHeight, g.OutWidth, g.StrideH, g.StrideW,
		g.DilationH, g.DilationW, g.InputDilationH, g.InputDilationW} {
		if extent == 0 || extent > most {
			return nil, fmt.Errorf("tensor %q: extents, strides and dilations of an im2col matrix must lie in 1 to %d, got %d", t.Name, most, extent)
		}
	}
	if h, w := int64(g.PadH), int64(g.PadW); max(h, w, -h, -w) > most {
		return nil, fmt.Errorf("tensor %q: the padding of an im2col matrix must lie within ±%d, got %d and %d", t.Name, most, g.PadH, g.PadW)
	}
	if max(g.ImageStride, g.ChannelStride) > 1<<40 || g.ImageStride%elementBytes != 0 || g.ChannelStride%elementBytes != 0 {
		return nil, fmt.Errorf("tensor %q: strides of images and channels must be multiples of %d bytes up to 2^40, got %d and %d", t.Name, elementBytes, g.ImageStride, g.ChannelStride)
	}
	taps, outputs := uint64(g.Channels)*uint64(g.FilterHeight)*uint64(g.FilterWidth), uint64(g.Images)*uint64(g.OutHeight)*uint64(g.OutWidth)
	rows, columns := taps, outputs
	if g.Transposed {
		rows, columns = outputs, taps
	}
	if t.Rows != rows || t.Columns != columns {
		return nil, fmt.Errorf("tensor %q: its im2col matrix has %d × %d elements, got %d × %d", t.Name, rows, columns, t.Rows, t.Columns)
	}
	return &im2col{g, int64(elementBytes)}, nil
}

// bytes is the extent of the NCHW tensor from its first to behind its last element.
func (g *im2col) bytes() uint64 {
	return uint64(g.Images-1)*g.ImageStride + uint64(g.Channels-1)*g.ChannelStride + uint64(g.Height)*uint64(g.Width)*uint64(g.elementBytes)
}

// place is one row or column of the matrix: where the tensor's plane lies, and the sum of what it adds to either coordinate.
type place struct{ offset, i, j int64 }

// tap returns what tap (c, r, s) adds.
func (g *im2col) tap(index uint64) place {
	s := int64(index % uint64(g.FilterWidth))
	index /= uint64(g.FilterWidth)
	r, c := int64(index%uint64(g.FilterHeight)), index/uint64(g.FilterHeight)
	if g.Reversed {
		r, s = int64(g.FilterHeight)-1-r, int64(g.FilterWidth)-1-s
	}
	return place{int64(c * g.ChannelStride), r * int64(g.DilationH), s * int64(g.DilationW)}
}

// output returns what output (n, p, q) adds.
func (g *im2col) output(index uint64) place {
	q := int64(index % uint64(g.OutWidth))
	index /= uint64(g.OutWidth)
	p, n := int64(index%uint64(g.OutHeight)), index/uint64(g.OutHeight)
	return place{int64(n * g.ImageStride), p*int64(g.StrideH) - int64(g.PadH), q*int64(g.StrideW) - int64(g.PadW)}
}

// offset returns where the element of a tap and an output lies in the tensor, false where there is none.
func (g *im2col) offset(a, b *place) (int64, bool) {
	i, j := a.i+b.i, a.j+b.j
	if i < 0 || j < 0 {
		return 0, false
	}
	if up := int64(g.InputDilationH); up > 1 {
		if i%up != 0 {
			return 0, false
		}
		i /= up
	}
	if up := int64(g.InputDilationW); up > 1 {
		if j%up != 0 {
			return 0, false
		}
		j /= up
	}
	if i >= int64(g.Height) || j >= int64(g.Width) {
		return 0, false
	}
	return a.offset + b.offset + (i*int64(g.Width)+j)*g.elementBytes, true
}

// gather calls visit for all elements of a tile that the tensor holds: their row and column in the tile and their offset in the tensor.
func (m *matrix) gather(tile uint64, visit func(row, column int, offset int64)) {
	g := m.im2col
	row, column, rows, columns := m.tileShape(tile)
	down, across := g.tap, g.output
	if g.Transposed {
		down, across = across, down
	}
	places := make([]place, columns)
	for c := range places {
		places[c] = across(column + uint64(c))
	}
	for r := range int(rows) {
		at := down(row + uint64(r))
		for c := range places {
			if offset, ok := g.offset(&at, &places[c]); ok {
				visit(r, c, offset)
			}
		}
	}
}

// readGathered puts a tile into dense, which is all zeros.
func (m *matrix) readGathered(mem *memory.Memory, tile uint64, dense []byte) error {
	source, err := mem.Bytes(m.Address, m.bytes())
	if err != nil {
		return err
	}
	pitch := int(m.TileColumns)
	if m.elementBytes == 4 {
		m.gather(tile, func(r, c int, offset int64) { *(*[4]byte)(dense[4*(r*pitch+c):]) = *(*[4]byte)(source[offset:]) })
	} else {
		m.gather(tile, func(r, c int, offset int64) { *(*[2]byte)(dense[2*(r*pitch+c):]) = *(*[2]byte)(source[offset:]) })
	}
	return nil
}

// gatheredLines returns the 64-byte lines of the tensor that a tile is gathered from, in the order of first use, each once.
func (m *matrix) gatheredLines(tile uint64) []uint64 {
	seen := map[uint64]bool{}
	var lines []uint64
	last := uint64(1) // no line
	m.gather(tile, func(_, _ int, offset int64) {
		line := (m.Address + uint64(offset)) &^ (memory.LineBytes - 1)
		if line == last {
			return
		}
		last = line
		if !seen[line] {
			seen[line] = true
			lines = append(lines, line)
		}
	})
	return lines
}
