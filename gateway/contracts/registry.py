"""The registry: contracts in the database."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway import jsontext
from gateway.contracts.tables import ContractRow, ExampleRow, VersionRow
from gateway.contracts.values import Contract, Submission, Version
from gateway.errors import Conflict

_encode = msgspec.json.Encoder(decimal_format="number").encode
_canonicalise = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode


async def register(session: AsyncSession, submission: Submission) -> bool:
    """Store an admitted contract; storing it again changes nothing. True if anything is new.

    Run inside `Database.change(Topic.CONTRACTS)`. Raises Conflict where events may exist that
    were judged by what this would change: a pattern, an owner, or a schema under its old number.
    """
    contract = submission.contract
    changed = await _register_contract(session, contract)
    for version in submission.versions:
        changed |= await _register_version(session, contract.type, version)
    if changed:
        await session.execute(delete(ExampleRow).where(col(ExampleRow.type) == contract.type))
        session.add_all(_examples(submission))
    return changed


async def _register_contract(session: AsyncSession, contract: Contract) -> bool:
    row = await session.get(ContractRow, contract.type)
    if row is None:
        session.add(_row(contract, datetime.now(UTC)))
        await session.flush()
        return True
    if (row.owner, row.pattern) != (contract.owner, contract.pattern.value):
        raise Conflict(
            f"{contract.type}: owner and pattern are for life: publish a new major type instead"
        )
    new = _row(contract, row.created).model_dump()
    changed = new != row.model_dump()
    row.sqlmodel_update(new)
    return changed


async def _register_version(session: AsyncSession, type: str, version: Version) -> bool:
    digest = digest_of(version)
    row = await session.get(VersionRow, (type, version.number))
    if row is None:
        session.add(
            VersionRow(
                type=type,
                number=version.number,
                digest=digest,
                text=version.text,
                reply=version.reply,
                created=datetime.now(UTC),
            )
        )
        return True
    if row.digest != digest:
        raise Conflict(
            f"{type}: version {version.number} is registered with another schema: "
            f"write the change as a new version"
        )
    return False


def digest_of(version: Version) -> bytes:
    """SHA-256 of what a version judges by, indifferent to white space and member order."""
    parts = [version.text] + ([version.reply] if version.reply is not None else [])
    return hashlib.sha256(b"\n".join(_canonical(part) for part in parts)).digest()


def _canonical(text: bytes) -> bytes:
    return _canonicalise(jsontext.parse(text))


def _row(contract: Contract, created: datetime) -> ContractRow:
    return ContractRow(
        type=contract.type,
        owner=contract.owner,
        title=contract.title,
        description=contract.description,
        pattern=contract.pattern.value,
        classification=contract.classification.value,
        ordering_key=contract.ordering.key,
        ordering_description=contract.ordering.description,
        created=created,
    )


def _examples(submission: Submission) -> Iterator[ExampleRow]:
    documents: list[tuple[str, str, Any]] = [
        *(("valid", name, data) for name, data in submission.valid.items()),
        *(("invalid", example.name, asdict(example)) for example in submission.invalid),
        *(("valid-reply", name, data) for name, data in submission.valid_replies.items()),
        *(("invalid-reply", e.name, asdict(e)) for e in submission.invalid_replies),
    ]
    for kind, name, document in documents:
        yield ExampleRow(
            type=submission.contract.type, kind=kind, name=name, document=_encode(document)
        )
