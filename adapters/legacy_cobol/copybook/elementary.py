"""The kind of an elementary item, from its clauses."""

from dataclasses import dataclass, replace

from adapters.legacy_cobol.copybook.dialects import Dialect
from adapters.legacy_cobol.copybook.entries import Entry, Sign
from adapters.legacy_cobol.copybook.kinds import (
    Binary,
    Charset,
    Edited,
    Float,
    Kind,
    National,
    Packed,
    Text,
    Zoned,
)
from adapters.legacy_cobol.copybook.picture import (
    BadPicture,
    Category,
    Picture,
    SpecialNames,
    read_picture,
)
from adapters.legacy_cobol.copybook.source import Source
from adapters.legacy_cobol.copybook.words import Word

_CATEGORY_USAGES = {
    Category.NATIONAL: "NATIONAL", Category.DBCS: "DISPLAY-1", Category.UTF_8: "UTF-8",
}  # fmt: skip
_FLOATS = {"COMP-1": 4, "COMP-2": 8}
_BINARIES = {"BINARY-CHAR": (1, 3), "BINARY-SHORT": (2, 5), "BINARY-LONG": (4, 10)}
_DOUBLE_DIGITS = 20  # an unsigned integer of 8 bytes


@dataclass(frozen=True, slots=True)
class Inherited:
    """Clauses that items inherit from their groups."""

    usage: str | None = None
    sign: Sign | None = None
    synchronized: bool = False

    def with_group(self, entry: Entry) -> "Inherited":
        """The clauses inside this group. Its own clauses override inherited ones."""
        return replace(
            self,
            usage=entry.usage or self.usage,
            sign=entry.sign or self.sign,
            synchronized=entry.synchronized or self.synchronized,
        )


@dataclass(frozen=True, slots=True)
class CopybookContext:
    """The source, the dialect and the SPECIAL-NAMES of a copybook."""

    source: Source
    dialect: Dialect
    special_names: SpecialNames

    def error(self, word: Word, problem: str, remedy: str) -> Exception:
        """A CopybookError at a word, for the caller to raise."""
        return self.source.error(word.start, problem, remedy)


def kind_of(entry: Entry, inherited: Inherited, context: CopybookContext) -> tuple[Kind, str]:
    """The kind of an elementary item and its usage. Raises CopybookError."""
    usage = entry.usage or inherited.usage
    if usage in _FLOATS or usage == "INDEX" or (usage or "").startswith("BINARY-"):
        kind = _without_picture(entry, usage or "", context)
        _check_clauses(entry, kind, context)
        return kind, usage or ""
    if entry.picture is None:
        raise context.error(
            entry.at,
            f"{entry.name or 'FILLER'} has neither a PICTURE nor items below it",
            "Give it a PICTURE, or items with higher level numbers",
        )
    try:
        picture = read_picture(entry.picture.text, context.special_names)
    except BadPicture as bad:
        raise context.error(entry.picture, bad.problem, bad.remedy) from None
    usage = _CATEGORY_USAGES.get(picture.category, "DISPLAY") if usage is None else usage
    kind = _with_picture(entry, picture, usage, inherited, context)
    _check_clauses(entry, kind, context)
    return kind, usage


def _without_picture(entry: Entry, usage: str, context: CopybookContext) -> Kind:
    if entry.picture is not None:
        raise context.error(entry.picture, f"{usage} takes no PICTURE", "Remove the PICTURE")
    if usage in _FLOATS:
        return Float(_FLOATS[usage])
    if usage == "INDEX":
        return Binary(10, context.dialect.index_length, signed=True, native=True)
    length, digits = _BINARIES.get(usage, (8, _DOUBLE_DIGITS - (not entry.unsigned)))
    return Binary(digits, length, signed=not entry.unsigned, native=True)


def _with_picture(
    entry: Entry, picture: Picture, usage: str, inherited: Inherited, context: CopybookContext
) -> Kind:
    match picture.category, usage:
        case Category.ALPHANUMERIC, "DISPLAY":
            return Text(picture.size, entry.justified)
        case Category.NATIONAL, "NATIONAL":
            return National(picture.size, entry.justified)
        case Category.NATIONAL | Category.DBCS, "DISPLAY-1":
            return National(picture.size, entry.justified, Charset.DBCS)
        case Category.UTF_8, "UTF-8" | "DISPLAY":
            return National(picture.size, entry.justified, Charset.UTF_8, entry.byte_length)
        case Category.EDITED, "DISPLAY":
            return _edited(entry, picture, context.special_names)
        case Category.NUMERIC, "DISPLAY":
            return _zoned(entry, picture, inherited, context)
        case Category.NUMERIC, "COMP-3" | "COMP-6":
            return _packed(entry, picture, usage, context)
        case Category.NUMERIC, "COMP" | "COMP-5":
            return _binary(entry, picture, usage, context)
    raise context.error(
        entry.picture or entry.at,
        f"a {picture.category} picture cannot have the usage {usage}",
        "Change one of them. A group above may set the usage",
    )


def _edited(entry: Entry, picture: Picture, special_names: SpecialNames) -> Edited:
    return Edited(
        picture.expanded,
        picture.digits,
        picture.scale,
        picture.signed,
        special_names.point,
        special_names.separator,
        special_names.currency,
        entry.blank_when_zero,
    )


def _zoned(entry: Entry, picture: Picture, inherited: Inherited, context: CopybookContext) -> Zoned:
    signed = picture.signed or has_sign_alone(entry)
    sign = (entry.sign or inherited.sign) if signed else None
    sign = sign or Sign(leading=False, separate=False)
    return Zoned(
        picture.digits,
        picture.scale,
        signed,
        sign.leading,
        sign.separate,
        entry.blank_when_zero,
    )


def has_sign_alone(entry: Entry) -> bool:
    """Whether the item has the byte of a separate sign, and no S in its PICTURE."""
    without = entry.picture is not None and "S" not in entry.picture.upper
    return without and entry.sign is not None and entry.sign.separate


def _packed(entry: Entry, picture: Picture, usage: str, context: CopybookContext) -> Packed:
    if usage == "COMP-6" and picture.signed:
        raise context.error(
            entry.picture or entry.at, "COMP-6 has no sign", "Remove the S, or make it COMP-3"
        )
    return Packed(picture.digits, picture.scale, picture.signed, usage == "COMP-3")


def _binary(entry: Entry, picture: Picture, usage: str, context: CopybookContext) -> Binary:
    length = context.dialect.binary_length(picture.digits, signed=picture.signed)
    if length is None:
        raise context.error(
            entry.picture or entry.at,
            f"a binary number of {picture.digits} digits is too large for {context.dialect.name}",
            "Check the picture, or choose the dialect of your compiler",
        )
    return Binary(
        picture.digits,
        length,
        picture.scale,
        picture.signed,
        usage == "COMP-5",
        context.dialect.truncated,
    )


def _check_clauses(entry: Entry, kind: Kind, context: CopybookContext) -> None:
    """Raises CopybookError for a clause that this kind cannot have."""
    if entry.justified and not isinstance(kind, Text | National):
        raise context.error(entry.at, "JUSTIFIED for a number", "Remove the clause")
    if entry.blank_when_zero and not isinstance(kind, Zoned | Edited):
        raise context.error(
            entry.at, "BLANK WHEN ZERO needs a number of usage DISPLAY", "Remove the clause"
        )
    if entry.sign is not None and not isinstance(kind, Zoned):
        raise context.error(
            entry.sign_at or entry.at, "SIGN needs a number of usage DISPLAY", "Remove SIGN"
        )
