"""GEMM steps of operations: which kernel, which shape, how K is split, and which tiles a work-group works on.

docs/kernels.md describes the kernels and the reasons behind the choices.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.operation import Operation, ViewPlace
from bridge.layers.tuned import tuned
from bridge.schedule import Prefetch, Schedule
from bridge.tensors import Matrix, Tiled, WatchedTensor, slot_bytes
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

_LDS_BYTES = 4096
"""A wavefront's part of the LDS where a dense kernel adds slices."""

_COMPUTE_UNIT_LDS = 65536
"""Local memory of a compute unit, bytes: of every GCN3 GPU."""

_MOST_SLICES = 64

_DENSE_BLOCKS = {(32, 128): 2, (16, 128): 2, (32, 64): 2, (16, 64): 3, (8, 64): 4}
"""Blocks of the dense kernels, with the work-groups on a compute unit that do best. With two, each SIMD has a wavefront
at work and one ahead; with more, wavefronts of one SIMD take entries of the decode queue that others need."""

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
        slice_shift: 2^slice_shift of them work on adjacent slices of K; dense kernels (0 or 2) add these in the LDS.
        k_slice: length of a slice; at least K where K is not split.
        resident: work-groups of a dense kernel that a compute unit takes at a time, 0 for as many as fit. Its local
            memory is shared out among so many, which keeps others away.
        whole: rows of work-groups of a dense kernel that are given all of K; the others share their K among slices, and
            fill what the last round of whole ones leaves idle.
    """

    kernel: str
    rows: int
    columns: int
    waves: int
    column_shift: int
    slice_shift: int
    k_slice: int
    resident: int = 0
    whole: int = 0

    @property
    def full_kernel(self) -> str:
        """Name of the kernel in the catalogue."""
        if self.kernel == _PORTABLE:
            return self.kernel
        return f"{self.kernel}_{self.rows}x{self.columns}"

    def slices(self, K: int) -> int:
        """Number of slices of K."""
        return _ceil_div(K, self.k_slice)

    def groups_across(self, N: int) -> int:
        """Work-groups of a dense kernel side by side along N."""
        return _ceil_div(_ceil_div(N, self.columns), 1 << self.column_shift)

    @property
    def group_rows(self) -> int:
        """Rows of C that a work-group of a dense kernel computes."""
        return self.rows * (self.waves >> self.column_shift >> self.slice_shift)

    def split(self, M: int) -> int:
        """Rows of work-groups of a dense kernel whose K is split."""
        return _ceil_div(M, self.group_rows) - self.whole

    def whole_slice(self, K: int) -> int:
        """Length of a wavefront's slice in a work-group of a dense kernel that has all of K."""
        return _ceil_div(_ceil_div(K, 4), 4) * 4 if self.slice_shift else K

    @property
    def lds_bytes(self) -> int:
        """Local memory of a dense kernel's work-group."""
        needed = _LDS_BYTES * self.waves if self.slice_shift else 0
        return max(needed, _COMPUTE_UNIT_LDS // self.resident // 256 * 256 if self.resident else 0)

    def partial_results(self, K: int) -> int:
        """Number of results that are left to be added when the kernel is done."""
        return _ceil_div(self.slices(K), 1 if self.kernel == "sparse_gemm" else 1 << self.slice_shift)


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
        self._slices = plan.partial_results(K)
        self._parts: list[tuple[Layout, int, int, int]] = []
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

    def dense_arguments(self, plan: GemmPlan, size: tuple[int, int, int], layout: Layout) -> dict[str, int]:
        """Return the arguments of a dense kernel that place C and the partial results."""
        M, N, _ = size
        offset = layout.offset * self._array.dtype.itemsize
        if plan.whole:
            images = N // layout.pixels if layout.image_stride > layout.row_stride else 1
            self._parts.append((layout, plan.whole * plan.group_rows, M, images))
        place = {"c": self._array.address + offset, "partial": self._written.address + offset}
        return self.arguments(layout) | place

    def finish(self) -> None:
        """Add the step that sums the partial results, where there are any."""
        for layout, first, rows, images in self._parts:
            at = (layout.offset + first * layout.row_stride) * self._array.dtype.itemsize
            args: dict[str, Any] = {"x": self._written.address + at, "y": self._array.address + at}
            args |= {"n": (rows - first) * layout.row_stride, "image_stride": layout.image_stride}
            args |= {"slices": self._slices, "stride": self._array.size}
            self._operation.launch("sum_slices_rows", args, images=images)
        if self._slices > 1 and not self._parts:
            args = {"x": self._written, "y": self._array, "n": self._array.size}
            self._operation.launch("sum_slices", {**args, "slices": self._slices, "stride": self._array.size})

    def finish_exchanged(self, *, rows: int, outer: int, inner: int) -> None:
        """Add the step that sums partial results, rows × outer × inner, into rows × inner × outer, if there are any."""
        if self._slices > 1:
            args = {"x": self._written, "y": self._array, "inner": inner, "outer": outer, "slices": self._slices}
            self._operation.launch("sum_slices_exchanged", {**args, "stride": self._array.size}, rows=rows)


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


def plan_dense(M: int, N: int, K: int, *, gather: bool, groups: int = 1) -> GemmPlan:
    """Choose block, work-group and slices for a dense GEMM with M >= 8 (16 for `gather`): as measured, or by rule.

    With more than one group, all rows are split alike.
    """
    kernel = "gemm_gather" if gather else "gemm_scalar"
    plan = tuned(f"{kernel} {M}x{N}x{K}")
    if plan is not None and (groups == 1 or not plan.get("whole")):
        return GemmPlan(**plan)
    plans = (p for p in _dense_plans(kernel, M, N, K) if groups == 1 or not p.whole)
    return min(plans, key=lambda p: _estimate(p, M, N, K))


def _dense_plans(kernel: str, M: int, N: int, K: int) -> Iterator[GemmPlan]:
    for (rows, columns), resident in _DENSE_BLOCKS.items():
        if rows > M or (kernel == "gemm_gather" and rows < 16) or columns >= 2 * max(N, 64):
            continue
        down = _ceil_div(M, rows)
        for slices in range(1, min(_MOST_SLICES, max(K // 32, 1)) + 1):
            k_slice = _ceil_div(_ceil_div(K, slices), 4) * 4 if slices > 1 else max(K, 1)
            if slices > 1 and _ceil_div(K, k_slice) != slices:
                continue
            column_shift = 0 if down >= _WAVES else 2 if down == 1 else 1
            found = []
            if slices <= _MOST_PARTIAL_RESULTS:
                found.append(GemmPlan(kernel, rows, columns, _WAVES, column_shift, 0, k_slice, resident))
            if slices % 4 == 0 and rows >= 16:
                found.append(GemmPlan(kernel, rows, columns, _WAVES, 0, 2, k_slice, resident))
            for plan in found:
                yield plan
                if plan.partial_results(K) > 1:
                    for turn in range(1, 5):
                        whole = _COMPUTE_UNITS * resident * turn // plan.groups_across(N)
                        if 0 < whole < plan.split(M):
                            yield dataclasses.replace(plan, whole=whole)


def _estimate(plan: GemmPlan, M: int, N: int, K: int) -> float:
    """Return about the cycles of a dense GEMM and of the sum of its partial results, launch tails included.

    Work-groups run in rounds of as many as the compute units take at a time; in a last round with no more than one for
    each compute unit, wavefronts are alone on their SIMDs. Split ones fill what the last round of whole ones leaves.
    The figures were fitted to measured plans on layers of AlexNet, VGG-16 and ResNet-18, and only have to rank plans:
    4 cycles for a multiply-add of a SIMD, cycles of a work-group's start and end, 550 bytes a cycle of the sum.
    """
    step = plan.rows * plan.columns // 64
    together, alone = _EFFICIENCY[plan.rows, plan.columns]
    resident = plan.resident or _DENSE_BLOCKS[plan.rows, plan.columns]
    at_a_time = _COMPUTE_UNITS * resident
    edge = 2500.0 + 30 * step * (0.5 if plan.slice_shift else 1)
    across = plan.groups_across(N)
    partial = plan.partial_results(K)
    cycles, spare = 0.0, 0.0
    if plan.whole:
        groups = plan.whole * across
        rounds = _ceil_div(groups, at_a_time)
        cycles = rounds * (4.0 * resident * plan.whole_slice(K) * step / together + edge)
        spare = (rounds * at_a_time - groups) * plan.whole_slice(K) / plan.k_slice
    one = 4.0 * plan.k_slice * step
    groups = max(0, plan.split(M) * across * partial - int(spare))
    rounds, left = divmod(groups, at_a_time)
    cycles += rounds * (resident * one / together + edge)
    if left:
        most = _ceil_div(left, _COMPUTE_UNITS)
        cycles += one / alone + edge if most == 1 else most * one / together + edge
    split = min(1.0, plan.split(M) * plan.group_rows / M)
    return cycles + (4500 + 4 * M * N * split * (partial + 1) / 550 if partial > 1 else 0)


_COMPUTE_UNITS = 64
_MOST_PARTIAL_RESULTS = 16
_EFFICIENCY = {
    (32, 128): (0.94, 0.76),
    (32, 64): (0.91, 0.73),
    (16, 128): (0.87, 0.70),
    (16, 64): (0.84, 0.66),
    (8, 64): (0.70, 0.50),
}
"""Of the loops of the kernels' blocks: with the best number of work-groups on a compute unit, with one."""


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
    if kernel != "sparse_gemm":
        plans = sorted(_dense_plans(kernel, M, N, K), key=lambda p: _estimate(p, M, N, K))
        best: dict[tuple[int, int, int, bool], GemmPlan] = {}
        for plan in plans:
            best.setdefault((plan.rows, plan.columns, plan.slice_shift, plan.whole > 0), plan)
        return list(best.values())
    found: dict[GemmPlan, None] = {}
    for rows, columns in _SPARSE_BLOCKS:
        if columns >= 2 * max(N, 64):
            continue
        down, across = _ceil_div(M, rows), _ceil_div(N, columns)
        for target in _TARGETS:
            wanted = min(max(1, round(target / (down * across))), max(K // 32, 1))
            k_slice = _ceil_div(_ceil_div(K, wanted), 32) * 32 if wanted > 1 else K
            slices = _ceil_div(K, k_slice)
            shift = 2 if slices >= 4 and (slices % 4 == 0 or slices > 8) else 0
            column_shift = 0 if down >= _WAVES >> shift else min(2 - shift, 2 if down == 1 else 1)
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
    held: ViewPlace | None = None,
) -> None:
    """Add a dense GEMM of (M, N, K) = `size`; `b` holds the kernel's arguments for that operand.

    With `held`, that operand is a view which is mapped there for the launch.
    """
    M, _, K = size
    args = {"a": a, "lda": lda, "bias": bias, **b, **target.dense_arguments(plan, size, layout), **_shape(plan, size)}
    args |= {"whole_rows": plan.whole, "split_rows": plan.split(M), "whole_slice": plan.whole_slice(K)}
    session, label = operation.session, f"{operation.name}: {plan.full_kernel}"

    def launch(**more: int) -> LaunchResult:
        return session.launch(plan.full_kernel, args={**args, **more}, label=label, dynamic_lds_bytes=plan.lds_bytes)

    def through_view() -> LaunchResult:
        assert held is not None
        with held.open() as view:
            return launch(b=view.address)

    operation.add(launch if held is None else through_view)


def add_sparse_gemm(
    operation: Operation,
    plan: GemmPlan,
    size: tuple[int, int, int],
    matrix: Tiled,
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

    The compaction engine supplies the tiles through a view; without one, the software conversion kernel writes them,
    which takes no im2col matrix that nothing holds.
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
        held = operation.view_place(matrix)

        def through_view() -> LaunchResult:
            plan_of_groups = schedule()
            with held.open() as view:
                arguments = {**args, "tiles": view.address, "path": path}
                ahead = None if tiles_of_groups is None else Prefetch(view, tiles_of_groups)
                return session.launch(
                    plan.full_kernel, args=arguments, schedule=plan_of_groups, prefetch=ahead, label=label
                )

        operation.add(through_view)
    else:
        assert isinstance(matrix, Matrix)  # the kernel that converts has no im2col of its own
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
