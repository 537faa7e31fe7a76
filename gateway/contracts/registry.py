"""The registry: contracts in the database.

Everything here that changes something runs inside `Database.change(Topic.CONTRACTS)`, so changes
take turns, and what was read in the same transaction still holds at its commit.
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
from gateway.contracts.admission import NOTHING, bundles_of
from gateway.contracts.compatibility import Rule
from gateway.contracts.compiling import Library
from gateway.contracts.content import digest_of, example_rows, examples_document
from gateway.contracts.tables import CHANGED, ContractRow, ExampleRow, VersionRow
from gateway.contracts.values import Author, Contract, State, Submission, Version

OPERATOR = Author("files", "nusabus")  # the operator's command that loads a folder
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be stored in a state, with what is known of it. `verdict` is JSON.

    `closed` says that publishers are held to its closed form.
    """

    version: Version
    state: State
    verdict: bytes | None = None
    closed: bool = False


async def register(
    session: AsyncSession,
    submission: Submission,
    *,
    by: Author = OPERATOR,
    library: Library = NOTHING,
    verdicts: Mapping[int, bytes] = MappingProxyType({}),
    closed: bool = False,
) -> bool:
    """Store an admitted contract; storing it again changes nothing. True if anything is new.

    `verdicts` are what was found of its new versions, by number, as JSON. Raises Conflict where
    events may exist that were judged by what this would change: a pattern, an owner, or a schema
    under its old number.
    """
    contract = submission.contract
    changed = await put_contract(session, contract, by=by)
    if submission.rule is not None:
        changed |= await put_rule(session, contract.type, submission.rule, by=by)
    for version in submission.versions:
        if await _is_known(session, contract.type, version):
            continue
        new = NewVersion(version, State.ACTIVE, verdicts.get(version.number), closed)
        await add_version(session, submission, new, by=by, library=library)
        changed = True
    if changed:
        await put_examples(session, submission)
    return changed


async def put_contract(session: AsyncSession, contract: Contract, *, by: Author) -> bool:
    """Make a contract, or change what may change of it; True if anything did."""
    row = await session.get(ContractRow, contract.type)
    if row is None:
        session.add(_row(contract))
        await session.flush()
        await _touch(session, contract.type)
        await history.add(session, contract.type, by, "created", None, _facts(contract))
        return True
    if (row.owner, row.pattern) != (contract.owner, contract.pattern.value):
        raise Conflict(
            f"{contract.type}: owner and pattern are for life: publish a new major type instead"
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
    """Give a contract a compatibility of its own, or with None the default; True if it changed."""
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
    library: Library = NOTHING,
) -> None:
    """Store a version of an admitted submission. Its schema must not be registered yet."""
    type, version = submission.contract.type, new.version
    bundles = bundles_of(version, library)
    session.add(
        VersionRow(
            type=type,
            number=version.number,
            digest=digest_of(version),
            text=version.text,
            reply=version.reply,
            created=datetime.now(UTC),
            state=new.state.value,
            bundle=bundles.text,
            reply_bundle=bundles.reply,
            closed=new.closed,
            examples=_encode(examples_document(submission)),
            comparison=new.verdict,
            registered_by=by.client,
        )
    )
    await session.flush()
    await _touch(session, type)
    detail = {"state": new.state.value, "digest": digest_of(version).hex()}
    await history.add(session, type, by, "version", version.number, detail)


async def approve(session: AsyncSession, type: str, number: int, *, by: Author) -> None:
    """Let a draft become active. Raises Conflict if it is none, or by who registered it."""
    row = await _version_row(session, type, number)
    if row.state != State.DRAFT:
        raise Conflict(f"version {number} is {row.state}: only a draft is approved")
    if row.registered_by == by.client:
        raise Conflict(
            f"version {number} was registered by this client: another administrator must approve it"
        )
    row.state, row.approved_by = State.ACTIVE.value, by.client
    await _touch(session, type)
    await history.add(session, type, by, "approved", number, {})


@dataclass(frozen=True, slots=True)
class Notice:
    """That a version should no longer be used."""

    sunset: datetime | None
    successor: str | None


async def deprecate(
    session: AsyncSession, type: str, number: int, notice: Notice, *, by: Author
) -> bool:
    """Tell publishers to leave a version; True if anything changed. Raises Conflict."""
    row = await _version_row(session, type, number)
    if row.state not in (State.ACTIVE, State.DEPRECATED):
        raise Conflict(f"version {number} is {row.state}: only what is active can be deprecated")
    if row.state == State.DEPRECATED and (row.sunset, row.successor) == (
        notice.sunset,
        notice.successor,
    ):
        return False
    row.state, row.deprecated = State.DEPRECATED.value, row.deprecated or datetime.now(UTC)
    row.sunset, row.successor = notice.sunset, notice.successor
    await _touch(session, type)
    await history.add(session, type, by, "deprecated", number, asdict(notice))
    return True


async def retire(session: AsyncSession, type: str, number: int, *, by: Author) -> bool:
    """Let a version judge nothing more; True if it did until now. A draft is so withdrawn."""
    row = await _version_row(session, type, number)
    if row.state == State.RETIRED:
        return False
    before, row.state = row.state, State.RETIRED.value
    await _touch(session, type)
    await history.add(session, type, by, "retired", number, {"before": before})
    return True


async def reinstate(
    session: AsyncSession, type: str, number: int, state: State, *, by: Author
) -> None:
    """Bring a retired version back into a state. Raises Conflict for one that is not retired."""
    row = await _version_row(session, type, number)
    if row.state != State.RETIRED:
        raise Conflict(f"version {number} is {row.state}: only what is retired is brought back")
    row.state = state.value
    await _touch(session, type)
    await history.add(session, type, by, "reinstated", number, {"state": state.value})


async def put_examples(session: AsyncSession, submission: Submission) -> None:
    """Keep the examples of the newest active version with the contract."""
    await session.execute(
        delete(ExampleRow).where(col(ExampleRow.type) == submission.contract.type)
    )
    session.add_all(example_rows(submission))


async def _contract_row(session: AsyncSession, type: str) -> ContractRow:
    row = await session.get(ContractRow, type)
    if row is None:
        raise NotFound(f"there is no contract {type}")
    return row


async def _version_row(session: AsyncSession, type: str, number: int) -> VersionRow:
    row = await session.get(VersionRow, (type, number))
    if row is None:
        raise NotFound(f"{type} has no version {number}")
    return row


async def _touch(session: AsyncSession, type: str) -> None:
    """Let administrators and catalogues see that the contract is another one than before."""
    row = await _contract_row(session, type)
    row.changed = (await session.execute(select(func.nextval(CHANGED.name)))).scalar_one()
    row.revision = row.revision + 1 if row.revision else 1
    await session.flush()


async def _is_known(session: AsyncSession, type: str, version: Version) -> bool:
    digest = digest_of(version)
    row = await session.get(VersionRow, (type, version.number))
    if row is not None and row.digest != digest:
        raise Conflict(
            f"{type}: version {version.number} is registered with another schema: "
            f"write the change as a new version"
        )
    if row is None:
        same = await number_of(session, type, digest)
        if same is not None:
            raise Conflict(f"{type}: version {version.number} has the schema of version {same}")
    return row is not None


async def number_of(session: AsyncSession, type: str, digest: bytes) -> int | None:
    """The version of a contract that has this digest."""
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
