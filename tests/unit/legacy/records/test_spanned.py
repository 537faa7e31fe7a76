"""Spanned records: RECFM VS and VBS, by the rules of z/OS DFSMS Using Data Sets."""

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.kinds import ByteOrder
from adapters.legacy_cobol.records.chunk_reader import ResumePoint, chunk_of, chunks
from adapters.legacy_cobol.records.chunks import Chunk
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.records.framing import (
    SPANNED,
    Blocked,
    Body,
    Framing,
    FramingError,
    Prefixed,
)
from tests.unit.legacy.records.files import ASCII, a_type

LITTLE = Prefixed(order=ByteOrder.LITTLE, spanned=True)
BLOCKS = Blocked(SPANNED, block=16)
BOTH: list[Body] = [SPANNED, LITTLE, BLOCKS, Blocked(SPANNED, block=64)]


def records_of(found: Chunk) -> list[bytes]:
    return [found.raw(at) for at in range(len(found))]


@pytest.mark.parametrize(
    ("body", "data", "records", "offsets"),
    [
        (SPANNED, b"\0\x05\0\0a\0\x04\0\0\0\x05\0\0b", [b"a", b"", b"b"], [0, 5, 9]),
        (SPANNED, b"\0\x06\1\0ab\0\x05\2\0c\0\x05\0\0d", [b"abc", b"d"], [0, 11]),
        (SPANNED, b"\0\x05\1\0a\0\x06\3\0bc\0\x04\3\0\0\x05\2\0d", [b"abcd"], [0]),
        (LITTLE, b"\x05\0\1\0a\x05\0\2\0b", [b"ab"], [0]),
        # One record over three blocks, the next begins in the third.
        (
            BLOCKS,
            b"\0\x0c\0\0\0\x08\1\0abcd\0\x09\0\0\0\x05\3\0e\0\x0e\0\0\0\x05\2\0f\0\x05\0\0g",
            [b"abcdef", b"g"],
            [4, 30],
        ),
        # A null segment: the block holds no more.
        (
            BLOCKS,
            b"\0\x10\0\0\0\x05\1\0a\x80\0\0\0\0\0\0\0\x09\0\0\0\x05\2\0b",
            [b"ab"],
            [4],
        ),
    ],
)
def test_hand_checked(body: Body, data: bytes, records: list[bytes], offsets: list[int]) -> None:
    found = chunk_of(b"HEAD" + data + b"END", Framing(body, head=4, tail=3))
    assert records_of(found) == records
    assert found.offsets.tolist() == [4 + each for each in offsets]


def test_written_as_an_access_method_does() -> None:
    assert b"".join(frame_records([b"abcdefghij", b"k", b"lmn"], BLOCKS)) == (
        b"\0\x10\0\0\0\x0c\1\0abcdefgh\0\x0f\0\0\0\x06\2\0ij\0\x05\0\0k\0\x0b\0\0\0\x07\0\0lmn"
    )
    long = bytes(70_000)
    written = list(frame_records([long], SPANNED))
    assert [each[:4].hex() for each in written] == ["7ff80100", "7ff80300", "118c0200"]
    assert records_of(chunk_of(b"".join(written), Framing(SPANNED))) == [long]
    with pytest.raises(FramingError, match="hold no segment"):
        list(frame_records([b"a"], Blocked(SPANNED, block=8)))


