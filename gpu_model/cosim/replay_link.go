package cosim

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// replayLink takes a unit's place with the answers of a recording. The run must send the events that were recorded, however they
// are cut into batches; the first that differs ends it.
type replayLink struct {
	events, replies *blockReader
	hello           *wire.UnitHello
	recorded        eventCursor // of the recorded batch under way
	answers         map[uint64]recordedReply
	lifecycle       []*wire.LifecycleReply
	queue           []inbound
}

type recordedReply struct {
	latency uint64
	batch   *wire.ReplyBatch // of counts or schedule
	encoded []byte           // of a tile
	tile    bool
}

// openReplay opens the recording of the first seat of a kind in a directory.
func openReplay(directory string, kind wire.UnitKind) (link, error) {
	text, err := os.ReadFile(filepath.Join(directory, indexFile))
	if err != nil {
		return nil, fmt.Errorf("%s holds no recording: %s can't be read", directory, indexFile)
	}
	var index recordingIndex
	if err := json.Unmarshal(text, &index); err != nil || index.Format != recordingFormat {
		return nil, fmt.Errorf("expected a recording of format %d in %s, its index has format %d (%v)", recordingFormat, directory, index.Format, err)
	}
	for _, seat := range index.Seats {
		if seat.Kind != seatName(kind) || seat.Shadow {
			continue
		}
		if !seat.Complete {
			return nil, fmt.Errorf("the recording of unit %s in %s is incomplete: its run was cut short", seat.Unit, directory)
		}
		l := &replayLink{answers: map[uint64]recordedReply{}}
		if l.events, err = newBlockReader(filepath.Join(directory, filepath.Base(seat.Events))); err != nil {
			return nil, err
		}
		if l.replies, err = newBlockReader(filepath.Join(directory, filepath.Base(seat.Replies))); err != nil {
			l.close()
			return nil, err
		}
		return l, nil
	}
	return nil, fmt.Errorf("the recording in %s has no unit of kind %s", directory, seatName(kind))
}

// next returns the next block, io.EOF behind the last.
func (r *blockReader) next() (*wire.RecordBlock, error) {
	size, err := binary.ReadUvarint(r.stream)
	if err == nil && size > MessageLimit {
		err = fmt.Errorf("a block has %d bytes", size)
	}
	var data []byte
	if err == nil {
		data = make([]byte, size)
		if _, err = io.ReadFull(r.stream, data); errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
	}
	b := &wire.RecordBlock{}
	if err == nil {
		err = proto.Unmarshal(data, b)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("the recording %s is damaged: %v", r.path, err)
	}
	return b, err
}

func (r *blockReader) close() {
	if r != nil {
		r.zstd.Close()
		_ = r.file.Close()
	}
}

func (l *replayLink) send(_ wire.EventKind, m *wire.ModelMessage, _ time.Duration, release func()) error {
	if release != nil {
		defer release()
	}
	var err error
	switch body := m.Body.(type) {
	case *wire.ModelMessage_Hello:
		err = l.begin(body.Hello)
	case *wire.ModelMessage_Batch:
		err = l.batch(body.Batch)
	case *wire.ModelMessage_Lifecycle:
		err = l.live(body.Lifecycle)
	}
	if err != nil {
		l.answer(&wire.UnitMessage{Body: &wire.UnitMessage_Failure{Failure: &wire.UnitFailure{Message: err.Error(), Event: eventOf(m)}}})
	}
	return nil
}

func (l *replayLink) answer(m *wire.UnitMessage) {
	l.queue = append(l.queue, inbound{m, time.Now()})
}

// begin takes the handshake from the recording: the machine must be the recorded one.
func (l *replayLink) begin(hello *wire.ModelHello) error {
	model, err := l.events.next()
	if err != nil {
		return err
	}
	unit, err := l.events.next()
	if err != nil {
		return err
	}
	if l.hello = unit.GetUnit(); model.GetModel() == nil || l.hello == nil {
		return errors.New("the recording does not begin with a handshake")
	}
	was := model.GetModel()
	if was.ClockHz != hello.ClockHz || was.ComputeUnits != hello.ComputeUnits || was.L2Banks != hello.L2Banks {
		return fmt.Errorf("the recording is of a GPU with %d Hz, %d compute units and %d L2 banks, this one has %d, %d and %d",
			was.ClockHz, was.ComputeUnits, was.L2Banks, hello.ClockHz, hello.ComputeUnits, hello.L2Banks)
	}
	if hello.ParametersJson != "" && hello.ParametersJson != "{}" && hello.ParametersJson != was.ParametersJson {
		return fmt.Errorf("the recording was made with the parameters %s, not %s", was.ParametersJson, hello.ParametersJson)
	}
	l.answer(&wire.UnitMessage{Body: &wire.UnitMessage_Hello{Hello: l.hello}})
	return nil
}

