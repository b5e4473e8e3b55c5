from spartan_units.wire import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MarkKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARK_KIND_UNSPECIFIED: _ClassVar[MarkKind]
    MARK_KIND_KERNEL_BEGIN: _ClassVar[MarkKind]
    MARK_KIND_KERNEL_END: _ClassVar[MarkKind]
    MARK_KIND_LAYER_BEGIN: _ClassVar[MarkKind]
    MARK_KIND_LAYER_END: _ClassVar[MarkKind]
MARK_KIND_UNSPECIFIED: MarkKind
MARK_KIND_KERNEL_BEGIN: MarkKind
MARK_KIND_KERNEL_END: MarkKind
MARK_KIND_LAYER_BEGIN: MarkKind
MARK_KIND_LAYER_END: MarkKind

class ModelMessage(_message.Message):
    __slots__ = ("hello", "batch", "lifecycle", "goodbye")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    LIFECYCLE_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    hello: ModelHello
    batch: EventBatch
    lifecycle: Lifecycle
    goodbye: Goodbye
    def __init__(self, hello: _Optional[_Union[ModelHello, _Mapping]] = ..., batch: _Optional[_Union[EventBatch, _Mapping]] = ..., lifecycle: _Optional[_Union[Lifecycle, _Mapping]] = ..., goodbye: _Optional[_Union[Goodbye, _Mapping]] = ...) -> None: ...

class UnitMessage(_message.Message):
    __slots__ = ("hello", "replies", "acknowledge", "failure", "lifecycle", "handled")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    LIFECYCLE_FIELD_NUMBER: _ClassVar[int]
    HANDLED_FIELD_NUMBER: _ClassVar[int]
    hello: UnitHello
    replies: ReplyBatch
    acknowledge: Acknowledge
    failure: UnitFailure
    lifecycle: LifecycleReply
    handled: Acknowledge
    def __init__(self, hello: _Optional[_Union[UnitHello, _Mapping]] = ..., replies: _Optional[_Union[ReplyBatch, _Mapping]] = ..., acknowledge: _Optional[_Union[Acknowledge, _Mapping]] = ..., failure: _Optional[_Union[UnitFailure, _Mapping]] = ..., lifecycle: _Optional[_Union[LifecycleReply, _Mapping]] = ..., handled: _Optional[_Union[Acknowledge, _Mapping]] = ...) -> None: ...

class ModelHello(_message.Message):
    __slots__ = ("protocol", "model", "model_version", "kind", "unit", "parameters_json", "credit_window", "max_batch_events", "clock_hz", "shared_directory", "compute_units", "l2_banks")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_JSON_FIELD_NUMBER: _ClassVar[int]
    CREDIT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_EVENTS_FIELD_NUMBER: _ClassVar[int]
    CLOCK_HZ_FIELD_NUMBER: _ClassVar[int]
    SHARED_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_UNITS_FIELD_NUMBER: _ClassVar[int]
    L2_BANKS_FIELD_NUMBER: _ClassVar[int]
    protocol: _common_pb2.Version
    model: str
    model_version: str
    kind: _common_pb2.UnitKind
    unit: str
    parameters_json: str
    credit_window: int
    max_batch_events: int
    clock_hz: int
    shared_directory: str
    compute_units: int
    l2_banks: int
    def __init__(self, protocol: _Optional[_Union[_common_pb2.Version, _Mapping]] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., kind: _Optional[_Union[_common_pb2.UnitKind, str]] = ..., unit: _Optional[str] = ..., parameters_json: _Optional[str] = ..., credit_window: _Optional[int] = ..., max_batch_events: _Optional[int] = ..., clock_hz: _Optional[int] = ..., shared_directory: _Optional[str] = ..., compute_units: _Optional[int] = ..., l2_banks: _Optional[int] = ...) -> None: ...

