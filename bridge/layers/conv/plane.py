"""Sparse direct convolution of small images: a tile is a channel's image, work is shared out by what it costs."""

from __future__ import annotations

import functools
import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.conv.direct import DirectProblem
from bridge.layers.conv.pieces import FilterLayouts
from bridge.layers.operation import Operation
from bridge.layers.tuned import tuned
from bridge.schedule import Prefetch, Schedule
from bridge.tensors import CompactedView, Matrix, WatchedTensor, slot_bytes
from spartan_units.types import NO_TILE, UnitKind

__all__ = ["PlanePlan", "add_plane", "plan_plane", "plane_candidates", "plane_key", "share_out"]

_KERNELS = {7: (4, 7), 8: (4,), 14: (2,)}
"""Greatest image width → rows of outputs of a wavefront: the kernels that ship."""

_EXCHANGE_BYTES = 16384
"""Of the LDS: 16 accumulators of a work-group's four wavefronts."""

_WAVES = 4
_CHANNEL, _VISIT = 18, 8
"""Instructions of a wavefront for a channel (filters, counts) and for a visit of an image row, less multiply-adds."""

_DENSITY = 0.25
"""At which work is shared out: plans are made once, and edges of an image weigh less the more there is to multiply."""

_GROUP = 600
"""What a work-group costs beside its channels, in the same: start, sums through the LDS, store."""

_PARTIAL = 3.2
"""What the last work-group of a block takes for a quad of a partial result, in the same: 16 lines, one a cycle."""


@dataclass(frozen=True)
class PlanePlan:
    """How a convolution of small images is cut.

    Attributes:
        rows: of outputs of a wavefront.
        workgroups: over which the channels of all blocks of outputs are shared out.
    """

    rows: int
    workgroups: int


@dataclass(frozen=True)
class _Block:
    """Some rows of outputs and 64 filters of an image; all channels; what a channel costs."""

    image: int
    row: int
    filter: int
    cost: float


def kernel_width(problem: DirectProblem) -> int:
    """Return the greatest width of the kernel that computes a problem, 0 where none does."""
    if (problem.filter_height, problem.filter_width) != (3, 3) or problem.pad_h > 1:
        return 0
    if not 3 <= problem.height <= 56:
        return 0
    return min((width for width in _KERNELS if problem.width <= width), default=0)


def plane_key(problem: DirectProblem) -> str:
    """Return the problem as the table of tuned plans names it."""
    return problem.key.replace("sparse_conv", "sparse_plane_conv", 1)


def plan_plane(problem: DirectProblem, compute_units: int = 64) -> PlanePlan | None:
    """Choose a plan, as measured or with the least estimate; None where no kernel computes the problem."""
    candidates = plane_candidates(problem, compute_units)
    if not candidates:
        return None
    plan = tuned(plane_key(problem))
    if plan is not None:
        return PlanePlan(**plan)
    return min(candidates, key=lambda candidate: _estimate(problem, candidate, compute_units))


