"""Client secrets: random, shown once, kept as keyed hashes, two at a time so that they can rotate.

A secret has 256 random bits, so its hash needs no salt and no work factor (NIST SP 800-63B, section
5.1.2.2, is about secrets that people choose). It is keyed, so a stolen table alone is of no use to
test secrets.
"""

import hmac
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from secrets import token_hex, token_urlsafe

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict, NotAuthenticated, NotFound, Refused
from gateway.base.rate_limit import KeyedBuckets, RateLimit
from gateway.base.sealing import purpose_key
from gateway.base.settings import Settings
from gateway.identity.clients import reachable
from gateway.identity.tables import CLIENTS, ClientRow, SecretRow, client_of
from gateway.identity.values import Client, ClientState, Role

SECRETS = 2  # at most, per client
PREFIX = "nbs_"  # so that a leaked secret is recognised as one
_PURPOSE = "client secrets v1"
_PLAUSIBLE_ID = re.compile(r"[a-z0-9-]{1,80}")
_NO_SECRET = bytes(32)  # the hash of no secret


class TooManyAttempts(Refused):
    """Too many failed attempts; `retry_after` is in seconds."""

    code = "too-many-attempts"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many failed attempts. Wait {retry_after} s, then try again.")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret as it is listed, without the secret itself."""

    id: str
    created: datetime


class ClientAuthenticator:
    """Authenticates clients by id and secret, and limits the rate of failed attempts.

    Failures are counted per client id from one address, so that nobody can lock out a client from
    elsewhere, and per address, so that nobody can try many clients.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._failures_of_client = KeyedBuckets(RateLimit(rate=1 / 6, burst=10))
        self._failures_of_address = KeyedBuckets(RateLimit(rate=5, burst=100))

    async def authenticate(self, id: str, secret: SecretStr, address: str) -> Client:
        """The active client with this secret. Takes the same time if there is none.

        Raises NotAuthenticated, or TooManyAttempts without a check.
        """
        wait = max(
            self._failures_of_client.wait((id, address)), self._failures_of_address.wait(address)
        )
        if wait > 0:
            raise TooManyAttempts(math.ceil(wait))
        known = id if _PLAUSIBLE_ID.fullmatch(id) else ""
        async with self._database.session() as session:
            found = (
                await session.execute(
                    CLIENTS.where(
                        col(ClientRow.id) == known, col(ClientRow.state) == ClientState.ACTIVE
                    )
                )
            ).one_or_none()
            digests = await _digests(session, known)
        matches = _holds(self._settings, known, secret, digests)
        if found is None or not matches:
            self._failures_of_client.spend((id, address))
            self._failures_of_address.spend(address)
            raise NotAuthenticated("The client id or the secret is wrong.")
        row, operator = found
        return client_of(row, operator=operator)


async def add_secret(
    database: Database, settings: Settings, *, by: Client, client: str
) -> tuple[ClientSecret, SecretStr]:
    """Make one more secret, which is shown only now. Raises Conflict if there are two."""
    by.require(Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        row = await reachable(session, by, client)
        if len(await _digests(session, row.id)) >= SECRETS:
            raise Conflict(f"The client has {SECRETS} secrets. Remove the one that is not in use.")
        return store_secret(session, settings, row.id)


async def list_secrets(database: Database, *, by: Client, client: str) -> list[ClientSecret]:
    """The secrets of a client, the oldest first, without the secrets themselves."""
    by.require(Role.ADMIN, Role.AUDITOR)
    async with database.session() as session:
        await reachable(session, by, client)
        rows = await session.execute(
            select(SecretRow)
            .where(col(SecretRow.client) == client)
            .order_by(col(SecretRow.created), col(SecretRow.id))
        )
        return [ClientSecret(row.id, row.created) for row in rows.scalars()]


async def remove_secret(database: Database, *, by: Client, client: str, id: str) -> None:
    """Remove a secret: it gets no new tokens. Tokens already issued are valid until they expire."""
    by.require(Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        await reachable(session, by, client)
        rows = await session.execute(select(SecretRow).where(col(SecretRow.client) == client))
        row = next((row for row in rows.scalars() if row.id == id), None)
        if row is None:
            raise NotFound("The client has no such secret.")
        await session.delete(row)


def store_secret(
    session: AsyncSession, settings: Settings, client: str
) -> tuple[ClientSecret, SecretStr]:
    """Store a new secret in the transaction, and return it."""
    secret = SecretStr(PREFIX + token_urlsafe(32))
    row = SecretRow(
        id=token_hex(6),
        client=client,
        digest=_digest(settings, client, secret),
        created=datetime.now(UTC),
    )
    session.add(row)
    return ClientSecret(row.id, row.created), secret


async def _digests(session: AsyncSession, client: str) -> list[bytes]:
    rows = await session.execute(
        select(col(SecretRow.digest)).where(col(SecretRow.client) == client)
    )
    return list(rows.scalars())


def _digest(settings: Settings, client: str, secret: SecretStr) -> bytes:
    text = f"{client}\n{secret.get_secret_value()}".encode(errors="replace")
    return hmac.digest(purpose_key(settings.secret_key, _PURPOSE), text, sha256)


def _holds(settings: Settings, client: str, secret: SecretStr, digests: list[bytes]) -> bool:
    """Whether one of the hashes fits: always compares two, in constant time."""
    presented = _digest(settings, client, secret)
    stored = [*digests, _NO_SECRET, _NO_SECRET][:SECRETS]
    return any([hmac.compare_digest(presented, digest) for digest in stored])
