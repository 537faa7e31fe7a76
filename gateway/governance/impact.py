"""Who is hit when a contract changes: its subscriptions, and who publishes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway import subscriptions, typepattern
from gateway.contracts import Contract
from gateway.identity import Action, Directory
from gateway.journal import Reader
from gateway.times import rfc3339


@dataclass(frozen=True, slots=True)
class Publisher:
    """An organisation that may publish a type, and when it last did, of late."""

    organisation: str
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Impact:
    """Who receives and who sends; subscriptions as organisation and name."""

    subscriptions: tuple[tuple[str, str], ...]
    publishers: tuple[Publisher, ...]

    def report(self) -> Mapping[str, Any]:
        """As JSON has it."""
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


async def impact_of(
    session: AsyncSession, contract: Contract, directory: Directory, reader: Reader
) -> Impact:
    """Whom a change of this contract hits."""
    known = await subscriptions.load(session)
    types = (contract.type, typepattern.reply_type(contract.type))
    wanting = sorted(each.key for each in known.all if any(map(each.wants, types)))
    last: dict[str, datetime | None] = {contract.owner: None}
    for grant in directory.grants:
        if grant.action is Action.PUBLISH and typepattern.matches(grant.type, contract.type):
            last[grant.organisation] = None
    for client_id, time in (await reader.senders(contract.type)).items():
        client = directory.client(client_id)
        name = client.organisation if client else client_id
        before = last.get(name)
        last[name] = time if before is None else max(before, time)
    publishers = tuple(Publisher(name, time) for name, time in sorted(last.items()))
    return Impact(tuple(wanting), publishers)
