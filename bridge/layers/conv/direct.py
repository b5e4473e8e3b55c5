"""Sparse direct convolution: the kernel reads tiles of X or dY itself, without im2col and taps in the padding."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.conv.pieces import FilterLayouts
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.operation import Operation
from bridge.layers.tuned import tuned
from bridge.schedule import Prefetch, Schedule
from bridge.tensors import CompactedView, Matrix, Tiled, WatchedTensor, slot_bytes
from spartan_units.types import NO_TILE, UnitKind

__all__ = [
    "DirectPlan",
    "DirectProblem",
    "add_direct",
    "data_gradient_problem",
    "direct_candidates",
    "forward_problem",
    "plan_direct",
    "problem_of",
]

TILE_CHANNELS = 16
"""Channels of a tile; its columns are one image row."""

_LDS_BYTES = 4096
"""Dynamic LDS of a wavefront where slices are summed within the work-group."""

_KERNELS: dict[int, dict[int, tuple[int, ...]]] = {
    3: {8: (64, 128), 14: (64, 128), 28: (64, 128), 56: (64,), 112: (64,), 224: (64,)},
    5: {28: (64,)},
}
"""Filter width → greatest image width → filters of a wavefront: the kernels that ship."""

_WAVES = 900
"""Wavefronts to aim for: measured on 28 × 28 and 14 × 14 images, 3.5 for each of the 256 SIMDs."""

_SHARED_ABOVE = 200
"""Blocks of rows × filters from which two rows a work-group, which share weights, pay: measured on 28 × 28 images."""


@dataclass(frozen=True)
class DirectProblem:
    """One direct convolution of stride 1: of X with W, or of dY with the filters turned by 180°.

    Attributes:
        images, groups: of the batch.
        channels: of one group, what is summed over.
        height, width: of the input.
        filters: of one group, outputs.
        filter_height, filter_width, pad_h, pad_w: of the window.
        flip: filters are read last tap first.
    """

    images: int
    groups: int
    channels: int
    height: int
    width: int
    filters: int
    filter_height: int
    filter_width: int
    pad_h: int
    pad_w: int
    flip: bool

    @property
    def out_height(self) -> int:
        """Rows of outputs."""
        return self.height + 2 * self.pad_h - self.filter_height + 1

    @property
    def out_width(self) -> int:
        """Columns of outputs."""
        return self.width + 2 * self.pad_w - self.filter_width + 1

    @property
    def key(self) -> str:
        """The problem as the table of tuned plans names it."""
        return (
            f"sparse_conv {self.images}x{self.channels}x{self.height}x{self.width} to {self.filters} by "
            f"{self.filter_height}x{self.filter_width} pad {self.pad_h},{self.pad_w}"
        )

    @property
    def channel_tiles(self) -> int:
        """Tiles along the channels of a group."""
        return self.channels // TILE_CHANNELS

    @property
    def taps_of_a_pixel(self) -> float:
        """Taps of a filter row that share a register index, on average over the pixels of a row."""
        return float(self.filter_width)

    @property
    def units(self) -> int:
        """Pairs of channel tile and filter row of an output row, at most."""
        return self.channel_tiles * self.filter_height

    @property
    def kernel_columns(self) -> tuple[int, ...]:
        """Filters of a wavefront: the kernels that ship for this width."""
        return _KERNELS[self.filter_width][_kernel_width(self)]

    @property
    def fits(self) -> bool:
        """Whether a kernel ships that computes it."""
        widths = _KERNELS.get(self.filter_width, {})
        # Wider kernels load two lines of a row, which rows of one line do not have.
        least = 1 if 8 in widths else 9
        return (
            self.channels % TILE_CHANNELS == 0
            and any(least <= self.width <= width for width in widths)
            and 0 <= self.pad_h < self.filter_height
            and 0 <= self.pad_w < self.filter_width
        )

    def kernel(self, plan: DirectPlan) -> str:
        """Return the name of the kernel."""
        return f"sparse_conv{self.filter_width}_{_kernel_width(self)}x{plan.columns}"

    def rule(self) -> DirectPlan:
        """Choose a plan that nobody has measured: enough wavefronts, slices summed within work-groups first."""
        rows = self.images * self.out_height
        blocks = rows * -(-self.filters // 64)
        units = self.units
        if blocks >= _WAVES or units < 4:
            return DirectPlan(64, 4, 0, 1)
        slices = min(max(4, round(_WAVES / blocks / 4) * 4), units // 4 * 4)
        share = -(-units // slices)
        slices = min(slices, -(-units // share // 4) * 4)  # none that has nothing to do
        return DirectPlan(64, self.group_waves[-1] if blocks >= _SHARED_ABOVE else 4, 2, slices)

    @property
    def arguments(self) -> dict[str, int]:
        """Arguments of the kernel that only some of its family have."""
        return {}

    def view(self, x: DeviceArray) -> Tiled:
        """Return the tiles that the kernel reads: channels of all images × pixels, a tile 16 rows × one image row."""
        return self.watched(x)

    def watched(self, x: DeviceArray) -> Matrix:
        """Return what the monitor counts for the scheduler."""
        pixels = self.height * self.width
        return Matrix(x, self.images * self.groups * self.channels, pixels, pixels, 1, TILE_CHANNELS, self.width)

    def tile_nonzeros(self, counts: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return the counts of the kernel's tiles, given those of `watched`; never zero where a tile has a non-zero."""
        return counts

    def met_rows(self, p: int) -> tuple[int, int]:
        """Return the first row of tiles that output row p meets, and how many it meets."""
        first = max(0, self.pad_h - p)
        last = min(self.filter_height, self.height + self.pad_h - p)
        return p + first - self.pad_h, last - first

    @property
    def group_waves(self) -> tuple[int, ...]:
        """Wavefronts of work-groups that fit a compute unit: two on a SIMD have 128 vector registers each."""
        return (4, 8) if self.width <= 112 else (4,)


