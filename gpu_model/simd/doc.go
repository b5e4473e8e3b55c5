// Package simd computes 64 lanes at once with the vector instructions of the host: AVX-512 or AVX2 on amd64, NEON on arm64, chosen when
// the program starts. A function gives the same bits as plain Go or says that it can't; where there is none, callers use plain Go.
//
// The assembly comes from one table of recipes (generate/recipes.go), so that every instruction set computes the same thing.
package simd

//go:generate go run ./generate
