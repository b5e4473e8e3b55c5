"""Streams of events such as a run makes, from a seed: what a unit of each kind has to cope with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spartan_units.formats import tile_format
from spartan_units.types import UnitKind
from spartan_units.wire import common_pb2, units_pb2

__all__ = ["Event", "Scenario", "scenario"]

LINE = 64
_TIME_STEP_PS = 1000


@dataclass(frozen=True)
class Event:
    """One event, or a lifecycle message between events.

    Attributes:
        kind: "store", "mark", "read_counts", "compact_tile", "schedule" or "lifecycle".
        time_ps: virtual time.
        fields: of the kind, as `Scenario.messages` puts them into columns.
    """

    kind: str
    time_ps: int
    fields: dict[str, Any]


@dataclass
class Scenario:
    """Events in order, and the state of memory that they follow from.

    Attributes:
        tensors, views: by id.
        truth: for each event of kind "read_counts", by its place in `events`, uint32[tiles] of non-zeros.
    """

    kind: UnitKind
    events: list[Event] = field(default_factory=list)
    tensors: dict[int, Any] = field(default_factory=dict)
    views: dict[int, Any] = field(default_factory=dict)
    truth: dict[int, NDArray[np.uint32]] = field(default_factory=dict)
    time_ps: int = 0

    def add(self, kind: str, **fields: Any) -> None:
        """Append an event at the next virtual time."""
        self.time_ps += _TIME_STEP_PS
        self.events.append(Event(kind, self.time_ps, fields))

    def lifecycle(self, phase: str, **fields: Any) -> None:
        """Append a lifecycle message."""
        self.add("lifecycle", phase=getattr(units_pb2.Lifecycle, f"PHASE_{phase}"), **fields)

    def messages(self, batch: int) -> Iterator[Any]:
        """Yield the model's messages, with at most `batch` events each."""
        sequence = 0
        group: list[Event] = []

        def flush() -> Iterator[Any]:
            nonlocal sequence
            if group:
                yield _batch(group, sequence)
                sequence += len(group)
                group.clear()

        for event in self.events:
            if event.kind == "lifecycle":
                yield from flush()
                yield units_pb2.ModelMessage(lifecycle=units_pb2.Lifecycle(time_ps=event.time_ps, **event.fields))
                continue
            single = event.kind in ("read_counts", "schedule")
            if group and (single or group[0].kind != event.kind or len(group) >= batch):
                yield from flush()
            group.append(event)
            if single:
                yield from flush()
        yield from flush()


def _column(group: list[Event], name: str, dtype: str) -> bytes:
    return np.array([event.fields[name] for event in group], dtype).tobytes()


def _payload(group: list[Event], name: str) -> Any:
    return common_pb2.Payload(inline=b"".join(event.fields[name] for event in group))


def _batch(group: list[Event], sequence: int) -> Any:
    times = np.array([event.time_ps for event in group], "<u8").tobytes()
    kind = group[0].kind
    columns: Any
    if kind == "store":
        columns = units_pb2.StoreColumns(
            tensor=_column(group, "tensor", "<u4"),
            address=_column(group, "address", "<u8"),
            mask=_column(group, "mask", "<u8"),
            old=_payload(group, "old"),
            new=_payload(group, "new"),
        )
    elif kind == "mark":
        columns = units_pb2.MarkColumns(
            kind=_column(group, "mark", "<u4"), label=[event.fields["label"] for event in group]
        )
    elif kind == "read_counts":
        columns = units_pb2.ReadCountsColumns(tensor=_column(group, "tensor", "<u4"))
    elif kind == "compact_tile":
        columns = units_pb2.CompactTileColumns(
            view=_column(group, "view", "<u4"),
            tile=_column(group, "tile", "<u8"),
            rows=_column(group, "rows", "<u4"),
            columns=_column(group, "columns", "<u4"),
            dense=_payload(group, "dense"),
            speculative=group[0].fields.get("speculative", False),
        )
    else:
        columns = group[0].fields["request"]
    batch = units_pb2.EventBatch(first_sequence=sequence, count=len(group), time_ps=times, **{kind: columns})
    return units_pb2.ModelMessage(batch=batch)


