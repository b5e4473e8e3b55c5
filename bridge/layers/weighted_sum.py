"""The products of fully connected layers, dense and with Spartan; the forward pass and the data gradient are Y = A · W.

A is images × inputs, W inputs × outputs row-major, Y images × outputs. The forward pass has A = X and W the weights
input-major (transposed once per weight update, as the filters of convolutions are), the data gradient A = dY and the
weights as they lie. docs/kernels.md describes the kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.gemm import GemmPlan, Layout, Target, add_dense_gemm, add_sparse_gemm, plan_dense, plan_sparse
from bridge.layers.operation import Operation
from bridge.schedule import Prefetch, Schedule
from bridge.tensors import Matrix, slot_bytes
from spartan_units.types import NO_TILE, UnitKind

__all__ = [
    "SumProblem",
    "add_dense_sum",
    "add_outer_product",
    "add_sparse_outer_product",
    "add_sparse_sum",
    "add_transpose",
]

_LEAST_ROWS = 8
"""Fewest rows of C that gemm_scalar takes; smaller batches have kernels of their own."""

_OUTER_ROWS = ((8, 16), (16, 32))
"""Most images → rows of the block of a weight gradient's GEMM, 64 wide: measured on 4,096 × 1,024 weights."""

_MOST_IMAGES = 8
"""Images that sparse_dense_images takes; larger batches go through sparse_gemm."""

_COLUMNS, _GROUP_WAVES = 128, 4
"""Outputs of a work-group of dense_rows and the sparse_dense kernels, and its wavefronts, which share the inputs."""

_WAVES = 1024
"""Wavefronts to aim for, four a SIMD, each with up to 16 loads under way: measured on 4,096 × 4,096 weights."""

_LEAST_SHARE = 16
"""Rows of weights that a wavefront of dense_rows takes at least."""


@dataclass(frozen=True)
class SumProblem:
    """Extents of Y = A · W.

    Attributes:
        images: rows of A and Y.
        inputs: columns of A, rows of W.
        outputs: columns of W and Y.
    """

    images: int
    inputs: int
    outputs: int


def add_transpose(operation: Operation, matrix: DeviceArray, out: DeviceArray, rows: int, columns: int) -> None:
    """Add out (columns × rows) = the transpose of a row-major matrix."""
    sizes = {"rows": rows, "columns": columns, "x_stride": columns, "y_stride": rows}
    operation.launch("transpose", {"x": matrix, "y": out, **sizes})


def add_gemm(
    operation: Operation, plan: GemmPlan, a: DeviceArray, b: DeviceArray, c: DeviceArray, size: tuple[int, int, int]
) -> None:
    """Add C (M × N) = Aᵀ · B with A K × M and B K × N, all row-major; `size` is (M, N, K)."""
    M, N, K = size
    if operation.session.portable:
        sizes = {"M": M, "N": N, "K": K, "lda": M, "ldb": N, "ldc": N}
        operation.launch("gemm_tn", {"a": a, "b": b, "c": c, **sizes})
        return
    target = Target(operation, plan, K, c)
    add_dense_gemm(operation, plan, size, a, M, {"b": b, "ldb": N}, target, Layout(N, 1, 0, N))
    target.finish()


def add_outer_product(operation: Operation, x: DeviceArray, dy: DeviceArray, dw: DeviceArray) -> None:
    """Add dW (outputs × inputs) = dYᵀ · X, the gradient of the weights: stores of dW bound it for small batches."""
    images, (outputs, inputs) = x.shape[0], dw.shape
    if outputs < _LEAST_ROWS:
        sizes = {"images": images, "inputs": inputs, "outputs": outputs}
        operation.launch("dense_weight_gradient", {"dy": dy, "x": x, "dw": dw, **sizes})
        return
    size = outputs, inputs, images
    rows = next((block for most, block in _OUTER_ROWS if images <= most and block <= outputs), 0)
    plan = GemmPlan("gemm_scalar", rows, 64, 4, 0, 0, images) if rows else plan_dense(*size, gather=False)
    add_gemm(operation, plan, dy, x, dw, size)


