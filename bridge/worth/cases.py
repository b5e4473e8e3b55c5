"""Cases: one phase of one convolution at given densities of its operands."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.data import ConvolutionLayer, DensityTable, Network, Pattern
from bridge.errors import ConfigurationError
from bridge.layers.conv import ConvolutionShape

__all__ = ["Case", "cases_of", "shape_of"]


AT_RANDOM = Pattern(density=1.0, seed=1)
"""Zeros at random; its density stands for none."""


def shape_of(layer: ConvolutionLayer, images: int) -> ConvolutionShape:
    """Return a network layer's extents."""
    return ConvolutionShape(
        images, layer.c, layer.h, layer.w, layer.k, layer.r, layer.s, layer.stride, layer.stride, layer.pad, layer.pad,
        groups=layer.groups,
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes:
        layer: name in the network.
        shape: extents.
        phase: forward, data_gradient or filter_gradient.
        operand: "x" or "dy", whose zeros are skipped.
        x, dy: patterns of X and dY; the one that is not the operand does not change cycles, only values.
    """

    layer: str
    shape: ConvolutionShape
    phase: str
    operand: str
    x: Pattern
    dy: Pattern

    @property
    def density(self) -> float:
        """Density of the operand whose zeros are skipped."""
        return (self.x if self.operand == "x" else self.dy).density


def cases_of(
    network: Network,
    densities: DensityTable | float,
    *,
    images: int = 1,
    layers: Sequence[str] = (),
    phases: Sequence[str] = ("forward", "data_gradient", "filter_gradient"),
    zeros: Pattern = AT_RANDOM,
) -> list[Case]:
    """Return the cases of a training step: all phases of all convolutions, without the first layer's data gradient.

    Args:
        network: the layers.
        densities: of each layer's input and output, or one density for all. dY has its layer's output density, since
            the ReLU behind it masks both alike. The first layer's input is the image, and dense.
        images: N.
        layers: names to restrict to; empty for all.
        phases: to restrict to.
        zeros: imbalance, clusters and seed of the synthetic operands; its density is not used.

    Raises:
        ConfigurationError: for a name that is not in the network.
    """
    names = [layer.name for layer in network.layers]
    for name in layers:
        if name not in names:
            raise ConfigurationError(f"network {network.name} has no layer {name!r}; it has {', '.join(names)}")
    cases = []
    for index, layer in enumerate(network.layers):
        if layers and layer.name not in layers:
            continue
        if isinstance(densities, DensityTable):
            place = densities.layers.index(layer.name)
            x_density, dy_density = densities.input[place], densities.output[place]
        else:
            x_density, dy_density = (1.0 if index == 0 else densities), densities
        x = dataclasses.replace(zeros, density=x_density)
        dy = dataclasses.replace(zeros, density=dy_density, seed=zeros.seed + 1)
        for phase in phases:
            if phase == "data_gradient" and index == 0:
                continue
            operand = {"forward": "x", "data_gradient": "dy"}.get(phase, "x" if x_density <= dy_density else "dy")
            cases.append(Case(layer.name, shape_of(layer, images), phase, operand, x, dy))
    return cases
