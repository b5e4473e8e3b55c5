"""One unit on one stream: wire messages in, hook calls, wire messages out.

Nothing here knows of sockets; `serve` runs it behind gRPC, and a driver can run it in its own process.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from spartan_units.base import CompactionEngine, Costs, SparsityMonitor, TileScheduler, Unit
from spartan_units.errors import UnitError
from spartan_units.shared import SharedPayloads
from spartan_units.types import (
    AppliedTiles,
    Machine,
    Mark,
    MarkKind,
    ScheduleQuery,
    StoreBatch,
    TensorInfo,
    TileBatch,
    UnitKind,
    ViewInfo,
)
from spartan_units.wire import common_pb2, units_pb2

__all__ = ["PROTOCOL_MAJOR", "PROTOCOL_MINOR", "UnitFactory", "UnitStream", "column"]

PROTOCOL_MAJOR = 1
PROTOCOL_MINOR = 1

UnitFactory = Callable[[str, UnitKind, Machine, dict[str, Any]], Unit]
"""Makes a unit from its name in the server, the seat, the machine and the parameters."""

_KINDS = {
    common_pb2.UNIT_KIND_MONITOR: UnitKind.MONITOR,
    common_pb2.UNIT_KIND_COMPACTION: UnitKind.COMPACTION,
    common_pb2.UNIT_KIND_SCHEDULER: UnitKind.SCHEDULER,
}
_EVENTS = {
    UnitKind.MONITOR: (common_pb2.EVENT_KIND_STORE, common_pb2.EVENT_KIND_MARK, common_pb2.EVENT_KIND_READ_COUNTS),
    UnitKind.COMPACTION: (common_pb2.EVENT_KIND_COMPACT_TILE, common_pb2.EVENT_KIND_MARK),
    UnitKind.SCHEDULER: (common_pb2.EVENT_KIND_SCHEDULE, common_pb2.EVENT_KIND_MARK),
}
_U1, _U4, _I4, _U8 = (np.dtype(name) for name in ("u1", "<u4", "<i4", "<u8"))
_DTYPES: dict[int, np.dtype[Any]] = {
    common_pb2.ELEMENT_TYPE_F32: np.dtype("<f4"),
    common_pb2.ELEMENT_TYPE_F16: np.dtype("<f2"),
}


class UnitStream:
    """Translates between the wire and a unit's hooks; the model's messages are handled strictly in order."""

    def __init__(self, make_unit: UnitFactory) -> None:
        """Serve the unit that `make_unit` returns for the model's hello."""
        self._make_unit = make_unit
        self._unit: Unit | None = None
        self._tensors: dict[int, TensorInfo] = {}
        self._views: dict[int, ViewInfo] = {}
        self._shared = SharedPayloads()
        self._costs = Costs(lookahead_ps=0)
        self._now = "the handshake"
        self._time_ps = 0
        self._hook_ns = 0
        self.busy_since: float | None = None
        self._to_apply: list[AppliedTiles] = []

    def __repr__(self) -> str:
        return f"<UnitStream {self._unit!r}>"

    @property
    def doing(self) -> str:
        """What the unit is at: the event or lifecycle message under way, or the latest."""
        return self._now

    def run(self, messages: Iterator[Any]) -> Iterator[Any]:
        """Yield a UnitMessage for whatever each ModelMessage calls for; a failure is the last message."""
        try:
            for message in messages:
                body = message.WhichOneof("body")
                if body == "goodbye":
                    return
                self.busy_since = time.monotonic()
                yield from self._handle(body, message)
                self.busy_since = None
        except GeneratorExit:
            raise
        except BaseException as error:  # a unit that calls sys.exit has failed as well
            yield units_pb2.UnitMessage(failure=self._failure(error))
        finally:
            self.busy_since = None
            self._shared.close()
            if self._unit is not None:
                self._unit.stop()

    def _failure(self, error: BaseException) -> Any:
        text = str(error).splitlines()
        first = text[0] if text else ""
        if not isinstance(error, UnitError):
            place = traceback.extract_tb(error.__traceback__)[-1]
            first = f"it raised {type(error).__name__}: {first} ({place.filename}:{place.lineno})"
        detail = "".join(traceback.format_exception(error))
        return units_pb2.UnitFailure(message=first, event=self._now, detail=detail, time_ps=self._time_ps)

    def _handle(self, body: str | None, message: Any) -> Iterator[Any]:
        if body == "hello":
            yield units_pb2.UnitMessage(hello=self._hello(message.hello))
        elif body == "batch":
            yield from self._batch(message.batch)
        elif body == "lifecycle":
            yield from self._lifecycle(message.lifecycle)
        else:
            raise UnitError(f"the model sent a message of unknown kind {body!r}; update the units to its version")

    def _hello(self, hello: Any) -> Any:
        if hello.protocol.major != PROTOCOL_MAJOR:
            raise UnitError(
                f"the unit speaks protocol {PROTOCOL_MAJOR}.{PROTOCOL_MINOR}, the model "
                f"{hello.protocol.major}.{hello.protocol.minor}: install matching versions"
            )
        kind = _KINDS.get(hello.kind)
        if kind is None:
            raise UnitError(f"the model asks for a unit of unknown kind {hello.kind}; update the units to its version")
        machine = Machine(
            model=hello.model,
            clock_hz=hello.clock_hz,
            compute_units=hello.compute_units,
            l2_banks=hello.l2_banks,
        )
        unit = self._make_unit(hello.unit, kind, machine, json.loads(hello.parameters_json or "{}"))
        self._shared = SharedPayloads(hello.shared_directory)
        unit.start()
        self._unit = unit
        costs = self._costs = unit.costs()
        return units_pb2.UnitHello(
            protocol=common_pb2.Version(major=PROTOCOL_MAJOR, minor=PROTOCOL_MINOR),
            name=unit.name,
            version=unit.version,
            kind=hello.kind,
            events=_EVENTS[kind],
            parameters_json=unit.parameters.model_dump_json(),
            lookahead_ps=costs.lookahead_ps,
            elements_per_cycle=costs.elements_per_cycle,
            instances=costs.instances,
            write_stall_cycles=costs.write_stall_cycles,
            read_latency_ps=costs.read_latency_ps,
            buffers_per_instance=costs.buffers_per_instance,
            prefetch_depth=costs.prefetch_depth,
            line_requests_in_flight=costs.line_requests_in_flight,
            formats=unit.formats if isinstance(unit, CompactionEngine) else (),
            stateless=isinstance(unit, CompactionEngine) and unit.stateless,
        )

    def _batch(self, batch: Any) -> Iterator[Any]:
        begin = time.perf_counter_ns()
        self._hook_ns = 0
        columns = batch.WhichOneof("columns")
        self._now = f"{columns} event {batch.first_sequence}"
        time_ps = np.frombuffer(batch.time_ps, "<u8")
        self._time_ps = int(time_ps[0]) if len(time_ps) else 0
        reply = None
        if columns == "store":
            self._stores(batch.store, time_ps)
        elif columns == "mark":
            for kind, label, when in zip(np.frombuffer(batch.mark.kind, "<u4"), batch.mark.label, time_ps, strict=True):
                self._hook(self._need(Unit).mark, Mark(time_ps=int(when), kind=MarkKind(int(kind)), label=label))
        elif columns == "read_counts":
            reply = self._read_counts(batch, time_ps)
        elif columns == "compact_tile":
            if batch.compact_tile.confirmed:
                self._applied(batch, time_ps)
            else:
                reply = self._tiles(batch, time_ps)
        elif columns == "schedule":
            reply = self._schedule(batch, time_ps)
        else:
            raise UnitError(f"the model sent events of unknown kind {columns!r}; update the units to its version")
        if reply is not None:
            yield units_pb2.UnitMessage(
                replies=reply
            )  # the model may wait for it: what else there is to do comes after
            for applied in self._to_apply:
                self._hook(self._need(CompactionEngine).applied, applied)
            self._to_apply.clear()
        yield units_pb2.UnitMessage(
            acknowledge=units_pb2.Acknowledge(
                through_sequence=batch.first_sequence + batch.count,
                busy_ns=time.perf_counter_ns() - begin,
                hook_ns=self._hook_ns,
            )
        )

    def _hook(self, hook: Callable[..., Any], *arguments: Any) -> Any:
        """Call a hook of the unit, and add its time."""
        begin = time.perf_counter_ns()
        try:
            return hook(*arguments)
        finally:
            self._hook_ns += time.perf_counter_ns() - begin

    def _need(self, kind: type[Any]) -> Any:
        if not isinstance(self._unit, kind):
            raise UnitError(f"the model sent {self._now} to {self._unit!r}, which is no {kind.__name__}")
        return self._unit

    def _stores(self, columns: Any, time_ps: Any) -> None:
        count = len(time_ps)
        batch = StoreBatch(
            time_ps=time_ps,
            tensor=np.frombuffer(columns.tensor, "<u4"),
            address=np.frombuffer(columns.address, "<u8"),
            mask=np.frombuffer(columns.mask, "<u8"),
            old=self._shared.read(columns.old).reshape(count, 64),
            new=self._shared.read(columns.new).reshape(count, 64),
        )
        self._hook(self._need(SparsityMonitor).stores, batch)

    def _read_counts(self, batch: Any, time_ps: Any) -> Any:
        unit = self._need(SparsityMonitor)
        tensor_id = int(np.frombuffer(batch.read_counts.tensor, "<u4")[0])
        tensor = self._tensors.get(tensor_id)
        if tensor is None:
            raise UnitError(f"the model reads the counts of tensor {tensor_id}, which is not registered")
        counts = self._hook(unit.read_counts, tensor, int(time_ps[0]))
        return _reply(
            batch,
            [self._costs.read_latency_ps],
            counts=units_pb2.CountsReply(
                elements=counts.elements,
                zeros=counts.zeros,
                tile_nonzeros=column("tile_nonzeros", counts.tile_nonzeros, tensor.tiles, _U4),
                sampled=counts.sampled,
            ),
        )

    def _tile_runs(self, columns: Any, time_ps: Any) -> Iterator[tuple[slice, tuple[ViewInfo, Any, Any, Any, Any]]]:
        """Yield the tiles of a batch view by view: their place, and (view, time_ps, tile, rows, columns)."""
        view_ids = np.frombuffer(columns.view, "<u4")
        tile = np.frombuffer(columns.tile, "<u8")
        rows = np.frombuffer(columns.rows, "<u4")
        width = np.frombuffer(columns.columns, "<u4")
        for run in _runs(view_ids):
            view = self._views.get(int(view_ids[run.start]))
            if view is None:
                raise UnitError(f"the model asks for a tile of view {view_ids[run.start]}, which is not registered")
            yield run, (view, time_ps[run], tile[run], rows[run], width[run])

    def _applied(self, batch: Any, time_ps: Any) -> None:
        sizes = np.frombuffer(batch.compact_tile.encoded_bytes, "<u4")
        for run, common in self._tile_runs(batch.compact_tile, time_ps):
            self._hook(self._need(CompactionEngine).applied, AppliedTiles(*common, size=sizes[run]))

    def _tiles(self, batch: Any, time_ps: Any) -> Any:
        unit = self._need(CompactionEngine)
        columns = batch.compact_tile
        dense = self._shared.read(columns.dense)
        sizes: list[bytes] = []
        encoded: list[bytes] = []
        latency: list[bytes] = []
        offset = 0
        for run, common in self._tile_runs(columns, time_ps):
            tensor = common[0].tensor
            count = run.stop - run.start
            nbytes = count * tensor.tile_rows * tensor.tile_columns * tensor.dtype.itemsize
            block = dense[offset : offset + nbytes].view(tensor.dtype)
            offset += nbytes
            block = block.reshape(count, tensor.tile_rows, tensor.tile_columns)
            answer = self._hook(unit.compact, TileBatch(*common, dense=block, speculative=columns.speculative))
            size = column("size", answer.size, count, _U4)
            sizes.append(size)
            told = np.frombuffer(size, _U4)
            encoded.append(column("encoded", answer.encoded, int(told.sum()) if count > 1 else int(told[0]), _U1))
            latency.append(column("latency_ps", answer.latency_ps, count, _U8))
            if not columns.speculative:
                self._to_apply.append(AppliedTiles(*common, size=told))
        first = batch.first_sequence
        return units_pb2.ReplyBatch(
            count=batch.count,
            sequence=np.arange(first, first + batch.count, dtype=_U8).tobytes(),
            latency_ps=_joined(latency),
            compact_tile=units_pb2.CompactTileReply(size=_joined(sizes), encoded=self._shared.write(_joined(encoded))),
        )

    def _schedule(self, batch: Any, time_ps: Any) -> Any:
        unit = self._need(TileScheduler)
        request = batch.schedule
        nonzeros = np.frombuffer(request.tile_nonzeros, "<u4") if request.tile_nonzeros else None
        groups = np.frombuffer(request.workgroup_tiles, "<u4") if request.workgroup_tiles else None
        plan = self._hook(
            unit.schedule,
            ScheduleQuery(
                time_ps=int(time_ps[0]),
                kernel=request.kernel,
                workgroups=request.workgroups,
                compute_units=request.compute_units,
                tiles_per_workgroup=request.tiles_per_workgroup,
                tile_elements=request.tile_elements,
                tile_nonzeros=nonzeros,
                workgroup_tiles=None if groups is None else groups.reshape(request.workgroups, -1),
            ),
        )
        n = len(plan.order)
        placement = np.full(n, -1, "<i4") if plan.placement is None else plan.placement
        tiles = 0 if nonzeros is None else len(nonzeros)
        return _reply(
            batch,
            [plan.latency_ps],
            schedule=units_pb2.ScheduleReply(
                order=column("order", plan.order, n, _U4),
                placement=column("placement", placement, n, _I4),
                tile_path=b"" if plan.tile_path is None else column("tile_path", plan.tile_path, tiles, _U4),
            ),
        )

    def _lifecycle(self, event: Any) -> Iterator[Any]:
        unit = self._need(Unit)
        phase = units_pb2.Lifecycle.Phase
        self._time_ps = event.time_ps
        self._now = f"lifecycle {phase.Name(event.phase)}"
        reply = units_pb2.LifecycleReply(token=event.token)
        if event.phase == phase.PHASE_LAYER_BEGIN:
            unit.layer_begin(event.label)
        elif event.phase == phase.PHASE_LAYER_END:
            unit.layer_end(event.label)
        elif event.phase == phase.PHASE_SNAPSHOT:
            reply.snapshot = unit.snapshot()
        elif event.phase == phase.PHASE_RESTORE:
            unit.restore(event.snapshot)
        elif event.phase == phase.PHASE_TENSOR_ADDED:
            tensor = _tensor(event.tensor)
            self._tensors[tensor.id] = tensor
            known = np.frombuffer(event.tile_nonzeros, "<u4")
            unit.tensor_added(tensor, known if len(known) else np.zeros(tensor.tiles, np.uint32))
        elif event.phase == phase.PHASE_TENSOR_REMOVED:
            unit.tensor_removed(self._tensors.pop(event.tensor.id))
        elif event.phase == phase.PHASE_VIEW_ADDED:
            view = _view(event.view)
            self._views[view.id] = view
            unit.view_added(view)
        elif event.phase == phase.PHASE_VIEW_REMOVED:
            unit.view_removed(self._views.pop(event.view.id))
        elif event.phase == phase.PHASE_COUNTERS:
            reply.counters_json = json.dumps(unit.results())
        if event.token:
            yield units_pb2.UnitMessage(lifecycle=reply)


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


