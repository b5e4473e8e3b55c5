// Package timing tells when each instruction of a kernel issues and completes.
//
// A GPU is 16 shader arrays of four compute units, the L2 banks and what lies behind them. Time advances in windows that are
// shorter than the least latency from a compute unit's cache miss to its answer: inside a window every shader array is
// simulated on its own (on as many host cores as there are), and what leaves it (misses, stores, atomics, loads through compacted
// views) is carried out between windows, ordered by time, shader array, compute unit, wavefront and sequence. The result does
// not depend on the number of host threads.
//
// Memory is timed by reservation: an access asks the ports, banks and MSHRs that it passes when they are free, and knows its
// completion time at once or, past the L1 caches, at the end of the window. Package emu supplies what instructions do.
package timing
