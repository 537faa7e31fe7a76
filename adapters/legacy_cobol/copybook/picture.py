"""PICTURE character strings."""

import re
from dataclasses import dataclass
from enum import StrEnum

MOST_DIGITS = 38
LONGEST_PICTURE = 50  # characters as written, the limit of IBM and of the standard
LARGEST_FIELD = 16_777_215  # bytes of an elementary item


class Category(StrEnum):
    """The category of a picture."""

    ALPHANUMERIC = "alphanumeric"  # X and A, also edited with B 0 /
    NATIONAL = "national"
    DBCS = "DBCS"
    UTF_8 = "UTF-8"
    NUMERIC = "numeric"
    EDITED = "numeric edited"


@dataclass(frozen=True, slots=True)
class Picture:
    """A parsed picture. `size` counts character positions; `expanded` has no repeat counts.

    `digits` and `scale` are those of `kinds.Zoned`: P counts only in the scale.
    """

    category: Category
    size: int
    digits: int = 0
    scale: int = 0
    signed: bool = False
    expanded: str = ""


@dataclass(frozen=True, slots=True)
class SpecialNames:
    """The clauses of SPECIAL-NAMES that change pictures and numbers."""

    decimal_comma: bool = False
    currency: str = "$"

    @property
    def point(self) -> str:
        """The decimal point."""
        return "," if self.decimal_comma else "."

    @property
    def separator(self) -> str:
        """The thousands separator."""
        return "." if self.decimal_comma else ","