// batch compares events with the recording and answers requests from it.
func (l *replayLink) batch(batch *wire.EventBatch) error {
	now := newEventCursor(batch)
	for now.more() {
		for !l.recorded.more() {
			b, err := l.events.next()
			if err != nil || b.GetEvents() == nil {
				return fmt.Errorf("the run goes on with event %d, virtual time %d ps, where the recording has none", now.sequence(), now.time())
			}
			l.recorded = newEventCursor(b.GetEvents())
		}
		if field, was, is := l.recorded.difference(&now); field != "" {
			return fmt.Errorf("the run differs from the recording at event %d, virtual time %d ps, in %s: recorded is %s, the run has %s",
				l.recorded.sequence(), l.recorded.time(), field, was, is)
		}
		l.recorded.index++
		now.index++
	}
	if err := l.replyTo(batch); err != nil {
		return err
	}
	through := batch.FirstSequence + uint64(batch.Count)
	l.answer(&wire.UnitMessage{Body: &wire.UnitMessage_Acknowledge{Acknowledge: &wire.Acknowledge{ThroughSequence: through}}})
	return nil
}

func (l *replayLink) replyTo(batch *wire.EventBatch) error {
	switch kindOf(batch) {
	case wire.EventKind_EVENT_KIND_STORE, wire.EventKind_EVENT_KIND_MARK:
		return nil
	case wire.EventKind_EVENT_KIND_COMPACT_TILE:
		if batch.GetCompactTile().Confirmed {
			return nil
		}
	}
	tiles := &wire.CompactTileReply{}
	reply := &wire.ReplyBatch{Count: batch.Count}
	var encoded []byte
	for i := range uint64(batch.Count) {
		r, err := l.recordedReply(batch.FirstSequence + i)
		if err != nil {
			return err
		}
		if !r.tile {
			l.answer(&wire.UnitMessage{Body: &wire.UnitMessage_Replies{Replies: r.batch}})
			return nil
		}
		reply.Sequence = binary.LittleEndian.AppendUint64(reply.Sequence, batch.FirstSequence+i)
		reply.LatencyPs = binary.LittleEndian.AppendUint64(reply.LatencyPs, r.latency)
		tiles.Size = binary.LittleEndian.AppendUint32(tiles.Size, uint32(len(r.encoded)))
		encoded = append(encoded, r.encoded...)
	}
	tiles.Encoded = inline(encoded)
	reply.Columns = &wire.ReplyBatch_CompactTile{CompactTile: tiles}
	l.answer(&wire.UnitMessage{Body: &wire.UnitMessage_Replies{Replies: reply}})
	return nil
}

// recordedReply returns the recorded answer to a request.
func (l *replayLink) recordedReply(sequence uint64) (recordedReply, error) {
	for {
		if r, ok := l.answers[sequence]; ok {
			delete(l.answers, sequence)
			return r, nil
		}
		b, err := l.replies.next()
		if err != nil {
			return recordedReply{}, fmt.Errorf("the recording holds no answer to event %d", sequence)
		}
		if b.GetLifecycleReply() != nil {
			l.lifecycle = append(l.lifecycle, b.GetLifecycleReply())
			continue
		}
		l.file(b.GetReplies())
	}
}

func (l *replayLink) file(batch *wire.ReplyBatch) {
	encoded := batch.GetCompactTile().GetEncoded().GetInline()
	for i := range int(batch.GetCount()) {
		r := recordedReply{latency: binary.LittleEndian.Uint64(batch.LatencyPs[8*i:]), batch: batch}
		if tiles := batch.GetCompactTile(); tiles != nil {
			size := binary.LittleEndian.Uint32(tiles.Size[4*i:])
			r.tile, r.encoded, encoded = true, encoded[:size], encoded[size:]
		}
		l.answers[binary.LittleEndian.Uint64(batch.Sequence[8*i:])] = r
	}
}

// live compares a lifecycle message with the recording and answers it from there.
func (l *replayLink) live(e *wire.Lifecycle) error {
	if l.recorded.more() {
		return fmt.Errorf("the run comes to %v where the recording goes on with event %d, virtual time %d ps", e.Phase, l.recorded.sequence(), l.recorded.time())
	}
	b, err := l.events.next()
	if err != nil {
		return fmt.Errorf("the run comes to %v where the recording ends", e.Phase)
	}
	was := b.GetLifecycle()
	if was == nil {
		return fmt.Errorf("the run comes to %v where the recording goes on with event %d", e.Phase, b.GetEvents().GetFirstSequence())
	}
	if !proto.Equal(was, e) {
		return fmt.Errorf("the run comes to %v of %q at %d ps, recorded is %v of %q at %d ps with other contents", e.Phase, e.Label, e.TimePs, was.Phase, was.Label, was.TimePs)
	}
	if e.Token == 0 {
		return nil
	}
	for len(l.lifecycle) == 0 {
		b, err := l.replies.next()
		if err != nil {
			return fmt.Errorf("the recording holds no answer to %v", e.Phase)
		}
		if b.GetLifecycleReply() != nil {
			l.lifecycle = append(l.lifecycle, b.GetLifecycleReply())
		} else {
			l.file(b.GetReplies())
		}
	}
	l.answer(&wire.UnitMessage{Body: &wire.UnitMessage_Lifecycle{Lifecycle: l.lifecycle[0]}})
	l.lifecycle = l.lifecycle[1:]
	return nil
}

func (l *replayLink) receive(time.Duration) (inbound, error) {
	if len(l.queue) == 0 {
		return inbound{}, errNothing
	}
	m := l.queue[0]
	l.queue = l.queue[:copy(l.queue, l.queue[1:])]
	return m, nil
}

func (l *replayLink) cost(wire.EventKind) (uint64, time.Duration) { return 0, 0 }

func (l *replayLink) placement() string { return "replay" }

func (l *replayLink) close() {
	l.events.close()
	l.replies.close()
}