def scenario(kind: UnitKind, seed: int, formats: tuple[str, ...] = ("ellpack_dib",)) -> Scenario:
    """Return a stream of events for a unit of a kind; equal seeds give equal streams."""
    made = Scenario(kind)
    random = np.random.default_rng(seed)
    makers: dict[UnitKind, Callable[[], None]] = {
        UnitKind.MONITOR: lambda: _stores(made, random),
        UnitKind.COMPACTION: lambda: _tiles(made, random, formats),
        UnitKind.SCHEDULER: lambda: _schedules(made, random),
    }
    makers[kind]()
    return made


def _sparse(random: np.random.Generator, shape: tuple[int, ...], density: float, dtype: str) -> NDArray[Any]:
    values = random.standard_normal(shape).astype(dtype)
    values[random.random(shape) >= density] = 0
    values[random.random(shape) < 0.01] = -0.0
    return values


def _tensor(number: int, name: str, address: int, dtype: str, shape: tuple[int, int], *, transposed: bool) -> Any:
    rows, columns = shape
    width = np.dtype(dtype).itemsize
    return common_pb2.Tensor(
        id=number,
        name=name,
        address=address,
        element_type=common_pb2.ELEMENT_TYPE_F32 if width == 4 else common_pb2.ELEMENT_TYPE_F16,
        rows=rows,
        columns=columns,
        row_stride=width if transposed else width * columns,
        column_stride=width * rows if transposed else width,
        tile_rows=32,
        tile_columns=32,
    )


class _Memory:
    """One tensor's bytes, from a line boundary on, with room around it for stores that miss it."""

    def __init__(self, tensor: Any, values: NDArray[Any]) -> None:
        self.tensor = tensor
        self.dtype = values.dtype
        self.base = tensor.address // LINE * LINE - LINE
        self.lead = tensor.address - self.base
        stored = values.T if tensor.row_stride < tensor.column_stride else values
        room = (self.lead + stored.nbytes + 2 * LINE) // LINE * LINE
        self.bytes = np.zeros(room, np.uint8)
        self.bytes[self.lead : self.lead + stored.nbytes] = np.ascontiguousarray(stored).reshape(-1).view(np.uint8)

    def nonzeros(self) -> NDArray[np.uint32]:
        """Count the non-zeros of every tile."""
        t = self.tensor
        count = t.rows * t.columns
        flat = self.bytes[self.lead : self.lead + count * self.dtype.itemsize].copy().view(self.dtype)
        values = (
            flat.reshape(t.columns, t.rows).T if t.row_stride < t.column_stride else flat.reshape(t.rows, t.columns)
        )
        return np.array(
            [
                np.count_nonzero(values[r : r + t.tile_rows, c : c + t.tile_columns])
                for r in range(0, t.rows, t.tile_rows)
                for c in range(0, t.columns, t.tile_columns)
            ],
            np.uint32,
        )


def _stores(made: Scenario, random: np.random.Generator) -> None:
    """Kernels that write two tensors: in full, in part and twice, with reads in between."""
    shapes = [("<f4", (70, 48), False, 0x10000), ("<f2", (33, 65), True, 0x40020)]
    memories = []
    for number, (dtype, shape, transposed, address) in enumerate(shapes, 1):
        tensor = _tensor(number, f"t{number}", address, dtype, shape, transposed=transposed)
        memory = _Memory(tensor, _sparse(random, shape, 0.5, dtype))
        memories.append(memory)
        made.tensors[number] = tensor
        made.lifecycle("TENSOR_ADDED", tensor=tensor, tile_nonzeros=memory.nonzeros().tobytes())
    for kernel in range(6):
        label = f"kernel {kernel}"
        made.lifecycle("LAYER_BEGIN", label=label)
        made.add("mark", mark=1, label=label)
        for memory in memories:
            _kernel_stores(made, random, memory, density=(0.5, 0.5, 0.9, 0.05, 0.05, 0.0)[kernel], full=kernel % 3 != 2)
        made.add("mark", mark=2, label=label)
        made.lifecycle("LAYER_END", label=label)
        for memory in memories:
            made.truth[len(made.events)] = memory.nonzeros()
            made.add("read_counts", tensor=memory.tensor.id)


