"""The impact of a change: the subscriptions and publishers of a contract."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base import type_pattern
from gateway.base.times import rfc3339
from gateway.contracts import Contract
from gateway.identity import Directory, GrantAction
from gateway.journal import JournalReader


@dataclass(frozen=True, slots=True)
class Publisher:
    """An organisation that may publish a type, and when it last did (in recent time)."""

    organisation: str
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Impact:
    """The subscriptions (organisation and name) and publishers that a change concerns."""

    subscriptions: tuple[tuple[str, str], ...]
    publishers: tuple[Publisher, ...]

    def as_json(self) -> dict[str, Any]:
        """The impact as JSON has it."""
        return {
            "subscriptions": [
                {"organisation": organisation, "name": name}
                for organisation, name in self.subscriptions
            ],
            "publishers": [
                {
                    "organisation": each.organisation,
                    "last_published": None if each.last is None else rfc3339(each.last),
                }
                for each in self.publishers
            ],
        }


Receivers = Callable[[AsyncSession, Collection[str]], Awaitable[Sequence[tuple[str, str]]]]
"""Finds the subscriptions (organisation and name) that receive one of these event types."""


async def impact_of(
    session: AsyncSession,
    contract: Contract,
    directory: Directory,
    reader: JournalReader,
    receivers: Receivers,
) -> Impact:
    """The subscriptions and publishers of a contract."""
    types = (contract.type, type_pattern.reply_type(contract.type))
    subscriptions = await receivers(session, types)
    last: dict[str, datetime | None] = {contract.owner: None}
    for grant in directory.grants:
        if grant.action is GrantAction.PUBLISH and type_pattern.matches(grant.type, contract.type):
            last[grant.organisation] = None
    last |= await reader.recent_publishers(contract.type)
    publishers = tuple(Publisher(name, time) for name, time in sorted(last.items()))
    return Impact(tuple(subscriptions), publishers)
