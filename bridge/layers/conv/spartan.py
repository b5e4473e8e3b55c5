"""Operations with Spartan: sparse GEMMs and direct convolutions over compacted views.

The monitor counts the sparse operand as it is written, and the scheduler plans the work-groups by these counts.
"""

from __future__ import annotations

import functools
from typing import Any

from bridge.array import DeviceArray
from bridge.errors import ConfigurationError
from bridge.layers.conv.block import add_block, plan_block
from bridge.layers.conv.direct import (
    DirectProblem,
    add_direct,
    data_gradient_problem,
    forward_problem,
    plan_direct,
    problem_of,
)
from bridge.layers.conv.direct_gradient import add_direct_gradient, gradient_problem, plan_gradient
from bridge.layers.conv.intersection import add_intersection, takes_intersection
from bridge.layers.conv.patch_gradient import add_patch_gradient, plan_patch_gradient
from bridge.layers.conv.pieces import (
    FilterLayouts,
    col2im,
    gradient_matrix,
    gradient_view,
    im2col,
    im2col_transposed,
)
from bridge.layers.conv.plane import add_plane, plan_plane
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.conv.strided import strided_forward_problem, strided_gradient_problem
from bridge.layers.conv.strided_gradient import add_strided_gradient, pays_off, strided_gradient_view
from bridge.layers.conv.views import gradient_window_view, window_view
from bridge.layers.gemm import Layout, Target, add_sparse_gemm, plan_sparse
from bridge.layers.operation import Operation
from bridge.session import CoSimulation
from bridge.tensors import Matrix, Tiled, WatchedTensor
from spartan_units.types import UnitKind

__all__ = ["spartan"]


def spartan(
    phase: str,
    session: CoSimulation,
    name: str,
    shape: ConvolutionShape,
    *,
    x: DeviceArray,
    layouts: FilterLayouts,
    dy: DeviceArray | None = None,
    bias: DeviceArray | None = None,
    dy_counts: WatchedTensor | None = None,
    sparse_operand: str = "x",
    algorithm: str = "best",
) -> Operation:
    """Return the Spartan operation of a phase; dY comes with the ReLU's mask applied.

    Args:
        phase: "forward", "data_gradient" or "filter_gradient".
        session: with the units attached; without a compaction engine the software conversion takes its place.
        name: of the layer.
        shape: of the layer.
        x: input, NCHW.
        layouts: the filters.
        dy: gradient of the output, NCHW.
        bias: [F], for the forward pass.
        dy_counts: the monitor's counts of dY as an F × J matrix, from where it was written.
        sparse_operand: of the filter gradient, "x", "dy" or "both", whose index lists a kernel of its own intersects.
        algorithm: "direct", a kernel that reads x or dy itself, or rows of them that the engine has put in order;
            "plane", the same for small images and stride 1; "block", the same for images in strips of 28 columns, where
            an engine puts them in order; "view", a sparse GEMM over the engine's im2col view; "gemm", the same over an
            im2col matrix in memory; "best", the first of "plane", "block" (where it pays), "direct", "view" and "gemm"
            that there is a kernel and an engine for (data gradients without a kernel: "gemm").

    Raises:
        ConfigurationError: for an algorithm that can't compute the phase.
    """
    if algorithm not in ("best", "plane", "block", "direct", "view", "gemm"):
        raise ConfigurationError(f"algorithm: expected best, plane, block, direct, view or gemm, got {algorithm!r}")
    engine = UnitKind.COMPACTION in session.units
    if algorithm == "view" and not engine:
        raise ConfigurationError(f"{name} {phase}: an im2col view needs a compaction engine, none is attached")
    operation = Operation(session, f"{name} {phase} spartan")
    if session.portable:
        algorithm = "gemm"
    viewed = engine and algorithm in ("best", "view")
    if phase == "data_gradient" and algorithm == "best" and shape.window > 1:
        viewed = False  # an element of dY would be converted for each tap; a GEMM on dY and col2im take less
    gradient, both = None, False
    if phase == "filter_gradient" and sparse_operand == "both":
        both = True
    elif phase == "filter_gradient":
        gradient = gradient_problem(shape, sparse_operand)
    skips_x = phase == "filter_gradient" and sparse_operand == "x"
    skips_dy = phase == "filter_gradient" and sparse_operand == "dy"
    patches = plan_patch_gradient(shape) if skips_dy and not session.portable else None
    strided = strided_gradient_view(shape) if skips_x and engine and not session.portable else None
    add, whole, direct = None, problem_of(phase, shape), direct_problem(phase, shape, engine=engine)
    blocks = plan_block(whole, always=algorithm == "block") if engine and whole is not None else None
    if algorithm in ("best", "plane") and whole is not None and (plan := plan_plane(whole)) is not None:
        add = functools.partial(add_plane, operation, whole, plan)
    elif algorithm in ("best", "block") and whole is not None and blocks is not None:
        add = functools.partial(add_block, operation, whole, blocks)
    elif algorithm in ("best", "direct") and direct is not None:
        add = functools.partial(add_direct, operation, direct, plan_direct(direct))
    if add is not None and phase == "forward":
        operation.output = operation.empty(shape.output_shape, "y")
        add(x, layouts, operation.output, bias)
    elif add is not None:
        assert dy is not None
        operation.output = operation.empty(shape.input_shape, "dx")
        add(dy, layouts, operation.output)
    elif both:
        if session.portable or algorithm not in ("best", "direct") or not takes_intersection(shape):
            raise ConfigurationError(
                f"{name} {phase}: zeros of both operands are skipped by one kernel, of algorithm direct; it takes "
                "stride 1, multiples of 16 channels and filters in a group, rows of up to 64, filters up to 5 wide, "
                "and is not among the portable kernels"
            )
        assert dy is not None
        operation.output = operation.empty(shape.filter_shape, "dw")
        add_intersection(operation, shape, x, dy)
    elif gradient is not None and algorithm in ("best", "direct"):
        assert dy is not None
        operation.output = operation.empty(shape.filter_shape, "dw")
        add_direct_gradient(operation, gradient, plan_gradient(gradient), x, dy)
    elif patches is not None and algorithm in ("best", "direct"):
        assert dy is not None
        operation.output = operation.empty(shape.filter_shape, "dw")
        add_patch_gradient(operation, shape, patches, x, dy)
    elif strided is not None and (algorithm == "direct" or (algorithm == "best" and pays_off(shape))):
        assert dy is not None
        operation.output = operation.empty(shape.filter_shape, "dw")
        add_strided_gradient(operation, shape, strided, x, dy)
    elif algorithm == "plane":
        raise ConfigurationError(
            f"{name} {phase}: no kernel of whole images for this shape; it takes filters of 3 × 3 with stride 1 on "
            "images up to 14 wide"
        )
    elif algorithm == "block":
        raise ConfigurationError(
            f"{name} {phase}: no kernel of blocks for this shape; with a compaction engine, it takes filters of 3 × 3 "
            "with stride 1 where rows of outputs are a multiple of 28 wide"
        )
    elif algorithm == "direct":
        raise ConfigurationError(
            f"{name} {phase}: no direct kernel for this shape; it takes a multiple of 16 channels and stride 1 with "
            "filters 3 wide on rows of up to 224 or 5 wide on rows of 9 to 28 (filter gradient: R = S); with a "
            "compaction engine, 1 × 1 filters of any stride on rows of up to 112 and 3 wide ones of stride 2, too"
        )
    elif phase == "forward":
        _forward(operation, shape, x, layouts, bias, viewed)
    elif phase == "data_gradient":
        assert dy is not None
        if viewed:
            _data_gradient_by_view(operation, shape, dy, layouts)
        else:
            _data_gradient(operation, shape, dy, layouts, dy_counts)
    else:
        assert dy is not None
        _filter_gradient(operation, shape, x, dy, sparse_operand, viewed)
    return operation


