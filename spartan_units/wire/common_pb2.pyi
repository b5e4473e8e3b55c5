from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProtocolVersion(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROTOCOL_VERSION_UNSPECIFIED: _ClassVar[ProtocolVersion]
    PROTOCOL_VERSION_MAJOR: _ClassVar[ProtocolVersion]

class UnitKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNIT_KIND_UNSPECIFIED: _ClassVar[UnitKind]
    UNIT_KIND_MONITOR: _ClassVar[UnitKind]
    UNIT_KIND_COMPACTION: _ClassVar[UnitKind]
    UNIT_KIND_SCHEDULER: _ClassVar[UnitKind]

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_STORE: _ClassVar[EventKind]
    EVENT_KIND_MARK: _ClassVar[EventKind]
    EVENT_KIND_READ_COUNTS: _ClassVar[EventKind]
    EVENT_KIND_COMPACT_TILE: _ClassVar[EventKind]
    EVENT_KIND_SCHEDULE: _ClassVar[EventKind]

class ElementType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ELEMENT_TYPE_UNSPECIFIED: _ClassVar[ElementType]
    ELEMENT_TYPE_F32: _ClassVar[ElementType]
    ELEMENT_TYPE_F16: _ClassVar[ElementType]
PROTOCOL_VERSION_UNSPECIFIED: ProtocolVersion
PROTOCOL_VERSION_MAJOR: ProtocolVersion
UNIT_KIND_UNSPECIFIED: UnitKind
UNIT_KIND_MONITOR: UnitKind
UNIT_KIND_COMPACTION: UnitKind
UNIT_KIND_SCHEDULER: UnitKind
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_STORE: EventKind
EVENT_KIND_MARK: EventKind
EVENT_KIND_READ_COUNTS: EventKind
EVENT_KIND_COMPACT_TILE: EventKind
EVENT_KIND_SCHEDULE: EventKind
ELEMENT_TYPE_UNSPECIFIED: ElementType
ELEMENT_TYPE_F32: ElementType
ELEMENT_TYPE_F16: ElementType

class Version(_message.Message):
    __slots__ = ("major", "minor")
    MAJOR_FIELD_NUMBER: _ClassVar[int]
    MINOR_FIELD_NUMBER: _ClassVar[int]
    major: int
    minor: int
    def __init__(self, major: _Optional[int] = ..., minor: _Optional[int] = ...) -> None: ...

class Payload(_message.Message):
    __slots__ = ("inline", "shared")
    INLINE_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    inline: bytes
    shared: SharedMemory
    def __init__(self, inline: _Optional[bytes] = ..., shared: _Optional[_Union[SharedMemory, _Mapping]] = ...) -> None: ...

class SharedMemory(_message.Message):
    __slots__ = ("name", "offset", "size")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    name: str
    offset: int
    size: int
    def __init__(self, name: _Optional[str] = ..., offset: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ("id", "name", "address", "element_type", "rows", "columns", "row_stride", "column_stride", "tile_rows", "tile_columns", "im2col")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROW_STRIDE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_STRIDE_FIELD_NUMBER: _ClassVar[int]
    TILE_ROWS_FIELD_NUMBER: _ClassVar[int]
    TILE_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    IM2COL_FIELD_NUMBER: _ClassVar[int]
    id: int
    name: str
    address: int
    element_type: ElementType
    rows: int
    columns: int
    row_stride: int
    column_stride: int
    tile_rows: int
    tile_columns: int
    im2col: Im2col
    def __init__(self, id: _Optional[int] = ..., name: _Optional[str] = ..., address: _Optional[int] = ..., element_type: _Optional[_Union[ElementType, str]] = ..., rows: _Optional[int] = ..., columns: _Optional[int] = ..., row_stride: _Optional[int] = ..., column_stride: _Optional[int] = ..., tile_rows: _Optional[int] = ..., tile_columns: _Optional[int] = ..., im2col: _Optional[_Union[Im2col, _Mapping]] = ...) -> None: ...

class Im2col(_message.Message):
    __slots__ = ("images", "channels", "height", "width", "image_stride", "channel_stride", "filter_height", "filter_width", "out_height", "out_width", "stride_h", "stride_w", "pad_h", "pad_w", "dilation_h", "dilation_w", "input_dilation_h", "input_dilation_w", "reversed", "transposed")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    IMAGE_STRIDE_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_STRIDE_FIELD_NUMBER: _ClassVar[int]
    FILTER_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FILTER_WIDTH_FIELD_NUMBER: _ClassVar[int]
    OUT_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    OUT_WIDTH_FIELD_NUMBER: _ClassVar[int]
    STRIDE_H_FIELD_NUMBER: _ClassVar[int]
    STRIDE_W_FIELD_NUMBER: _ClassVar[int]
    PAD_H_FIELD_NUMBER: _ClassVar[int]
    PAD_W_FIELD_NUMBER: _ClassVar[int]
    DILATION_H_FIELD_NUMBER: _ClassVar[int]
    DILATION_W_FIELD_NUMBER: _ClassVar[int]
    INPUT_DILATION_H_FIELD_NUMBER: _ClassVar[int]
    INPUT_DILATION_W_FIELD_NUMBER: _ClassVar[int]
    REVERSED_FIELD_NUMBER: _ClassVar[int]
    TRANSPOSED_FIELD_NUMBER: _ClassVar[int]
    images: int
    channels: int
    height: int
    width: int
    image_stride: int
    channel_stride: int
    filter_height: int
    filter_width: int
    out_height: int
    out_width: int
    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    dilation_h: int
    dilation_w: int
    input_dilation_h: int
    input_dilation_w: int
    reversed: bool
    transposed: bool
    def __init__(self, images: _Optional[int] = ..., channels: _Optional[int] = ..., height: _Optional[int] = ..., width: _Optional[int] = ..., image_stride: _Optional[int] = ..., channel_stride: _Optional[int] = ..., filter_height: _Optional[int] = ..., filter_width: _Optional[int] = ..., out_height: _Optional[int] = ..., out_width: _Optional[int] = ..., stride_h: _Optional[int] = ..., stride_w: _Optional[int] = ..., pad_h: _Optional[int] = ..., pad_w: _Optional[int] = ..., dilation_h: _Optional[int] = ..., dilation_w: _Optional[int] = ..., input_dilation_h: _Optional[int] = ..., input_dilation_w: _Optional[int] = ..., reversed: bool = ..., transposed: bool = ...) -> None: ...
