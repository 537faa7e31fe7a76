"""The lifecycle of registered versions: approval, deprecation, retirement, reinstatement."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Topic
from gateway.base.errors import ConfirmationRequired, Conflict, Forbidden, Invalid, NotFound
from gateway.contracts import RegisteredContract, VersionState, queries, registry
from gateway.contracts.governance.comparison import unapproved
from gateway.contracts.governance.context import GovernanceContext
from gateway.contracts.governance.impact import Impact, impact_of
from gateway.contracts.governance.permissions import (
    Revision,
    author_of,
    find_visible,
    require_revision,
    visibility_of,
)
from gateway.contracts.registry import DeprecationNotice
from gateway.identity import Client, policy


@dataclass(frozen=True, slots=True)
class Retirement:
    """A contract with the versions that were retired, or would be, and who is affected."""

    registered: RegisteredContract
    versions: tuple[int, ...]
    impact: Impact


class VersionLifecycle:
    """The rules by which versions come into force and are ended. `number` None means all."""

    def __init__(self, context: GovernanceContext) -> None:
        self._context = context

    async def approve(
        self, by: Client, type: str, number: int, revision: Revision
    ) -> RegisteredContract:
        """Activate a draft. Only another administrator of the owner may do this."""
        async with self._context.database.change(Topic.CONTRACTS) as session:
            registered = await self._owned(session, by, type, revision)
            owner = registered.contract.owner
            if by.organisation != owner:
                raise Forbidden(f"Only an administrator of {owner} can approve a breaking version.")
            if any(
                other > number and state is VersionState.ACTIVE
                for other, state in registered.versions.items()
            ):
                raise Conflict(
                    f"A version newer than {number} has become active since version {number} was "
                    "compared. Register it again."
                )
            await registry.approve(session, type, number, by=author_of(by))
            return await self._owned(session, by, type, None)

    async def deprecate(
        self,
        by: Client,
        type: str,
        number: int | None,
        notice: DeprecationNotice,
        revision: Revision,
    ) -> RegisteredContract:
        """Deprecate a version, with its sunset and successor if they are known."""
        async with self._context.database.change(Topic.CONTRACTS) as session:
            registered = await self._owned(session, by, type, revision)
            if notice.successor is not None:
                await self._require_successor(session, by, notice.successor)
            usable = (VersionState.ACTIVE, VersionState.DEPRECATED)
            for each in _chosen(registered, number, usable):
                await registry.deprecate(session, type, each, notice, by=author_of(by))
            return await self._owned(session, by, type, None)

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
        """Retire versions: no event can be published with them. A dry run only reports the impact.

        Raises ConfirmationRequired, with the impact, unless it is confirmed or only drafts end.
        """
        async with self._context.database.change(Topic.CONTRACTS) as session:
            registered = await self._owned(session, by, type, None if dry_run else revision)
            states = (VersionState.ACTIVE, VersionState.DEPRECATED, VersionState.DRAFT)
            versions = tuple(_chosen(registered, number, states))
            impact = await impact_of(
                session,
                registered.contract,
                self._context.directory.value,
                self._context.reader,
                self._context.receivers,
            )
            if dry_run:
                return Retirement(registered, versions, impact)
            drafts = all(registered.versions[each] is VersionState.DRAFT for each in versions)
            if versions and not drafts and not confirmed:
                raise ConfirmationRequired(
                    f"Retiring ends {len(versions)} version(s) of {type}. No event can be "
                    "published with them afterwards. Repeat the request with confirm=true.",
                    {"versions": versions, "impact": impact.as_json()},
                )
            for each in versions:
                await registry.retire(session, type, each, by=author_of(by))
            return Retirement(await self._owned(session, by, type, None), versions, impact)

    async def reinstate(
        self, by: Client, type: str, number: int, revision: Revision
    ) -> RegisteredContract:
        """Undo a retirement. A version that was a draft becomes a draft again.

        Nothing is compared: later versions were compared with the retired one as well.
        """
        async with self._context.database.change(Topic.CONTRACTS) as session:
            await self._owned(session, by, type, revision)
            stored = await queries.version(session, type, number)
            if stored is None:
                raise NotFound(f"{type} has no version {number}.")
            state = VersionState.DRAFT if unapproved(stored) else VersionState.ACTIVE
            await registry.reinstate(session, type, number, state, by=author_of(by))
            return await self._owned(session, by, type, None)

    async def _owned(
        self, session: AsyncSession, by: Client, type: str, revision: Revision | None
    ) -> RegisteredContract:
        """The contract, which `by` may change. Raises NotFound, Forbidden, PreconditionFailed."""
        visibility = visibility_of(by, self._context.directory.value)
        registered = await find_visible(session, type, visibility)
        policy.require_administrator_of(by, registered.contract.owner)
        require_revision(registered, revision)
        return registered

    async def _require_successor(self, session: AsyncSession, by: Client, successor: str) -> None:
        try:
            await find_visible(session, successor, visibility_of(by, self._context.directory.value))
        except NotFound:
            raise Invalid(
                f"The successor {successor[:255]} is not registered. Register it first.",
                pointer="/successor",
            ) from None


def _chosen(
    registered: RegisteredContract, number: int | None, states: Sequence[VersionState]
) -> list[int]:
    if number is not None:
        if number not in registered.versions:
            raise NotFound(f"{registered.contract.type} has no version {number}.")
        return [number]
    return sorted(each for each, state in registered.versions.items() if state in states)
