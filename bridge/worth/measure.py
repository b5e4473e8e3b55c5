"""Measure a case on the simulated GPU, verify it in the same run, and keep the record by what it depends on."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import bridge
import spartan_units
from bridge._binary import gpusim
from bridge.array import DeviceArray
from bridge.catalogue import kernel_folder
from bridge.data import Pattern, sparse_tensor
from bridge.layers import conv
from bridge.layers.operation import Measurement, Operation
from bridge.layers.tuned import TABLE
from bridge.reference.convolution import compare, expected, useful_macs
from bridge.session import CoSimulation
from bridge.units import default_choices
from bridge.worth.bounds import bounds
from bridge.worth.cases import Case
from spartan_units.types import UnitKind

__all__ = ["Record", "Store", "measure"]

Record = dict[str, Any]

_METHOD = 5
"""Goes up when a record's figures come to mean something else."""

_COLD_ABOVE = 400_000_000
"""Multiply-adds from which a case is run once: what is cold then is a small part of it."""


@functools.cache
def _versions() -> str:
    """Return a digest of what cycles depend on: the model, kernels, units, and the code that launches them."""
    digest = hashlib.sha256()
    files = [gpusim(), *sorted(kernel_folder().glob("*.hsaco"))]
    layers = Path(bridge.__file__).parent / "layers"
    files += sorted((layers / "conv").glob("*.py")) + [layers / f"{name}.py" for name in ("gemm", "operation", "relu")]
    files += [path for path in [TABLE] if path.exists()]
    units = Path(spartan_units.__file__).parent
    files += sorted(path for path in units.rglob("*") if path.suffix in (".py", ".toml"))
    files += [Path(bridge.__file__).parent / "data" / "synthetic.py"]
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Store:
    """Records on disk, one file each, named by a digest of what they depend on; a run that was stopped goes on."""

    def __init__(self, folder: Path, *, only_stored: bool = False) -> None:
        """Keep records in `folder`; with `only_stored`, nothing is measured."""
        self._folder = folder
        self._only_stored = only_stored

    def get(self, what: dict[str, Any], make: Callable[[], Record]) -> Record | None:
        """Return the record of `what`, made now where there is none; None where nothing is to be measured."""
        key = json.dumps({**what, "method": _METHOD, "versions": _versions()}, sort_keys=True)
        path = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
        if path.exists():
            record: Record = json.loads(path.read_text(encoding="utf-8"))
            return record
        if self._only_stored:
            return None
        record = make()
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({**record, "of": what}, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
        return record


def measure(store: Store, gpu: str, case: Case, *, host_threads: int = 0, software: bool = False) -> Record | None:
    """Return the record of a case: all sides in cycles, multiply-adds, bounds, and whether all outputs were right.

    The sides are the implicit GEMM, Winograd where it applies, and Spartan.

    A case is run twice and the second run counts (warm caches and TLBs); above 400 M multiply-adds once, which is
    recorded as warm = false.

    What the dense sides take does not depend on values, so they are measured once for a shape, with operands of
    density 0.5, and Spartan once for all densities and seeds that are asked for. With `software`, "software" is
    Spartan without its compaction engine: a kernel converts to ELLPACK-DIB.
    """
    base = {"kind": "convolution", "gpu": gpu, "shape": dataclasses.asdict(case.shape), "phase": case.phase}
    patterns = {"operand": case.operand, "x": dataclasses.asdict(case.x), "dy": dataclasses.asdict(case.dy)}
    half = Pattern(density=0.5, seed=1)
    any_case = dataclasses.replace(case, operand="x", x=half, dy=half)
    sides = {
        "dense": (base, any_case),
        "spartan": ({**base, **patterns}, case),
    }
    if conv.takes_winograd(case.shape, case.phase):
        sides["winograd"] = (base, any_case)
    if software:
        sides["software"] = ({**base, **patterns}, case)
    merged: Record = {"verified": True, "wall_s": 0.0}
    for side, (what, operands) in sides.items():
        record = store.get({**what, "side": side}, functools.partial(_measure, gpu, operands, side, host_threads))
        if record is None:
            return None
        merged[side] = record["costs"]
        merged["verified"] = merged["verified"] and record["verified"]
        merged["wall_s"] += record["wall_s"]
        if side == "spartan":
            merged |= {key: record[key] for key in ("macs", "useful_macs", "warm", "bounds")}
    return merged


def _measure(gpu: str, case: Case, side: str, host_threads: int) -> Record:
    shape, phase = case.shape, case.phase
    rng = np.random.default_rng(case.x.seed + 100)
    x, dy = sparse_tensor(shape.input_shape, case.x), sparse_tensor(shape.output_shape, case.dy, signed=True)
    w = (rng.standard_normal(shape.filter_shape) / np.sqrt(shape.taps)).astype(np.float32)
    reference = expected(phase, shape, x=x, w=w, dy=dy)
    macs, useful = useful_macs(shape, case.operand, x=x, dy=dy)
    warm = macs <= _COLD_ABOVE
    begin = time.perf_counter()
    units = [
        choice for kind, choice in default_choices().items() if side != "software" or kind is not UnitKind.COMPACTION
    ]
    with CoSimulation(gpu=gpu, units=units, host_threads=host_threads) as session:
        arrays = {name: session.array(value, name=name) for name, value in {"x": x, "dy": dy, "w": w}.items()}
        with _operation(session, case, side, arrays) as operation:
            if warm:
                operation.run()
            measured = operation.run()
            within, error = compare(operation.output.numpy(), reference)
        limit = bounds(case, session.parameters, macs=macs, useful=useful)
    return {
        "macs": macs,
        "useful_macs": useful,
        "warm": warm,
        "verified": within,
        "costs": {**_costs(measured), "verified": within, "max_abs_error": error},
        "bounds": dataclasses.asdict(limit),
        "wall_s": round(time.perf_counter() - begin, 1),
    }


def _operation(session: CoSimulation, case: Case, side: str, arrays: Mapping[str, DeviceArray]) -> Operation:
    shape, phase = case.shape, case.phase
    if side == "winograd":
        filters = conv.WinogradFilters(session, shape, arrays["w"], phase, case.layer)
        operand = arrays["x" if phase == "forward" else "dy"]
        return conv.winograd(phase, session, case.layer, shape, filters=filters, x=operand)
    layouts = conv.FilterLayouts(session, shape, arrays["w"], case.layer)
    operands: dict[str, Any] = {"x": arrays["x"], "layouts": layouts, "dy": arrays["dy"]}
    if side == "dense":
        return conv.dense(phase, session, case.layer, shape, **operands)
    return conv.spartan(phase, session, case.layer, shape, **operands, sparse_operand=case.operand)


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
        "kernels": [launch.kernel for launch in measured.launches],
    }
