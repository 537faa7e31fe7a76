"""Literals and figurative constants, alone and as the values of VALUE."""

import re
from decimal import Decimal

from adapters.legacy_cobol.copybook.entries import Cursor
from adapters.legacy_cobol.copybook.layout import Figurative, Literal, Range, Repeated
from adapters.legacy_cobol.copybook.picture import SpecialNames
from adapters.legacy_cobol.copybook.words import Word, WordKind

_FIGURATIVE = {
    "ZERO": Figurative.ZERO, "ZEROS": Figurative.ZERO, "ZEROES": Figurative.ZERO,
    "SPACE": Figurative.SPACE, "SPACES": Figurative.SPACE,
    "HIGH-VALUE": Figurative.HIGH_VALUE, "HIGH-VALUES": Figurative.HIGH_VALUE,
    "LOW-VALUE": Figurative.LOW_VALUE, "LOW-VALUES": Figurative.LOW_VALUE,
    "QUOTE": Figurative.QUOTE, "QUOTES": Figurative.QUOTE,
    "NULL": Figurative.NULL, "NULLS": Figurative.NULL,
}  # fmt: skip
_EXPONENT = r"(?:E[+-]?[0-9]{1,3})?"  # of a floating-point literal
_POINT = re.compile(r"[+-]?[0-9]{0,40}(?:\.[0-9]{0,40})?" + _EXPONENT, re.IGNORECASE)
_COMMA = re.compile(r"[+-]?[0-9]{0,40}(?:,[0-9]{0,40})?" + _EXPONENT, re.IGNORECASE)


def read_ranges(cursor: Cursor, special_names: SpecialNames) -> tuple[Range, ...]:
    """The values of a VALUE clause, with THRU ranges. Raises CopybookError."""
    ranges = [_read_range(cursor, special_names)]
    while cursor.word is not None and _begins(cursor.word, special_names):
        ranges.append(_read_range(cursor, special_names))
    return tuple(ranges)


def _begins(word: Word, special_names: SpecialNames) -> bool:
    if word.kind is WordKind.LITERAL:
        return True
    upper = word.upper
    return upper in _FIGURATIVE or upper == "ALL" or bool(_number(upper, special_names))


def _read_range(cursor: Cursor, special_names: SpecialNames) -> Range:
    low = _literal(cursor, special_names)
    if cursor.accept("THRU", "THROUGH"):
        return Range(low, _literal(cursor, special_names))
    return Range(low)


def _literal(cursor: Cursor, special_names: SpecialNames) -> Literal:
    repeated = cursor.accept("ALL")
    word = cursor.take("a literal")
    if word.kind is WordKind.LITERAL:
        value = _joined(cursor, _quoted(cursor, word))
        return Repeated(value) if repeated and isinstance(value, str) else value
    if word.upper in _FIGURATIVE:
        return _FIGURATIVE[word.upper]
    if number := _number(word.text, special_names):
        return Decimal(number)
    raise cursor.error(
        word, f"{word.text} is not a literal", "Write a number, a text in quotes or a constant"
    )


def _joined(cursor: Cursor, value: str | bytes) -> str | bytes:
    """A literal with those that & adds to it. Raises CopybookError."""
    while cursor.accept("&"):
        word = cursor.take("a literal")
        more = _quoted(cursor, word) if word.kind is WordKind.LITERAL else None
        match value, more:
            case str(), str():
                value = f"{value}{more}"
            case bytes(), bytes():
                value = b"%b%b" % (value, more)
            case _:
                raise cursor.error(
                    word, f"{word.text} cannot be added with &", "Add literals of the same kind"
                )
    return value


def _number(text: str, special_names: SpecialNames) -> str:
    """The number with a decimal point; empty if it is not a number."""
    pattern = _COMMA if special_names.decimal_comma else _POINT
    mantissa = re.split("[Ee]", text, maxsplit=1)[0]
    if not pattern.fullmatch(text) or not any(each.isdigit() for each in mantissa):
        return ""
    return text.replace(",", ".")


def _quoted(cursor: Cursor, word: Word) -> str | bytes:
    prefix, quote = re.split("[\"']", word.text, maxsplit=1)[0].upper(), word.text[-1]
    text = word.text[len(prefix) + 1 : -1].replace(quote * 2, quote)
    if prefix not in ("X", "NX"):
        return text
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise cursor.error(
            word, f"{word.text} is not a hexadecimal literal", "Write pairs of 0-9 and A-F"
        ) from None
