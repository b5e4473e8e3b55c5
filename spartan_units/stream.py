"""One unit on one stream: wire messages in, hook calls, wire messages out.

Nothing here knows of sockets; `serve` runs it behind gRPC, and a driver can run it in its own process.
"""

from __future__ import annotations

import dataclasses
import json
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from spartan_units.base import CompactionEngine, Unit
from spartan_units.errors import UnitError
from spartan_units.events import EventHandler, event_handler
from spartan_units.im2col import Im2col
from spartan_units.shared import SharedPayloads
from spartan_units.types import Machine, TensorInfo, UnitKind, ViewInfo
from spartan_units.wire import common_pb2, units_pb2

__all__ = ["PROTOCOL_MAJOR", "PROTOCOL_MINOR", "UnitFactory", "UnitStream"]

PROTOCOL_MAJOR = 1
PROTOCOL_MINOR = 3

_HANDLED_BESIDE_REPLIES = 2
"""The minor version from which a model takes replies and their acknowledgement in one message."""

UnitFactory = Callable[[str, UnitKind, Machine, dict[str, Any]], Unit]
"""Makes a unit from its name in the server, the seat, the machine and the parameters."""

_KINDS = {
    common_pb2.UNIT_KIND_MONITOR: UnitKind.MONITOR,
    common_pb2.UNIT_KIND_COMPACTION: UnitKind.COMPACTION,
    common_pb2.UNIT_KIND_SCHEDULER: UnitKind.SCHEDULER,
}
_U8 = np.dtype("<u8")
_DTYPES: dict[int, np.dtype[Any]] = {
    common_pb2.ELEMENT_TYPE_F32: np.dtype("<f4"),
    common_pb2.ELEMENT_TYPE_F16: np.dtype("<f2"),
}


class UnitStream:
    """Translates between the wire and a unit's hooks; the model's messages are handled strictly in order.

    Attributes:
        busy_since: when (time.monotonic) the message that the unit is at came; None while it is at none.
    """

    def __init__(self, make_unit: UnitFactory) -> None:
        """Serve the unit that `make_unit` returns for the model's hello."""
        self._make_unit = make_unit
        self._unit: Unit | None = None
        self._handler: EventHandler | None = None
        self._shared = SharedPayloads()
        self._beside_replies = True
        self._now: tuple[str, object] = ("the", "handshake")
        self._time_ps = 0
        self.busy_since: float | None = None

    def __repr__(self) -> str:
        return f"<UnitStream {self._unit!r}>"

    @property
    def doing(self) -> str:
        """What the unit is at: the event or lifecycle message under way, or the latest."""
        return f"{self._now[0]} {self._now[1]}"

    def run(self, messages: Iterator[Any]) -> Iterator[Any]:
        """Yield a UnitMessage for whatever each ModelMessage calls for; a failure is the last message."""
        try:
            for message in messages:
                self.busy_since = time.monotonic()
                body = message.WhichOneof("body")
                if body == "goodbye":
                    return
                for answer in self._answers(body, message):
                    self.busy_since = None
                    yield answer
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
        return units_pb2.UnitFailure(message=first, event=self.doing, detail=detail, time_ps=self._time_ps)

    def _answers(self, body: str | None, message: Any) -> tuple[Any, ...]:
        if body == "batch":
            return self._batch(message.batch)
        if body == "lifecycle":
            return self._lifecycle(message.lifecycle)
        if body == "hello":
            return (units_pb2.UnitMessage(hello=self._hello(message.hello)),)
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
        self._beside_replies = hello.protocol.minor >= _HANDLED_BESIDE_REPLIES
        unit.start()
        self._unit = unit
        costs = unit.costs()
        handler = self._handler = event_handler(unit, costs, self._shared)
        return units_pb2.UnitHello(
            protocol=common_pb2.Version(major=PROTOCOL_MAJOR, minor=PROTOCOL_MINOR),
            name=unit.name,
            version=unit.version,
            kind=hello.kind,
            events=handler.events,
            parameters_json=unit.parameters.model_dump_json(),
            lookahead_ps=costs.lookahead_ps,
            elements_per_cycle=costs.elements_per_cycle,
            instances=costs.instances,
            write_stall_cycles=costs.write_stall_cycles,
            full_line_stall_cycles=costs.full_line_stall_cycles,
            read_latency_ps=costs.read_latency_ps,
            buffers_per_instance=costs.buffers_per_instance,
            prefetch_depth=costs.prefetch_depth,
            line_requests_in_flight=costs.line_requests_in_flight,
            formats=unit.formats if isinstance(unit, CompactionEngine) else (),
            stateless=isinstance(unit, CompactionEngine) and unit.stateless,
        )

    def _batch(self, batch: Any) -> tuple[Any, ...]:
        begin = time.perf_counter_ns()
        columns = batch.WhichOneof("columns")
        self._now = f"{columns} event", batch.first_sequence
        handler = self._handler
        if handler is None or columns is None:
            what = "before its hello" if handler is None else "of unknown kind; update the units to its version"
            raise UnitError(f"the model sent events {what}")
        time_ps = np.frombuffer(batch.time_ps, _U8)
        self._time_ps = time_ps.item(0) if len(time_ps) else 0
        handler.hook_ns = 0
        answer = units_pb2.UnitMessage()
        handler.handle(columns, batch, time_ps, answer.replies)
        has_replies = answer.replies.count > 0
        separate = has_replies and not self._beside_replies
        last = units_pb2.UnitMessage() if separate else answer
        handled = last.handled if has_replies and not separate else last.acknowledge
        handled.through_sequence = batch.first_sequence + batch.count
        handled.hook_ns = handler.hook_ns
        handled.busy_ns = time.perf_counter_ns() - begin
        return (answer, last) if separate else (answer,)

    def _lifecycle(self, event: Any) -> tuple[Any, ...]:
        phase = units_pb2.Lifecycle.Phase
        self._time_ps = event.time_ps
        self._now = "lifecycle", phase.Name(event.phase)
        unit, handler = self._unit, self._handler
        if unit is None or handler is None:
            raise UnitError("the model sent a lifecycle message before its hello")
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
            handler.tensors[tensor.id] = tensor
            known = np.frombuffer(event.tile_nonzeros, "<u4")
            unit.tensor_added(tensor, known if len(known) else np.zeros(tensor.tiles, np.uint32))
        elif event.phase == phase.PHASE_TENSOR_REMOVED:
            unit.tensor_removed(handler.tensors.pop(event.tensor.id))
        elif event.phase == phase.PHASE_VIEW_ADDED:
            view = _view(event.view)
            handler.views[view.id] = view
            unit.view_added(view)
        elif event.phase == phase.PHASE_VIEW_REMOVED:
            unit.view_removed(handler.views.pop(event.view.id))
        elif event.phase == phase.PHASE_COUNTERS:
            reply.counters_json = json.dumps(unit.results())
        return (units_pb2.UnitMessage(lifecycle=reply),) if event.token else ()


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
        im2col=_im2col(message.im2col, dtype.itemsize) if message.HasField("im2col") else None,
    )


def _im2col(message: Any, width: int) -> Im2col:
    values = {field.name: getattr(message, field.name) for field in dataclasses.fields(Im2col)}
    values |= {name: values[name] // width for name in ("image_stride", "channel_stride")}
    return Im2col(**values)


def _view(message: Any) -> ViewInfo:
    return ViewInfo(
        id=message.id,
        address=message.address,
        tensor=_tensor(message.tensor),
        format=message.format,
        slot_bytes=message.slot_bytes,
    )
