from spartan_units.wire import units_pb2 as _units_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordBlock(_message.Message):
    __slots__ = ("model", "unit", "events", "lifecycle", "replies", "lifecycle_reply", "goodbye")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    LIFECYCLE_FIELD_NUMBER: _ClassVar[int]
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    LIFECYCLE_REPLY_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    model: _units_pb2.ModelHello
    unit: _units_pb2.UnitHello
    events: _units_pb2.EventBatch
    lifecycle: _units_pb2.Lifecycle
    replies: _units_pb2.ReplyBatch
    lifecycle_reply: _units_pb2.LifecycleReply
    goodbye: _units_pb2.Goodbye
    def __init__(self, model: _Optional[_Union[_units_pb2.ModelHello, _Mapping]] = ..., unit: _Optional[_Union[_units_pb2.UnitHello, _Mapping]] = ..., events: _Optional[_Union[_units_pb2.EventBatch, _Mapping]] = ..., lifecycle: _Optional[_Union[_units_pb2.Lifecycle, _Mapping]] = ..., replies: _Optional[_Union[_units_pb2.ReplyBatch, _Mapping]] = ..., lifecycle_reply: _Optional[_Union[_units_pb2.LifecycleReply, _Mapping]] = ..., goodbye: _Optional[_Union[_units_pb2.Goodbye, _Mapping]] = ...) -> None: ...
