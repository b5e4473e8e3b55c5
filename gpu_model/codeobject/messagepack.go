package codeobject

import (
	"encoding/binary"
	"fmt"
	"math"
)

// maxDepth bounds the nesting of metadata documents.
const maxDepth = 32

// parseMessagePack reads one MessagePack document (source: msgpack specification).
func parseMessagePack(data []byte) (value, error) {
	p := &messagePack{data: data}
	v := p.value(0)
	if p.err != nil {
		return nil, fmt.Errorf("MessagePack at byte %d: %w", len(data)-len(p.data), p.err)
	}
	return v, nil
}

type messagePack struct {
	data []byte
	err  error
}

func (p *messagePack) take(n uint64) []byte {
	if p.err == nil && n > uint64(len(p.data)) {
		p.err = fmt.Errorf("the document ends %d bytes early", n-uint64(len(p.data)))
	}
	if p.err != nil {
		return make([]byte, min(n, 8))
	}
	b := p.data[:n]
	p.data = p.data[n:]
	return b
}

// uint reads a big-endian integer of 1, 2, 4 or 8 bytes.
func (p *messagePack) uint(n uint64) uint64 {
	b := p.take(n)
	switch n {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}

func (p *messagePack) value(depth int) value {
	if depth > maxDepth {
		p.err = fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	if p.err != nil {
		return nil
	}
	switch b := p.take(1)[0]; {
	case b < 0x80:
		return int64(b)
	case b < 0x90:
		return p.mapping(uint64(b&0xf), depth)
	case b < 0xa0:
		return p.sequence(uint64(b&0xf), depth)
	case b < 0xc0:
		return string(p.take(uint64(b & 0x1f)))
	case b >= 0xe0:
		return int64(int8(b))
	case b == 0xc0:
		return nil
	case b == 0xc2, b == 0xc3:
		return b == 0xc3
	case b >= 0xc4 && b <= 0xc6: // bin 8, 16, 32
		return string(p.take(p.uint(1 << (b - 0xc4))))
	case b == 0xca:
		return float64(math.Float32frombits(uint32(p.uint(4))))
	case b == 0xcb:
		return math.Float64frombits(p.uint(8))
	case b >= 0xcc && b <= 0xcf:
		return int64(p.uint(1 << (b - 0xcc)))
	case b == 0xd0:
		return int64(int8(p.uint(1)))
	case b == 0xd1:
		return int64(int16(p.uint(2)))
	case b == 0xd2:
		return int64(int32(p.uint(4)))
	case b == 0xd3:
		return int64(p.uint(8))
	case b >= 0xd9 && b <= 0xdb: // str 8, 16, 32
		return string(p.take(p.uint(1 << (b - 0xd9))))
	case b == 0xdc, b == 0xdd:
		return p.sequence(p.uint(2<<(b-0xdc)), depth)
	case b == 0xde, b == 0xdf:
		return p.mapping(p.uint(2<<(b-0xde)), depth)
	default:
		p.err = fmt.Errorf("type byte 0x%02x is not used by code objects", b)
		return nil
	}
}

func (p *messagePack) sequence(n uint64, depth int) value {
	l := []value{} // grown as elements come: n is not to be trusted
	for ; n > 0 && p.err == nil; n-- {
		l = append(l, p.value(depth+1))
	}
	return l
}

func (p *messagePack) mapping(n uint64, depth int) value {
	m := map[string]value{}
	for ; n > 0 && p.err == nil; n-- {
		key, _ := p.value(depth + 1).(string)
		m[key] = p.value(depth + 1)
	}
	return m
}
