"""Masks national ids, which must not appear in errors, refusals or logs."""

import re

# NIK and KK have 16 digits, NPWP 15 or 16, NISN 10, a telephone number 9 and more.
_LONG_NUMBER = re.compile(r"\d{9,}")


def mask(text: str) -> str:
    """The text with every sequence of nine or more digits replaced."""
    return _LONG_NUMBER.sub("…", text)
