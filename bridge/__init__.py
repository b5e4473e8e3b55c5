"""Python side of the co-simulation: sessions, device arrays, layers, results and the `spartan` command."""

from bridge._version import __version__
from bridge.array import DeviceArray
from bridge.errors import (
    ConfigurationError,
    DeviceMemoryError,
    ModelFailedError,
    SpartanError,
    UnitFailedError,
    VerificationError,
)
from bridge.kernel import Kernel, LaunchProgress, LaunchResult
from bridge.schedule import Prefetch, Schedule
from bridge.session import CoSimulation
from bridge.statistics import SessionStatistics
from bridge.tensors import CompactedView, Counts, Im2colMatrix, Matrix, WatchedTensor
from bridge.units import AttachedUnit, UnitChoice, default_choices
from spartan_units.im2col import Im2col

__all__ = [
    "AttachedUnit",
    "CoSimulation",
    "CompactedView",
    "ConfigurationError",
    "Counts",
    "DeviceArray",
    "DeviceMemoryError",
    "Im2col",
    "Im2colMatrix",
    "Kernel",
    "LaunchProgress",
    "LaunchResult",
    "Matrix",
    "ModelFailedError",
    "Prefetch",
    "Schedule",
    "SessionStatistics",
    "SpartanError",
    "UnitChoice",
    "UnitFailedError",
    "VerificationError",
    "WatchedTensor",
    "__version__",
    "default_choices",
]
