"""Every plan of the sparse convolution of wide images gives what float64 numpy says, not the chosen one alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bridge import ConfigurationError, CoSimulation, default_choices
from bridge.layers.conv import ConvolutionShape, FilterLayouts, spartan
from bridge.layers.conv.block import add_block, block_candidates, plan_block
from bridge.layers.conv.direct import DirectProblem, problem_of
from bridge.layers.operation import Operation
from bridge.reference.convolution import compare, expected

WIDE = ConvolutionShape(1, 64, 56, 56, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1)


def operands(shape, phase, density):
    rng = np.random.default_rng(0)
    size = shape.input_shape if phase == "forward" else shape.output_shape
    sparse = rng.standard_normal(size).astype(np.float32) * (rng.random(size) < density)
    return sparse.astype(np.float32), rng.standard_normal(shape.filter_shape).astype(np.float32)


@pytest.mark.parametrize("phase", ["forward", "data_gradient"])
@pytest.mark.parametrize(
    ("size", "channels", "pad", "density"),  # the data gradient sums over 24 filters
    [
        ((7, 28), 9, (1, 1), 0.4),  # a last row of blocks with one row of outputs
        ((21, 56), 6, (1, 1), 1.0),  # rows of more than 16 non-zeros; two bands
        ((4, 86), 5, (0, 0), 0.6),
        ((5, 26), 17, (2, 2), 0.9),
        ((31, 224), 3, (1, 1), 0.1),  # 16 bands, and one that nobody reads
    ],
)
def test_every_plan(phase, size, channels, pad, density):
    shape = ConvolutionShape(2, channels, *size, 24, 3, 3, 1, 1, *pad, 1, 1, 1)
    if phase == "data_gradient":  # the same extents the other way round
        height, width = shape.out_height, shape.out_width
        shape = ConvolutionShape(2, 24, height, width, channels, 3, 3, 1, 1, 2 - pad[0], 2 - pad[1], 1, 1, 1)
    sparse, w = operands(shape, phase, density)
    wanted = expected(phase, shape, x=sparse, dy=sparse, w=w)
    problem = problem_of(phase, shape)
    assert problem is not None
    plans = block_candidates(problem)
    assert len(plans) > 1 or channels < 8
    with CoSimulation(mode="functional", units=list(default_choices().values())) as session:
        read, filters = session.array(sparse, name="sparse"), session.array(w, name="w")
        layouts = FilterLayouts(session, shape, filters, "conv")
        for plan in [*plans, dataclasses.replace(plans[0], whole=1, slices=2 if channels >= 8 else 1)]:
            with Operation(session, "plan") as operation:
                size_out = shape.output_shape if phase == "forward" else shape.input_shape
                operation.output = operation.empty(size_out, "out")
                add_block(operation, problem, plan, read, layouts, operation.output)
                operation.run()
                assert compare(operation.output.numpy(), wanted)[0], plan
                operation.run()  # counters begin anew
                assert compare(operation.output.numpy(), wanted)[0], plan


@pytest.mark.parametrize("slices", [1, 3])
def test_groups_and_bias(slices, monkeypatch):
    shape = ConvolutionShape(1, 24, 6, 28, 160, 3, 3, 1, 1, 1, 1, 1, 1, 2)
    x, w = operands(shape, "forward", 0.5)
    bias = np.arange(160, dtype=np.float32)
    whole = block_candidates(problem_of("forward", shape))[0]
    plan = whole if slices == 1 else dataclasses.replace(whole, whole=2, slices=slices)
    monkeypatch.setattr("bridge.layers.conv.block.block_candidates", lambda *_: [plan])
    with CoSimulation(units=list(default_choices().values())) as session:
        arrays = {name: session.array(value, name=name) for name, value in {"x": x, "w": w, "bias": bias}.items()}
        layouts = FilterLayouts(session, shape, arrays["w"], "conv")
        with spartan(
            "forward", session, "conv", shape, x=arrays["x"], layouts=layouts, bias=arrays["bias"], algorithm="block"
        ) as operation:
            kernels = [launch.kernel for launch in operation.run().launches]
            assert kernels == ["sparse_block_conv3_28x2"] * 2
            got = operation.output.numpy() - bias[:, None, None]
    wanted = expected("forward", shape, x=x, w=w)
    assert (np.abs(got - wanted.value) <= wanted.tolerance + 2e-5 * (1 + bias[:, None, None])).all()


def test_where_it_pays():
    problem = problem_of("forward", WIDE)
    assert isinstance(problem, DirectProblem)
    assert plan_block(problem) in block_candidates(problem)
    few = problem_of("forward", dataclasses.replace(WIDE, height=28, width=28))
    assert plan_block(few) is None
    assert plan_block(few, always=True) is not None
    for other in ({"width": 60}, {"filter_height": 1, "pad_h": 0}):
        assert plan_block(problem_of("forward", dataclasses.replace(WIDE, **other)), always=True) is None


def test_a_shape_without_a_kernel_is_refused():
    shape = dataclasses.replace(WIDE, width=60)
    with CoSimulation(mode="functional", units=list(default_choices().values())) as session:
        x, w = session.empty(shape.input_shape, name="x"), session.empty(shape.filter_shape, name="w")
        layouts = FilterLayouts(session, shape, w, "conv")
        with pytest.raises(ConfigurationError, match="multiple of 28 wide"):
            spartan("forward", session, "conv", shape, x=x, layouts=layouts, algorithm="block")
