"""What a run leaves behind in results.json; `spartan schema` prints its JSON schema."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Literal

import pydantic

from bridge.layers.operation import Measurement
from bridge.statistics import UnitTimes

__all__ = ["Cost", "Events", "LayerResult", "MonitorResult", "Results", "UnitResult", "Wall"]


class _Record(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")


class KernelCost(_Record):
    """One launch: cycles with the constant tail, wavefront instructions, bytes at L2 and DRAM."""

    kernel: str
    cycles: int
    instructions: int
    l2_bytes: int
    dram_bytes: int


class Cost(_Record):
    """What one way to compute a layer's phase took.

    Attributes:
        cycles: GPU cycles with the constant tails of the launches; 0 in functional mode.
        cycles_without_tails: the same without these.
        instructions: wavefront instructions.
        l2_bytes: bytes between L2 and the L1 caches and engines.
        dram_bytes: bytes between L2 and DRAM.
        register_cycles: the part of the cycles that register reads of the monitor took.
        kernels: the launches in order.
    """

    cycles: int
    cycles_without_tails: int
    instructions: int
    l2_bytes: int
    dram_bytes: int
    register_cycles: int = 0
    kernels: list[KernelCost]

    @classmethod
    def of(cls, measured: Measurement) -> Cost:
        """Return the cost of a measured run."""
        return cls(
            cycles=measured.cycles,
            cycles_without_tails=measured.cycles - measured.tail_cycles,
            instructions=measured.instructions,
            l2_bytes=measured.l2_bytes,
            dram_bytes=measured.dram_bytes,
            register_cycles=measured.register_cycles,
            kernels=[
                KernelCost(
                    kernel=launch.kernel,
                    cycles=launch.cycles,
                    instructions=launch.instructions,
                    l2_bytes=launch.l2_bytes,
                    dram_bytes=launch.dram_bytes,
                )
                for launch in measured.launches
            ],
        )


class LayerResult(_Record):
    """A layer's phase, dense and with Spartan.

    Attributes:
        shape: extents, by name.
        density: useful multiply-adds over dense ones (conv), fraction of non-zeros written (relu).
        sparse_operand: whose zeros Spartan skips: "x", "dy", "both"; None where nothing is skipped.
        ideal_speedup: dense over useful multiply-adds; None where there are none.
        speedup: dense over Spartan cycles; None in functional mode.
        verified: every output of both lies within the error bound of a float64 reference.
        max_abs_error: largest distance from the reference, over both.
        macs, useful_macs: multiply-adds without taps in the padding.
    """

    name: str
    kind: Literal["conv", "relu"]
    phase: Literal["forward", "data_gradient", "filter_gradient"]
    shape: dict[str, int]
    density: float
    sparse_operand: str | None
    macs: int
    useful_macs: int
    ideal_speedup: float | None
    dense: Cost
    spartan: Cost
    speedup: float | None
    verified: bool
    max_abs_error: float


class UnitResult(_Record):
    """A unit that took part: kind, name, version, where it ran, its parameters and its own counters."""

    kind: str
    name: str
    version: str
    placement: str
    parameters: dict[str, Any]
    counters: dict[str, float]


class EventTimesResult(_Record):
    """Where the wall time of one kind of event of one unit went, in seconds.

    Attributes:
        kind: of event; "lifecycle" stands for all messages that are no events.
        events, batches, bytes: how many were sent.
        serialise_s: encoding, on a thread beside the simulation.
        transport_s: from sending to acknowledgement, less the time in the unit.
        unit_s: in the unit's process, translation included; `hook_s` the part inside the unit's own code.
        wait_s: the model stood still for it.
        round_trip_s: requests: from sending to answer, summed over batches.
    """

    kind: str
    events: int
    batches: int
    bytes: int
    serialise_s: float
    transport_s: float
    unit_s: float
    hook_s: float
    wait_s: float
    round_trip_s: float


class UnitTimesResult(_Record):
    """One unit's events and their wall time; of a shadow also what comparing its answers gave.

    Attributes:
        transport: how the model reaches it: builtin, unix, tcp or replay.
        shadow: its answers were compared, not applied.
        compared, different, first_difference: answers compared, those that differ, and the first of these.
    """

    kind: str
    name: str
    transport: str
    shadow: bool
    events: list[EventTimesResult]
    compared: int
    different: int
    first_difference: str

    @classmethod
    def of(cls, times: UnitTimes) -> UnitTimesResult:
        """Return the record of a session's figures."""
        return cls(
            kind=times.kind.value,
            name=times.name,
            transport=times.placement,
            shadow=times.shadow,
            events=[
                EventTimesResult(
                    kind=kind,
                    events=event.events,
                    batches=event.batches,
                    bytes=event.nbytes,
                    serialise_s=event.serialise_s,
                    transport_s=event.transport_s,
                    unit_s=event.unit_s,
                    hook_s=event.hook_s,
                    wait_s=event.wait_s,
                    round_trip_s=event.round_trip_s,
                )
                for kind, event in times.events.items()
            ],
            compared=times.compared,
            different=times.different,
            first_difference=times.first_difference,
        )


class MonitorResult(_Record):
    """What the monitor said of one tensor, and what profiling it cost.

    Attributes:
        density: as counted by the monitor.
        exact: the counts equal those of the tensor itself, read back and counted in numpy.
        stall_cycles: cycles by which the kernel that wrote the tensor took longer under watch.
        register_cycles: cycles of the register read.
        software_cycles: cycles of a kernel that counts the zeros instead; None in functional mode.
    """

    tensor: str
    elements: int
    zeros: int
    density: float
    exact: bool
    stall_cycles: int
    register_cycles: int
    software_cycles: int | None


class Events(_Record):
    """Events to all units, and the batches that they travelled in."""

    posted: int
    requests: int
    batches: int


class Wall(_Record):
    """Wall time in seconds: inside the model, waiting for units, inside the units, all the rest, and in total.

    The model does not count the time that it waits for units; units work while the model simulates, so the parts may
    add up to more than the total, and the bridge's part is never negative.
    """

    model_s: float
    wait_s: float
    bridge_s: float
    units_s: float
    total_s: float


class Results(_Record):
    """A whole run."""

    schema_: Literal["spartan.results/1"] = pydantic.Field(default="spartan.results/1", alias="schema")
    name: str
    mode: Literal["timing", "functional"]
    versions: dict[str, str]
    gpu: dict[str, Any]
    units: list[UnitResult]
    layers: list[LayerResult]
    monitor: list[MonitorResult]
    events: Events
    wall: Wall
    unit_times: list[UnitTimesResult] = []
    trace_hash: str

    model_config = pydantic.ConfigDict(extra="forbid", populate_by_name=True)

    @property
    def verified(self) -> bool:
        """Whether every layer is."""
        return all(layer.verified for layer in self.layers) and all(tensor.exact for tensor in self.monitor)

    def write(self, folder: Path) -> Path:
        """Write `folder`/results.json in one step and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "results.json"
        descriptor, partial = tempfile.mkstemp(dir=folder, prefix=".results", suffix=".json")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.model_dump_json(by_alias=True, indent=2) + "\n")
        Path(partial).replace(path)
        path.chmod(0o644)
        return path
