from spartan_units.wire import common_pb2 as _common_pb2
from spartan_units.wire import units_pb2 as _units_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_TIMING: _ClassVar[Mode]
    MODE_FUNCTIONAL: _ClassVar[Mode]
MODE_UNSPECIFIED: Mode
MODE_TIMING: Mode
MODE_FUNCTIONAL: Mode

class HandshakeRequest(_message.Message):
    __slots__ = ("protocol", "driver_version", "mode", "gpu", "gpu_overrides", "host_threads", "max_instructions", "private_directory", "record_directory")
    class GpuOverridesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    DRIVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    GPU_FIELD_NUMBER: _ClassVar[int]
    GPU_OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    HOST_THREADS_FIELD_NUMBER: _ClassVar[int]
    MAX_INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    RECORD_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    protocol: _common_pb2.Version
    driver_version: str
    mode: Mode
    gpu: str
    gpu_overrides: _containers.ScalarMap[str, str]
    host_threads: int
    max_instructions: int
    private_directory: str
    record_directory: str
    def __init__(self, protocol: _Optional[_Union[_common_pb2.Version, _Mapping]] = ..., driver_version: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ..., gpu: _Optional[str] = ..., gpu_overrides: _Optional[_Mapping[str, str]] = ..., host_threads: _Optional[int] = ..., max_instructions: _Optional[int] = ..., private_directory: _Optional[str] = ..., record_directory: _Optional[str] = ...) -> None: ...

class GpuParameter(_message.Message):
    __slots__ = ("key", "value", "unit", "source", "description")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    unit: str
    source: str
    description: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ..., unit: _Optional[str] = ..., source: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class HandshakeReply(_message.Message):
    __slots__ = ("protocol", "model", "model_version", "parameters", "clock_hz", "device_memory_bytes", "compute_units", "l2_banks")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    CLOCK_HZ_FIELD_NUMBER: _ClassVar[int]
    DEVICE_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_UNITS_FIELD_NUMBER: _ClassVar[int]
    L2_BANKS_FIELD_NUMBER: _ClassVar[int]
    protocol: _common_pb2.Version
    model: str
    model_version: str
    parameters: _containers.RepeatedCompositeFieldContainer[GpuParameter]
    clock_hz: int
    device_memory_bytes: int
    compute_units: int
    l2_banks: int
    def __init__(self, protocol: _Optional[_Union[_common_pb2.Version, _Mapping]] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[GpuParameter, _Mapping]]] = ..., clock_hz: _Optional[int] = ..., device_memory_bytes: _Optional[int] = ..., compute_units: _Optional[int] = ..., l2_banks: _Optional[int] = ...) -> None: ...

