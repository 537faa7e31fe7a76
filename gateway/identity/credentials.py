"""Client secrets: random, shown once, kept as keyed hashes, two at a time so that they can rotate.

A secret has 256 random bits, so its hash needs no salt and no work factor (NIST SP 800-63B, section
5.1.2.2, is about secrets that people choose). It is keyed, so a stolen table alone is of no use to
test secrets.
"""

import hmac
import math
from collections.abc import Hashable
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network
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
from gateway.base.snapshot import Snapshot, refresh
from gateway.base.tls import client_authorities
from gateway.identity.clients import reachable
from gateway.identity.directory import Directory
from gateway.identity.peer_certificate import PeerCertificate
from gateway.identity.tables import SecretRow
from gateway.identity.values import Client, ClientCertificate, ClientSecret, Role

SECRETS = 2  # at most, per client
PREFIX = "nbs_"  # so that a leaked secret is recognised as one
_PURPOSE = "client secrets v1"
_NO_SECRET = bytes(32)  # the hash of no secret


class TooManyAttempts(Refused):
    """Too many failed attempts; `retry_after` is in seconds."""

    code = "too-many-attempts"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many failed attempts. Wait {retry_after} s, then try again.")
        self.retry_after = retry_after


class ClientAuthenticator:
    """Authenticates clients by id and secret or certificate, and limits the attempts that fail.

    A secret that is in force is never refused, whatever others try from its address: it is compared
    with the directory in memory. Anything else may be younger than the directory, which costs a
    query. These attempts are limited: for a known client by its id and the address, so that nobody
    can lock it out from elsewhere; for unknown ids by the address.
    """

    def __init__(
        self, database: Database, settings: Settings, directories: Snapshot[Directory]
    ) -> None:
        """Raises UnusableFiles."""
        self._authorities = client_authorities(settings)
        self._database = database
        self._settings = settings
        self._directories = directories
        self._attempts_on_client = KeyedBuckets(RateLimit(rate=1 / 6, burst=10))
        self._attempts_on_unknown = KeyedBuckets(RateLimit(rate=5, burst=100))

    async def authenticate(
        self, id: str, secret: SecretStr, address: str
    ) -> tuple[Client, ClientSecret]:
        """The active client with this secret, and the secret.

        Raises NotAuthenticated with one text for every reason, OrganisationSuspended after the
        right secret, or TooManyAttempts without a check.
        """
        digest = _digest(self._settings, id, secret)
        found = self._match(id, digest)
        if found is None:
            self._count_attempt(id, network_of(address))
            await refresh(self._database, self._directories)
            found = self._match(id, digest)
        if found is None:
            raise NotAuthenticated("The client id or the secret is wrong.")
        return found

    async def authenticate_certificate(
        self, id: str, peer: PeerCertificate, address: str
    ) -> tuple[Client, ClientCertificate]:
        """The active client that has registered the certificate of its connection (RFC 8705).

        Raises as `authenticate` does.
        """
        found = self._match_certificate(id, peer)
        if found is None:
            self._count_attempt(id, network_of(address))
            await refresh(self._database, self._directories)
            found = self._match_certificate(id, peer)
        if found is None:
            raise NotAuthenticated("The client id is wrong, or has not registered the certificate.")
        return found

    def _count_attempt(self, id: str, network: str) -> None:
        """Raises TooManyAttempts. Counted before the check, so that parallel attempts count too."""
        key: Hashable
        if id in self._directories.value.clients:
            attempts, key = self._attempts_on_client, (id, network)
        else:
            attempts, key = self._attempts_on_unknown, network
        wait = attempts.wait(key)
        if wait > 0:
            raise TooManyAttempts(math.ceil(wait))
        attempts.spend(key)

    def _match(self, id: str, digest: bytes) -> tuple[Client, ClientSecret] | None:
        """Compares two digests in constant time, however many there are."""
        directory = self._directories.value
        stored = directory.secrets.get(id, ())
        padded = [*(each.digest for each in stored), _NO_SECRET, _NO_SECRET][:SECRETS]
        equal = [hmac.compare_digest(digest, each) for each in padded]
        if True not in equal[: len(stored)]:
            return None
        secret = stored[equal.index(True)]
        client = directory.caller(id, secret.id)
        return None if client is None else (client, secret)

    def _match_certificate(
        self, id: str, peer: PeerCertificate
    ) -> tuple[Client, ClientCertificate] | None:
        directory, now = self._directories.value, datetime.now(UTC)
        for each in directory.certificates.get(id, ()):
            if peer.shows(each, self._authorities.current(), now):
                client = directory.caller(id, each.id)
                return None if client is None else (client, each)
        return None


def network_of(address: str) -> str:
    """The address that attempts are counted by: of IPv6 the /64, which one host may use at will."""
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed) >> 64 << 64, 64)))


async def add_secret(
    database: Database, settings: Settings, *, by: Client, client: str
) -> tuple[ClientSecret, SecretStr]:
    """Make one more secret, which is shown only now. Raises Conflict if there are two."""
    by.require(Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        row = await reachable(session, by, client)
        if len(await _rows(session, row.id)) >= SECRETS:
            raise Conflict(f"The client has {SECRETS} secrets. Remove the one that is not in use.")
        return store_secret(session, settings, row.id)


async def list_secrets(database: Database, *, by: Client, client: str) -> list[ClientSecret]:
    """The secrets of a client, the oldest first, without the secrets themselves."""
    by.require(Role.ADMIN, Role.AUDITOR)
    async with database.session() as session:
        await reachable(session, by, client)
        rows = await _rows(session, client)
        return [ClientSecret(row.id, row.digest, row.created) for row in rows]


async def remove_secret(database: Database, *, by: Client, client: str, id: str) -> None:
    """Remove a secret: it gets no new token, and every token that it got is void."""
    by.require(Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        await reachable(session, by, client)
        row = next((row for row in await _rows(session, client) if row.id == id), None)
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
    return ClientSecret(row.id, row.digest, row.created), secret


async def _rows(session: AsyncSession, client: str) -> list[SecretRow]:
    """The rows of its secrets, the oldest first."""
    rows = await session.execute(
        select(SecretRow)
        .where(col(SecretRow.client) == client)
        .order_by(col(SecretRow.created), col(SecretRow.id))
    )
    return list(rows.scalars())


def _digest(settings: Settings, client: str, secret: SecretStr) -> bytes:
    text = f"{client}\n{secret.get_secret_value()}".encode(errors="replace")
    return hmac.digest(purpose_key(settings.secret_key, _PURPOSE), text, sha256)
