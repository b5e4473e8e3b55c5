"""Traces: tensors, zero patterns and densities of training runs, in files that other tools read (docs/traces.md)."""

from bridge.traces.densities import DensityLog, DensityRow, read_densities
from bridge.traces.tensors import TraceReader, TraceWriter

__all__ = ["DensityLog", "DensityRow", "TraceReader", "TraceWriter", "read_densities"]