def _kernel_stores(made: Scenario, random: np.random.Generator, memory: _Memory, *, density: float, full: bool) -> None:
    lines = len(memory.bytes) // LINE
    order = random.permutation(lines) if full else random.integers(0, lines, lines // 3)
    for line in [*order.tolist(), *random.integers(0, lines, 5).tolist()]:
        place = slice(line * LINE, (line + 1) * LINE)
        old = memory.bytes[place].copy()
        width = memory.dtype.itemsize
        elements = _sparse(random, (LINE // width,), density, memory.dtype.str)
        written = np.ones(LINE // width, np.bool_) if full else random.random(LINE // width) < 0.6
        mask = np.repeat(written, width)
        memory.bytes[place] = np.where(mask, elements.view(np.uint8), old)
        made.add(
            "store",
            tensor=memory.tensor.id,
            address=memory.base + line * LINE,
            mask=int(np.packbits(mask, bitorder="little").view("<u8")[0]),
            old=old.tobytes(),
            new=memory.bytes[place].tobytes(),
        )


def _tiles(made: Scenario, random: np.random.Generator, formats: tuple[str, ...]) -> None:
    """Tiles of one view a format, in random order, some asked for twice, with edges and all densities."""
    for number, name in enumerate(formats, 1):
        dtype = "<f2" if name.endswith("16") else "<f4"
        tensor = _tensor(number, f"t{number}", 0x10000 * number, dtype, (80, 72), transposed=False)
        slot = tile_format(name).slot_bytes(32, 32)
        tiles = 3 * 3
        view = units_pb2.View(
            id=number, address=0x1000000 * number, tensor=tensor, format=name, slot_bytes=slot, tiles=tiles
        )
        made.views[number] = view
        made.lifecycle("VIEW_ADDED", view=view)
        values = np.zeros((96, 96), dtype)
        values[:80, :72] = _sparse(random, (80, 72), random.random(), dtype)
        values[:32, :32] = 0 if number % 2 else 1
        made.add("mark", mark=1, label=f"kernel {number}")
        for tile in [*random.permutation(tiles).tolist(), *random.integers(0, tiles, 4).tolist()]:
            r, c = divmod(int(tile), 3)
            made.add(
                "compact_tile",
                view=number,
                tile=int(tile),
                rows=min(32, 80 - 32 * r),
                columns=min(32, 72 - 32 * c),
                dense=np.ascontiguousarray(values[32 * r : 32 * r + 32, 32 * c : 32 * c + 32]).tobytes(),
            )
        made.add("mark", mark=2, label=f"kernel {number}")


def _schedules(made: Scenario, random: np.random.Generator) -> None:
    """Launches of all sizes: with and without counts, with lists of tiles, all empty, one group."""
    for launch in range(12):
        workgroups = int(random.choice([1, 7, 64, 300]))
        per_group = int(random.choice([1, 4]))
        tiles = workgroups * per_group
        nonzeros = random.integers(0, 1025, tiles).astype("<u4")
        nonzeros[random.random(tiles) < 0.3] = 0
        if launch == 3:
            nonzeros[:] = 0
        request = units_pb2.ScheduleRequest(
            kernel=f"kernel {launch}",
            workgroups=workgroups,
            compute_units=64,
            tiles_per_workgroup=per_group,
            tile_elements=1024,
            tile_nonzeros=b"" if launch == 1 else nonzeros.tobytes(),
        )
        if launch % 4 == 2:
            lists = random.integers(0, tiles, (workgroups, per_group)).astype("<u4")
            lists[random.random(lists.shape) < 0.1] = 0xFFFFFFFF
            request.workgroup_tiles = lists.tobytes()
        made.add("mark", mark=1, label=request.kernel)
        made.add("schedule", request=request)
