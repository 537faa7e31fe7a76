"""Masks personal data in texts: what must not appear in errors, refusals or logs.

Names cannot be found in a text. Where a text is shown to others, who sees it decides (SECURITY.md).
"""

import re
from typing import Any

from gateway.base.errors import Invalid

MASK = "…"
# Between two digits: spaces, points, hyphens and the like, also as in a URL.
_SEPARATOR = r"(?:[ .\-/_\u00a0\u202f\u2009\u2010-\u2015]|%2[0DEF]|%5F|%C2%A0)"
_GAP = rf"{_SEPARATOR}{{0,3}}"
# A NIK or KK number: region (province 11 to 96), day (women + 40), month, year, serial number.
# The separators may stand anywhere, so only the province, the day and the month are checked.
_NIK = (
    rf"(?:1[1-9]|[2-9]\d)(?:{_GAP}\d){{4}}{_GAP}[0-7]{_GAP}\d{_GAP}[01]{_GAP}\d"
    rf"(?:{_GAP}\d){{6}}"
)
# An NPWP: 00.000.000.0-000.000, as punctuated.
_NPWP = _SEPARATOR.join((r"\d{2}", r"\d{3}", r"\d{3}", r"\d", r"\d{3}", r"\d{3}"))
_TELEPHONE = rf"(?:(?:\+|%2B){_GAP}6{_GAP}2|(?<!\d)0{_GAP}8)(?:[ .\-/_()]{{0,3}}\d){{7,12}}"
_LANDLINE = r"\(0\d{2,3}\)[ \-]?\d(?:[ \-]?\d){5,8}"
_EMAIL = re.compile(r"[\w.+\-%]{1,64}(?:@|%40)[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8}")
# NIK and KK have 16 digits, NPWP 15 or 16, NISN 10, a telephone number 9 and more.
_LONG_NUMBER = r"\d{9,}"
# The same number in the hexadecimal of an EBCDIC file. That of ASCII and of packed decimal is a
# long number itself.
_EBCDIC_NUMBER = r"F\d(?: ?F\d){8,}"

_NUMBERS = re.compile(
    "|".join(
        (
            rf"(?<!\d){_NIK}(?!\d)",
            rf"(?<!\d){_NPWP}(?!\d)",
            rf"{_TELEPHONE}(?!\d)",
            _LANDLINE,
            _LONG_NUMBER,
            _EBCDIC_NUMBER,
        )
    ),
    re.IGNORECASE,
)
# Credentials: of a URL, in an Authorization header, tokens, secrets of webhooks.
_CREDENTIALS = re.compile(
    r"(?<=://)[^/\s@]+(?=@)|\b(?:bearer|basic) [\w.~+/=\-]{8,}"
    r"|\beyJ[\w\-]{8,}\.[\w.\-]+|\bwhs(?:ec|k|pk)_[\w+/=\-]+",
    re.IGNORECASE,
)
# In an id a long number is nothing personal by itself, and hexadecimal has some by chance.
_IN_IDS = re.compile(
    "|".join(
        (
            rf"(?<![0-9a-f]){_NIK}(?![0-9a-f])",
            rf"(?<![0-9a-f]){_NPWP}(?![0-9a-f])",
            rf"(?<![0-9a-f]){_TELEPHONE}(?![0-9a-f])",
            r"(?<![0-9a-f])\d{15,16}(?![0-9a-f])",
        )
    ),
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(r"[A-Za-z_$@][A-Za-z0-9_$@\-]{0,39}")
# What the gateway makes itself and what looks like a number: ids and digests (a NIK in the
# hexadecimal of ASCII has no letter, that of EBCDIC none but f), positions (no NIK has 0000 for
# its district), times.
_OWN = re.compile(
    r"(?=[0-9a-f]*[a-e])(?:[0-9a-f]{32}|[0-9a-f]{64})|[0-6]\d-0{4}\d{12}"
    r"|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)"
)


def mask(text: str) -> str:
    """The text without e-mail addresses, telephone numbers, NIK, NPWP and other long numbers."""
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(MASK, text)
    return _NUMBERS.sub(MASK, text)


def mask_id(text: str) -> str:
    """An id, source or file name without NIK, NPWP, telephone numbers and e-mail addresses."""
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(MASK, text)
    return _IN_IDS.sub(MASK, text)


def require_impersonal(
    name: str, *, pointer: str | None = None, parameter: str | None = None
) -> None:
    """Raises Invalid for a name with personal data: names are in logs, metrics and queues."""
    if mask_id(name) != name:
        raise Invalid(
            "The name contains a national id or a telephone number. Choose another.",
            pointer=pointer,
            parameter=parameter,
        )


def mask_name(name: str) -> str:
    """A name that a sender chose, such as an unknown member, if it looks like an identifier.

    A person's name among the names of members has spaces, points or other letters, mostly.
    """
    return name if not name or (_IDENTIFIER.fullmatch(name) and mask(name) == name) else MASK


def mask_all(value: Any) -> Any:
    """A value of a log line, with every text and credential masked. The gateway's ids stay."""
    if isinstance(value, str):
        return value if _OWN.fullmatch(value) else mask(_CREDENTIALS.sub(MASK, value))
    if isinstance(value, dict):
        return {mask_all(name): mask_all(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_all(each) for each in value]
    return value
