//go:build !amd64 && !arm64

package simd

// Control returns the aux of float operations; without vector instructions there are none.
func Control(uint32) (aux uint64, ok bool) { return 0, false }

func hostLevels() []*Level { return nil }
