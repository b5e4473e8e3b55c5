"""Convolutions on the simulated GPU against float64 numpy, over shapes that meet every path of the layers."""

from __future__ import annotations

import numpy as np
import pytest

from bridge import ConfigurationError, CoSimulation, UnitChoice, default_choices
from bridge.layers.conv import (
    PHASES,
    ConvolutionShape,
    FilterLayouts,
    WinogradFilters,
    dense,
    dense_through_view,
    gradient_view,
    spartan,
    takes_dense_through_view,
    takes_winograd,
    winograd,
)
from bridge.layers.conv.direct import data_gradient_problem, forward_problem
from bridge.layers.conv.strided_gradient import strided_gradient_view
from bridge.reference.convolution import compare, expected, useful_macs
from spartan_units.types import UnitKind

SHAPES = {
    "square": ConvolutionShape(1, 16, 14, 14, 32, 3, 3, pad_h=1, pad_w=1),
    "odd": ConvolutionShape(1, 5, 13, 9, 19, 3, 3, pad_h=1, pad_w=1),
    "batch": ConvolutionShape(3, 7, 9, 11, 24, 3, 3, pad_h=1, pad_w=1),
    "strided": ConvolutionShape(2, 6, 15, 15, 33, 5, 5, 2, 2, 2, 2),
    "oblong": ConvolutionShape(1, 17, 8, 19, 16, 1, 3, 1, 2, 0, 1),
    "pointwise": ConvolutionShape(1, 40, 10, 10, 70, 1, 1),
    "dilated": ConvolutionShape(1, 16, 16, 16, 16, 3, 3, pad_h=2, pad_w=2, dilation_h=2, dilation_w=2),
    "groups": ConvolutionShape(2, 32, 7, 7, 48, 3, 3, pad_h=1, pad_w=1, groups=2),
    "few filters": ConvolutionShape(1, 8, 12, 12, 5, 3, 3, pad_h=1, pad_w=1),
    "one filter": ConvolutionShape(1, 1, 6, 6, 1, 3, 3),
    "long sum": ConvolutionShape(1, 48, 20, 20, 64, 3, 3, pad_h=1, pad_w=1),
    "wide": ConvolutionShape(1, 16, 5, 100, 16, 3, 3, pad_h=1, pad_w=1),
    "very wide": ConvolutionShape(1, 16, 6, 205, 16, 3, 3, pad_h=1, pad_w=1),
    "rows together": ConvolutionShape(3, 32, 10, 27, 80, 3, 3, pad_h=2, pad_w=1),
    "rows together, groups": ConvolutionShape(2, 32, 7, 6, 40, 3, 3, pad_h=0, pad_w=1, groups=2),
    "two filter rows": ConvolutionShape(1, 16, 9, 12, 32, 2, 3, pad_h=1, pad_w=1),
    "five wide": ConvolutionShape(2, 32, 9, 27, 16, 5, 5, pad_h=2, pad_w=2),
    "small images": ConvolutionShape(3, 20, 13, 13, 70, 3, 3, pad_h=1, pad_w=1),
    "small images, groups": ConvolutionShape(2, 34, 7, 7, 130, 3, 3, pad_h=1, pad_w=1, groups=2),
    "small images, no padding": ConvolutionShape(2, 16, 14, 11, 16, 3, 3, pad_h=0, pad_w=2),
    "stride 2": ConvolutionShape(1, 32, 15, 27, 70, 3, 3, 2, 2, 1, 1),
    "stride 2, seven rows": ConvolutionShape(1, 24, 14, 14, 48, 3, 3, 2, 2, 1, 1),
    "stride 2, even": ConvolutionShape(2, 64, 12, 14, 32, 3, 3, 2, 2, 1, 1),
    "stride 2, one row a wavefront": ConvolutionShape(3, 16, 56, 57, 16, 3, 3, 2, 2, 0, 0),
    "stride 2, groups": ConvolutionShape(2, 32, 9, 9, 32, 3, 3, 2, 2, 2, 2, groups=2),
    "stride 2 along the width": ConvolutionShape(1, 16, 7, 20, 16, 2, 3, 1, 2, 1, 0),
    "stride 2, very wide": ConvolutionShape(1, 16, 5, 111, 16, 3, 3, 2, 2, 1, 1),
    "shortcut": ConvolutionShape(2, 64, 14, 13, 96, 1, 1, 2, 2),
    "shortcut, stride 3": ConvolutionShape(1, 16, 10, 11, 16, 1, 1, 3, 3),
    "pointwise, many channels": ConvolutionShape(2, 96, 5, 6, 130, 1, 1),
    "pointwise, groups": ConvolutionShape(1, 64, 8, 30, 64, 1, 1, groups=2),
    "direct groups": ConvolutionShape(2, 64, 6, 7, 96, 3, 3, pad_h=0, pad_w=2, groups=2),
}


