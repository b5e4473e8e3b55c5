"""Sparse direct convolution of wide images: blocks of several rows and columns of outputs, over an im2col view."""

from __future__ import annotations

import functools
import heapq
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.conv.direct import DirectProblem
from bridge.layers.conv.pieces import FilterLayouts
from bridge.layers.operation import Operation
from bridge.schedule import Prefetch, Schedule
from bridge.tensors import Im2colMatrix, Matrix, WatchedTensor, slot_bytes
from spartan_units.formats import ellpack_dib
from spartan_units.im2col import Im2col
from spartan_units.types import NO_TILE, UnitKind

__all__ = ["BlockPlan", "add_block", "block_candidates", "plan_block"]


@dataclass(frozen=True)
class _Kernel:
    """A kernel that ships: square filters, blocks of `rows` × `width` outputs."""

    taps: int
    width: int
    rows: int

    @property
    def name(self) -> str:
        return f"sparse_block_conv{self.taps}_{self.width}x{self.rows}"

    @property
    def columns(self) -> int:
        """Columns of a tile: those that a block's outputs meet. As many accumulators lie from row to row of outputs."""
        return self.width + self.taps - 1

    @property
    def quads(self) -> int:
        """Accumulators in fours."""
        return -(-(self.rows * self.columns + self.taps - 1) // 4)

    def computes(self, problem: DirectProblem) -> bool:
        return (
            (problem.filter_height, problem.filter_width) == (self.taps, self.taps)
            and 0 <= problem.pad_h < self.taps
            and 0 <= problem.pad_w < self.taps
            and problem.out_width % self.width == 0
        )


_KERNELS = (_Kernel(3, 28, 2),)

_LDS_BYTES = 16384
"""Dynamic LDS of a work-group: 16 accumulators of four wavefronts."""

_WAVES = 4
_RESIDENT = 3
"""Work-groups that a compute unit holds: their wavefronts have up to 84 vector registers."""

_FEWEST = 56
"""Blocks from which this pays: with fewer, channels are shared out so finely that sums cost what the loop gains."""

_TILE = 512
"""Elements of a tile, about: wavefronts wait while an engine converts the next one, 16 elements a cycle."""

_ENGINES = 16
"""Tile i is converted and kept by engine i mod 16, of 64 buffers each."""

_VISIT = 0.5
"""What a visit of a row costs beside its multiply-adds, in rows of multiply-adds at density 0.3."""

_GROUP = 16.0
"""What a work-group costs beside its channels, in the same: start, sums through the LDS, stores."""

_SUM = 15.0
"""What storing partial results and counting costs a work-group, in the same."""

_PARTIAL = 8.0
"""What a partial result costs the last work-group of a block, which adds them."""

_ALONE = {1: 0.8, 2: 0.8}
"""What multiply-adds take with one or two wavefronts on a SIMD, relative to each one's share of it with three."""


@dataclass(frozen=True)
class BlockPlan:
    """How a convolution of wide images is cut.

    Attributes:
        whole: blocks of outputs whose channels one work-group sums.
        slices: work-groups that share the channels of each other block.
    """

    whole: int
    slices: int


@dataclass(frozen=True)
class _Block:
    """A block of outputs and 64 filters: image, band, first row in the band, strip of columns; what a channel costs."""

    image: int
    band: int
    row: int
    strip: int
    filter: int
    cost: float


@dataclass(frozen=True)
class _Geometry:
    """How tiles cut an image; `bands` is also the number of tiles from channel to channel."""

    kernel: _Kernel
    bands: int
    band_rows: int
    strips: int

    @property
    def tile_rows(self) -> int:
        return (self.band_rows + self.kernel.taps - 1) * self.strips


def _geometry(problem: DirectProblem) -> _Geometry | None:
    """Cut images for the kernel that computes a problem; None where there is none."""
    for kernel in _KERNELS:
        if kernel.computes(problem):
            strips = problem.out_width // kernel.width
            most = max(1, (_TILE // (strips * kernel.columns) - kernel.taps + 1) // kernel.rows)
            blocks = -(-problem.out_height // kernel.rows)
            bands = -(-blocks // most)
            rows = -(-blocks // bands)
            bands = -(-blocks // rows)
            # One band more, which nobody reads, where all channels of a band would be one engine's.
            return _Geometry(kernel, bands + (bands % _ENGINES == 0), rows * kernel.rows, strips)
    return None


def _blocks(problem: DirectProblem, geometry: _Geometry) -> list[_Block]:
    """Return the blocks of outputs, those that share a tile one behind the other."""
    kernel = geometry.kernel
    blocks = []
    for image, band in itertools.product(range(problem.images), range(geometry.bands)):
        for row in range(0, geometry.band_rows, kernel.rows):
            first = band * geometry.band_rows + row
            if first >= problem.out_height:
                continue
            cost = 0.0
            for visit in range(kernel.rows + kernel.taps - 1):
                cost += _VISIT / 2
                if 0 <= first + visit - problem.pad_h < problem.height:
                    cost += _VISIT / 2 + sum(0 <= visit - r < kernel.rows for r in range(kernel.taps))
            for strip, f in itertools.product(range(geometry.strips), range(0, problem.filters, 64)):
                blocks.append(_Block(image, band, row, strip, f, cost))
    return blocks


def plan_block(problem: DirectProblem, compute_units: int = 64, *, always: bool = False) -> BlockPlan | None:
    """Choose the plan with the least estimate; None where no kernel computes the problem, or it would not pay.

    Args:
        problem: a direct convolution of stride 1.
        compute_units: of the GPU.
        always: choose one where it does not pay, too.
    """
    geometry = _geometry(problem)
    blocks = [] if geometry is None else _blocks(problem, geometry)
    if len(blocks) < (1 if always else _FEWEST):
        return None
    candidates = block_candidates(problem, compute_units)
    return min(candidates, key=lambda plan: _estimate(problem, blocks, plan, compute_units))


def block_candidates(problem: DirectProblem, compute_units: int = 64) -> list[BlockPlan]:
    """Return the plans that are weighed: some rounds of whole blocks, the channels of the others shared out."""
    geometry = _geometry(problem)
    if geometry is None:
        return []
    count, places = len(_blocks(problem, geometry)), compute_units * _RESIDENT
    wholes = sorted({*range(0, count + 1, places), max(0, count // places - 1) * places, count})
    most = max(1, min(16, problem.channels // _WAVES))
    found = [BlockPlan(count, 1)]
    found += [BlockPlan(whole, k) for whole in wholes if whole < count for k in range(2, most + 1)]
    return found


def _estimate(problem: DirectProblem, blocks: list[_Block], plan: BlockPlan, compute_units: int) -> float:
    """Return what the busiest place of a work-group takes, in rows of multiply-adds of a channel and wavefront."""
    costs = []
    for i, block in enumerate(blocks):
        slices = 1 if i < plan.whole else plan.slices
        channels = -(-problem.channels // (slices * _WAVES))
        costs += [block.cost * channels + _GROUP + (_SUM if slices > 1 else 0.0)] * slices
    places = [0.0] * (compute_units * _RESIDENT)
    heapq.heapify(places)
    for cost in sorted(costs, reverse=True):
        heapq.heapreplace(places, places[0] + cost)
    total, before = 0.0, 0.0
    for i, end in enumerate(sorted(places)):  # those that are left are the faster, the fewer they are
        total += (end - before) * _ALONE.get(-(-(len(places) - i) // compute_units), 1.0)
        before = end
    return total + (_PARTIAL * plan.slices if plan.whole < len(blocks) else 0.0)


@dataclass(frozen=True)
class _Work:
    """What a launch's work-groups do, two lines of 8 each, what tiles they read, partial results, blocks of these."""

    groups: NDArray[np.uint32]
    tiles: NDArray[np.uint32]
    partials: int
    shared: int


def _work(problem: DirectProblem, geometry: _Geometry, plan: BlockPlan) -> _Work:
    kernel, partials, shared = geometry.kernel, 0, 0
    groups: list[tuple[int, ...]] = []
    tiles: list[list[int]] = []
    pixels = problem.out_height * problem.out_width
    filters = problem.groups * problem.filters
    for i, block in enumerate(_blocks(problem, geometry)):
        slices = 1 if i < plan.whole else plan.slices
        row = block.band * geometry.band_rows + block.row
        rows = min(kernel.rows, problem.out_height - row)
        out = (block.image * filters + block.filter) * pixels + row * problem.out_width + block.strip * kernel.width
        end_line = (partials, slices, shared, out * 4, rows, 0, 0, 0)
        shared += slices > 1
        ends = [problem.channels * k // slices for k in range(slices + 1)]
        for first, end in itertools.pairwise(ends):
            channel = block.image * problem.groups * problem.channels + first
            tile = channel * geometry.bands + block.band
            place = (partials, 0) if slices > 1 else (out * 4, rows)
            partials += slices > 1
            in_tile = block.row * geometry.strips + block.strip
            groups.append((in_tile, block.filter, tile, first, end - first, *place, 0, *end_line))
            shares = [(end - first) * wave // _WAVES for wave in range(_WAVES + 1)]
            own = [range(shares[wave], shares[wave + 1]) for wave in range(_WAVES)]
            longest = max(len(share) for share in own)
            order = [share[k] for k in range(longest) for share in own if k < len(share)]
            tiles.append([tile + k * geometry.bands for k in order])
    table = np.full((len(tiles), max(len(listed) for listed in tiles)), NO_TILE, np.uint32)
    for i, listed in enumerate(tiles):
        table[i, : len(listed)] = listed
    return _Work(np.array(groups, np.uint32), table, partials, shared)


def _view(problem: DirectProblem, geometry: _Geometry, x: DeviceArray) -> Im2colMatrix:
    """Return the tiles that the kernel reads: channels (of all images) × bands, of rows and strips × columns."""
    kernel, plane = geometry.kernel, problem.height * problem.width
    channels = problem.images * problem.groups * problem.channels
    im2col = Im2col(
        1, channels, problem.height, problem.width, channels * plane, plane, geometry.band_rows + kernel.taps - 1,
        geometry.strips, geometry.bands, kernel.columns, geometry.band_rows, 1, problem.pad_h,
        problem.pad_w, 1, kernel.width,
    )  # fmt: skip
    return Im2colMatrix(x, im2col, 0, geometry.tile_rows, kernel.columns)


def _watched(problem: DirectProblem, x: DeviceArray) -> Matrix:
    """Return what the monitor counts for the scheduler: rows of images."""
    rows = problem.images * problem.groups * problem.channels * problem.height
    return Matrix(x, rows, problem.width, problem.width, 1, 1, problem.width)


def _tile_nonzeros(problem: DirectProblem, geometry: _Geometry, counts: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the non-zeros of the rows that each tile shows."""
    rows = counts.reshape(-1, problem.height).astype(np.uint64)
    sums = np.concatenate([np.zeros((len(rows), 1), np.uint64), rows.cumsum(axis=1)], axis=1)
    starts = np.arange(geometry.bands) * geometry.band_rows - problem.pad_h
    ends = starts + geometry.band_rows + geometry.kernel.taps - 1
    tiles: NDArray[np.uint64] = sums[:, np.clip(ends, 0, problem.height)]
    tiles = tiles - sums[:, np.clip(starts, 0, problem.height)]
    return tiles.astype(np.uint32).reshape(-1)


def add_block(
    operation: Operation,
    problem: DirectProblem,
    plan: BlockPlan,
    x: DeviceArray,
    layouts: FilterLayouts,
    output: DeviceArray,
    bias: DeviceArray | None = None,
) -> None:
    """Add the steps: a launch over a view for each group, which adds its partial results, too."""
    session = operation.session
    geometry = _geometry(problem)
    assert geometry is not None
    kernel, work = geometry.kernel, _work(problem, geometry, plan)
    slot = slot_bytes("ellpack_dib", geometry.tile_rows, kernel.columns)
    watched = operation.watch(_watched(problem, x)) if UnitKind.MONITOR in session.units else None
    place = operation.view_place(_view(problem, geometry, x))
    groups = operation.table(work.groups, "work")
    counters = operation.table(np.zeros(max(1, work.shared), np.uint32), "counters")
    partial = operation.empty((max(1, work.partials), kernel.quads * 256), "partial")
    layout = layouts.by_filter if problem.flip else layouts.taps_first
    pixels = problem.out_height * problem.out_width
    constant = {
        "partial": partial,
        "work": groups,
        "counters": counters,
        "F": problem.filters,
        "channels": problem.channels,
        "slot_bytes": slot,
        "channel_tiles": geometry.bands,
        "strips": geometry.strips,
        "header_bytes": ellpack_dib.header_bytes(geometry.tile_rows),
        "y_row_bytes": problem.out_width * 4,
        "y_filter_bytes": pixels * 4,
        "flip": int(problem.flip),
    }

    def launch(group: int) -> LaunchResult:
        first = np.uint32(group * problem.channels * geometry.bands)
        tiles = np.where(work.tiles == NO_TILE, NO_TILE, work.tiles + first)
        with place.open() as view:
            return session.launch(
                kernel.name,
                args={
                    **constant,
                    "tiles": view.address + int(first) * slot,
                    "b": layout.address + group * problem.channels * kernel.taps**2 * problem.filters * 4,
                    "y": output.address + group * problem.filters * pixels * 4,
                    "bias": None if bias is None else bias.address + group * problem.filters * 4,
                },
                sizes={"groups": len(work.groups)},
                schedule=_schedule(operation, problem, geometry, watched, tiles),
                prefetch=Prefetch(view, tiles),
                dynamic_lds_bytes=_LDS_BYTES,
                label=f"{operation.name}: {kernel.name}",
            )

    for group in range(problem.groups):
        operation.add(functools.partial(launch, group))


def _schedule(
    operation: Operation,
    problem: DirectProblem,
    geometry: _Geometry,
    watched: WatchedTensor | None,
    tiles: NDArray[np.uint32],
) -> Schedule | None:
    if UnitKind.SCHEDULER not in operation.session.units:
        return None
    nonzeros = None
    if watched is not None:
        nonzeros = _tile_nonzeros(problem, geometry, operation.read_counts(watched).tile_nonzeros)
    return Schedule(nonzeros, geometry.tile_rows * geometry.kernel.columns, tiles)
