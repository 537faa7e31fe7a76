"""What happens to a version after it was registered: approved, deprecated, retired."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Topic
from gateway.base.errors import ConfirmationRequired, Conflict, Forbidden, Invalid, NotFound
from gateway.contracts import Registered, State, queries, registry
from gateway.contracts.governance.comparison import unapproved
from gateway.contracts.governance.impact import Impact, impact_of
from gateway.contracts.governance.permissions import (
    Revision,
    author_of,
    require_revision,
    sight_of,
    visible,
)
from gateway.contracts.governance.planning import Dependencies
from gateway.contracts.registry import Notice
from gateway.identity import Client, policy


@dataclass(frozen=True, slots=True)
class Retirement:
    """A contract as it is after versions of it were retired, or would be; and whom that hits."""

    registered: Registered
    versions: tuple[int, ...]
    impact: Impact


class Lifecycle:
    """The rules by which versions come into force and leave it. `number` None means all."""

    def __init__(self, use: Dependencies) -> None:
        self._use = use

    async def approve(self, by: Client, type: str, number: int, revision: Revision) -> Registered:
        """Let a draft come into force. For another administrator of the owner."""
        async with self._use.database.change(Topic.CONTRACTS) as session:
            registered = await self._mine(session, by, type, revision)
            if by.organisation != registered.contract.owner:
                raise Forbidden(
                    f"a breaking change is approved by an administrator of "
                    f"{registered.contract.owner}"
                )
            if any(
                other > number and state is State.ACTIVE
                for other, state in registered.versions.items()
            ):
                raise Conflict(
                    f"version {number} was judged before a newer one came into force: register it "
                    "again"
                )
            await registry.approve(session, type, number, by=author_of(by))
            return await self._mine(session, by, type, None)

    async def deprecate(
        self, by: Client, type: str, number: int | None, notice: Notice, revision: Revision
    ) -> Registered:
        """Tell publishers to leave a version, until when, and for what."""
        async with self._use.database.change(Topic.CONTRACTS) as session:
            registered = await self._mine(session, by, type, revision)
            if notice.successor is not None:
                await self._require_successor(session, by, notice.successor)
            usable = (State.ACTIVE, State.DEPRECATED)
            for each in _chosen(registered, number, usable):
                await registry.deprecate(session, type, each, notice, by=author_of(by))
            return await self._mine(session, by, type, None)

    async def retire(
        self,
        by: Client,
        type: str,
        number: int | None,
        revision: Revision | None,
        *,
        confirmed: bool,
        dry_run: bool,
    ) -> Retirement:
        """End versions: they judge nothing any more. A dry run only says whom that hits.

        Raises ConfirmationRequired, with the same report, while somebody is hit and nobody has
        confirmed.
        """
        async with self._use.database.change(Topic.CONTRACTS) as session:
            registered = await self._mine(session, by, type, None if dry_run else revision)
            states = (State.ACTIVE, State.DEPRECATED, State.DRAFT)
            versions = tuple(_chosen(registered, number, states))
            impact = await impact_of(
                session,
                registered.contract,
                self._use.directory.value,
                self._use.reader,
                self._use.receivers,
            )
            if dry_run:
                return Retirement(registered, versions, impact)
            drafts = all(registered.versions[each] is State.DRAFT for each in versions)
            if versions and not drafts and not confirmed:
                raise ConfirmationRequired(
                    f"retiring ends {len(versions)} version(s) of {type}, and events can no longer "
                    "be published by them: repeat the call with confirm=true if that is meant",
                    {"versions": versions, "impact": impact.report()},
                )
            for each in versions:
                await registry.retire(session, type, each, by=author_of(by))
            return Retirement(await self._mine(session, by, type, None), versions, impact)

    async def reinstate(self, by: Client, type: str, number: int, revision: Revision) -> Registered:
        """Take a retirement back: what was a draft is one again.

        Nothing is judged, as what came after a retired version was judged against it as well.
        """
        async with self._use.database.change(Topic.CONTRACTS) as session:
            await self._mine(session, by, type, revision)
            stored = await queries.version(session, type, number)
            if stored is None:
                raise NotFound(f"{type} has no version {number}")
            state = State.DRAFT if unapproved(stored) else State.ACTIVE
            await registry.reinstate(session, type, number, state, by=author_of(by))
            return await self._mine(session, by, type, None)

    async def _mine(
        self, session: AsyncSession, by: Client, type: str, revision: Revision | None
    ) -> Registered:
        registered = await visible(session, type, sight_of(by, self._use.directory.value))
        policy.require_administrator_of(by, registered.contract.owner)
        require_revision(registered, revision)
        return registered

    async def _require_successor(self, session: AsyncSession, by: Client, successor: str) -> None:
        try:
            await visible(session, successor, sight_of(by, self._use.directory.value))
        except NotFound as error:
            raise Invalid(f"{error}: register the successor first", pointer="/successor") from None


def _chosen(registered: Registered, number: int | None, states: Sequence[State]) -> list[int]:
    if number is not None:
        if number not in registered.versions:
            raise NotFound(f"{registered.contract.type} has no version {number}")
        return [number]
    return sorted(each for each, state in registered.versions.items() if state in states)
