"""ReLU on the simulated GPU, with and without the monitor watching what it writes."""

from __future__ import annotations

from bridge.array import DeviceArray
from bridge.layers.operation import Operation
from bridge.session import CoSimulation

__all__ = ["relu_backward", "relu_forward", "software_zero_count"]


def relu_forward(session: CoSimulation, name: str, x: DeviceArray) -> Operation:
    """Return y = max(x, 0)."""
    operation = Operation(session, f"{name} forward")
    y = operation.output = operation.empty(x.shape, "y")
    operation.launch("relu_forward", {"x": x, "y": y, "n": x.size})
    return operation


def relu_backward(session: CoSimulation, name: str, x: DeviceArray, dy: DeviceArray) -> Operation:
    """Return dx = dy where x > 0, else 0; `x` is the forward input or output."""
    operation = Operation(session, f"{name} data_gradient")
    dx = operation.output = operation.empty(dy.shape, "dx")
    operation.launch("relu_backward", {"x": x, "dy": dy, "dx": dx, "n": dy.size})
    return operation


def software_zero_count(session: CoSimulation, name: str, x: DeviceArray) -> Operation:
    """Return the count of zeros that a kernel makes in software: uint32, one for each 1,024 elements."""
    operation = Operation(session, f"{name} software zero count")
    counts = operation.output = operation.empty(-(-x.size // 1024), "counts", "u4")
    operation.launch("zero_count", {"x": x, "counts": counts, "n": x.size})
    return operation