def plane_candidates(problem: DirectProblem, compute_units: int = 64) -> list[PlanePlan]:
    """Return the plans that a tuner tries."""
    found = []
    for rows in _KERNELS.get(kernel_width(problem), ()):
        if not _counts_end_in_zeros(problem, rows):
            continue
        least = len(_blocks(problem, rows))
        # Channels are shared out among the four wavefronts of a work-group.
        most = least * max(1, problem.channels // _WAVES)
        fewest = -(-least // compute_units)
        each_unit = range(fewest, max(fewest + (fewest > 1), _resident(problem, rows)) + 1)
        sizes = {min(most, compute_units * each) for each in each_unit}
        sizes |= {least, min(most, 2 * least)}  # of equal parts, which many images need to be dealt out evenly
        found += [PlanePlan(rows, size) for size in sorted(sizes)]
    return found


def _resident(problem: DirectProblem, rows: int) -> int:
    """Return how many work-groups a compute unit holds: by vector registers, and by local memory four."""
    registers = -(-rows * (kernel_width(problem) + 2) // 4) * 4 + 2 * 9 + 10
    return min(4, 256 // (-(-registers // 4) * 4))


def _estimate(problem: DirectProblem, plan: PlanePlan, compute_units: int) -> float:
    """Return what the busiest compute unit takes and the last sum, in instructions of a wavefront."""
    blocks = _blocks(problem, plan.rows)
    counts = _shares(problem, plan, blocks)
    longest = sorted(
        (b.cost * problem.channels / n for b, n in zip(blocks, counts, strict=True) for _ in range(n)), reverse=True
    )
    busy = [0.0] * compute_units
    heapq.heapify(busy)
    for cost in longest:
        heapq.heapreplace(busy, busy[0] + cost + _GROUP)
    # Few wavefronts on a SIMD leave it idle while they wait, less so where a visit has much to multiply.
    waiting = ({1: 1.8, 2: 1.17} if plan.rows < 7 else {1: 1.3}).get(-(-len(longest) // compute_units), 1.0)
    return max(busy) * waiting + _PARTIAL * max(counts) * -(-plan.rows * (kernel_width(problem) + 2) // 4)


def _counts_end_in_zeros(problem: DirectProblem, rows: int) -> bool:
    """Whether the words that stand for counts of rows below the image are the zeros behind a tile's counts."""
    last = -(-problem.out_height // rows) * rows + 1 - problem.pad_h
    return last < -(-problem.height // 16) * 16


def _blocks(problem: DirectProblem, rows: int) -> list[_Block]:
    blocks = []
    for row in range(0, problem.out_height, rows):
        cost = float(_CHANNEL + _VISIT * (rows + 2))
        for visit in range(rows + 2):
            if 0 <= row + visit - problem.pad_h < problem.height:
                cost += _DENSITY * problem.width * (1 + 3 * sum(0 <= visit - r < rows for r in range(3)))
        for image in range(problem.images):
            blocks += [_Block(image, row, f, cost) for f in range(0, problem.filters, 64)]
    return blocks


def share_out(costs: list[float], workgroups: int, most: int) -> list[int]:
    """Return how many work-groups each block gets, at least one and at most `most`, so that the longest is shortest."""
    counts = [1] * len(costs)
    heap = [(-cost, i) for i, cost in enumerate(costs)]
    heapq.heapify(heap)
    for _ in range(workgroups - len(costs)):
        _, i = heap[0]
        if counts[i] == most:
            break
        counts[i] += 1
        heapq.heapreplace(heap, (-costs[i] / counts[i], i))
    return counts


def _shares(problem: DirectProblem, plan: PlanePlan, blocks: list[_Block]) -> list[int]:
    return share_out([block.cost for block in blocks], plan.workgroups, max(1, problem.channels // _WAVES))


@dataclass(frozen=True)
class _Work:
    """What a launch's work-groups do, two lines of 8 each, the tiles that they read, and how many blocks there are."""

    groups: NDArray[np.uint32]
    tiles: NDArray[np.uint32]
    blocks: int


def _work(problem: DirectProblem, plan: PlanePlan) -> _Work:
    blocks = _blocks(problem, plan.rows)
    counts = _shares(problem, plan, blocks)
    groups: list[tuple[int, ...]] = []
    tiles: list[list[int]] = []
    image_tiles = problem.groups * problem.channels
    for number, (block, count) in enumerate(zip(blocks, counts, strict=True)):
        first_partial, all_filters = len(groups), problem.groups * problem.filters
        output = ((block.image * all_filters + block.filter) * problem.out_height + block.row) * problem.out_width
        rows = min(plan.rows, problem.out_height - block.row)
        end = (first_partial, count, number, output, rows, problem.filters - block.filter, 0, 0)
        step, image_tile = _WAVES * count, block.image * image_tiles
        for first in range(0, step, _WAVES):
            own = [range(first + wave, problem.channels, step) for wave in range(_WAVES)]
            longest = len(own[0])
            full = sum(len(share) == longest for share in own)
            begin = (block.row, block.filter, image_tile + first, first, longest, len(groups), step, full)
            groups.append((*begin, *end))
            tiles.append([image_tile + share[i] for i in range(longest) for share in own if i < len(share)])
    table = np.full((len(tiles), max(len(listed) for listed in tiles)), NO_TILE, np.uint32)
    for i, listed in enumerate(tiles):
        table[i, : len(listed)] = listed
    return _Work(np.array(groups, np.uint32), table, len(blocks))


def add_plane(
    operation: Operation,
    problem: DirectProblem,
    plan: PlanePlan,
    x: DeviceArray,
    layouts: FilterLayouts,
    output: DeviceArray,
    bias: DeviceArray | None = None,
) -> None:
    """Add the steps: conversion where no engine does it, and a launch a group, which adds its partial results, too."""
    session = operation.session
    width, work = kernel_width(problem), _work(problem, plan)
    image_rows = problem.images * problem.groups * problem.channels * problem.height
    matrix = Matrix(x, image_rows, problem.width, problem.width, 1, problem.height, problem.width)
    slot = slot_bytes("ellpack_dib", problem.height, problem.width)
    watched = operation.watch(matrix) if UnitKind.MONITOR in session.units else None
    if UnitKind.COMPACTION in session.units:
        place = operation.view_place(matrix)
    else:
        tiles = operation.empty(matrix.tiles * slot // 4, "tiles", np.uint32)
        args = {"x": x, "tiles": tiles, "rows": image_rows, "columns": problem.width, "row_stride": problem.width}
        args |= {"column_stride": 1, "tile_rows": problem.height, "tile_columns": problem.width}
        args |= {"tiles_across": 1, "slot_bytes": slot}
        operation.launch("dense_to_ellpack_dib", args, tiles=matrix.tiles)
    quads = -(-plan.rows * (width + 2) // 4)
    groups = operation.table(work.groups, "work")
    counters = operation.table(np.zeros(work.blocks, np.uint32), "counters")
    partial = operation.empty((len(work.groups), quads * 256), "partial")
    layout = layouts.by_filter if problem.flip else layouts.taps_first
    kernel = f"sparse_plane_conv3_{width}x{plan.rows}"
    label = f"{operation.name}: {kernel}"
    constant = {
        "partial": partial,
        "work": groups,
        "F": problem.filters,
        "channels": problem.channels,
        "height": problem.height,
        "pad_h": problem.pad_h,
        "slot_bytes": slot,
        "flip": int(problem.flip),
        "counters": counters,
        "out_width": problem.out_width,
        "out_plane": problem.out_height * problem.out_width,
        "shift": 2 - problem.pad_w,
        "reciprocal": -(-65536 // problem.out_width),
    }

    def launch(base: int, group: int, view: CompactedView | None = None) -> LaunchResult:
        group_tiles = np.where(work.tiles == NO_TILE, NO_TILE, work.tiles + np.uint32(group * problem.channels))
        return session.launch(
            kernel,
            args={
                **constant,
                "tiles": base + group * problem.channels * slot,
                "b": layout.address + group * problem.channels * 9 * problem.filters * 4,
                "y": output.address + group * problem.filters * problem.out_height * problem.out_width * 4,
                "bias": None if bias is None else bias.address + group * problem.filters * 4,
            },
            sizes={"groups": len(work.groups)},
            schedule=_schedule(operation, problem, watched, group_tiles),
            prefetch=None if view is None else Prefetch(view, group_tiles),
            dynamic_lds_bytes=max(_EXCHANGE_BYTES, 64 * (16 * quads + 16)),  # the block's sums, padded, lie there later
            label=label,
        )

    def through_view(group: int) -> LaunchResult:
        with place.open() as view:
            return launch(view.address, group, view)

    for group in range(problem.groups):
        if UnitKind.COMPACTION in session.units:
            operation.add(functools.partial(through_view, group))
        else:
            operation.add(functools.partial(launch, tiles.address, group))


def _schedule(
    operation: Operation, problem: DirectProblem, watched: WatchedTensor | None, tiles: NDArray[np.uint32]
) -> Schedule | None:
    if UnitKind.SCHEDULER not in operation.session.units:
        return None
    nonzeros = None if watched is None else operation.read_counts(watched).tile_nonzeros
    return Schedule(nonzeros, problem.height * problem.width, tiles)
