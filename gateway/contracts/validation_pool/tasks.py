"""The messages between the gateway and a validation worker, as MessagePack documents."""

import msgspec

from gateway.contracts.version_schema import VersionSchema


class Task(msgspec.Struct, array_like=True):
    """Validate the data under a schema, or mask the personal data that it marks."""

    key: bytes
    """Of the schema."""
    data: bytes
    seconds: float
    """Of CPU. The kernel ends the worker after them."""
    schema: VersionSchema | None = None
    """Sent if the worker does not know the key, and always to mask."""
    mask: bool = False


class Valid(msgspec.Struct, tag=True):
    """The data are valid."""


class Violating(msgspec.Struct, tag=True):
    """The data violate the schema."""

    violations: list[tuple[str, str, str]]
    """Pointer, keyword and message of each that is listed."""
    total: int


class Masked(msgspec.Struct, tag=True):
    """The data, with personal data masked."""

    data: bytes


class NotJson(msgspec.Struct, tag=True):
    """The data are not strict JSON."""

    message: str
    pointer: str | None
    byte: int | None


class UnknownSchema(msgspec.Struct, tag=True):
    """The worker has not the schema of this key. Send it."""


class TooExpensive(msgspec.Struct, tag=True):
    """Memory or depth of the worker did not suffice."""


Answer = Valid | Violating | Masked | NotJson | UnknownSchema | TooExpensive

encode = msgspec.msgpack.Encoder().encode
decode_task = msgspec.msgpack.Decoder(Task).decode
_ANSWERS: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def decode_answer(body: bytes) -> Answer:
    """The answer in a body."""
    return _ANSWERS.decode(body)
