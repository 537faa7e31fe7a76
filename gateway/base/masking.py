"""Masks personal data in texts: what must not appear in errors, refusals or logs.

Names cannot be found in a text. Where a text is shown to others, who sees it decides (SECURITY.md).
"""

import re

_MASK = "…"
_GAP = r"[ .\-/_]{0,3}"
_DIGIT = r"\d"


def _digits(count: int) -> str:
    """So many digits, with a few separators between any two of them."""
    return rf"{_DIGIT}(?:{_GAP}{_DIGIT}){{{count - 1}}}"


# A NIK or KK number: region (province 11 to 96), day (women + 40), month, year, serial number.
# The separators may stand anywhere, so only the province, the day and the month are checked.
_NIK = (
    rf"(?:1[1-9]|[2-9]\d)(?:{_GAP}\d){{4}}{_GAP}[0-7]{_GAP}\d{_GAP}[01]{_GAP}\d"
    rf"(?:{_GAP}\d){{6}}"
)
# An NPWP: 00.000.000.0-000.000, as punctuated.
_NPWP = r"\d{2}[ .\-]\d{3}[ .\-]\d{3}[ .\-]\d[ .\-]\d{3}[ .\-]\d{3}"
_TELEPHONE = rf"(?:\+{_GAP}6{_GAP}2|(?<!\d)0{_GAP}8)(?:[ .\-/_()]{{0,3}}\d){{7,12}}"
_LANDLINE = r"\(0\d{2,3}\)[ \-]?\d(?:[ \-]?\d){5,8}"
_EMAIL = r"[\w.+\-%]{1,64}(?:@|%40)[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8}"
# NIK and KK have 16 digits, NPWP 15 or 16, NISN 10, a telephone number 9 and more.
_LONG_NUMBER = r"\d{9,}"

_BY_KIND = re.compile(
    "|".join(
        (
            _EMAIL,
            rf"(?<!\d){_NIK}(?!\d)",
            rf"(?<!\d){_NPWP}(?!\d)",
            rf"{_TELEPHONE}(?!\d)",
            _LANDLINE,
            _LONG_NUMBER,
        )
    )
)


def mask(text: str) -> str:
    """The text without e-mail addresses, telephone numbers, NIK, NPWP and other long numbers."""
    return _BY_KIND.sub(_MASK, text)
