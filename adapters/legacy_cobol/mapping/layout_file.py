"""Read a layout file: copybook, encoding, framing, and record types with their fields."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from adapters.legacy_cobol.copybook.dialects import (
    BYTEWISE,
    DIALECTS,
    IBM,
    LONGER,
    ONE_TWO_FOUR_EIGHT,
    TWO_FOUR_EIGHT_SIXTEEN,
    Dialect,
)
from adapters.legacy_cobol.copybook.kinds import Encoding
from adapters.legacy_cobol.copybook.layout import Copybook
from adapters.legacy_cobol.copybook.parser import CopybookOptions, read_copybook_file
from adapters.legacy_cobol.copybook.source import Form
from adapters.legacy_cobol.mapping.framing import read_framing
from adapters.legacy_cobol.mapping.record_types import DeclaredRecord, read_record_types
from adapters.legacy_cobol.mapping.section import LayoutError, Section
from adapters.legacy_cobol.records.framing import Framing

_SIZES = {
    "2-4-8": LONGER,
    "2-4-8-16": (TWO_FOUR_EIGHT_SIXTEEN, TWO_FOUR_EIGHT_SIXTEEN),
    "1-2-4-8": (ONE_TWO_FOUR_EIGHT, ONE_TWO_FOUR_EIGHT),
    "1--8": BYTEWISE,
}


class Truncation(StrEnum):
    """IBM's compiler option TRUNC: whether binary items are cut to the digits of their pictures."""

    STD = "std"
    BIN = "bin"


@dataclass(frozen=True, slots=True)
class Layout:
    """All that is needed to read and write the files of a feed.

    `framing` is None if the layout file does not declare it.
    """

    copybook: Copybook
    encoding: Encoding
    framing: Framing | None
    records: tuple[DeclaredRecord, ...]

    @property
    def events(self) -> tuple[DeclaredRecord, ...]:
        """The records that become events: neither control records nor segments."""
        return tuple(each for each in self.records if each.is_event)


def read_layout(file: Path) -> Layout:
    """Read a layout file (TOML), which is beside its copybook.

    Raises LayoutError, CopybookError and OSError.
    """
    try:
        content = tomllib.loads(file.read_text(), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LayoutError(str(file), str(error), "Correct the TOML of the layout") from None
    return layout_of(content, file.parent, str(file))


def layout_of(content: Mapping[str, Any], folder: Path, name: str = "layout") -> Layout:
    """The layout that values declare. `folder` is that of the copybook."""
    section = Section(content, f"{name}: ")
    dialect = _dialect(section.section("dialect"))
    copybook = _copybook(section, dialect, folder)
    encoding = _encoding(section.section("encoding"), dialect.encoding)
    records = read_record_types(section, copybook)
    framing = None
    if "framing" in content:
        types = tuple(each.type for each in records)
        framing = read_framing(section.section("framing"), types, encoding)
    section.close()
    return Layout(copybook, encoding, framing, records)


def _dialect(section: Section) -> Dialect:
    name = section.text("name", IBM.name)
    if name not in DIALECTS:
        raise section.error(
            "name", f"{name!r} is not a dialect", f"Use one of {', '.join(DIALECTS)}"
        )
    dialect = DIALECTS[name]
    sizes = section.text("binary_sizes", "")
    if sizes and sizes not in _SIZES:
        raise section.error(
            "binary_sizes", f"{sizes!r} is unknown", f"Use one of {', '.join(_SIZES)}"
        )
    if sizes:
        signed, unsigned = _SIZES[sizes]
        dialect = replace(dialect, signed_binary=signed, unsigned_binary=unsigned)
    slides = section.flag("slides", dialect.slides)
    truncated = section.choice("trunc", Truncation.STD) is Truncation.STD
    empty = section.flag("empty_tables", False)
    section.close()
    return replace(dialect, slides=slides, truncated=truncated, empty_tables=empty)


def _copybook(section: Section, dialect: Dialect, folder: Path) -> Copybook:
    file = section.text("copybook", "")
    if not file:
        raise section.error("copybook", "is missing", "Name the copybook file")
    if not (folder / file).resolve().is_relative_to(folder.resolve()):
        raise section.error("copybook", f"{file} is in another folder", "Put it beside the layout")
    options = CopybookOptions(
        dialect=dialect,
        form=section.choice("form", Form.FIXED),
        decimal_comma=section.flag("decimal_comma", False),
        currency=section.text("currency", "$"),
        folders=(folder,),
    )
    return read_copybook_file(folder / file, options)


def _encoding(section: Section, default: Encoding) -> Encoding:
    page = section.text("code_page", default.code_page)
    encoding = Encoding(
        page,
        section.choice("zoned_signs", default.zoned_signs),
        section.choice("byte_order", default.byte_order),
        section.choice("native_order", default.native_order),
        section.choice("float_format", default.float_format),
    )
    section.close()
    return encoding