@pytest.mark.parametrize(
    ("body", "data", "message"),
    [
        (SPANNED, b"\0\x05\2\0a", "byte 0: a last segment without a first one"),
        (SPANNED, b"\0\x05\0\0a\0\x05\3\0b", "byte 5: a middle segment without a first one"),
        (SPANNED, b"\0\x05\1\0a\0\x05\0\0b", "byte 0: .* no last segment: another .* at byte 5"),
        (SPANNED, b"\0\x05\1\0a\0\x05\1\0b\0\x05\2\0c", "byte 0: .*another one begins at byte 5"),
        (SPANNED, b"\0\x05\0\0z\0\x05\1\0a", "byte 5: .* no last segment: the file ends"),
        (SPANNED, b"\0\x05\4\0a", "byte 0: 00050400 is not a segment descriptor"),
        (SPANNED, b"\0\x05\0\1a", "byte 0: 00050001 is not a segment descriptor"),
        (SPANNED, b"\0\x03\0\0a", "byte 0: 00030000 is not a segment descriptor"),
        (SPANNED, b"\x80\0\0\0", "byte 0: 80000000 is not a segment descriptor"),
        (SPANNED, b"\0\x05\0\0a\0\x09\0\0b", "byte 5: 5 bytes are left"),
        (SPANNED, b"\0\x05\0\0a\0\x09", "byte 5: 2 bytes are left"),
        (BLOCKS, b"\0\x0a\0\0\0\x07\1\0ab", "byte 4: 6 bytes are left.*end of the block"),
        (BLOCKS, b"\0\x09\0\0\0\x05\2\0a", "byte 4: a last segment without"),
        (BLOCKS, b"\0\x09\0\0\0\x05\1\0a", "byte 4: .*the file ends"),
        (BLOCKS, b"\0\x0d\0\0\0\x05\0\0a\x80\0\0\0", ""),
        (BLOCKS, b"\0\x0e\0\0\0\x05\0\0a\x80\0\0\0x", "byte 9: 80000000 is not a segment"),
    ],
)
def test_broken_sequences_are_refused_where_they_break(
    body: Body, data: bytes, message: str
) -> None:
    if not message:  # beside the one that is like it
        assert records_of(chunk_of(data, Framing(body))) == [b"a"]
        return
    with pytest.raises(FramingError, match=message):
        chunk_of(data, Framing(body))
    with pytest.raises(FramingError, match=message):
        list(chunks(io.BytesIO(data), Framing(body), size=3))


def test_a_block_that_goes_on_with_nothing_is_refused_behind_the_first_chunk() -> None:
    whole, orphan = b"\0\x09\0\0\0\x05\0\0a", b"\0\x09\0\0\0\x05\2\0b"
    with pytest.raises(FramingError, match="byte 13: a last segment without"):
        list(chunks(io.BytesIO(whole + orphan), Framing(BLOCKS), size=9))


texts = st.lists(st.binary(max_size=60), max_size=30)


@given(texts, st.sampled_from(BOTH), st.integers(1, 100))
def test_records_come_back_whatever_is_read_at_once(
    records: list[bytes], body: Body, size: int
) -> None:
    data = b"".join(frame_records(records, body))
    found = list(chunks(io.BytesIO(data), Framing(body), size=size))
    assert [each for chunk in found for each in records_of(chunk)] == records
    ends = [(chunk.number, len(chunk)) for chunk in found]
    assert all(first + count == second for (first, count), (second, _) in pairwise(ends))
    places = [each for chunk in found for each in chunk.offsets.tolist()]
    assert places == sorted(set(places))
    assert all(data[place + 2] in (0, 1) for place in places)


@given(st.data())
def test_reading_goes_on_from_every_record(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(BOTH))
    records = data.draw(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=20))
    file, framing = (
        io.BytesIO(b"HH" + b"".join(frame_records(records, body)) + b"T"),
        Framing(body, 2, 1),
    )
    for chunk in chunks(file, framing, size=20):
        for done in range(len(chunk) + 1):
            rest = list(chunks(file, framing, ResumePoint.after(chunk, done), size=20))
            assert [each for one in rest for each in records_of(one)] == (
                records[chunk.number - 1 + done :]
            )
            assert [each.number for each in rest[:1]] in ([], [chunk.number + done])
            for again in rest[:1]:
                beyond = list(chunks(file, framing, ResumePoint.after(again, len(again)), size=20))
                assert [each for one in beyond for each in records_of(one)] == (
                    records[again.number - 1 + len(again) :]
                )


@given(st.binary(max_size=120), st.sampled_from(BOTH))
def test_any_bytes_are_records_or_refused(data: bytes, body: Body) -> None:
    try:
        found = chunk_of(data, Framing(body))
    except FramingError:
        return
    assert sum(found.lengths.tolist()) <= len(data)


def test_a_reject_stands_at_its_first_segment() -> None:
    kind = a_type("01 R. 05 A PIC 9(4).")
    data = b"".join(frame_records([b"0001", b"00X2", b"0003"], Blocked(SPANNED, block=18)))
    decoded = Decoder([kind], ASCII).decode(chunk_of(data, Framing(Blocked(SPANNED))))
    (reject,) = decoded.rejects()
    assert (reject.number, reject.raw) == (2, b"00X2")
    assert data[reject.offset : reject.offset + 4] == b"\0\6\1\0"
    assert decoded.documents() == [{"a": 1}, None, {"a": 3}]
