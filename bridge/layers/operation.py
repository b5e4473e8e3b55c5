"""An operation: the buffers and kernel launches of one way to compute one thing, run as often as one likes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.session import CoSimulation
from bridge.tensors import CompactedView, Counts, Matrix, Tiled, WatchedTensor, slot_bytes

__all__ = ["Measurement", "Operation", "ViewPlace"]


@dataclass(frozen=True)
class Measurement:
    """What one run of an operation took.

    Attributes:
        launches: its kernel launches in order.
        register_cycles: cycles that register reads of the monitor took.
    """

    launches: tuple[LaunchResult, ...]
    register_cycles: int = 0

    @property
    def cycles(self) -> int:
        """GPU cycles of all launches, their tails included, and of the register reads."""
        return sum(launch.cycles for launch in self.launches) + self.register_cycles

    @property
    def tail_cycles(self) -> int:
        """The constant launch tails in `cycles`."""
        return sum(launch.launch_tail_cycles for launch in self.launches)

    @property
    def instructions(self) -> int:
        """Wavefront instructions."""
        return sum(launch.instructions for launch in self.launches)

    @property
    def l2_bytes(self) -> int:
        """Bytes between L2 and the L1 caches and engines."""
        return sum(launch.l2_bytes for launch in self.launches)

    @property
    def dram_bytes(self) -> int:
        """Bytes between L2 and DRAM."""
        return sum(launch.dram_bytes for launch in self.launches)


class ViewPlace:
    """Device memory that views of a matrix come to lie in, each at the same address as the one before.

    A view lasts as long as a launch, since nobody may write the matrix meanwhile. Were its place given up in between,
    the next one might lie elsewhere, and pay for the translation of all its pages once more.
    """

    def __init__(self, session: CoSimulation, matrix: Tiled, name: str, format_name: str = "ellpack_dib") -> None:
        """Take the place."""
        self._session, self._matrix, self._name, self._format = session, matrix, name, format_name
        self._bytes = matrix.tiles * slot_bytes(format_name, matrix.tile_rows, matrix.tile_columns)
        self._hold()

    def _hold(self) -> None:
        self._held = self._session.empty(self._bytes, np.uint8, name=self._name)

    @contextlib.contextmanager
    def open(self) -> Iterator[CompactedView]:
        """Map a view there for the length of the context."""
        self._held.free()
        try:
            with self._session.view(self._matrix, self._format) as view:
                yield view
        finally:
            self._hold()

    def close(self) -> None:
        """Give up the place."""
        self._held.free()


class Operation:
    """Steps that run in order; a context manager that owns the buffers made through it.

    Attributes:
        name: label of its launches.
        output: the array that holds the result after `run`.
    """

    def __init__(self, session: CoSimulation, name: str) -> None:
        """Begin without steps."""
        self.session = session
        self.name = name
        self.output: DeviceArray
        self._steps: list[Callable[[], LaunchResult]] = []
        self._resources = contextlib.ExitStack()
        self._register_cycles = 0

    def __repr__(self) -> str:
        return f"<Operation {self.name}, {len(self._steps)} steps>"

    def __enter__(self) -> Operation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def close(self) -> None:
        """Free the buffers and stop watching."""
        self._resources.close()

    def empty(self, shape: int | Sequence[int], name: str, dtype: DTypeLike = np.float32) -> DeviceArray:
        """Allocate a buffer that lives as long as the operation."""
        array = self.session.empty(shape, dtype, name=f"{self.name} {name}")
        self._resources.callback(array.free)
        return array

    def table(self, values: NDArray[Any], name: str) -> DeviceArray:
        """Put constants that depend on the geometry alone into device memory."""
        array = self.session.array(values, name=f"{self.name} {name}")
        self._resources.callback(array.free)
        return array

    def watch(self, matrix: Matrix) -> WatchedTensor:
        """Let the monitor count a matrix as long as the operation lives."""
        watched = self.session.watch(matrix)
        self._resources.callback(watched.close)
        return watched

    def view_place(self, matrix: Tiled, format_name: str = "ellpack_dib") -> ViewPlace:
        """Keep a place in device memory for compacted views of a matrix as long as the operation lives."""
        place = ViewPlace(self.session, matrix, f"{self.name} view", format_name)
        self._resources.callback(place.close)
        return place

    def launch(self, kernel: str, args: Mapping[str, Any], **sizes: int) -> None:
        """Add the launch of a shipped kernel."""
        self.add(lambda: self.session.launch(kernel, args=args, sizes=sizes, label=f"{self.name}: {kernel}"))

    def add(self, step: Callable[[], LaunchResult]) -> None:
        """Add a step that ends in one launch."""
        self._steps.append(step)

    def read_counts(self, watched: WatchedTensor) -> Counts:
        """Read the monitor's registers for the scheduler inside a step; the cycles count for the operation."""
        counts = watched.read_counts(on_chip=True)
        self._register_cycles += counts.cycles
        return counts

    def run(self) -> Measurement:
        """Run all steps once."""
        self._register_cycles = 0
        launches = tuple(step() for step in self._steps)
        return Measurement(launches, self._register_cycles)
