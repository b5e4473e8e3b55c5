"""Loaded kernels, their arguments, and what a launch returns."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bridge.array import DeviceArray
from bridge.errors import ConfigurationError
from bridge.metrics import LaunchMetrics
from bridge.profile import KernelProfile

__all__ = [
    "Argument",
    "Kernel",
    "LaunchProgress",
    "LaunchResult",
    "launch_progress",
    "launch_result",
    "loaded_kernel",
    "pack_arguments",
]


@dataclass(frozen=True)
class Argument:
    """One explicit kernel argument: `offset` and `size` in bytes; `kind` and `type_name` as the code object says."""

    name: str
    offset: int
    size: int
    kind: str
    type_name: str


@dataclass(frozen=True)
class Kernel:
    """A kernel of a loaded code object; `id` is the model's."""

    id: int
    name: str
    file: str
    kernarg_bytes: int
    arguments: tuple[Argument, ...]
    required_workgroup: tuple[int, ...]


@dataclass(frozen=True)
class LaunchResult:
    """What one launch took.

    Attributes:
        kernel: kernel name.
        label: what the launch was called by the driver.
        cycles: GPU cycles with the constant launch tail; 0 in functional mode.
        launch_tail_cycles: the constant part.
        instructions: wavefront instructions.
        begin_ps, end_ps: virtual time.
        l2_bytes: bytes moved between L2 and the L1 caches and engines.
        dram_bytes: bytes moved between L2 and DRAM.
        posted_events, requests: what went to units.
        workgroups, workgroups_skipped: numbers of work-groups run and left out by the scheduler.
        busy_compute_units: mean busy share of the compute units, 0 to 1.
        wall_s: wall time of the call; `wall_begin_ns` when it began, in ns since 1970.
        cold: caches and TLBs were empty when the launch began.
        metrics: all metrics under MGPUSim's names, per component; empty in functional mode.
        profile: what each instruction's cycles went to, where the launch asked for it.
    """

    kernel: str
    label: str
    cycles: int
    launch_tail_cycles: int
    instructions: int
    begin_ps: int
    end_ps: int
    l2_bytes: int
    dram_bytes: int
    posted_events: int
    requests: int
    workgroups: int
    workgroups_skipped: int
    busy_compute_units: float
    wall_s: float
    wall_begin_ns: int = 0
    cold: bool = False
    metrics: LaunchMetrics = field(default_factory=LaunchMetrics, repr=False, compare=False)
    profile: KernelProfile | None = field(default=None, repr=False, compare=False)

    @property
    def cycles_without_tail(self) -> int:
        """GPU cycles until the last work-group was done."""
        return self.cycles - self.launch_tail_cycles


@dataclass(frozen=True)
class LaunchProgress:
    """How far a launch is; while the model waits for a unit, only `waiting_for` (unit, event) and `waiting_s` count."""

    label: str
    workgroups_done: int
    workgroups_total: int
    instructions: int
    cycle: int
    waiting_for: str = ""
    waiting_s: float = 0.0


def loaded_kernel(message: Any, file: str) -> Kernel:
    """Return what the wire says of a kernel that was loaded from `file`."""
    return Kernel(
        id=message.id,
        name=message.name,
        file=file,
        kernarg_bytes=message.kernarg_bytes,
        arguments=tuple(Argument(a.name, a.offset, a.size, a.kind, a.type_name) for a in message.arguments),
        required_workgroup=tuple(message.required_workgroup),
    )


def pack_arguments(kernel: Kernel, arguments: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Return the kernel-argument segment.

    Args:
        kernel: tells offset, size and type of each argument.
        arguments: values by name, or in order. A DeviceArray, or an integer device address, fills a buffer; None is the
            null pointer; numpy scalars keep their bytes; Python numbers take the argument's type.

    Raises:
        ConfigurationError: for a missing, surplus or ill-typed argument; kernel and argument are named.
    """
    explicit = [argument for argument in kernel.arguments if not argument.kind.startswith("hidden")]
    if not isinstance(arguments, Mapping):
        if len(arguments) != len(explicit):
            raise ConfigurationError(f"kernel {kernel.name} takes {len(explicit)} arguments, got {len(arguments)}")
        arguments = {argument.name: value for argument, value in zip(explicit, arguments, strict=True)}
    names = [argument.name for argument in explicit]
    for name in arguments:
        if name not in names:
            raise ConfigurationError(f"kernel {kernel.name} has no argument {name!r}; it takes {', '.join(names)}")
    segment = bytearray(kernel.kernarg_bytes)
    for argument in explicit:
        if argument.name not in arguments:
            raise ConfigurationError(f"kernel {kernel.name}: argument {argument.name} is missing")
        data = _bytes(kernel, argument, arguments[argument.name])
        segment[argument.offset : argument.offset + argument.size] = data
    return bytes(segment)


def _bytes(kernel: Kernel, argument: Argument, value: Any) -> bytes:
    if isinstance(value, DeviceArray):
        value = value.address
    elif value is None:
        value = 0
    elif hasattr(value, "address"):  # a compacted view
        value = value.address
    if isinstance(value, (np.generic, np.ndarray)):
        data = value.tobytes()
    elif isinstance(value, bytes):
        data = value
    elif isinstance(value, float) or "float" in argument.type_name or "double" in argument.type_name:
        try:
            data = struct.pack({2: "<e", 4: "<f", 8: "<d"}[argument.size], value)
        except (KeyError, struct.error, OverflowError, TypeError):
            raise _mismatch(kernel, argument, value) from None
    elif isinstance(value, int):
        try:
            data = value.to_bytes(argument.size, "little", signed=value < 0)
        except OverflowError:
            raise _mismatch(kernel, argument, value) from None
    else:
        raise _mismatch(kernel, argument, value)
    if len(data) != argument.size:
        raise _mismatch(kernel, argument, value)
    return data


def _mismatch(kernel: Kernel, argument: Argument, value: Any) -> ConfigurationError:
    kind = argument.type_name or argument.kind
    return ConfigurationError(
        f"kernel {kernel.name}: argument {argument.name} is {argument.size} bytes of {kind}, "
        f"got {value!r} of type {type(value).__name__}"
    )


def launch_progress(label: str, told: Any) -> LaunchProgress:
    """Return what the wire's Progress says of a launch."""
    return LaunchProgress(
        label=label,
        workgroups_done=told.workgroups_done,
        workgroups_total=told.workgroups_total,
        instructions=told.instructions,
        cycle=told.cycle,
        waiting_for=told.waiting_for,
        waiting_s=told.waiting_s,
    )


def launch_result(
    kernel: str, label: str, told: Any, metrics: LaunchMetrics, wall_begin_ns: int, wall_s: float
) -> LaunchResult:
    """Return what the wire's LaunchResult says of a launch."""
    return LaunchResult(
        kernel=kernel,
        label=label,
        cycles=told.cycles,
        launch_tail_cycles=told.launch_tail_cycles,
        instructions=told.instructions,
        begin_ps=told.begin_ps,
        end_ps=told.end_ps,
        l2_bytes=told.l2_bytes,
        dram_bytes=told.dram_bytes,
        posted_events=told.posted_events,
        requests=told.requests,
        workgroups=told.workgroups,
        workgroups_skipped=told.workgroups_skipped,
        busy_compute_units=told.busy_compute_units,
        wall_s=wall_s,
        wall_begin_ns=wall_begin_ns,
        cold=told.cold,
        metrics=metrics,
        profile=KernelProfile.of_message(kernel, told) if told.HasField("profile") else None,
    )
