"""Visibility and revisions of contracts."""

from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base import type_pattern
from gateway.base.errors import NotFound, PreconditionFailed
from gateway.contracts import Author, RegisteredContract, Visibility, queries
from gateway.identity import Client, Directory

Revision = int | Literal["any"]


def visibility_of(client: Client, directory: Directory) -> Visibility:
    """The contracts that a client may see: its organisation's, public ones, and granted types."""
    granted = {grant.type for grant in directory.grants_to(client.organisation)}
    return Visibility(client.operator, client.organisation, tuple(sorted(granted)))


def author_of(client: Client) -> Author:
    """A client as the history of a contract names it."""
    return Author(client.id, client.organisation)


async def find_visible(
    session: AsyncSession, type: str, visibility: Visibility
) -> RegisteredContract:
    """A contract. Raises NotFound, also if the caller may not see it."""
    known = type_pattern.is_event_type(type)
    registered = await queries.find(session, type) if known else None
    if registered is None or not visibility.includes(registered.contract):
        raise NotFound("There is no such contract that you may see.")
    return registered


def require_revision(registered: RegisteredContract, revision: Revision | None) -> None:
    """Raises PreconditionFailed unless the contract has this revision; None checks nothing."""
    if isinstance(revision, int) and registered.revision != revision:
        raise PreconditionFailed(
            f"{registered.contract.type} has changed: its revision is {registered.revision}. Read "
            "it again and repeat the change with the new ETag."
        )
