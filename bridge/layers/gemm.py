"""GEMM steps of operations: which kernel, which shape, how K is split, and which tiles a work-group works on.

docs/kernels.md describes the kernels and the reasons behind the choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.operation import Operation
from bridge.layers.tuned import tuned
from bridge.schedule import Prefetch, Schedule
from bridge.tensors import Matrix, WatchedTensor, slot_bytes
from spartan_units.types import NO_TILE, UnitKind

__all__ = [
    "GemmPlan",
    "Layout",
    "Target",
    "add_dense_gemm",
    "add_sparse_gemm",
    "gemm_candidates",
    "plan_dense",
    "plan_sparse",
    "workgroup_tiles",
]

_PORTABLE = "sparse_gemm_lds"
"""The sparse GEMM of which every back end executes all instructions: one wavefront for 32 × 64 outputs."""

_WAVES = 4
"""Wavefronts of a work-group: one for each SIMD of a compute unit."""

_MOST_SLICES = 16

_DENSE_BLOCKS = [(32, 128), (32, 64), (16, 128), (16, 64), (8, 64)]
_SPARSE_BLOCKS = [(32, 128), (32, 64), (16, 256), (16, 128)]

_ENOUGH_WAVEFRONTS = 512
"""Two for each of the 256 SIMDs hide the issue gap of a single wavefront and the memory latencies."""


@dataclass(frozen=True)
class GemmPlan:
    """How a GEMM is cut into wavefronts.

    Attributes:
        kernel: name of the kernel without its block, "gemm_scalar", "gemm_gather" or "sparse_gemm".
        rows, columns: block of C that a wavefront computes.
        waves: wavefronts of a work-group.
        column_shift: 2^column_shift of them lie side by side along N.
        slice_shift: 2^slice_shift of them work on adjacent slices of K.
        k_slice: length of a slice; at least K where K is not split.
    """

    kernel: str
    rows: int
    columns: int
    waves: int
    column_shift: int
    slice_shift: int
    k_slice: int

    @property
    def full_kernel(self) -> str:
        """Name of the kernel in the catalogue."""
        if self.kernel == _PORTABLE:
            return self.kernel
        return f"{self.kernel}_{self.rows}x{self.columns}"

    def slices(self, K: int) -> int:
        """Number of partial results."""
        return _ceil_div(K, self.k_slice)


@dataclass(frozen=True)
class Layout:
    """Where element (m, n) of C lies in its array; strides and offset are in elements.

    Dense kernels divide n by `pixels`, sparse ones m: the quotient times `image_stride` and the remainder times the
    stride of that dimension are added.
    """

    row_stride: int
    column_stride: int
    image_stride: int
    pixels: int
    offset: int = 0


class Target:
    """The array that one or several GEMMs of the same plan write, by way of partial results where K is split."""

    def __init__(self, operation: Operation, plan: GemmPlan, K: int, array: DeviceArray) -> None:
        """Allocate the partial results."""
        self._operation = operation
        self._array = array
        self._slices = plan.slices(K)
        self._written = operation.empty((self._slices, array.size), "partial") if self._slices > 1 else array

    def arguments(self, layout: Layout) -> dict[str, int]:
        """Return the kernel arguments that place C."""
        return {
            "c": self._written.address + layout.offset * self._array.dtype.itemsize,
            "c_row_stride": layout.row_stride,
            "c_column_stride": layout.column_stride,
            "c_image_stride": layout.image_stride,
            "pixels": layout.pixels,
            "c_slice_stride": self._array.size,
        }

    def finish(self) -> None:
        """Add the step that sums the partial results, where there are any."""
        if self._slices > 1:
            args = {"x": self._written, "y": self._array, "n": self._array.size}
            self._operation.launch("sum_slices", {**args, "slices": self._slices, "stride": self._array.size})


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def _split(blocks: int, K: int, granule: int, least: int) -> tuple[int, int]:
    """Return (slice_shift, k_slice) for a GEMM of `blocks` wavefronts a slice: slices until there are enough."""
    wanted = min(_ceil_div(_ENOUGH_WAVEFRONTS, blocks), max(K // least, 1))
    if wanted <= 1:
        return 0, K
    k_slice = _ceil_div(_ceil_div(K, wanted), granule) * granule
    slices = _ceil_div(K, k_slice)
    return (2 if slices >= 4 else 0), k_slice


def plan_dense(M: int, N: int, K: int, *, gather: bool) -> GemmPlan:
    """Choose block, work-group and slices for a dense GEMM with M >= 8 (16 for `gather`): as measured, or by rule."""
    plan = tuned(f"{'gemm_gather' if gather else 'gemm_scalar'} {M}x{N}x{K}")
    if plan is not None:
        return GemmPlan(**plan)
    kernel = "gemm_gather" if gather else "gemm_scalar"
    best: tuple[float, GemmPlan] | None = None
    for rows, columns in _DENSE_BLOCKS:
        if rows > M or (gather and rows < 16) or columns >= 2 * max(N, 64):
            continue
        for slices in range(1, min(_MOST_SLICES, max(K // 32, 1)) + 1):
            k_slice = _ceil_div(_ceil_div(K, slices), 8) * 8 if slices > 1 else max(K, 1)
            if _ceil_div(K, k_slice) != slices and slices > 1:
                continue
            down = _ceil_div(M, rows)
            slice_shift = 2 if slices % 4 == 0 else 0
            column_shift = 0 if down >= _WAVES >> slice_shift else min(2 - slice_shift, 2 if down == 1 else 1)
            candidate = GemmPlan(kernel, rows, columns, _WAVES, column_shift, slice_shift, k_slice)
            estimate = _estimate(candidate, M, N, K)
            if best is None or estimate < best[0]:
                best = estimate, candidate
    assert best is not None
    return best[1]


def _estimate(plan: GemmPlan, M: int, N: int, K: int) -> float:
    """Return about the cycles of a dense GEMM: its busiest compute unit, and the sum of partial results.

    The factors were set by hand from measured plans on shapes of ResNet-18 and AlexNet, and only have to rank plans:
    what n wavefronts on a SIMD take, in multiples of the multiply-adds of one; 550 bytes a cycle for sums.
    """
    slices = plan.slices(K)
    per_group = plan.waves >> plan.column_shift >> plan.slice_shift
    across = _ceil_div(_ceil_div(N, plan.columns), 1 << plan.column_shift)
    groups = across * _ceil_div(_ceil_div(M, plan.rows), per_group) * _ceil_div(slices, 1 << plan.slice_shift)
    resident = _ceil_div(groups, 64)
    factor = {1: 1.9, 2: 2.5, 3: 3.4}.get(resident, 1.08 * resident)
    sums = 4100 + 4 * M * N * (slices + 1) / 550 if slices > 1 else 0
    return factor * (plan.k_slice * plan.rows * plan.columns / 16 + 400) + sums


def plan_sparse(M: int, N: int, K: int, *, portable: bool = False) -> GemmPlan:
    """Choose block, work-group and slices for a sparse GEMM: as measured, or by rule.

    With `portable` it is the plain kernel, whose C has no image stride.
    """
    if portable:
        return GemmPlan(_PORTABLE, 32, 64, 1, 0, 0, _ceil_div(K, 32) * 32)
    plan = tuned(f"sparse_gemm {M}x{N}x{K}")
    if plan is not None:
        return GemmPlan(**plan)
    rows, columns = (32, 64) if N <= 64 else (32, 128)
    down, across = _ceil_div(M, rows), _ceil_div(N, columns)
    slice_shift, k_slice = _split(down * across, K, 32, 64)
    column_shift = 0 if down >= _WAVES >> slice_shift else min(2 - slice_shift, 2 if down == 1 else 1)
    return GemmPlan("sparse_gemm", rows, columns, _WAVES, column_shift, slice_shift, _ceil_div(k_slice, 32) * 32)


_TARGETS = (256, 512, 768, 1024)


def gemm_candidates(kernel: str, M: int, N: int, K: int) -> list[GemmPlan]:
    """Return the plans that a tuner tries for a kernel, "gemm_scalar", "gemm_gather" or "sparse_gemm"."""
    sparse = kernel == "sparse_gemm"
    found: dict[GemmPlan, None] = {}
    for rows, columns in _SPARSE_BLOCKS if sparse else _DENSE_BLOCKS:
        if (rows > M and not sparse) or (kernel == "gemm_gather" and rows < 16) or columns >= 2 * max(N, 64):
            continue
        down, across = _ceil_div(M, rows), _ceil_div(N, columns)
        for target in _TARGETS:
            granule = 32 if sparse else 8
            wanted = min(max(1, round(target / (down * across))), max(K // 32, 1))
            k_slice = _ceil_div(_ceil_div(K, wanted), granule) * granule if wanted > 1 else K
            slices = _ceil_div(K, k_slice)
            shift = 2 if slices >= 4 and (slices % 4 == 0 or slices > 8) else 0
            column_shift = 0 if down >= _WAVES >> shift else min(2 - shift, 2 if down == 1 else 1)
            if sparse:
                k_slice = _ceil_div(k_slice, 32) * 32
            found[GemmPlan(kernel, rows, columns, _WAVES, column_shift, shift, k_slice)] = None
    return list(found)


def workgroup_tiles(plan: GemmPlan, M: int, N: int, K: int, tile_rows: int = 32) -> NDArray[np.uint32]:
    """Return uint32[workgroups, k]: the tiles (K down, M across) of every work-group, in the order of the launch."""
    columns, slices = 1 << plan.column_shift, 1 << plan.slice_shift
    per_group = plan.waves // columns // slices
    groups_x = _ceil_div(_ceil_div(N, plan.columns), columns)
    blocks_down = _ceil_div(M, plan.rows)
    groups_y = _ceil_div(blocks_down, per_group)
    groups_z = _ceil_div(plan.slices(K), slices)
    tiles_down = _ceil_div(K, tile_rows)
    k_tiles = slices * _ceil_div(plan.k_slice, tile_rows)
    block = np.arange(groups_y)[:, None] * per_group + np.arange(per_group)
    k_tile = np.arange(groups_z)[:, None] * k_tiles + np.arange(k_tiles)
    tile = k_tile[:, None, :, None] * blocks_down + block[None, :, None, :]
    outside = (k_tile >= tiles_down)[:, None, :, None] | (block >= blocks_down)[None, :, None, :]
    tile = np.where(outside, NO_TILE, tile).reshape(groups_z, groups_y, 1, -1)
    return (
        np.broadcast_to(tile, (groups_z, groups_y, groups_x, tile.shape[-1])).reshape(-1, tile.shape[-1]).astype("<u4")
    )


def add_dense_gemm(
    operation: Operation,
    plan: GemmPlan,
    size: tuple[int, int, int],
    a: int | DeviceArray,
    lda: int,
    b: Mapping[str, Any],
    target: Target,
    layout: Layout,
    bias: int | None = None,
) -> None:
    """Add a dense GEMM of (M, N, K) = `size`; `b` holds the kernel's arguments for that operand."""
    operation.launch(
        plan.full_kernel,
        {"a": a, "lda": lda, "bias": bias, **b, **target.arguments(layout), **_shape(plan, size)},
    )


