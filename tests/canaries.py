"""Invented personal data that a test plants, and a search that finds them in whatever form."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from urllib.parse import quote, unquote_plus

NUMBERS = {  # of people who do not exist: the digits that may appear nowhere
    "nik": "3273014105900001",
    "kk": "3273010101070002",
    "npwp15": "012345678901000",
    "npwp16": "0012345678901000",
    "telephone": "81298765432",
}
SPELLINGS = {
    "nik": "3273014105900001",
    "nik with dots": "32.73.01.410590.0001",
    "nik with spaces": "32 7301 410590 0001",
    "nik with hyphens": "327301-410590-0001",
    "kk": "3273010101070002",
    "npwp": "01.234.567.8-901.000",
    "npwp plain": "012345678901000",
    "npwp of 16": "0012345678901000",
    "telephone": "+62 812-9876-5432",
    "telephone of 08": "0812-9876-5432",
    "e-mail": "siti.rahmawati@contoh.go.id",
}
NAMES = ("SITI RAHMAWATI", "siti.rahmawati", "Rahmawati Siti")
"""What no search by form finds in a text: who sees the text decides."""
_SEPARATORS = re.compile(r"[ .\-/_()]|%20|%2d|%2e", re.IGNORECASE)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2} ?){6,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_PAGES = ("ascii", "cp037", "utf-16-le")


def found_in(text: str, *, names: bool = True) -> list[str]:
    """The canaries in a text, in every form: spelled, in percent or \\u escapes, hex, base64."""
    forms = [text, unquote_plus(text), unquote_plus(unquote_plus(text)), *_decoded(text)]
    found = set()
    for form in forms:
        plain = form.casefold()
        digits = _SEPARATORS.sub("", plain)
        found |= {kind for kind, number in NUMBERS.items() if number in digits}
        if SPELLINGS["e-mail"] in plain:
            found.add("e-mail")
        if names:
            found |= {f"name {name}" for name in NAMES if name.casefold() in plain}
    return sorted(found)


def where(text: str, *, names: bool = True) -> list[tuple[list[str], str]]:
    """The lines of a text with canaries, cut."""
    return [
        (found, line[:600]) for line in text.splitlines() if (found := found_in(line, names=names))
    ]


def _decoded(text: str) -> Iterator[str]:
    if "\\u" in text:
        yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda each: chr(int(each[1], 16)), text)
    for each in _HEX.findall(text):
        raw = bytes.fromhex(each.replace(" ", ""))
        yield from (raw.decode(page, "replace") for page in _PAGES)
        yield each.replace(" ", "")  # packed decimal has its digits in the hex itself
    for each in _BASE64.findall(text):
        padded = each.rstrip("=").replace("-", "+").replace("_", "/")
        with suppress(binascii.Error):
            raw = base64.b64decode(padded + "=" * (-len(padded) % 4))
            yield raw.decode("ascii", "replace")


def everything() -> str:
    """All canaries in one text."""
    return " ".join((*SPELLINGS.values(), *NAMES))


def data() -> dict[str, object]:
    """Data with canaries as values and as names of members, at every depth."""
    deep: object = everything()
    for name in (*SPELLINGS.values(), *NAMES):
        deep = {name: [deep, name]}
    return {"catatan": everything(), "dalam": deep, **{name: name for name in NAMES}}


def in_url(text: str) -> str:
    """A canary as a segment of a path or a value of a query."""
    return quote(text, safe="")


def attributes(id: str) -> Mapping[str, str]:
    """Attributes with canaries; the id is unique by this part."""
    return {
        "id": f"{NAMES[0]} {SPELLINGS['nik with dots']} {id}",
        "source": f"/uji/{SPELLINGS['npwp']}/{in_url(NAMES[0])}",
        "subject": f"{SPELLINGS['nik']} {SPELLINGS['telephone']} {NAMES[0]}",
        "warga": everything(),
        "partitionkey": SPELLINGS["nik with spaces"],
    }
