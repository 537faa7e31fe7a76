"""Whether two JSON texts say the same, however they are written.

The canonical form is that of RFC 8785 (JCS): white space, the order of members and the escapes of
strings do not count. Numbers are compared exactly and not as doubles, because the bus keeps them
exactly: 1, 1.0 and 1e0 are equal, 9007199254740993 and 9007199254740992 are not. As in RFC 8785,
-0 is 0 and text is compared by code points, without normalisation.

A text is read piece by piece and hashed on the way: no number is expanded, no tree is built, and
the event loop has its turn after a millisecond, however long the text is.
"""

import asyncio
import re
import time
from collections.abc import Generator
from functools import lru_cache
from hashlib import blake2b
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed lacks it

SLICE, PAUSE = 0.001, 0.002  # seconds: a long comparison takes a third of the loop at most
_PIECES = 128  # between two looks at the clock: 0.2 ms
_LARGE = 1024  # members of an object that are sorted at once

_PIECE = re.compile(r'[ \t\r\n:,]*([]["{}]|[-+.0-9eE]+|true|false|null)')
_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]{1,9}))?")

Steps = Generator[None, None, bytes | None]


async def same_json(one: bytes, other: bytes) -> bool:
    """Whether the texts, which are strict JSON, have the same value."""
    if one == other:
        return True
    first = await _in_slices(canonical_digest(one))
    return first is not None and first == await _in_slices(canonical_digest(other))


def canonical_digest(raw: bytes) -> Steps:
    """A digest that two texts share exactly if they have the same value.

    Of a text that strict_json refuses it is undefined, or None.
    """
    try:
        return (yield from _digest(raw.decode()))
    except (ValueError, IndexError):
        return None


async def _in_slices(steps: Steps) -> bytes | None:
    until = time.perf_counter() + SLICE
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            digest: bytes | None = ended.value
            return digest
        if time.perf_counter() > until:
            await asyncio.sleep(PAUSE)
            until = time.perf_counter() + SLICE


class _Open:
    """An array or an object that is being read. An array is hashed as its elements come."""

    __slots__ = ("hashed", "members", "name")

    def __init__(self, kind: str) -> None:
        self.hashed = blake2b(kind.encode())
        self.members: list[bytes] | None = [] if kind == "{" else None
        self.name: bytes | None = None

    def add(self, value: bytes) -> None:
        """One more value, or the name of a member."""
        if self.members is None:
            self.hashed.update(b"%d:%b" % (len(value), value))
        elif self.name is None:
            self.name = value
        else:
            member = b"%d:%b%b" % (len(self.name), self.name, value)
            self.members.append(blake2b(member, digest_size=32).digest())
            self.name = None

    def sort(self) -> Generator[None, None, None]:
        """Hash the members of an object in the order of their digests, many of them in parts."""
        members = self.members or []
        if len(members) <= _LARGE:
            self.hashed.update(b"".join(sorted(members)))
            return
        parts: list[list[bytes]] = [[] for _ in range(256)]
        for member in members:
            parts[member[0]].append(member)
        for part in parts:
            self.hashed.update(b"".join(sorted(part)))
            yield

    def digest(self) -> bytes:
        """Of all that it holds, in canonical order."""
        return b"c" + self.hashed.digest()


def _digest(text: str) -> Generator[None, None, bytes]:
    root = _Open("[")
    inside = [root]
    at, size = 0, len(text.rstrip(" \t\r\n"))
    count = 0
    while at < size:
        found = _PIECE.match(text, at)
        if found is None:
            raise ValueError(at)
        piece, at = found[1], found.end()
        if piece == '"':
            string, at = scanstring(text, at, True)
            inside[-1].add(b"s" + string.encode())
        elif piece in "[{":
            inside.append(_Open(piece))
        elif piece in "]}":
            ended = inside.pop()
            yield from ended.sort()
            inside[-1].add(ended.digest())
        else:
            inside[-1].add(_scalar(piece))
        count += 1
        if count % _PIECES == 0:
            yield
    if len(inside) != 1:
        raise ValueError(size)
    return root.digest()


@lru_cache(maxsize=4096)
def _scalar(piece: str) -> bytes:
    """A literal, or a number as its digits without zeros at their ends and its exponent."""
    if piece in ("true", "false", "null"):
        return piece.encode()
    found = _NUMBER.fullmatch(piece)
    if found is None:
        raise ValueError(piece)
    sign, whole, fraction, exponent = found.groups(default="")
    digits = whole + fraction
    kept = digits.rstrip("0")
    scale = int(exponent or 0) - len(fraction) + len(digits) - len(kept)
    kept = kept.lstrip("0")
    return f"#{sign}{kept}e{scale}".encode() if kept else b"#0"
