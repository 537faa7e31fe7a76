import datetime

from adapters.client.wire import cloudevents_pb2 as _cloudevents_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PublishRequest(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _cloudevents_pb2.CloudEvent
    def __init__(self, event: _Optional[_Union[_cloudevents_pb2.CloudEvent, _Mapping[str, object]]] = ...) -> None: ...

class PublishResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping[str, object]]] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("id", "source", "shard", "sequence", "recorded_time", "digest", "duplicate")
    ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECORDED_TIME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    id: str
    source: str
    shard: int
    sequence: int
    recorded_time: _timestamp_pb2.Timestamp
    digest: bytes
    duplicate: bool
    def __init__(self, id: _Optional[str] = ..., source: _Optional[str] = ..., shard: _Optional[int] = ..., sequence: _Optional[int] = ..., recorded_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ..., digest: _Optional[bytes] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class PublishStreamRequest(_message.Message):
    __slots__ = ("open", "chunk", "renew")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    RENEW_FIELD_NUMBER: _ClassVar[int]
    open: OpenStream
    chunk: Chunk
    renew: RenewToken
    def __init__(self, open: _Optional[_Union[OpenStream, _Mapping[str, object]]] = ..., chunk: _Optional[_Union[Chunk, _Mapping[str, object]]] = ..., renew: _Optional[_Union[RenewToken, _Mapping[str, object]]] = ...) -> None: ...

class OpenStream(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: str
    def __init__(self, stream: _Optional[str] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("number", "events")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    number: int
    events: _containers.RepeatedCompositeFieldContainer[_cloudevents_pb2.CloudEvent]
    def __init__(self, number: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_cloudevents_pb2.CloudEvent, _Mapping[str, object]]]] = ...) -> None: ...

class RenewToken(_message.Message):
    __slots__ = ("access_token",)
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    access_token: str
    def __init__(self, access_token: _Optional[str] = ...) -> None: ...

class PublishStreamResponse(_message.Message):
    __slots__ = ("opened", "result", "token_expiring", "draining")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_EXPIRING_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    opened: Opened
    result: ChunkResult
    token_expiring: TokenExpiring
    draining: Draining
    def __init__(self, opened: _Optional[_Union[Opened, _Mapping[str, object]]] = ..., result: _Optional[_Union[ChunkResult, _Mapping[str, object]]] = ..., token_expiring: _Optional[_Union[TokenExpiring, _Mapping[str, object]]] = ..., draining: _Optional[_Union[Draining, _Mapping[str, object]]] = ...) -> None: ...

class Opened(_message.Message):
    __slots__ = ("stored_chunk", "window_events", "window_bytes", "chunk_events", "chunk_bytes")
    STORED_CHUNK_FIELD_NUMBER: _ClassVar[int]
    WINDOW_EVENTS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHUNK_EVENTS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_BYTES_FIELD_NUMBER: _ClassVar[int]
    stored_chunk: int
    window_events: int
    window_bytes: int
    chunk_events: int
    chunk_bytes: int
    def __init__(self, stored_chunk: _Optional[int] = ..., window_events: _Optional[int] = ..., window_bytes: _Optional[int] = ..., chunk_events: _Optional[int] = ..., chunk_bytes: _Optional[int] = ...) -> None: ...

class ChunkResult(_message.Message):
    __slots__ = ("number", "stored", "refused")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    number: int
    stored: _containers.RepeatedCompositeFieldContainer[ReceiptRange]
    refused: _containers.RepeatedCompositeFieldContainer[RefusedEvent]
    def __init__(self, number: _Optional[int] = ..., stored: _Optional[_Iterable[_Union[ReceiptRange, _Mapping[str, object]]]] = ..., refused: _Optional[_Iterable[_Union[RefusedEvent, _Mapping[str, object]]]] = ...) -> None: ...

class ReceiptRange(_message.Message):
    __slots__ = ("shard", "first_sequence", "recorded_time", "duplicate", "events")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECORDED_TIME_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    shard: int
    first_sequence: int
    recorded_time: _timestamp_pb2.Timestamp
    duplicate: bool
    events: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, shard: _Optional[int] = ..., first_sequence: _Optional[int] = ..., recorded_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ..., duplicate: _Optional[bool] = ..., events: _Optional[_Iterable[int]] = ...) -> None: ...

class RefusedEvent(_message.Message):
    __slots__ = ("event", "problem")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    event: int
    problem: Problem
    def __init__(self, event: _Optional[int] = ..., problem: _Optional[_Union[Problem, _Mapping[str, object]]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("type", "title", "status", "detail", "pointer", "violations", "document")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    POINTER_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    type: str
    title: str
    status: int
    detail: str
    pointer: str
    violations: _containers.RepeatedCompositeFieldContainer[Violation]
    document: str
    def __init__(self, type: _Optional[str] = ..., title: _Optional[str] = ..., status: _Optional[int] = ..., detail: _Optional[str] = ..., pointer: _Optional[str] = ..., violations: _Optional[_Iterable[_Union[Violation, _Mapping[str, object]]]] = ..., document: _Optional[str] = ...) -> None: ...

class Violation(_message.Message):
    __slots__ = ("pointer", "keyword", "message")
    POINTER_FIELD_NUMBER: _ClassVar[int]
    KEYWORD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    pointer: str
    keyword: str
    message: str
    def __init__(self, pointer: _Optional[str] = ..., keyword: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class TokenExpiring(_message.Message):
    __slots__ = ("expires",)
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    expires: _timestamp_pb2.Timestamp
    def __init__(self, expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ...) -> None: ...

class Draining(_message.Message):
    __slots__ = ("last_chunk",)
    LAST_CHUNK_FIELD_NUMBER: _ClassVar[int]
    last_chunk: int
    def __init__(self, last_chunk: _Optional[int] = ...) -> None: ...
