"""The registry: contracts in the database.

Every change runs inside `Database.change(Topic.CONTRACTS)`: changes happen one after another, and
a value that was read in the transaction is still true at its commit.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.errors import Conflict, NotFound
from gateway.contracts import history
from gateway.contracts.admission import EMPTY_LIBRARY, Bundles, bundles_of
from gateway.contracts.compatibility import Rule
from gateway.contracts.compilation import Library
from gateway.contracts.content import digest_of, example_rows, examples_document
from gateway.contracts.cost import INLINE_UNKNOWN
from gateway.contracts.tables import CHANGED, ContractRow, ExampleRow, VersionRow
from gateway.contracts.values import Author, Contract, Submission, Version, VersionState

OPERATOR = Author("files", "nusabus")  # the command that loads a folder
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be stored. `report` is its compatibility report as JSON.

    If `closed`, data are validated against its closed form. Events of at most `inline_bytes` are
    validated inline, see `admit`.
    """

    version: Version
    bundles: Bundles
    state: VersionState
    report: bytes | None = None
    closed: bool = False
    inline_bytes: int = INLINE_UNKNOWN


async def register(
    session: AsyncSession,
    submission: Submission,
    *,
    by: Author = OPERATOR,
    library: Library = EMPTY_LIBRARY,
    reports: Mapping[int, bytes] = MappingProxyType({}),
    closed: bool = False,
    inline: Mapping[int, int] = MappingProxyType({}),
) -> bool:
    """Store an admitted contract; storing it again changes nothing. True if anything is new.

    By number, `reports` are the compatibility reports of its new versions as JSON, and `inline` is
    what `admit` returned. Raises Conflict
    for a change of something that existing events rely on: the pattern, the owner, or the schema
    of a registered version.
    """
    contract = submission.contract
    changed = await put_contract(session, contract, by=by)
    if submission.rule is not None:
        changed |= await put_rule(session, contract.type, submission.rule, by=by)
    for version in submission.versions:
        if await _is_known(session, contract.type, version):
            continue
        number = version.number
        new = NewVersion(
            version,
            bundles_of(version, library),
            VersionState.ACTIVE,
            reports.get(number),
            closed,
            inline.get(number, INLINE_UNKNOWN),
        )
        await add_version(session, submission, new, by=by)
        changed = True
    if changed:
        await put_examples(session, submission)
    return changed


async def put_contract(session: AsyncSession, contract: Contract, *, by: Author) -> bool:
    """Create a contract, or change its facts; True if anything changed.

    Raises Conflict for another owner or pattern.
    """
    row = await session.get(ContractRow, contract.type)
    if row is None:
        session.add(_row(contract))
        await session.flush()
        await _touch(session, contract.type)
        await history.add(session, contract.type, by, "created", None, _facts(contract))
        return True
    if (row.owner, row.pattern) != (contract.owner, contract.pattern.value):
        raise Conflict(
            f"{contract.type}: owner and pattern cannot change. Register a new major type."
        )
    changes = {
        name: value for name, value in _facts(contract).items() if getattr(row, name) != value
    }
    if changes:
        row.sqlmodel_update(changes)
        await _touch(session, contract.type)
        await history.add(session, contract.type, by, "changed", None, changes)
    return bool(changes)


async def put_rule(session: AsyncSession, type: str, rule: Rule | None, *, by: Author) -> bool:
    """Set the compatibility rule of a contract; None means the default. True if it changed."""
    row = await _contract_row(session, type)
    mode, policy = (rule.mode.value, rule.policy.value) if rule else (None, None)
    if (row.mode, row.policy) == (mode, policy):
        return False
    row.mode, row.policy = mode, policy
    await _touch(session, type)
    await history.add(session, type, by, "rule", None, {"mode": mode, "policy": policy})
    return True


async def add_version(
    session: AsyncSession,
    submission: Submission,
    new: NewVersion,
    *,
    by: Author,
) -> None:
    """Store a version of an admitted submission. Its schema must not be registered yet."""
    type, version = submission.contract.type, new.version
    session.add(
        VersionRow(
            type=type,
            number=version.number,
            digest=digest_of(version),
            text=version.text,
            reply=version.reply,
            created=datetime.now(UTC),
            state=new.state.value,
            bundle=new.bundles.text,
            reply_bundle=new.bundles.reply,
            closed=new.closed,
            inline_bytes=new.inline_bytes,
            examples=_encode(examples_document(submission)),
            comparison=new.report,
            registered_by=by.client,
        )
    )
    await session.flush()
    await _touch(session, type)
    detail = {"state": new.state.value, "digest": digest_of(version).hex()}
    await history.add(session, type, by, "version", version.number, detail)


