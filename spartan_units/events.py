"""Batches of events in, hook calls, batches of replies out: a handler for each kind of unit."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from spartan_units.base import Costs, Unit
from spartan_units.errors import UnitError
from spartan_units.shared import SharedPayloads
from spartan_units.types import (
    AppliedTiles,
    Mark,
    MarkKind,
    ScheduleQuery,
    StoreBatch,
    TensorInfo,
    TileBatch,
    UnitKind,
    ViewInfo,
)
from spartan_units.wire import common_pb2

__all__ = ["EventHandler", "column", "event_handler"]

_U1, _U4, _I4, _U8 = (np.dtype(name) for name in ("u1", "<u4", "<i4", "<u8"))

_Columns = Callable[[Any, Any, Any], None]
"""Takes an EventBatch, its times as uint64[n], and the ReplyBatch to fill in where the events are requests."""


class EventHandler:
    """Hands batches of events to a unit's hooks, and its answers back; this one knows what all kinds receive.

    Attributes:
        events: the wire's numbers of the events that the unit receives.
        tensors, views: what is registered, by number.
        hook_ns: wall time inside the unit's own code since the caller last set it to 0.
    """

    events: ClassVar[tuple[common_pb2.EventKind, ...]] = (common_pb2.EVENT_KIND_MARK,)

    def __init__(self, unit: Any, costs: Costs, shared: SharedPayloads) -> None:
        """Serve `unit`, which declared `costs`; large payloads come and go through `shared`."""
        self._unit = unit
        self._costs = costs
        self._shared = shared
        self.tensors: dict[int, TensorInfo] = {}
        self.views: dict[int, ViewInfo] = {}
        self.hook_ns = 0
        self._columns: dict[str, _Columns] = {"mark": self._marks}

    def handle(self, columns: str, batch: Any, time_ps: Any, replies: Any) -> None:
        """Handle a batch whose events lie in `columns`; requests fill in `replies`.

        Raises:
            UnitError: for events that such a unit does not know, and for answers that do not fit the wire.
        """
        handler = self._columns.get(columns)
        if handler is None:
            raise UnitError(
                f"the model sent {columns} events to {self._unit!r}, which knows {', '.join(self._columns)}"
            )
        handler(batch, time_ps, replies)

    def _hook(self, hook: Callable[..., Any], *arguments: Any) -> Any:
        """Call a hook of the unit, and add its time."""
        begin = time.perf_counter_ns()
        answer = hook(*arguments)
        self.hook_ns += time.perf_counter_ns() - begin
        return answer

    def _marks(self, batch: Any, time_ps: Any, _replies: Any) -> None:
        for kind, label, when in zip(np.frombuffer(batch.mark.kind, _U4), batch.mark.label, time_ps, strict=True):
            self._hook(self._unit.mark, Mark(time_ps=int(when), kind=MarkKind(int(kind)), label=label))


class _MonitorEvents(EventHandler):
    events = (common_pb2.EVENT_KIND_STORE, common_pb2.EVENT_KIND_MARK, common_pb2.EVENT_KIND_READ_COUNTS)

    def __init__(self, unit: Any, costs: Costs, shared: SharedPayloads) -> None:
        super().__init__(unit, costs, shared)
        self._columns |= {"store": self._stores, "read_counts": self._read_counts}

    def _stores(self, batch: Any, time_ps: Any, _replies: Any) -> None:
        columns, count = batch.store, len(time_ps)
        stores = StoreBatch(
            time_ps=time_ps,
            tensor=np.frombuffer(columns.tensor, _U4),
            address=np.frombuffer(columns.address, _U8),
            mask=np.frombuffer(columns.mask, _U8),
            old=self._shared.read(columns.old).reshape(count, 64),
            new=self._shared.read(columns.new).reshape(count, 64),
        )
        self._hook(self._unit.stores, stores)

    def _read_counts(self, batch: Any, time_ps: Any, replies: Any) -> None:
        number = int(np.frombuffer(batch.read_counts.tensor, _U4)[0])
        tensor = self.tensors.get(number)
        if tensor is None:
            raise UnitError(f"the model reads the counts of tensor {number}, which is not registered")
        counts = self._hook(self._unit.read_counts, tensor, int(time_ps[0]))
        _identify(replies, batch, _one(self._costs.read_latency_ps))
        reply = replies.counts
        reply.elements, reply.zeros, reply.sampled = counts.elements, counts.zeros, counts.sampled
        reply.tile_nonzeros = column("tile_nonzeros", counts.tile_nonzeros, tensor.tiles, _U4)


class _CompactionEvents(EventHandler):
    events = (common_pb2.EVENT_KIND_COMPACT_TILE, common_pb2.EVENT_KIND_MARK)

    def __init__(self, unit: Any, costs: Costs, shared: SharedPayloads) -> None:
        super().__init__(unit, costs, shared)
        self._columns |= {"compact_tile": self._tiles}

    def _tiles(self, batch: Any, time_ps: Any, replies: Any) -> None:
        columns = batch.compact_tile
        if columns.confirmed:
            self._confirmed(columns, time_ps)
            return
        speculative = columns.speculative
        dense = self._shared.read(columns.dense)
        sizes: list[bytes] = []
        encoded: list[bytes] = []
        latency: list[bytes] = []
        offset = 0
        for common in self._runs(columns, time_ps):
            tensor = common[0].tensor
            shape = len(common[1]), tensor.tile_rows, tensor.tile_columns
            nbytes = shape[0] * shape[1] * shape[2] * tensor.dtype.itemsize
            block = dense[offset : offset + nbytes].view(tensor.dtype).reshape(shape)
            offset += nbytes
            answer = self._hook(self._unit.compact, TileBatch(*common, block, speculative))
            size = column("size", answer.size, shape[0], _U4)
            told = np.frombuffer(size, _U4)
            sizes.append(size)
            encoded.append(column("encoded", answer.encoded, _sum(told), _U1))
            latency.append(column("latency_ps", answer.latency_ps, shape[0], _U8))
            if not speculative:  # the model will apply the answer as it is
                self._hook(self._unit.applied, AppliedTiles(*common, told))
        _identify(replies, batch, b"".join(latency))
        replies.compact_tile.size = b"".join(sizes)
        self._shared.put(replies.compact_tile.encoded, b"".join(encoded))

    def _confirmed(self, columns: Any, time_ps: Any) -> None:
        sizes, place = np.frombuffer(columns.encoded_bytes, _U4), 0
        for common in self._runs(columns, time_ps):
            count = len(common[1])
            self._hook(self._unit.applied, AppliedTiles(*common, sizes[place : place + count]))
            place += count

    def _runs(self, columns: Any, time_ps: Any) -> Iterator[tuple[ViewInfo, Any, Any, Any, Any]]:
        """Yield the tiles of a batch, those of one view at a time: (view, time_ps, tile, rows, columns)."""
        view = np.frombuffer(columns.view, _U4)
        tile = np.frombuffer(columns.tile, _U8)
        rows = np.frombuffer(columns.rows, _U4)
        width = np.frombuffer(columns.columns, _U4)
        first = view.item(0)
        if len(view) == 1 or (first == view.item(-1) and bool((view == first).all())):
            yield self._view(first), time_ps, tile, rows, width
            return
        edges = [0, *(np.flatnonzero(np.diff(view)) + 1).tolist(), len(view)]
        for start, stop in itertools.pairwise(edges):
            run = slice(start, stop)
            yield self._view(view.item(start)), time_ps[run], tile[run], rows[run], width[run]

    def _view(self, number: int) -> ViewInfo:
        view = self.views.get(number)
        if view is None:
            raise UnitError(f"the model asks for a tile of view {number}, which is not registered")
        return view


class _SchedulerEvents(EventHandler):
    events = (common_pb2.EVENT_KIND_SCHEDULE, common_pb2.EVENT_KIND_MARK)

    def __init__(self, unit: Any, costs: Costs, shared: SharedPayloads) -> None:
        super().__init__(unit, costs, shared)
        self._columns |= {"schedule": self._schedule}

    def _schedule(self, batch: Any, time_ps: Any, replies: Any) -> None:
        request = batch.schedule
        nonzeros = np.frombuffer(request.tile_nonzeros, _U4) if request.tile_nonzeros else None
        groups = np.frombuffer(request.workgroup_tiles, _U4) if request.workgroup_tiles else None
        query = ScheduleQuery(
            time_ps=int(time_ps[0]),
            kernel=request.kernel,
            workgroups=request.workgroups,
            compute_units=request.compute_units,
            tiles_per_workgroup=request.tiles_per_workgroup,
            tile_elements=request.tile_elements,
            tile_nonzeros=nonzeros,
            workgroup_tiles=None if groups is None else groups.reshape(request.workgroups, -1),
        )
        plan = self._hook(self._unit.schedule, query)
        n = len(plan.order)
        tiles = 0 if nonzeros is None else len(nonzeros)
        placement = np.full(n, -1, _I4) if plan.placement is None else plan.placement
        _identify(replies, batch, _one(plan.latency_ps))
        reply = replies.schedule
        reply.order = column("order", plan.order, n, _U4)
        reply.placement = column("placement", placement, n, _I4)
        if plan.tile_path is not None:
            reply.tile_path = column("tile_path", plan.tile_path, tiles, _U4)


_HANDLERS = {
    UnitKind.MONITOR: _MonitorEvents,
    UnitKind.COMPACTION: _CompactionEvents,
    UnitKind.SCHEDULER: _SchedulerEvents,
}


def event_handler(unit: Unit, costs: Costs, shared: SharedPayloads) -> EventHandler:
    """Return the handler of a unit's kind."""
    return _HANDLERS[unit.kind](unit, costs, shared)


