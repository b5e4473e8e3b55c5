// Package attach puts hardware units of a co-simulation beside an R9 Nano of upstream MGPUSim v4.2, through upstream's public API: hooks
// on ports, tracers, and one component of its own on the connection between the L1 caches and L2.
//
// Find takes the GPU of any simulation apart; Tap observes it and lets units take part. Observation alone moves no cycle.
package attach