class UnitHello(_message.Message):
    __slots__ = ("protocol", "name", "version", "kind", "events", "lookahead_ps", "elements_per_cycle", "instances", "write_stall_cycles", "read_latency_ps", "parameters_json", "buffers_per_instance", "prefetch_depth", "line_requests_in_flight", "formats", "stateless", "full_line_stall_cycles")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    LOOKAHEAD_PS_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_PER_CYCLE_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    WRITE_STALL_CYCLES_FIELD_NUMBER: _ClassVar[int]
    READ_LATENCY_PS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_JSON_FIELD_NUMBER: _ClassVar[int]
    BUFFERS_PER_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    PREFETCH_DEPTH_FIELD_NUMBER: _ClassVar[int]
    LINE_REQUESTS_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    FORMATS_FIELD_NUMBER: _ClassVar[int]
    STATELESS_FIELD_NUMBER: _ClassVar[int]
    FULL_LINE_STALL_CYCLES_FIELD_NUMBER: _ClassVar[int]
    protocol: _common_pb2.Version
    name: str
    version: str
    kind: _common_pb2.UnitKind
    events: _containers.RepeatedScalarFieldContainer[_common_pb2.EventKind]
    lookahead_ps: int
    elements_per_cycle: float
    instances: int
    write_stall_cycles: float
    read_latency_ps: int
    parameters_json: str
    buffers_per_instance: int
    prefetch_depth: int
    line_requests_in_flight: int
    formats: _containers.RepeatedScalarFieldContainer[str]
    stateless: bool
    full_line_stall_cycles: float
    def __init__(self, protocol: _Optional[_Union[_common_pb2.Version, _Mapping]] = ..., name: _Optional[str] = ..., version: _Optional[str] = ..., kind: _Optional[_Union[_common_pb2.UnitKind, str]] = ..., events: _Optional[_Iterable[_Union[_common_pb2.EventKind, str]]] = ..., lookahead_ps: _Optional[int] = ..., elements_per_cycle: _Optional[float] = ..., instances: _Optional[int] = ..., write_stall_cycles: _Optional[float] = ..., read_latency_ps: _Optional[int] = ..., parameters_json: _Optional[str] = ..., buffers_per_instance: _Optional[int] = ..., prefetch_depth: _Optional[int] = ..., line_requests_in_flight: _Optional[int] = ..., formats: _Optional[_Iterable[str]] = ..., stateless: bool = ..., full_line_stall_cycles: _Optional[float] = ...) -> None: ...

class UnitFailure(_message.Message):
    __slots__ = ("message", "event", "detail", "time_ps")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    TIME_PS_FIELD_NUMBER: _ClassVar[int]
    message: str
    event: str
    detail: str
    time_ps: int
    def __init__(self, message: _Optional[str] = ..., event: _Optional[str] = ..., detail: _Optional[str] = ..., time_ps: _Optional[int] = ...) -> None: ...

class Lifecycle(_message.Message):
    __slots__ = ("phase", "label", "tensor", "view", "snapshot", "token", "time_ps", "tile_nonzeros")
    class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PHASE_UNSPECIFIED: _ClassVar[Lifecycle.Phase]
        PHASE_LAYER_BEGIN: _ClassVar[Lifecycle.Phase]
        PHASE_LAYER_END: _ClassVar[Lifecycle.Phase]
        PHASE_SNAPSHOT: _ClassVar[Lifecycle.Phase]
        PHASE_RESTORE: _ClassVar[Lifecycle.Phase]
        PHASE_TENSOR_ADDED: _ClassVar[Lifecycle.Phase]
        PHASE_TENSOR_REMOVED: _ClassVar[Lifecycle.Phase]
        PHASE_VIEW_ADDED: _ClassVar[Lifecycle.Phase]
        PHASE_VIEW_REMOVED: _ClassVar[Lifecycle.Phase]
        PHASE_COUNTERS: _ClassVar[Lifecycle.Phase]
    PHASE_UNSPECIFIED: Lifecycle.Phase
    PHASE_LAYER_BEGIN: Lifecycle.Phase
    PHASE_LAYER_END: Lifecycle.Phase
    PHASE_SNAPSHOT: Lifecycle.Phase
    PHASE_RESTORE: Lifecycle.Phase
    PHASE_TENSOR_ADDED: Lifecycle.Phase
    PHASE_TENSOR_REMOVED: Lifecycle.Phase
    PHASE_VIEW_ADDED: Lifecycle.Phase
    PHASE_VIEW_REMOVED: Lifecycle.Phase
    PHASE_COUNTERS: Lifecycle.Phase
    PHASE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TIME_PS_FIELD_NUMBER: _ClassVar[int]
    TILE_NONZEROS_FIELD_NUMBER: _ClassVar[int]
    phase: Lifecycle.Phase
    label: str
    tensor: _common_pb2.Tensor
    view: View
    snapshot: bytes
    token: int
    time_ps: int
    tile_nonzeros: bytes
    def __init__(self, phase: _Optional[_Union[Lifecycle.Phase, str]] = ..., label: _Optional[str] = ..., tensor: _Optional[_Union[_common_pb2.Tensor, _Mapping]] = ..., view: _Optional[_Union[View, _Mapping]] = ..., snapshot: _Optional[bytes] = ..., token: _Optional[int] = ..., time_ps: _Optional[int] = ..., tile_nonzeros: _Optional[bytes] = ...) -> None: ...

