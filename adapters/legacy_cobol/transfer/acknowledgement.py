"""The acknowledgement file for the sender: fixed-width, with a copybook of its own."""

from collections.abc import Iterator, Mapping
from decimal import Context, Decimal
from functools import cache
from pathlib import Path
from typing import Any

from adapters.legacy_cobol.copybook.kinds import Text
from adapters.legacy_cobol.copybook.layout import Copybook
from adapters.legacy_cobol.copybook.parser import read_copybook_file
from adapters.legacy_cobol.fields.codepages import characters
from adapters.legacy_cobol.fields.policy import Form, Meaning, Policy
from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.records.framing import Body, Fixed, Lines
from adapters.legacy_cobol.records.record_type import RecordType
from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.journal import File

COPYBOOK = Path(__file__).with_name("acknowledgement.cpy")
ACK, TOTAL = "acknowledgement", "control-total"
_UNIT = Decimal("0.0001")
_LARGEST = Decimal(10) ** 27


@cache
def copybook() -> Copybook:
    """The copybook of acknowledgements."""
    return read_copybook_file(COPYBOOK)


@cache
def _widths() -> dict[str, int]:
    """The length in bytes of each text field, by member."""
    items = [item for record in copybook().records for item in record.items()]
    texts = [each for each in items if isinstance(each.kind, Text)]
    return {each.name.lower().replace("-", "_"): each.length for each in texts if each.name}


def types() -> list[RecordType]:
    """The record types of acknowledgements."""
    policy = Policy(form=Form.STRING, blanks=Meaning.NULL)
    names = {"ACKNOWLEDGEMENT": ACK, "CONTROL-TOTAL": TOTAL}
    return [RecordType(names[each.name], each, policy=policy) for each in copybook().records]


def body_of(feed: Feed) -> Body:
    """Lines if the feed has lines, else records of one length."""
    if isinstance(feed.framing.body, Lines):
        return feed.framing.body
    return Fixed(copybook().records[0].maximum_length)


def acknowledgement(feed: Feed, file: File) -> Iterator[bytes]:
    """The bytes of the acknowledgement, in the code page of the feed."""
    documents: list[Mapping[str, Any]] = [_about(file), *map(_total(file), file.totals)]
    kinds = [ACK, *([TOTAL] * len(file.totals))]
    records = Encoder(types(), feed.layout.encoding).encode(_fit(documents, feed), kinds)
    if records.faults:
        raise ValueError(f"The acknowledgement cannot be written: {records.faults}")
    return frame_records((each for each in records.records if each is not None), body_of(feed))


def _about(file: File) -> dict[str, Any]:
    return {
        "rec_type": "AK",
        "file_name": file.name,
        "arrival": str(file.arrival),
        "status_code": str(file.outcome),
        "file_size": str(file.size or 0),
        "file_sha256": file.digest or "",
        "records_read": str(file.records),
        "records_published": str(file.published),
        "records_rejected": str(file.rejected),
        "received_at": file.received,
        "finished_at": file.finished or "",
        "reason": file.reason,
    }


def _total(file: File) -> Any:
    def document(total: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "rec_type": "TT",
            "file_name": file.name,
            "arrival": str(file.arrival),
            "total_name": total["name"],
            "stated_by_sender": _number(total["stated"]),
            "found_by_bus": _number(total["found"]),
            "agrees": "N" if not total["agrees"] else ("U" if total["unknown"] else "Y"),
            "unreadable_records": str(total["unknown"]),
        }

    return document


def _number(value: str | None) -> str:
    """With four decimals. A missing or too large number is zero."""
    number = Decimal(value or 0)
    fits = abs(number) < _LARGEST
    return format(number.quantize(_UNIT, context=Context(prec=40)), "f") if fits else "0.0000"


def _fit(documents: list[Mapping[str, Any]], feed: Feed) -> list[dict[str, Any]]:
    """Texts cut to their fields; characters that the code page lacks become question marks."""
    page = feed.layout.encoding.code_page
    return [
        {
            name: _encodable(value, page, _widths().get(name, len(value)))
            for name, value in each.items()
        }
        for each in documents
    ]


def _encodable(text: str, page: str, width: int) -> str:
    printable = "".join(each if each.isprintable() else "?" for each in text)
    alphabet = characters(page)
    if alphabet is not None:
        return "".join(each if each in alphabet else "?" for each in printable)[:width]
    known = printable.encode(page, "replace").decode(page)
    while len(known.encode(page)) > width:
        known = known[:-1]
    return known
