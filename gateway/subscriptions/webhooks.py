"""Webhooks in the database: whether the endpoint agreed, and the signing keys."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_bytes, token_urlsafe

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.sealing import seal, unseal
from gateway.subscriptions.tables import WebhookKeyRow, WebhookRow
from gateway.subscriptions.values import Key, Signature

SECRET_BYTES = 32  # of 24 to 64 (Standard Webhooks 1.0, signature scheme)
KEPT = 2  # keys that sign at the same time
_PURPOSE = "webhook keys v1"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs until `ends`; `public` (`whpk_...`) verifies an Ed25519 signature."""

    key: Key
    id: str
    signature: Signature
    public: str | None
    sealed: bytes = field(repr=False)
    created: datetime
    ends: datetime | None

    def open(self, secret_key: SecretStr) -> bytes:
        """The secret, or the seed of the private key. Raises WrongSecretKey."""
        return unseal(secret_key, _PURPOSE, _name(self.key, self.id), self.sealed)


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint. `agreed_url` is the URL that took part in the handshake."""

    agreed_url: str | None = None
    agreed_rate: float | None = None  # deliveries a second; None is no limit
    last_error: str | None = None
    keys: tuple[SigningKey, ...] = ()

    def live(self, now: datetime) -> list[SigningKey]:
        """The keys that sign now, the youngest first."""
        return [key for key in self.keys if key.ends is None or key.ends > now]


@dataclass(frozen=True)
class Webhooks:
    """All webhooks, in memory."""

    all: Mapping[Key, Webhook]

    def of(self, key: Key) -> Webhook:
        """One webhook."""
        return self.all.get(key, Webhook())


async def load(session: AsyncSession) -> Webhooks:
    """All webhooks in their present state."""
    keys = (await session.execute(_newest_first())).scalars().all()
    rows = (await session.execute(select(WebhookRow))).scalars()
    known = {(row.organisation, row.name): row for row in rows}
    owned: dict[Key, list[WebhookKeyRow]] = {}
    for row in keys:
        owned.setdefault((row.organisation, row.name), []).append(row)
    return Webhooks(
        {key: _webhook(known.get(key), owned.get(key, ())) for key in known.keys() | owned.keys()}
    )


async def find(session: AsyncSession, key: Key) -> Webhook:
    """One webhook in its present state."""
    return _webhook(await session.get(WebhookRow, key), await _keys(session, key))


async def add_key(
    session: AsyncSession,
    key: Key,
    signature: Signature,
    secret_key: SecretStr,
    *,
    overlap: timedelta,
) -> str:
    """Make the key that signs from now on; earlier ones sign for at most `overlap` longer.

    Returns what the receiver verifies with: `whsec_...`, which is never shown again, or the public
    `whpk_...`. Run inside `Database.change(Topic.SUBSCRIPTIONS)`.
    """
    now = datetime.now(UTC)
    until = now + overlap
    for number, row in enumerate(await _keys(session, key)):
        if number + 1 >= KEPT or until <= now or (row.ends is not None and row.ends <= now):
            await session.delete(row)
        else:
            row.ends = min(until, row.ends or until)
    secret = token_bytes(SECRET_BYTES)
    id = token_urlsafe(9)
    public = _public(secret) if signature is Signature.ED25519 else None
    session.add(
        WebhookKeyRow(
            organisation=key[0],
            name=key[1],
            id=id,
            signature=signature.value,
            public=public,
            sealed=seal(secret_key, _PURPOSE, _name(key, id), secret),
            created=now,
        )
    )
    return public or f"whsec_{b64encode(secret).decode()}"


async def set_agreed(session: AsyncSession, key: Key, url: str, rate: float | None) -> None:
    """The endpoint took part in the handshake. Run inside `Database.change`."""
    row = await _row(session, key)
    row.agreed_url, row.agreed_rate, row.last_error = url, rate, None


async def set_last_error(session: AsyncSession, key: Key, error: str | None) -> None:
    """Keep why calls fail now, for the owner to read. Run inside `Database.change`."""
    row = await _row(session, key)
    row.last_error = error


async def _row(session: AsyncSession, key: Key) -> WebhookRow:
    row = await session.get(WebhookRow, key)
    now = datetime.now(UTC)
    if row is None:
        row = WebhookRow(organisation=key[0], name=key[1], changed=now)
        session.add(row)
    row.changed = now
    return row


async def _keys(session: AsyncSession, key: Key) -> list[WebhookKeyRow]:
    found = await session.execute(
        _newest_first().where(
            col(WebhookKeyRow.organisation) == key[0], col(WebhookKeyRow.name) == key[1]
        )
    )
    return list(found.scalars())


def _newest_first() -> Select[WebhookKeyRow]:
    return select(WebhookKeyRow).order_by(col(WebhookKeyRow.created).desc(), col(WebhookKeyRow.id))


def _webhook(row: WebhookRow | None, keys: Iterable[WebhookKeyRow]) -> Webhook:
    signing = tuple(_value(each) for each in keys)
    if row is None:
        return Webhook(keys=signing)
    return Webhook(row.agreed_url, row.agreed_rate, row.last_error, signing)


def _value(row: WebhookKeyRow) -> SigningKey:
    return SigningKey(
        (row.organisation, row.name),
        row.id,
        Signature(row.signature),
        row.public,
        row.sealed,
        row.created,
        row.ends,
    )


def _public(seed: bytes) -> str:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return f"whpk_{b64encode(public).decode()}"


def _name(key: Key, id: str) -> str:
    return f"{key[0]}/{key[1]}/{id}"
