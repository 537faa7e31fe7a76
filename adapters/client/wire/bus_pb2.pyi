import datetime

from adapters.client.wire import cloudevents_pb2 as _cloudevents_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RequestState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REQUEST_STATE_UNSPECIFIED: _ClassVar[RequestState]
    REQUEST_STATE_WAITING: _ClassVar[RequestState]
    REQUEST_STATE_ANSWERED: _ClassVar[RequestState]
    REQUEST_STATE_ANSWERED_LATE: _ClassVar[RequestState]
REQUEST_STATE_UNSPECIFIED: RequestState
REQUEST_STATE_WAITING: RequestState
REQUEST_STATE_ANSWERED: RequestState
REQUEST_STATE_ANSWERED_LATE: RequestState

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

class SubscribeRequest(_message.Message):
    __slots__ = ("open", "credit", "acknowledge", "reject", "release", "renew_locks", "renew")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    REJECT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    RENEW_LOCKS_FIELD_NUMBER: _ClassVar[int]
    RENEW_FIELD_NUMBER: _ClassVar[int]
    open: OpenSubscription
    credit: Credit
    acknowledge: Acknowledge
    reject: Reject
    release: Release
    renew_locks: RenewLocks
    renew: RenewToken
    def __init__(self, open: _Optional[_Union[OpenSubscription, _Mapping[str, object]]] = ..., credit: _Optional[_Union[Credit, _Mapping[str, object]]] = ..., acknowledge: _Optional[_Union[Acknowledge, _Mapping[str, object]]] = ..., reject: _Optional[_Union[Reject, _Mapping[str, object]]] = ..., release: _Optional[_Union[Release, _Mapping[str, object]]] = ..., renew_locks: _Optional[_Union[RenewLocks, _Mapping[str, object]]] = ..., renew: _Optional[_Union[RenewToken, _Mapping[str, object]]] = ...) -> None: ...

class OpenSubscription(_message.Message):
    __slots__ = ("subscription", "credit", "after")
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    subscription: str
    credit: int
    after: str
    def __init__(self, subscription: _Optional[str] = ..., credit: _Optional[int] = ..., after: _Optional[str] = ...) -> None: ...

class Credit(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: int
    def __init__(self, events: _Optional[int] = ...) -> None: ...

class Acknowledge(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tokens: _Optional[_Iterable[str]] = ...) -> None: ...

class Reject(_message.Message):
    __slots__ = ("tokens", "reason")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    def __init__(self, tokens: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("tokens", "delay", "reason")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedScalarFieldContainer[str]
    delay: _duration_pb2.Duration
    reason: str
    def __init__(self, tokens: _Optional[_Iterable[str]] = ..., delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ..., reason: _Optional[str] = ...) -> None: ...

class RenewLocks(_message.Message):
    __slots__ = ("tokens", "duration")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedScalarFieldContainer[str]
    duration: _duration_pb2.Duration
    def __init__(self, tokens: _Optional[_Iterable[str]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("opened", "deliveries", "settled", "heartbeat", "restored", "token_expiring", "draining")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    RESTORED_FIELD_NUMBER: _ClassVar[int]
    TOKEN_EXPIRING_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    opened: SubscriptionOpened
    deliveries: Deliveries
    settled: Settled
    heartbeat: Heartbeat
    restored: Restored
    token_expiring: TokenExpiring
    draining: SubscriptionDraining
    def __init__(self, opened: _Optional[_Union[SubscriptionOpened, _Mapping[str, object]]] = ..., deliveries: _Optional[_Union[Deliveries, _Mapping[str, object]]] = ..., settled: _Optional[_Union[Settled, _Mapping[str, object]]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping[str, object]]] = ..., restored: _Optional[_Union[Restored, _Mapping[str, object]]] = ..., token_expiring: _Optional[_Union[TokenExpiring, _Mapping[str, object]]] = ..., draining: _Optional[_Union[SubscriptionDraining, _Mapping[str, object]]] = ...) -> None: ...

class SubscriptionOpened(_message.Message):
    __slots__ = ("delivery",)
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    delivery: str
    def __init__(self, delivery: _Optional[str] = ...) -> None: ...

class Deliveries(_message.Message):
    __slots__ = ("deliveries",)
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping[str, object]]]] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("event", "position", "token", "attempt", "locked_until")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LOCKED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    event: _cloudevents_pb2.CloudEvent
    position: str
    token: str
    attempt: int
    locked_until: _timestamp_pb2.Timestamp
    def __init__(self, event: _Optional[_Union[_cloudevents_pb2.CloudEvent, _Mapping[str, object]]] = ..., position: _Optional[str] = ..., token: _Optional[str] = ..., attempt: _Optional[int] = ..., locked_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ...) -> None: ...

