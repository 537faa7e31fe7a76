"""Find the records in a buffer, for each framing.

A splitter returns the complete records of a buffer, and how many bytes they take. The next buffer
repeats the rest with more bytes after it; with `final`, there are no more bytes. With spanned
records, the buffer may begin `inside` a record that was found before.
"""

from collections.abc import Callable, Iterator
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.copybook.kinds import ByteOrder
from adapters.legacy_cobol.fields.codes import hidden_text
from adapters.legacy_cobol.records import spanned
from adapters.legacy_cobol.records.chunks import Split
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

_RUN = 8  # equal descriptors in a row, after which the rest of the run is found at once
_EXTENDED = 1 << 31
_SHOWN = 16  # bytes of a rest that an error shows
_USUAL = {(4, 0, 2): "HH", (4, 2, 2): "HH", (4, 0, 4): "I", (2, 0, 2): "H"}  # for struct


Splitter = Callable[[bytes, bool, bool], Split]


def splitter(body: Body) -> Splitter:
    """The splitter of a framing. Offsets of FramingErrors are relative to the buffer."""
    match body:
        case Fixed():
            return lambda data, final, _: _fixed(body.length, data, final)
        case FixedBlocked():
            return lambda data, final, _: _fixed_blocked(body, data, final)
        case Prefixed(spanned=True):
            return lambda data, final, _: spanned.split(body, data, final)
        case Prefixed():
            return lambda data, final, _: _prefixed(body, data, final)
        case Blocked(records=Prefixed(spanned=True)):
            return lambda data, final, inside: spanned.split_blocks(
                body.records, data, _blocks(body, data, final), final, inside
            )
        case Blocked():
            return lambda data, final, _: _blocked(body, data, final)
        case Lines():
            return lambda data, final, _: _lines(body, data, final)
        case SelfDelimiting():
            return lambda data, final, _: _measured(body, data, final)


def _fixed(length: int, data: bytes, final: bool) -> Split:
    count, rest = divmod(len(data), length)
    if final and rest:
        raise _rest_error(length, data, count * length)
    begins = np.arange(count, dtype=np.int64) * length
    return Split(begins, np.full(count, length, np.int64), count * length, length)


