"""The sparsity-adaptive framework: over training iterations, each layer and phase runs dense or with Spartan.

A training loop asks `choose` before each phase and reports with `observe` what the monitor has read. Activation
sparsity changes slowly, so the monitor is read in some iterations only: the period doubles while densities stay where
they were, up to a limit, and falls back to one when one moves. Every decision is recorded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bridge.errors import ConfigurationError

__all__ = ["AdaptiveController", "AdaptivePolicy", "Decision", "break_even_between"]


@dataclass(frozen=True, kw_only=True)
class AdaptivePolicy:
    """When to change sides, and how often to look.

    Attributes:
        break_even: density below which Spartan is faster, where `break_even_by_phase` has none for "layer phase".
        break_even_by_phase: measured ones, by "layer phase".
        margin: half the width of the hysteresis: a phase goes sparse below break-even − margin and back to dense
            above break-even + margin.
        longest_period: iterations between two readings, at most.
        steady: change of density between readings that still counts as none.
    """

    break_even: float = 0.75
    break_even_by_phase: Mapping[str, float] = field(default_factory=dict)
    margin: float = 0.03
    longest_period: int = 64
    steady: float = 0.02

    def __post_init__(self) -> None:
        """Check the ranges."""
        values = {"break_even": self.break_even, **self.break_even_by_phase}
        for name, value in values.items():
            if not 0 <= value <= 1:
                raise ConfigurationError(f"{name}: expected a density from 0 to 1, got {value}")
        for name in ("margin", "steady"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigurationError(f"{name}: expected a difference from 0 to below 1, got {getattr(self, name)}")
        if self.longest_period < 1:
            raise ConfigurationError(f"longest_period: expected 1 iteration or more, got {self.longest_period}")


def break_even_between(
    dense: float, low: tuple[float, float], high: tuple[float, float], *, margin: float = 0.0
) -> float:
    """Return the density at which Spartan would take as long as dense, from Spartan's cycles at two densities.

    Spartan's cycles are taken as a constant part and one that grows with the density.

    Args:
        dense: cycles without the units.
        low: a density and Spartan's cycles there.
        high: a greater density and Spartan's cycles there.
        margin: what is taken off, so that a phase that stays sparse up to break-even + margin does not lose.

    Raises:
        ConfigurationError: where `high` has no greater density than `low`.
    """
    if high[0] <= low[0]:
        raise ConfigurationError(f"expected two densities in ascending order, got {low[0]} and {high[0]}")
    slope = (high[1] - low[1]) / (high[0] - low[0])
    if slope <= 0:  # nothing is gained by sparsity: one side is faster at every density
        return 1.0 if high[1] < dense else 0.0
    return min(1.0, max(0.0, low[0] + (dense - low[1]) / slope - margin))


@dataclass(frozen=True)
class Decision:
    """What `choose` said, and why.

    Attributes:
        iteration: of the training loop.
        layer, phase: what it was about.
        side: "dense" or "spartan".
        density: latest known of the operand whose zeros would be skipped; None before the first reading.
        age: iterations since that reading.
        changed: the side differs from the iteration before.
    """

    iteration: int
    layer: str
    phase: str
    side: str
    density: float | None
    age: int
    changed: bool


@dataclass
class _State:
    side: str = "dense"
    density: float | None = None
    read_at: int = -1
    period: int = 1
    switches: int = 0


class AdaptiveController:
    """Chooses a side for each layer and phase by monitored density, with hysteresis; records what it chose.

    Attributes:
        decisions: all of them, in order.
    """

    def __init__(self, policy: AdaptivePolicy | None = None) -> None:
        """Begin with everything dense and nothing read."""
        self.policy = policy or AdaptivePolicy()
        self.decisions: list[Decision] = []
        self._states: dict[tuple[str, str], _State] = {}

    def __repr__(self) -> str:
        sparse = sum(state.side == "spartan" for state in self._states.values())
        return f"<AdaptiveController {sparse} of {len(self._states)} phases with Spartan>"

    def due(self, layer: str, phase: str, iteration: int) -> bool:
        """Return whether the monitor is to be read for this layer and phase in this iteration."""
        state = self._states.get((layer, phase))
        return state is None or state.density is None or iteration - state.read_at >= state.period

    def observe(self, layer: str, phase: str, iteration: int, density: float) -> None:
        """Take note of a reading: the density of the operand whose zeros the phase would skip.

        Raises:
            ConfigurationError: for a density outside 0 to 1, or an iteration before the latest.
        """
        if not 0 <= density <= 1:
            raise ConfigurationError(f"{layer} {phase}: expected a density from 0 to 1, got {density}")
        state = self._states.setdefault((layer, phase), _State())
        if iteration < state.read_at:
            raise ConfigurationError(f"{layer} {phase}: iteration {iteration} lies before the latest, {state.read_at}")
        steady = state.density is not None and abs(density - state.density) <= self.policy.steady
        state.period = min(2 * state.period, self.policy.longest_period) if steady else 1
        state.density, state.read_at = density, iteration

    def choose(self, layer: str, phase: str, iteration: int) -> str:
        """Return "dense" or "spartan" for the phase; dense as long as nothing is known."""
        state = self._states.setdefault((layer, phase), _State())
        break_even = self.policy.break_even_by_phase.get(f"{layer} {phase}", self.policy.break_even)
        before = state.side
        if state.density is not None:
            if state.density < break_even - self.policy.margin:
                state.side = "spartan"
            elif state.density > break_even + self.policy.margin:
                state.side = "dense"
        changed = state.side != before
        state.switches += changed
        age = 0 if state.density is None else iteration - state.read_at
        self.decisions.append(Decision(iteration, layer, phase, state.side, state.density, age, changed))
        return state.side

    def trace(self) -> list[dict[str, Any]]:
        """Return the decisions as plain values, for results.json."""
        return [asdict(decision) for decision in self.decisions]

    def write(self, path: Path) -> None:
        """Write policy and decisions as JSON."""
        content = {"policy": asdict(self.policy), "decisions": self.trace()}
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
