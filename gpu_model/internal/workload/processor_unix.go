//go:build unix

package workload

import (
	"syscall"
	"time"
)

// ProcessorSeconds returns the user and system time that the process has used, in seconds.
func ProcessorSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
