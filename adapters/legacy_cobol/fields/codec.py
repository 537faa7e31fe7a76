"""From the kind of a field to the codec that reads and writes it."""

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
    """Reads and writes one field of many records. Nothing it does depends on other fields."""

    length: int

    def decode(self, rows: Rows, offset: int) -> Column:
        """The values of the field that begins at `offset` of each row. Never raises for bytes."""
        ...

    def column(self, values: Sequence[object]) -> Column:
        """Python values (None for null) as a column; codes where one is no value of this field."""
        ...

    def encode(self, column: Column, rows: Rows, offset: int) -> Codes | None:
        """Write the values into the rows; the codes of those that were refused."""
        ...


def codec(kind: Kind, encoding: Encoding, policy: Policy | None = None) -> Codec:
    """The codec of a field. Raises ValueError where the policy or code page does not suit it."""
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
