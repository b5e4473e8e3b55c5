// Package server serves the GPU model to a driver over gRPC: the GpuModel service of spartan.cosim.v1. It only translates; what
// things mean is decided in the packages below it.
package server
