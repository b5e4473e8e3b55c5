"""What is to be measured for selections, and what the store has of it, network by network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.data import DensityTable, Network, Pattern
from bridge.layers.conv.shape import PHASES
from bridge.worth.adaptive import Sweep, break_evens, sweep_of, worst_excess
from bridge.worth.cases import Case, shape_of
from bridge.worth.claims import Summary, summarise
from bridge.worth.measure import merged, tasks_of
from bridge.worth.profiling import RATIOS, Overhead, overheads, profiling_task, read_back_task
from bridge.worth.run import Task
from bridge.worth.selection import Selection
from bridge.worth.store import Record, Store

__all__ = ["NetworkResult", "Point", "Profiled", "collect", "tasks"]


@dataclass
class Point:
    """The cases of a network at one density or density table.

    Attributes:
        label: the density, or the table's name.
        density: None for a table.
        source: of the densities.
        cases, records: what there is to measure, and what is stored; None where a side is missing.
        summary: None where nothing is stored.
    """

    label: str
    density: float | None
    source: str
    cases: list[Case]
    records: list[Record | None]
    summary: Summary | None

    @property
    def measured(self) -> list[tuple[Case, Record]]:
        """Return the cases with a record."""
        return [(case, record) for case, record in zip(self.cases, self.records, strict=True) if record is not None]

    def rows(self) -> list[dict[str, Any]]:
        """Return plain values of all cases, for JSON and sweeps."""
        return [
            {
                "layer": case.layer,
                "phase": case.phase,
                "operand": case.operand,
                "density": case.density,
                **(record or {}),
            }
            for case, record in zip(self.cases, self.records, strict=True)
        ]


@dataclass(frozen=True)
class Profiled:
    """The overheads of profiling a network's activation tensors.

    Attributes:
        layers: names.
        records: one a tensor.
        read_back: of all tensors at once.
    """

    layers: tuple[str, ...]
    records: tuple[Record, ...]
    read_back: Record

    @property
    def verified(self) -> bool:
        """All counts were right."""
        return bool(self.read_back["verified"]) and all(record["verified"] for record in self.records)

    def overheads(self, *, burst: bool) -> list[Overhead]:
        """Return the overhead of each tensor, read alone or with its share of one read an iteration."""
        return [overheads(record, self.read_back if burst else None) for record in self.records]


@dataclass
class NetworkResult:
    """All that is known of a network, or of some layers and phases of it, at one preset and batch."""

    selection: Selection
    network: Network
    points: list[Point] = field(default_factory=list)
    profiled: Profiled | None = None

    @property
    def gpu(self) -> str:
        """Preset."""
        return self.selection.gpu

    @property
    def images(self) -> int:
        """N."""
        return self.selection.images

    @property
    def whole(self) -> bool:
        """All convolutions and phases are asked for."""
        return not self.selection.layers and set(self.selection.phases) == set(PHASES)

    @property
    def sweep(self) -> Sweep:
        """Return the records by layer, phase and density."""
        return sweep_of({point.density: point.rows() for point in self.points if point.density is not None})

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found: dict[str, Any] = {"gpu": self.gpu, "images": self.images, "network": self.network.name}
        found |= {"layers": self.selection.layers, "phases": self.selection.phases, "points": {}}
        for point in self.points:
            summary = None if point.summary is None else dataclasses.asdict(point.summary)
            found["points"][point.label] = {"source": point.source, "summary": summary, "cases": point.rows()}
        sweep = self.sweep
        if any(len(records) > 2 for records in sweep.values()):
            found |= {"break_evens": break_evens(sweep, 0.0), "adaptive_excess": worst_excess(sweep)}
        if self.profiled is not None:
            found["profiling"] = {"read_back": self.profiled.read_back, "layers": _profiling_rows(self.profiled)}
        return found


def _profiling_rows(profiled: Profiled) -> list[dict[str, Any]]:
    rows = []
    for treatment, burst in (("read tensor by tensor", False), ("read once an iteration", True)):
        for layer, record, overhead in zip(
            profiled.layers, profiled.records, profiled.overheads(burst=burst), strict=True
        ):
            ratios = {key: _number(overhead.ratios[key]) for key in RATIOS}
            rows.append(
                {"layer": layer, "treatment": treatment, **record, **dataclasses.asdict(overhead), "ratios": ratios}
            )
    return rows


def _number(value: float) -> float | str | None:
    return None if math.isnan(value) else "unbounded" if math.isinf(value) else value


def tasks(selections: Sequence[Selection]) -> list[Task]:
    """Return what the selections need, in their order."""
    found: list[Task] = []
    for selection in selections:
        for name in selection.networks:
            network = selection.load(name)
            for _, densities in selection.points(name):
                for case in selection.cases(network, densities):
                    found += _named(name, tasks_of(selection.gpu, case, software=selection.software).values())
            if selection.profiling:
                found += _named(name, _profiling_tasks(selection, network))
    return found


def _named(network: str, found: Any) -> list[Task]:
    return [dataclasses.replace(task, label=f"{network} {task.label}") for task in found]


def _profiling_tasks(selection: Selection, network: Network) -> list[Task]:
    chosen = [layer for layer in network.layers if not selection.layers or layer.name in selection.layers]
    shapes = [shape_of(layer, selection.images).output_shape for layer in chosen]
    per_layer = [profiling_task(selection.gpu, shape) for shape in shapes]
    return [*per_layer, read_back_task(selection.gpu, shapes)]


_Key = tuple[str, int, str, tuple[str, ...], tuple[str, ...], Pattern]


def collect(store: Store, selections: Sequence[Selection]) -> list[NetworkResult]:
    """Return what the store has for the selections; those of the same layers, preset and batch come together."""
    results: dict[_Key, NetworkResult] = {}
    wanted: dict[_Key, dict[str, tuple[DensityTable | float, Selection]]] = {}
    for selection in selections:
        for name in selection.networks:
            key = (selection.gpu, selection.images, name, selection.layers, selection.phases, selection.zeros)
            network = selection.load(name)
            result = results.setdefault(key, NetworkResult(selection, network))
            points = wanted.setdefault(key, {})
            for label, densities in selection.points(name):
                if label not in points or selection.software:
                    points[label] = (densities, selection)
            if selection.profiling:
                result.profiled = _profiled(store, selection, network)
    for key, points in wanted.items():
        found = [_point(store, selection, results[key].network, *at) for at, selection in _ordered(points)]
        results[key].points = found
    return list(results.values())


def _ordered(
    points: dict[str, tuple[DensityTable | float, Selection]],
) -> list[tuple[tuple[str, DensityTable | float], Selection]]:
    """Return densities in ascending order, then tables."""
    items = [((label, densities), selection) for label, (densities, selection) in points.items()]
    return sorted(items, key=lambda item: item[0][1] if isinstance(item[0][1], float) else 2.0)


def _point(store: Store, selection: Selection, network: Network, label: str, densities: DensityTable | float) -> Point:
    cases = selection.cases(network, densities)
    records = [merged(store, tasks_of(selection.gpu, case, software=selection.software)) for case in cases]
    if isinstance(densities, DensityTable):
        density, source = None, densities.source
    else:
        density, source = densities, f"synthetic, {selection.pattern}"
    summary = summarise([case.shape.macs for case in cases], records)
    return Point(label, density, source, cases, records, summary)


def _profiled(store: Store, selection: Selection, network: Network) -> Profiled | None:
    *per_layer, together = _profiling_tasks(selection, network)
    records = [store.stored(task.what) for task in per_layer]
    read_back = store.stored(together.what)
    found = [record for record in records if record is not None]
    if read_back is None or len(found) < len(records):
        return None
    layers = tuple(layer.name for layer in network.layers if not selection.layers or layer.name in selection.layers)
    return Profiled(layers, tuple(found), read_back)
