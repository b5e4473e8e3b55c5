"""The sweep of densities as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["plot_sweep"]

_SALT = "spartan"
"""Names inside an SVG file follow from it, so that the same figures give the same file."""


def plot_sweep(path: Path, title: str, points: Mapping[float, Sequence[Mapping[str, Any]]]) -> bool:
    """Draw speedups of every measured case over its density, one panel a phase, beside the ideal 1 / density.

    Lines are over the implicit GEMM; broken lines, where Winograd is faster than that, over Winograd. Layers whose
    figures are all the same, as equal shapes give them, are drawn once.

    Args:
        path: image file to write; the ending chooses the format.
        title: above the panels.
        points: density to cases, as `Point.rows` lists them. Cases whose density is another one, as the image's is, are
            left out.

    Returns:
        Whether there was anything to draw: two densities with a measured case.
    """
    series: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for density, cases in points.items():
        for case in cases:
            if "dense" in case and case.get("density", density) == density:
                spartan, dense = case["spartan"]["cycles"], case["dense"]["cycles"]
                fastest = min(dense, case["winograd"]["cycles"]) if "winograd" in case else dense
                of_layer = series.setdefault(case["phase"], {}).setdefault(case["layer"], [])
                of_layer.append((density, dense / spartan, fastest / spartan))
    if len({density for layers in series.values() for line in layers.values() for density, *_ in line}) < 2:
        return False
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    with pyplot.rc_context({"svg.hashsalt": _SALT}):
        figure, axes = pyplot.subplots(1, len(series), figsize=(5 * len(series), 4.5), squeeze=False, sharey=True)
        colours = pyplot.get_cmap("tab20").colors  # type: ignore[attr-defined]
        for axis, (phase, layers) in zip(axes[0], series.items(), strict=True):
            drawn: dict[tuple[tuple[float, float, float], ...], str] = {}
            for layer, line in layers.items():
                drawn.setdefault(tuple(sorted(line)), layer)
            for number, (line_of, layer) in enumerate(drawn.items()):
                style = {"color": colours[number % len(colours)], "marker": "."}
                axis.plot([x for x, *_ in line_of], [y for _, y, _ in line_of], label=layer, **style)
                if any(dense != fastest for _, dense, fastest in line_of):
                    axis.plot([x for x, *_ in line_of], [y for *_, y in line_of], linestyle="--", **style)
            least = min(density for line_of in drawn for density, *_ in line_of)
            ideal = [least + (1 - least) * step / 50 for step in range(51)]
            axis.plot(ideal, [1 / x for x in ideal], "k:", label="ideal")
            axis.axhline(1, color="grey", linewidth=0.8)
            axis.set(title=phase.replace("_", " "), xlabel="density", yscale="log")
            axis.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
            axis.yaxis.set_minor_formatter(ticker.StrMethodFormatter("{x:g}"))
            axis.legend(fontsize=7)
        axes[0][0].set_ylabel("speedup over dense (broken: over Winograd)")
        figure.suptitle(title)
        figure.tight_layout()
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        pyplot.close(figure)
    return True
