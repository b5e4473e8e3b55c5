"""The filter gradient of layers with few channels against float64 numpy: every kernel, edges, images and slices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from bridge import CoSimulation, default_choices
from bridge.layers.conv import ConvolutionShape, FilterLayouts, spartan
from bridge.layers.conv.patch_gradient import (
    _KERNELS,
    PatchPlan,
    add_patch_gradient,
    patch_candidates,
    plan_patch_gradient,
)
from bridge.layers.operation import Operation
from bridge.reference.convolution import compare, expected

# Every kernel is the one of some of these.
SHAPES = {
    "stride 1": ConvolutionShape(2, 3, 5, 32, 64, 3, 3, pad_h=1, pad_w=1),
    "no padding above": ConvolutionShape(1, 4, 6, 16, 32, 5, 3, pad_h=0, pad_w=1),
    "dilated": ConvolutionShape(1, 3, 6, 48, 32, 3, 3, 1, 1, 2, 2, 2, 2),
    "stride 2": ConvolutionShape(2, 3, 12, 32, 32, 7, 7, 2, 2, 3, 3),
    "stride 1 by 2": ConvolutionShape(1, 5, 4, 64, 32, 3, 3, 1, 2, 1, 1),
    "stride 4": ConvolutionShape(2, 3, 23, 51, 64, 11, 11, 4, 4),
    "one channel": ConvolutionShape(3, 1, 3, 22, 96, 3, 3, pad_h=1, pad_w=1),
}
CASES = [(name, plan) for name, shape in SHAPES.items() for plan in patch_candidates(shape)]


@pytest.fixture(scope="module", params=["units", "no units"])
def session(request: pytest.FixtureRequest) -> Iterator[CoSimulation]:
    with CoSimulation(
        mode="functional", units=list(default_choices().values()) if request.param == "units" else []
    ) as made:
        yield made


def _run(session: CoSimulation, shape: ConvolutionShape, plan: PatchPlan, density: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(shape.input_shape).astype(np.float32)
    dy = rng.standard_normal(shape.output_shape).astype(np.float32)
    dy = np.where(rng.random(shape.output_shape) < density, dy, np.float32(0))
    arrays = [session.array(x, name="x"), session.array(dy, name="dy")]
    with Operation(session, "gradient") as operation:
        operation.output = operation.empty(shape.filter_shape, "dw")
        add_patch_gradient(operation, shape, plan, *arrays)
        operation.run()
        result = operation.output.numpy()
    for array in arrays:
        array.free()
    within, error = compare(
        result, expected("filter_gradient", shape, x=x, dy=dy, w=np.zeros(shape.filter_shape, np.float32))
    )
    assert within, f"{plan}: largest error {error}"
    return result


@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("name", "plan"), CASES)
def test_every_kernel_equals_the_reference(session: CoSimulation, name: str, plan: PatchPlan, density: float) -> None:
    _run(session, SHAPES[name], plan, density)


@pytest.mark.parametrize("name", ["stride 1", "stride 2", "stride 4"])
def test_shares_of_any_length(session: CoSimulation, name: str) -> None:
    """Slices of several tiles that end within an image, some one longer, some empty."""
    plan = next(plan for case, plan in CASES if case == name)
    tiles = SHAPES[name].images * SHAPES[name].out_height * SHAPES[name].out_width // plan.rows
    for slices in (4, 8):
        share, extra = divmod(tiles, slices)
        _run(session, SHAPES[name], dataclasses.replace(plan, slices=slices, share=share, extra=extra), 0.4)
    few = -(-tiles // 5)
    _run(session, SHAPES[name], dataclasses.replace(plan, slices=8, share=few, extra=0), 0.4)


def test_all_shipped_kernels_are_among_the_cases() -> None:
    assert {(plan.rows, plan.sets, plan.kind) for _, plan in CASES} == set(_KERNELS)


@pytest.mark.parametrize(
    "shape",
    [
        ConvolutionShape(1, 16, 14, 16, 32, 3, 3, pad_h=1, pad_w=1),
        ConvolutionShape(1, 3, 14, 16, 48, 3, 3, pad_h=1, pad_w=1),
        ConvolutionShape(1, 4, 14, 16, 64, 3, 3, pad_h=1, pad_w=1, groups=2),
        ConvolutionShape(1, 3, 14, 17, 64, 3, 3, pad_h=1, pad_w=1),
    ],
)
def test_other_shapes_have_none(shape: ConvolutionShape) -> None:
    assert plan_patch_gradient(shape) is None


@pytest.mark.parametrize("channels", range(1, 16))
def test_plans_cover_every_tile_once(channels: int) -> None:
    shape = ConvolutionShape(channels, channels, 30, 8 * 22, 32 * channels, 3, 3, pad_h=1, pad_w=1)
    for plan in patch_candidates(shape):
        tiles = shape.images * shape.out_height * shape.out_width // plan.rows
        assert plan.slices % 4 == 0
        assert plan.slices * plan.share + plan.extra >= tiles
        assert plan.extra == 0 or plan.slices * plan.share + plan.extra == tiles


@pytest.mark.parametrize(("count", "slices"), [(1, 32), (100, 33), (1728, 61)])
def test_sums_of_many_slices(session: CoSimulation, count: int, slices: int) -> None:
    values = np.random.default_rng(1).standard_normal((slices, count)).astype(np.float32)
    x, y = session.array(values, name="x"), session.empty(count, name="y")
    session.launch("sum_slices_deep", args={"x": x, "y": y, "n": count, "slices": slices, "stride": count})
    bound = slices * 2.0**-24 * np.abs(values.astype(np.float64)).sum(axis=0)
    assert np.all(np.abs(y.numpy() - values.astype(np.float64).sum(axis=0)) <= bound)
    for array in (x, y):
        array.free()


def test_a_layer_takes_it(session: CoSimulation) -> None:
    shape = SHAPES["stride 1"]
    rng = np.random.default_rng(5)
    values = {"x": rng.standard_normal(shape.input_shape), "dy": rng.standard_normal(shape.output_shape)}
    values = {name: value.astype(np.float32) for name, value in values.items()}
    filters = np.zeros(shape.filter_shape, np.float32)
    arrays = {name: session.array(value, name=name) for name, value in values.items()}
    w = session.array(filters, name="w")
    layouts = FilterLayouts(session, shape, w, "layer")
    with spartan(
        "filter_gradient", session, "layer", shape, x=arrays["x"], layouts=layouts, dy=arrays["dy"], sparse_operand="dy"
    ) as operation:
        launches = operation.run().launches
        result = operation.output.numpy()
    layouts.close()
    for array in (w, *arrays.values()):
        array.free()
    assert any("sparse_patch_gradient" in launch.kernel for launch in launches)
    assert compare(result, expected("filter_gradient", shape, w=filters, **values))[0]
