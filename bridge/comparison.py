"""Several units on the same layers: one table, one plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.config import RunConfig
from bridge.job import run_job
from bridge.results import Results
from bridge.units import UnitChoice

__all__ = ["Variant", "compare_units", "plot"]


@dataclass(frozen=True)
class Variant:
    """A run with one choice of units: its label, and its results."""

    label: str
    results: Results

    def cycles(self) -> dict[tuple[str, str], int]:
        """Return the Spartan cycles by layer and phase."""
        return {(layer.name, layer.phase): layer.spartan.cycles for layer in self.results.layers}


def compare_units(
    config: RunConfig,
    folder: Path,
    variants: Sequence[tuple[str, tuple[UnitChoice, ...]]],
    *,
    log: Path | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> list[Variant]:
    """Run a configuration once for every variant, a label and the units that differ from the configuration's."""
    done = []
    for label, choices in variants:
        note(label)
        done.append(Variant(label, run_job(config, folder, units=choices, log=log)))
    return done


def plot(variants: Sequence[Variant], path: Path) -> None:
    """Draw the speedup over dense of every layer and phase, one bar a variant."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    keys = list(variants[0].cycles())
    figure = Figure(figsize=(max(6.0, 0.9 * len(keys) + 2), 4.5), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(variants)
    for place, variant in enumerate(variants):
        speedups = [layer.speedup or 0.0 for layer in variant.results.layers]
        at = [index + (place - (len(variants) - 1) / 2) * width for index in range(len(keys))]
        axes.bar(at, speedups, width, label=variant.label)
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_xticks(range(len(keys)), [f"{name}\n{phase.replace('_', ' ')}" for name, phase in keys], fontsize=8)
    axes.set_ylabel("speedup over dense (cycles)")
    axes.legend(fontsize=8)
    FigureCanvasAgg(figure)  # not through pyplot: nothing of it may outlive the command
    figure.savefig(path)
