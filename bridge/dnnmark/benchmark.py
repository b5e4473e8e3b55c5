"""Runs the layers of a network on the simulated GPU: times every primitive, and verifies it in the same run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bridge.dnnmark.network import Network
from bridge.layers.network import DeviceNetwork, Draw, PlacedPrimitive, gaussian
from bridge.layers.operation import Operation
from bridge.session import CoSimulation

__all__ = ["Phases", "Row", "SpartanFigures", "run_network", "run_primitives"]

Phases = Literal["forward", "backward", "both"]


@dataclass(frozen=True)
class SpartanFigures:
    """A primitive with the three units.

    Attributes:
        cycles: mean over the iterations.
        speedup: cycles without the units over cycles with them; None where none were counted.
        ideal_speedup: multiply-adds of the dense computation over those with a non-zero of the operand that is skipped;
            infinite where it has none, which is null in JSON.
    """

    cycles: float
    speedup: float | None
    ideal_speedup: float


@dataclass(frozen=True)
class Row:
    """The result of one primitive.

    Attributes:
        label: DNNMark's, such as ConvFwd.
        layer: name of the layer.
        phase: forward or backward.
        cycles: GPU cycles, mean over the iterations; 0 in functional mode.
        ms: the same in simulated milliseconds.
        density: fraction of non-zeros of what it reads: the input, or the gradient that arrives; for a convolution the
            operand whose zeros Spartan skips, which for the filter gradient is the sparser of the two.
        verified: every output lies within its tolerance of the float64 reference.
        spartan: the same with the units, None where they do not apply.
        message: what differs, where not verified.
    """

    label: str
    layer: str
    phase: str
    cycles: float
    ms: float
    density: float
    verified: bool
    spartan: SpartanFigures | None
    message: str = field(default="", compare=False)

    def as_json(self) -> dict[str, Any]:
        """Return the row as it stands in the JSON file."""
        entry = asdict(self)
        if not self.message:
            del entry["message"]
        if self.spartan is not None and math.isinf(self.spartan.ideal_speedup):
            entry["spartan"]["ideal_speedup"] = None  # JSON knows no infinity
        return entry


def run_network(
    session: CoSimulation,
    network: Network,
    *,
    iterations: int = 1,
    warmup: int = 0,
    phases: Phases = "both",
    only: str | None = None,
    seed: int = 0,
    draw: Draw = gaussian,
    on_row: Callable[[Row], None] = lambda _: None,
) -> list[Row]:
    """Run a network's primitives in order; return a row for each.

    Every primitive runs `warmup` times unmeasured and `iterations` times measured, one whole pass over the network
    after the other. The last iteration's results are compared with the reference.

    Args:
        session: the device; with units attached, convolutions run with and without them.
        network: from a file.
        iterations: at least 1.
        warmup: at least 0.
        phases: which passes are measured; a backward pass needs the forward one, which then runs once before it.
        only: a single layer to measure; the layers that it depends on run, too.
        seed: of data and parameters.
        draw: makes the data.
        on_row: called with each row as soon as it is known.
    """
    if only is not None:
        _ = network[only]
    with DeviceNetwork(session, network, seed=seed, draw=draw, backward=phases != "forward") as device:
        runner = _Runner(session, iterations, warmup, only, on_row)
        if phases == "backward":
            for placed in device.forward:
                placed.primitive.operation.run()
        measured = [
            *([] if phases == "backward" else device.forward),
            *([] if phases == "forward" else device.backward),
        ]
        if not network.composed:  # layers by themselves: each forward, then backward
            order = list(device.layers)
            measured.sort(key=lambda item: order.index(item.layer))
        runner.run(measured)
        return runner.rows


def run_primitives(
    session: CoSimulation,
    placed: list[PlacedPrimitive],
    *,
    iterations: int,
    warmup: int,
    on_row: Callable[[Row], None],
) -> list[Row]:
    """Run primitives as `run_network` does; return a row for each."""
    runner = _Runner(session, iterations, warmup, None, on_row)
    runner.run(placed)
    return runner.rows


class _Runner:
    def __init__(
        self, session: CoSimulation, iterations: int, warmup: int, only: str | None, on_row: Callable[[Row], None]
    ) -> None:
        self._session = session
        self._iterations = iterations
        self._warmup = warmup
        self._only = only
        self._on_row = on_row
        self.rows: list[Row] = []

    def run(self, placed: list[PlacedPrimitive]) -> None:
        counted: dict[int, list[list[int]]] = {index: [] for index in range(len(placed))}
        for iteration in range(-self._warmup, self._iterations):
            last = iteration == self._iterations - 1
            for index, item in enumerate(placed):
                if self._only not in (None, item.layer):
                    if iteration == -self._warmup:  # once, for the data that others read
                        item.primitive.operation.run()
                    continue
                if last:
                    item.primitive.before()
                cycles = [self._timed(item, operation) for operation in self._operations(item)]
                if iteration >= 0:
                    counted[index].append(cycles)
                if last:
                    self._report(item, counted[index])

    @staticmethod
    def _operations(item: PlacedPrimitive) -> list[Operation]:
        sparse = item.primitive.sparse
        return [item.primitive.operation] if sparse is None else [item.primitive.operation, sparse]

    def _timed(self, item: PlacedPrimitive, operation: Operation) -> int:
        with self._session.layer(f"{item.layer} {item.primitive.label}"):
            cycles = operation.run().cycles
        return cycles if self._session.mode == "timing" else 0  # a register read costs cycles in either mode

    def _report(self, item: PlacedPrimitive, counted: list[list[int]]) -> None:
        primitive = item.primitive
        means = [sum(column) / len(counted) for column in zip(*counted, strict=True)]
        checked = primitive.verify()
        spartan = None
        if primitive.sparse is not None:
            ideal = primitive.ideal() if primitive.ideal is not None else 1.0
            spartan = SpartanFigures(means[1], means[0] / means[1] if means[1] else None, ideal)
        row = Row(
            label=primitive.label,
            layer=item.layer,
            phase=primitive.phase,
            cycles=means[0],
            ms=means[0] / self._session.clock_hz * 1e3,
            density=primitive.density(),
            verified=checked.passed,
            spartan=spartan,
            message=checked.message,
        )
        self.rows.append(row)
        self._on_row(row)
