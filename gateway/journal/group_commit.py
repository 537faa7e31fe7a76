"""A group commit whose members fail alone: what one of them holds costs the others nothing."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.base.database import CONTENT_ERRORS, OUTAGES, content_refused
from gateway.base.defects import do_apart
from gateway.base.errors import NusabusError
from gateway.journal.incarnation import RESTORING

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

    def ends_all(error: Exception) -> bool:
        outage = isinstance(error, (*OUTAGES, *RESTORING))
        return outage and not isinstance(error, CONTENT_ERRORS)

    def answer(member: T, error: Exception) -> None:
        refused = isinstance(error, CONTENT_ERRORS) and not isinstance(error, NusabusError)
        fail(member, content_refused(error) if refused else error)

    await do_apart(group, commit, answer, ends_all=ends_all)
