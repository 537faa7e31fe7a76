"""Lists in pieces: `?limit=&cursor=` in, `{"items": [...], "next": "..." | null}` out."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from gateway.base.errors import Invalid

LIMIT = 200
DEFAULT = 50
_CURSOR_LIMIT = 2048  # characters

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Page:
    """The piece that is asked for: at most `limit` items with keys above `after`."""

    limit: int = DEFAULT
    after: str | None = None

    def cut(self, found: Sequence[V], key: Callable[[V], str]) -> tuple[Sequence[V], str | None]:
        """Split what was found, asked for with `limit + 1`, into this piece and the next cursor."""
        if len(found) <= self.limit:
            return found, None
        piece = found[: self.limit]
        return piece, cursor_of(key(piece[-1]))


class Listing(BaseModel, Generic[T]):
    """A piece of a list."""

    items: list[T]
    next: str | None = Field(description="pass it as `cursor` for what follows; null at the end")


def cursor_of(key: str) -> str:
    """A key as an opaque cursor."""
    return urlsafe_b64encode(key.encode()).decode().rstrip("=")


def key_of(cursor: str) -> str:
    """The key in a cursor. Raises Invalid on anything that `cursor_of` did not make."""
    try:
        if len(cursor) > _CURSOR_LIMIT:
            raise ValueError("too long")
        key = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except (ValueError, binascii.Error):
        key = ""
    if "\0" in key or not key or cursor_of(key) != cursor:
        raise Invalid("the cursor is none that this list gave: start without one", pointer="cursor")
    return key


def number_of(page: Page) -> int:
    """The number behind which a list goes on that is ordered by numbers; 0 at its beginning."""
    if page.after is None:
        return 0
    if not (page.after.isascii() and page.after.isdecimal() and len(page.after) < 19):
        raise Invalid("the cursor is none that this list gave: start without one", pointer="cursor")
    return int(page.after)


def page(
    limit: Annotated[int, Query(ge=1, le=LIMIT, description="items at most")] = DEFAULT,
    cursor: Annotated[str | None, Query(description="`next` of the piece before")] = None,
) -> Page:
    """The dependency that reads `limit` and `cursor`."""
    return Page(limit, None if cursor is None else key_of(cursor))


PageHere = Annotated[Page, Depends(page)]
