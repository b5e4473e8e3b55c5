//go:build !long

package timing_test

// Repetitions of TestThreads and goroutines that load the host meanwhile.
const (
	threadRepetitions = 2
	threadLoad        = 0
)
