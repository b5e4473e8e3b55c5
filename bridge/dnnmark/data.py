"""Data of a benchmark: drawn, cut from a photograph, or read from a trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridge.config import Input
from bridge.dnnmark.network import Node
from bridge.errors import ConfigurationError
from bridge.layers.network import Draw, gaussian
from bridge.photo import load_photo
from bridge.traces import TraceReader

__all__ = ["INPUTS", "data_source"]

INPUTS = ("gaussian", "photo")
"""What inputs can be, besides traces."""

_SAMPLE_SIDE, _LEAST_CROP = 512, 224
"""Pixels: a square that lies inside the sample photograph, and the smallest part of it that is taken."""


def data_source(inputs: str, folder: Path) -> Draw:
    """Return what makes the data of a benchmark.

    A layer with a trace takes its input from there, and gradient, weights and bias where the trace has them. Other
    inputs are zero-mean Gaussian or a photograph, other gradients zero-mean Gaussian, all with the densities that the
    layer states.

    Args:
        inputs: one of `INPUTS`.
        folder: where relative paths of traces begin.
    """
    if inputs not in INPUTS:
        raise ConfigurationError(f"inputs are {' or '.join(INPUTS)}, got {inputs!r}")

    def draw(node: Node, what: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32] | None:
        if node.layer.trace is not None:
            with TraceReader(folder / node.layer.trace) as trace:
                found = trace.find(node.name, what)
                if what in ("weights", "bias"):
                    return found
                if found is not None:
                    return _fitting(found, shape, f"{node.layer.trace}: {what} of layer {node.name}")
                if what == "input":
                    raise ConfigurationError(f"the trace {node.layer.trace} has no input of layer {node.name!r}")
        if inputs == "photo" and what == "input" and not node.inputs and shape[1] in (1, 3):
            return _photo(shape, rng)
        return gaussian(node, what, shape, rng)

    return draw


def _fitting(values: NDArray[np.float32], shape: tuple[int, ...], what: str) -> NDArray[np.float32]:
    if values.shape[0] < shape[0] or values.shape[1:] != shape[1:]:
        raise ConfigurationError(f"{what} has shape {list(values.shape)}, the layer needs {list(shape)}")
    return values[: shape[0]]


def _photo(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return crops at random places of the sample photograph, scaled to the shape, each channel standardised."""
    n, c, h, w = shape
    images = []
    for _ in range(n):
        size = int(rng.integers(_LEAST_CROP, _SAMPLE_SIDE + 1))
        top, left = (int(rng.integers(0, _SAMPLE_SIDE - size + 1)) for _ in range(2))
        images.append(load_photo(Input(image="sample", crop=(top, left, size, size), resize=(h, w)), Path()))
    values = np.concatenate(images)
    return values if c == 3 else values.mean(axis=1, keepdims=True, dtype=np.float32)
