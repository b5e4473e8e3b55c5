package cosim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// trace hashes the events and the replies of one seat, each in its own order: events by sequence number, replies in the
// order in which the model applies them. Both orders follow virtual time alone.
type trace struct {
	events, replies hash.Hash
	scratch         []byte
}

func newTrace() *trace { return &trace{events: sha256.New(), replies: sha256.New()} }

// record adds one event or reply: numbers as little-endian 64-bit words, then bytes.
func (t *trace) record(into hash.Hash, numbers []uint64, parts ...[]byte) {
	t.scratch = t.scratch[:0]
	for _, n := range numbers {
		t.scratch = binary.LittleEndian.AppendUint64(t.scratch, n)
	}
	for _, part := range parts {
		t.scratch = binary.LittleEndian.AppendUint64(t.scratch, uint64(len(part)))
	}
	into.Write(t.scratch)
	for _, part := range parts {
		into.Write(part)
	}
}

// combine returns the hash over all traces, in the order given.
func combine(traces []*trace) string {
	all := sha256.New()
	for _, t := range traces {
		all.Write(t.events.Sum(nil))
		all.Write(t.replies.Sum(nil))
	}
	return hex.EncodeToString(all.Sum(nil))
}