class Settled(_message.Message):
    __slots__ = ("settled", "gone")
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    settled: _containers.RepeatedScalarFieldContainer[str]
    gone: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, settled: _Optional[_Iterable[str]] = ..., gone: _Optional[_Iterable[str]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: str
    def __init__(self, position: _Optional[str] = ...) -> None: ...

class Restored(_message.Message):
    __slots__ = ("position", "incarnation", "began", "lost")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    BEGAN_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    position: str
    incarnation: str
    began: _timestamp_pb2.Timestamp
    lost: _containers.RepeatedCompositeFieldContainer[LostRange]
    def __init__(self, position: _Optional[str] = ..., incarnation: _Optional[str] = ..., began: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ..., lost: _Optional[_Iterable[_Union[LostRange, _Mapping[str, object]]]] = ...) -> None: ...

class LostRange(_message.Message):
    __slots__ = ("first", "last")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    first: str
    last: str
    def __init__(self, first: _Optional[str] = ..., last: _Optional[str] = ...) -> None: ...

class SubscriptionDraining(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: str
    def __init__(self, position: _Optional[str] = ...) -> None: ...

class RequestRequest(_message.Message):
    __slots__ = ("event", "wait", "wait_for_responder")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_RESPONDER_FIELD_NUMBER: _ClassVar[int]
    event: _cloudevents_pb2.CloudEvent
    wait: _duration_pb2.Duration
    wait_for_responder: bool
    def __init__(self, event: _Optional[_Union[_cloudevents_pb2.CloudEvent, _Mapping[str, object]]] = ..., wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ..., wait_for_responder: _Optional[bool] = ...) -> None: ...

class RequestResponse(_message.Message):
    __slots__ = ("id", "state", "deadline", "request", "reply")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: RequestState
    deadline: _timestamp_pb2.Timestamp
    request: StoredEvent
    reply: _cloudevents_pb2.CloudEvent
    def __init__(self, id: _Optional[str] = ..., state: _Optional[_Union[RequestState, str]] = ..., deadline: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ..., request: _Optional[_Union[StoredEvent, _Mapping[str, object]]] = ..., reply: _Optional[_Union[_cloudevents_pb2.CloudEvent, _Mapping[str, object]]] = ...) -> None: ...

class StoredEvent(_message.Message):
    __slots__ = ("source", "id", "shard", "sequence", "recorded_time")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECORDED_TIME_FIELD_NUMBER: _ClassVar[int]
    source: str
    id: str
    shard: int
    sequence: int
    recorded_time: _timestamp_pb2.Timestamp
    def __init__(self, source: _Optional[str] = ..., id: _Optional[str] = ..., shard: _Optional[int] = ..., sequence: _Optional[int] = ..., recorded_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ...) -> None: ...

class RespondRequest(_message.Message):
    __slots__ = ("request_id", "reply")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    reply: _cloudevents_pb2.CloudEvent
    def __init__(self, request_id: _Optional[str] = ..., reply: _Optional[_Union[_cloudevents_pb2.CloudEvent, _Mapping[str, object]]] = ...) -> None: ...

class RespondResponse(_message.Message):
    __slots__ = ("late", "duplicate", "reply")
    LATE_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    late: bool
    duplicate: bool
    reply: StoredEvent
    def __init__(self, late: _Optional[bool] = ..., duplicate: _Optional[bool] = ..., reply: _Optional[_Union[StoredEvent, _Mapping[str, object]]] = ...) -> None: ...
