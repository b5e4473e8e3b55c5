"""Dense convolutions on gemm_window: an implicit GEMM that reads X or dY as it lies, cut evenly over the compute units.

Columns are output pixels, k runs over units of four channels of one tap. A data gradient of stride s falls into s × s
problems, the pixels of one remainder each, which meet no taps but those with an element of dY behind them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.kernel import LaunchResult
from bridge.layers.conv.pieces import FilterLayouts
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.operation import Operation
from bridge.layers.tuned import tuned

__all__ = ["WindowPlan", "add_window", "plan_window", "takes_window", "window_candidates", "window_problem"]

_CHANNELS = 4
"""Channels of a unit."""

_ONE_BLOCK = 64
"""Columns of which a single block reads A, so that DRAM bounds the GEMM: gemm_gather's order of rows then is faster
(49,088 cycles against 63,393 on ResNet-18 conv5_1b's forward pass)."""

_MOST_TAPS = 32
"""Bits of a column's mask."""

_SPARE_UNITS = 4
"""Entries that the kernel reads beyond the last unit."""

_LEAST_ADDRESS = 4096
"""Of device memory; what counts from before an array's start may not begin below 0."""

_NONE = 0xFFFFFFFF

_COMPUTE_UNITS = 64
_COMPUTE_UNIT_LDS = 65536

_BLOCKS = {(32, 128): 2, (32, 64): 2, (16, 128): 2, (16, 64): 3}
"""Blocks of the kernels, with the work-groups on a compute unit that do best (see bridge.layers.gemm)."""

_EFFICIENCY = {(32, 128): (0.94, 0.76), (32, 64): (0.91, 0.73), (16, 128): (0.87, 0.70), (16, 64): (0.74, 0.60)}
"""Of the loops: with the best number of work-groups on a compute unit, with one."""


@dataclass(frozen=True)
class WindowPlan:
    """How the blocks of a GEMM are dealt out to work-groups that stay.

    Attributes:
        rows, columns: block of C that a work-group computes.
        resident: work-groups on a compute unit; its local memory is shared out among so many.
        whole: blocks that each of the resident work-groups gets with all of K.
        split: work-groups among which the k of all other blocks is cut evenly; a block that is cut has partial results.
        parts: if not 0, each of the other blocks is cut into so many, and those of the same k are dealt out together to
            all work-groups, so that these read the same rows of A at the same time.
    """

    rows: int
    columns: int
    resident: int
    whole: int
    split: int
    parts: int = 0

    @property
    def full_kernel(self) -> str:
        """Name of the kernel in the catalogue."""
        return f"gemm_window_{self.rows}x{self.columns}"

    @property
    def lds_bytes(self) -> int:
        """Local memory of a work-group."""
        return _COMPUTE_UNIT_LDS // self.resident // 256 * 256


@dataclass(frozen=True)
class _Class:
    """Output pixels that meet the same taps.

    Attributes:
        units: int64[units, 3]: byte offset in B, tap, byte offset in A.
        columns: int64[columns, 3]: byte offset in B, mask of the taps in the padding, byte offset of the output in a
            row.
    """

    units: NDArray[np.int64]
    columns: NDArray[np.int64]


@dataclass(frozen=True)
class _Problem:
    """One group of a convolution's forward pass or data gradient as a GEMM.

    Attributes:
        rows: M.
        channels: of B.
        plane: bytes from a channel of B to the next.
        shift: bytes before B's start to which offsets count, so that none is negative.
        classes: the longest first.
    """

    rows: int
    channels: int
    plane: int
    shift: int
    classes: Sequence[_Class]


def takes_window(shape: ConvolutionShape, phase: str) -> bool:
    """Return whether gemm_window computes a phase."""
    if phase == "filter_gradient" or shape.window > _MOST_TAPS:
        return False
    outputs, inputs = shape.group_filters, shape.group_channels
    if phase == "data_gradient":
        outputs, inputs = inputs, outputs
    if outputs % 16 or inputs % _CHANNELS:
        return False
    once = shape.outputs if phase == "forward" else shape.images * shape.height * shape.width
    strided = phase == "data_gradient" and (shape.stride_h > 1 or shape.stride_w > 1)
    if shape.window > 1 and once <= _ONE_BLOCK and not strided:
        return False
    return _problem(shape, phase).shift <= _LEAST_ADDRESS


def window_problem(shape: ConvolutionShape, phase: str) -> str:
    """Return the name of a phase's problem in the table of measured plans: M, and columns × units of each class."""
    rows, sizes = _sizes(shape, phase)
    return f"gemm_window {rows}x" + "+".join(f"{columns}x{units * _CHANNELS}" for columns, units in sizes)


def _sizes(shape: ConvolutionShape, phase: str) -> tuple[int, list[tuple[int, int]]]:
    """M, and (columns, units) of each class."""
    problem = _problem(shape, phase)
    return problem.rows, [(len(one.columns), len(one.units)) for one in problem.classes]


def _problem(shape: ConvolutionShape, phase: str) -> _Problem:
    return _forward(shape) if phase == "forward" else _data_gradient(shape)


def _units(
    taps: Sequence[int], at: Sequence[int], channels: int, plane: int, window: int, rows: int
) -> NDArray[np.int64]:
    """Units of some of a window's taps, whose elements lie `at` elements from the window's start."""
    first = np.arange(0, channels, _CHANNELS, dtype=np.int64)[:, None]
    tap = np.array(taps, np.int64)[None, :]
    offset = first * plane + 4 * np.array(at, np.int64)[None, :]
    a = 4 * (first * window + tap) * rows
    return np.stack([offset, np.broadcast_to(tap, offset.shape), a], axis=-1).reshape(-1, 3)


def _mask(bits: Sequence[NDArray[np.bool_]], taps: Sequence[int]) -> NDArray[np.int64]:
    mask = np.zeros(bits[0].shape if bits else 1, np.int64)
    for bit, tap in zip(bits, taps, strict=True):
        mask = mask | (bit.astype(np.int64) << tap)
    return mask


def _forward(shape: ConvolutionShape) -> _Problem:
    width, plane = shape.width, shape.height * shape.width
    n, p, q = np.ogrid[: shape.images, : shape.out_height, : shape.out_width]
    top, left = p * shape.stride_h - shape.pad_h, q * shape.stride_w - shape.pad_w
    at, outside = [], []
    for r in range(shape.filter_height):
        for s in range(shape.filter_width):
            down, right = r * shape.dilation_h, s * shape.dilation_w
            at.append(down * width + right)
            h, w = top + down, left + right
            outside.append((h < 0) | (h >= shape.height) | (w < 0) | (w >= width))
    taps = range(shape.window)
    offsets = (n * shape.channels * plane + (top + shape.pad_h) * width + left + shape.pad_w) * 4
    outputs = ((n * shape.filters * shape.pixels) + p * shape.out_width + q) * 4
    units = _units(taps, at, shape.group_channels, plane * 4, shape.window, shape.group_filters)
    columns = np.stack(np.broadcast_arrays(offsets, _mask(outside, taps), outputs), axis=-1).reshape(-1, 3)
    shift = 4 * (shape.pad_h * width + shape.pad_w)
    return _Problem(shape.group_filters, shape.group_channels, plane * 4, shift, [_Class(units, columns)])


def _data_gradient(shape: ConvolutionShape) -> _Problem:
    """Element (h, w) of dX takes through tap (r, s) dY at ((h + pad − r·dilation) / stride, …) where that is whole."""
    height, width, plane = shape.out_height, shape.out_width, shape.pixels
    found: list[tuple[list[int], list[int], NDArray[np.int64]]] = []
    for a in range(min(shape.stride_h, shape.height)):
        for b in range(min(shape.stride_w, shape.width)):
            n, i, j = np.ogrid[
                : shape.images, : -(-(shape.height - a) // shape.stride_h), : -(-(shape.width - b) // shape.stride_w)
            ]
            taps, at, outside = [], [], []
            for r in range(shape.filter_height):
                for s in range(shape.filter_width):
                    down, odd_down = divmod(a + shape.pad_h - r * shape.dilation_h, shape.stride_h)
                    right, odd_right = divmod(b + shape.pad_w - s * shape.dilation_w, shape.stride_w)
                    if odd_down or odd_right:
                        continue
                    taps.append(r * shape.filter_width + s)
                    at.append(down * width + right)
                    p, q = i + down, j + right
                    outside.append((p < 0) | (p >= height) | (q < 0) | (q >= width))
            offsets = (n * shape.filters * plane + i * width + j) * 4
            h, w = i * shape.stride_h + a, j * shape.stride_w + b
            outputs = (n * shape.channels * shape.height * shape.width + h * shape.width + w) * 4
            columns = np.stack(np.broadcast_arrays(offsets, _mask(outside, taps), outputs), axis=-1).reshape(-1, 3)
            found.append((taps, at, columns))
    least = min((min(at) for _, at, _ in found if at), default=0)
    rows, channels = shape.group_channels, shape.group_filters
    classes = [
        _Class(_units(taps, [each - least for each in at], channels, plane * 4, shape.window, rows), columns)
        for taps, at, columns in found
    ]
    classes.sort(key=lambda one: -len(one.units))
    return _Problem(rows, channels, plane * 4, -4 * least, classes)


# Plans


@dataclass(frozen=True)
class _Tile:
    """A block of C: first row, first column in the padded table, first unit, units."""

    row: int
    column: int
    unit: int
    units: int


def _tiles(rows: int, sizes: Sequence[tuple[int, int]], plan: WindowPlan) -> tuple[_Tile, ...]:
    return _cut(rows, tuple(sizes), plan.rows, plan.columns)


@functools.lru_cache(maxsize=16)
def _cut(rows: int, sizes: tuple[tuple[int, int], ...], block_rows: int, block_columns: int) -> tuple[_Tile, ...]:
    tiles: list[_Tile] = []
    column, unit = 0, 0
    for columns, units in sizes:
        for _ in range(-(-columns // block_columns)):
            tiles += [_Tile(row, column, unit, units) for row in range(0, rows, block_rows)]
            column += block_columns
        unit += units
    return tuple(tiles)


@dataclass(frozen=True)
class _Piece:
    """What a work-group computes of a tile."""

    tile: int
    first: int
    units: int


def _pieces(tiles: Sequence[_Tile], plan: WindowPlan) -> list[list[_Piece]]:
    """Return the pieces of each work-group."""
    resident = _COMPUTE_UNITS * plan.resident
    whole = resident * plan.whole
    groups: list[list[_Piece]] = [[] for _ in range(resident if plan.whole or plan.parts else plan.split)]
    for at in range(whole):
        groups[at % resident].append(_Piece(at, 0, tiles[at].units))
    left = tiles[whole:]
    if plan.parts:
        for part in range(plan.parts):
            for index, tile in enumerate(left, whole):
                first, end = (tile.units * at // plan.parts // 4 * 4 for at in (part, part + 1))
                end = tile.units if part == plan.parts - 1 else end
                groups[(part * len(left) + index - whole) % resident].append(_Piece(index, first, end - first))
        return [pieces for pieces in groups if pieces]
    total = sum(tile.units + _EDGE_UNITS for tile in left)
    ends = [total * i // plan.split for i in range(1, plan.split + 1)] if plan.split else []
    group, begin = 0, 0
    for index, tile in enumerate(left, whole):
        first = 0
        while True:
            # A cut close to the block's end is moved there; pieces are multiples of four units, one for each wavefront.
            end = min(ends[group] - begin - _EDGE_UNITS, tile.units)
            end = tile.units if tile.units - end < _LEAST_UNITS else end // 4 * 4
            if end == tile.units or end - first >= _LEAST_UNITS:
                groups[group].append(_Piece(index, first, end - first))
                first = end
            if end == tile.units:
                break
            group += 1
        begin += tile.units + _EDGE_UNITS
        while group < plan.split - 1 and ends[group] - begin < _EDGE_UNITS + _LEAST_UNITS:
            group += 1
    return [pieces for pieces in groups if pieces]


_LEAST_UNITS = 8
"""Units of a piece, at least."""

_EDGE_UNITS = 8
"""What the start and the end of a block take, in units."""


_LARGE_A = 200_000
"""Rows times units of A, 16 bytes each, beyond which L2 does not serve work-groups at different k as well as others."""

_OUT_OF_STEP = 1.13


def _estimate(rows: int, sizes: Sequence[tuple[int, int]], plan: WindowPlan) -> float:
    """Return about the cycles of the GEMM and of the sum of its partial results, launch tails included."""
    step = plan.rows * plan.columns // 64
    together, alone = _EFFICIENCY[plan.rows, plan.columns]
    shared = plan.whole > 0 or plan.parts > 0 or plan.split > _COMPUTE_UNITS
    edge = 600.0 if shared else 2000.0  # the other work-group of the compute unit has something to do meanwhile
    tiles = _tiles(rows, sizes, plan)
    whole = _COMPUTE_UNITS * plan.resident * plan.whole
    each = plan.whole * (-(-sizes[0][1] // 4) * 16.0 * step + edge)
    left = dataclasses.replace(plan, whole=0)
    groups = _pieces(tiles[whole:], left)
    costs = [each + sum(-(-piece.units // 4) * 16.0 * step + edge for piece in pieces) for pieces in groups]
    costs += [each] * (_COMPUTE_UNITS * plan.resident - len(groups) if each else 0)
    busiest = 0.0
    for unit in range(min(_COMPUTE_UNITS, len(costs))):
        own = costs[unit::_COMPUTE_UNITS]
        if len(own) == 1:
            busiest = max(busiest, own[0] / alone)
        else:  # what is left when the others are done runs alone
            least = min(own)
            busiest = max(busiest, len(own) * least / together + (max(own) - least) / alone)
    parts = np.bincount([piece.tile for pieces in groups for piece in pieces], minlength=len(tiles))
    if plan.split % max(len(tiles) - whole, 1) and rows * sizes[0][1] > _LARGE_A:
        busiest *= _OUT_OF_STEP
    partial, cut = int(parts[parts > 1].sum()), int((parts > 1).sum())
    block = plan.rows * plan.columns * 4
    moved = (partial + cut) * block  # from and to L2, and what is more than that from and to DRAM
    return busiest + 1500 + (4200 + max(moved / 1100, (moved - 1e6) / 400) if partial else 0)


def _plans(rows: int, sizes: Sequence[tuple[int, int]]) -> Iterator[WindowPlan]:
    for (height, columns), resident in _BLOCKS.items():
        if rows % height:
            continue
        shape = WindowPlan(height, columns, resident, 0, 0)
        tiles = _tiles(rows, sizes, shape)
        at_a_time = _COMPUTE_UNITS * resident
        alike = len({units for _, units in sizes}) == 1
        full = len(tiles) // at_a_time
        for whole in range(max(full - 1, 0), full + 1) if alike else [0]:
            left = len(tiles) - whole * at_a_time
            if not left:
                yield dataclasses.replace(shape, whole=whole)
                continue
            splits = {_COMPUTE_UNITS * each for each in range(1, resident + 1)}
            splits |= {left * each for each in range(1, at_a_time // left + 1)}
            units = sum(tile.units for tile in tiles[whole * at_a_time :])
            for split in sorted(splits):
                if split == left or units >= split * 2 * _LEAST_UNITS:
                    yield dataclasses.replace(shape, whole=whole, split=split)
            for parts in range(2, 17 if alike else 0):
                if left * parts > at_a_time and units >= left * parts * 2 * _LEAST_UNITS:
                    yield dataclasses.replace(shape, whole=whole, parts=parts)


def plan_window(shape: ConvolutionShape, phase: str) -> WindowPlan:
    """Choose the plan of a phase: as measured, or by rule."""
    plan = tuned(window_problem(shape, phase))
    return WindowPlan(**plan) if plan is not None else next(iter(window_candidates(shape, phase, most=1)))


def window_candidates(shape: ConvolutionShape, phase: str, *, most: int = 12) -> list[WindowPlan]:
    """Return the plans that a tuner tries, by estimate, the best of the rule first."""
    rows, sizes = _sizes(shape, phase)
    return list(_ranked(rows, tuple(sizes))[:most])


@functools.lru_cache(maxsize=256)
def _ranked(rows: int, sizes: tuple[tuple[int, int], ...]) -> tuple[WindowPlan, ...]:
    return tuple(sorted(_plans(rows, sizes), key=lambda plan: _estimate(rows, sizes, plan)))


# Steps


def add_window(
    operation: Operation,
    shape: ConvolutionShape,
    phase: str,
    operand: DeviceArray,
    layouts: FilterLayouts,
    output: DeviceArray,
    bias: DeviceArray | None = None,
) -> None:
    """Add the steps of a forward pass (`operand` X) or data gradient (dY): a launch a group, the sum of its parts."""
    problem, plan = _problem(shape, phase), plan_window(shape, phase)
    sizes = [(len(one.columns), len(one.units)) for one in problem.classes]
    tiles = _tiles(problem.rows, sizes, plan)
    groups = _pieces(tiles, plan)
    work, sums, partials = _work(tiles, groups)
    columns = _column_table(problem, plan)
    column_bytes = columns.shape[1] * 4
    unit_table, column_table = operation.table(_unit_table(problem), "units"), operation.table(columns, "columns")
    work_table = operation.table(work, "work")
    partial = operation.empty((max(partials, 1), plan.rows * plan.columns), "partial")
    sum_table = operation.table(sums, "tiles that are cut") if partials else None
    layout = layouts.taps_first if phase == "forward" else layouts.by_filter
    row_bytes = (shape.pixels if phase == "forward" else shape.height * shape.width) * 4
    a_bytes = problem.channels * shape.window * problem.rows * 4
    for group in range(shape.groups):
        skipped = group * problem.channels * problem.plane
        c = output.address + group * problem.rows * row_bytes
        args: dict[str, Any] = {
            "a": layout.address + group * a_bytes,
            "b": operand.address + skipped - problem.shift,
            "c": c,
            "partial": partial,
            "bias": None if bias is None else bias.address + group * problem.rows * 4,
            "work": work_table,
            "units": unit_table,
            "columns": column_table,
            "b_bytes": operand.nbytes - skipped + problem.shift,
            "plane": problem.plane,
            "a_step": shape.window * problem.rows * 4,
            "c_row_bytes": row_bytes,
            "column_bytes": column_bytes,
            "a_bytes": a_bytes,
        }
        operation.add(functools.partial(_launch, operation, plan, args, len(groups)))
        if sum_table is not None:
            args = {"x": partial, "y": c, "outputs": column_table.address + 2 * column_bytes, "tiles": sum_table}
            args |= {"rows": plan.rows, "column_bits": plan.columns.bit_length() - 1, "row_stride": row_bytes // 4}
            operation.launch("sum_tiles", args, groups=len(sums) * plan.rows * plan.columns // 256)


def _launch(operation: Operation, plan: WindowPlan, args: dict[str, Any], groups: int) -> LaunchResult:
    label = f"{operation.name}: {plan.full_kernel}"
    return operation.session.launch(
        plan.full_kernel, args=args, sizes={"groups": groups}, label=label, dynamic_lds_bytes=plan.lds_bytes
    )


def _work(
    tiles: Sequence[_Tile], groups: Sequence[Sequence[_Piece]]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], int]:
    """Return the blocks of the work-groups, the tiles whose parts are to be added, and the number of parts."""
    by_tile: dict[int, list[_Piece]] = {}
    for pieces in groups:
        for piece in pieces:
            by_tile.setdefault(piece.tile, []).append(piece)
    places: dict[_Piece, int] = {}
    sums = []
    for index, pieces in sorted(by_tile.items()):
        if len(pieces) > 1:
            sums.append((tiles[index].row, tiles[index].column, len(places), len(pieces)))
            for piece in sorted(pieces, key=lambda one: one.first):
                places[piece] = len(places)
    first = [[] for _ in groups]  # type: list[list[int]]
    count = len(groups)
    for at, pieces in enumerate(groups):  # the first blocks lie by work-group, the others behind them
        first[at] = [at, *range(count, count + len(pieces) - 1)]
        count += len(pieces) - 1
    table = np.zeros((count, 8), np.uint32)
    for rows, pieces in zip(first, groups, strict=True):
        for row, piece, following in zip(rows, pieces, [*rows[1:], 0], strict=True):
            tile = tiles[piece.tile]
            unit = (tile.unit + piece.first) * 16
            table[row] = (
                tile.column, tile.row, unit, piece.units, places.get(piece, _NONE), piece.first == 0, following * 32, 0,
            )  # fmt: skip
    return table, np.array(sums, np.uint32), len(places)


def _unit_table(problem: _Problem) -> NDArray[np.uint32]:
    units = np.concatenate([one.units for one in problem.classes] + [np.zeros((_SPARE_UNITS, 3), np.int64)])
    ahead = np.append(units[2:, 2], [0, 0])
    return np.concatenate([units, ahead[:, None]], axis=1).astype(np.uint32)


def _column_table(problem: _Problem, plan: WindowPlan) -> NDArray[np.uint32]:
    """Return uint32[3, columns]: each class filled up to whole blocks with columns that read and store nothing."""
    parts = []
    for one in problem.classes:
        parts.append(one.columns)
        missing = -len(one.columns) % plan.columns
        parts.append(np.broadcast_to(np.array([0, _NONE, _NONE], np.int64), (missing, 3)))
    return np.ascontiguousarray(np.concatenate(parts).T).astype(np.uint32)
