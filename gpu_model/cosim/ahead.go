package cosim

import "github.com/zeebo/xxh3"

// ahead holds the answers that a stateless unit gave ahead of time, for one view and one launch. The dense tensor is read-only
// meanwhile, so an answer is right whenever its tile is asked for, and also when the tile has been evicted and is asked for again.
// Which tiles are asked ahead follows from virtual time alone: those of the chunk of the tile demanded and of the next chunk.
type ahead struct {
	chunk   uint64 // tiles
	asked   []bool // by chunk
	answers []aheadAnswer
}

type aheadAnswer struct {
	sequence uint64
	have     bool
	reply    reply
	dense    [16]byte // digest of the tile's elements
}

// aheadBytes bounds the dense bytes of a chunk: enough to spread the cost of a round trip over, and little to wait for.
const aheadBytes = 256 << 10

func newAhead(v *view) *ahead {
	tiles := v.matrix.tiles()
	chunk := min(max(1, aheadBytes/v.matrix.tileBytes()), 1024)
	return &ahead{chunk: chunk, asked: make([]bool, (tiles+chunk-1)/chunk), answers: make([]aheadAnswer, tiles)}
}

// askAhead asks for the chunk of a tile and for the next one.
func (c *compaction) askAhead(v *view, number, now uint64) error {
	first := number / v.ahead.chunk
	for chunk := first; chunk < min(first+2, uint64(len(v.ahead.asked))); chunk++ {
		if v.ahead.asked[chunk] {
			continue
		}
		v.ahead.asked[chunk] = true
		for n := chunk * v.ahead.chunk; n < min((chunk+1)*v.ahead.chunk, v.matrix.tiles()); n++ {
			if err := v.matrix.readTile(c.mem, n, &c.scratch); err != nil {
				return err
			}
			_, _, rows, columns := v.matrix.tileShape(n)
			sequence, err := c.seat.requestTile(pendingAhead, tileEvent{now: now, tile: n, view: v.wire.Id, rows: rows, columns: columns}, c.scratch)
			if err != nil {
				return err
			}
			v.ahead.answers[n] = aheadAnswer{sequence: sequence, dense: xxh3.Hash128(c.scratch).Bytes()}
		}
		if err := c.seat.flush(); err != nil {
			return err
		}
	}
	return nil
}
