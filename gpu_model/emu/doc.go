// Package emu holds the architectural state of the GPU and the semantics of its instructions.
//
// It knows nothing of time. Package timing decides when Execute, Address and Perform are called; functional mode
// calls them back to back.
package emu
