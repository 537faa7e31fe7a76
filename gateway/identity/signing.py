"""The keys that sign access tokens: one is active, the next is published, older ones are retired.

A key is in the directory of every process before it signs its first token, and stays there until
its last token has expired. So a rotation invalidates no token.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from secrets import token_urlsafe
from typing import Any

from joserfc.jwk import ECKey
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict, NotFound
from gateway.base.sealing import seal, unseal
from gateway.base.settings import Settings
from gateway.identity import policy
from gateway.identity.tables import SigningKeyRow
from gateway.identity.values import Client, Role, is_key

ALGORITHM = "ES256"
ROTATE_AFTER = timedelta(days=90)
SETTLE = timedelta(seconds=10)  # from publishing a key until every process knows it
_LATE = timedelta(seconds=60)  # a process may sign with the old key a little longer
_PURPOSE = "signing keys v1"


class KeyState(StrEnum):
    """The state of a signing key."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True)
class SigningKey:
    """A key pair; `public` is its JWK (RFC 7517), the private part stays sealed."""

    kid: str
    public: Mapping[str, Any]
    sealed: bytes = field(repr=False)
    state: KeyState
    created: datetime
    activated: datetime | None
    retired: datetime | None

    def private(self, secret_key: SecretStr) -> ECKey:
        """The private key. Raises WrongSecretKey if it was sealed under another secret key."""
        return ECKey.import_key(json.loads(unseal(secret_key, _PURPOSE, self.kid, self.sealed)))


async def load_signing_keys(session: AsyncSession) -> tuple[SigningKey, ...]:
    """Every key, the youngest first."""
    rows = await session.execute(
        select(SigningKeyRow).order_by(col(SigningKeyRow.created).desc(), col(SigningKeyRow.kid))
    )
    return tuple(_value(row) for row in rows.scalars())


async def list_signing_keys(database: Database, *, by: Client) -> tuple[SigningKey, ...]:
    """Every key, the youngest first. Raises Forbidden unless the client is the operator's."""
    policy.require_operator(by, Role.ADMIN, Role.AUDITOR)
    async with database.session() as session:
        return await load_signing_keys(session)


async def rotate_signing_keys(database: Database, settings: Settings, *, by: Client) -> None:
    """The next key becomes the active one, and a new next one is published.

    Raises Forbidden, or Conflict while a process might not know the next key yet.
    """
    policy.require_operator(by, Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        keys = await _unretired(session)
        active, following = keys.get(KeyState.ACTIVE), keys.get(KeyState.NEXT)
        if active is None or following is None or not _is_known_everywhere(following):
            raise Conflict(
                f"The next key was published less than {SETTLE.seconds} s ago. Wait, then rotate."
            )
        await _rotate(session, active, following, settings)


async def withdraw_signing_key(database: Database, kid: str, *, by: Client) -> None:
    """Remove a retired key now: its tokens are refused within a second.

    Raises Forbidden, NotFound, or Conflict for a key that is not retired.
    """
    policy.require_operator(by, Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        row = await session.get(SigningKeyRow, kid) if is_key(kid) else None
        if row is None:
            raise NotFound("There is no such signing key.")
        if row.state != KeyState.RETIRED:
            raise Conflict(f"The key is {row.state}. Rotate until it is retired, then withdraw it.")
        await session.delete(row)


async def maintain_signing_keys(database: Database, settings: Settings) -> None:
    """Make the first keys, rotate an old one, remove those whose last token has expired.

    Called at the start of every process and periodically; costs one read if nothing is due. Raises
    WrongSecretKey if the secret key is not the one of this database.
    """
    async with database.session() as session:
        keys = {key.state: key for key in await load_signing_keys(session)}
        expired = await _expired(session, settings)
    active = keys.get(KeyState.ACTIVE)
    if active is not None:
        active.private(settings.secret_key)
    if active is None or KeyState.NEXT not in keys or expired or _is_old(active):
        await _maintain(database, settings)


async def _maintain(database: Database, settings: Settings) -> None:
    async with database.change(Topic.IDENTITY) as session:
        for row in await _expired(session, settings):
            await session.delete(row)
        keys = await _unretired(session)
        active, following = keys.get(KeyState.ACTIVE), keys.get(KeyState.NEXT)
        if active is None:
            session.add(_row(new_signing_key(settings, KeyState.ACTIVE)))
        if following is None:
            session.add(_row(new_signing_key(settings, KeyState.NEXT)))
        elif active is not None and _is_old(active) and _is_known_everywhere(following):
            await _rotate(session, active, following, settings)


async def _rotate(
    session: AsyncSession, active: SigningKeyRow, following: SigningKeyRow, settings: Settings
) -> None:
    now = datetime.now(UTC)
    active.state, active.retired = KeyState.RETIRED, now
    await session.flush()  # two keys must never be active at once
    following.state, following.activated = KeyState.ACTIVE, now
    await session.flush()
    session.add(_row(new_signing_key(settings, KeyState.NEXT)))


async def _unretired(session: AsyncSession) -> dict[str, SigningKeyRow]:
    rows = await session.execute(
        select(SigningKeyRow).where(col(SigningKeyRow.state) != KeyState.RETIRED)
    )
    return {row.state: row for row in rows.scalars()}


async def _expired(session: AsyncSession, settings: Settings) -> list[SigningKeyRow]:
    last_token_gone = datetime.now(UTC) - timedelta(seconds=settings.token_seconds) - _LATE
    rows = await session.execute(
        select(SigningKeyRow).where(
            col(SigningKeyRow.state) == KeyState.RETIRED,
            col(SigningKeyRow.retired) < last_token_gone,
        )
    )
    return list(rows.scalars())


def _is_old(key: SigningKey | SigningKeyRow) -> bool:
    return key.activated is None or key.activated < datetime.now(UTC) - ROTATE_AFTER


def _is_known_everywhere(following: SigningKeyRow) -> bool:
    return following.created <= datetime.now(UTC) - SETTLE


def new_signing_key(settings: Settings, state: KeyState) -> SigningKey:
    """A new key pair."""
    kid = token_urlsafe(9)
    key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": ALGORITHM})
    now = datetime.now(UTC)
    return SigningKey(
        kid=kid,
        public=key.as_dict(private=False),
        sealed=seal(
            settings.secret_key, _PURPOSE, kid, json.dumps(key.as_dict(private=True)).encode()
        ),
        state=state,
        created=now,
        activated=now if state is KeyState.ACTIVE else None,
        retired=None,
    )


def _row(key: SigningKey) -> SigningKeyRow:
    return SigningKeyRow(**vars(key))


def _value(row: SigningKeyRow) -> SigningKey:
    return SigningKey(
        row.kid,
        row.public,
        row.sealed,
        KeyState(row.state),
        row.created,
        row.activated,
        row.retired,
    )
