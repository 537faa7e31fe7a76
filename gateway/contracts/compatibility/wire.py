"""What goes between the gateway and a worker: four bytes of length, then a MessagePack document.

A document that was found travels as JSON text, so that its numbers stay exact.
"""

import struct
from typing import Any

import msgspec

from gateway.base import strict_json
from gateway.contracts.compatibility.question import (
    Change,
    Compatible,
    Counterexample,
    Direction,
    Incompatible,
    Question,
    Undecided,
    Verdict,
)

_LENGTH = struct.Struct(">I")
HEADER = _LENGTH.size
READY = b""  # the first thing that a worker says
_json = msgspec.json.Encoder(decimal_format="number").encode


class Told(msgspec.Struct, array_like=True):
    """A verdict on its way. The last one of a question is `final`."""

    final: bool
    kind: str
    direction: Direction
    reason: str = ""
    document: bytes | None = None
    changes: list[tuple[str, str]] = []


def text(schema: Any) -> bytes:
    """A schema or a document as JSON text."""
    return schema if isinstance(schema, bytes) else _json(schema)


def framed(body: bytes) -> bytes:
    """A body with its length before it."""
    return _LENGTH.pack(len(body)) + body


def length(header: bytes) -> int:
    """How many bytes follow a header."""
    (size,) = _LENGTH.unpack(header)
    return int(size)


def encode_question(question: Question) -> bytes:
    """A question for a worker."""
    return msgspec.msgpack.encode(question)


def decode_question(body: bytes) -> Question:
    """A question as a worker gets it."""
    return msgspec.msgpack.decode(body, type=Question)


def encode_verdict(verdict: Verdict, direction: Direction, *, final: bool) -> bytes:
    """A verdict for the gateway."""
    told = Told(final, type(verdict).__name__, direction)
    if isinstance(verdict, Undecided):
        told.reason = verdict.reason
    if isinstance(verdict, Incompatible) and verdict.counterexample is not None:
        told.document = text(verdict.counterexample.document)
        told.reason = verdict.counterexample.reason
    if not isinstance(verdict, Compatible):
        told.changes = [(each.pointer, each.text) for each in verdict.changes]
    return msgspec.msgpack.encode(told)


def decode_verdict(body: bytes) -> tuple[Verdict, bool]:
    """A verdict as the gateway gets it, and whether it is final."""
    told = msgspec.msgpack.decode(body, type=Told)
    return _verdict(told), told.final


def _verdict(told: Told) -> Verdict:
    changes = tuple(Change(pointer, said) for pointer, said in told.changes)
    if told.kind == Compatible.__name__:
        return Compatible()
    if told.kind == Undecided.__name__:
        return Undecided(told.direction, told.reason, changes)
    example = None
    if told.document is not None:
        example = Counterexample(strict_json.parse(told.document), told.reason)
    return Incompatible(told.direction, example, changes)