def column(name: str, values: Any, length: int, wanted: np.dtype[Any]) -> bytes:
    """Return a column of a unit's answer as the wire's bytes.

    Raises:
        UnitError: where it has another shape, no whole numbers, or some that the wire's type can't hold.
    """
    array = values if type(values) is np.ndarray else np.asarray(values)
    if array.dtype == wanted and array.shape == (length,):
        return array.tobytes()
    if array.shape != (length,) or (array.dtype.kind not in "iu" and length):
        raise UnitError(
            f"expected {name} of whole numbers in shape ({length},), got {array.dtype} in shape {array.shape}"
        )
    bounds = np.iinfo(wanted)
    if length and (int(array.min()) < bounds.min or int(array.max()) > bounds.max):
        raise UnitError(f"{name} must lie in {bounds.min} … {bounds.max}, got {array.min()} … {array.max()}")
    return array.astype(wanted).tobytes()


def _sum(sizes: Any) -> int:
    return int(sizes.item(0) if len(sizes) == 1 else sizes.sum())


def _one(latency_ps: Any) -> bytes:
    return column("latency_ps", [latency_ps], 1, _U8)


def _identify(replies: Any, batch: Any, latency_ps: bytes) -> None:
    """Fill in what replies of all kinds have."""
    first, count = batch.first_sequence, batch.count
    replies.count = count
    replies.latency_ps = latency_ps
    replies.sequence = (
        first.to_bytes(8, "little") if count == 1 else np.arange(first, first + count, dtype=_U8).tobytes()
    )
