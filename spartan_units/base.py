"""The unit interface: derive from `SparsityMonitor`, `CompactionEngine` or `TileScheduler`.

The model calls a hook once per batch of events, with numpy arrays. A unit never sees wall-clock time, and its answers
must be a function of its parameters and the events so far: the same run gives the same trace.
"""

from __future__ import annotations

import abc
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pydantic

from spartan_units.errors import ParameterError
from spartan_units.types import (
    AppliedTiles,
    CompactedTiles,
    Machine,
    Mark,
    SchedulePlan,
    ScheduleQuery,
    StoreBatch,
    TensorInfo,
    TileBatch,
    TileCounts,
    UnitKind,
    ViewInfo,
)

__all__ = ["CompactionEngine", "Costs", "Parameters", "SparsityMonitor", "TileScheduler", "Unit"]


class Parameters(pydantic.BaseModel):
    """Base of a unit's parameters: unknown keys and wrong types are refused, values can't change later."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a unit declares once, in the handshake; the model applies it to virtual time.

    Attributes:
        lookahead_ps: least latency the unit will ever answer a request with.
        elements_per_cycle: service rate of an instance in elements a GPU cycle; 0 stands for unlimited.
        instances: units of this kind on the GPU; 0 stands for one per L2 bank.
        write_stall_cycles: monitor: cycles that an L2 bank is held longer for each line that is written to a watched
            tensor in part, and for every line where `full_line_stall_cycles` is None.
        full_line_stall_cycles: monitor: the same for lines written as a whole.
        read_latency_ps: monitor: a register read inside the GPU; the model adds its host link where the host reads.
        buffers_per_instance: compaction: converted tiles that an instance holds.
        prefetch_depth: compaction: tiles converted ahead of demand.
        line_requests_in_flight: compaction: dense lines that an instance may wait for at once.
    """

    lookahead_ps: int
    elements_per_cycle: float = 0.0
    instances: int = 0
    write_stall_cycles: float = 0.0
    full_line_stall_cycles: float | None = None
    read_latency_ps: int = 0
    buffers_per_instance: int = 0
    prefetch_depth: int = 0
    line_requests_in_flight: int = 0


class Unit(abc.ABC):
    """A hardware unit: what all kinds share.

    Class attributes:
        name: name in results and messages.
        version: version of this implementation, in results.
        kind: the seat it fills; set by the class for the kind.
        Parameters: pydantic model of its parameters.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1.0"
    kind: ClassVar[UnitKind]
    energy_pj: ClassVar[Mapping[str, float]] = {}
    """Energy per operation in picojoules, by the name of the counter that counts the operations; optional."""
    Parameters: ClassVar[type[Parameters]] = Parameters

    def __init__(self, machine: Machine, parameters: dict[str, Any] | None = None) -> None:
        """Validate the parameters.

        Raises:
            ParameterError: names the unit, the key, what was expected and what came.
        """
        self.machine = machine
        self.parameters = self.validate(parameters or {})
        self._tensors: dict[int, TensorInfo] = {}
        self._views: dict[int, ViewInfo] = {}

    @classmethod
    def validate(cls, parameters: dict[str, Any]) -> pydantic.BaseModel:
        """Return the parameters with all defaults.

        Raises:
            ParameterError: names the unit, the key, what was expected and what came.
        """
        try:
            return cls.Parameters.model_validate(parameters)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "parameters"
            known = ", ".join(sorted(cls.Parameters.model_fields)) or "none"
            raise ParameterError(
                f"unit {cls.name}: parameter {key}: {first['msg']}, got {first.get('input')!r}; "
                f"known parameters: {known}"
            ) from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.version} {self.parameters!r}>"

    @abc.abstractmethod
    def costs(self) -> Costs:
        """Return what the unit costs; asked once, before the first event."""

    def start(self) -> None:
        """Begin a run; called once, after the handshake."""

    def layer_begin(self, label: str) -> None:
        """Begin a layer; `label` is the layer and phase of the user's job."""

    def layer_end(self, label: str) -> None:
        """End a layer."""

    def mark(self, mark: Mark) -> None:
        """Take note of a kernel or layer boundary in virtual time."""

    def stop(self) -> None:
        """End the run; called once, also after a failure elsewhere."""

    def counters(self) -> dict[str, float]:
        """Return the unit's own counters; they land in the results."""
        return {}

    def results(self) -> dict[str, float]:
        """Return the counters, and with an energy table the energy in picojoules as `energy_pj`."""
        counters = self.counters()
        if self.energy_pj:
            counters["energy_pj"] = sum(counters[name] * each for name, each in self.energy_pj.items())
        return counters

    def snapshot(self) -> bytes:
        """Return the unit's state; `restore` of it makes the unit answer as it would have from here on."""
        state = {key: value for key, value in vars(self).items() if key not in ("machine", "parameters")}
        return pickle.dumps(state, protocol=5)

    def restore(self, snapshot: bytes) -> None:
        """Return to the state of a `snapshot` of the same unit with the same parameters."""
        vars(self).update(pickle.loads(snapshot))

    def tensor_added(self, tensor: TensorInfo, tile_nonzeros: np.ndarray[Any, np.dtype[np.uint32]]) -> None:
        """Start to observe a tensor whose tiles hold uint32[tiles] `tile_nonzeros` non-zeros now.

        Called again for the same id when the host has copied something into the tensor.
        """
        self._tensors[tensor.id] = tensor

    def tensor_removed(self, tensor: TensorInfo) -> None:
        """Stop to observe a tensor."""
        self._tensors.pop(tensor.id, None)

    def view_added(self, view: ViewInfo) -> None:
        """Start to serve a compacted view."""
        self._views[view.id] = view

    def view_removed(self, view: ViewInfo) -> None:
        """Stop to serve a compacted view."""
        self._views.pop(view.id, None)


class SparsityMonitor(Unit):
    """Counts zeros in watched tensors as their lines are written at L2."""

    kind = UnitKind.MONITOR

    @abc.abstractmethod
    def stores(self, batch: StoreBatch) -> None:
        """Take note of lines written, in virtual-time order."""

    @abc.abstractmethod
    def read_counts(self, tensor: TensorInfo, time_ps: int) -> TileCounts:
        """Return the counts of a tensor at a virtual time that all stores delivered so far lie before."""


class CompactionEngine(Unit):
    """Converts dense tiles into a compacted format when a kernel first loads them through a view."""

    kind = UnitKind.COMPACTION
    formats: ClassVar[tuple[str, ...]] = ("ellpack_dib",)
    stateless: ClassVar[bool] = False
    """True promises that an answer follows from the parameters and the tile's content and shape alone. Then the model
    asks for tiles ahead of time, which hides the way to the unit and back, and changes nothing else."""

    @abc.abstractmethod
    def compact(self, batch: TileBatch) -> CompactedTiles:
        """Encode the tiles of a batch and say how long each takes."""

    def applied(self, tiles: AppliedTiles) -> None:
        """Take note of tiles that take effect: the place to count, for a tile asked for ahead of time may never do."""


class TileScheduler(Unit):
    """Orders and places the work-groups of a sparse GEMM, and chooses the code path of every tile."""

    kind = UnitKind.SCHEDULER

    @abc.abstractmethod
    def schedule(self, query: ScheduleQuery) -> SchedulePlan:
        """Return the plan of a launch."""