async def approve(session: AsyncSession, type: str, number: int, *, by: Author) -> None:
    """Activate a draft. Raises Conflict if it is no draft, or if `by` registered it."""
    row = await _version_row(session, type, number)
    if row.state != VersionState.DRAFT:
        raise Conflict(f"Version {number} is {row.state}. Only a draft can be approved.")
    if row.registered_by == by.client:
        raise Conflict(
            f"This client registered version {number}. Another administrator must approve it."
        )
    row.state, row.approved_by = VersionState.ACTIVE.value, by.client
    await _touch(session, type)
    await history.add(session, type, by, "approved", number, {})


@dataclass(frozen=True, slots=True)
class DeprecationNotice:
    """When a deprecated version stops working, and what replaces it, as far as known."""

    sunset: datetime | None
    successor: str | None


async def deprecate(
    session: AsyncSession, type: str, number: int, notice: DeprecationNotice, *, by: Author
) -> bool:
    """Deprecate a version; True if anything changed. Raises Conflict if it is not usable."""
    row = await _version_row(session, type, number)
    if row.state not in (VersionState.ACTIVE, VersionState.DEPRECATED):
        raise Conflict(
            f"Version {number} is {row.state}. Only an active version can be deprecated."
        )
    if row.state == VersionState.DEPRECATED and (row.sunset, row.successor) == (
        notice.sunset,
        notice.successor,
    ):
        return False
    row.state, row.deprecated = VersionState.DEPRECATED.value, row.deprecated or datetime.now(UTC)
    row.sunset, row.successor = notice.sunset, notice.successor
    await _touch(session, type)
    await history.add(session, type, by, "deprecated", number, asdict(notice))
    return True


async def retire(session: AsyncSession, type: str, number: int, *, by: Author) -> bool:
    """Retire a version, or withdraw a draft; True if it was not retired before."""
    row = await _version_row(session, type, number)
    if row.state == VersionState.RETIRED:
        return False
    before, row.state = row.state, VersionState.RETIRED.value
    await _touch(session, type)
    await history.add(session, type, by, "retired", number, {"before": before})
    return True


async def reinstate(
    session: AsyncSession, type: str, number: int, state: VersionState, *, by: Author
) -> None:
    """Set a retired version to another state. Raises Conflict if it is not retired."""
    row = await _version_row(session, type, number)
    if row.state != VersionState.RETIRED:
        raise Conflict(
            f"Version {number} is {row.state}. Only a retired version can be reinstated."
        )
    row.state = state.value
    await _touch(session, type)
    await history.add(session, type, by, "reinstated", number, {"state": state.value})


async def put_examples(session: AsyncSession, submission: Submission) -> None:
    """Store the examples of the newest active version with the contract."""
    await session.execute(
        delete(ExampleRow).where(col(ExampleRow.type) == submission.contract.type)
    )
    session.add_all(example_rows(submission))


async def _contract_row(session: AsyncSession, type: str) -> ContractRow:
    row = await session.get(ContractRow, type)
    if row is None:
        raise NotFound("There is no such contract.")
    return row


async def _version_row(session: AsyncSession, type: str, number: int) -> VersionRow:
    row = await session.get(VersionRow, (type, number))
    if row is None:
        raise NotFound(f"{type} has no version {number}.")
    return row


async def _touch(session: AsyncSession, type: str) -> None:
    """Mark a contract as changed, for catalogues and for the ETag."""
    row = await _contract_row(session, type)
    row.changed = (await session.execute(select(func.nextval(CHANGED.name)))).scalar_one()
    row.revision = row.revision + 1 if row.revision else 1
    await session.flush()


async def _is_known(session: AsyncSession, type: str, version: Version) -> bool:
    digest = digest_of(version)
    row = await session.get(VersionRow, (type, version.number))
    if row is not None and row.digest != digest:
        raise Conflict(
            f"{type}: version {version.number} is registered with another schema. "
            f"Register the change as a new version."
        )
    if row is None:
        same = await number_of(session, type, digest)
        if same is not None:
            raise Conflict(f"{type}: version {version.number} has the schema of version {same}.")
    return row is not None


async def number_of(session: AsyncSession, type: str, digest: bytes) -> int | None:
    """The number of the version with this digest, if any."""
    query = select(col(VersionRow.number)).where(
        col(VersionRow.type) == type, col(VersionRow.digest) == digest
    )
    return (await session.execute(query)).scalar_one_or_none()


def _facts(contract: Contract) -> dict[str, Any]:
    return {
        "title": contract.title,
        "description": contract.description,
        "classification": contract.classification.value,
        "ordering_key": contract.ordering.key,
        "ordering_description": contract.ordering.description,
        "non_delivery_report": contract.non_delivery_report,
        "retention_days": contract.retention_days,
    }


def _row(contract: Contract) -> ContractRow:
    return ContractRow(
        type=contract.type,
        owner=contract.owner,
        pattern=contract.pattern.value,
        created=datetime.now(UTC),
        revision=0,
        **_facts(contract),
    )
