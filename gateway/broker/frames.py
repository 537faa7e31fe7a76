"""Marshals messages into AMQP 0-9-1 frames. The relay's throughput depends on it.

pamqp describes each frame by attribute and type at run time, which costs some 80 us a message. The
layout here is fixed, so it is packed by hand; a test compares it with what pamqp decodes. Layout:
AMQP 0-9-1 specification, sections 2.3.5 (frames), 4.2.5 (field tables) and 4.2.6 (content).
"""

from collections.abc import Callable, Iterable, Mapping
from struct import Struct

from pamqp import commands, frame

from gateway.broker.message import CONTENT_TYPE, OutgoingMessage
from gateway.broker.names import LIMIT

FRAME_OVERHEAD = 8
"""Type, channel, size and the end octet around each payload."""

_REMEMBERED = 4096  # publish frames and header names kept: types times pairs of exchange and flag
_LENGTH = Struct(">I").pack
_END = b"\xce"
_END_AND_BODY = Struct(">BBHI").pack  # of the frame before; the head of a body frame

# Frame head, class 60 "basic", weight 0, body size, property flags, the content type, table size.
_FLAGS = 0x8000 | 0x2000 | 0x1000 | 0x0080  # content type, headers, delivery mode, message id
_REQUEST = 0x0400 | 0x0100  # correlation id, expiration
_TYPE = CONTENT_TYPE.encode()
_HEAD = Struct(f">BHIHHQHB{len(_TYPE)}sI").pack
_HEAD_PAYLOAD = 2 + 2 + 8 + 2 + 1 + len(_TYPE) + 4
_TAIL = [b"\x02%c" % length for length in range(LIMIT + 1)]
"""By the length of the message id: delivery mode 2 (persistent), then that length."""
_BCC = b"\x03BCCA"


class Marshaller:
    """Marshals messages for one channel of one connection."""

    def __init__(self, channel: int, frame_max: int) -> None:
        """`frame_max` is in bytes, as negotiated; 0 means no limit."""
        self._channel = channel
        self._payload_max = (frame_max or 1 << 31) - FRAME_OVERHEAD
        self._publishes: dict[tuple[str, str, bool], bytes] = {}
        self._names = _HeaderNames()

    def marshal(self, messages: Iterable[OutgoingMessage]) -> bytes:
        """All frames of all messages, in order: three or more for each message.

        Raises ValueError, for all messages, if a name exceeds 255 bytes or the headers of a message
        exceed a frame.
        """
        parts: list[bytes] = []
        add = parts.append
        channel = self._channel
        room = self._payload_max
        publishes = self._publishes
        for message in messages:
            exchange, key, mandatory, bcc, body, identifier, headers, _, ttl, correlation = message
            publish = publishes.get((exchange, key, mandatory))
            if publish is None:
                publish = self._publish(exchange, key, mandatory)
            table = self._table(headers, bcc)
            text = identifier.encode()
            if ttl or len(text) > LIMIT:
                flags, tail = _request_tail(text, ttl, correlation)
            else:
                flags, tail = _FLAGS, _TAIL[len(text)] + text
            size = _HEAD_PAYLOAD + len(table) + len(tail)
            if size > room:
                raise ValueError(f"A message has {size} bytes of headers; a frame holds {room}.")
            add(publish)
            add(_HEAD(2, channel, size, 60, 0, len(body), flags, len(_TYPE), _TYPE, len(table)))
            add(table)
            add(tail)
            if len(body) > room:
                self._split(body, add)
            elif body:
                add(_END_AND_BODY(0xCE, 3, channel, len(body)))
                add(body)
            add(_END)
        return b"".join(parts)

    def marshal_singly(
        self, messages: Iterable[OutgoingMessage]
    ) -> tuple[bytes, list[OutgoingMessage], list[tuple[OutgoingMessage, Exception]]]:
        """The frames of those messages that have frames, these messages, and the others."""
        parts: list[bytes] = []
        sound: list[OutgoingMessage] = []
        unsendable: list[tuple[OutgoingMessage, Exception]] = []
        for message in messages:
            try:
                parts.append(self.marshal((message,)))
            except Exception as error:
                unsendable.append((message, error))
            else:
                sound.append(message)
        return b"".join(parts), sound, unsendable

    def _publish(self, exchange: str, key: str, mandatory: bool) -> bytes:
        for name in (exchange, key):
            if len(name.encode()) > LIMIT:
                raise ValueError(f"A name has {len(name.encode())} bytes: {name[:40]}...")
        method = commands.Basic.Publish(exchange=exchange, routing_key=key, mandatory=mandatory)
        if len(self._publishes) >= _REMEMBERED:
            self._publishes.clear()
        marshalled = self._publishes[exchange, key, mandatory] = frame.marshal(
            method, self._channel
        )
        return marshalled

    def _table(self, headers: Mapping[str, str], bcc: tuple[str, ...]) -> bytes:
        parts: list[bytes] = []
        add = parts.append
        names = self._names
        for name, value in headers.items():
            text = value.encode()
            add(names[name])
            add(_LENGTH(len(text)))
            add(text)
        if bcc:
            keys = [key.encode() for key in bcc]
            array = b"".join([b"S%b%b" % (_LENGTH(len(key)), key) for key in keys])
            parts += (_BCC, _LENGTH(len(array)), array)
        return b"".join(parts)

    def _split(self, body: bytes, add: Callable[[bytes], None]) -> None:
        view = memoryview(body)
        for start in range(0, len(body), self._payload_max):
            piece = view[start : start + self._payload_max]
            add(_END_AND_BODY(0xCE, 3, self._channel, len(piece)))
            add(bytes(piece))


def _request_tail(identifier: bytes, ttl: str, correlation: str) -> tuple[int, bytes]:
    """The property flags of a request and the properties after its table, in AMQP's order.

    Delivery mode 2 (persistent), correlation id, expiration, message id. Raises ValueError if one
    is too long for a short string.
    """
    parts = [b"\x02"]
    for text in (correlation.encode(), ttl.encode(), identifier):
        parts += (bytes((len(text),)), text)  # raises ValueError beyond 255
    return _FLAGS | _REQUEST, b"".join(parts)


class _HeaderNames(dict[str, bytes]):
    """By header name: its length, the name itself and the tag of a long string."""

    def __missing__(self, name: str) -> bytes:
        text = name.encode()
        if len(text) > LIMIT:
            raise ValueError(f"A header name has {len(text)} bytes: {name[:40]}...")
        if len(self) >= _REMEMBERED:
            self.clear()
        encoded = self[name] = b"%c%bS" % (len(text), text)
        return encoded
