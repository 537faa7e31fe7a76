"""Write records with a declared framing. Records that could not be read back are refused."""

from collections.abc import Iterable, Iterator

from adapters.legacy_cobol.records import spanned
from adapters.legacy_cobol.records.framing import (
    Blocked,
    Body,
    Fixed,
    FixedBlocked,
    FramingError,
    Lines,
    Prefixed,
    SelfDelimiting,
)


def frame_records(records: Iterable[bytes], body: Body) -> Iterator[bytes]:
    """The bytes of a file that holds these records. Raises FramingError."""
    match body:
        case Fixed():
            yield from (_exact(each, body.length, at) for at, each in enumerate(records, 1))
        case FixedBlocked():
            yield from _fixed_blocked(records, body)
        case Prefixed(spanned=True):
            for each in records:
                yield from spanned.cut(each, body, spanned.LONGEST, spanned.LONGEST)
        case Prefixed():
            yield from (_described(each, body, at) for at, each in enumerate(records, 1))
        case Blocked(records=Prefixed(spanned=True)):
            yield from _spanned_blocks(records, body)
        case Blocked():
            yield from _blocked(records, body)
        case Lines():
            yield from (_line(each, body, at) for at, each in enumerate(records, 1))
        case SelfDelimiting():
            yield from (_measured(each, body, at) for at, each in enumerate(records, 1))


def _refused(number: int, problem: str, remedy: str) -> FramingError:
    return FramingError(0, f"record {number}: {problem}", remedy)


def _exact(record: bytes, length: int, number: int) -> bytes:
    if len(record) != length:
        raise _refused(
            number,
            f"{len(record)} bytes, not {length}",
            "Declare a framing for records of several lengths",
        )
    return record


def _fixed_blocked(records: Iterable[bytes], body: FixedBlocked) -> Iterator[bytes]:
    per_block = body.block // body.length
    padding = bytes(body.block - per_block * body.length)
    for number, record in enumerate(records, 1):
        yield (padding if number > 1 and (number - 1) % per_block == 0 else b"") + _exact(
            record, body.length, number
        )


def _described(record: bytes, body: Prefixed, number: int) -> bytes:
    try:
        return body.descriptor(len(record)) + record
    except OverflowError:
        raise _refused(
            number, f"{len(record)} bytes, more than a descriptor can hold", "Split the record"
        ) from None


def _blocked(records: Iterable[bytes], body: Blocked) -> Iterator[bytes]:
    block: list[bytes] = []
    size = 4
    for number, record in enumerate(records, 1):
        described = _described(record, body.records, number)
        if size + len(described) > body.block and block:
            yield _block(block, size, body)
            block, size = [], 4
        if size + len(described) > body.block:
            raise _refused(
                number, f"{len(record)} bytes do not fit into a block", "Declare larger blocks"
            )
        block.append(described)
        size += len(described)
    if block:
        yield _block(block, size, body)


def _spanned_blocks(records: Iterable[bytes], body: Blocked) -> Iterator[bytes]:
    """Full blocks: a record continues in the next block, as the access methods write it."""
    block: list[bytes] = []
    size, most = spanned.WORD, body.block - spanned.WORD
    if most <= spanned.WORD:
        raise _refused(1, f"blocks of {body.block} bytes hold no segment", "Declare larger ones")
    for record in records:
        if size + spanned.WORD >= body.block:  # no room for one byte
            yield _block(block, size, body)
            block, size = [], spanned.WORD
        for segment in spanned.cut(record, body.records, body.block - size, most):
            if size + len(segment) > body.block:
                yield _block(block, size, body)
                block, size = [], spanned.WORD
            block.append(segment)
            size += len(segment)
    if block:
        yield _block(block, size, body)


def _block(block: list[bytes], size: int, body: Blocked) -> bytes:
    word = size << 16 if size < 1 << 15 else size | 1 << 31
    return word.to_bytes(4, body.order.value) + b"".join(block)


def _line(record: bytes, body: Lines, number: int) -> bytes:
    line = record.rstrip(bytes((body.blank,))) if body.trimmed else record
    if body.end in line or (body.carriage and line.endswith(b"\r")):
        raise _refused(
            number,
            f"it contains the byte {body.end:02x}, which ends lines",
            "Declare another framing",
        )
    return line + bytes((body.end,))


def _measured(record: bytes, body: SelfDelimiting, number: int) -> bytes:
    if body.measure(record, 0) != len(record):
        raise _refused(
            number,
            f"{len(record)} bytes, which does not match its counters",
            "Correct the counters",
        )
    return record
