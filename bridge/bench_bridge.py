"""What the bridge costs: against a bare gRPC stream, and in a co-simulation against units built into the model."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic

from bridge._binary import gpusim
from bridge._folder import session_folder
from bridge._process import Child, ChildError
from bridge.errors import ModelFailedError, VerificationError
from bridge.layers.conv import PHASES, ConvolutionShape, FilterLayouts, spartan
from bridge.session import CoSimulation
from bridge.units import UnitChoice, default_choices
from spartan_units.types import UnitKind

__all__ = ["ALEXNET_CONV2", "BridgeBench", "measure_bridge", "measure_hiding"]

ALEXNET_CONV2 = ConvolutionShape(1, 96, 27, 27, 256, 5, 5, pad_h=2, pad_w=2, groups=2)
"""The second convolution of AlexNet (Krizhevsky et al. 2012), one image."""

_DENSITY = {"x": 0.5, "dy": 0.4}


class BridgeBench(pydantic.BaseModel):
    """The figures of `spartan bench bridge`.

    Attributes:
        posted_per_s: posted store events a second through the bridge, 4,096 a batch, to a unit that does nothing.
        raw_posted_per_s: the same bytes on a bare gRPC stream to a server that does not look at them.
        round_trip_us_median: a request for one small tile and its answer.
        raw_round_trip_us_median: a message of 128 bytes there and back on a bare stream.
        posted_share, round_trip_ratio: medians over rounds of bridge over bare stream, one after the other.
        hidden_share: of the time that tiles are under way to the compaction engine and back, the part in which the
            model did not stand still for them; AlexNet conv2, three phases, default parameters.
        grpc_over_builtin: wall time of these with Python units over gRPC, over that with units built into the model.
        rounds, repeats: how often each was measured.
    """

    schema_: Literal["spartan.bench.bridge/1"] = pydantic.Field(default="spartan.bench.bridge/1", alias="schema")
    posted_per_s: float
    raw_posted_per_s: float
    posted_share: float
    round_trip_us_median: float
    raw_round_trip_us_median: float
    round_trip_ratio: float
    hidden_share: float | None = None
    grpc_over_builtin: float | None = None
    grpc_s: float | None = None
    builtin_s: float | None = None
    rounds: int
    repeats: int = 0

    model_config = pydantic.ConfigDict(populate_by_name=True)


def measure_bridge(rounds: int = 7) -> BridgeBench:
    """Compare the bridge with a bare gRPC stream, in turn within each round.

    Raises:
        ModelFailedError: where a process does not start or the measurement fails.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spartan-", dir=session_folder())))

        def start(name: str, *command: str) -> Child:
            child = Child([sys.executable, "-m", *command], log=folder / f"{name}.log")
            stack.callback(child.stop)
            return child

        address = {name: f"unix:{folder / name}" for name in ("monitor", "compaction", "echo")}
        serve = ("spartan_units.serve", "--unit")
        children = [
            start("monitor", *serve, "bridge._echo_server:IdleMonitor", "--listen", address["monitor"]),
            start("compaction", *serve, "bridge._echo_server:IdleEngine", "--listen", address["compaction"]),
            start("echo", "bridge._echo_server", address["echo"]),
        ]
        try:
            for child in children:
                child.wait_ready(30)
        except ChildError as error:
            raise ModelFailedError(f"a server of the benchmark did not start: {error}") from None
        command = [str(gpusim()), "bench", "bridge", "--private", str(folder), "--rounds", str(rounds)]
        command += [argument for name, where in address.items() for argument in (f"--{name}", where)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ModelFailedError(result.stderr.strip())
    measured: list[dict[str, float]] = json.loads(result.stdout)

    def median(values: Iterable[float]) -> float:
        return statistics.median(values)

    return BridgeBench(
        **{name: median(each[name] for each in measured) for name in measured[0]},
        posted_share=median(each["posted_per_s"] / each["raw_posted_per_s"] for each in measured),
        round_trip_ratio=median(each["round_trip_us_median"] / each["raw_round_trip_us_median"] for each in measured),
        rounds=rounds,
    )


def measure_hiding(
    bench: BridgeBench,
    shape: ConvolutionShape = ALEXNET_CONV2,
    repeats: int = 3,
    note: Callable[[str], None] = lambda _: None,
) -> BridgeBench:
    """Add what units over gRPC cost in a co-simulation of a layer's three phases.

    Raises:
        VerificationError: where the two placements do not give the same virtual time and trace.
    """
    builtin = [UnitChoice(kind, "builtin") for kind in UnitKind]
    placements = {"builtin": builtin, "grpc": list(default_choices().values())}
    wall: dict[str, list[float]] = {name: [] for name in placements}
    hidden: list[float] = []
    with ExitStack() as stack:
        jobs = {name: _Job(stack.enter_context(CoSimulation(units=units)), shape) for name, units in placements.items()}
        for repeat in range(repeats):
            seen = {}
            for name, job in jobs.items():
                note(f"repeat {repeat + 1} of {repeats}, {name}")
                wall[name].append(job.run())
                seen[name] = (job.session.statistics().trace_hash, job.session.statistics().time_ps)
            if seen["builtin"] != seen["grpc"]:
                raise VerificationError(f"units over gRPC and built in differ in trace hash and time: {seen}")
        hidden.append(jobs["grpc"].hidden_share())
    ratio = statistics.median(grpc / own for grpc, own in zip(wall["grpc"], wall["builtin"], strict=True))
    return bench.model_copy(
        update={
            "hidden_share": hidden[0],
            "grpc_over_builtin": ratio,
            "grpc_s": statistics.median(wall["grpc"]),
            "builtin_s": statistics.median(wall["builtin"]),
            "repeats": repeats,
        }
    )


class _Job:
    """A convolution's three phases with Spartan, on seeded data."""

    def __init__(self, session: CoSimulation, shape: ConvolutionShape) -> None:
        self.session = session
        self._shape = shape
        random = np.random.default_rng(1)

        def array(name: str, extents: tuple[int, ...], density: float) -> Any:
            values = random.standard_normal(extents).astype(np.float32)
            values[random.random(extents) >= density] = 0
            return session.array(values, name=name)

        self._x = array("x", shape.input_shape, _DENSITY["x"])
        self._dy = array("dy", shape.output_shape, _DENSITY["dy"])
        self._layouts = FilterLayouts(session, shape, array("w", shape.filter_shape, 1.0), "conv2")

    def run(self) -> float:
        """Run all phases; return the wall seconds of their launches."""
        before = len(self.session.launches)
        for phase in PHASES:
            operands: dict[str, Any] = {"x": self._x, "layouts": self._layouts, "dy": self._dy, "bias": None}
            with (
                self.session.layer(phase),
                spartan(phase, self.session, "conv2", self._shape, **operands) as operation,
            ):
                operation.run()
        return sum(launch.wall_s for launch in self.session.launches[before:])

    def hidden_share(self) -> float:
        """Return the share of the engine's round trips that the model did not stand still for."""
        units = {unit.kind: unit for unit in self.session.unit_times()}
        times = units[UnitKind.COMPACTION].events["compact_tile"]
        return 1.0 - min(times.wait_s / times.round_trip_s, 1.0) if times.round_trip_s else 1.0
