"""Every plan of the sparse convolution of small images gives what float64 numpy says, not the chosen one alone."""

from __future__ import annotations

import numpy as np
import pytest

from bridge import CoSimulation, default_choices
from bridge.layers.conv import ConvolutionShape, FilterLayouts
from bridge.layers.conv.direct import problem_of
from bridge.layers.conv.plane import add_plane, plane_candidates
from bridge.layers.operation import Operation
from bridge.reference.convolution import expected


@pytest.mark.parametrize(
    ("size", "channels"),  # numbers of channels that wavefronts do not share out evenly, too
    [((7, 7), 8), ((8, 7), 8), ((9, 6), 29), ((13, 7), 8), ((14, 7), 13), ((11, 8), 8), ((9, 13), 37)],
)
def test_every_plan(size, channels):
    shape = ConvolutionShape(2, channels, *size, 68, 3, 3, 1, 1, 1, 1, 1, 1, 1)
    problem = problem_of("forward", shape)
    assert problem is not None
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape.input_shape).astype(np.float32) * (rng.random(shape.input_shape) < 0.3)
    w = rng.standard_normal(shape.filter_shape).astype(np.float32)
    bias = rng.standard_normal(shape.filters).astype(np.float32)
    wanted = expected("forward", shape, x=x, w=w, bias=bias)
    plans = plane_candidates(problem)
    assert plans
    with CoSimulation(mode="functional", units=list(default_choices().values())) as session:
        read, filters, added = (
            session.array(values, name=name) for name, values in zip("xwb", (x, w, bias), strict=True)
        )
        layouts = FilterLayouts(session, shape, filters, "conv")
        for plan in plans:
            with Operation(session, "plan") as operation:
                operation.output = operation.empty(shape.output_shape, "y")
                add_plane(operation, problem, plan, read, layouts, operation.output, added)
                for _ in range(2):  # the second launch finds the counters as the first one left them
                    operation.output.write(np.full(shape.output_shape, np.nan, np.float32))
                    operation.run()
                    error = np.abs(operation.output.numpy() - wanted.value)
                    assert (error <= wanted.tolerance).all(), plan
