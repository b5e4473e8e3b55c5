package timing

import (
	"math/bits"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
)

// link is one direction of a port between the L1 caches and the L2. A message that is timed early but comes late (an answer from DRAM
// is timed when it is asked for) leaves the link idle before it; later messages may use those gaps.
type link struct {
	width   uint64 // bytes a cycle in 1/linkUnit byte; 0: unlimited
	latency uint64
	last    uint64 // when all messages so far are through; this and the gaps are in 1/width cycle
	gaps    []linkGap
	oldest  int // of a full list
}

// linkGap is a time in which the link is idle, between messages.
type linkGap struct{ from, to uint64 }

const (
	linkUnit = 64
	linkGaps = 64 // that are kept
)

func newLink(bytesPerCycle float64, latency int) link {
	l := link{latency: uint64(latency)}
	if bytesPerCycle > 0 {
		l.width = max(1, uint64(bytesPerCycle*linkUnit+0.5))
		l.gaps = make([]linkGap, 0, linkGaps)
	}
	return l
}

// pass sends a message of some bytes that is at the link at cycle at, and returns the cycle at which all of it is through.
func (l *link) pass(at uint64, bytes int) uint64 {
	if l.width == 0 {
		return at + l.latency
	}
	need := uint64(bytes) * linkUnit
	return (l.place(at*l.width, need)+need+l.width-1)/l.width + l.latency
}

// place finds time for a message and returns its start.
func (l *link) place(at, need uint64) uint64 {
	if at >= l.last {
		if at > l.last {
			if len(l.gaps) < linkGaps {
				l.gaps = append(l.gaps, linkGap{l.last, at})
			} else {
				l.gaps[l.oldest] = linkGap{l.last, at}
				l.oldest = (l.oldest + 1) % linkGaps
			}
		}
		l.last = at + need
		return at
	}
	for i := range l.gaps {
		g := &l.gaps[i]
		begin := max(at, g.from)
		if begin+need > g.to {
			continue
		}
		// The longer part of what is left stays a gap.
		if before, after := begin-g.from, g.to-begin-need; before > after {
			g.to = begin
		} else {
			g.from = begin + need
		}
		return begin
	}
	begin := l.last
	l.last += need
	return begin
}

// finite tells whether any link costs anything.
func finite(s *gpuconfig.Link) bool {
	return s.Cycles != 0 || s.BytesPerCycleBank != 0 || s.BytesPerCycleUnit != 0
}

// requestBytes returns what a request takes of a link: the bytes it writes, or those of a request without data.
func requestBytes(s *gpuconfig.Link, kind accessKind, mask uint64) int {
	if kind == readLine {
		return s.RequestOverheadBytes
	}
	return bits.OnesCount64(mask)
}

// replyBytes returns what an answer takes of a link: a line, or the bytes of an acknowledgement.
func replyBytes(s *gpuconfig.Link, kind accessKind) int {
	if kind == readLine {
		return lineBytes
	}
	return s.RequestOverheadBytes
}
