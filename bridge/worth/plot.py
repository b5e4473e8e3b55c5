"""The sweep of densities as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["plot_sweep"]


def plot_sweep(path: Path, network: str, points: Mapping[float, Sequence[Mapping[str, Any]]]) -> bool:
    """Draw the speedup of every measured case over its density, one panel a phase, beside the ideal 1 / density.

    Args:
        path: image file to write; the ending chooses the format.
        network: for the title.
        points: density to cases, as `spartan claims` lists them in its JSON.

    Returns:
        Whether there was anything to draw: two densities with a measured case.
    """
    series: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for density, cases in points.items():
        for case in cases:
            if "dense" in case:
                speedup = case["dense"]["cycles"] / case["spartan"]["cycles"]
                of_layer = series.setdefault(case["phase"], {}).setdefault(case["layer"], [])
                of_layer.append((density, speedup, case["bounds"]["attainable"]))
    if len({density for layers in series.values() for line in layers.values() for density, *_ in line}) < 2:
        return False
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(series), figsize=(5 * len(series), 4), squeeze=False, sharey=True)
    for axis, (phase, layers) in zip(axes[0], series.items(), strict=True):
        for layer, line in layers.items():
            line.sort()
            axis.plot([x for x, *_ in line], [y for _, y, _ in line], marker=".", label=layer)
        densities = sorted({x for line in layers.values() for x, *_ in line})
        axis.plot(densities, [1 / x for x in densities], "k:", label="ideal")
        axis.axhline(1, color="grey", linewidth=0.8)
        axis.set(title=phase.replace("_", " "), xlabel="density", yscale="log")
        axis.legend(fontsize=7)
    axes[0][0].set_ylabel("speedup over the implicit GEMM")
    figure.suptitle(network)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return True
