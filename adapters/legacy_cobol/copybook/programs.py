"""The data division of a whole program, and what the rest of it says about numbers."""

import re
from dataclasses import replace

from adapters.legacy_cobol.copybook.layout import Notice
from adapters.legacy_cobol.copybook.picture import SpecialNames
from adapters.legacy_cobol.copybook.source import Source

_DIVISION = re.compile(
    r"^[ ]*(IDENTIFICATION|ID|DATA|PROCEDURE)\s+DIVISION\b", re.IGNORECASE | re.MULTILINE
)
_COMMA = re.compile(r"\bDECIMAL-POINT\s+(?:IS\s+)?COMMA\b", re.IGNORECASE)
_CURRENCY = re.compile(r"\bCURRENCY\s+(?:SIGN\s+)?(?:IS\s+)?[\"'](.)[\"']", re.IGNORECASE)


def data_division(
    source: Source, special_names: SpecialNames, notices: list[Notice]
) -> tuple[Source, SpecialNames]:
    """The data division of the first program in a source, and its SPECIAL-NAMES.

    A source without divisions is returned as it is. Raises CopybookError if there is no data.
    """
    divisions = [(each[1].upper(), each.start(1)) for each in _DIVISION.finditer(source.text)]
    if not divisions:
        return source, special_names
    begin = next((at for name, at in divisions if name == "DATA"), None)
    if begin is None and divisions[0][0] != "PROCEDURE":
        raise source.error(
            divisions[0][1], "the program has no DATA DIVISION", "Give the program with its data"
        )
    begin = begin or 0
    ends = (at for name, at in divisions if at > begin and name != "DATA")
    end = next(ends, len(source.text))
    where = source.where(begin)
    text = "only the data division of the program is read"
    notices.append(Notice(where.file, where.line, where.column, text))
    before = source.text[:begin]
    if _COMMA.search(before):
        special_names = replace(special_names, decimal_comma=True)
    if currency := _CURRENCY.search(before):
        special_names = replace(special_names, currency=currency[1].upper())
    part = Source(source.text[begin:end], source.origins[begin:end], source.files)
    return part, special_names
