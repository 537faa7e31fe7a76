"""Masks national ids in what a feed logs: senders put them into the names of files.

The gateway masks what it logs by a module of its own, which adapters cannot import.
"""

import re

MASK = "…"
_GAP = r"[ .\-_]{0,3}"
# A NIK or KK number (province 11 to 96, day with 40 added for women, month), and an NPWP.
_NIK = (
    rf"(?:1[1-9]|[2-9]\d)(?:{_GAP}\d){{4}}{_GAP}[0-7]{_GAP}\d{_GAP}(?:0{_GAP}[1-9]|1{_GAP}[0-2])"
    rf"(?:{_GAP}\d){{6}}"
)
_NUMBER = re.compile(rf"(?<!\d)(?:{_NIK}|\d{{15,16}})(?!\d)")


def masked(text: str) -> str:
    """The text without NIK, KK and NPWP."""
    return _NUMBER.sub(MASK, text)