def _joined(parts: list[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _reply(batch: Any, latency_ps: list[int], **columns: Any) -> Any:
    """Return the reply to a batch of one request."""
    return units_pb2.ReplyBatch(
        count=1,
        sequence=np.array([batch.first_sequence], "<u8").tobytes(),
        latency_ps=np.array(latency_ps, "<u8").tobytes(),
        **columns,
    )


def _runs(values: Any) -> Iterator[slice]:
    """Yield slices of equal neighbouring values."""
    if len(values) == 1 or (values[0] == values[-1] and bool((values == values[0]).all())):
        yield slice(0, len(values))
        return
    edges = np.flatnonzero(np.diff(values)) + 1
    start = 0
    for stop in [*edges.tolist(), len(values)]:
        if stop > start:
            yield slice(start, stop)
        start = stop


def _tensor(message: Any) -> TensorInfo:
    dtype = _DTYPES.get(message.element_type)
    if dtype is None:
        raise UnitError(f"tensor {message.name!r} has an unknown element type {message.element_type}")
    return TensorInfo(
        id=message.id,
        name=message.name,
        address=message.address,
        dtype=dtype,
        rows=message.rows,
        columns=message.columns,
        row_stride=message.row_stride,
        column_stride=message.column_stride,
        tile_rows=message.tile_rows,
        tile_columns=message.tile_columns,
    )


def _view(message: Any) -> ViewInfo:
    return ViewInfo(
        id=message.id,
        address=message.address,
        tensor=_tensor(message.tensor),
        format=message.format,
        slot_bytes=message.slot_bytes,
    )
