package cosim

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/wire"
)

// sharedThreshold is the payload size in bytes from which a shared-memory file is cheaper than the message.
const sharedThreshold = 64 << 10

// sharedMemory passes payloads through files in the session's private directory. The sender creates a file of its own for each
// payload; the receiver removes its name when it has opened it. Whoever ends last finds nothing left: both sides remove, at their
// end, what bears their mark.
type sharedMemory struct {
	directory string
	mark      string // prefix of the model's files
	next      atomic.Uint64
}

// newSharedMemory returns nil for an empty directory: then payloads travel in messages.
func newSharedMemory(directory string) (*sharedMemory, error) {
	if directory == "" {
		return nil, nil
	}
	info, err := os.Lstat(directory)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the session's private directory can't be used: %w", err)
	case !info.IsDir() || info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("the session's private directory %s must be a directory of mode 0700, it has mode %04o", directory, info.Mode().Perm())
	}
	return &sharedMemory{directory: directory, mark: fmt.Sprintf("model-%d-", os.Getpid())}, nil
}

// outgoing moves the large payloads of a batch into shared memory; what does not fit there stays in the message.
func (m *sharedMemory) outgoing(batch *wire.EventBatch) *wire.EventBatch {
	large := func(p *wire.Payload) bool { return len(p.GetInline()) >= sharedThreshold }
	switch columns := batch.Columns.(type) {
	case *wire.EventBatch_Store:
		if c := columns.Store; large(c.Old) {
			before, after, err := m.put2(c.Old.GetInline(), c.New.GetInline())
			if err != nil {
				return batch
			}
			return &wire.EventBatch{FirstSequence: batch.FirstSequence, Count: batch.Count, TimePs: batch.TimePs,
				Columns: &wire.EventBatch_Store{Store: &wire.StoreColumns{Tensor: c.Tensor, Address: c.Address, Mask: c.Mask, Old: before, New: after}}}
		}
	case *wire.EventBatch_CompactTile:
		if c := columns.CompactTile; large(c.Dense) {
			dense, err := m.put(c.Dense.GetInline())
			if err != nil {
				return batch
			}
			return &wire.EventBatch{FirstSequence: batch.FirstSequence, Count: batch.Count, TimePs: batch.TimePs,
				Columns: &wire.EventBatch_CompactTile{CompactTile: &wire.CompactTileColumns{View: c.View, Tile: c.Tile, Rows: c.Rows, Columns: c.Columns,
					Dense: dense, Speculative: c.Speculative, Confirmed: c.Confirmed, EncodedBytes: c.EncodedBytes}}}
		}
	}
	return batch
}

// put writes a payload into a file of its own.
func (m *sharedMemory) put(data []byte) (*wire.Payload, error) {
	p, _, err := m.put2(data, nil)
	return p, err
}

// put2 writes two payloads into one file.
func (m *sharedMemory) put2(first, second []byte) (*wire.Payload, *wire.Payload, error) {
	name := fmt.Sprintf("%s%d", m.mark, m.next.Add(1))
	file, err := os.OpenFile(filepath.Join(m.directory, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("a payload can't be shared: %w", err)
	}
	_, err = file.Write(first)
	if err == nil && len(second) > 0 {
		_, err = file.Write(second)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(filepath.Join(m.directory, name))
		return nil, nil, fmt.Errorf("a payload can't be shared: %w", err)
	}
	at := func(offset, size int) *wire.Payload {
		return &wire.Payload{Where: &wire.Payload_Shared{Shared: &wire.SharedMemory{Name: name, Offset: uint64(offset), Size: uint64(size)}}}
	}
	return at(0, len(first)), at(len(first), len(second)), nil
}

// incoming takes a payload out of shared memory, and its file out of the directory.
func (m *sharedMemory) incoming(p *wire.SharedMemory) ([]byte, error) {
	if p.Name == "" || p.Name != filepath.Base(p.Name) || p.Name == "." || p.Name == ".." || strings.ContainsRune(p.Name, filepath.Separator) {
		return nil, fmt.Errorf("%q is no name of a shared payload", p.Name)
	}
	if p.Size > MessageLimit {
		return nil, fmt.Errorf("a shared payload has at most %d bytes, got %d", MessageLimit, p.Size)
	}
	path := filepath.Join(m.directory, p.Name)
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("the shared payload %q can't be opened", p.Name)
	}
	defer func() { _ = file.Close() }()
	_ = os.Remove(path)
	data := make([]byte, p.Size)
	if _, err := io.ReadFull(io.NewSectionReader(file, int64(p.Offset), int64(p.Size)), data); err != nil {
		return nil, fmt.Errorf("the shared payload %q ends before the %d bytes that it should have at %d", p.Name, p.Size, p.Offset)
	}
	return data, nil
}

// clean removes the model's files that no unit has taken.
func (m *sharedMemory) clean() {
	if m == nil {
		return
	}
	entries, _ := os.ReadDir(m.directory)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), m.mark) {
			_ = os.Remove(filepath.Join(m.directory, e.Name()))
		}
	}
}
