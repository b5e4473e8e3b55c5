package cosim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/zeebo/xxh3"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/memory"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// trace hashes the events and the replies of one seat, each in its own order: events as they happen, replies as the model applies
// them. Both orders follow virtual time alone, and neither contains anything of how messages were cut, or of what was asked ahead of
// time on the host.
type trace struct {
	events, replies digest
	asked           uint64 // requests so far: a reply names its request by this number
}

// digest gathers bytes so that the hash function sees large pieces. It is XXH3 with 128 bits: nobody forges a trace, so what counts is
// that two different ones are never taken for equal by chance, and that hashing does not show (SHA-256 took a third of what a
// store event costs, BLAKE3 a quarter).
type digest struct {
	hash *xxh3.Hasher
	buf  []byte
}

const digestBytes = 32 << 10

func newTrace() *trace {
	return &trace{events: newDigest(), replies: newDigest()}
}

func newDigest() digest { return digest{xxh3.New(), make([]byte, 0, digestBytes+8192)} }

func (d *digest) word(n uint64) { d.buf = binary.LittleEndian.AppendUint64(d.buf, n) }

// part adds a byte string with its length.
func (d *digest) part(b []byte) {
	d.word(uint64(len(b)))
	if len(b) >= 4096 {
		d.flush()
		_, _ = d.hash.Write(b)
		return
	}
	d.buf = append(d.buf, b...)
}

// end completes one event or reply.
func (d *digest) end() {
	if len(d.buf) >= digestBytes {
		d.flush()
	}
}

func (d *digest) flush() {
	_, _ = d.hash.Write(d.buf)
	d.buf = d.buf[:0]
}

func (d *digest) sum() []byte {
	d.flush()
	sum := d.hash.Sum128().Bytes()
	return sum[:]
}

// store adds a line written. What the line held before follows from the events before.
func (t *trace) store(now uint64, tensor uint32, line, mask uint64, after *[memory.LineBytes]byte) {
	d := &t.events
	n := len(d.buf)
	d.buf = d.buf[:n+40+memory.LineBytes]
	b := d.buf[n:]
	binary.LittleEndian.PutUint64(b, uint64(wire.EventKind_EVENT_KIND_STORE))
	binary.LittleEndian.PutUint64(b[8:], now)
	binary.LittleEndian.PutUint64(b[16:], uint64(tensor))
	binary.LittleEndian.PutUint64(b[24:], line)
	binary.LittleEndian.PutUint64(b[32:], mask)
	*(*[memory.LineBytes]byte)(b[40:]) = *after
	d.end()
}

// event adds any other event.
func (t *trace) event(kind wire.EventKind, now uint64, part []byte, numbers ...uint64) {
	d := &t.events
	d.word(uint64(kind))
	d.word(now)
	for _, n := range numbers {
		d.word(n)
	}
	d.part(part)
	d.end()
}

// request is event for what awaits a reply; it returns the number by which the reply is known.
func (t *trace) request(kind wire.EventKind, now uint64, part []byte, numbers ...uint64) uint64 {
	t.event(kind, now, part, numbers...)
	t.asked++
	return t.asked
}

// reply adds a reply that is being applied.
func (t *trace) reply(request, latency uint64, numbers []uint64, parts ...[]byte) {
	d := &t.replies
	d.word(request)
	d.word(latency)
	for _, n := range numbers {
		d.word(n)
	}
	for _, part := range parts {
		d.part(part)
	}
	d.end()
}

// combine returns the hash over all traces, in the order given.
func combine(traces []*trace) string {
	all := sha256.New()
	for _, t := range traces {
		all.Write(t.events.sum())
		all.Write(t.replies.sum())
	}
	return hex.EncodeToString(all.Sum(nil))
}