def add_sparse_gemm(
    operation: Operation,
    plan: GemmPlan,
    size: tuple[int, int, int],
    matrix: Matrix,
    counts: WatchedTensor | None,
    b: int | DeviceArray,
    ldb: int,
    target: Target,
    layout: Layout,
    *,
    bias: int | None = None,
    dense: int | DeviceArray | None = None,
    lda: int = 0,
) -> None:
    """Add a sparse GEMM of (M, N, K) = `size` over the tiles of `matrix` (K × M).

    The compaction engine supplies the tiles through a view; without one, the software conversion kernel writes them.
    The monitor's `counts`, where there are any, go to the scheduler, where there is one. It chooses the code path of
    each tile where the elements can be read from `dense`, too; else all tiles are taken as sparse.
    """
    M, N, K = size
    session = operation.session
    slot = slot_bytes("ellpack_dib", matrix.tile_rows, matrix.tile_columns)
    args = {"b": b, "ldb": ldb, "bias": bias, "dense": dense, "slot_bytes": slot}
    place = target.arguments(layout)
    if plan.kernel == _PORTABLE:
        args |= {name: place[name] for name in ("c", "c_row_stride", "c_column_stride")}
        args |= {"M": M, "N": N, "K": K, "dense_row_stride": lda, "dense_column_stride": 1}
    else:
        args |= {"lda": lda, **place, **_shape(plan, size)}
    scheduled = UnitKind.SCHEDULER in session.units
    compacted = UnitKind.COMPACTION in session.units
    tiles_of_groups = workgroup_tiles(plan, M, N, K, matrix.tile_rows) if scheduled or compacted else None
    groups = tiles_of_groups if scheduled else None
    pathed = scheduled and counts is not None and dense is not None
    path = operation.empty(matrix.tiles, "path table", np.uint32) if pathed else None
    label = f"{operation.name}: {plan.full_kernel}"

    def schedule() -> Schedule | None:
        if groups is None:
            return None
        nonzeros = None if counts is None else operation.read_counts(counts).tile_nonzeros
        return Schedule(nonzeros, matrix.tile_rows * matrix.tile_columns, groups, path)

    if compacted:

        def through_view() -> LaunchResult:
            plan_of_groups = schedule()
            with session.view(matrix) as view:
                arguments = {**args, "tiles": view.address, "path": path}
                ahead = None if tiles_of_groups is None else Prefetch(view, tiles_of_groups)
                return session.launch(
                    plan.full_kernel, args=arguments, schedule=plan_of_groups, prefetch=ahead, label=label
                )

        operation.add(through_view)
    else:
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
        operation.add(
            lambda: session.launch(
                plan.full_kernel, args={**args, "tiles": tiles, "path": path}, schedule=schedule(), label=label
            )
        )


def _shape(plan: GemmPlan, size: tuple[int, int, int]) -> dict[str, int]:
    M, N, K = size
    return {
        "M": M,
        "N": N,
        "K": K,
        "k_slice": plan.k_slice,
        "waves": plan.waves,
        "column_shift": plan.column_shift,
        "slice_shift": plan.slice_shift,
    }