def sparse(rng: np.random.Generator, shape: tuple[int, ...], density: float) -> np.ndarray:
    values = rng.standard_normal(shape).astype(np.float32)
    return np.where(rng.random(shape) < density, values, np.float32(0))


@pytest.fixture(scope="module", params=["units", "no units"])
def session(request):
    units = list(default_choices().values()) if request.param == "units" else []
    with CoSimulation(mode="functional", units=units) as made:
        yield made


@pytest.mark.parametrize("name", SHAPES)
def test_all_phases_equal_the_reference(session, name):
    shape = SHAPES[name]
    rng = np.random.default_rng(7)
    x, dy = sparse(rng, shape.input_shape, 0.4), sparse(rng, shape.output_shape, 0.5)
    w = rng.standard_normal(shape.filter_shape).astype(np.float32)
    bias = rng.standard_normal(shape.filters).astype(np.float32)
    arrays = {key: session.array(value, name=key) for key, value in {"x": x, "dy": dy, "w": w, "bias": bias}.items()}
    layouts = FilterLayouts(session, shape, arrays["w"], name)
    operands = {"x": arrays["x"], "layouts": layouts, "dy": arrays["dy"], "bias": arrays["bias"]}
    for phase in PHASES:
        reference = expected(phase, shape, x=x, w=w, dy=dy, bias=bias)
        variants = [dense(phase, session, name, shape, **operands), spartan(phase, session, name, shape, **operands)]
        variants.append(spartan(phase, session, name, shape, **operands, algorithm="gemm"))
        if (forward_problem if phase == "forward" else data_gradient_problem)(shape) and phase != "filter_gradient":
            variants.append(spartan(phase, session, name, shape, **operands, algorithm="direct"))
        if UnitKind.COMPACTION in session.units:
            if phase == "filter_gradient" and strided_gradient_view(shape) is not None:
                variants.append(spartan(phase, session, name, shape, **operands, algorithm="direct"))
            variants.append(spartan(phase, session, name, shape, **operands, algorithm="view"))
            if takes_dense_through_view(shape, phase):
                variants.append(dense_through_view(phase, session, name, shape, **operands))
        if phase == "filter_gradient":
            variants.append(spartan(phase, session, name, shape, **operands, sparse_operand="dy"))
        for operation in variants:
            with operation:
                operation.run()
                result = operation.output.numpy()
            within, error = compare(result, reference)
            assert within, f"{operation.name}: largest error {error}"
        if takes_winograd(shape, phase):
            filters = WinogradFilters(session, shape, arrays["w"], phase, name)
            forward = phase == "forward"
            operand = arrays["x" if forward else "dy"]
            added = arrays["bias"] if forward else None
            with winograd(phase, session, name, shape, filters=filters, x=operand, bias=added) as operation:
                operation.run()
                within, error = compare(operation.output.numpy(), reference)
            assert within, f"{operation.name}: largest error {error}"
            filters.close()
    layouts.close()
    for array in arrays.values():
        array.free()


def test_winograd_refuses_what_it_can_not_compute():
    shape = SHAPES["strided"]
    with CoSimulation(mode="functional") as session:
        w = session.empty(shape.filter_shape, name="w")
        with pytest.raises(ConfigurationError, match=r"layer forward: F\(2×2, 3×3\) takes the forward pass"):
            WinogradFilters(session, shape, w, "forward", "layer")
        square = SHAPES["square"]
        filters = WinogradFilters(session, square, session.empty(square.filter_shape, name="w"), "forward", "layer")
        dy = session.empty(square.output_shape, name="dy")
        with pytest.raises(
            ConfigurationError, match="layer data_gradient: these filters were transformed for the forward"
        ):
            winograd("data_gradient", session, "layer", square, filters=filters, x=dy)


def test_the_comparison_can_fail():
    shape = SHAPES["odd"]
    rng = np.random.default_rng(1)
    x, w = sparse(rng, shape.input_shape, 1.0), rng.standard_normal(shape.filter_shape).astype(np.float32)
    reference = expected("forward", shape, x=x, w=w)
    exact = reference.value.astype(np.float32)
    assert compare(exact, reference)[0]
    wrong = exact.copy()
    wrong[0, 0, 0, 0] += 0.01
    assert not compare(wrong, reference)[0]
    wrong[0, 0, 0, 0] = np.nan
    assert not compare(wrong, reference)[0]


