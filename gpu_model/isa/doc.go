// Package isa holds the GCN3 (gfx803) opcode table, the decoder and the disassembler. It knows nothing of
// execution or time.
package isa
