"""Where records begin and end, read and written."""

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.records.chunk_reader import ResumePoint, chunk_of, chunks
from adapters.legacy_cobol.records.chunks import Chunk
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.records.framing import (
    GNUCOBOL,
    RDW,
    RDW_LITTLE,
    RDW_REVERSED,
    Blocked,
    Body,
    Fixed,
    FixedBlocked,
    Framing,
    FramingError,
    Lines,
    Prefixed,
    SelfDelimiting,
)
from adapters.legacy_cobol.records.record_length import RecordLength
from tests.unit.legacy.records.files import ASCII, a_type

MEASURE = RecordLength(
    (a_type("01 R. 05 N PIC 9. 05 A PIC X OCCURS 0 TO 9 DEPENDING ON N."),), ASCII
)


def records_of(found: Chunk) -> list[bytes]:
    return [found.raw(at) for at in range(len(found))]


@pytest.mark.parametrize(
    ("body", "data", "records"),
    [
        (Fixed(3), b"abcdef", [b"abc", b"def"]),
        (FixedBlocked(2, 5), b"abcd\0efgh\0ij", [b"ab", b"cd", b"ef", b"gh", b"ij"]),
        (RDW, b"\0\x07\0\0abc\0\x05\0\0d", [b"abc", b"d"]),
        (RDW_LITTLE, b"\x07\0\0\0abc", [b"abc"]),
        (RDW_REVERSED, b"\0\0\x07\0abc", [b"abc"]),
        (Prefixed(adjustment=2), b"\0\x05\0\0abc", [b"abc"]),
        (GNUCOBOL[0], b"\0\x03\0\0abc", [b"abc"]),
        (GNUCOBOL[1], b"\0\0\0\x03abc", [b"abc"]),
        (GNUCOBOL[2], b"\x03\0\0\0abc", [b"abc"]),
        (GNUCOBOL[3], b"\0\x03abc", [b"abc"]),
        (
            Blocked(block=16),
            b"\0\x10\0\0\0\x07\0\0abc\0\x05\0\0d\0\x09\0\0\0\x05\0\0e",
            [b"abc", b"d", b"e"],
        ),
        (Lines(), b"abc\nd\n\n", [b"abc", b"d", b""]),
        (Lines(end=0x15, blank=0x40), b"\xc1\x15\xc2\x15", [b"\xc1", b"\xc2"]),
        (SelfDelimiting(MEASURE), b"2ab01x", [b"2ab", b"0", b"1x"]),
    ],
)
def test_hand_checked(body: Body, data: bytes, records: list[bytes]) -> None:
    assert records_of(chunk_of(data, Framing(body))) == records
    assert b"".join(frame_records(records, body)) == data
    inside = chunk_of(b"HEAD" + data + b"END", Framing(body, head=4, tail=3))
    assert records_of(inside) == records
    assert inside.offset == 4


def test_lines_may_have_carriage_returns_and_no_last_end() -> None:
    assert records_of(chunk_of(b"a\r\nbc\r\n\r\nd", Framing(Lines()))) == [b"a", b"bc", b"", b"d"]
    kept = Lines(carriage=False)
    assert records_of(chunk_of(b"a\r\n", Framing(kept))) == [b"a\r"]


def test_an_extended_block_descriptor() -> None:
    record = bytes(40_000)
    body = Blocked(Prefixed(size=4, counts_header=True), block=100_000)
    data = b"".join(frame_records([record], body))
    assert data[:4] == (40_008 | 1 << 31).to_bytes(4)
    assert records_of(chunk_of(data, Framing(body))) == [record]


@pytest.mark.parametrize(
    ("body", "data", "message"),
    [
        (Fixed(4), b"abcdef", r"byte 4: 2 bytes are left \(hex 6566\).*truncated"),
        (Fixed(4), b"abcd\nefgh\n", "declare lines"),
        (Fixed(4), b"abcd\r\nefgh\r\nijkl\r\n", "carriage returns"),
        (Fixed(4), b"abcd\x1a", "trailer of 1 bytes"),
        (Fixed(4), b"abcdef00\0\0", "padding"),
        (Fixed(4), b"\0\x08\0\0abcd\0", "declare RDW"),
        (RDW, b"\0\x07\0\0ab", "byte 0: the descriptor states 3 bytes, but 2 are left"),
        (RDW, b"\0\x07\0\0abc\0", "byte 7: 1 bytes are left"),
        (RDW, b"\0\x03\0\0", "negative length"),
        (RDW, b"\0\0\0\0", "negative length"),
        (RDW, b"\0\x05\1\0a", "spanned"),
        (Blocked(), b"\0\x09\0\0\0\x06\0\0e", "byte 4: the descriptor states 2 bytes"),
        (Blocked(), b"\0\x09\0\0\0\x05", "byte 0: the last block is truncated"),
        (Blocked(), b"\0\x03\0\0", "less than its own"),
        (SelfDelimiting(MEASURE), b"1a3ab", "byte 2: the last record is truncated"),
        (SelfDelimiting(MEASURE), b"1axb", "byte 2: N is not a number"),
    ],
)
def test_a_file_that_does_not_divide_is_refused(body: Body, data: bytes, message: str) -> None:
    with pytest.raises(FramingError, match=message):
        chunk_of(data, Framing(body))


