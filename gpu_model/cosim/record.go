package cosim

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// recorder writes what one seat's unit was sent and what it answered: two files of blocks, each file a zstd stream of RecordBlock
// messages behind their lengths as varints (docs/recording.md). The blocks depend on virtual time and batch size alone.
type recorder struct {
	entry            *recordedSeat
	recording        *recording
	eventFile, reply *blockWriter
	gathered         *wire.ReplyBatch // replies that wait for more of their kind
	encoded          []byte
}

// recording is a directory with an index of the seats.
type recording struct {
	directory string
	index     recordingIndex
}

// recordingFormat is the version of the files' layout.
const recordingFormat = 1

// IndexFile is the name of a recording's index.
const indexFile = "recording.json"

type recordingIndex struct {
	Format       int             `json:"format"`
	Protocol     string          `json:"protocol"`
	Model        string          `json:"model"`
	ModelVersion string          `json:"model_version"`
	Seats        []*recordedSeat `json:"seats"`
}

type recordedSeat struct {
	Kind     string `json:"kind"`
	Unit     string `json:"unit"`
	Version  string `json:"version"`
	Shadow   bool   `json:"shadow"`
	Events   string `json:"events"`
	Replies  string `json:"replies"`
	Complete bool   `json:"complete"`
	Count    uint64 `json:"event_count"`
}

// newRecording makes the directory, which must be new or empty.
func newRecording(directory string, m *Machine) (*recording, error) {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return nil, fmt.Errorf("the recording can't be made: %w", err)
	}
	if entries, err := os.ReadDir(directory); err != nil || len(entries) > 0 {
		return nil, fmt.Errorf("the recording needs a new or empty directory, %s is not", directory)
	}
	r := &recording{directory: directory, index: recordingIndex{Format: recordingFormat, Protocol: fmt.Sprintf("%d.%d", ProtocolMajor, ProtocolMinor),
		Model: m.Model, ModelVersion: m.Version, Seats: []*recordedSeat{}}}
	return r, r.write()
}

// write replaces the index.
func (r *recording) write() error {
	text, err := json.MarshalIndent(&r.index, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(r.directory, indexFile)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("the recording can't be written: %w", err)
	}
	return os.Rename(path+".new", path)
}

// seat begins the recording of one seat.
func (r *recording) seat(kind wire.UnitKind, shadow bool) (*recorder, error) {
	name := fmt.Sprintf("%02d-%s", len(r.index.Seats), seatName(kind))
	e := &recordedSeat{Kind: seatName(kind), Shadow: shadow, Events: name + ".events.zst", Replies: name + ".replies.zst"}
	events, err := newBlockWriter(filepath.Join(r.directory, e.Events))
	if err != nil {
		return nil, err
	}
	replies, err := newBlockWriter(filepath.Join(r.directory, e.Replies))
	if err != nil {
		return nil, errors.Join(err, events.close())
	}
	return &recorder{entry: e, recording: r, eventFile: events, reply: replies}, nil
}

// hello records the handshake and enters the seat into the index.
func (r *recorder) hello(model *wire.ModelHello, unit *wire.UnitHello) error {
	r.entry.Unit, r.entry.Version = unit.Name, unit.Version
	r.recording.index.Seats = append(r.recording.index.Seats, r.entry)
	if err := r.eventFile.write(&wire.RecordBlock{Body: &wire.RecordBlock_Model{Model: model}}); err != nil {
		return err
	}
	if err := r.eventFile.write(&wire.RecordBlock{Body: &wire.RecordBlock_Unit{Unit: unit}}); err != nil {
		return err
	}
	return r.recording.write()
}

func (r *recorder) event(b *wire.RecordBlock) error {
	r.entry.Count += uint64(b.GetEvents().GetCount())
	return r.eventFile.write(b)
}

// recordReplies is how many replies a block gathers.
const recordReplies = 1024

// replies records a batch of replies, whose payload is encoded; how the unit cut them does not show.
func (r *recorder) replies(batch *wire.ReplyBatch, encoded []byte) error {
	tiles := batch.GetCompactTile()
	if tiles == nil {
		return r.answer(&wire.RecordBlock{Body: &wire.RecordBlock_Replies{Replies: batch}})
	}
	for i := range int(batch.Count) {
		if r.gathered == nil {
			r.gathered = &wire.ReplyBatch{Columns: &wire.ReplyBatch_CompactTile{CompactTile: &wire.CompactTileReply{}}}
		}
		g := r.gathered
		g.Count++
		g.Sequence = append(g.Sequence, batch.Sequence[8*i:8*i+8]...)
		g.LatencyPs = append(g.LatencyPs, batch.LatencyPs[8*i:8*i+8]...)
		g.GetCompactTile().Size = append(g.GetCompactTile().Size, tiles.Size[4*i:4*i+4]...)
		size := binary.LittleEndian.Uint32(tiles.Size[4*i:])
		r.encoded, encoded = append(r.encoded, encoded[:size]...), encoded[size:]
		if g.Count >= recordReplies || len(r.encoded) >= maxBatchBytes {
			if err := r.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *recorder) answer(b *wire.RecordBlock) error {
	if err := r.flush(); err != nil {
		return err
	}
	return r.reply.write(b)
}

func (r *recorder) flush() error {
	g := r.gathered
	if g == nil {
		return nil
	}
	g.GetCompactTile().Encoded = inline(r.encoded)
	err := r.reply.write(&wire.RecordBlock{Body: &wire.RecordBlock_Replies{Replies: g}})
	r.gathered, r.encoded = nil, r.encoded[:0]
	return err
}

// close ends both files; complete tells whether the unit was detached in order.
func (r *recorder) close(complete bool) error {
	err := r.flush()
	if complete && err == nil {
		goodbye := &wire.RecordBlock{Body: &wire.RecordBlock_Goodbye{Goodbye: &wire.Goodbye{Reason: "detached"}}}
		err = errors.Join(r.eventFile.write(goodbye), r.reply.write(goodbye))
	}
	err = errors.Join(err, r.eventFile.close(), r.reply.close())
	r.entry.Complete = complete && err == nil
	return errors.Join(err, r.recording.write())
}

// blockWriter writes blocks into a file.
type blockWriter struct {
	file   *os.File
	zstd   *zstd.Encoder
	length []byte
	block  []byte
}

func newBlockWriter(path string) (*blockWriter, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("the recording can't be written: %w", err)
	}
	encoder, err := zstd.NewWriter(file, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(4<<20))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &blockWriter{file: file, zstd: encoder}, nil
}

func (w *blockWriter) write(b *wire.RecordBlock) error {
	var err error
	if w.block, err = (proto.MarshalOptions{Deterministic: true}).MarshalAppend(w.block[:0], b); err != nil {
		return err
	}
	w.length = binary.AppendUvarint(w.length[:0], uint64(len(w.block)))
	if _, err = w.zstd.Write(w.length); err == nil {
		_, err = w.zstd.Write(w.block)
	}
	if err != nil {
		return fmt.Errorf("the recording can't be written: %w", err)
	}
	return nil
}

func (w *blockWriter) close() error { return errors.Join(w.zstd.Close(), w.file.Close()) }

// blockReader reads a file of blocks.
type blockReader struct {
	path   string
	file   *os.File
	zstd   *zstd.Decoder
	stream *bufio.Reader
}

func newBlockReader(path string) (*blockReader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the recording can't be read: %w", err)
	}
	decoder, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &blockReader{path: path, file: file, zstd: decoder, stream: bufio.NewReaderSize(decoder, 1<<20)}, nil
}
