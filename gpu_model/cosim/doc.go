// Package cosim couples the GPU model with the hardware units of a co-simulation: it turns what happens in the model into
// unit events, applies the units' answers, and keeps the trace of both.
//
// The model owns the clock. Posted events need no answer; a request is answered at the latest when virtual time reaches
// the first point that the answer could influence. Nothing here depends on wall-clock time, on how events are cut
// into batches, or on where a unit runs.
package cosim
