"""The codec of a field, by its kind."""

from collections.abc import Sequence
from typing import Protocol

from adapters.legacy_cobol.copybook.kinds import (
    Binary,
    Edited,
    Encoding,
    Float,
    Kind,
    National,
    Packed,
    Text,
    Zoned,
)
from adapters.legacy_cobol.fields.binary import BinaryCodec
from adapters.legacy_cobol.fields.codepages import code_page
from adapters.legacy_cobol.fields.codes import Codes
from adapters.legacy_cobol.fields.columns import Column, Rows
from adapters.legacy_cobol.fields.edited import EditedCodec
from adapters.legacy_cobol.fields.floats import FloatCodec
from adapters.legacy_cobol.fields.packed import PackedCodec
from adapters.legacy_cobol.fields.policy import Policy
from adapters.legacy_cobol.fields.text import TextCodec, WideCodec
from adapters.legacy_cobol.fields.zoned import ZonedCodec


class Codec(Protocol):
    """Decodes and encodes one field of many records, independently of other fields."""

    length: int

    def decode(self, rows: Rows, offset: int) -> Column:
        """The values of the field at `offset` of each row. Never raises for the bytes."""
        ...

    def column(self, values: Sequence[object]) -> Column:
        """Python values (None for null) as a column, with a code for each invalid value."""
        ...

    def encode(self, column: Column, rows: Rows, offset: int) -> Codes | None:
        """Write the values into the rows. Returns the codes of refused values."""
        ...


def codec(kind: Kind, encoding: Encoding, policy: Policy | None = None) -> Codec:
    """The codec of a field. Raises ValueError for an unsuitable policy or code page."""
    policy = policy or Policy()
    match kind:
        case Zoned():
            return ZonedCodec(kind, encoding, policy)
        case Packed():
            return PackedCodec(kind, encoding, policy)
        case Binary():
            return BinaryCodec(kind, encoding, policy)
        case Float():
            return FloatCodec(kind, encoding, policy)
        case Edited():
            return EditedCodec(kind, encoding, policy)
        case National():
            return WideCodec(kind, encoding, policy)
        case Text():
            page = code_page(encoding.code_page)
            if page is None:
                return WideCodec(kind, encoding, policy)
            return TextCodec(kind, page, policy)
