"""Names of types in generated code."""

import re

_WORD = re.compile(r"[A-Za-z0-9]+")


def class_name(type: str, *, reply: bool = False) -> str:
    """The name of the class for an event type: `KtpDicetakV1` for id.go.dukcapil.ktp.dicetak.v1.

    That for the reply of a request-reply type ends in `Reply`.
    """
    return pascal(".".join(type.split(".")[3:]) or type) + ("Reply" if reply else "")


def pascal(text: str) -> str:
    """Text as an identifier in PascalCase; never empty, never beginning with a digit."""
    name = "".join(word[:1].upper() + word[1:] for word in _WORD.findall(text))
    return name if name[:1].isalpha() else f"T{name}"


def printable(text: object) -> str:
    """Untrusted text without control characters."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in str(text))


def one_line(text: object) -> str:
    """Untrusted text as one line that cannot end a comment."""
    return " ".join(printable(text).split()).replace("*/", "* /")
