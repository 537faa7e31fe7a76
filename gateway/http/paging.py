"""Lists in pages: `?limit=&cursor=` in, `{"items": [...], "next": "..." | null}` out."""

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
BIGINT, INTEGER = (1 << 63) - 1, (1 << 31) - 1

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page that is asked for: at most `limit` items with keys above `after`."""

    limit: int = DEFAULT
    after: str | None = None

    def cut(self, found: Sequence[V], key: Callable[[V], str]) -> tuple[Sequence[V], str | None]:
        """Split what was found, asked for with `limit + 1`, into this page and the next cursor."""
        if len(found) <= self.limit:
            return found, None
        items = found[: self.limit]
        return items, cursor_of(key(items[-1]))

    def number(self, first: int = 0, *, largest: int = BIGINT) -> int:
        """The number after which this page begins; `first` for the first page. Raises Invalid.

        `largest` is what its column can hold.
        """
        if self.after is None:
            return first
        number = int(self.after) if self.after.isascii() and self.after.isdecimal() else -1
        if not 0 <= number <= largest:
            raise _invalid()
        return number

    def pair(self) -> tuple[str, str] | None:
        """The key `first/second` after which this page begins. Raises Invalid."""
        if self.after is None:
            return None
        first, separator, second = self.after.partition("/")
        if not separator:
            raise _invalid()
        return first, second


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(
        description="Pass it as `cursor` to get the next page. Null on the last page."
    )


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
        raise _invalid()
    return key


def page_request(
    limit: Annotated[int, Query(ge=1, le=LIMIT, description="Items at most.")] = DEFAULT,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> PageRequest:
    """The dependency that reads `limit` and `cursor`."""
    return PageRequest(limit, None if cursor is None else key_of(cursor))


Paging = Annotated[PageRequest, Depends(page_request)]


def _invalid() -> Invalid:
    return Invalid(
        "Invalid cursor. Use `next` from this list, or omit `cursor`.", parameter="cursor"
    )