class LoadCodeObjectRequest(_message.Message):
    __slots__ = ("file", "content")
    FILE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    file: str
    content: bytes
    def __init__(self, file: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class KernelArgument(_message.Message):
    __slots__ = ("name", "offset", "size", "kind", "type_name")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    offset: int
    size: int
    kind: str
    type_name: str
    def __init__(self, name: _Optional[str] = ..., offset: _Optional[int] = ..., size: _Optional[int] = ..., kind: _Optional[str] = ..., type_name: _Optional[str] = ...) -> None: ...

class Kernel(_message.Message):
    __slots__ = ("id", "name", "kernarg_bytes", "lds_bytes", "private_bytes", "sgprs", "vgprs", "arguments", "required_workgroup", "code_object_version")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KERNARG_BYTES_FIELD_NUMBER: _ClassVar[int]
    LDS_BYTES_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SGPRS_FIELD_NUMBER: _ClassVar[int]
    VGPRS_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_WORKGROUP_FIELD_NUMBER: _ClassVar[int]
    CODE_OBJECT_VERSION_FIELD_NUMBER: _ClassVar[int]
    id: int
    name: str
    kernarg_bytes: int
    lds_bytes: int
    private_bytes: int
    sgprs: int
    vgprs: int
    arguments: _containers.RepeatedCompositeFieldContainer[KernelArgument]
    required_workgroup: _containers.RepeatedScalarFieldContainer[int]
    code_object_version: int
    def __init__(self, id: _Optional[int] = ..., name: _Optional[str] = ..., kernarg_bytes: _Optional[int] = ..., lds_bytes: _Optional[int] = ..., private_bytes: _Optional[int] = ..., sgprs: _Optional[int] = ..., vgprs: _Optional[int] = ..., arguments: _Optional[_Iterable[_Union[KernelArgument, _Mapping]]] = ..., required_workgroup: _Optional[_Iterable[int]] = ..., code_object_version: _Optional[int] = ...) -> None: ...

class LoadCodeObjectReply(_message.Message):
    __slots__ = ("kernels",)
    KERNELS_FIELD_NUMBER: _ClassVar[int]
    kernels: _containers.RepeatedCompositeFieldContainer[Kernel]
    def __init__(self, kernels: _Optional[_Iterable[_Union[Kernel, _Mapping]]] = ...) -> None: ...

class AllocateRequest(_message.Message):
    __slots__ = ("bytes", "name", "at_address")
    BYTES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    AT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    name: str
    at_address: int
    def __init__(self, bytes: _Optional[int] = ..., name: _Optional[str] = ..., at_address: _Optional[int] = ...) -> None: ...

class AllocateReply(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: int
    def __init__(self, address: _Optional[int] = ...) -> None: ...

class FreeRequest(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: int
    def __init__(self, address: _Optional[int] = ...) -> None: ...

class FreeReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WriteRequest(_message.Message):
    __slots__ = ("address", "data")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    address: int
    data: _common_pb2.Payload
    def __init__(self, address: _Optional[int] = ..., data: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class WriteReply(_message.Message):
    __slots__ = ("time_ps",)
    TIME_PS_FIELD_NUMBER: _ClassVar[int]
    time_ps: int
    def __init__(self, time_ps: _Optional[int] = ...) -> None: ...

class ReadRequest(_message.Message):
    __slots__ = ("address", "bytes", "shared_name")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    SHARED_NAME_FIELD_NUMBER: _ClassVar[int]
    address: int
    bytes: int
    shared_name: str
    def __init__(self, address: _Optional[int] = ..., bytes: _Optional[int] = ..., shared_name: _Optional[str] = ...) -> None: ...

class ReadReply(_message.Message):
    __slots__ = ("data", "time_ps")
    DATA_FIELD_NUMBER: _ClassVar[int]
    TIME_PS_FIELD_NUMBER: _ClassVar[int]
    data: _common_pb2.Payload
    time_ps: int
    def __init__(self, data: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., time_ps: _Optional[int] = ...) -> None: ...

class AttachUnitRequest(_message.Message):
    __slots__ = ("kind", "target", "unit", "parameters_json", "credit_window", "max_batch_events", "reply_deadline_s", "shadow", "tls_ca", "token", "tls_certificate", "tls_key", "insecure_loopback")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_JSON_FIELD_NUMBER: _ClassVar[int]
    CREDIT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_EVENTS_FIELD_NUMBER: _ClassVar[int]
    REPLY_DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    TLS_CA_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TLS_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    TLS_KEY_FIELD_NUMBER: _ClassVar[int]
    INSECURE_LOOPBACK_FIELD_NUMBER: _ClassVar[int]
    kind: _common_pb2.UnitKind
    target: str
    unit: str
    parameters_json: str
    credit_window: int
    max_batch_events: int
    reply_deadline_s: float
    shadow: bool
    tls_ca: bytes
    token: str
    tls_certificate: bytes
    tls_key: bytes
    insecure_loopback: bool
    def __init__(self, kind: _Optional[_Union[_common_pb2.UnitKind, str]] = ..., target: _Optional[str] = ..., unit: _Optional[str] = ..., parameters_json: _Optional[str] = ..., credit_window: _Optional[int] = ..., max_batch_events: _Optional[int] = ..., reply_deadline_s: _Optional[float] = ..., shadow: bool = ..., tls_ca: _Optional[bytes] = ..., token: _Optional[str] = ..., tls_certificate: _Optional[bytes] = ..., tls_key: _Optional[bytes] = ..., insecure_loopback: bool = ...) -> None: ...

class AttachUnitReply(_message.Message):
    __slots__ = ("unit", "seat")
    UNIT_FIELD_NUMBER: _ClassVar[int]
    SEAT_FIELD_NUMBER: _ClassVar[int]
    unit: _units_pb2.UnitHello
    seat: int
    def __init__(self, unit: _Optional[_Union[_units_pb2.UnitHello, _Mapping]] = ..., seat: _Optional[int] = ...) -> None: ...

class DetachUnitRequest(_message.Message):
    __slots__ = ("seat",)
    SEAT_FIELD_NUMBER: _ClassVar[int]
    seat: int
    def __init__(self, seat: _Optional[int] = ...) -> None: ...

class DetachUnitReply(_message.Message):
    __slots__ = ("counters_json", "statistics")
    COUNTERS_JSON_FIELD_NUMBER: _ClassVar[int]
    STATISTICS_FIELD_NUMBER: _ClassVar[int]
    counters_json: str
    statistics: SeatStatistics
    def __init__(self, counters_json: _Optional[str] = ..., statistics: _Optional[_Union[SeatStatistics, _Mapping]] = ...) -> None: ...

class SnapshotUnitRequest(_message.Message):
    __slots__ = ("seat",)
    SEAT_FIELD_NUMBER: _ClassVar[int]
    seat: int
    def __init__(self, seat: _Optional[int] = ...) -> None: ...

class SnapshotUnitReply(_message.Message):
    __slots__ = ("snapshot",)
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    snapshot: bytes
    def __init__(self, snapshot: _Optional[bytes] = ...) -> None: ...

class RestoreUnitRequest(_message.Message):
    __slots__ = ("seat", "snapshot")
    SEAT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    seat: int
    snapshot: bytes
    def __init__(self, seat: _Optional[int] = ..., snapshot: _Optional[bytes] = ...) -> None: ...

class RestoreUnitReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchTensorRequest(_message.Message):
    __slots__ = ("tensor",)
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    tensor: _common_pb2.Tensor
    def __init__(self, tensor: _Optional[_Union[_common_pb2.Tensor, _Mapping]] = ...) -> None: ...

class WatchTensorReply(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class UnwatchTensorRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class UnwatchTensorReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CreateViewRequest(_message.Message):
    __slots__ = ("tensor", "format", "slot_bytes")
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SLOT_BYTES_FIELD_NUMBER: _ClassVar[int]
    tensor: _common_pb2.Tensor
    format: str
    slot_bytes: int
    def __init__(self, tensor: _Optional[_Union[_common_pb2.Tensor, _Mapping]] = ..., format: _Optional[str] = ..., slot_bytes: _Optional[int] = ...) -> None: ...

class CreateViewReply(_message.Message):
    __slots__ = ("view",)
    VIEW_FIELD_NUMBER: _ClassVar[int]
    view: _units_pb2.View
    def __init__(self, view: _Optional[_Union[_units_pb2.View, _Mapping]] = ...) -> None: ...

class DestroyViewRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class DestroyViewReply(_message.Message):
    __slots__ = ("conversions", "dense_bytes", "encoded_bytes")
    CONVERSIONS_FIELD_NUMBER: _ClassVar[int]
    DENSE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ENCODED_BYTES_FIELD_NUMBER: _ClassVar[int]
    conversions: int
    dense_bytes: int
    encoded_bytes: int
    def __init__(self, conversions: _Optional[int] = ..., dense_bytes: _Optional[int] = ..., encoded_bytes: _Optional[int] = ...) -> None: ...

class ReadCountsRequest(_message.Message):
    __slots__ = ("tensor", "further", "on_chip")
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    FURTHER_FIELD_NUMBER: _ClassVar[int]
    ON_CHIP_FIELD_NUMBER: _ClassVar[int]
    tensor: int
    further: _containers.RepeatedScalarFieldContainer[int]
    on_chip: bool
    def __init__(self, tensor: _Optional[int] = ..., further: _Optional[_Iterable[int]] = ..., on_chip: bool = ...) -> None: ...

class ReadCountsReply(_message.Message):
    __slots__ = ("counts", "cycles", "further")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    CYCLES_FIELD_NUMBER: _ClassVar[int]
    FURTHER_FIELD_NUMBER: _ClassVar[int]
    counts: _units_pb2.CountsReply
    cycles: int
    further: _containers.RepeatedCompositeFieldContainer[_units_pb2.CountsReply]
    def __init__(self, counts: _Optional[_Union[_units_pb2.CountsReply, _Mapping]] = ..., cycles: _Optional[int] = ..., further: _Optional[_Iterable[_Union[_units_pb2.CountsReply, _Mapping]]] = ...) -> None: ...

class MarkLayerRequest(_message.Message):
    __slots__ = ("begin", "label")
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    begin: bool
    label: str
    def __init__(self, begin: bool = ..., label: _Optional[str] = ...) -> None: ...

class MarkLayerReply(_message.Message):
    __slots__ = ("time_ps",)
    TIME_PS_FIELD_NUMBER: _ClassVar[int]
    time_ps: int
    def __init__(self, time_ps: _Optional[int] = ...) -> None: ...

class Schedule(_message.Message):
    __slots__ = ("ask", "tiles_per_workgroup", "tile_nonzeros", "tile_elements", "path_table_address", "workgroup_tiles")
    ASK_FIELD_NUMBER: _ClassVar[int]
    TILES_PER_WORKGROUP_FIELD_NUMBER: _ClassVar[int]
    TILE_NONZEROS_FIELD_NUMBER: _ClassVar[int]
    TILE_ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    PATH_TABLE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    WORKGROUP_TILES_FIELD_NUMBER: _ClassVar[int]
    ask: bool
    tiles_per_workgroup: int
    tile_nonzeros: bytes
    tile_elements: int
    path_table_address: int
    workgroup_tiles: bytes
    def __init__(self, ask: bool = ..., tiles_per_workgroup: _Optional[int] = ..., tile_nonzeros: _Optional[bytes] = ..., tile_elements: _Optional[int] = ..., path_table_address: _Optional[int] = ..., workgroup_tiles: _Optional[bytes] = ...) -> None: ...

class LaunchRequest(_message.Message):
    __slots__ = ("kernel", "grid", "workgroup", "arguments", "dynamic_lds_bytes", "schedule", "label", "global_offset", "prefetch", "cold", "profile")
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    GRID_FIELD_NUMBER: _ClassVar[int]
    WORKGROUP_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    DYNAMIC_LDS_BYTES_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_OFFSET_FIELD_NUMBER: _ClassVar[int]
    PREFETCH_FIELD_NUMBER: _ClassVar[int]
    COLD_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    kernel: int
    grid: _containers.RepeatedScalarFieldContainer[int]
    workgroup: _containers.RepeatedScalarFieldContainer[int]
    arguments: bytes
    dynamic_lds_bytes: int
    schedule: Schedule
    label: str
    global_offset: _containers.RepeatedScalarFieldContainer[int]
    prefetch: _containers.RepeatedCompositeFieldContainer[Prefetch]
    cold: bool
    profile: bool
    def __init__(self, kernel: _Optional[int] = ..., grid: _Optional[_Iterable[int]] = ..., workgroup: _Optional[_Iterable[int]] = ..., arguments: _Optional[bytes] = ..., dynamic_lds_bytes: _Optional[int] = ..., schedule: _Optional[_Union[Schedule, _Mapping]] = ..., label: _Optional[str] = ..., global_offset: _Optional[_Iterable[int]] = ..., prefetch: _Optional[_Iterable[_Union[Prefetch, _Mapping]]] = ..., cold: bool = ..., profile: bool = ...) -> None: ...

class Prefetch(_message.Message):
    __slots__ = ("view", "first", "tiles")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    TILES_FIELD_NUMBER: _ClassVar[int]
    view: int
    first: bytes
    tiles: bytes
    def __init__(self, view: _Optional[int] = ..., first: _Optional[bytes] = ..., tiles: _Optional[bytes] = ...) -> None: ...

class LaunchUpdate(_message.Message):
    __slots__ = ("progress", "result")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    progress: Progress
    result: LaunchResult
    def __init__(self, progress: _Optional[_Union[Progress, _Mapping]] = ..., result: _Optional[_Union[LaunchResult, _Mapping]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("workgroups_done", "workgroups_total", "instructions", "cycle", "waiting_for", "waiting_s")
    WORKGROUPS_DONE_FIELD_NUMBER: _ClassVar[int]
    WORKGROUPS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    CYCLE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    WAITING_S_FIELD_NUMBER: _ClassVar[int]
    workgroups_done: int
    workgroups_total: int
    instructions: int
    cycle: int
    waiting_for: str
    waiting_s: float
    def __init__(self, workgroups_done: _Optional[int] = ..., workgroups_total: _Optional[int] = ..., instructions: _Optional[int] = ..., cycle: _Optional[int] = ..., waiting_for: _Optional[str] = ..., waiting_s: _Optional[float] = ...) -> None: ...

class LaunchResult(_message.Message):
    __slots__ = ("cycles", "launch_tail_cycles", "instructions", "begin_ps", "end_ps", "metrics", "l2_bytes", "dram_bytes", "posted_events", "requests", "workgroups", "workgroups_skipped", "busy_compute_units", "cold", "profile")
    CYCLES_FIELD_NUMBER: _ClassVar[int]
    LAUNCH_TAIL_CYCLES_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    BEGIN_PS_FIELD_NUMBER: _ClassVar[int]
    END_PS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    L2_BYTES_FIELD_NUMBER: _ClassVar[int]
    DRAM_BYTES_FIELD_NUMBER: _ClassVar[int]
    POSTED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    WORKGROUPS_FIELD_NUMBER: _ClassVar[int]
    WORKGROUPS_SKIPPED_FIELD_NUMBER: _ClassVar[int]
    BUSY_COMPUTE_UNITS_FIELD_NUMBER: _ClassVar[int]
    COLD_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    cycles: int
    launch_tail_cycles: int
    instructions: int
    begin_ps: int
    end_ps: int
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    l2_bytes: int
    dram_bytes: int
    posted_events: int
    requests: int
    workgroups: int
    workgroups_skipped: int
    busy_compute_units: float
    cold: bool
    profile: KernelProfile
    def __init__(self, cycles: _Optional[int] = ..., launch_tail_cycles: _Optional[int] = ..., instructions: _Optional[int] = ..., begin_ps: _Optional[int] = ..., end_ps: _Optional[int] = ..., metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., l2_bytes: _Optional[int] = ..., dram_bytes: _Optional[int] = ..., posted_events: _Optional[int] = ..., requests: _Optional[int] = ..., workgroups: _Optional[int] = ..., workgroups_skipped: _Optional[int] = ..., busy_compute_units: _Optional[float] = ..., cold: bool = ..., profile: _Optional[_Union[KernelProfile, _Mapping]] = ...) -> None: ...

class KernelProfile(_message.Message):
    __slots__ = ("cause", "elsewhere", "offset", "text", "issues", "cycles")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ELSEWHERE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ISSUES_FIELD_NUMBER: _ClassVar[int]
    CYCLES_FIELD_NUMBER: _ClassVar[int]
    cause: _containers.RepeatedScalarFieldContainer[str]
    elsewhere: bytes
    offset: bytes
    text: _containers.RepeatedScalarFieldContainer[str]
    issues: bytes
    cycles: bytes
    def __init__(self, cause: _Optional[_Iterable[str]] = ..., elsewhere: _Optional[bytes] = ..., offset: _Optional[bytes] = ..., text: _Optional[_Iterable[str]] = ..., issues: _Optional[bytes] = ..., cycles: _Optional[bytes] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("location", "what", "value", "unit")
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    location: str
    what: str
    value: float
    unit: str
    def __init__(self, location: _Optional[str] = ..., what: _Optional[str] = ..., value: _Optional[float] = ..., unit: _Optional[str] = ...) -> None: ...

class StatisticsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatisticsReply(_message.Message):
    __slots__ = ("posted_events", "requests", "batches", "trace_hash", "time_ps", "model_s", "units_wait_s", "serialise_s", "units_busy_s", "seats")
    POSTED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    TRACE_HASH_FIELD_NUMBER: _ClassVar[int]
    TIME_PS_FIELD_NUMBER: _ClassVar[int]
    MODEL_S_FIELD_NUMBER: _ClassVar[int]
    UNITS_WAIT_S_FIELD_NUMBER: _ClassVar[int]
    SERIALISE_S_FIELD_NUMBER: _ClassVar[int]
    UNITS_BUSY_S_FIELD_NUMBER: _ClassVar[int]
    SEATS_FIELD_NUMBER: _ClassVar[int]
    posted_events: int
    requests: int
    batches: int
    trace_hash: str
    time_ps: int
    model_s: float
    units_wait_s: float
    serialise_s: float
    units_busy_s: float
    seats: _containers.RepeatedCompositeFieldContainer[SeatStatistics]
    def __init__(self, posted_events: _Optional[int] = ..., requests: _Optional[int] = ..., batches: _Optional[int] = ..., trace_hash: _Optional[str] = ..., time_ps: _Optional[int] = ..., model_s: _Optional[float] = ..., units_wait_s: _Optional[float] = ..., serialise_s: _Optional[float] = ..., units_busy_s: _Optional[float] = ..., seats: _Optional[_Iterable[_Union[SeatStatistics, _Mapping]]] = ...) -> None: ...

class SeatStatistics(_message.Message):
    __slots__ = ("kind", "name", "version", "placement", "posted_events", "requests", "batches", "wait_s", "busy_s", "counters_json", "seat", "shadow", "events", "shadow_compared", "shadow_different", "shadow_first_difference", "serialise_s", "round_trip_s", "hook_s")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    POSTED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    BUSY_S_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_JSON_FIELD_NUMBER: _ClassVar[int]
    SEAT_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    SHADOW_COMPARED_FIELD_NUMBER: _ClassVar[int]
    SHADOW_DIFFERENT_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIRST_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    SERIALISE_S_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIP_S_FIELD_NUMBER: _ClassVar[int]
    HOOK_S_FIELD_NUMBER: _ClassVar[int]
    kind: _common_pb2.UnitKind
    name: str
    version: str
    placement: str
    posted_events: int
    requests: int
    batches: int
    wait_s: float
    busy_s: float
    counters_json: str
    seat: int
    shadow: bool
    events: _containers.RepeatedCompositeFieldContainer[EventStatistics]
    shadow_compared: int
    shadow_different: int
    shadow_first_difference: str
    serialise_s: float
    round_trip_s: float
    hook_s: float
    def __init__(self, kind: _Optional[_Union[_common_pb2.UnitKind, str]] = ..., name: _Optional[str] = ..., version: _Optional[str] = ..., placement: _Optional[str] = ..., posted_events: _Optional[int] = ..., requests: _Optional[int] = ..., batches: _Optional[int] = ..., wait_s: _Optional[float] = ..., busy_s: _Optional[float] = ..., counters_json: _Optional[str] = ..., seat: _Optional[int] = ..., shadow: bool = ..., events: _Optional[_Iterable[_Union[EventStatistics, _Mapping]]] = ..., shadow_compared: _Optional[int] = ..., shadow_different: _Optional[int] = ..., shadow_first_difference: _Optional[str] = ..., serialise_s: _Optional[float] = ..., round_trip_s: _Optional[float] = ..., hook_s: _Optional[float] = ...) -> None: ...

class EventStatistics(_message.Message):
    __slots__ = ("kind", "events", "batches", "bytes", "serialise_s", "unit_s", "hook_s", "transport_s", "wait_s", "round_trip_s")
    KIND_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    SERIALISE_S_FIELD_NUMBER: _ClassVar[int]
    UNIT_S_FIELD_NUMBER: _ClassVar[int]
    HOOK_S_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_S_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIP_S_FIELD_NUMBER: _ClassVar[int]
    kind: _common_pb2.EventKind
    events: int
    batches: int
    bytes: int
    serialise_s: float
    unit_s: float
    hook_s: float
    transport_s: float
    wait_s: float
    round_trip_s: float
    def __init__(self, kind: _Optional[_Union[_common_pb2.EventKind, str]] = ..., events: _Optional[int] = ..., batches: _Optional[int] = ..., bytes: _Optional[int] = ..., serialise_s: _Optional[float] = ..., unit_s: _Optional[float] = ..., hook_s: _Optional[float] = ..., transport_s: _Optional[float] = ..., wait_s: _Optional[float] = ..., round_trip_s: _Optional[float] = ...) -> None: ...

class TimelineRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TimelineReply(_message.Message):
    __slots__ = ("seats",)
    SEATS_FIELD_NUMBER: _ClassVar[int]
    seats: _containers.RepeatedCompositeFieldContainer[SeatTimeline]
    def __init__(self, seats: _Optional[_Iterable[_Union[SeatTimeline, _Mapping]]] = ...) -> None: ...

class SeatTimeline(_message.Message):
    __slots__ = ("kind", "name", "shadow", "event_kind", "events", "ahead", "begin_ps", "end_ps", "sent_ns", "took_ns", "unit_ns", "wait_kind", "wait_ps", "wait_from_ns", "wait_ns", "left_out")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    EVENT_KIND_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    BEGIN_PS_FIELD_NUMBER: _ClassVar[int]
    END_PS_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    TOOK_NS_FIELD_NUMBER: _ClassVar[int]
    UNIT_NS_FIELD_NUMBER: _ClassVar[int]
    WAIT_KIND_FIELD_NUMBER: _ClassVar[int]
    WAIT_PS_FIELD_NUMBER: _ClassVar[int]
    WAIT_FROM_NS_FIELD_NUMBER: _ClassVar[int]
    WAIT_NS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    kind: _common_pb2.UnitKind
    name: str
    shadow: bool
    event_kind: bytes
    events: bytes
    ahead: bytes
    begin_ps: bytes
    end_ps: bytes
    sent_ns: bytes
    took_ns: bytes
    unit_ns: bytes
    wait_kind: bytes
    wait_ps: bytes
    wait_from_ns: bytes
    wait_ns: bytes
    left_out: int
    def __init__(self, kind: _Optional[_Union[_common_pb2.UnitKind, str]] = ..., name: _Optional[str] = ..., shadow: bool = ..., event_kind: _Optional[bytes] = ..., events: _Optional[bytes] = ..., ahead: _Optional[bytes] = ..., begin_ps: _Optional[bytes] = ..., end_ps: _Optional[bytes] = ..., sent_ns: _Optional[bytes] = ..., took_ns: _Optional[bytes] = ..., unit_ns: _Optional[bytes] = ..., wait_kind: _Optional[bytes] = ..., wait_ps: _Optional[bytes] = ..., wait_from_ns: _Optional[bytes] = ..., wait_ns: _Optional[bytes] = ..., left_out: _Optional[int] = ...) -> None: ...

class ShutdownRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ShutdownReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