@dataclass(frozen=True)
class DirectPlan:
    """How a direct convolution is cut into wavefronts.

    Attributes:
        columns: filters of a wavefront, 64 or 128.
        waves: wavefronts of a work-group.
        slice_shift: 2 where each four of them sum over a slice of channels and filter rows each, else 0.
        slices: slices of an output row's sums, over all work-groups; a multiple of 2^slice_shift.
    """

    columns: int
    waves: int
    slice_shift: int
    slices: int


def _strided(shape: ConvolutionShape) -> bool:
    return (shape.stride_h, shape.stride_w, shape.dilation_h, shape.dilation_w) != (1, 1, 1, 1)


def problem_of(phase: str, shape: ConvolutionShape) -> DirectProblem | None:
    """Return a forward pass or data gradient as a direct convolution of stride 1, None where it is none."""
    if _strided(shape):
        return None
    if phase == "forward":
        return DirectProblem(
            shape.images, shape.groups, shape.group_channels, shape.height, shape.width, shape.group_filters,
            shape.filter_height, shape.filter_width, shape.pad_h, shape.pad_w, False,
        )  # fmt: skip
    if phase == "data_gradient":
        return DirectProblem(
            shape.images, shape.groups, shape.group_filters, shape.out_height, shape.out_width, shape.group_channels,
            shape.filter_height, shape.filter_width, shape.filter_height - 1 - shape.pad_h,
            shape.filter_width - 1 - shape.pad_w, True,
        )  # fmt: skip
    return None


def forward_problem(shape: ConvolutionShape) -> DirectProblem | None:
    """Return the forward pass as a direct convolution, None where no kernel of `sparse_conv` computes it."""
    problem = problem_of("forward", shape)
    return problem if problem is not None and problem.fits else None


def data_gradient_problem(shape: ConvolutionShape) -> DirectProblem | None:
    """Return the data gradient as a direct convolution of dY, None where no kernel of `sparse_conv` computes it."""
    problem = problem_of("data_gradient", shape)
    return problem if problem is not None and problem.fits else None


def plan_direct(problem: DirectProblem) -> DirectPlan:
    """Choose a plan: as measured, or by rule."""
    plan = tuned(problem.key)
    if plan is not None:
        return DirectPlan(**plan)
    return problem.rule()


