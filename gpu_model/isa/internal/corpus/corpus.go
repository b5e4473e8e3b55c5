// Package corpus makes, stores and reads instruction words of gfx803 with the text that LLVM gives them. The words come from
// the layout of the encodings alone, not from the opcode table, so that the table is tested against something else.
package corpus

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Entry is one instruction of the corpus.
type Entry struct {
	Words []uint32 // lowest address first
	Text  string   // LLVM's text; "" where LLVM finds no instruction
}

// Bytes returns the instruction as it lies in memory.
func (e *Entry) Bytes() []byte { return wordBytes(e.Words) }

func wordBytes(words []uint32) []byte {
	b := make([]byte, 0, 4*len(words))
	for _, w := range words {
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return b
}

// Write stores entries, compressed: a line of hex dwords, a tab, the text. The same entries give the same bytes.
func Write(w io.Writer, entries []Entry) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(z)
	for i := range entries {
		for j, word := range entries[i].Words {
			if j > 0 {
				_ = b.WriteByte(' ')
			}
			_, _ = fmt.Fprintf(b, "%08x", word)
		}
		_, _ = fmt.Fprintf(b, "\t%s\n", entries[i].Text)
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return z.Close()
}

// Read reads what Write stored.
func Read(r io.Reader) ([]Entry, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("the corpus is not a gzip file: %w", err)
	}
	var entries []Entry
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		hex, text, ok := strings.Cut(lines.Text(), "\t")
		if !ok {
			return nil, fmt.Errorf("corpus line %d: a tab is expected between words and text", len(entries)+1)
		}
		e := Entry{Text: text}
		for _, field := range strings.Fields(hex) {
			word, err := strconv.ParseUint(field, 16, 32)
			if err != nil {
				return nil, fmt.Errorf("corpus line %d: %w", len(entries)+1, err)
			}
			e.Words = append(e.Words, uint32(word))
		}
		entries = append(entries, e)
	}
	return entries, lines.Err()
}
