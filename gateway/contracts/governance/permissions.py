"""Who may see and who may change a contract."""

from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base import type_pattern
from gateway.base.errors import NotFound, PreconditionFailed
from gateway.contracts import Author, Registered, Sight, queries
from gateway.identity import Client, Directory

Revision = int | Literal["any"]


def sight_of(client: Client, directory: Directory) -> Sight:
    """What contracts a client may see: its organisation's, public ones, and those of its grants."""
    granted = (g.type for g in directory.grants if g.organisation == client.organisation)
    return Sight(client.operator, client.organisation, tuple(sorted(set(granted))))


def author_of(client: Client) -> Author:
    """A client as the history names it."""
    return Author(client.id, client.organisation)


async def visible(session: AsyncSession, type: str, sight: Sight) -> Registered:
    """A contract. Raises NotFound, also for one that is not for these eyes."""
    known = type_pattern.is_event_type(type)
    registered = await queries.find(session, type) if known else None
    if registered is None or not sight.sees(registered.contract):
        raise NotFound(f"there is no contract {type[:255]} that you may see")
    return registered


def require_revision(registered: Registered, revision: Revision | None) -> None:
    """Raises PreconditionFailed unless the contract is at this revision; None asks nothing."""
    if isinstance(revision, int) and registered.revision != revision:
        raise PreconditionFailed(
            f"{registered.contract.type} was changed meanwhile: it is at revision "
            f"{registered.revision}, look at it again and repeat the change with its new ETag"
        )
