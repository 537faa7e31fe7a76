"""Read the framing of a layout file."""

from collections.abc import Callable

from adapters.legacy_cobol.copybook.kinds import ByteOrder, Encoding
from adapters.legacy_cobol.mapping.section import Section
from adapters.legacy_cobol.records.framing import (
    GNUCOBOL,
    Blocked,
    Body,
    Fixed,
    FixedBlocked,
    Framing,
    Lines,
    Prefixed,
    Rest,
    SelfDelimiting,
)
from adapters.legacy_cobol.records.record_length import RecordLength
from adapters.legacy_cobol.records.record_type import RecordType

Types = tuple[RecordType, ...]


def read_framing(section: Section, types: Types, encoding: Encoding) -> Framing:
    """The framing that a section declares. Raises LayoutError."""
    kind = section.text("kind", "")
    if kind not in _BODIES:
        raise section.error(
            "kind", f"{kind!r} is not a framing", f"Use one of {', '.join(sorted(_BODIES))}"
        )
    body = _BODIES[kind](section, types, encoding)
    framing = Framing(body, section.integer("head", 0), section.integer("tail", 0))
    section.close()
    return framing


def _length(section: Section, types: Types) -> int:
    lengths = {each.record.maximum_length for each in types}
    length = section.integer("length", max(lengths) if len(lengths) == 1 else 0)
    if length == 0:
        raise section.error(
            "length", "the record types have several lengths", "Declare the length of the records"
        )
    return length


def _fixed(section: Section, types: Types, _: Encoding) -> Body:
    return Fixed(_length(section, types), section.choice("rest", Rest.PADDING))


def _fixed_blocked(section: Section, types: Types, _: Encoding) -> Body:
    block = section.integer("block", 27_998)
    return FixedBlocked(_length(section, types), block, section.choice("rest", Rest.PADDING))


def _prefixed(section: Section, _types: Types, _: Encoding) -> Prefixed:
    default = Prefixed()
    body = Prefixed(
        section.integer("header", default.header),
        section.integer("at", default.at),
        section.integer("size", default.size),
        section.choice("order", default.order),
        section.flag("counts_header", default.counts_header),
        section.signed("adjustment", default.adjustment),
        section.flag("spanned", default.spanned),
    )
    if body.spanned and body != Prefixed(order=body.order, spanned=True):
        raise section.error(
            "spanned", "segments use IBM's descriptors", "Declare only their byte order"
        )
    return body


def _blocked(section: Section, types: Types, encoding: Encoding) -> Body:
    default = Blocked()
    return Blocked(
        _prefixed(section.section("records"), types, encoding),
        section.choice("order", ByteOrder.BIG),
        section.integer("block", default.block),
    )


def _lines(section: Section, _types: Types, _: Encoding) -> Body:
    default = Lines()
    return Lines(
        section.integer("end", default.end),
        section.flag("trimmed", default.trimmed),
        section.flag("carriage", default.carriage),
        section.integer("blank", default.blank),
    )


def _gnucobol(section: Section, _types: Types, _: Encoding) -> Body:
    number = section.integer("format", 0)
    if number >= len(GNUCOBOL):
        raise section.error("format", f"{number} is not a format", "Use 0 to 3")
    return GNUCOBOL[number]


def _self_delimiting(_section: Section, types: Types, encoding: Encoding) -> Body:
    return SelfDelimiting(RecordLength(types, encoding))


_BODIES: dict[str, Callable[[Section, Types, Encoding], Body]] = {
    "fixed": _fixed,
    "fixed-blocked": _fixed_blocked,
    "rdw": _prefixed,
    "blocked": _blocked,
    "lines": _lines,
    "gnucobol": _gnucobol,
    "self-delimiting": _self_delimiting,
}
