package cosim

import (
	"bytes"
	"math/rand"
	"slices"
	"testing"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// randomMatrix allocates a matrix of random shape and strides, and fills its memory.
func randomMatrix(t *testing.T, mem *memory.Memory, r *rand.Rand) *matrix {
	t.Helper()
	element, width := wire.ElementType_ELEMENT_TYPE_F32, uint64(4)
	if r.Intn(2) == 0 {
		element, width = wire.ElementType_ELEMENT_TYPE_F16, 2
	}
	rows, columns := uint64(1+r.Intn(70)), uint64(1+r.Intn(70))
	rowStride, columnStride := (columns+uint64(r.Intn(5)))*width, width
	switch r.Intn(3) {
	case 0: // the other way round
		rowStride, columnStride = width, (rows+uint64(r.Intn(5)))*width
	case 1: // wide steps
		columnStride = width * uint64(1+r.Intn(40))
		rowStride = columnStride * columns
	}
	extent := (rows-1)*rowStride + (columns-1)*columnStride + width
	address, err := mem.Allocate(extent+256, "m")
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, extent+256)
	r.Read(data)
	for i := range data {
		if r.Intn(3) > 0 {
			data[i] = 0
		}
	}
	if err := mem.Write(address, data); err != nil {
		t.Fatal(err)
	}
	m, err := newMatrix(&wire.Tensor{Id: 1, Name: "m", Address: address + uint64(r.Intn(16))*width, ElementType: element, Rows: rows, Columns: columns,
		RowStride: rowStride, ColumnStride: columnStride, TileRows: uint32(1 + r.Intn(33)), TileColumns: uint32(1 + r.Intn(33))})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newMemory(t *testing.T) *memory.Memory {
	t.Helper()
	mem, err := memory.New(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mem.Close() })
	return mem
}

// element returns where an element of a tile lies, false beyond the tensor's edge.
func element(m *matrix, tile, r, c uint64) (address uint64, inside bool) {
	row, column := tile/m.tilesAcross*uint64(m.TileRows)+r, tile%m.tilesAcross*uint64(m.TileColumns)+c
	return m.Address + row*m.RowStride + column*m.ColumnStride, row < m.Rows && column < m.Columns
}

func TestTilesHoldTheElementsOfTheirTensorAndZerosBeyondItsEdge(t *testing.T) {
	mem, r := newMemory(t), rand.New(rand.NewSource(1))
	for range 200 {
		m := randomMatrix(t, mem, r)
		var dense []byte
		for tile := range m.tiles() {
			if err := m.readTile(mem, tile, &dense); err != nil {
				t.Fatal(err)
			}
			for i := range uint64(m.TileRows) * uint64(m.TileColumns) {
				want := make([]byte, m.elementBytes)
				if address, inside := element(m, tile, i/uint64(m.TileColumns), i%uint64(m.TileColumns)); inside {
					if err := mem.Read(address, want); err != nil {
						t.Fatal(err)
					}
				}
				if got := dense[i*m.elementBytes : (i+1)*m.elementBytes]; !bytes.Equal(got, want) {
					t.Fatalf("%v: tile %d, element %d is %x, memory holds %x", m.Tensor, tile, i, got, want)
				}
			}
		}
	}
}

func TestLinesAreThoseThatATileTouchesEachOnce(t *testing.T) {
	mem, r := newMemory(t), rand.New(rand.NewSource(2))
	for range 200 {
		m := randomMatrix(t, mem, r)
		for tile := range m.tiles() {
			want := map[uint64]bool{}
			for i := range uint64(m.TileRows) * uint64(m.TileColumns) {
				if address, inside := element(m, tile, i/uint64(m.TileColumns), i%uint64(m.TileColumns)); inside {
					want[address&^63] = true
					want[(address+m.elementBytes-1)&^63] = true
				}
			}
			got := m.lines(tile)
			seen := map[uint64]bool{}
			for _, line := range got {
				if seen[line] {
					t.Fatalf("%v: tile %d lists line 0x%x twice", m.Tensor, tile, line)
				}
				seen[line] = true
			}
			for line := range want {
				if !seen[line] {
					t.Fatalf("%v: tile %d does not list line 0x%x of %d", m.Tensor, tile, line, len(want))
				}
			}
			// With a step below a line every line between the first and the last element of a row is touched or lies in a gap below
			// one line: none is listed that no element of the row is near.
			for line := range seen {
				if !want[line] && max(m.RowStride, m.ColumnStride) > 0 && min(m.RowStride, m.ColumnStride) <= m.elementBytes {
					t.Fatalf("%v: tile %d lists line 0x%x, which it does not touch", m.Tensor, tile, line)
				}
			}
		}
	}
}

func TestTensorsThatCanNotBeAreRefused(t *testing.T) {
	good := func() *wire.Tensor {
		return &wire.Tensor{Name: "x", ElementType: wire.ElementType_ELEMENT_TYPE_F32, Rows: 4, Columns: 4, RowStride: 16, ColumnStride: 4, TileRows: 2, TileColumns: 2}
	}
	if _, err := newMatrix(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*wire.Tensor){
		"no element type": func(x *wire.Tensor) { x.ElementType = 0 },
		"no rows":         func(x *wire.Tensor) { x.Rows = 0 },
		"no tile":         func(x *wire.Tensor) { x.TileColumns = 0 },
		"odd stride":      func(x *wire.Tensor) { x.ColumnStride = 3 },
		"no stride":       func(x *wire.Tensor) { x.RowStride = 0 },
		"huge":            func(x *wire.Tensor) { x.Rows = 1 << 40 },
		"huge tile":       func(x *wire.Tensor) { x.TileRows = 1 << 20 },
	} {
		x := good()
		spoil(x)
		if _, err := newMatrix(x); err == nil {
			t.Errorf("a tensor with %s is accepted", name)
		}
	}
	if _, err := newMatrix(nil); err == nil {
		t.Error("no tensor is accepted")
	}
}

func TestNonzerosPerTileAddUpToThoseOfTheTensor(t *testing.T) {
	mem, r := newMemory(t), rand.New(rand.NewSource(3))
	for range 50 {
		m := randomMatrix(t, mem, r)
		counts, err := m.tileNonzeros(mem)
		if err != nil {
			t.Fatal(err)
		}
		total, want := uint64(0), uint64(0)
		for _, n := range words(counts) {
			total += uint64(n)
		}
		value := make([]byte, m.elementBytes)
		for row := range m.Rows {
			for column := range m.Columns {
				if err := mem.Read(m.Address+row*m.RowStride+column*m.ColumnStride, value); err != nil {
					t.Fatal(err)
				}
				magnitude := slices.Clone(value)
				magnitude[len(magnitude)-1] &= 0x7F
				if !bytes.Equal(magnitude, make([]byte, len(magnitude))) {
					want++
				}
			}
		}
		if total != want {
			t.Fatalf("%v: %d non-zeros in tiles, %d in the tensor", m.Tensor, total, want)
		}
	}
}
