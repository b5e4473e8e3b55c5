"""Sparse direct filter gradient: zeros of X or dY skipped by a kernel that reads tiles of the tensor itself.

The kernel visits the non-zeros of a sparse operand and keeps rows of a dense one, whose channels are the lanes, in
vector registers.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.conv.pieces import ellpack_tiles
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.operation import Operation
from bridge.schedule import Prefetch, Schedule
from bridge.tensors import CompactedView, Matrix, slot_bytes
from spartan_units.types import NO_TILE, UnitKind

__all__ = ["GradientPlan", "GradientProblem", "add_direct_gradient", "gradient_problem", "plan_gradient"]

_TILE_CHANNELS = 16
_LDS_BYTES = {3: 18432, 5: 25600}
"""Of a work-group by filter width."""

_UNITS = 64
"""Compute units."""

_QUAD = 4
"""Columns of the dense operand that a load brings."""


@dataclass(frozen=True)
class GradientProblem:
    """One filter gradient of stride 1 by its sparse and its dense operand.

    Attributes:
        images, groups: of the batch.
        channels, height, width: of the sparse operand, channels of one group.
        lanes, dense_height, dense_width: of the dense operand, channels of one group.
        taps: filter height and width.
        pad_h: rows of the dense operand above the sparse operand's.
        swap: the sparse operand is dY.
    """

    images: int
    groups: int
    channels: int
    height: int
    width: int
    lanes: int
    dense_height: int
    dense_width: int
    taps: int
    pad_h: int
    swap: bool

    @property
    def channel_tiles(self) -> int:
        """Tiles along the channels of a group."""
        return self.channels // _TILE_CHANNELS


@dataclass(frozen=True)
class GradientPlan:
    """How a filter gradient is cut into wavefronts.

    Attributes:
        width: columns of a tile that the kernel takes.
        several: a row of the sparse operand has several tiles of `width` columns, else one.
        channels: of a wavefront, 2 or 4.
        share: rows of tiles of a work-group.
    """

    width: int
    several: bool
    channels: int
    share: int


_KERNELS = {
    3: {
        (8, False, 4): 3, (8, False, 2): 3, (14, False, 4): 3, (14, False, 2): 3, (28, False, 4): 2, (28, False, 2): 2,
        (56, False, 2): 1, (14, True, 2): 3, (16, True, 2): 3, (28, True, 4): 2, (28, True, 2): 2,
    },
    5: {(8, False, 2): 2, (14, False, 2): 1, (7, True, 2): 2, (9, True, 2): 2},
}  # fmt: skip
"""Filter width → the kernels that ship: width of tiles, whether a row has several, channels of a wavefront → how many
work-groups a compute unit holds."""

_AHEAD: dict[int, set[tuple[int, bool, int]]] = {
    3: {(8, False, 4), (8, False, 2), (14, False, 2), (56, False, 2)},
    5: set(),
}
"""Filter width → the kernels that load rows of the dense operand one row ahead."""


def gradient_problem(shape: ConvolutionShape, sparse_operand: str) -> GradientProblem | None:
    """Return the filter gradient that skips zeros of "x" or "dy", None where no kernel computes it."""
    if (
        (shape.stride_h, shape.stride_w, shape.dilation_h, shape.dilation_w) != (1, 1, 1, 1)
        or 2 * shape.pad_w != shape.filter_width - 1
        or shape.filter_height != shape.filter_width
        or shape.filter_width not in _KERNELS
        or shape.pad_h >= shape.filter_height
    ):
        return None
    x = shape.group_channels, shape.height, shape.width
    dy = shape.group_filters, shape.out_height, shape.out_width
    taps = shape.filter_width
    if sparse_operand == "x":
        problem = GradientProblem(shape.images, shape.groups, *x, *dy, taps, shape.pad_h, False)
    else:
        problem = GradientProblem(shape.images, shape.groups, *dy, *x, taps, taps - 1 - shape.pad_h, True)
    fits = problem.channels % _TILE_CHANNELS == 0 and next(_kernels(problem), None) is not None
    return problem if fits and not (problem.swap and problem.lanes % 4) else None


def _kernels(problem: GradientProblem) -> Iterator[tuple[int, bool, int]]:
    for width, several, channels in _KERNELS[problem.taps]:
        if problem.width % width == 0 and problem.width > width if several else _takes(problem.width, width):
            yield width, several, channels


def _takes(columns: int, width: int) -> bool:
    # Wider kernels load two lines of a row, which rows of one line do not have.
    return columns <= width and (width == 8 or columns > 8)


def plan_gradient(problem: GradientProblem) -> GradientPlan:
    """Choose the plan with the least estimate."""
    plans = list(gradient_candidates(problem))
    return min(plans, key=lambda plan: _estimate(problem, plan))


def gradient_candidates(problem: GradientProblem) -> Iterator[GradientPlan]:
    """Return the plans that fit a problem."""
    for width, several, channels in _kernels(problem):
        rows = _rows(problem, width, several)
        for slices in range(1, min(rows, 64) + 1):
            share = -(-rows // slices)
            if -(-rows // share) == slices:
                yield GradientPlan(width, several, channels, share)


def _rows(problem: GradientProblem, width: int, several: bool) -> int:
    return problem.images * problem.height * (problem.width // width if several else 1)


def _slices(problem: GradientProblem, plan: GradientPlan) -> int:
    return -(-_rows(problem, plan.width, plan.several) // plan.share)


def _estimate(problem: GradientProblem, plan: GradientPlan) -> float:
    """Return about how many cycles a plan takes at density 0.5; the constants are set by hand from runs on r9nano."""
    columns = plan.width if plan.several else problem.width
    area = problem.taps * problem.taps
    slices = _slices(problem, plan)
    groups = problem.channels // (4 * plan.channels) * -(-problem.lanes // 64) * slices
    # Cycles of a row: of a wavefront alone on its SIMD, of the SIMD's vector unit, and of L1V for the lines of v.
    row = plan.channels * (columns / 2 * (5 * area + 4) + 80) + 3 * columns + (150 if plan.several else 100)
    vector = plan.channels * columns / 2 * 4 * area * 1.1
    lines = 4 * 16 * -(-(plan.width + (problem.taps - 1 if plan.several else 0)) // _QUAD)
    kernel = plan.width, plan.several, plan.channels
    held, ahead = _KERNELS[problem.taps][kernel], kernel in _AHEAD[problem.taps]
    rounds, rest = divmod(-(-groups // _UNITS), held)

    def together(count: int) -> float:
        loads = count * lines if ahead else 0.0
        waits = 0.0 if ahead else 300 + count * lines
        return plan.share * max(row + waits, count * vector, loads) + 2500 if count else 0.0

    cycles = 1.08 * (1500 + rounds * together(held) + together(rest))
    if columns > 28:
        cycles *= 1.2  # much longer rows than the loop takes at once
    output_bytes = 4 * problem.groups * problem.lanes * problem.channels * area
    return cycles + (4100 + output_bytes * (slices + 1) / 450 if slices > 1 else output_bytes / 2000)


def add_direct_gradient(
    operation: Operation,
    problem: GradientProblem,
    plan: GradientPlan,
    x: DeviceArray,
    dy: DeviceArray,
) -> None:
    """Add the steps: the dense operand in quads of columns, one launch a group, the sum of partial results."""
    session, output = operation.session, operation.output
    sparse, dense = (dy, x) if problem.swap else (x, dy)
    columns = plan.width if plan.several else problem.width
    blocks = problem.width // columns
    all_channels, pixels = problem.groups * problem.channels, problem.height * problem.width
    matrix = Matrix(sparse, problem.images * all_channels, pixels, pixels, 1, _TILE_CHANNELS, columns)
    slot = slot_bytes("ellpack_dib", _TILE_CHANNELS, columns)
    slices = _slices(problem, plan)
    written = output if slices == 1 else operation.empty((slices, output.size), "partial")
    watched = operation.watch(matrix) if UnitKind.MONITOR in session.units else None
    if UnitKind.COMPACTION not in session.units:
        tiles = ellpack_tiles(operation, matrix)
    kernel = f"sparse_filter_gradient{problem.taps}_{'n' if plan.several else ''}{plan.width}x{plan.channels}"
    constant = {
        "lanes": problem.lanes,
        "channels": problem.channels,
        "height": problem.height,
        "blocks": blocks,
        "rows": problem.images * blocks * problem.height,
        "rows_per_slice": plan.share,
        "dense_height": problem.dense_height,
        "dense_quads": _row_quads(problem, plan),
        "pad_h": problem.pad_h,
        "image_tiles": all_channels // _TILE_CHANNELS,
        "slot_bytes": slot,
        "slice_stride": output.size,
        "swap": int(problem.swap),
        "partial": int(slices > 1),
    }
    group_bytes = problem.lanes * problem.channels * problem.taps * problem.taps * 4

    def launch(base: int, v: DeviceArray, group: int, view: CompactedView | None = None) -> LaunchResult:
        listed = _workgroup_tiles(problem, plan, group)
        schedule = None
        if UnitKind.SCHEDULER in session.units:
            nonzeros = None if watched is None else operation.read_counts(watched).tile_nonzeros
            schedule = Schedule(nonzeros, _TILE_CHANNELS * columns, listed)
        return session.launch(
            kernel,
            args={
                **constant,
                "tiles": base + group * problem.channel_tiles * problem.height * blocks * slot,
                "dense": v,
                "sums": written.address + group * group_bytes,
            },
            schedule=schedule,
            prefetch=None if view is None else Prefetch(view, listed),
            dynamic_lds_bytes=_LDS_BYTES[problem.taps],
            label=f"{operation.name}: {kernel}",
        )

    def through_view(v: DeviceArray, group: int) -> LaunchResult:
        with session.view(matrix) as view:
            return launch(view.address, v, group, view)

    for group in range(problem.groups):
        v = _in_quads(operation, problem, plan, dense, group)
        if UnitKind.COMPACTION in session.units:
            operation.add(functools.partial(through_view, v, group))
        else:
            operation.add(functools.partial(launch, tiles.address, v, group))
    if slices == 1:
        return
    window = problem.taps * problem.taps
    rows, batches = (window, problem.channels) if problem.swap else (problem.channels * window, 1)
    for group in range(problem.groups):
        skipped = group * group_bytes
        args = {"x": written.address + skipped, "y": output.address + skipped, "rows": rows, "columns": problem.lanes}
        args |= {"slices": slices, "stride": output.size}
        operation.launch("sum_slices_transposed", args, batches=batches)


def _row_quads(problem: GradientProblem, plan: GradientPlan) -> int:
    """Return the quads of columns of a row of the dense operand: with several blocks, each has those beside it, too."""
    if not plan.several:
        return -(-problem.dense_width // _QUAD)
    return problem.width // plan.width * -(-(plan.width + problem.taps - 1) // _QUAD)


def _in_quads(
    operation: Operation, problem: GradientProblem, plan: GradientPlan, dense: DeviceArray, group: int
) -> DeviceArray:
    """Return one group of the dense operand as rows × quads of columns × channels × 4."""
    rows, pixels = problem.images * problem.dense_height, problem.dense_height * problem.dense_width
    row_quads = _row_quads(problem, plan)
    v = operation.empty((rows * row_quads, problem.lanes * _QUAD), f"quads {group}")
    args = {"x": dense.address + group * problem.lanes * pixels * 4, "y": v, "lanes": problem.lanes}
    args |= {"height": problem.dense_height, "width": problem.dense_width, "row_quads": row_quads}
    args |= {"image_stride": problem.groups * problem.lanes * pixels}
    if plan.several:
        args |= {"quads": row_quads // (problem.width // plan.width), "block_width": plan.width}
        args |= {"left": (problem.taps - 1) // 2}
    else:
        args |= {"quads": row_quads, "block_width": 0, "left": 0}
    operation.launch("row_quads", args, rows=rows)
    return v


def _workgroup_tiles(problem: GradientProblem, plan: GradientPlan, group: int) -> NDArray[np.uint32]:
    """Return uint32[workgroups, k]: the tiles that each work-group reads, in the order of the launch."""
    blocks = problem.width // plan.width if plan.several else 1
    rows = _rows(problem, plan.width, plan.several)
    image_tiles = problem.groups * problem.channel_tiles
    z, y, i = np.ogrid[: _slices(problem, plan), : problem.channels // (4 * plan.channels), : plan.share]
    row = z * plan.share + i
    strip, h = row // problem.height, row % problem.height
    tile = group * problem.channel_tiles + y * 4 * plan.channels // _TILE_CHANNELS
    number = (((strip // blocks) * image_tiles + tile) * problem.height + h) * blocks + strip % blocks
    listed = np.where(row < rows, number, NO_TILE).astype(np.uint32)
    return np.repeat(listed.reshape(-1, plan.share), -(-problem.lanes // 64), axis=0)