def direct_problem(phase: str, shape: ConvolutionShape, *, engine: bool) -> DirectProblem | None:
    """Return a phase as a direct convolution, None where no kernel computes it.

    Args:
        phase: "forward" or "data_gradient"; others have none.
        shape: of the layer.
        engine: whether a compaction engine is there, whose im2col views kernels of other strides than 1 need.
    """
    problem: DirectProblem | None = None
    if phase == "forward":
        problem = forward_problem(shape)
        if problem is None and engine:
            problem = strided_forward_problem(shape)
    elif phase == "data_gradient":
        problem = data_gradient_problem(shape)
        if problem is None and engine:
            problem = strided_gradient_problem(shape)
    return problem


def _forward(
    operation: Operation,
    shape: ConvolutionShape,
    x: DeviceArray,
    layouts: FilterLayouts,
    bias: DeviceArray | None,
    viewed: bool,
) -> None:
    F, J, T = shape.group_filters, shape.outputs, shape.taps
    y = operation.output = operation.empty(shape.output_shape, "y")
    portable = operation.session.portable
    plan = plan_sparse(J, F, T, portable=portable)
    target = Target(operation, plan, T, y)
    for group in range(shape.groups):
        matrix: Tiled
        if viewed:
            matrix = window_view(shape, x, group, tile_columns=plan.rows)
        else:
            matrix = Matrix(im2col(operation, shape, x, group), T, J, J, 1, 32, plan.rows)
        layout = Layout(1, shape.pixels, shape.filters * shape.pixels, shape.pixels, group * F * shape.pixels)
        if portable and shape.images > 1:  # its C has no images
            assert isinstance(matrix, Matrix)
            _forward_by_product(operation, shape, matrix, layouts, bias, y, group)
            continue
        add_sparse_gemm(
            operation, plan, (J, F, T), matrix, _watch(operation, matrix),
            layouts.taps_first.address + group * T * F * 4, F, target, layout,
            bias=None if bias is None else bias.address + group * F * 4, **_dense_path(matrix, J),
        )  # fmt: skip
    target.finish()


