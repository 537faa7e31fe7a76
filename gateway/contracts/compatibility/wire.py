"""Messages between the gateway and a worker, as MessagePack documents.

Counterexamples travel as JSON text, so that their numbers stay exact.
"""

from typing import Any

import msgspec

from gateway.base import strict_json
from gateway.contracts.compatibility.values import (
    Change,
    Comparison,
    ComparisonTask,
    CompatibilityDirection,
    Compatible,
    Counterexample,
    Incompatible,
    Undecided,
)

_json = msgspec.json.Encoder(decimal_format="number").encode


class ComparisonMessage(msgspec.Struct, array_like=True):
    """A comparison on the wire. The last one of a task is `final`."""

    final: bool
    kind: str
    direction: CompatibilityDirection
    reason: str = ""
    document: bytes | None = None
    changes: list[tuple[str, str]] = []


def text(schema: Any) -> bytes:
    """A schema or a document as JSON text."""
    return schema if isinstance(schema, bytes) else _json(schema)


def encode_task(task: ComparisonTask) -> bytes:
    """A task for a worker."""
    return msgspec.msgpack.encode(task)


def decode_task(body: bytes) -> ComparisonTask:
    """The task in a body."""
    return msgspec.msgpack.decode(body, type=ComparisonTask)


def encode_comparison(
    comparison: Comparison, direction: CompatibilityDirection, *, final: bool
) -> bytes:
    """A comparison for the gateway."""
    message = ComparisonMessage(final, type(comparison).__name__, direction)
    if isinstance(comparison, Undecided):
        message.reason = comparison.reason
    if isinstance(comparison, Incompatible) and comparison.counterexample is not None:
        message.document = text(comparison.counterexample.document)
        message.reason = comparison.counterexample.reason
    if not isinstance(comparison, Compatible):
        message.changes = [(each.pointer, each.text) for each in comparison.changes]
    return msgspec.msgpack.encode(message)


def decode_comparison(body: bytes) -> tuple[Comparison, bool]:
    """The comparison in a body, and whether it is final."""
    message = msgspec.msgpack.decode(body, type=ComparisonMessage)
    return _comparison(message), message.final


def _comparison(message: ComparisonMessage) -> Comparison:
    changes = tuple(Change(pointer, text) for pointer, text in message.changes)
    if message.kind == Compatible.__name__:
        return Compatible()
    if message.kind == Undecided.__name__:
        return Undecided(message.direction, message.reason, changes)
    example = None
    if message.document is not None:
        example = Counterexample(strict_json.parse(message.document), message.reason)
    return Incompatible(message.direction, example, changes)
