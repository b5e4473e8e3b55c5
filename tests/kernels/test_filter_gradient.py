"""The sparse filter gradient's kernels against float64 numpy: every kernel, either operand, edges and slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bridge import ConfigurationError, CoSimulation, default_choices
from bridge.layers.conv import ConvolutionShape, FilterLayouts, spartan
from bridge.layers.conv.direct_gradient import (
    GradientPlan,
    add_direct_gradient,
    gradient_candidates,
    gradient_problem,
    plan_gradient,
)
from bridge.layers.operation import Operation
from bridge.reference.convolution import compare, expected, useful_macs

# Rows of 6 to 60 pixels; every kernel is the one of some of these.
SHAPES = {
    "7 wide": ConvolutionShape(2, 16, 7, 7, 80, 3, 3, pad_h=1, pad_w=1),
    "groups": ConvolutionShape(2, 32, 5, 6, 64, 3, 3, pad_h=0, pad_w=1, groups=2),
    "13 wide": ConvolutionShape(1, 48, 13, 13, 68, 3, 3, pad_h=1, pad_w=1),
    "far padding": ConvolutionShape(1, 16, 6, 14, 32, 3, 3, pad_h=2, pad_w=1),
    "27 wide": ConvolutionShape(1, 16, 4, 27, 16, 3, 3, pad_h=1, pad_w=1),
    "28 wide": ConvolutionShape(2, 16, 5, 28, 16, 3, 3, pad_h=1, pad_w=1),
    "32 wide": ConvolutionShape(1, 32, 6, 32, 16, 3, 3, pad_h=1, pad_w=1),
    "56 wide": ConvolutionShape(1, 16, 3, 56, 48, 3, 3, pad_h=1, pad_w=1),
    "one row": ConvolutionShape(3, 16, 1, 42, 16, 3, 3, pad_h=1, pad_w=1),
    "five, 8 wide": ConvolutionShape(1, 16, 7, 8, 36, 5, 5, pad_h=2, pad_w=2),
    "five, 13 wide": ConvolutionShape(1, 16, 6, 13, 80, 5, 5, pad_h=1, pad_w=2),
    "five, 14 wide": ConvolutionShape(1, 32, 5, 14, 16, 5, 5, pad_h=2, pad_w=2),
    "five, 27 wide": ConvolutionShape(1, 16, 7, 27, 32, 5, 5, pad_h=4, pad_w=2),
}
CASES = [
    (name, operand) for name, shape in SHAPES.items() for operand in ("x", "dy") if gradient_problem(shape, operand)
]


@pytest.fixture(scope="module", params=["units", "no units"])
def session(request: pytest.FixtureRequest) -> Iterator[CoSimulation]:
    with CoSimulation(
        mode="functional", units=list(default_choices().values()) if request.param == "units" else []
    ) as made:
        yield made


def _operands(shape: ConvolutionShape, operand: str, density: float) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(3)
    made = {}
    for name, extents in (("x", shape.input_shape), ("dy", shape.output_shape)):
        values = rng.standard_normal(extents).astype(np.float32)
        made[name] = np.where(rng.random(extents) < (density if name == operand else 0.9), values, np.float32(0))
    return made


def _plans(shape: ConvolutionShape, operand: str) -> list[GradientPlan]:
    """One plan in one slice and one in three or more for every kernel that takes the shape."""
    problem = gradient_problem(shape, operand)
    assert problem is not None
    by_kernel: dict[tuple[int, bool, int], list[GradientPlan]] = {}
    for plan in gradient_candidates(problem):
        by_kernel.setdefault((plan.width, plan.several, plan.channels), []).append(plan)
    return [plan for plans in by_kernel.values() for plan in {plans[0], plans[min(2, len(plans) - 1)]}]


def _run(session: CoSimulation, shape: ConvolutionShape, operand: str, plan: GradientPlan, density: float) -> None:
    values = _operands(shape, operand, density)
    problem = gradient_problem(shape, operand)
    assert problem is not None
    arrays = {name: session.array(value, name=name) for name, value in values.items()}
    with Operation(session, "gradient") as operation:
        operation.output = operation.empty(shape.filter_shape, "dw")
        add_direct_gradient(operation, problem, plan, arrays["x"], arrays["dy"])
        operation.run()
        result = operation.output.numpy()
    for array in arrays.values():
        array.free()
    filters = np.zeros(shape.filter_shape, np.float32)
    within, error = compare(result, expected("filter_gradient", shape, w=filters, **values))
    assert within, f"{plan}: largest error {error}"


@pytest.mark.parametrize(("name", "operand"), CASES)
def test_every_kernel_equals_the_reference(session: CoSimulation, name: str, operand: str) -> None:
    for plan in _plans(SHAPES[name], operand):
        _run(session, SHAPES[name], operand, plan, 0.5)


@pytest.mark.parametrize("density", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("name", ["7 wide", "28 wide", "five, 27 wide"])
def test_any_density(session: CoSimulation, name: str, density: float) -> None:
    for operand in ("x", "dy"):
        problem = gradient_problem(SHAPES[name], operand)
        assert problem is not None
        _run(session, SHAPES[name], operand, plan_gradient(problem), density)


def test_all_shipped_kernels_are_among_the_cases() -> None:
    from bridge.layers.conv.direct_gradient import _KERNELS

    met = set()
    for name, operand in CASES:
        shape = SHAPES[name]
        met |= {(shape.filter_width, plan.width, plan.several, plan.channels) for plan in _plans(shape, operand)}
    assert met == {(taps, *kernel) for taps, kernels in _KERNELS.items() for kernel in kernels}


@pytest.mark.parametrize(
    "shape",
    [
        ConvolutionShape(1, 16, 14, 14, 16, 3, 3, 2, 2, 1, 1),
        ConvolutionShape(1, 16, 14, 14, 16, 3, 3, pad_h=1, pad_w=0),
        ConvolutionShape(1, 24, 14, 14, 24, 3, 3, pad_h=1, pad_w=1),
        ConvolutionShape(1, 16, 14, 59, 16, 3, 3, pad_h=1, pad_w=1),
        ConvolutionShape(1, 16, 14, 14, 16, 1, 1),
    ],
    ids=["strided", "no padding", "24 channels", "59 wide", "pointwise"],
)
def test_other_shapes_have_no_kernel(shape: ConvolutionShape) -> None:
    assert gradient_problem(shape, "x") is None
    assert gradient_problem(shape, "dy") is None


INTERSECTED = {
    "three": ConvolutionShape(2, 16, 5, 9, 32, 3, 3, pad_h=1, pad_w=1),
    "groups": ConvolutionShape(1, 32, 6, 6, 32, 3, 3, pad_h=0, pad_w=2, groups=2),
    "five": ConvolutionShape(1, 16, 7, 11, 16, 5, 5, pad_h=2, pad_w=2),
    "pointwise": ConvolutionShape(3, 16, 3, 5, 16, 1, 1),
    "oblong": ConvolutionShape(1, 16, 8, 64, 16, 2, 3),
}


@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", INTERSECTED)
def test_the_intersection_equals_the_reference(session: CoSimulation, name: str, density: float) -> None:
    shape = INTERSECTED[name]
    values = _operands(shape, "x", density)
    values["dy"] *= _operands(shape, "dy", 0.4)["dy"] != 0
    filters = np.zeros(shape.filter_shape, np.float32)
    arrays = {key: session.array(value, name=key) for key, value in {**values, "w": filters}.items()}
    layouts = FilterLayouts(session, shape, arrays["w"], "layer")
    with spartan(
        "filter_gradient",
        session,
        "layer",
        shape,
        x=arrays["x"],
        layouts=layouts,
        dy=arrays["dy"],
        sparse_operand="both",
    ) as operation:
        operation.run()
        within, error = compare(operation.output.numpy(), expected("filter_gradient", shape, w=filters, **values))
    assert within, f"largest error {error}"
    layouts.close()
    for array in arrays.values():
        array.free()


def test_useful_products_of_both_are_those_without_a_zero() -> None:
    shape = ConvolutionShape(1, 1, 3, 3, 1, 3, 3, pad_h=1, pad_w=1)
    x, dy = np.zeros((2, 1, 1, 3, 3), np.float32)
    x[0, 0, 1, 1] = x[0, 0, 0, 0] = 2.0
    dy[0, 0, 2, 2] = 1.0  # its window holds the middle and not the corner
    assert useful_macs(shape, "both", x=x, dy=dy) == (49, 1)


def test_the_intersection_refuses_what_it_can_not_compute() -> None:
    shape = ConvolutionShape(1, 16, 8, 8, 16, 3, 3, 2, 2, 1, 1)
    with CoSimulation(mode="functional") as session:
        x, dy = session.empty(shape.input_shape, name="x"), session.empty(shape.output_shape, name="dy")
        layouts = FilterLayouts(session, shape, session.empty(shape.filter_shape, name="w"), "layer")
        with pytest.raises(
            ConfigurationError, match="layer filter_gradient: zeros of both operands are skipped by one"
        ):
            spartan("filter_gradient", session, "layer", shape, x=x, layouts=layouts, dy=dy, sparse_operand="both")
