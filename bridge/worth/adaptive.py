"""Break-even densities from a measured sweep, and how an adaptive run with them compares with the dense sides."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.adaptive import AdaptiveController, AdaptivePolicy

__all__ = ["Sweep", "break_even_against", "break_evens", "fastest_dense", "sweep_of", "worst_excess"]

Sweep = Mapping[str, Mapping[float, Mapping[str, Any]]]
"""Records by "layer phase" and density."""


def sweep_of(points: Mapping[float, Sequence[Mapping[str, Any]]]) -> Sweep:
    """Return the measured cases of several densities, as `spartan claims` lists them, by layer and phase.

    Cases whose operand has a density of its own, like the image's, are left out.
    """
    found: dict[str, dict[float, Mapping[str, Any]]] = {}
    for density, cases in points.items():
        for case in cases:
            if "spartan" in case and case["density"] == density:
                found.setdefault(f"{case['layer']} {case['phase']}", {})[density] = case
    return found


def fastest_dense(record: Mapping[str, Any]) -> int:
    """Return the cycles of the faster dense side: the implicit GEMM, or Winograd where it applies."""
    return min(int(record[side]["cycles"]) for side in ("dense", "winograd") if side in record)


def break_evens(sweep: Sweep, margin: float) -> dict[str, float]:
    """Return the break-even density of every layer and phase, for `AdaptivePolicy.break_even_by_phase`.

    It lies `margin` below the density at which Spartan takes as long as the fastest dense side (linear between
    measured densities), so that a phase that stays sparse up to break-even + margin never loses; 0 where it never wins.
    """
    return {name: max(0.0, break_even_against(records, fastest_dense) - margin) for name, records in sweep.items()}


def break_even_against(records: Mapping[float, Mapping[str, Any]], dense: Callable[[Mapping[str, Any]], int]) -> float:
    """Return the density at which Spartan takes the cycles that `dense` gives of a record, linear between densities.

    The greatest density measured where Spartan is faster at all; 0 where it is at none.
    """
    densities = sorted(records)
    gains = [dense(records[d]) - int(records[d]["spartan"]["cycles"]) for d in densities]
    equal = densities[0] if gains[0] >= 0 else 0.0
    for (low, gain), (high, later) in itertools.pairwise(zip(densities, gains, strict=True)):
        if gain < 0:
            break
        equal = high if later >= 0 else low + (high - low) * gain / (gain - later)
    return equal


def worst_excess(sweep: Sweep, margin: float = 0.03) -> float:
    """Return how much slower an adaptive run is than the fastest dense side at worst, as a fraction; below 0: faster.

    For each measured density the break-evens come from the other densities alone, and the phase comes to that density
    from either side, so that the hysteresis is in it.
    """
    worst = -1.0
    for name, records in sweep.items():
        for density, record in records.items():
            others = {other: value for other, value in records.items() if other != density}
            if len(others) < 2:
                continue
            policy = AdaptivePolicy(break_even_by_phase=break_evens({name: others}, margin), margin=margin)
            for start in (0.0, 1.0):
                controller = AdaptiveController(policy)
                for iteration, seen in enumerate((start, density)):
                    controller.observe(*_split(name), iteration, seen)
                    side = controller.choose(*_split(name), iteration)
                taken = int(record["spartan"]["cycles"]) if side == "spartan" else fastest_dense(record)
                worst = max(worst, taken / fastest_dense(record) - 1)
    return worst


def _split(name: str) -> tuple[str, str]:
    layer, phase = name.rsplit(" ", 1)
    return layer, phase
