"""Measure a side of a case on the simulated GPU, and verify its result in the same run."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Mapping

import numpy as np

from bridge.data import Pattern, sparse_tensor
from bridge.layers.operation import Measurement
from bridge.reference.convolution import compare, expected, useful_macs
from bridge.session import CoSimulation
from bridge.units import default_choices
from bridge.worth.bounds import bounds
from bridge.worth.cases import Case
from bridge.worth.run import Task
from bridge.worth.sides import SIDES
from bridge.worth.store import Record, Store
from spartan_units.types import UnitKind

__all__ = ["measure", "merged", "tasks_of"]

_COLD_ABOVE = 4_000_000_000
"""Multiply-adds, padding left out, from which a case is run once, so that it ends within minutes."""

_INSTRUCTIONS_PER_S = 3.0e6
_START_S = 0.6
_REFERENCE_MACS_PER_S = 3.0e9


def tasks_of(gpu: str, case: Case, *, software: bool = False) -> dict[str, Task]:
    """Return what has to be measured for a case, by side.

    What the dense sides take does not depend on values, so they are measured once for a shape, with operands of
    density 0.5, and Spartan once for all densities and seeds that are asked for.
    """
    base = {"kind": "convolution", "gpu": gpu, "shape": dataclasses.asdict(case.shape), "phase": case.phase}
    patterns = {"operand": case.operand, "x": dataclasses.asdict(case.x), "dy": dataclasses.asdict(case.dy)}
    half = Pattern(density=0.5, seed=1)
    any_case = dataclasses.replace(case, operand="x", x=half, dy=half)
    found = {}
    for name, side in SIDES.items():
        if not (side.always or software) or not side.applies(case.shape, case.phase):
            continue
        what = {**base, **(patterns if side.by_values else {}), "side": name}
        operands = case if side.by_values else any_case
        at = f" at {case.density:g}" if side.by_values else ""
        label = f"{case.layer} {case.phase}{at}, N = {case.shape.images}: {side.heading}"
        found[name] = Task(what, functools.partial(_measure, gpu, operands, name), label, _seconds(case, name))
    return found


def _seconds(case: Case, name: str) -> float:
    """Return about the seconds of a measurement on one core."""
    side, macs = SIDES[name], case.shape.macs
    factor = side.work[0] + (side.work[1] - side.work[0]) * case.density
    runs = 1 if macs > _COLD_ABOVE else 2
    return _START_S + runs * factor * macs / 64 / _INSTRUCTIONS_PER_S + macs / _REFERENCE_MACS_PER_S


def merged(store: Store, tasks: Mapping[str, Task]) -> Record | None:
    """Return the record of a case from those of its sides; None where one is missing that every measurement has.

    Each side has its cycles; "spartan" gives multiply-adds and bounds.
    """
    found: Record = {"verified": True, "wall_s": 0.0}
    for side, task in tasks.items():
        record = store.stored(task.what)
        if record is None and not SIDES[side].always:
            continue
        if record is None:
            return None
        found[side] = record["costs"]
        found["verified"] = found["verified"] and record["verified"]
        found["wall_s"] += record["wall_s"]
        if side == "spartan":
            found |= {key: record[key] for key in ("macs", "useful_macs", "warm", "peak", "bounds")}
    return found


def measure(store: Store, gpu: str, case: Case, *, software: bool = False) -> Record | None:
    """Return the record of a case: all sides in cycles, multiply-adds, bounds, and whether all outputs were right.

    What is not stored is measured now, one after the other; None where the store measures nothing.
    A case is run twice and the second run counts (warm caches and TLBs); above 4 G multiply-adds once, which is
    recorded as warm = false.
    """
    tasks = tasks_of(gpu, case, software=software)
    for task in tasks.values():
        if store.get(task.what, task.make) is None:
            return None
    return merged(store, tasks)


def _measure(gpu: str, case: Case, side: str) -> Record:
    shape, phase = case.shape, case.phase
    rng = np.random.default_rng(case.x.seed + 100)
    x, dy = sparse_tensor(shape.input_shape, case.x), sparse_tensor(shape.output_shape, case.dy, signed=True)
    w = (rng.standard_normal(shape.filter_shape) / np.sqrt(shape.taps)).astype(np.float32)
    macs, useful = useful_macs(shape, case.operand, x=x, dy=dy)
    warm = macs <= _COLD_ABOVE
    begin = time.perf_counter()
    units = [  # in this process: no start, and the same cycles wherever a unit runs
        dataclasses.replace(choice, spec=f"thread:{choice.spec}")
        for kind, choice in default_choices().items()
        if kind in SIDES[side].units
    ]
    with CoSimulation(gpu=gpu, units=units, host_threads=1) as session:
        arrays = {name: session.array(value, name=name) for name, value in {"x": x, "dy": dy, "w": w}.items()}
        with SIDES[side].make(session, case, arrays) as operation:
            if warm:
                operation.run()
            measured = operation.run()
            output = operation.output.numpy()
        energy = 0.0
        if UnitKind.COMPACTION in session.units:
            energy = session.detach(UnitKind.COMPACTION)["energy_nj"] / (2 if warm else 1)
        limit = bounds(case, session.parameters, macs=macs, useful=useful)
    within, error = compare(output, expected(phase, shape, x=x, w=w, dy=dy))
    return {
        "macs": macs,
        "useful_macs": useful,
        "warm": warm,
        "verified": within,
        "costs": {**_costs(measured), "energy_nj": energy, "verified": within, "max_abs_error": error},
        "bounds": dataclasses.asdict(limit),
        "peak": limit.peak,
        "wall_s": round(time.perf_counter() - begin, 1),
    }


def _costs(measured: Measurement) -> Record:
    busy = sum(launch.busy_compute_units * launch.cycles for launch in measured.launches)
    return {
        "cycles": measured.cycles,
        "tail_cycles": measured.tail_cycles,
        "register_cycles": measured.register_cycles,
        "instructions": measured.instructions,
        "l2_bytes": measured.l2_bytes,
        "dram_bytes": measured.dram_bytes,
        "busy_compute_units": busy / measured.cycles if measured.cycles else 0.0,
        "workgroups_skipped": sum(launch.workgroups_skipped for launch in measured.launches),
        "kernels": [launch.kernel for launch in measured.launches],
    }
