"""Small jobs that use all three units, and what they leave behind: the same in every placement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge import CoSimulation
from bridge.layers.conv import ConvolutionShape, FilterLayouts, spartan
from bridge.reference.convolution import compare, expected
from bridge.tensors import Matrix

SHAPE = ConvolutionShape(1, 16, 12, 12, 32, 5, 5, pad_h=2, pad_w=2, stride_h=2, stride_w=2)


@dataclass(frozen=True)
class Outcome:
    """What must not depend on where units run, how events are cut, or how fast a unit is."""

    cycles: tuple[int, ...]
    time_ps: int
    trace_hash: str
    zeros: int
    tile_nonzeros: bytes
    memory: bytes
    counters: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]


def sparse(rng: np.random.Generator, shape: tuple[int, ...], density: float) -> np.ndarray:
    values = rng.standard_normal(shape).astype(np.float32)
    return np.where(rng.random(shape) < density, values, np.float32(0))


def run(session: CoSimulation, seed: int = 5, *, shape: ConvolutionShape = SHAPE, detach: bool = True) -> Outcome:
    """A ReLU under watch, then the forward pass of a convolution on its output through a compacted view.

    Asserts that both equal numpy. Detaches the units at the end, unless the session is to run it again.
    """
    rng = np.random.default_rng(seed)
    before = sparse(rng, shape.input_shape, 0.9)
    w = rng.standard_normal(shape.filter_shape).astype(np.float32)
    source = session.array(before, name="before")
    x = session.array(np.ones(shape.input_shape, np.float32), name="x")
    pixels = shape.height * shape.width
    matrix = Matrix(x, shape.channels, pixels, pixels, 1)
    cycles = []
    with session.layer("relu"), session.watch(matrix) as watched:
        launch = session.launch("relu_forward", args={"x": source, "y": x, "n": x.size})
        counts = watched.read_counts()
        cycles.append(launch.cycles)
    after = np.maximum(before, 0)
    assert np.array_equal(x.numpy(), after)
    zeros = int(np.count_nonzero(after == 0))
    assert counts.zeros == zeros
    layouts = FilterLayouts(session, shape, session.array(w, name="w"), "conv")
    with (
        session.layer("conv forward"),
        spartan("forward", session, "conv", shape, x=x, layouts=layouts, dy=None, bias=None) as operation,
    ):
        measured = operation.run()
        result = operation.output.numpy()
    within, error = compare(result, expected("forward", shape, x=after, w=w))
    assert within, error
    cycles.append(measured.cycles)
    statistics = session.statistics()
    counters = tuple(
        (kind.value, tuple(sorted(session.detach(kind).items())))
        for kind in (sorted(session.units, key=lambda k: k.value) if detach else ())
    )
    return Outcome(
        cycles=tuple(cycles),
        time_ps=statistics.time_ps,
        trace_hash=statistics.trace_hash,
        zeros=counts.zeros,
        tile_nonzeros=np.asarray(counts.tile_nonzeros).tobytes(),
        memory=result.tobytes(),
        counters=counters,
    )