def _forward_by_product(
    operation: Operation,
    shape: ConvolutionShape,
    matrix: Matrix,
    layouts: FilterLayouts,
    bias: DeviceArray | None,
    y: DeviceArray,
    group: int,
) -> None:
    """Compute one group of y of several images as a product of its own, put into place by the epilogue."""
    F, J, T = shape.group_filters, shape.outputs, shape.taps
    product = operation.empty((F, J), f"product {group}")
    plan = plan_sparse(J, F, T, portable=True)
    add_sparse_gemm(
        operation, plan, (J, F, T), matrix, _watch(operation, matrix), layouts.taps_first.address + group * T * F * 4,
        F, Target(operation, plan, T, product), Layout(1, J, 0, J), dense=matrix.array, lda=J,
    )  # fmt: skip
    args = {"gemm": product, "bias": bias, "y": y, "columns": J, "pixels": shape.pixels, "row_stride": J}
    args |= {"column_stride": 1, "filter0": group * F, "all_filters": shape.filters, "relu": 0}
    operation.launch("conv_epilogue", args, filters=F)


def _data_gradient(
    operation: Operation,
    shape: ConvolutionShape,
    dy: DeviceArray,
    layouts: FilterLayouts,
    counts: WatchedTensor | None,
) -> None:
    F, J, T = shape.group_filters, shape.outputs, shape.taps
    dx = operation.output = operation.empty(shape.input_shape, "dx")
    plan = plan_sparse(J, T, F, portable=operation.session.portable)
    direct = shape.images == 1 and shape.groups == 1 and plan.rows == 32
    for group in range(shape.groups):
        if direct:
            matrix, watched = gradient_view(shape, dy), counts
        else:
            rows = gradient_matrix(operation, shape, dy, group, transposed=False)
            matrix = Matrix(rows, F, J, J, 1, 32, plan.rows)
            watched = _watch(operation, matrix)
        dcol = operation.empty((T, J), f"dcol {group}")
        target = Target(operation, plan, F, dcol)
        add_sparse_gemm(
            operation, plan, (J, T, F), matrix, watched, layouts.filters.address + group * F * T * 4, T, target,
            Layout(1, J, 0, J), dense=matrix.array, lda=J,
        )  # fmt: skip
        target.finish()
        col2im(operation, shape, dcol, dx, group)


def _data_gradient_by_view(
    operation: Operation, shape: ConvolutionShape, dy: DeviceArray, layouts: FilterLayouts
) -> None:
    C, K, pixels = shape.group_channels, shape.group_filters * shape.window, shape.height * shape.width
    M = shape.images * pixels
    dx = operation.output = operation.empty(shape.input_shape, "dx")
    plan = plan_sparse(M, C, K)
    target = Target(operation, plan, K, dx)
    for group in range(shape.groups):
        matrix = gradient_window_view(shape, dy, group, tile_columns=plan.rows)
        layout = Layout(1, pixels, shape.channels * pixels, pixels, group * C * pixels)
        b = layouts.by_filter.address + group * K * C * 4
        add_sparse_gemm(operation, plan, (M, C, K), matrix, None, b, C, target, layout)
    target.finish()


def _filter_gradient(
    operation: Operation,
    shape: ConvolutionShape,
    x: DeviceArray,
    dy: DeviceArray,
    sparse_operand: str,
    viewed: bool,
) -> None:
    F, J, T = shape.group_filters, shape.outputs, shape.taps
    if sparse_operand not in ("x", "dy"):
        raise ConfigurationError(f"the filter gradient skips zeros of x, dy or both, got {sparse_operand!r}")
    dw = operation.output = operation.empty(shape.filter_shape, "dw")
    skip_x = sparse_operand == "x"
    M, N = (T, F) if skip_x else (F, T)
    plan = plan_sparse(M, N, J, portable=operation.session.portable)
    target = Target(operation, plan, J, dw)
    for group in range(shape.groups):
        gradient = gradient_matrix(operation, shape, dy, group, transposed=True)
        matrix: Tiled
        other = gradient
        if viewed and skip_x:
            matrix = window_view(shape, x, group, transposed=True, tile_columns=plan.rows)
        else:
            col = im2col_transposed(operation, shape, x, group)
            sparse, other = (col, gradient) if skip_x else (gradient, col)
            matrix = Matrix(sparse, J, M, M, 1, 32, plan.rows)
        strides = (1, T) if skip_x else (T, 1)
        layout = Layout(*strides, 0, M, group * F * T)
        add_sparse_gemm(
            operation, plan, (M, N, J), matrix, _watch(operation, matrix), other, N, target, layout,
            **_dense_path(matrix, M),
        )  # fmt: skip
    target.finish()


def _dense_path(matrix: Tiled, lda: int) -> dict[str, Any]:
    """Return what the kernel reads tiles from that the scheduler calls dense: only a matrix in memory has it."""
    return {"dense": matrix.array, "lda": lda} if isinstance(matrix, Matrix) else {}


def _watch(operation: Operation, matrix: Tiled) -> WatchedTensor | None:
    """Let the monitor count a matrix as it is written; nothing writes one that the engine gathers."""
    if not isinstance(matrix, Matrix) or UnitKind.MONITOR not in operation.session.units:
        return None
    return operation.watch(matrix)