def _fixed_blocked(body: FixedBlocked, data: bytes, final: bool) -> Split:
    each, per_block = body.length, body.block // body.length
    blocks, rest = divmod(len(data), body.block)
    inside = np.arange(per_block, dtype=np.int64) * each
    begins = (np.arange(blocks, dtype=np.int64)[:, None] * body.block + inside).reshape(-1)
    used = blocks * body.block
    if final and rest:
        if rest % each or rest // each > per_block:
            raise _rest_error(each, data, used)
        begins = np.concatenate((begins, used + np.arange(rest // each, dtype=np.int64) * each))
        used += rest
    return Split(begins, np.full(len(begins), each, np.int64), used)


def _prefixed(body: Prefixed, data: bytes, final: bool, base: int = 0, end: int = -1) -> Split:
    end = len(data) if end < 0 else end
    begins: list[NDArray[np.int64]] = []
    lengths: list[NDArray[np.int64]] = []
    few_starts: list[int] = []
    few_lengths: list[int] = []
    read = _length_reader(body)
    at, last, equal = base, -1, 0
    while at + body.header <= end:
        length = read(data, at)
        if at + body.header + length > end:
            break
        few_starts.append(at + body.header)
        few_lengths.append(length)
        at += body.header + length
        equal = equal + 1 if length == last else 0
        last = length
        if equal >= _RUN:
            run = _run(body, data, at, end, length)
            step = body.header + length
            begins += [np.array(few_starts, np.int64), at + body.header + np.arange(run) * step]
            lengths += [np.array(few_lengths, np.int64), np.full(run, length, np.int64)]
            few_starts, few_lengths, equal = [], [], 0
            at += run * step
    if final and at != end:
        raise _cut_off(body, data, at, end)
    begins.append(np.array(few_starts, np.int64))
    lengths.append(np.array(few_lengths, np.int64))
    return Split(np.concatenate(begins), np.concatenate(lengths), at)


def _length_reader(body: Prefixed) -> Callable[[bytes, int], int]:
    """A function that reads the length in a descriptor, fast for usual descriptors."""
    parts = _USUAL.get((body.header, body.at, body.size))
    if parts is None:
        return lambda data, at: _checked_length(body, data, at)
    unpack = Struct((">" if body.order is ByteOrder.BIG else "<") + parts).unpack_from
    which = body.at // 2
    added = body.adjustment - body.header * body.counts_header

    def read(data: bytes, at: int) -> int:
        stated = unpack(data, at)
        length: int = stated[which] + added
        if length < 0 or (len(stated) > 1 and stated[1 - which]):
            return _checked_length(body, data, at)
        return length

    return read


def _checked_length(body: Prefixed, data: bytes, at: int) -> int:
    descriptor = data[at : at + body.header]
    length = body.length(descriptor)
    if length < 0:
        raise FramingError(
            at,
            f"the record descriptor {descriptor.hex()} has a negative length",
            "Check whether descriptors count themselves, their byte order, and whether this is "
            "padding or a block descriptor",
        )
    if body.descriptor(length) != descriptor:
        raise FramingError(
            at,
            f"the record descriptor {descriptor.hex()} has bits besides the length",
            "Declare spanned records, if they are. The previous record may have a wrong length, or "
            "the framing is another one",
        )
    return length


def _run(body: Prefixed, data: bytes, at: int, end: int, length: int) -> int:
    """How many records with the same descriptor follow."""
    step = body.header + length
    most = (end - at) // step
    if not most:
        return 0
    region = np.frombuffer(data, np.uint8, most * step, at).reshape(most, step)[:, : body.header]
    same = (region == np.frombuffer(body.descriptor(length), np.uint8)).all(axis=1)
    return most if same.all() else int(np.argmin(same))


def _cut_off(body: Prefixed, data: bytes, at: int, end: int) -> FramingError:
    left = end - at
    if left < body.header:
        problem = f"{left} bytes are left, less than a record descriptor ({data[at:end].hex()})"
    else:
        length = body.length(data[at : at + body.header])
        problem = f"the descriptor states {length} bytes, but {left - body.header} are left"
    return FramingError(
        at,
        problem,
        "The file is truncated, or has an undeclared trailer, or the framing is another one",
    )


def _blocked(body: Blocked, data: bytes, final: bool) -> Split:
    found: list[Split] = []
    used = 0
    for start, end in _blocks(body, data, final):
        found.append(_prefixed(body.records, data, True, start, end))
        used = end
    if not found:
        return Split(np.zeros(0, np.int64), np.zeros(0, np.int64), used)
    begins = np.concatenate([each.begins for each in found])
    return Split(begins, np.concatenate([each.lengths for each in found]), used)


def _blocks(body: Blocked, data: bytes, final: bool) -> Iterator[tuple[int, int]]:
    """The start and the end of the records in each complete block."""
    at = 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], body.order.value)
        size = size - _EXTENDED if size >= _EXTENDED else size >> 16
        if size < 4:
            raise FramingError(
                at,
                f"the block descriptor {data[at : at + 4].hex()} states less than its own 4 bytes",
                "Check the byte order, and whether the file has block descriptors at all",
            )
        if at + size > len(data):
            break
        yield at + 4, at + size
        at += size
    if final and at != len(data):
        raise FramingError(
            at,
            f"the last block is truncated: {len(data) - at} bytes are left",
            "Transfer the file again, or declare its trailer",
        )


def _lines(body: Lines, data: bytes, final: bool) -> Split:
    buffer = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(buffer == body.end)
    if final and len(data) and (not len(ends) or ends[-1] != len(data) - 1):
        ends = np.append(ends, len(data))
    begins = np.concatenate((np.zeros(min(1, len(ends)), np.int64), ends[:-1] + 1))
    lengths = ends - begins
    if body.carriage and len(ends):
        returned = (lengths > 0) & (buffer[np.maximum(ends - 1, 0)] == 0x0D)
        lengths = lengths - returned
    used = min(int(ends[-1]) + 1, len(data)) if len(ends) else 0
    return Split(begins, lengths, used)


def _measured(body: SelfDelimiting, data: bytes, final: bool) -> Split:
    begins: list[int] = []
    lengths: list[int] = []
    at = 0
    while at < len(data):
        length = body.measure(data, at)
        if length is None or at + length > len(data):
            break
        if length <= 0:
            raise FramingError(at, "an empty record", "Check the layout")
        begins.append(at)
        lengths.append(length)
        at += length
    if final and at != len(data):
        raise FramingError(
            at,
            f"the last record is truncated: {len(data) - at} bytes are left",
            "The file is truncated, or a previous counter is wrong, or the trailer is undeclared",
        )
    return Split(np.array(begins, np.int64), np.array(lengths, np.int64), at)


def _rest_error(length: int, data: bytes, at: int) -> FramingError:
    """The error for a rest at `at`, after complete records of one length."""
    rest = data[at:]
    problem = f"{len(rest)} bytes are left ({_shown(rest)}) after records of {length} bytes"
    return FramingError(at, problem, _nearest(length, data, rest))


def _shown(rest: bytes) -> str:
    more = "..." if len(rest) > _SHOWN else ""
    shown = rest.hex() if len(rest) <= 2 else hidden_text(rest[:_SHOWN])  # it may be a record
    return f"hex {shown}{more}"


def _nearest(length: int, data: bytes, rest: bytes) -> str:
    for ends, name in ((1, "line feeds"), (2, "carriage returns and line feeds")):
        step = length + ends
        if len(data) >= step and len(data) % step == 0 and data[step - 1 : step] in b"\n\x15\x25":
            return (
                f"The size fits records of {length} bytes, each followed by {name}: declare lines"
            )
    if len(data) >= 4 and int.from_bytes(data[:2]) in (length, length + 4) and data[2:4] == b"\0\0":
        return f"The file begins with {data[:4].hex()}, as record descriptors do: declare RDW"
    if set(rest) <= {0x1A} or rest in (b"\n", b"\r\n", b"\x15", b"\x25"):
        return f"The file ends with a mark: declare a trailer of {len(rest)} bytes"
    if set(rest) <= {0x00} or set(rest) <= {0x40} or set(rest) <= {0x20}:
        return "They are padding of the last block: declare fixed-blocked or a trailer"
    return (
        "The last record is truncated, or a header or trailer is undeclared, or the copybook has "
        "another length"
    )