def test_the_reference_equals_a_loop():
    shape = ConvolutionShape(2, 4, 6, 5, 6, 3, 2, 2, 1, 1, 0, 1, 2, groups=2)
    rng = np.random.default_rng(3)
    x, w = rng.standard_normal(shape.input_shape), rng.standard_normal(shape.filter_shape)
    dy = rng.standard_normal(shape.output_shape)
    y, dx, dw = np.zeros(shape.output_shape), np.zeros(shape.input_shape), np.zeros(shape.filter_shape)
    some_x, some_dy = rng.random(shape.input_shape) < 0.4, rng.random(shape.output_shape) < 0.4
    macs = useful_x = useful_dy = 0
    for n, f, p, q in np.ndindex(shape.output_shape):
        for c, r, s in np.ndindex(shape.filter_shape[1:]):
            channel = f // shape.group_filters * shape.group_channels + c
            h, v = p * 2 - 1 + r, q + s * 2
            if 0 <= h < shape.height and 0 <= v < shape.width:
                macs += 1
                useful_x += int(some_x[n, channel, h, v])
                useful_dy += int(some_dy[n, f, p, q])
                y[n, f, p, q] += x[n, channel, h, v] * w[f, c, r, s]
                dx[n, channel, h, v] += dy[n, f, p, q] * w[f, c, r, s]
                dw[f, c, r, s] += dy[n, f, p, q] * x[n, channel, h, v]
    for phase, loop in zip(PHASES, (y, dx, dw), strict=True):
        np.testing.assert_allclose(expected(phase, shape, x=x, w=w, dy=dy).value, loop, rtol=1e-12, atol=1e-12)
    assert useful_macs(shape, "x", x=x) == (macs, macs)
    assert useful_macs(shape, "x", x=x * some_x) == (macs, useful_x)
    assert useful_macs(shape, "dy", x=x, dy=dy * some_dy) == (macs, useful_dy)


def test_useful_multiply_adds_are_those_with_a_non_zero():
    shape = ConvolutionShape(1, 1, 3, 3, 2, 3, 3, pad_h=1, pad_w=1)
    x = np.zeros(shape.input_shape)
    x[0, 0, 1, 1] = 1.0  # in every one of the 9 windows
    x[0, 0, 0, 0] = 1.0  # in 4 of them
    assert useful_macs(shape, "x", x=x) == (2 * 49, 2 * 13)
    dy = np.zeros(shape.output_shape)
    dy[0, 1, 0, 0] = 1.0  # its window has 4 taps inside
    assert useful_macs(shape, "dy", x=x, dy=dy) == (2 * 49, 4)


def test_the_software_conversion_takes_the_place_of_an_empty_seat():
    shape = SHAPES["square"]
    rng = np.random.default_rng(5)
    x, w = sparse(rng, shape.input_shape, 0.3), rng.standard_normal(shape.filter_shape).astype(np.float32)
    units = [choice for kind, choice in default_choices().items() if kind is not UnitKind.COMPACTION]
    with CoSimulation(mode="functional", units=[*units, UnitChoice(UnitKind.COMPACTION, "none")]) as session:
        layouts = FilterLayouts(session, shape, session.array(w, name="w"), "layer")
        with spartan("forward", session, "layer", shape, x=session.array(x, name="x"), layouts=layouts) as operation:
            measured = operation.run()
            assert "dense_to_ellpack_dib" in [launch.kernel for launch in measured.launches]
            assert compare(operation.output.numpy(), expected("forward", shape, x=x, w=w))[0]


def test_a_view_of_dy_is_the_matrix_of_its_channels():
    shape = SHAPES["square"]
    with CoSimulation(mode="functional") as session:
        matrix = gradient_view(shape, session.empty(shape.output_shape, name="dy"))
    assert (matrix.rows, matrix.columns, matrix.row_stride, matrix.column_stride) == (32, 196, 196, 1)


def test_impossible_extents_are_refused():
    with pytest.raises(ConfigurationError, match=r"a convolution of 2 × 2 with filters of 3 × 3 .* has no output"):
        ConvolutionShape(1, 1, 2, 2, 1, 3, 3)
    with pytest.raises(ConfigurationError, match="3 groups must divide 8 channels and 9 filters"):
        ConvolutionShape(1, 8, 4, 4, 9, 3, 3, groups=3)


def test_an_algorithm_that_can_not_is_refused():
    shape = SHAPES["strided"]
    with CoSimulation(mode="functional") as session:
        x, w = (session.empty(s, name=n) for n, s in (("x", shape.input_shape), ("w", shape.filter_shape)))
        layouts = FilterLayouts(session, shape, w, "layer")
        with pytest.raises(
            ConfigurationError,
            match="layer forward: no direct kernel for this shape; it takes a multiple of 16 channels",
        ):
            spartan("forward", session, "layer", shape, x=x, layouts=layouts, algorithm="direct")
        with pytest.raises(ConfigurationError, match="layer forward: no kernel of whole images for this shape"):
            spartan("forward", session, "layer", shape, x=x, layouts=layouts, algorithm="plane")
        with pytest.raises(ConfigurationError, match="expected best, plane, block, direct, view or gemm, got 'fft'"):
            spartan("forward", session, "layer", shape, x=x, layouts=layouts, algorithm="fft")
