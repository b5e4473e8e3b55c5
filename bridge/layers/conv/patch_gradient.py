"""Sparse filter gradient of layers with few channels: zeros of dY skipped, the taps of a patch of X in the lanes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.conv.pieces import bordered_input, ellpack_tiles, offset_table, tap_offsets
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.operation import Operation
from bridge.schedule import Prefetch, Schedule
from bridge.tensors import CompactedView, Matrix, slot_bytes
from spartan_units.types import NO_TILE, UnitKind

__all__ = ["PatchPlan", "add_patch_gradient", "patch_candidates", "plan_patch_gradient"]

_TILE_FILTERS = 32
_SLICES = 4
"""Slices of a work-group."""

_DEEP = 32
"""Partial results from which on sum_slices_deep is the faster."""

_UNITS = 64
_LEAST_CHANNELS = 16
"""From so many channels on other kernels have channels of X in their lanes."""

_STRIDES = {"by1": 1, "by2": 2, "any": None}
_KERNELS = {(16, 1, "by1"): 2, (16, 3, "by2"): 2, (11, 2, "any"): 2}
"""The kernels that ship: pixels of a tile, sets of 64 taps of a wavefront, stride → work-groups of a compute unit."""

_LDS_BYTES = {2: 32768, 3: 20480, 4: 16384}
"""Of a work-group, by how many of them a compute unit is to hold."""


@dataclass(frozen=True)
class PatchPlan:
    """How a filter gradient is cut into wavefronts.

    Attributes:
        rows: pixels of a tile.
        sets: of 64 taps, of a wavefront.
        kind: stride that the kernel takes, "by1", "by2" or "any".
        slices: of the tiles, a multiple of 4.
        share, extra: tiles of a slice, and how many of the first slices have one more.
    """

    rows: int
    sets: int
    kind: str
    slices: int
    share: int
    extra: int


def patch_candidates(shape: ConvolutionShape) -> list[PatchPlan]:
    """Return a plan for each kernel that takes a layer; none for those with channels enough for other kernels."""
    if shape.groups != 1 or shape.channels >= _LEAST_CHANNELS or shape.filters % _TILE_FILTERS:
        return []
    plans = []
    for (rows, sets, kind), held in _KERNELS.items():
        if shape.out_width % rows == 0 and _STRIDES[kind] in (None, shape.stride_w):
            blocks = shape.filters // _TILE_FILTERS * -(-shape.taps // (64 * sets))
            plans.append(PatchPlan(rows, sets, kind, *_shared(_tiles(shape, rows), _UNITS * held // blocks)))
    return plans


def plan_patch_gradient(shape: ConvolutionShape) -> PatchPlan | None:
    """Return the plan with the fewest idle lanes, then the most sets a wavefront; None where no kernel computes it."""
    plans = patch_candidates(shape)
    return min(plans, key=lambda plan: (-(-shape.taps // (64 * plan.sets)) * plan.sets, -plan.sets), default=None)


def _shared(tiles: int, groups: int) -> tuple[int, int, int]:
    """Return slices, share and extra for at most so many work-groups.

    Wavefronts go through their shares side by side. Most shares are odd, so that the tiles that all are at lie in all
    banks and are converted by all engines, tile i by engine i mod 16.
    """
    slices = _SLICES * min(max(groups, 1), -(-tiles // _SLICES))
    share, extra = divmod(tiles, slices)
    if (share + (2 * extra > slices)) % 2:
        return slices, share, extra
    share += 1 + (2 * extra > slices)
    return _SLICES * -(-tiles // (_SLICES * share)), share, 0


def _tiles(shape: ConvolutionShape, rows: int) -> int:
    return shape.images * shape.out_height * (shape.out_width // rows)


def add_patch_gradient(
    operation: Operation, shape: ConvolutionShape, plan: PatchPlan, x: DeviceArray, dy: DeviceArray
) -> None:
    """Add the steps: X with its border, the kernel over the view of dY, the sum of partial results."""
    session, output = operation.session, operation.output
    filter_tiles, row_tiles = shape.filters // _TILE_FILTERS, shape.out_width // plan.rows
    matrix = Matrix(dy, shape.pixels, shape.images * shape.filters, 1, shape.pixels, plan.rows, _TILE_FILTERS)
    slot = slot_bytes("ellpack_dib", plan.rows, _TILE_FILTERS)
    tiles = _tiles(shape, plan.rows)
    groups_z = plan.slices // _SLICES
    written = output if groups_z == 1 else operation.empty((groups_z, output.size), "partial")
    watched = operation.watch(matrix) if UnitKind.MONITOR in session.units else None
    bordered = bordered_input(operation, x, shape.pad_h, shape.pad_w, "bordered x")
    _, channels, height, width = bordered.shape
    tap_groups = -(-shape.taps // (64 * plan.sets))
    offsets = np.zeros(tap_groups * 64 * plan.sets, np.int64)
    offsets[: shape.taps] = tap_offsets(shape, bordered).reshape(-1)
    kernel = f"sparse_patch_gradient_{plan.rows}x{plan.sets}_{plan.kind}"
    constant = {
        "x": bordered,
        "offsets": offset_table(operation, offsets, "offsets"),
        "sums": written,
        "taps": shape.taps,
        "x_bytes": bordered.size * 4,
        "row_tiles": row_tiles,
        "image_rows": shape.out_height,
        "tiles_across": shape.images * filter_tiles,
        "filter_tiles": filter_tiles,
        "slot_bytes": slot,
        "pixel_bytes": shape.stride_w * 4,
        "row_bytes": shape.stride_h * width * 4,
        "image_bytes": channels * height * width * 4,
        "tiles_total": tiles,
        "share": plan.share,
        "extra": plan.extra,
        "slice_stride": output.size,
    }
    listed = _workgroup_tiles(shape, plan)

    def launch(base: int, view: CompactedView | None = None) -> LaunchResult:
        schedule = None
        if UnitKind.SCHEDULER in session.units:
            nonzeros = None if watched is None else operation.read_counts(watched).tile_nonzeros
            schedule = Schedule(nonzeros, plan.rows * _TILE_FILTERS, listed)
        return session.launch(
            kernel,
            args={**constant, "tiles": base},
            sizes={"slices": plan.slices},
            schedule=schedule,
            prefetch=None if view is None else Prefetch(view, listed),
            dynamic_lds_bytes=_LDS_BYTES[_KERNELS[plan.rows, plan.sets, plan.kind]],
            label=f"{operation.name}: {kernel}",
        )

    if UnitKind.COMPACTION in session.units:
        place = operation.view_place(matrix)

        def through_view() -> LaunchResult:
            with place.open() as view:
                return launch(view.address, view)

        operation.add(through_view)
    else:
        converted = ellpack_tiles(operation, matrix)
        operation.add(lambda: launch(converted.address))
    if groups_z > 1:
        args = {"x": written, "y": output, "n": output.size, "slices": groups_z, "stride": output.size}
        operation.launch("sum_slices" if groups_z < _DEEP else "sum_slices_deep", args)


def _workgroup_tiles(shape: ConvolutionShape, plan: PatchPlan) -> NDArray[np.uint32]:
    """Return uint32[workgroups, k]: the tiles that each work-group reads, in the order of the launch."""
    filter_tiles, tap_groups = shape.filters // _TILE_FILTERS, -(-shape.taps // (64 * plan.sets))
    image_tiles = _tiles(shape, plan.rows) // shape.images
    first = np.arange(plan.slices + 1) * plan.share + np.minimum(np.arange(plan.slices + 1), plan.extra)
    first = np.minimum(first, image_tiles * shape.images)
    slices = np.arange(plan.slices).reshape(-1, _SLICES)
    z, y, slice_, i = np.ix_(range(len(slices)), range(filter_tiles), range(_SLICES), range(plan.share + 1))
    number = slices[z, slice_]
    at = first[number] + i
    tile = (at % image_tiles) * shape.images * filter_tiles + at // image_tiles * filter_tiles + y
    listed = np.where(at < first[number + 1], tile, NO_TILE).astype(np.uint32)
    flat = listed.reshape(len(slices) * filter_tiles, -1)
    return np.repeat(flat, tap_groups, axis=0)
