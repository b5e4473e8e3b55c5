"""What it costs to know an activation tensor's zeros: by the monitor, by a kernel, and by a ReLU that counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bridge.array import DeviceArray
from bridge.layers import relu
from bridge.layers.operation import Measurement, Operation
from bridge.session import CoSimulation
from bridge.tensors import Matrix
from bridge.units import default_choices
from bridge.worth.run import Task
from bridge.worth.store import Record
from spartan_units.constants import constant

__all__ = ["RATIOS", "Overhead", "overheads", "profiling_task", "read_back_task"]

RATIOS = ("software", "software_without_tail", "fused")
"""Overheads that are set over the hardware's."""

_START_S, _ELEMENTS_PER_S = 2.0, 4e5


@dataclass(frozen=True)
class Overhead:
    """Cycles that profiling a tensor costs in an iteration, read-back included.

    Attributes:
        hardware, software, fused: by the monitor, by the zero-count kernel, by a ReLU that counts.
        tail: the constant launch tail in `software`; the fused variant has none of its own.
    """

    hardware: float
    software: float
    fused: float
    tail: float

    @property
    def ratios(self) -> dict[str, float]:
        """Return the ratios of `RATIOS`; infinite where the hardware costs nothing."""
        costs = (self.software, self.software - self.tail, self.fused)
        if self.hardware <= 0:
            return dict.fromkeys(RATIOS, math.inf)
        return {name: cost / self.hardware for name, cost in zip(RATIOS, costs, strict=True)}


def overheads(record: Record, read_back: Record | None = None) -> Overhead:
    """Return the overhead of a tensor's record: read alone, or with its equal share of an iteration's one read-back.

    The difference of two launches, whose requests meet in another order each time, may even be below zero. So the
    hardware is charged no less than the stalls declared for the lines of one L2 bank, as if none of them was hidden.
    """
    hardware = record["hardware"]
    registers, copy = hardware["register_cycles"], record["software"]["copy_cycles"]
    if read_back is not None:
        registers, copy = (read_back[key] / read_back["tensors"] for key in ("register_cycles", "copy_cycles"))
    return Overhead(
        hardware=max(hardware["stall_cycles"], hardware["declared_stall_cycles"]) + registers,
        software=record["software"]["kernel_cycles"] + copy,
        fused=record["fused"]["added_cycles"] + copy,
        tail=record["software"]["tail_cycles"],
    )


def profiling_task(gpu: str, shape: tuple[int, int, int, int]) -> Task:
    """Return the measurement of what counting the zeros of an activation tensor (NCHW) behind a ReLU costs, in cycles.

    Hardware: what watching adds to the ReLU's launch, the stalls that it declares for the lines of a bank, and the
    register read over the preset's host link. Software: the zero-count kernel, and the copy of its counts over the
    same link. Fused: what a ReLU that counts adds to one that does not, and the copy.
    """
    what = {"kind": "profiling", "gpu": gpu, "shape": list(shape)}
    label = f"profiling of {' x '.join(map(str, shape))}"
    return Task(what, lambda: _measure_profiling(gpu, shape), label, _START_S + math.prod(shape) / _ELEMENTS_PER_S)


def _measure_profiling(gpu: str, shape: tuple[int, int, int, int]) -> Record:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(shape).astype(np.float32)
    zeros = int((np.maximum(x, 0) == 0).sum())
    monitor = [choice for kind, choice in default_choices().items() if kind.value == "monitor"]
    with CoSimulation(gpu=gpu, units=monitor, host_threads=1) as session:
        array = session.array(x, name="x")
        counts = session.empty(-(-x.size // 1024), np.uint32, name="counts")
        with relu.relu_forward(session, "relu", array) as operation:
            y = operation.output
            plain = _warm(operation)
            with relu.software_zero_count(session, "relu", y) as software:
                counted = _warm(software)
                in_software = int(software.output.numpy().sum())
            fused_operation = Operation(session, "relu fused")
            fused_operation.launch("relu_forward_count", {"x": array, "y": y, "counts": counts, "n": array.size})
            fused = _warm(fused_operation)
            in_fused = int(counts.numpy().sum())
            images, channels, height, width = shape
            with session.watch(Matrix(y, images * channels, height * width, height * width, 1, 32, 32)) as watched:
                stalled = _warm(operation)
                read = watched.read_counts()
        copy = _copy_cycles(session, counts)
        lines = -(-array.nbytes // 64)
        declared = constant("monitor.full_line_stall_cycles") * lines / int(session.parameters["l2.banks"])
        right = read.zeros == in_software == in_fused == zeros
    tail = counted.tail_cycles
    return {
        "elements": x.size,
        "verified": right,
        "hardware": {
            "stall_cycles": stalled.cycles - plain.cycles,
            "declared_stall_cycles": declared,
            "register_cycles": read.cycles,
        },
        "software": {"kernel_cycles": counted.cycles, "tail_cycles": tail, "copy_cycles": copy},
        "fused": {"added_cycles": fused.cycles - plain.cycles, "copy_cycles": copy},
    }


def read_back_task(gpu: str, shapes: Sequence[tuple[int, int, int, int]]) -> Task:
    """Return the measurement of what it costs the host to learn the counts of all tensors of an iteration, in cycles.

    Hardware: one burst over the monitor's registers. Software: one copy of all tensors' counts, side by side. Both go
    over the preset's host link.
    """
    what = {"kind": "read back", "gpu": gpu, "shapes": [list(shape) for shape in shapes]}
    label = f"read-back of {len(shapes)} tensors"
    return Task(what, lambda: _measure_read_back(gpu, shapes), label, _START_S + 2)


def _measure_read_back(gpu: str, shapes: Sequence[tuple[int, int, int, int]]) -> Record:
    rng = np.random.default_rng(3)
    monitor = [choice for kind, choice in default_choices().items() if kind.value == "monitor"]
    with CoSimulation(gpu=gpu, units=monitor, host_threads=1) as session:
        zeros, watched = [], []
        for number, (images, channels, height, width) in enumerate(shapes):
            y = np.maximum(rng.standard_normal((images, channels, height, width), np.float32), 0)
            zeros.append(int((y == 0).sum()))
            array = session.array(y, name=f"y{number}")
            matrix = Matrix(array, images * channels, height * width, height * width, 1, 32, 32)
            watched.append(session.watch(matrix))
        counts = session.read_counts(watched)
        groups = sum(-(-int(np.prod(shape)) // 1024) for shape in shapes)
        copy = _copy_cycles(session, session.empty(groups, np.uint32, name="counts"))
    return {
        "tensors": len(shapes),
        "verified": [count.zeros for count in counts] == zeros,
        "register_cycles": counts[0].cycles,
        "copy_cycles": copy,
    }


def _warm(operation: Operation) -> Measurement:
    operation.run()
    return operation.run()


def _copy_cycles(session: CoSimulation, counts: DeviceArray) -> float:
    """Return the cycles of a copy from the device: both ways over the link, the fixed cost, and the bytes."""
    host = {key: float(session.parameters[f"host.{key}"]) for key in _HOST}
    return 2 * host["link_cycles"] + host["copy_from_device_cycles"] + counts.nbytes / host["link_bytes_per_cycle"]


_HOST = ("link_cycles", "copy_from_device_cycles", "link_bytes_per_cycle")
