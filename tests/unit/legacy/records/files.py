"""Files and record types for tests: copybooks in free form, ASCII unless told otherwise."""

from typing import Any

from adapters.legacy_cobol.copybook.kinds import Encoding, FloatFormat, ZonedSigns
from adapters.legacy_cobol.copybook.layout import Record
from adapters.legacy_cobol.copybook.parser import CopybookOptions, read_copybook
from adapters.legacy_cobol.copybook.source import Form
from adapters.legacy_cobol.records.chunk_reader import chunk_of
from adapters.legacy_cobol.records.decoded import Decoded
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.records.framing import Fixed, Framing, Prefixed
from adapters.legacy_cobol.records.record_type import RecordType

ASCII = Encoding(
    code_page="ascii", zoned_signs=ZonedSigns.ASCII_LETTERS, float_format=FloatFormat.IEEE
)
EBCDIC = Encoding()
TWO_BYTES = Prefixed(header=2, counts_header=False)


def record(text: str) -> Record:
    """The only record of a copybook."""
    (only,) = read_copybook(text, options=CopybookOptions(form=Form.FREE)).records
    return only


def a_type(text: str, name: str = "test", **more: Any) -> RecordType:
    """The record type of a copybook with one record."""
    return RecordType(name, record(text), **more)


def decode(
    types: RecordType | list[RecordType], *records: bytes, encoding: Encoding = ASCII
) -> Decoded:
    """Records of any lengths, decoded."""
    kinds = types if isinstance(types, list) else [types]
    data = b"".join(frame_records(records, TWO_BYTES))
    return Decoder(kinds, encoding).decode(chunk_of(data, Framing(TWO_BYTES)))


def decode_fixed(kind: RecordType, data: bytes, encoding: Encoding = ASCII) -> Decoded:
    """Records of one length, decoded."""
    framing = Framing(Fixed(kind.record.maximum_length))
    return Decoder([kind], encoding).decode(chunk_of(data, framing))
