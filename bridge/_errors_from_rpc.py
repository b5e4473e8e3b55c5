"""Status codes of the GpuModel service to the bridge's errors; the contract names what each code stands for."""

from __future__ import annotations

import grpc

from bridge.errors import ConfigurationError, DeviceMemoryError, ModelFailedError, SpartanError, UnitFailedError

__all__ = ["CONNECTION_LOST", "error_of"]

CONNECTION_LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN)

_CLASSES: dict[grpc.StatusCode, type[SpartanError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: ConfigurationError,
    grpc.StatusCode.NOT_FOUND: ConfigurationError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: DeviceMemoryError,
    grpc.StatusCode.ABORTED: UnitFailedError,
}


def error_of(error: grpc.RpcError) -> SpartanError:
    """Return the error that a failed call stands for, with the model's sentence."""
    code, details = error.code(), error.details()
    return _CLASSES.get(code, ModelFailedError)(details or f"the GPU model answered {code.name}")
