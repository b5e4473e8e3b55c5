//go:build !unix

package workload

// ProcessorSeconds returns 0: this host's processor time is not read.
func ProcessorSeconds() float64 { return 0 }