def test_a_file_shorter_than_its_header_is_refused() -> None:
    with pytest.raises(FramingError, match="less than header and trailer"):
        list(chunks(io.BytesIO(b"abc"), Framing(Fixed(1), head=2, tail=2)))


@pytest.mark.parametrize(
    ("body", "record", "message"),
    [
        (Fixed(3), b"ab", "2 bytes, not 3"),
        (RDW, bytes(65_536), "more than a descriptor"),
        (Blocked(block=12), bytes(9), "do not fit"),
        (Lines(), b"a\nb", "ends lines"),
        (SelfDelimiting(MEASURE), b"2a", "counters"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(
    body: Body, record: bytes, message: str
) -> None:
    with pytest.raises(FramingError, match=message):
        list(frame_records([record], body))


VARIABLE: list[Body] = [RDW, RDW_LITTLE, RDW_REVERSED, *GNUCOBOL, Blocked(block=64)]
texts = st.lists(st.binary(min_size=1, max_size=50).filter(lambda each: b"\n" not in each))


@given(texts, st.sampled_from(VARIABLE), st.integers(1, 100))
def test_records_come_back_whatever_is_read_at_once(
    records: list[bytes], body: Body, size: int
) -> None:
    data = b"".join(frame_records(records, body))
    found = list(chunks(io.BytesIO(data), Framing(body), size=size))
    assert [each for chunk in found for each in records_of(chunk)] == records
    ends = [(chunk.number, len(chunk)) for chunk in found]
    assert all(first + count == second for (first, count), (second, _) in pairwise(ends))


@given(st.lists(st.integers(0, 3), max_size=300), st.sampled_from(VARIABLE[:-1]))
def test_runs_of_equal_lengths(lengths: list[int], body: Body) -> None:
    records = [bytes((length,)) * (length + 1) for length in sorted(lengths)]
    data = b"".join(frame_records(records, body))
    assert records_of(chunk_of(data, Framing(body))) == records


RESUMED: list[Body] = [Fixed(3), FixedBlocked(3, 10), RDW, Blocked(block=32), Lines()]


@given(st.data())
def test_reading_goes_on_from_every_record(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(RESUMED))
    count = data.draw(st.integers(1, 40))
    records = [f"{number:03}".encode() for number in range(count)]
    file = io.BytesIO(b"HH" + b"".join(frame_records(records, body)) + b"T")
    framing = Framing(body, head=2, tail=1)
    for chunk in chunks(file, framing, size=20):
        for done in range(len(chunk) + 1):
            position = ResumePoint.after(chunk, done)
            rest = list(chunks(file, framing, position, size=20))
            left = [each for chunk in rest for each in records_of(chunk)]
            assert left == records[chunk.number - 1 + done :]
            assert [each.number for each in rest[:1]] in ([], [chunk.number + done])
            for again in rest[:1]:
                last = ResumePoint.after(again, len(again))
                beyond = list(chunks(file, framing, last, size=20))
                assert [each for one in beyond for each in records_of(one)] == left[len(again) :]


@given(st.binary(max_size=200), st.sampled_from([*VARIABLE, Lines(), Fixed(7), FixedBlocked(3, 7)]))
def test_any_bytes_are_records_or_refused(data: bytes, body: Body) -> None:
    try:
        found = chunk_of(data, Framing(body))
    except FramingError:
        return
    assert sum(found.lengths.tolist()) <= len(data)
    if not isinstance(body, FixedBlocked | Lines | Blocked):
        assert b"".join(frame_records(records_of(found), body)) == data


def test_a_resumed_chunk_is_decoded_where_it_begins() -> None:
    kind = a_type("01 R. 05 A PIC 9(3).")
    file = io.BytesIO(b"001002003004")
    (whole,) = chunks(file, Framing(Fixed(3)))
    (rest,) = chunks(file, Framing(Fixed(3)), ResumePoint.after(whole, 2))
    assert Decoder([kind], ASCII).decode(rest).documents() == [{"a": 3}, {"a": 4}]
