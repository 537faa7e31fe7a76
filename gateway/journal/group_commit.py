"""A group commit whose members fail alone: what one of them holds costs the others nothing."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.base.database import CONTENT_ERRORS, OUTAGES, content_refused
from gateway.base.errors import NusabusError

T = TypeVar("T")


async def commit_apart(
    group: Sequence[T],
    commit: Callable[[Sequence[T]], Awaitable[None]],
    fail: Callable[[T, Exception], None],
) -> None:
    """Commit the group at once, or in halves where the database refuses what one of them holds.

    That one is given to `fail`, with the error to answer. Raises what an outage raises: nothing is
    known of those that were neither committed nor failed.
    """
    parts = deque([group])
    while parts:
        part = parts.popleft()
        try:
            await commit(part)
        except Exception as error:
            if isinstance(error, OUTAGES) and not isinstance(error, CONTENT_ERRORS):
                raise
            if len(part) > 1:
                middle = len(part) // 2
                parts.extendleft((part[middle:], part[:middle]))
            elif isinstance(error, NusabusError) or not isinstance(error, CONTENT_ERRORS):
                fail(part[0], error)
            else:
                fail(part[0], content_refused(error))