class BadPicture(ValueError):
    """An invalid picture: what is wrong, and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


_SYMBOL = re.compile(r"(CR|DB|.)(?:\(([0-9]+)\))?", re.DOTALL)
_PLAIN = re.compile(r"S?(?P<whole>9*)V?(?P<fraction>9*)")
_SCALED_LEFT = re.compile(r"S?V?P+9+")
_SCALED_RIGHT = re.compile(r"S?9+P+V?")
_SCALED_EDITED = re.compile(r"V?P+[^PZ*]+|[^P]+P+V?")
_N = Category.NATIONAL
_LONGEST_EDITED = 249  # characters, IBM Enterprise COBOL's limit


def read_picture(text: str, special_names: SpecialNames) -> Picture:
    """Parse a picture. Raises BadPicture."""
    if len(text) > LONGEST_PICTURE:
        raise BadPicture(
            f"a picture of {len(text)} characters is too long", "Use repeat counts, as in X(20)"
        )
    runs = _runs(text.upper(), special_names)
    used = {symbol for symbol, _ in runs}
    if "E" in used:
        raise BadPicture(
            "floating-point pictures (E) are not supported", "Describe the bytes as PIC X"
        )
    if sum(times for _, times in runs) > LARGEST_FIELD:
        raise BadPicture(f"more than {LARGEST_FIELD} characters", "Make the field smaller")
    size = sum(times * len(symbol) for symbol, times in runs if symbol not in "SVP")
    if used & {"X", "A"}:
        return _text(used, size)
    for symbol, category in (("N", _N), ("G", Category.DBCS), ("U", Category.UTF_8)):
        if symbol in used:
            _only(
                used, {symbol, "B", "0", "/"} - ({"0", "/"} if symbol == "G" else set()), category
            )
            return Picture(category, size)
    if (
        size > _LONGEST_EDITED
        or sum(times for symbol, times in runs if symbol in "9PZ*") > MOST_DIGITS
    ):
        raise BadPicture(
            f"more than {MOST_DIGITS} digits", "No dialect has such numbers: use PIC X"
        )
    expanded = "".join(symbol * times for symbol, times in runs)
    if used <= {"S", "9", "V", "P"}:
        return _numeric(expanded)
    return _edited(expanded, special_names)


def _runs(text: str, special_names: SpecialNames) -> list[tuple[str, int]]:
    """The symbols, and how often each is repeated."""
    runs: list[tuple[str, int]] = []
    known = {*"XANU9SVPZEGB0*+-/.,", "CR", "DB", special_names.currency}
    index = 0
    while index < len(text):
        match = _SYMBOL.match(text, index)
        if match is None or match[1] not in known:
            raise BadPicture(
                f"{text[index]} in the picture {text} is not a symbol",
                "Use X A N G U 9 S V P Z * B 0 / , . + - CR DB and the currency sign",
            )
        times = int(match[2][:10]) if match[2] else 1
        if times == 0:
            raise BadPicture(f"{match[0]} repeats zero times", "Give a count of at least 1")
        runs.append((match[1], times))
        index = match.end()
    return runs


def _text(used: set[str], size: int) -> Picture:
    _only(used, {"X", "A", "9", "B", "0", "/"}, "alphanumeric")
    return Picture(Category.ALPHANUMERIC, size)


def _only(used: set[str], allowed: set[str], what: str) -> None:
    for symbol in sorted(used - allowed):
        raise BadPicture(
            f"{symbol} is not allowed with the other symbols of this {what} picture",
            "Use the symbols of one category",
        )


def _numeric(expanded: str) -> Picture:
    digits, scaled = expanded.count("9"), expanded.count("P")
    if plain := _PLAIN.fullmatch(expanded):
        scale = len(plain["fraction"]) if "V" in expanded else 0
    elif _SCALED_LEFT.fullmatch(expanded):
        scale = digits + scaled
    elif _SCALED_RIGHT.fullmatch(expanded):
        scale = -scaled
    else:
        raise BadPicture(
            f"the symbols of the numeric picture {expanded} are out of order",
            "Write S first, V once, and P only at one end of the nines",
        )
    if digits == 0:
        raise BadPicture("a numeric picture without a 9", "Give it at least one digit")
    return Picture(Category.NUMERIC, digits, digits, scale, "S" in expanded, expanded)


def _edited(expanded: str, special_names: SpecialNames) -> Picture:
    core, signed = _without_fixed(expanded, special_names)
    core = re.sub(f"[B0/{re.escape(special_names.separator)}]", "", core).replace(
        special_names.point, "."
    )
    symbols = set(core) - set("9P.V")
    symbol = symbols.pop() if symbols else "Z"
    floating = symbol not in "Z*"
    digits = core.count("9") + core.count(symbol) - floating
    if (
        symbols
        or symbol == "S"
        or (signed and symbol in "+-")
        or ("P" in core and not _SCALED_EDITED.fullmatch(expanded))
        or not _in_order(core, symbol, 2 if floating else 0)
        or digits < 1
    ):
        raise BadPicture(
            f"the symbols of the edited picture {expanded} are out of order",
            "Write Z, * or one floating sign before the nines, signs at one end, the point once",
        )
    return Picture(
        Category.EDITED,
        len(expanded) - expanded.count("V") - expanded.count("P"),
        digits,
        _edited_scale(core, digits),
        signed or symbol in "+-",
        expanded,
    )


def _in_order(core: str, symbol: str, least: int) -> bool:
    """Whether the symbols that suppress zeros come first, at least so many of them."""
    suppressed = f"{re.escape(symbol)}{{{least},}}"
    forms = (
        rf"(?:{suppressed})?9*(?:P+V?|[.V]?9*)",
        "V?P+9+",
        rf"{suppressed}[.V]{re.escape(symbol)}+",
    )
    return (not least or symbol in core) and any(re.fullmatch(form, core) for form in forms)


def _edited_scale(core: str, digits: int) -> int:
    scaled = core.count("P")
    if scaled:
        return digits + scaled if core.startswith(("P", "V")) else -scaled
    _, _, fraction = core.replace("V", ".").partition(".")
    return len(fraction)


def _without_fixed(expanded: str, special_names: SpecialNames) -> tuple[str, bool]:
    """The picture without its fixed sign and currency sign, and whether it had a sign."""
    core, signed = expanded, False
    if core.endswith(("CR", "DB")):
        core, signed = core[:-2], True
    elif core[-1] in "+-" and core.count(core[-1]) == 1 and len(core) > 1:
        core, signed = core[:-1], True
    if not signed and core[:1] in ("+", "-") and core.count(core[0]) == 1:
        core, signed = core[1:], True
    if core.startswith(special_names.currency) and core.count(special_names.currency) == 1:
        core = core[1:]
    return core, signed