def direct_candidates(problem: DirectProblem) -> list[DirectPlan]:
    """Return the plans that a tuner tries."""
    rows, units = problem.images * problem.out_height, problem.units
    found = []
    for columns in problem.kernel_columns:
        if columns >= 2 * max(problem.filters, 64):
            continue
        blocks = rows * -(-problem.filters // columns)
        for slices in (1, 4, 8, 12, 16, 24, 32):
            if slices > units or not 200 <= blocks * slices <= 6000:
                continue
            shift = 2 if slices > 1 else 0
            sizes = [waves for waves in problem.group_waves if rows >= waves >> shift]
            found += [DirectPlan(columns, waves, shift, slices) for waves in sizes]
    return found or [plan_direct(problem)]


def _kernel_width(problem: DirectProblem) -> int:
    return min(width for width in _KERNELS[problem.filter_width] if problem.width <= width)


def add_direct(
    operation: Operation,
    problem: DirectProblem,
    plan: DirectPlan,
    x: DeviceArray,
    layouts: FilterLayouts,
    output: DeviceArray,
    bias: DeviceArray | None = None,
) -> None:
    """Add the steps: conversion where no engine does it, one launch a group, the sum of partial results."""
    session = operation.session
    matrix = problem.view(x)
    slot = slot_bytes("ellpack_dib", TILE_CHANNELS, problem.width)
    groups_z = plan.slices >> plan.slice_shift
    written = operation.empty((groups_z, output.size), "partial") if groups_z > 1 else output
    watched = operation.watch(problem.watched(x)) if UnitKind.MONITOR in session.units else None
    if UnitKind.COMPACTION in session.units:
        place = operation.view_place(matrix)
    else:
        assert isinstance(matrix, Matrix)  # the kernel that converts gathers nothing
        tiles = operation.empty(matrix.tiles * slot // 4, "tiles", np.uint32)
        args = {"x": x, "tiles": tiles, "rows": matrix.rows, "columns": matrix.columns}
        args |= {"row_stride": matrix.row_stride, "column_stride": 1}
        args |= {"tile_rows": TILE_CHANNELS, "tile_columns": problem.width}
        args |= {"tiles_across": matrix.tile_grid[1], "slot_bytes": slot}
        operation.launch("dense_to_ellpack_dib", args, tiles=matrix.tiles)
    window = problem.filter_height * problem.filter_width
    filters = problem.groups * problem.filters
    out_pixels = problem.out_height * problem.out_width
    layout = layouts.by_filter if problem.flip else layouts.taps_first
    constant = {
        "F": problem.filters,
        "ldb": problem.filters,
        "height": problem.height,
        "out_height": problem.out_height,
        "out_width": problem.out_width,
        "rows": problem.images * problem.out_height,
        "pad_h": problem.pad_h,
        "pad_w": problem.pad_w,
        "filter_height": problem.filter_height,
        "channel_tiles": problem.channel_tiles,
        "image_tiles": problem.groups * problem.channel_tiles,
        "slot_bytes": slot,
        "c_filter_stride": out_pixels,
        "c_image_stride": filters * out_pixels,
        "total_slices": plan.slices,
        "c_slice_stride": output.size,
        "flip": int(problem.flip),
        "waves": plan.waves,
        "slice_shift": plan.slice_shift,
        **problem.arguments,
    }
    kernel = problem.kernel(plan)
    label = f"{operation.name}: {kernel}"

    def launch(base: int, group: int, view: CompactedView | None = None) -> LaunchResult:
        schedule = _schedule(operation, problem, plan, watched, group)
        return session.launch(
            kernel,
            args={
                **constant,
                "tiles": base + group * problem.channel_tiles * problem.height * slot,
                "b": layout.address + group * problem.channels * window * problem.filters * 4,
                "c": written.address + group * problem.filters * out_pixels * 4,
                "bias": None if bias is None else bias.address + group * problem.filters * 4,
            },
            schedule=schedule,
            prefetch=None if view is None else Prefetch(view, workgroup_tiles(problem, plan, group)),
            dynamic_lds_bytes=_LDS_BYTES * plan.waves if plan.slice_shift else 0,
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
    if groups_z > 1:
        operation.launch(
            "sum_slices", {"x": written, "y": output, "n": output.size, "slices": groups_z, "stride": output.size}
        )


def _schedule(
    operation: Operation, problem: DirectProblem, plan: DirectPlan, watched: WatchedTensor | None, group: int
) -> Schedule | None:
    if UnitKind.SCHEDULER not in operation.session.units:
        return None
    nonzeros = None if watched is None else problem.tile_nonzeros(operation.read_counts(watched).tile_nonzeros)
    return Schedule(nonzeros, TILE_CHANNELS * problem.width, workgroup_tiles(problem, plan, group))


def workgroup_tiles(problem: DirectProblem, plan: DirectPlan, group: int) -> NDArray[np.uint32]:
    """Return uint32[workgroups, k]: the tiles that each work-group reads, in the order of the launch."""
    slices = 1 << plan.slice_shift
    per_group = plan.waves // slices
    rows = problem.images * problem.out_height
    groups_y, groups_z = -(-rows // per_group), plan.slices // slices
    across = problem.height
    listed: list[list[int]] = []
    for z in range(groups_z):
        for y in range(groups_y):
            tiles: list[int] = []
            for row in range(y * per_group, min((y + 1) * per_group, rows)):
                image, p = divmod(row, problem.out_height)
                first, count = problem.met_rows(p)
                if count <= 0:
                    continue
                share = -(-problem.channel_tiles * count // plan.slices)
                start = min(z * slices * share, problem.channel_tiles * count)
                end = min((z + 1) * slices * share, problem.channel_tiles * count)
                for unit in range(start, end):
                    tile, r = divmod(unit, count)
                    channel = (image * problem.groups + group) * problem.channel_tiles + tile
                    tiles.append(channel * across + first + r)
            listed.append(tiles)
    widest = max(1, *(len(tiles) for tiles in listed)) if listed else 1
    table = np.full((len(listed), widest), NO_TILE, np.uint32)
    for i, tiles in enumerate(listed):
        table[i, : len(tiles)] = tiles
    across_x = -(-problem.filters // plan.columns)
    return np.repeat(table, across_x, axis=0)