def add_sparse_outer_product(operation: Operation, x: DeviceArray, dy: DeviceArray, dw: DeviceArray) -> None:
    """Add dW = dYᵀ · X as a sparse GEMM that skips the zeros of dY.

    Those of X would want dW input-major: its stores, a line for every 16 bytes, made it 2 to 5 times as slow.
    """
    images, (outputs, inputs) = x.shape[0], dw.shape
    portable = operation.session.portable
    plan = plan_sparse(outputs, inputs, images, portable=portable)
    if not portable:  # blocks of 64 columns: measured from 1 to 64 images
        plan = GemmPlan("sparse_gemm", 32, 64, 4, 0, 0, -(-images // 32) * 32)
    matrix = Matrix(dy, images, outputs, outputs, 1, 32, plan.rows)
    counts = operation.watch(matrix) if UnitKind.MONITOR in operation.session.units else None
    target = Target(operation, plan, images, dw)
    add_sparse_gemm(
        operation, plan, (outputs, inputs, images), matrix, counts, x, inputs, target, Layout(inputs, 1, 0, outputs),
        dense=dy, lda=outputs,
    )  # fmt: skip
    target.finish()


def add_dense_sum(
    operation: Operation,
    problem: SumProblem,
    a: DeviceArray,
    w: DeviceArray,
    y: DeviceArray,
    bias: DeviceArray | None = None,
) -> None:
    """Add the dense steps: a kernel that reads each weight once for small batches, else a GEMM."""
    images, inputs, outputs = problem.images, problem.inputs, problem.outputs
    if images < _LEAST_ROWS:
        blocks = -(-outputs // _COLUMNS) * -(-images // 4)
        share = max(_LEAST_SHARE, -(-inputs * blocks // _WAVES))
        slices = -(-inputs // (_GROUP_WAVES * share))
        part = y if slices == 1 else operation.empty((slices, images, outputs), "slices")
        sizes = {"images": images, "K": inputs, "N": outputs, "rows_per_wave": share}
        operation.launch("dense_rows", {"a": a, "w": w, "bias": bias, "part": part, **sizes})
        _sum_slices(operation, part, y, slices)
        return
    transposed = operation.empty((inputs, images), f"{a.name} transposed")
    add_transpose(operation, a, transposed, images, inputs)
    size = images, outputs, inputs
    add_gemm(operation, plan_dense(*size, gather=False), transposed, w, y, size)
    if bias is not None:
        operation.launch("bias_add", {"y": y, "bias": bias, "n": y.size, "channels": outputs, "pixels": 1})


def _sum_slices(operation: Operation, part: DeviceArray, y: DeviceArray, slices: int) -> None:
    if slices > 1:
        operation.launch("sum_slices", {"x": part, "y": y, "n": y.size, "slices": slices, "stride": y.size})


def add_sparse_sum(
    operation: Operation,
    problem: SumProblem,
    a: DeviceArray,
    w: DeviceArray,
    y: DeviceArray,
    bias: DeviceArray | None = None,
) -> None:
    """Add the steps with Spartan, zeros of A skipped: up to 8 images together with rows of W, else in a sparse GEMM."""
    images, inputs, outputs = problem.images, problem.inputs, problem.outputs
    if images > _MOST_IMAGES or operation.session.portable:
        plan = plan_sparse(images, outputs, inputs, portable=operation.session.portable)
        matrix = Matrix(a, inputs, images, 1, inputs, 32, plan.rows)
        counts = operation.watch(matrix) if UnitKind.MONITOR in operation.session.units else None
        target = Target(operation, plan, inputs, y)
        add_sparse_gemm(
            operation, plan, (images, outputs, inputs), matrix, counts, w, outputs, target,
            Layout(outputs, 1, 0, images), bias=None if bias is None else bias.address,
        )  # fmt: skip
        target.finish()
        return
    single = images == 1
    matrix = Matrix(a, 1, inputs, inputs, 1, 1, 64) if single else Matrix(a, inputs, images, 1, inputs, 32, images)
    blocks = -(-outputs // _COLUMNS)
    share = max(1, -(-matrix.tiles * blocks // _WAVES))
    slices = -(-matrix.tiles // (_GROUP_WAVES * share))
    part = y if slices == 1 else operation.empty((slices, images, outputs), "partial")
    slot = slot_bytes("ellpack_dib", matrix.tile_rows, matrix.tile_columns)
    kernel = "sparse_dense_row" if single else "sparse_dense_images"
    arguments = {"w": w, "bias": bias, "part": part, "K": inputs, "N": outputs, "slot_bytes": slot}
    arguments |= {"tiles_per_wave": share} | ({} if single else {"images": images})
    _add_over_tiles(operation, kernel, arguments, matrix, _workgroup_tiles(matrix.tiles, share, slices, blocks))
    _sum_slices(operation, part, y, slices)


def _workgroup_tiles(tiles: int, share: int, slices: int, blocks: int) -> NDArray[np.uint32]:
    """Return uint32[work-groups, k]: the tiles of each work-group, in the order of the launch and of their use."""
    wave, step = np.ogrid[:_GROUP_WAVES, :share]
    within = (wave * share + step).T.reshape(-1)  # the wavefronts go on side by side
    listed = np.arange(slices)[:, None] * _GROUP_WAVES * share + within
    table = np.where(listed < tiles, listed, NO_TILE).astype(np.uint32)
    return np.repeat(table, blocks, axis=0)


def _add_over_tiles(
    operation: Operation,
    kernel: str,
    arguments: Mapping[str, object],
    matrix: Matrix,
    workgroup_tiles: NDArray[np.uint32],
) -> None:
    """Add a launch over the tiles of a matrix: through a view, or converted by a kernel where no engine is attached."""
    session = operation.session
    watched = operation.watch(matrix) if UnitKind.MONITOR in session.units else None
    label = f"{operation.name}: {kernel}"

    def schedule() -> Schedule | None:
        if UnitKind.SCHEDULER not in session.units:
            return None
        nonzeros = None if watched is None else operation.read_counts(watched).tile_nonzeros
        return Schedule(nonzeros, matrix.tile_rows * matrix.tile_columns, workgroup_tiles)

    if UnitKind.COMPACTION in session.units:

        def through_view() -> LaunchResult:
            planned = schedule()
            with session.view(matrix) as view:
                ahead = Prefetch(view, workgroup_tiles)
                args = {**arguments, "tiles": view.address}
                return session.launch(kernel, args=args, schedule=planned, prefetch=ahead, label=label)

        operation.add(through_view)
        return
    slot = slot_bytes("ellpack_dib", matrix.tile_rows, matrix.tile_columns)
    tiles = operation.empty(matrix.tiles * slot // 4, "tiles", np.uint32)
    operation.launch(
        "dense_to_ellpack_dib",
        {
            "x": matrix.array,
            "tiles": tiles,
            "rows": matrix.rows,
            "columns": matrix.columns,
            "row_stride": matrix.row_stride,
            "column_stride": matrix.column_stride,
            "tile_rows": matrix.tile_rows,
            "tile_columns": matrix.tile_columns,
            "tiles_across": matrix.tile_grid[1],
            "slot_bytes": slot,
        },
        tiles=matrix.tiles,
    )
    operation.add(lambda: session.launch(kernel, args={**arguments, "tiles": tiles}, schedule=schedule(), label=label))
