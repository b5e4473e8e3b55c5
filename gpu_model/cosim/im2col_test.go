package cosim

import (
	"bytes"
	"encoding/binary"
	"math/rand"
	"strings"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// randomIm2col allocates an NCHW tensor whose elements are all different from zero, and a random im2col matrix of it.
func randomIm2col(t *testing.T, mem *memory.Memory, r *rand.Rand) *matrix {
	t.Helper()
	small := func(n int) uint32 { return uint32(1 + r.Intn(n)) }
	g := &wire.Im2Col{Images: small(3), Channels: small(4), Height: small(9), Width: small(9), FilterHeight: small(4), FilterWidth: small(4),
		OutHeight: small(9), OutWidth: small(9), StrideH: small(3), StrideW: small(3), PadH: int32(r.Intn(7) - 2), PadW: int32(r.Intn(7) - 2),
		DilationH: small(3), DilationW: small(3), InputDilationH: small(3), InputDilationW: small(3), Reversed: r.Intn(2) == 0, Transposed: r.Intn(2) == 0}
	element, width := wire.ElementType_ELEMENT_TYPE_F32, uint64(4)
	if r.Intn(2) == 0 {
		element, width = wire.ElementType_ELEMENT_TYPE_F16, 2
	}
	g.ChannelStride = uint64(g.Height*g.Width+small(4)) * width
	g.ImageStride = uint64(g.Channels)*g.ChannelStride + uint64(small(4))*width
	rows, columns := uint64(g.Channels)*uint64(g.FilterHeight)*uint64(g.FilterWidth), uint64(g.Images)*uint64(g.OutHeight)*uint64(g.OutWidth)
	if g.Transposed {
		rows, columns = columns, rows
	}
	extent := uint64(g.Images) * g.ImageStride
	address, err := mem.Allocate(extent+64, "x")
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, extent+64)
	for i := 0; i < len(data); i += 2 {
		binary.LittleEndian.PutUint16(data[i:], uint16(1+r.Intn(30000)))
	}
	if err := mem.Write(address, data); err != nil {
		t.Fatal(err)
	}
	m, err := newMatrix(&wire.Tensor{Name: "x", Address: address + uint64(r.Intn(16))*width, ElementType: element, Rows: rows, Columns: columns,
		TileRows: small(33), TileColumns: small(33), Im2Col: g})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// direct finds the tensor's element behind an element of the matrix by trying all of a plane, as the proto file defines it.
func direct(m *matrix, row, column uint64) (address uint64, there bool) {
	g := m.im2col
	if g.Transposed {
		row, column = column, row
	}
	window, pixels := uint64(g.FilterHeight*g.FilterWidth), uint64(g.OutHeight*g.OutWidth)
	c, r, s := row/window, int64(row%window/uint64(g.FilterWidth)), int64(row%uint64(g.FilterWidth))
	n, p, q := column/pixels, int64(column%pixels/uint64(g.OutWidth)), int64(column%uint64(g.OutWidth))
	if g.Reversed {
		r, s = int64(g.FilterHeight)-1-r, int64(g.FilterWidth)-1-s
	}
	for i := range int64(g.Height) {
		for j := range int64(g.Width) {
			if i*int64(g.InputDilationH) == p*int64(g.StrideH)-int64(g.PadH)+r*int64(g.DilationH) &&
				j*int64(g.InputDilationW) == q*int64(g.StrideW)-int64(g.PadW)+s*int64(g.DilationW) {
				return m.Address + n*g.ImageStride + c*g.ChannelStride + uint64(i*int64(g.Width)+j)*m.elementBytes, true
			}
		}
	}
	return 0, false
}

func TestTilesOfAnIm2colMatrixHoldWhatItsDefinitionSaysAndReadEachLineOnce(t *testing.T) {
	mem, r := newMemory(t), rand.New(rand.NewSource(5))
	for range 150 {
		m := randomIm2col(t, mem, r)
		var dense []byte
		for tile := range m.tiles() {
			if err := m.readTile(mem, tile, &dense); err != nil {
				t.Fatal(err)
			}
			used := map[uint64]bool{}
			row, column, _, _ := m.tileShape(tile)
			for i := range uint64(m.TileRows) * uint64(m.TileColumns) {
				want := make([]byte, m.elementBytes)
				at, across := row+i/uint64(m.TileColumns), column+i%uint64(m.TileColumns)
				if at < m.Rows && across < m.Columns {
					if address, there := direct(m, at, across); there {
						used[address&^63] = true
						if err := mem.Read(address, want); err != nil {
							t.Fatal(err)
						}
					}
				}
				if got := dense[i*m.elementBytes : (i+1)*m.elementBytes]; !bytes.Equal(got, want) {
					t.Fatalf("%v: tile %d, element %d is %x, expected %x", m.Tensor, tile, i, got, want)
				}
			}
			lines := m.lines(tile)
			for _, line := range lines {
				if !used[line] {
					t.Fatalf("%v: tile %d lists line 0x%x twice, or does not touch it", m.Tensor, tile, line)
				}
				delete(used, line)
			}
			if len(used) > 0 {
				t.Fatalf("%v: tile %d touches %d lines that it does not list", m.Tensor, tile, len(used))
			}
		}
	}
}

func TestIm2colMatricesThatCanNotBeAreRefused(t *testing.T) {
	good := func() *wire.Tensor {
		return &wire.Tensor{Name: "x", ElementType: wire.ElementType_ELEMENT_TYPE_F32, Rows: 18, Columns: 16, TileRows: 4, TileColumns: 4,
			Im2Col: &wire.Im2Col{Images: 1, Channels: 2, Height: 6, Width: 6, ImageStride: 288, ChannelStride: 144, FilterHeight: 3, FilterWidth: 3, OutHeight: 4,
				OutWidth: 4, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, InputDilationH: 1, InputDilationW: 1}}
	}
	if m, err := newMatrix(good()); err != nil || m.bytes() != 288 {
		t.Fatal(m, err)
	}
	for want, spoil := range map[string]func(*wire.Tensor){
		"no strides of its own":          func(x *wire.Tensor) { x.RowStride = 64 },
		"must lie in 1 to":               func(x *wire.Tensor) { x.Im2Col.StrideH = 0 },
		"must lie in 1 to 1048576":       func(x *wire.Tensor) { x.Im2Col.Height = 1 << 31 },
		"has 18 × 16 elements, got 18":   func(x *wire.Tensor) { x.Columns = 15 },
		"padding of an im2col matrix":    func(x *wire.Tensor) { x.Im2Col.PadW = -1 << 31 },
		"strides of images and channels": func(x *wire.Tensor) { x.Im2Col.ChannelStride = 143 },
		"has 16 × 18 elements":           func(x *wire.Tensor) { x.Im2Col.Transposed = true },
	} {
		x := good()
		spoil(x)
		if _, err := newMatrix(x); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected a refusal that says %q, got %v", want, err)
		}
	}
}