class LifecycleReply(_message.Message):
    __slots__ = ("token", "snapshot", "counters_json")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_JSON_FIELD_NUMBER: _ClassVar[int]
    token: int
    snapshot: bytes
    counters_json: str
    def __init__(self, token: _Optional[int] = ..., snapshot: _Optional[bytes] = ..., counters_json: _Optional[str] = ...) -> None: ...

class Goodbye(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class View(_message.Message):
    __slots__ = ("id", "address", "tensor", "format", "slot_bytes", "tiles")
    ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SLOT_BYTES_FIELD_NUMBER: _ClassVar[int]
    TILES_FIELD_NUMBER: _ClassVar[int]
    id: int
    address: int
    tensor: _common_pb2.Tensor
    format: str
    slot_bytes: int
    tiles: int
    def __init__(self, id: _Optional[int] = ..., address: _Optional[int] = ..., tensor: _Optional[_Union[_common_pb2.Tensor, _Mapping]] = ..., format: _Optional[str] = ..., slot_bytes: _Optional[int] = ..., tiles: _Optional[int] = ...) -> None: ...

class EventBatch(_message.Message):
    __slots__ = ("first_sequence", "count", "time_ps", "store", "mark", "read_counts", "compact_tile", "schedule")
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TIME_PS_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    READ_COUNTS_FIELD_NUMBER: _ClassVar[int]
    COMPACT_TILE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    first_sequence: int
    count: int
    time_ps: bytes
    store: StoreColumns
    mark: MarkColumns
    read_counts: ReadCountsColumns
    compact_tile: CompactTileColumns
    schedule: ScheduleRequest
    def __init__(self, first_sequence: _Optional[int] = ..., count: _Optional[int] = ..., time_ps: _Optional[bytes] = ..., store: _Optional[_Union[StoreColumns, _Mapping]] = ..., mark: _Optional[_Union[MarkColumns, _Mapping]] = ..., read_counts: _Optional[_Union[ReadCountsColumns, _Mapping]] = ..., compact_tile: _Optional[_Union[CompactTileColumns, _Mapping]] = ..., schedule: _Optional[_Union[ScheduleRequest, _Mapping]] = ...) -> None: ...

class StoreColumns(_message.Message):
    __slots__ = ("tensor", "address", "mask", "old", "new")
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    OLD_FIELD_NUMBER: _ClassVar[int]
    NEW_FIELD_NUMBER: _ClassVar[int]
    tensor: bytes
    address: bytes
    mask: bytes
    old: _common_pb2.Payload
    new: _common_pb2.Payload
    def __init__(self, tensor: _Optional[bytes] = ..., address: _Optional[bytes] = ..., mask: _Optional[bytes] = ..., old: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., new: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class MarkColumns(_message.Message):
    __slots__ = ("kind", "label")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    kind: bytes
    label: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kind: _Optional[bytes] = ..., label: _Optional[_Iterable[str]] = ...) -> None: ...

class ReadCountsColumns(_message.Message):
    __slots__ = ("tensor",)
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    tensor: bytes
    def __init__(self, tensor: _Optional[bytes] = ...) -> None: ...

class CompactTileColumns(_message.Message):
    __slots__ = ("view", "tile", "rows", "columns", "dense", "speculative", "confirmed", "encoded_bytes")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    TILE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    DENSE_FIELD_NUMBER: _ClassVar[int]
    SPECULATIVE_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    ENCODED_BYTES_FIELD_NUMBER: _ClassVar[int]
    view: bytes
    tile: bytes
    rows: bytes
    columns: bytes
    dense: _common_pb2.Payload
    speculative: bool
    confirmed: bool
    encoded_bytes: bytes
    def __init__(self, view: _Optional[bytes] = ..., tile: _Optional[bytes] = ..., rows: _Optional[bytes] = ..., columns: _Optional[bytes] = ..., dense: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., speculative: bool = ..., confirmed: bool = ..., encoded_bytes: _Optional[bytes] = ...) -> None: ...

class ScheduleRequest(_message.Message):
    __slots__ = ("kernel", "workgroups", "compute_units", "tiles_per_workgroup", "tile_nonzeros", "tile_elements", "workgroup_tiles")
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    WORKGROUPS_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_UNITS_FIELD_NUMBER: _ClassVar[int]
    TILES_PER_WORKGROUP_FIELD_NUMBER: _ClassVar[int]
    TILE_NONZEROS_FIELD_NUMBER: _ClassVar[int]
    TILE_ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    WORKGROUP_TILES_FIELD_NUMBER: _ClassVar[int]
    kernel: str
    workgroups: int
    compute_units: int
    tiles_per_workgroup: int
    tile_nonzeros: bytes
    tile_elements: int
    workgroup_tiles: bytes
    def __init__(self, kernel: _Optional[str] = ..., workgroups: _Optional[int] = ..., compute_units: _Optional[int] = ..., tiles_per_workgroup: _Optional[int] = ..., tile_nonzeros: _Optional[bytes] = ..., tile_elements: _Optional[int] = ..., workgroup_tiles: _Optional[bytes] = ...) -> None: ...

class ReplyBatch(_message.Message):
    __slots__ = ("count", "sequence", "latency_ps", "counts", "compact_tile", "schedule")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LATENCY_PS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    COMPACT_TILE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    count: int
    sequence: bytes
    latency_ps: bytes
    counts: CountsReply
    compact_tile: CompactTileReply
    schedule: ScheduleReply
    def __init__(self, count: _Optional[int] = ..., sequence: _Optional[bytes] = ..., latency_ps: _Optional[bytes] = ..., counts: _Optional[_Union[CountsReply, _Mapping]] = ..., compact_tile: _Optional[_Union[CompactTileReply, _Mapping]] = ..., schedule: _Optional[_Union[ScheduleReply, _Mapping]] = ...) -> None: ...

class CountsReply(_message.Message):
    __slots__ = ("elements", "zeros", "tile_nonzeros", "sampled")
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    ZEROS_FIELD_NUMBER: _ClassVar[int]
    TILE_NONZEROS_FIELD_NUMBER: _ClassVar[int]
    SAMPLED_FIELD_NUMBER: _ClassVar[int]
    elements: int
    zeros: int
    tile_nonzeros: bytes
    sampled: bool
    def __init__(self, elements: _Optional[int] = ..., zeros: _Optional[int] = ..., tile_nonzeros: _Optional[bytes] = ..., sampled: bool = ...) -> None: ...

class CompactTileReply(_message.Message):
    __slots__ = ("size", "encoded")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ENCODED_FIELD_NUMBER: _ClassVar[int]
    size: bytes
    encoded: _common_pb2.Payload
    def __init__(self, size: _Optional[bytes] = ..., encoded: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class ScheduleReply(_message.Message):
    __slots__ = ("order", "placement", "tile_path")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    TILE_PATH_FIELD_NUMBER: _ClassVar[int]
    order: bytes
    placement: bytes
    tile_path: bytes
    def __init__(self, order: _Optional[bytes] = ..., placement: _Optional[bytes] = ..., tile_path: _Optional[bytes] = ...) -> None: ...

class Acknowledge(_message.Message):
    __slots__ = ("through_sequence", "busy_ns", "hook_ns")
    THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BUSY_NS_FIELD_NUMBER: _ClassVar[int]
    HOOK_NS_FIELD_NUMBER: _ClassVar[int]
    through_sequence: int
    busy_ns: int
    hook_ns: int
    def __init__(self, through_sequence: _Optional[int] = ..., busy_ns: _Optional[int] = ..., hook_ns: _Optional[int] = ...) -> None: ...
